# Prints the state of a host, one fact a line: `word value`. Changes nothing.
# What cannot be read is `unreadable`, never left out: absence must be a fact of its own.
# args: root app systemctl-privilege(auto|user) units… -- sudo-lines…
root=$1 app=$2 mode=$3
shift 3

for tool in tar gzip flock sha256sum find xargs awk timeout curl bash fallocate systemctl sync; do
    command -v "$tool" >/dev/null || echo "missing $tool"
done
case $(tar --version 2>/dev/null) in *GNU*) ;; *) echo 'missing GNU tar' ;; esac
mv --help 2>&1 | grep -q -- -T || echo 'missing mv -T'
echo "systemd $(systemd_version)"
printf 'uid %s\nuser %s\ntime %s\n' "$(id -u)" "$(id -un)" "$(date +%s)"
if [ "$mode" = user ]; then manager=--user; else manager=--system; fi

units=''
while [ $# -gt 0 ] && [ "$1" != -- ]; do units="$units $1" && shift; done
[ $# -eq 0 ] || shift
for unit in $units "shipit-$app.path" "shipit-$app.service" "shipit-$app-boot.service"; do
    shown=$(TZ=UTC systemctl "$manager" show \
        -p LoadState,ActiveState,SubState,UnitFileState,Type,CanReload,TriggeredBy,User,Result \
        -p NeedDaemonReload,MainPID,NRestarts,InvocationID,ActiveEnterTimestamp,ExecMainStartTimestamp,RestartUSec \
        -p TimeoutStartUSec,TimeoutStopUSec,MemoryCurrent,TasksCurrent,StatusText,FragmentPath,NextElapseUSecRealtime \
        -p RemainAfterExit,Names,DropInPaths -- "$unit" </dev/null) || { echo "unreadable unit $unit" && continue; }
    printf '%s\n' "$shown" | sed "s/^/unit $unit /"
done
if [ "$mode" != user ] && [ "$(id -u)" != 0 ]; then
    for line in "$@"; do
        # shellcheck disable=SC2086 # a sudo line is words
        if sudo -n -l $line >/dev/null 2>&1 </dev/null; then echo "may $line"; else echo "maynot $line"; fi
    done
fi
if [ ! -e "$root" ] && [ ! -L "$root" ]; then echo 'root absent'; exit 0; fi
cd "$root" 2>/dev/null || { echo 'root unreadable'; exit 0; }
# Root reads nothing that another user made: a pipe would block it, and opening some devices has effects.
if [ "$(id -u)" = 0 ] && [ -d .shipit ] && [ "$(stat -c %u .shipit)" != 0 ]; then echo 'root foreign' && exit 0; fi
# Names are moved between these: each must be a directory, here and not elsewhere.
for part in releases .shipit .shipit/runs .shipit/links .shipit/releases; do
    if [ -L "$part" ]; then echo "astray $part is a symlink"
    elif [ -e "$part" ] && [ ! -d "$part" ]; then echo "astray $part is not a directory"; fi
done
if [ ! -d .shipit ] || [ ! -d releases ] || { [ -x .shipit ] && [ ! -d .shipit/runs ]; }; then echo 'root bare'
elif [ ! -w .shipit ] || [ ! -w releases ] || [ ! -w . ]; then echo 'root unwritable'
else echo 'root ready'; fi
if [ -L current ]; then printf 'current link %s\n' "$(readlink current || echo unreadable)"
    [ -d current/ ] || echo 'current dangling'
elif [ -d current ]; then echo 'current directory'
elif [ -e current ]; then echo 'current file'
else echo 'current absent'; fi
for room in kb:-Pk inodes:-Pi; do df "${room#*:}" . | awk -v "what=free_${room%:*}" 'NR == 2 { print what, $4 }'; done
[ ! -d releases ] || { [ -r releases ] && [ -x releases ]; } || echo 'unreadable releases'
ls -1A releases 2>/dev/null | sed 's/^/release /'
[ -d .shipit ] || exit 0
cd .shipit 2>/dev/null || { echo 'unreadable .shipit'; exit 0; }
for meta in releases/*/digest; do
    [ -f "$meta" ] || continue
    meta=${meta%/digest}
    echo "digest ${meta#releases/} $(cat "$meta/digest")"
    [ ! -f "$meta/migration" ] || echo "migration ${meta#releases/} $(cat "$meta/migration")"
    [ ! -f "$meta/info" ] || sed "s/^/info ${meta#releases\/} /" "$meta/info"
done
# Its end is enough; the number of the last switch is taken from the whole, as request.sh does.
if [ -f ledger ] && [ -r ledger ]; then
    tail -c 1000000 ledger | tail -n 1000 | sed 's/^/ledger /'
    echo # the last line may be torn
    awk '$4 == "begin" { e = $2 + 0; epoch = e > 0 && e < 2 ^ 53 ? e : 0 } END { printf "epoch %.0f\n", epoch }' ledger
elif [ -e ledger ]; then echo 'unreadable ledger'; fi
[ ! -f conductor ] || echo "conductor $(sha256sum conductor | cut -d ' ' -f 1)"
[ ! -d spare ] || echo "spare $(ls spare | wc -l)"
# Between two reads the conductor may remove it, and another may come: it is unreadable only if every read fails.
kind=$(request_kind request) held='' tries=0
case $kind in '' | regular*)
    until held=$(cat request 2>/dev/null) || [ ! -e request ] || [ $tries -ge 9 ]; do tries=$((tries + 1)); done ;;
*) echo "odd_request $kind" ;; esac
if [ -n "$held" ]; then
    printf '%s\n' "$held" | sed 's/^/request /'
    run=$(printf '%s\n' "$held" | sed -n 's/^run //p')
    printf 'request_step %s\n' "$(tail -n 1 "runs/$run/events" 2>/dev/null)"
elif [ -f request ] && [ ! -L request ]; then echo 'unreadable request'; fi
[ ! -f degraded ] || echo "degraded $(sed -n 's/^run //p' degraded)"
