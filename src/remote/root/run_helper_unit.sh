# A part of run_helper.sh, in the same file on the host: the [Service] lines of the unit that say as whom, with what and
# in which sandbox it runs. They are root's own text, and go to a file of root's that only systemd reads. What starts,
# stops or watches the service is left out, above all every command of the unit; so is what would hand it a socket, and
# capabilities that the user does not have. A line is written in one piece: systemd finds the same key in it.
# shellcheck shell=sh disable=SC2154

# service_lines: reads the text of the unit. Fails for a specifier that would mean something else in another unit.
service_lines() {
    awk -v unit="$unit" '
    BEGIN {
        whole = unit; sub(/\.service$/, "", whole); prefix = whole; at = index(whole, "@")
        if (at) { instance = substr(whole, at + 1); prefix = substr(whole, 1, at - 1) }
        last = prefix; sub(/.*-/, "", last)
        is["n"] = unit; is["N"] = whole; is["p"] = prefix; is["i"] = instance; is["j"] = last
        is["I"] = instance; is["P"] = prefix; is["J"] = last
        gsub(/-/, "/", is["I"]); gsub(/-/, "/", is["P"])
        left = "^(Type|ExitType|RemainAfterExit|GuessMainPID|PIDFile|BusName|NotifyAccess|NonBlocking|Sockets|OpenFile"
        left = left "|FileDescriptorStore.*|Restart.*|StartLimit.*|.*Action|SuccessExitStatus|Timeout.*|Watchdog.*"
        left = left "|Runtime(Max|Randomized).*|Kill.*|.*KillSignal|Send.*|ReloadSignal|USBFunction.*"
        left = left "|PermissionsStartOnly|RootDirectoryStartOnly|Standard.*|TTY.*|AmbientCapabilities|User)$"
    }
    function emit(line,    at, key, text, out, c) {
        at = index(line, "="); key = substr(line, 1, at - 1); gsub(/[ \t]/, "", key)
        if (!at || key !~ /^[A-Za-z0-9]+$/ || key ~ left) return
        if (key ~ /^Exec/ && key !~ /^Exec(Paths|SearchPath)$/) return
        text = substr(line, at + 1); sub(/[ \t]+$/, "", text)
        while ((at = index(text, "%")) > 0) {
            c = substr(text, at + 1, 1)
            if (c ~ /[yYfcrR]/) {
                print "a unit with another name would expand %" c " differently" >"/dev/stderr"; exit 1
            }
            out = out substr(text, 1, at - 1) (c in is ? is[c] : "%" c); text = substr(text, at + 2)
        }
        print key "=" out text
    }
    { sub(/\r$/, "") }
    /\r|^\357\273\277|\\[ \t]+$/ { print "systemd might read this line differently: " $0 >"/dev/stderr"; exit 1 }
    /^[ \t]*[#;]/ { next }
    held == "" { sub(/^[ \t]+/, "") }
    /(^|[^\\])(\\\\)*\\$/ { held = held substr($0, 1, length - 1) " "; next }
    { line = held $0; held = "" }
    line ~ /^\[/ { section = line; sub(/[ \t]+$/, "", section); next }
    section == "[Service]" { emit(line) }
    END { if (section == "[Service]") emit(held) }'
}
