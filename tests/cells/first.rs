//! `shipit doctor` on each cell, one app a time: its cause comes first, with the line to write; a cell that is right has
//! nothing said on its `Type=`.

use std::sync::Mutex;
use std::thread;

use serde_json::Value;

use super::making::{self, Made};
use super::table::{self, Cell, Face};
use crate::deploys::desk::Desk;
use crate::lab::{self, Host, Suite};

/// A deploy.yml with one unit: a service, or the migration beside one that is well.
fn yml(host: &Host, made: &Made<'_>, well: &str) -> String {
    let service = if made.is_job() { well } else { &made.unit };
    let migrate = if made.is_job() {
        format!("migrate: {}\n", made.unit)
    } else {
        String::new()
    };
    format!(
        "app: cells\nhost: root@{}\nsource: source\nservices:\n  - unit: {service}\n    strategy: restart\n{migrate}",
        host.address()
    )
}

/// Puts the programs on the host as a release, by `setup` and `deploy` of a cell that is well.
fn release(host: &Host, desk: &Desk, well: &Made<'_>) {
    desk.file("deploy.yml", &yml(host, well, &well.unit));
    desk.file("source/act", include_str!("act"));
    desk.file("source/tell", include_str!("tell"));
    let chmod = std::process::Command::new("chmod")
        .arg("0755")
        .args([desk.path("source/act"), desk.path("source/tell")])
        .status();
    assert!(chmod.unwrap().success());
    desk.shipit(&["setup", "--yes"]).leaves(0);
    desk.shipit(&["deploy"]).leaves(0);
}

/// What doctor says otherwise than it should.
fn complaint(made: &Made<'_>, version: u32, said: &Value) -> Option<String> {
    let findings = said["findings"].as_array().unwrap();
    let is = |finding: &Value, rule: &str| finding["rule"] == rule;
    let text = |finding: &Value, key: &str| finding[key].to_string();
    let right = match made.verdict(version) {
        None => !findings.iter().any(|finding| {
            let rule = finding["rule"].as_str().unwrap_or_default();
            finding["severity"] != "info" && (rule.starts_with("type-") || rule.starts_with("pidfile-"))
        }),
        // Information never is the cause of anything.
        Some((rule @ "type-notify-unused", words, line)) => findings
            .iter()
            .any(|one| is(one, rule) && text(one, "what").contains(words) && text(one, "next").contains(line)),
        Some((rule, words, line)) => {
            let first = &findings[0];
            let either = ["type-simple-forks", "type-simple-ends"];
            let named = is(first, rule) || either.contains(&rule) && either.iter().any(|rule| is(first, rule));
            let written = text(first, "next").contains(line) || text(first, "what").contains(line);
            named && text(first, "what").contains(words) && written
        }
    };
    (!right).then(|| {
        let told = findings.iter().take(4).map(|one| {
            format!(
                "    {} {}: {} -> {}\n",
                one["severity"], one["rule"], one["what"], one["next"]
            )
        });
        format!(
            "{}: expected {:?} first\n{}",
            made.unit,
            made.verdict(version),
            told.collect::<String>()
        )
    })
}

fn comes_first(suite: Suite, mut cells: Vec<Cell>) {
    let host = lab::host!(suite);
    let version = making::version(&host);
    // The face without a restart is enough; that of one who waits is another.
    for cell in &mut cells {
        cell.shows.retain(|(face, _)| matches!(face, Face::Over | Face::Waits));
    }
    let made = making::write(&host, &cells);
    let well = made
        .iter()
        .find(|made| made.unit == "cell-exec-stays-over.service")
        .expect("a cell that is right");
    release(&host, &Desk::at(&host, "ann"), well);
    making::start(&host, &made);
    making::settled(&host, &made, version);
    let wrong = Mutex::new(String::new());
    let next = Mutex::new(made.iter());
    thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| {
                let desk = Desk::at(&host, "ann");
                loop {
                    let Some(made) = next.lock().unwrap().next() else {
                        return;
                    };
                    desk.file("deploy.yml", &yml(&host, made, &well.unit));
                    let ran = desk.json(&["doctor"]);
                    let said: Value = serde_json::from_str(ran.stdout.trim())
                        .unwrap_or_else(|error| panic!("one object? {error}: {ran}"));
                    if let Some(complaint) = complaint(made, version, &said) {
                        wrong.lock().unwrap().push_str(&complaint);
                    }
                }
            });
        }
    });
    let wrong = wrong.into_inner().unwrap();
    assert!(wrong.is_empty(), "\n{wrong}");
    forgotten(&host, &made, &well.unit);
}

/// systemd forgets a unit that nobody refers to: then the journal is all there is, and what to do to learn more.
fn forgotten(host: &Host, made: &[Made<'_>], well: &str) {
    let name = "cell-exec-daemonizes-over.service";
    let made = made.iter().find(|made| made.unit == name).expect(name);
    host.root(&format!("systemctl --quiet disable {name}")).ok();
    let desk = Desk::at(host, "ann");
    desk.file("deploy.yml", &yml(host, made, well));
    let ran = desk.json(&["doctor"]);
    let said: Value = serde_json::from_str(ran.stdout.trim()).unwrap();
    let first = &said["findings"][0];
    let text = |key: &str| first[key].to_string();
    assert!(text("what").contains("is not running"), "{ran}");
    assert!(text("why").contains("unloaded it"), "{ran}");
    assert!(text("next").contains("enable --now"), "{ran}");
    assert!(text("log").contains("Deactivated successfully"), "{ran}");
}

/// The sixteen and the others, `simple` left out: it is as `exec`.
fn all() -> Vec<Cell> {
    let mut cells = table::cells();
    cells.retain(|cell| !cell.name.starts_with("simple-"));
    cells.extend(table::extras());
    cells
}

#[test]
fn doctor_names_the_cause_first() {
    for suite in Suite::Bookworm.or_both() {
        comes_first(suite, all());
    }
}
