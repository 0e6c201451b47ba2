//! The log of the measurements as a Markdown table: one row for each strategy and kind of release.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde_json::Value;

/// Two gaps that differ by no more are the same: probes come every 50 ms.
const SAME_MS: u64 = 100;

/// The rows in the order in which they were first measured.
pub(super) fn markdown(lines: &[Value]) -> String {
    let mut out =
        "| strategy | release | runs | requests | failed | longest gap | slowest | slowest 2 s request | shipit: failed | \
                   shipit: gap | differs |\n|---|---|---|---|---|---|---|---|---|---|---|\n"
            .to_owned();
    let mut cells: Vec<(&Value, &Value)> = Vec::new();
    for line in lines {
        let cell = (&line["strategy"], &line["release"]);
        if !cells.contains(&cell) {
            cells.push(cell);
        }
    }
    for (strategy, release) in cells {
        let rows: Vec<&Value> = lines
            .iter()
            .filter(|line| (&line["strategy"], &line["release"]) == (strategy, release))
            .collect();
        let _ = writeln!(
            out,
            "| {} | {} | {} | {} | {} | {} | {} | {} | {} | {} | {} |",
            strategy.as_str().unwrap(),
            release.as_str().unwrap(),
            rows.len(),
            rows.iter().map(|row| requests(row)).sum::<u64>(),
            failed(&rows),
            seconds(rows.iter().map(|row| gap(row))),
            seconds(rows.iter().map(|row| slowest(row, ["new", "kept"]))),
            seconds(rows.iter().map(|row| slowest(row, ["new, 2 s", "kept, 2 s"]))),
            measured(&rows),
            seconds(
                rows.iter()
                    .map(|row| row["measured"]["longest_gap_ms"].as_u64().unwrap_or(0))
            ),
            differs(&rows),
        );
    }
    out
}

fn seen(row: &Value) -> impl Iterator<Item = (&String, &Value)> {
    row["seen"].as_object().unwrap().iter()
}

fn requests(row: &Value) -> u64 {
    seen(row).filter_map(|(_, one)| one["requests"].as_u64()).sum()
}

/// On new connections, as shipit measures it.
fn gap(row: &Value) -> u64 {
    row["seen"]["new"]["gap_ms"].as_u64().unwrap()
}

fn slowest(row: &Value, clients: [&str; 2]) -> u64 {
    let slowest = clients.map(|name| row["seen"][name]["slowest_ms"].as_u64().unwrap());
    slowest[0].max(slowest[1])
}

fn seconds(each: impl Iterator<Item = u64>) -> String {
    format!("{:.2}s", each.max().unwrap_or(0) as f64 / 1e3)
}

fn lost(row: &Value) -> u64 {
    seen(row)
        .filter_map(|(_, one)| one["failed"].as_object())
        .flat_map(|kinds| kinds.values().filter_map(Value::as_u64))
        .sum()
}

/// How many, and by client how: `12: new 9 refused; kept, 2 s 3 reset`. A run that ended otherwise than it should is named.
fn failed(rows: &[&Value]) -> String {
    let mut by_client: BTreeMap<&str, BTreeMap<&str, u64>> = BTreeMap::new();
    for (name, one) in rows.iter().flat_map(|row| seen(row)) {
        for (kind, count) in one["failed"].as_object().unwrap() {
            *by_client.entry(name).or_default().entry(kind).or_default() += count.as_u64().unwrap();
        }
    }
    let total: u64 = rows.iter().map(|row| lost(row)).sum();
    let clients: Vec<String> = by_client
        .iter()
        .map(|(name, kinds)| format!("{name}: {}", counts(kinds.iter())))
        .collect();
    let mut text = format!("**{total}**");
    if !clients.is_empty() {
        let _ = write!(text, " ({})", clients.join("; "));
    }
    let wrong: Vec<String> = rows
        .iter()
        .filter(|row| row["exit"] != row["expected"])
        .map(|row| format!("exit {} instead of {}", row["exit"], row["expected"]))
        .collect();
    if !wrong.is_empty() {
        let _ = write!(text, "; {}", wrong.join(", "));
    }
    text
}

