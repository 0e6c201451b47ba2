# What the downtime meter measured, added up from its lines (meter.pl describes them). Never here: a probe, or a change
# to anything.
# shellcheck shell=dash disable=SC2034,SC2154

# measured: what the probes saw, as one word (src/step/downtime.rs reads it), or nothing when none was sent. A gap is a
# time in which probes on new connections failed or waited: from the good answer before them, but at most 100 ms before
# the first was sent (a prober that had to wait for the machine is no downtime), to the next good answer. The address
# where it was longest counts. A hole is the same since the flip, for the limit: without those 100 ms, as what was not
# measured may be too much. Extra probes count for these alone. The phases are
# before the flip, until the new release served or the old one again, and after.
measured() {
    [ -s "$R/probes" ] || return 0
    awk -v "crashes=${crashes#/}" '
        function whole(ms) { return int(ms + 0.999) }
        function most(phase, share,   ms, seen) {
            for (ms = 0; seen < share * good[phase]; ms++) seen += times[phase, ms]
            return ms - 1
        }
        FNR == NR {
            if ($2 == "step" && $3 == "switch" && $4 ~ /^(flip|slot)$/ && $6 == "started" && !flip) flip = $1 * 10
            if ($2 == "live" || $2 == "step" && $3 == "revert") live = $1 * 10
            next
        }
        NF != 6 { next }
        $4 != "kept" {
            if (!($5 in last)) last[$5] = $1
            end[$5] = $2
            if (($3 != "ok" || $2 - $1 > 50) && (!($5 in unserved) || $1 < unserved[$5])) unserved[$5] = $1
            if ($3 == "ok") {
                if ($2 - $1 > gap) gap = $2 - $1
                hole($5, $2)
                last[$5] = $2
                delete unserved[$5]
            }
        }
        $4 == "extra" { next }
        { probes++ }
        $3 != "ok" { failed++; kinds[$3]++; if (flip && $2 >= flip) lost++; next }
        {
            took = $2 - $1
            if (took > wait) wait = took
            phase = !flip || $2 < flip ? "before" : live && $1 > live ? "after" : "during"
            good[phase]++; times[phase, whole(took)]++
        }
        function hole(of, until,   from) {
            if (!(of in unserved)) return
            from = unserved[of] - 100
            if (last[of] > from) from = last[of]
            if (until - from > gap) gap = until - from
            if (flip && until >= flip && until - last[of] > switch_gap) switch_gap = until - last[of]
        }
        END {
            for (of in end) hole(of, end[of])
            printf "probes=%d,failed=%d,gap=%d,wait=%d", probes, failed, whole(gap), whole(wait)
            if (crashes != "") printf ",crashed=%s", crashes
            printf ",lost=%d,hole=%d", lost, whole(switch_gap)
            for (how in kinds) printf ",%s=%d", how, kinds[how]
            for (phase in good) printf ",%s=%d/%d/%d", phase, most(phase, 0.5), most(phase, 0.95), most(phase, 1)
        }' "$R/events" "$R/probes"
}
