# What systemctl and sudo print when they fail. Never here: a call of either.
# shellcheck shell=dash

# failed_reason: of their output, on stdin, the line with the reason; not the hints that follow it.
failed_reason() {
    awk '
        /^sudo: If sudo is running|^See system logs|^(See|Run) .?(systemctl|journalctl)|^Run .*systemctl/ { next }
        /^[ \t\r]*$/ { next }
        { last = $0 }
        /^Failed to |[Jj]ob for |^sudo(-rs)?: / { reason = $0 }
        END { print reason != "" ? reason : last }'
}
