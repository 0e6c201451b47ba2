//! Makes cells on a host: the program, the units, their start, and how `systemctl show` tells of them.

use std::collections::BTreeMap;
use std::thread;
use std::time::{Duration, Instant};

use super::table::{Cell, Face, Verdict};
use crate::bounds::PATIENCE;
use crate::lab::Host;

/// How long a start takes before a rule speaks of it, in microseconds; and a second more.
const LONG: u64 = 11_000_000;

/// One cell with one face, as it was made.
pub struct Made<'a> {
    pub cell: &'a Cell,
    pub face: Face,
    /// Its unit.
    pub unit: String,
    /// The text of the unit.
    pub text: String,
}

/// What `TimeoutStartSec=` is. Short only where the time shall run out; in `Over` as long as a person has waited in
/// `Waits`, as the first process of a forking service must be gone by then.
fn time_to_start(cell: &Cell, face: Face) -> &'static str {
    let shows = cell
        .shows
        .iter()
        .find(|(of, _)| *of == face)
        .map_or("", |(_, shows)| shows);
    match face {
        Face::Waits => "infinity",
        _ if !shows.contains("timeout") => "5min",
        Face::Over => "10",
        Face::Again | Face::Flaps => "2",
        Face::GaveUp => "1",
    }
}

fn text(cell: &Cell, face: Face, unit: &str) -> String {
    let name = unit.trim_end_matches(".service");
    let restart = if cell.lines.contains("Type=oneshot") {
        "on-failure"
    } else {
        "always"
    };
    let (limit, more) = match face {
        Face::Over | Face::Waits => ("", "Restart=no".to_owned()),
        Face::Again | Face::Flaps => {
            let pause = if face == Face::Flaps { 1 } else { 20 };
            (
                "StartLimitIntervalSec=0\n",
                format!("Restart={restart}\nRestartSec={pause}"),
            )
        }
        Face::GaveUp => (
            "StartLimitIntervalSec=600\nStartLimitBurst=3\n",
            format!("Restart={restart}\nRestartSec=100ms"),
        ),
    };
    let time = time_to_start(cell, face);
    let program = if cell.does.contains("notifies") { "tell" } else { "act" };
    let service = format!("{}\nExecStart=/opt/cells/current/{program} {}", cell.lines, cell.does);
    let service = service.replace("RUN", &format!("/run/{name}"));
    format!(
        "[Unit]\nDescription={name}\n{limit}\n[Service]\n{service}\nUser=app\nRuntimeDirectory={name}\n{more}\nTimeoutStartSec={time}\n\n[Install]\nWantedBy=multi-user.target\n"
    )
}

/// Writes the units of these cells and enables them: systemd forgets what became of a unit that nobody refers to.
pub fn write<'a>(host: &Host, cells: &'a [Cell]) -> Vec<Made<'a>> {
    let mut made = Vec::new();
    for cell in cells {
        for (face, _) in &cell.shows {
            let unit = format!("cell-{}-{}.service", cell.name, face.name());
            let text = text(cell, *face, &unit);
            host.write_file(&format!("/etc/systemd/system/{unit}"), text.as_bytes());
            made.push(Made {
                cell,
                face: *face,
                unit,
                text,
            });
        }
    }
    let names = names(&made);
    host.root(&format!("systemctl daemon-reload && systemctl --quiet enable {names}"))
        .ok();
    made
}

/// Starts them, and does not wait.
pub fn start(host: &Host, made: &[Made<'_>]) {
    host.root(&format!("systemctl start --no-block {}", names(made))).ok();
}

/// Puts the programs on the host, writes the units and starts them.
pub fn make<'a>(host: &Host, cells: &'a [Cell]) -> Vec<Made<'a>> {
    host.write_file("/opt/cells/current/act", include_bytes!("act"));
    host.write_file("/opt/cells/current/tell", include_bytes!("tell"));
    host.root("chmod 755 /opt/cells/current/*").ok();
    let made = write(host, cells);
    start(host, &made);
    made
}

