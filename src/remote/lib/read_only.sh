# Whether a disk turned read-only, as ext4 does after an error. Changes nothing.
# shellcheck shell=dash

# read_only FILE: whether its disk is. The shell's own message tells that from a file that this user may not write.
read_only() {
    case $(LC_ALL=C; { true >>"$1"; } 2>&1) in *'Read-only file system'*) return 0 ;; esac
    return 1
}
