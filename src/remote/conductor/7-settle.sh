# The conductor after the confirmation: what can be removed. Nothing here can fail a deploy.
# shellcheck shell=dash disable=SC2034,SC2154

# prune: removes these releases, but never one that is live, was live, is requested, or in use.
step_prune() {
    local releases id live in_use removed=0
    arguments releases "$@" || return 1
    live=$(is_current) || return 1
    in_use=$(process_paths; echo .)
    releases=$releases,
    while [ -n "$releases" ]; do
        id=${releases%%,*} releases=${releases#*,}
        case $id in "$live" | "$previous" | "$next" | '' | *[!0-9A-Za-z-]*) continue ;; esac
        case $in_use in
        *"/releases/$id"[/\ ]* | *"/releases/$id
"*) event note prune "$id is in use by a process: kept"; continue ;;
        esac
        [ ! -d "../releases/$id" ] || mv -T -- "../releases/$id" "../releases/.del-$id" || continue
        rm -rf -- "links/$id" "releases/$id"
        ledger gone "$id"
        removed=$((removed + 1))
    done
    for id in ../releases/.del-*; do
        [ -e "$id" ] || continue
        chmod -R u+w -- "$id" 2>/dev/null
        rm -rf --one-file-system -- "$id" 2>/dev/null ||
            event note prune "${id##*/.del-} could not be removed completely: files of another user?"
    done
    event note prune "$removed removed"
    # Evidence of old runs: the newest 50 stay. Names sort by time only roughly; nothing but this depends on it.
    find runs -mindepth 1 -maxdepth 1 -type d ! -name "$run" | sort -r | tail -n +50 | xargs -r rm -rf --
}

step_spare() { arguments '' "$@" && make_spare; }

# Room for the next run, taken now: with it a rollback works on a disk with no free block and inode.
make_spare() {
    local file
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

# bad: the release was rolled back from; `rollback` without a name does not return to it.
step_bad() {
    local release
    arguments release "$@" || return 1
    ledger bad "$release"
}
