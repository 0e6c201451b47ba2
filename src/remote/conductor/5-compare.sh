# How a canary compares its two instances, from what was counted and probed. Never here: what follows from it.
# shellcheck shell=dash disable=SC2034,SC2154

# compared worse: says why the new instance does worse than the old one, or nothing. compared numbers: what was seen.
# Of the probes, the last eight minutes count.
compared() {
    {
        tail -n 20000 "$R/canary-new" | sed 's/^/new /' && tail -n 20000 "$R/canary-old" | sed 's/^/old /'
    } | awk -v what="$1" -v least="$requests" -v new_sum="$new_sum" -v old_sum="$old_sum" '
        NF != 7 { next }
        { probes[$1]++ }
        $4 != "ok" { failed[$1]++; next }
        { good[$1]++; times[$1, int($3 - $2 + 0.999)]++ }
        function p95(of,   ms, seen) {
            for (ms = 0; seen < 0.95 * good[of]; ms++) seen += times[of, ms]
            return ms - 1
        }
        function percent(part, all) { return all ? 100 * part / all : 0 }
        END {
            split(new_sum, new, " "); split(old_sum, old, " ")
            counts = least != "-"
            lost = new[2] " of " new[1] " requests to the new release failed; of the old, " old[2] " of " old[1]
            lost_probes = failed["new"] + 0 " of " probes["new"] + 0 " probes of the new release failed, " \
                failed["old"] + 0 " of " probes["old"] + 0 " of the old one"
            missed = percent(failed["new"], probes["new"]) > percent(failed["old"], probes["old"]) + 1
            if (good["new"] >= 60 && good["old"] >= 60) {
                slow = p95("new") > 2 * p95("old") + 50
                slowest = "95% of the responses of the new release took up to " p95("new")
                slowest = slowest " ms, those of the old one up to " p95("old") " ms"
            }
            if (what == "numbers") {
                few = counts && new[1] + 0 < least + 0 ? "; fewer than " least ": not compared" : ""
                print (counts ? lost : lost_probes) (slowest ? "; " slowest : "") few
            } else if (counts && new[1] + 0 >= least + 0 && percent(new[2], new[1]) > percent(old[2], old[1]) + 1)
                print lost
            else if (probes["new"] >= 20 && missed) print lost_probes
            else if (slow) print slowest
        }'
}
