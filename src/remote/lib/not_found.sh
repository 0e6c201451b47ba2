# Why a shell ended with 126 or 127: of the commands in its text, one that cannot be started. Runs none of them; also
# sent to no host, but run here, for a build or a hook.
# shellcheck shell=dash

# not_found TEXT: prints the reason, if there is one that can be found in the directory that the text runs in.
not_found() {
    local words word found at='' first=yes plain=yes own=yes
    # In a text with quotes, not every word after a `;` is a command.
    # shellcheck disable=SC2016 # literal text
    case $1 in *[\"\'\`\\]* | *'$('* | *'<<'*) plain=no ;; esac
    # Where it changes PATH, reads another file, asks first or defines functions, its names are not known here.
    case $1 in *PATH=* | *'. '* | *source' '* | *eval* | *'command -v'* | *'()'* | *type' '*) own=no ;; esac
    words=$(printf '%s\n' "$1" | tr ';&|(){}' '\n' | awk '
        /^[ \t]*#/ { next }
        { for (i = 1; i <= NF; i++) {
            if ($i ~ /^[A-Za-z_][A-Za-z0-9_]*=/ ||
                $i ~ /^(exec|time|nohup|command|env|sudo|!|if|then|else|elif|do|while|until|-.*)$/) continue
            if ($i == "cd") print "cd", $(i + 1); else print $i
            break } }')
    while IFS= read -r word; do
        case $word in
        '' | *[\"\'\`\\\$\*\?\[\~\<\>\#]*) ;;
        'cd /'*) at=${word#cd }/ ;;
        'cd '*) at=$at${word#cd }/ ;;
        /*) cannot_start "$word" "$word" && return ;;
        */*) cannot_start "$word" "$at$word" && return ;;
        for | case | in | 'esac' | fi | done) ;;
        *)
            if found=$(command -v -- "$word" 2>/dev/null); then
                case $found in /*) cannot_start "$found" "$found" && return ;; esac
            elif [ "$own" = yes ] && [ "$first$plain" != nono ]; then echo "PATH has no \`$word\`" && return
            fi ;;
        esac
        first=no
    done <<END
$words
END
}

# cannot_start NAME FILE: prints why FILE cannot be started; 1: it can, or nothing is known. Of `first` and `plain`, the
# caller's, one must be yes for a file that is missing: otherwise the text may mean something else.
cannot_start() {
    local line by
    if [ ! -e "$2" ]; then
        [ "$first$plain" != nono ] && echo "$1 does not exist"
        return
    fi
    [ -f "$2" ] || return 1
    if [ ! -x "$2" ]; then
        [ "$first$plain" != nono ] && echo "$1 is not executable (chmod +x $1)"
        return
    fi
    [ -r "$2" ] || return 1
    line=$(head -c 256 <"$2" | head -n 1 | tr '\000' ' ')
    case $line in
    '#!'*"$(printf '\r')")
        echo "the first line of $1 ends with a carriage return: save the file without Windows line endings"
        return ;;
    '#!'*) ;;
    ?ELF*)
        by=$(head -c 4096 <"$2" | tr '\000' '\n' |
            sed -n 's#^\(/[A-Za-z0-9_./-]*/ld[A-Za-z0-9_.+-]*\)$#\1#p' | head -n 1)
        [ -n "$by" ] && [ ! -e "$by" ] && echo "$1 was built for another system: its loader $by does not exist"
        return ;;
    *) return 1 ;;
    esac
    line=${line#??}
    # The system splits the line at its first blanks.
    by=$(printf '%s\n' "$line" | awk '{ print $1 }')
    case $by in
    */env)
        by=$(printf '%s\n' "$line" | awk '{
            for (i = 2; i <= NF; i++) if ($i !~ /^-|=/) { print $i; exit } }')
        [ -z "$by" ] || command -v -- "$by" >/dev/null 2>&1 ||
            { echo "PATH has no \`$by\`, the interpreter of $1"; return; }
        ;;
    /*) [ -x "$by" ] || { echo "the interpreter of $1 does not exist: $by"; return; } ;;
    esac
    return 1
}
