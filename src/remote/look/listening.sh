# Prints the listening sockets, as ss prints them, and at last `whole`. The cgroup (where kernel and ss have it) is the
# unit that opened one.
set -e
if tcp=$(ss -Hltne 2>/dev/null) && unix=$(ss -Hlxe 2>/dev/null); then
    printf '%s\n' "$tcp" | sed -n 's/^LISTEN/tcp/p'
    printf '%s\n' "$unix" | sed -n 's/^u_[a-z]* *LISTEN/unix/p'
    echo 'listening asked'
else echo 'unreadable who listens (ss)'; fi
echo whole