fn names(made: &[Made<'_>]) -> String {
    let names: Vec<&str> = made.iter().map(|made| made.unit.as_str()).collect();
    names.join(" ")
}

/// `systemctl show` of units, all at once.
pub fn shown(host: &Host, units: &[&str]) -> Vec<BTreeMap<String, String>> {
    let all = host.root(&format!("systemctl show -- {}", units.join(" "))).ok();
    let blocks = all.split("\n\n").map(|block| {
        block
            .lines()
            .filter_map(|line| line.split_once('='))
            .map(|(key, value)| (key.to_owned(), value.to_owned()))
            .collect()
    });
    let blocks: Vec<_> = blocks.collect();
    assert_eq!(blocks.len(), units.len());
    blocks
}

/// What a person sees of it: state, result, and what became of the main process.
pub fn stand(show: &BTreeMap<String, String>) -> String {
    let (state, sub) = (&show["ActiveState"], &show["SubState"]);
    let forking = show["Type"] == "forking";
    let pid = |key: &str| match show[key].as_str() {
        "0" => format!("{key}=0"),
        _ => format!("{key} set"),
    };
    let mut parts = vec![if state == sub {
        state.clone()
    } else {
        format!("{state} ({sub})")
    }];
    let lives = matches!(sub.as_str(), "start" | "running");
    if lives {
        parts.push(pid("MainPID"));
    } else if sub != "exited" {
        parts.push(format!("Result={}", show["Result"]));
    }
    if lives && forking && sub == "start" {
        parts.push(pid("ControlPID"));
    }
    match show["ExecMainCode"].as_str() {
        _ if lives => {}
        "1" => parts.push(format!("exited {}", show["ExecMainStatus"])),
        "2" => parts.push(format!("killed by {}", show["ExecMainStatus"])),
        _ => parts.push("no main process".into()),
    }
    parts.join(", ")
}

/// The host's clock since its boot, in microseconds.
pub fn now(host: &Host) -> u64 {
    let uptime = host.read_file("/proc/uptime");
    let seconds: f64 = uptime.split(' ').next().unwrap().parse().unwrap();
    (seconds * 1e6) as u64
}

/// The version of its systemd.
pub fn version(host: &Host) -> u32 {
    let said = host.root("systemctl --version").ok();
    said.split_whitespace().nth(1).unwrap().parse().unwrap()
}

/// Waits until each stands as the table says, then takes its `systemctl show`.
pub fn settled(host: &Host, made: &[Made<'_>], version: u32) -> Vec<BTreeMap<String, String>> {
    let units: Vec<&str> = made.iter().map(|made| made.unit.as_str()).collect();
    let until = Instant::now() + PATIENCE;
    loop {
        let seen = shown(host, &units);
        let now = now(host);
        let wrong: Vec<String> = made
            .iter()
            .zip(&seen)
            .filter_map(|(made, show)| {
                let (expected, stands) = (made.expected(version), stand(show));
                let since: u64 = show["InactiveExitTimestampMonotonic"].parse().unwrap();
                let patient = made.face != Face::Waits || now > since + LONG;
                (stands != expected || !patient).then(|| format!("{}: {stands}\n    expected: {expected}", made.unit))
            })
            .collect();
        if wrong.is_empty() {
            return seen;
        }
        assert!(Instant::now() < until, "{}:\n{}", host.name(), wrong.join("\n"));
        thread::sleep(Duration::from_millis(100));
    }
}

impl Made<'_> {
    /// A job is right as it is; deploy.yml has it as the migration.
    pub fn is_job(&self) -> bool {
        self.cell.name == "oneshot-ends"
    }

    /// What is wrong with it on that systemd.
    pub fn verdict(&self, version: u32) -> Verdict {
        match self.cell.on_252 {
            Some((_, verdict)) if version < 253 => verdict,
            _ => self.cell.verdict,
        }
    }

    fn expected(&self, version: u32) -> &'static str {
        if let (Some((shows, _)), true) = (self.cell.on_252, version < 253) {
            return shows;
        }
        let shows = &self.cell.shows;
        shows.iter().find(|(face, _)| *face == self.face).unwrap().1
    }
}
