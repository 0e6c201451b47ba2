# Prints which invocations of services the runs of switches saw, one a line: `invocation RUN failed ID` for those in the
# evidence of a failure, `invocation RUN verdict ID` for those that passed; at last `whole`. Only reads.
# args: root run|-
# exits: 36 no such run on the host · 37 the run cannot be read
cd "$1/.shipit/runs" || exit 37
case $2 in
-) set -- * ;;
*[!0-9A-Za-z-]*) exit 36 ;;
*) [ -e "$2/events" ] || exit 36 && set -- "$2" ;;
esac
for run in "$@"; do
    [ -e "$run/events" ] || continue
    passed=$(verdicts "$run/events") || exit 37
    [ -z "$passed" ] || printf '%s\n' "$passed" | sed "s/.* /invocation $run verdict /" || exit 37
    [ -s "$run/journal" ] || continue
    [ -r "$run/journal" ] || exit 37
    # Not grep: that it found nothing must not look like a failure, nor a failure like that.
    seen=$(awk -v run="$run" '{
        while (match($0, /INVOCATION_ID" ?: ?"[0-9a-f]+"/)) {
            id = substr($0, RSTART, RLENGTH - 1)
            sub(/.*"/, "", id)
            if (!(id in named)) { named[id]; print "invocation", run, "failed", id }
            $0 = substr($0, RSTART + RLENGTH)
        }
    }' "$run/journal") || exit 37
    [ -z "$seen" ] || printf '%s\n' "$seen"
done
echo whole
