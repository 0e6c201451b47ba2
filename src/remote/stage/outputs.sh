# What `prepare` makes from its inputs, for prepare.sh: whether the base has it already, made from the same inputs by
# the same programs, and unchanged since; then it is taken over from there. Nothing here changes the base.
# What the next release compares is written by made.sh.
# prepare.sh sets root, id, base, how, recipe and command. An output begins with `./`.
# shellcheck shell=dash disable=SC2034,SC2046,SC2086,SC2154

# login: the environment that the login has, for what the app's command gets. In a subshell.
login() {
    unset LANG
    eval "${SHIPIT_LOGIN-}"
    unset SHIPIT_LOGIN
    LC_ALL=C SHIPIT_ROOT=$root SHIPIT_RELEASE=$id SHIPIT_PREVIOUS=$previous
    export LC_ALL SHIPIT_ROOT SHIPIT_RELEASE SHIPIT_PREVIOUS
    # After the login's PWD, which is that of its home.
    cd "$root/releases/$id" || return
}

# found NAME…: the programs among these names. 1: what one is cannot be said in a line, or is decided by the command: it
# changes PATH, or PATH has none yet.
found() {
    local name at
    for name in "$@"; do
        case $name in
        PATH | nvm | */nvm.sh | fnm | mise | asdf | */asdf.sh | rbenv | pyenv | chruby) return 1 ;;
        [!-]*) ;;
        *) continue ;;
        esac
        at=$(command -v "$name" 2>/dev/null) || at=''
        case $at in /*) [ -f "$at" ] || at='' ;; *) at='' ;; esac
        case $at:$name in
        :npm | :npx | :pnpm | :yarn | :corepack | :pip | :pip[0-9]* | :pipenv | :uv | :poetry | :pdm | :bundle | \
            :bundler | :composer | :node | :nodejs | :python | :python[0-9]* | :ruby | :ruby[0-9]* | :php | :php[0-9]*)
            return 1 ;;
        :*) continue ;;
        esac
        case $at in *[!A-Za-z0-9_.+/@-]*) return 1 ;; esac
        printf '%s\n' "$at"
    done
}

# runtimes PROGRAM…: what runs them: by the first line, and by the name, for a version manager has a shim in its place.
runtimes() {
    local at word line
    for at in "$@"; do
        case ${at##*/} in
        npm | npx | pnpm | yarn | corepack) echo node ;;
        pip | pip3 | pipenv | poetry | uv | pdm) ! command -v python3 >/dev/null || echo python3 ;;
        bundle | bundler | gem | rake | rails) echo ruby ;;
        composer) echo php ;;
        esac
        line=$(head -c 256 -- "$at" | tr -d '\0' | sed -n '1s/^#! *//p')
        for word in $line; do
            case $word in env | */env | -* | *=*) ;; *) printf '%s\n' "$word"; break ;; esac
        done
    done
}

# made_with: what decides what the command makes: the recipe (the command, its inputs, the names of its outputs), the
# system, and each program whose name is a word of the command, with what runs it.
made_with() (
    login || exit
    set -f
    printf 'recipe %s\n' "$recipe"
    uname -sm && sha256sum -- /etc/os-release || exit
    programs=$(found $(printf '%s' "$command" | tr -c 'A-Za-z0-9_.+/-' '\n')) || exit
    programs=$(found $programs $(runtimes $programs)) || exit
    for at in $(printf '%s\n' "$programs" | sort -u); do
        at_real=$(readlink -f -- "$at") && seen=$(stat -c '%s %Y' -- "$at_real") || exit
        printf 'program %s %s %s\n' "$at" "$at_real" "$seen"
        case ${at##*/} in node | nodejs | python | python[23]* | ruby | ruby[0-9]* | php | php[0-9]*)
            printf 'version %s\n' "$(timeout 10 "$at" --version </dev/null 2>&1 | head -n 1)" ;;
        esac
    done
)

# listing RELEASE exact|alike OUTPUT…: a number that changes with any change to the outputs. Hard links to all files
# have the same; copies only if alike.
listing() {
    local release="$1" time='' stamp=''
    [ "$2" = alike ] || { time='%T@ ' stamp='%i %T@ '; }
    shift 2
    (cd "$root/releases/$release" && find "$@" -type d -printf "d $time%m %u:%g %p\\0" -o \
        -printf "%y $stamp%s %m %u:%g %p %l\\0") >"$state/.in-$id/listing" || return
    sort -z <"$state/.in-$id/listing" | sha256sum
}

# writable OUTPUT…: a file of the base that another user can write to, as its owner, by mode, or by an ACL (whose mask
# is the group's mode). Two releases must not share it.
writable() { (cd "$root/releases/$base" && find "$@" -type f \( -perm /022 -o ! -uid "$(id -u)" \) -print -quit); }

# copied OUTPUT…: copies or links the outputs. 1: what they are would be lost.
copied() {
    local option=-l had
    if [ "$how" = copy ]; then
        had=$(cd "$root/releases/$base" && PATH=$PATH:/usr/sbin:/sbin getcap -r "$@" 2>/dev/null) || :
        [ -z "$had" ] && option='--reflink=auto' || return
    fi
    (cd "$root/releases/$base" && cp -a $option --parents -t "$root/releases/$id" -- "$@") || return
    had=$(listing "$base" alike "$@") && [ "$(listing "$id" alike "$@")" = "$had" ]
}

# take OUTPUT…: takes the outputs over from the base; else `why` says why not.
take() {
    local was="$state/$base" seen='' verdict=''
    why="unrecorded $base"
    [ -f "$was/prepared" ] && [ -f "$was/outputs" ] && { read -r seen && read -r verdict; } <"$was/outputs" || return
    why="inputs $base"
    [ "$(head -n 1 <"$was/prepared")" = "recipe $recipe" ] || return
    why="programs $base"
    cmp -s "$was/prepared" "$state/.in-$id/prepared" || return
    why="${verdict%% *} $base ${verdict#* }"
    [ "$verdict" = usable ] || return
    why="changed $base"
    [ "$(listing "$base" exact "$@")" = "$seen" ] || return
    why="failed $base"
    [ -z "$(writable "$@" || echo unknown)" ] || how=copy
    copied "$@" && return
    (cd "$root/releases/$id" && rm -rf -- "$@") || exit
    return 1
}