fn counts<'a>(kinds: impl Iterator<Item = (&'a &'a str, &'a u64)>) -> String {
    let each: Vec<String> = kinds.map(|(kind, count)| format!("{count} {kind}")).collect();
    each.join(", ")
}

/// The failed probes of the host.
fn measured(rows: &[&Value]) -> String {
    let (mut failed, mut probes) = (0, 0);
    let mut kinds: BTreeMap<&str, u64> = BTreeMap::new();
    for row in rows {
        failed += row["measured"]["failed"].as_u64().unwrap_or(0);
        probes += row["measured"]["probes"].as_u64().unwrap_or(0);
        for (kind, count) in row["measured"]["failed_by_kind"].as_object().into_iter().flatten() {
            *kinds.entry(kind).or_default() += count.as_u64().unwrap();
        }
    }
    let crashes = rows.iter().filter(|row| crashed(row)).count();
    let crashes = match crashes {
        0 => String::new(),
        1 => "; 1 crash".to_owned(),
        many => format!("; {many} crashes"),
    };
    if failed == 0 {
        return format!("0 of {probes}{crashes}");
    }
    format!("{failed} of {probes} ({}){crashes}", counts(kinds.iter()))
}

/// Whether the host reports that a process crashed while it served.
fn crashed(row: &Value) -> bool {
    row["measured"]["crashed"]
        .as_array()
        .is_some_and(|units| !units.is_empty())
}

/// In how many runs clients and shipit do not agree: on whether anything failed, or by how much on the longest gap.
fn differs(rows: &[&Value]) -> String {
    let mut said = Vec::new();
    let zero = rows
        .iter()
        .filter(|row| (lost(row) == 0) != (row["measured"]["failed"].as_u64().unwrap_or(0) == 0 && !crashed(row)))
        .count();
    if zero > 0 {
        said.push(format!("{zero} on zero"));
    }
    let apart: Vec<u64> = rows
        .iter()
        .filter_map(|row| Some(row["measured"]["longest_gap_ms"].as_u64()?.abs_diff(gap(row))))
        .filter(|apart| *apart > SAME_MS)
        .collect();
    if !apart.is_empty() {
        said.push(format!("{} on the gap, by {}", apart.len(), seconds(apart.into_iter())));
    }
    if said.is_empty() {
        "no".to_owned()
    } else {
        said.join("; ")
    }
}

#[test]
fn a_row_adds_the_runs_of_a_cell_and_says_where_clients_and_shipit_differ() {
    let client = |failed: Value, gap: u64| serde_json::json!({"requests": 10, "failed": failed, "gap_ms": gap, "slowest_ms": gap});
    let run = |failed: Value, gap: u64, measured: u64, exit: u32| {
        serde_json::json!({
            "strategy": "restart", "release": "good deploy", "exit": exit, "expected": 0,
            "seen": {"new": client(failed, gap), "kept": client(Value::Object(Default::default()), 5),
                "new, 2 s": client(serde_json::json!({}), 5), "kept, 2 s": client(serde_json::json!({}), 2010)},
            "measured": {"probes": 7, "failed": measured, "failed_by_kind": {"refused": measured}, "longest_gap_ms": 60},
        })
    };
    let lines = [
        run(serde_json::json!({"refused": 2, "reset": 1}), 300, 0, 0),
        run(serde_json::json!({"refused": 4}), 61, 3, 4),
    ];
    let table = markdown(&lines);
    assert_eq!(
        table.lines().nth(2).unwrap(),
        "| restart | good deploy | 2 | 80 | **7** (new: 6 refused, 1 reset); exit 4 instead of 0 | 0.30s | 0.30s | 2.01s | \
         3 of 14 (3 refused) | 0.06s | 1 on zero; 1 on the gap, by 0.24s |"
    );
}
