# Prints which invocations of services the runs of switches saw, one a line: `invocation RUN failed ID` for those in the
# evidence of a failure, `invocation RUN verdict ID` for those that passed. Only reads.
# args: root run|-
# exits: 36 no such run on the host · 37 the run cannot be read
cd "$1/.shipit/runs" || exit 37
case $2 in
-) set -- * ;;
*[!0-9A-Za-z-]*) exit 36 ;;
*) [ -e "$2/events" ] || exit 36 && set -- "$2" ;;
esac
for run in "$@"; do
    [ -d "$run" ] || continue
    passed=$(verdicts "$run/events") || exit 37
    [ -z "$passed" ] || printf '%s\n' "$passed" | sed "s/.* /invocation $run verdict /"
    [ -s "$run/journal" ] || continue
    [ -r "$run/journal" ] || exit 37
    grep -aoE 'INVOCATION_ID" ?: ?"[0-9a-f]{32}' "$run/journal" | sed "s/.*\"/invocation $run failed /" | sort -u
done
exit 0
