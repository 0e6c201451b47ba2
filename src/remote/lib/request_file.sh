# The request as other scripts than the conductor see it: `request` in the current directory, $ROOT/.shipit.
# shellcheck shell=dash

# lock_requests RUNS: takes the lock that requests are made under, for as long as descriptor 9 is open. With the slash
# only a directory is opened, never a pipe that another user put there.
lock_requests() { exec 9<"$1/" && flock -w 30 9; }

# request_kind FILE: the type of that file; nothing when it does not exist. Fails when it cannot be read.
request_kind() { LC_ALL=C stat -c %F "$1" 2>/dev/null || { [ ! -e "$1" ] && [ ! -L "$1" ]; }; }

# print_request: prints the request. Fails when no request holds the host: what is not a plain file is not one.
print_request() {
    case $(request_kind request) in
    # The conductor may remove it while this reads.
    '' | regular*) cat request 2>/dev/null || [ -e request ] ;;
    *) return 1 ;;
    esac
}
