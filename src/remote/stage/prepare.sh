# Runs the app's own prepare command inside the received release, before anything live changes. The release has its
# final name meanwhile: tools write the path that they run at into what they make. `.in-ID` is then a symlink to ID, and
# while it exists, ID is no release yet. With a recipe, what the base has is taken over instead, where it is the same.
# The first line it prints is its own: `taken BASE`, or `ran` and why.
# args: root id command previous base|'' hard|copy recipe|'' outputs…
# shellcheck disable=SC2034 # for outputs.sh and made.sh
set -eu
root=$1 id=${held_id:-$2} command=$3 previous=$4 base=$5 how=$6 recipe=$7
state=$root/.shipit/releases code=0 did=ran why=''
shift 7
cd "$root/releases"
# Between the next two commands, only the directory beside the release tells that it is not published.
sync ../.shipit/releases
mv -T -- ".in-$id" "$id"
ln -sfT -- "$id" ".in-$id"
if [ -n "$recipe" ]; then
    made_with >"$state/.in-$id/prepared" || { rm -f -- "$state/.in-$id/prepared" && base='' why=unknown; }
    if [ -n "$base" ] && take "$@"; then did=taken why=$base
    elif [ -f "$state/.in-$id/prepared" ]; then
        around "$@" >"$state/.in-$id/around" || rm -f -- "$state/.in-$id/prepared"
    fi
fi
echo "$did${why:+ $why}"
[ "$did" = taken ] || (
    login || exit
    # The lock on the directory is the session's: what the command leaves running must not keep it.
    # The command goes over a pipe: every local user can read a command line.
    sh -c 'SHIPIT_PREPARE=$(cat <&8) && exec 8<&- && eval "$SHIPIT_PREPARE"' 2>&1 7<&- 8<<END && exit
$command
END
    code=$?
    case $code in 126 | 127) not_found "$command" >&2 ;; esac
    exit "$code"
) || code=$?
# What failed gives its name back, unless something runs on in it, which may make the name again.
[ "$code" = 0 ] || [ -n "$(find /proc/[0-9]*/cwd -lname "$root/releases/$id*" 2>/dev/null)" ] ||
    { rm -f -- ".in-$id" && mv -T -- "$id" ".in-$id"; } || :
[ "$code" != 0 ] || [ ! -f "$state/.in-$id/prepared" ] || record "$did" "$@" || :
exit "$code"
