# The conductor reads the request: once, and checks each value before anything changes. One that cannot be read now
# stays: PID 1 starts the conductor again. One that is proven to be no request is moved aside.
# Never here: a change to anything live.
# shellcheck shell=dash disable=SC2034,SC2154

# The version of the request and its steps (src/step/wire.rs). One of another version is moved aside, and nothing of it
# is carried out. No client replaces the conductor while a request is there: a switch ends as it began.
protocol=8

# load_request: sets run, R, epoch, since, command, access, manager, helper, previous, next and units.
# Fails with 1: it cannot be read now. With 2: it is no request.
load_request() {
    local text line found
    # Withdrawn meanwhile; the next one may come at any moment.
    [ -e request ] || [ -L request ] || exit 0
    # A pipe or a device would never be read to its end.
    [ -f request ] && [ ! -L request ] || return 2
    text=$(cat request) || return 1
    case $text in "shipit $protocol
"*"
end") ;; *) return 2 ;; esac
    run='' epoch='' clock='' command='' access='' helper='' previous='' next='' units=''
    while IFS= read -r line; do
        case $line in
        'run '*) run=${line#* } ;;
        'epoch '*) epoch=${line#* } ;;
        'since '*) clock=$(decode "${line#* }") ;;
        'command '*) command=${line#* } ;;
        'access '*) access=${line#* } ;;
        'helper '*) helper=${line#* } ;;
        'previous '*) previous=${line#* } ;;
        'next '*) next=${line#* } ;;
        'unit '*) units="$units ${line#* }" ;;
        'switch '* | 'revert '* | 'settle '*) break ;;
        esac
    done <<END
$text
END
    case $run in '' | *[!0-9A-Za-z-]*) return 2 ;; esac
    case $epoch in '' | *[!0-9]*) return 2 ;; esac
    case $command in '' | *[!a-z]*) return 2 ;; esac
    case $previous/$next in /* | */ | */*/* | *[!0-9A-Za-z._/-]*) return 2 ;; esac
    case $access in
    sudo | root) manager=system ;;
    user) manager=user ;;
    *) return 2 ;;
    esac
    case $clock in '' | *[!0-9TZ:-]*) clock=- ;; esac
    R=runs/$run
    # Placed by its run: a copy of a run that is over would carry it out again.
    [ request -ef "$R/request" ] && return 0
    found=$(find runs -mindepth 1 -maxdepth 1 -name "$run") || return 1
    [ -n "$found" ] || return 2
    found=$(find "$R" -mindepth 1 -maxdepth 1 -name request -samefile request) || return 1
    [ -n "$found" ] || return 2
    return 1
}

put_aside() {
    rm -rf request.unreadable
    mv -fT request request.unreadable || mv -T request "request.unreadable.$$"
}
