# Prints the record of one run, for its timeline: who asked for what (of the request), its events, and its probes, each
# as a line with that word; at last `whole`. Only reads.
# args: root run
# exits: 36 no such run on the host · 37 the run cannot be read
cd "$1/.shipit/runs" || exit 37
case $2 in '' | *[!0-9A-Za-z-]*) exit 36 ;; esac
[ -e "$2/events" ] || exit 36
cd "./$2" || exit 37
sed -n -e '/^end$/q' -e 's/^\(command\|by\|since\|previous\|next\) /request &/p' request || exit 37
sed 's/^/event /' events || exit 37
# More of them than this is a quarter of an hour of probing. The timeline does not show extra ones (meter.pl).
[ ! -e probes ] || awk '!/ extra / && n++ < 40000 { print "probe " $0 }' probes || exit 37
echo whole
