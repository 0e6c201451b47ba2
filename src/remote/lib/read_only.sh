# What keeps this user from writing: a disk that turned read-only, as ext4 does after an error; a directory's owner or
# mode. Changes nothing.
# shellcheck shell=dash

# read_only FILE: whether its disk is. The shell's own message tells that from a file that this user may not write.
read_only() {
    case $(LC_ALL=C; { true >>"$1"; } 2>&1) in *'Read-only file system'*) return 0 ;; esac
    return 1
}

# unwritable DIR…: whether this user may not write to one of them; prints `unwritable OWNER DIR` of the first.
unwritable() {
    local dir owner
    for dir in "$@"; do
        [ ! -w "$dir" ] || continue
        owner=$(stat -c %U -- "$dir") || owner=unreadable
        echo "unwritable $owner $dir"
        return 0
    done
    return 1
}
