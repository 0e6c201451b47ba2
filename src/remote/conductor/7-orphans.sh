# What commands that died left half-way, removed while a run holds the host: nobody else publishes or requests a switch
# under these names. Never here: anything of a release that is there, or was live.
# shellcheck shell=dash disable=SC2034,SC2154

# remove_orphans: best effort. What cannot be known is kept.
remove_orphans() {
    local file id ids there lived
    # Before the releases: one that is being published has its directory before its symlink and its metadata.
    ids=$(find links releases -mindepth 1 -maxdepth 1 -printf '%f\n') || return 0
    there=$(find ../releases -mindepth 1 -maxdepth 1 -printf '%f\n') || return 0
    lived=$(awk '$4 == "live" || $4 == "verified" || $4 == "adopted" { print $5 }' ledger) || return 0
    for id in $ids; do
        case $id in *[!0-9A-Za-z._-]* | . | ..) continue ;; esac
        case "
$there
$lived
" in *"
${id#.in-}
"* | *"
.in-${id#.in-}
"*) continue ;; esac
        # A rename while they were listed hides a name.
        [ -e "../releases/${id#.in-}" ] || [ -e "../releases/.in-${id#.in-}" ] || rm -rf -- "links/$id" "releases/$id"
    done
    # Its session died just before it removed this, and the release was used.
    for file in ../releases/.in-*; do
        [ -L "$file" ] || continue
        case "
$lived
" in *"
${file##*/.in-}
"*) rm -f -- "$file" ;; esac
    done
    # A conductor that is still arriving has its process.
    for file in conductor.new.*; do
        [ -e "$file" ] && [ ! -d "/proc/${file##*.}" ] && rm -rf -- "$file"
    done
    rm -rf -- request.unreadable request.unreadable.*
    return 0
}
