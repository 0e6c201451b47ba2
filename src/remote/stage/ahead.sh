# Hashes files while the rest of the archive still arrives, for receive.sh: verify.sh then reads only what this did not.
# A file counts only if its inode, time, size and mode are the same at the end: tar sets the time of a file once it is
# whole. Nothing here decides anything, and nothing here can fail an upload.
# shellcheck shell=dash disable=SC2154

# ahead: the names that tar prints, one a line, as it begins with each.
ahead() {
    # An escaped name, as with a newline in it, is left to verify.sh.
    # shellcheck disable=SC2016 # for the inner shell
    awk '!/\/$/ && !/\\/ { print "./" $0 } NR % 50 == 0 { fflush() }' | tr '\n' '\0' | xargs -0 -r -n 300 sh -c '
        [ ! -e "$0.stop" ] || exit 0
        find "$@" -maxdepth 0 -type f -printf "%i %T@ %s %m %p\\0" >>"$0.stamps"
        sha256sum -z -- "$@" >>"$0.hashes"
    ' "$1/.shipit/releases/.in-$id/ahead"
} 2>/dev/null
