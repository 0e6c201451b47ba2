# What systemctl and sudo print when they fail. Never here: a call of either.
# shellcheck shell=dash disable=SC2154

# failed_reason: of their output, on stdin, the line with the reason; not the hints that follow it.
failed_reason() {
    awk '
        /^sudo: If sudo is running|^See system logs|^(See|Run) .?(systemctl|journalctl)|^Run .*systemctl/ { next }
        /^[ \t\r]*$/ { next }
        { last = $0 }
        /^Failed to |[Jj]ob for |^sudo(-rs)?: / { reason = $0 }
        END { print reason != "" ? reason : last }'
}

# ctl_output: that of the conductor's last call.
ctl_output() { tail -n 20 -- "$R/said" | failed_reason; }
