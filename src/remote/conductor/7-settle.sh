# The conductor after the confirmation: what can be tidied. Nothing here can fail a deploy.
# shellcheck shell=dash disable=SC2034,SC2154

# prune ID…: removes these releases, but never one that is live, was live, is asked for, or in use.
step_prune() {
    local id live in_use removed=0
    live=$(is_current) || return 1
    in_use=$(readlink /proc/[0-9]*/cwd /proc/[0-9]*/exe 2>/dev/null | sort -u; echo .)
    for id in "$@"; do
        case $id in "$live" | "$previous" | "$next" | '' | *[!0-9A-Za-z-]*) continue ;; esac
        case $in_use in *"/releases/$id"[/\ ]* | *"/releases/$id
"*) event note prune "$id is in use by a process: kept"; continue ;; esac
        [ ! -d "../releases/$id" ] || mv -T -- "../releases/$id" "../releases/.del-$id" || continue
        rm -rf -- "links/$id" "releases/$id"
        ledger gone "$id"
        removed=$((removed + 1))
    done
    for id in ../releases/.del-*; do
        [ -e "$id" ] || continue
        chmod -R u+w -- "$id" 2>/dev/null
        rm -rf --one-file-system -- "$id" 2>/dev/null ||
            event note prune "${id##*/.del-} could not be removed whole: files of another user?"
    done
    event note prune "$removed removed"
    # Evidence of old runs: the newest 50 stay. Names sort by time only roughly; nothing but this depends on it.
    find runs -mindepth 1 -maxdepth 1 -type d ! -name "$run" | sort -r | tail -n +50 | xargs -r rm -rf --
}

# spare: room for the next run, taken now: with it a rollback works on a disk with no free block and inode.
step_spare() {
    [ -s spare/request ] || [ ! -e spare/events ] || return 0
    rm -rf spare.tmp && mkdir spare.tmp || return 1
    # `true`, not `:`: a redirect that fails ends the whole shell when the builtin is a special one.
    for file in request events probes said journal; do
        true >"spare.tmp/$file" || { rm -rf spare.tmp; return 1; }
        fallocate -n -l 65536 "spare.tmp/$file" 2>/dev/null || :
    done
    fallocate -n -l "$(($(wc -c <ledger) + 65536))" ledger 2>/dev/null || :
    rm -rf spare && mv -T spare.tmp spare
}

# bad ID: it was rolled back from; `rollback` without a name does not come back to it.
step_bad() { ledger bad "$1"; }
