# Prints who listens, as ss says it. The cgroup (in kernels and tools that know it) is the unit that opened the socket.
if tcp=$(ss -Hltne 2>/dev/null) && unix=$(ss -Hlxe 2>/dev/null); then
    printf '%s\n' "$tcp" | sed -n 's/^LISTEN/tcp/p'
    printf '%s\n' "$unix" | sed -n 's/^u_[a-z]* *LISTEN/unix/p'
    echo 'listening asked'
else echo 'unreadable who listens (ss)'; fi
