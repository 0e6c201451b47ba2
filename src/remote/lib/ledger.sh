# Reads what the host keeps about releases: the ledger at any length, in constant memory, and the files beside each
# release. Runs in $ROOT/.shipit. Never here: a change.
# shellcheck shell=dash

# read_ledger STARTS: prints `ledger LINE` for what is needed of it, in its order, and `epoch N`, the number of the last
# switch. Of each release on stdin: its first line, its last state, when it was last verified and by which run, when it
# last went live, and its last downtime; the last flip, and the one before each of STARTS; the last word about an
# interrupted migration and its run; and the last 1000 lines, without those of releases that are gone. The number is
# taken from the whole, as request.sh does.
read_ledger() {
    awk -v starts="$1" '
        BEGIN { n = split(starts, start, " ") }
        NR == FNR { here[$0]; next }
        pass == 2 {
            if (FNR == 1) {
                for (id in first) need[first[id]]
                for (id in state) need[state[id]]
                for (id in good) { need[good[id]]; need[of[id]] }
                for (id in live) need[live[id]]
                for (id in measured) need[measured[id]]
                for (i in was) need[was[i]]
                need[question]
                need[asked]
                need[flip]
            }
            kept += $4 != "gone"
            # A line that long was never written by a switch.
            if ((FNR in need || $4 != "gone" && kept > last - 1000) && length($0) < 4096) print "ledger " $0
            next
        }
        { last += $4 != "gone" }
        $4 == "begin" { e = $2 + 0; epoch = e > 0 && e < 2 ^ 53 ? e : 0; back = $6 == "command=rollback"; began = FNR }
        # Who goes back answers nothing about a migration.
        $4 ~ /^(interrupted|migrated|settled)$/ || $4 == "verified" && !back { question = FNR; asked = began }
        $4 == "live" { flip = FNR }
        $4 ~ /^(live|adopted)$/ { for (i = 1; i <= n; i++) if ($1 <= start[i]) was[i] = FNR }
        !($5 in here) { next }
        $4 ~ /^(staged|adopted|verified|migrating|migrated|interrupted|failed|left|bad|gone)$/ { state[$5] = FNR }
        $4 ~ /^(adopted|verified)$/ { good[$5] = FNR; of[$5] = began }
        $4 == "live" { live[$5] = FNR }
        $4 == "measured" { measured[$5] = FNR }
        $4 !~ /^(begin|gone)$/ && !($5 in first) { first[$5] = FNR }
        END { printf "epoch %.0f\n", epoch }' - ledger pass=2 ledger
}

# Prints `digest ID …`, `migration ID …`, `backup ID …` and `info ID …` of each release. While one is published or
# removed, they are read again.
known_releases() {
    local all tries=0
    until all=$(find releases -mindepth 1 -maxdepth 2 -name '.in-*' -prune -o -path 'releases/*/*' -type f \
        \( -name digest -o -name migration -o -name backup -o -name info \) -exec awk '{
            n = split(FILENAME, part, "/")
            if (part[n] == "info" || FNR == 1) print part[n], part[n - 1], $0
        }' '{}' +); do
        tries=$((tries + 1))
        [ "$tries" -lt 20 ] || return 1
        [ "$tries" -lt 3 ] || sleep 0.1
    done
    [ -z "$all" ] || printf '%s\n' "$all"
}
