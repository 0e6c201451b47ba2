# The conductor after the confirmation: what can be removed. Nothing here can fail a deploy.
# shellcheck shell=dash disable=SC2034,SC2154

# prune: removes these releases, but never one that is live, was live, is requested, or in use, or that may be.
step_prune() {
    local releases id live slots used removed='' of
    arguments releases "$@" || return 1
    live=$(is_current) && slots=$(slots_in_use) || { cause='current or a slot could not be read'; return 1; }
    of=$(cd .. && pwd -P) && used=$(known_use "$of/releases") || {
        cause='the processes of the host could not be read'
        return 1
    }
    case $used in
    *'? '*)
        event note prune "nothing was removed: some processes cannot be read, and one may be running from a release." \
            "Run setup again; as root \`ls -l /proc/[0-9]*/cwd | grep $of/releases/\` shows which"
        releases='' ;;
    esac
    releases=$releases,
    while [ -n "$releases" ]; do
        alive
        id=${releases%%,*} releases=${releases#*,}
        case $id in "$live" | "$previous" | "$next" | '' | *[!0-9A-Za-z-]*) continue ;; esac
        case "
$slots
" in *"
$id
"*) continue ;; esac
        case "
$used" in
        *"
$id "*)
            of=${used#*"$id "} of=${of%%
*}
            event note prune "$id is in use by process $of, of $(stat -c %U "/proc/$of" 2>/dev/null || echo '?'): kept"
            continue ;;
        esac
        # By what is there: it may have done its work and failed.
        [ ! -d "../releases/$id" ] || mv -T -- "../releases/$id" "../releases/.del-$id" ||
            [ ! -d "../releases/$id" ] || continue
        rm -rf -- "links/$id" "releases/$id"
        ledger gone "$id"
        removed="$removed $id"
    done
    for id in ../releases/.del-*; do
        [ -e "$id" ] || continue
        alive
        # A file may be another release's too: no mode of one is changed.
        find "$id" -type d ! -perm -u+w -exec chmod u+w {} + 2>/dev/null
        rm -rf --one-file-system -- "$id" 2>/dev/null || case $? in
        124 | 137) event note prune "${id##*/.del-} is not removed completely yet: the next run goes on with it" ;;
        *) event note prune "${id##*/.del-} could not be removed completely: does another user own files in it?" ;;
        esac
    done
    # shellcheck disable=SC2086 # names of releases
    [ -z "$removed" ] || event pruned $removed
    # Evidence of old runs: the newest 50 stay. Names sort by time only roughly; nothing but this depends on it.
    find runs -mindepth 1 -maxdepth 1 -type d ! -name "$run" | sort -r | tail -n +50 | xargs -r rm -rf --
}

# known_use DIRECTORY: as in_use. Where this user may not read the processes of others, root's helper does.
known_use() {
    local own all
    own=$(in_use "$1") || return 1
    case $access/$own in
    sudo/*'? '*)
        # shellcheck disable=SC2086 # the words of a sudo line
        all=$(printf 'in-use %s\nend\n' "${1%/releases}" |
            timeout --foreground -k 5 60 sudo -n -u root $helper 2>/dev/null) || all=''
        case $all in *whole) own=${all%whole} ;; esac ;;
    esac
    printf '%s\n' "$own"
}

# spare: also removes what died half-way, while this run holds the host.
step_spare() { arguments '' "$@" && remove_orphans && make_spare; }

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

# left: a user rolled back from the release, which is sound; `rollback` without a name does not return to it.
step_left() {
    local release
    arguments release "$@" || return 1
    ledger left "$release"
}

# As earlier clients requested it.
step_bad() { step_left "$@"; }
