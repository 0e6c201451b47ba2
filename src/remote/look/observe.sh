# Prints the state of a host, one fact a line: `word value`, and at last `whole`. Changes nothing.
# What cannot be read is `unreadable`, never left out: absence must be a fact of its own. A command that fails ends the
# script; without its last line nothing is concluded. So no command that may fail stands before a pipe.
# args: root app systemctl-privilege(auto|user), and units and routers (link=PATH, port=PATH, links=PATH, ports=PATH,
# haproxy=SOCKET=BACKEND)…
set -eu
root=$1 app=$2 mode=$3
shift 3

whole() {
    echo whole
    exit 0
}

# moment ROOT: changes with every switch that begins or ends.
moment() { (cd "$1/" && stat -c '%N %i %s' current .shipit/ledger 2>/dev/null) || :; }

for tool in tar gzip flock sha256sum find xargs awk timeout curl bash fallocate systemctl sync; do
    command -v "$tool" >/dev/null || echo "missing $tool"
done
if command -v zstd >/dev/null; then show_zstd; fi
shown=$(tar --version 2>&1) || :
case $shown in *GNU*) ;; '') exit 1 ;; *) echo 'missing GNU tar' ;; esac
shown=$(mv --help 2>&1) || :
case $shown in *' -T'*) ;; '') exit 1 ;; *) echo 'missing mv -T' ;; esac
systemd=$(systemd_version)
shown=$(id)
uid=${shown#uid=} && uid=${uid%%[!0-9]*}
case $shown in "uid=$uid("*) user=${shown#*\(} && user=${user%%\)*} ;; *) user=$uid ;; esac
time=$(date +%s)
printf 'systemd %s\nuid %s\nuser %s\ntime %s\n' "$systemd" "$uid" "$user" "$time"
# shellcheck disable=SC2034 # for show_units
if [ "$mode" = user ]; then manager=--user; else manager=--system; fi

left=$#
for unit in "$@" "shipit-$app.path" "shipit-$app.service" "shipit-$app-boot.service"; do
    case $unit in *=*) router_state "$unit" && continue ;; esac
    set -- "$@" "$unit"
done
shift "$left"
shown=$(show_units "$@")
starts=$(started_at "$shown")
printf '%s\n' "$shown"
if [ "$mode" != user ] && [ "$uid" != 0 ]; then print_sudo "$app"; fi
if [ ! -e "$root" ] && [ ! -L "$root" ]; then echo 'root absent' && whole; fi
cd "$root" 2>/dev/null || { echo 'root unreadable' && whole; }
if [ -d releases ] && [ ! -L releases ]; then owner=$(stat -c %U .); echo "tree_owner $owner"; fi
# Root reads nothing that another user made: a pipe would block it, and opening some devices has effects.
if [ "$uid" = 0 ] && [ -d .shipit ]; then
    owner=$(stat -c %u .shipit)
    [ "$owner" = 0 ] || { echo 'root foreign' && whole; }
fi
# Names are moved between these: each must be a directory, here and not elsewhere.
for part in releases slots .shipit .shipit/runs .shipit/links .shipit/releases; do
    if [ -L "$part" ]; then echo "misplaced $part is a symlink"
    elif [ -e "$part" ] && [ ! -d "$part" ]; then echo "misplaced $part is not a directory"; fi
done
if [ ! -d .shipit ] || [ ! -d releases ] || { [ -x .shipit ] && [ ! -d .shipit/runs ]; }; then echo 'root bare'
elif read_only .shipit/ledger; then echo 'root readonly'
elif unwritable . releases .shipit; then echo 'root unwritable'
else echo 'root ready'; fi
before=$(moment .)
if [ -L current ]; then
    to=$(readlink current) || to=unreadable
    printf 'current link %s\n' "$to"
    [ -d current/ ] || echo 'current dangling'
elif [ -d current ]; then echo 'current directory'
elif [ -e current ]; then echo 'current file'
else echo 'current absent'; fi
slots=''
if [ -d slots ]; then
    if [ -r slots ] && [ -x slots ]; then slots=$(ls -1A slots); else echo 'unreadable slots'; fi
fi
set -f
for slot in $slots; do
    case $slot in [!A-Za-z0-9]* | *[!A-Za-z0-9_.]*) continue ;; esac
    if [ -L "slots/$slot" ]; then
        to=$(readlink "slots/$slot") || to=unreadable
        printf 'slot %s link %s\n' "$slot" "$to"
    elif [ -d "slots/$slot" ]; then echo "slot $slot directory"
    elif [ -e "slots/$slot" ]; then echo "slot $slot file"; fi
done
set +f
show_room
releases=''
if [ -d releases ]; then
    if [ -r releases ] && [ -x releases ]; then releases=$(ls -1A releases); else echo 'unreadable releases'; fi
fi
prefixed release "$releases"
[ -d .shipit ] || whole
cd ./.shipit 2>/dev/null || { echo 'unreadable .shipit' && whole; }
if [ -d releases ]; then known_releases; fi
if [ -f ledger ] && [ -r ledger ]; then printf '%s\n' "$releases" | read_ledger "$starts"
elif [ -e ledger ]; then echo 'unreadable ledger'; fi
if [ -f conductor ]; then
    digest=$(sha256sum <conductor)
    echo "conductor ${digest%% *}"
fi
[ ! -d spare ] || echo spare
# Between two reads the conductor may remove it, and another may come: it is unreadable only if every read fails.
held='' tries=0
kind=$(request_kind request) || kind=$(request_kind request)
case $kind in '' | regular*)
    until held=$(cat request 2>/dev/null) || [ ! -e request ] || [ $tries -ge 9 ]; do tries=$((tries + 1)); done ;;
*) echo "odd_request $kind" ;; esac
if [ -n "$held" ]; then
    prefixed request "$held"
    run=${held#*
run } && run=${run%%
*} step=''
    [ ! -e "runs/$run/events" ] || step=$(tail -n 1 "runs/$run/events") || [ ! -e "runs/$run/events" ]
    printf 'request_step %s\n' "$step"
elif [ -f request ] && [ ! -L request ]; then echo 'unreadable request'
# A whole switch, or its end, passed between these reads: they are not of one moment.
elif [ "$before" != "$(moment ..)" ]; then echo changed; fi
left degraded 's/^run //p'
left trial 2p
whole
