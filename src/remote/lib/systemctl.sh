# What systemctl and sudo print when they fail. Never here: a call of either.
# shellcheck shell=dash disable=SC2154

# failed_reason: of their output, on stdin, the line with the reason; not the hints that follow it. The output of the
# last call begins behind a line `call …`, if one is there.
failed_reason() {
    awk '
        /^call / { last = reason = ""; next }
        /^sudo: If sudo is running|^See system logs|^(See|Run) .?(systemctl|journalctl)|^Run .*systemctl/ { next }
        /^[ \t\r]*$/ { next }
        { last = $0 }
        /^Failed to |[Jj]ob for |^sudo(-rs)?: / { reason = $0 }
        END { print reason != "" ? reason : last }'
}

# ctl_output: that of the conductor's last call, which may have printed nothing.
ctl_output() {
    local reason
    [ "$recorded" = yes ] || { echo 'its output could not be recorded'; return; }
    reason=$(tail -n 20 -- "$R/said" | failed_reason)
    printf '%s\n' "${reason:-systemctl printed nothing}"
}
