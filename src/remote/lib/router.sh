# HAProxy's runtime API, spoken with perl's own Socket: perl-base is essential on Debian, socat is not. Never here:
# which server gets the requests.
# shellcheck shell=dash disable=SC2034

# haproxy SOCKET COMMAND: prints the answer; an error too, which then ends the answer with a status.
haproxy() {
    perl -MSocket -e '
        alarm 10;
        socket(S, PF_UNIX, SOCK_STREAM, 0) && connect(S, pack_sockaddr_un($ARGV[0])) or die "$ARGV[0]: $!\n";
        my $line = "$ARGV[1]\n";
        syswrite(S, $line) == length $line or die "$ARGV[0]: $!\n";
        while (sysread S, my $part, 65536) { print $part }' -- "$1" "$2" 2>&1 </dev/null
}

# columns_of BACKEND NAME…: of an answer to `show stat -1` on stdin, one line for each row of this backend: what it is
# about (a server, or BACKEND), and these columns, `-` for an empty one (HAProxy's management guide, 9.1).
columns_of() {
    awk -F , -v names="$*" '
        BEGIN { n = split(names, name, " ") }
        sub(/^# /, "") { for (i = 1; i <= NF; i++) column[$i] = i; next }
        column["svname"] && $1 == name[1] {
            line = $column["svname"]
            for (i = 2; i <= n; i++) {
                value = column[name[i]] ? $column[name[i]] : ""
                line = line " " (value == "" ? "-" : value)
            }
            print line
        }'
}

# servers_of BACKEND: of an answer to `show servers state` on stdin, one server a line: its name, whether it serves (0
# down, 1 starting, 2 up, 3 stopping), its administrative state (bits: 1, 2, 32 and 64 maintenance, 8 and 16 drain), its
# weight, 1 if HAProxy checks it, and its port (HAProxy's management guide, 9.3).
servers_of() {
    awk -v backend="$1" '$2 == backend && NF > 14 { print $4, $6 + 0, $7 + 0, $8 + 0, int($14 / 2) % 2, $19 + 0 }'
}
