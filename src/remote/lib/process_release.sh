# Which release a process runs from, as far as this user may read it. Runs in $ROOT/.shipit. Only reads.
# shellcheck shell=dash disable=SC2034

# process_releases PID: sets cwd_release and exe_release, the releases of its working directory and of its program, each
# empty when it is none. 1: the process cannot be read (it is gone, or belongs to another user), 2: $ROOT cannot.
process_releases() {
    local cwd exe releases
    cwd_release='' exe_release=''
    releases=$(cd .. && pwd -P) || return 2
    releases=$releases/releases
    cwd=$(readlink "/proc/$1/cwd" 2>/dev/null) || return 1
    exe=$(readlink "/proc/$1/exe" 2>/dev/null) || exe=''
    case $cwd/ in "$releases/"?*) cwd_release=${cwd#"$releases/"} cwd_release=${cwd_release%%/*} ;; esac
    case $exe in "$releases/"?*) exe_release=${exe#"$releases/"} exe_release=${exe_release%%/*} ;; esac
}
