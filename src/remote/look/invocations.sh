# Says which lives of services the runs of switches saw, one a line: `life RUN failed INVOCATION` for those in the evidence of
# a failure, `life RUN verdict INVOCATION` for those that were found well. Only reads.
# args: root run|-
# exits: 36 there is no such run (any more) · 37 it cannot be read
cd "$1/.shipit/runs" || exit 37
case $2 in
-) set -- * ;;
*[!0-9A-Za-z-]*) exit 36 ;;
*) [ -e "$2/events" ] || exit 36 && set -- "$2" ;;
esac
for run in "$@"; do
    [ -d "$run" ] || continue
    sed -n "s/.* verdict .*invocation=\([0-9a-f]*\).*/life $run verdict \1/p" "$run/events" || exit 37
    [ -s "$run/journal" ] || continue
    [ -r "$run/journal" ] || exit 37
    grep -aoE 'INVOCATION_ID" ?: ?"[0-9a-f]{32}' "$run/journal" | sed "s/.*\"/life $run failed /" | sort -u
done
exit 0
