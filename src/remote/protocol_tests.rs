//! The two sides of the steps compared without a host: what Rust writes and what the conductor reads, in the shells that
//! hosts have as sh.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeSet;
use std::io::Write as _;
use std::process::{Command, Stdio};
use std::time::Duration;

use super::CONDUCTOR;
use crate::step::{
    Canary, Check, EVENTS, Kind, Lever, Limits, Otherwise, PROTOCOL, Probe, Proxy, Route, RunEvent, Step, Turn, Verdict,
};
use crate::unit::strategy::PARTS;

const SHELLS: [&[&str]; 2] = [&["dash"], &["busybox", "sh"]];

/// In place of the conductor's main: carries one step out up to where it has read its arguments, and prints these.
const READ_ONE: &str = r#"
arguments() {
    read_arguments "$@" || { printf 'refused: %s\n' "$cause"; exit; }
    for test_name in $1; do eval "printf '%s=%s\n' $test_name \"\$$test_name\""; done
    exit
}
IFS= read -r line
set -f
set -- $line
set +f
"step_$@"
echo "read nothing"
"#;

/// The lines that a step's function prints of its arguments; `None` where there is no such shell.
fn read(shell: &[&str], line: &str) -> Option<Vec<String>> {
    let functions = CONDUCTOR.strip_suffix("main \"$@\"\nexit\n").unwrap();
    let whole = functions.replace("\narguments() {", "\nread_arguments() {") + READ_ONE;
    // A file: as an argument it would be longer than Linux takes one.
    let mut script = tempfile::NamedTempFile::new().unwrap();
    script.write_all(whole.as_bytes()).unwrap();
    let mut child = Command::new(shell[0])
        .args(&shell[1..])
        .arg(script.path())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .ok()?;
    let mut stdin = child.stdin.take().unwrap();
    stdin.write_all(line.as_bytes()).unwrap();
    drop(stdin);
    let out = String::from_utf8(child.wait_with_output().unwrap().stdout).unwrap();
    let mut lines: Vec<String> = out.lines().map(str::to_owned).collect();
    lines.sort();
    Some(lines)
}

fn check() -> Check {
    Check {
        probe: Probe::Unix {
            socket: "/run/acme app.sock".into(),
            path: "/health?a=b".into(),
        },
        status: 204,
        contains: Some("it's \\ok %s $(id)".into()),
        release: true,
    }
}

/// One step of each kind; no two of its arguments have the same value.
fn steps() -> Vec<Step> {
    let unit = || "acme.service".to_owned();
    let seconds = Duration::from_secs;
    let verdict = || Verdict {
        unit: unit(),
        turn: Turn::Reload,
        start: seconds(31),
        successes: 3,
        timeout: seconds(61),
        wrong_answers: seconds(7),
        watch: seconds(8),
        check: Some(check()),
    };
    vec![
        Step::Backup {
            unit: "acme-dump.service".into(),
            timeout: Duration::from_secs(302),
        },
        Step::Migrate {
            unit: unit(),
            timeout: seconds(301),
        },
        Step::Trial(Box::new(verdict())),
        Step::Baseline {
            unit: unit(),
            timeout: seconds(5),
            check: check(),
        },
        Step::Measure(check()),
        Step::Flip(Some("20260101-000000".into())),
        Step::Slot {
            slot: "blue".into(),
            to: Some("20260101-000000".into()),
        },
        Step::Restart(unit()),
        Step::Socket {
            unit: unit(),
            socket: "acme.socket".into(),
        },
        Step::Reload(unit()),
        Step::Stop(unit()),
        Step::Resume {
            unit: unit(),
            slot: "blue".into(),
            socket: Some("acme.socket".into()),
        },
        Step::Isolate {
            socket: "/run/haproxy/acme.sock".into(),
            server: "acme/green".into(),
        },
        Step::Canary(Box::new(Canary {
            share: 25,
            lever: Lever::Parts(Box::new(Lever::Port {
                proxy: Proxy::Nginx,
                live: "/opt/acme/live".into(),
            })),
            to: "127.0.0.1:8082".into(),
            from: "127.0.0.1:8081".into(),
            hold: seconds(60),
            min_requests: Some(100),
            check: Some(check()),
            old: Some(Probe::Http {
                url: "http://127.0.0.1:8081/h".into(),
            }),
        })),
        Step::Route(Box::new(Route {
            lever: Lever::Link {
                proxy: Proxy::Nginx,
                live: "/opt/acme/live.sock".into(),
            },
            to: "/run/acme/green.sock".into(),
            from: Some("/run/acme/blue.sock".into()),
            stands_in: Some("blue".into()),
            within: seconds(60),
            check: Some(check()),
        })),
        Step::Drain {
            lever: Lever::Haproxy {
                socket: "/run/haproxy/acme.sock".into(),
                backend: "acme".into(),
            },
            from: "acme/blue".into(),
            limit: seconds(30),
            one_of_several: Some("2".into()),
        },
        Step::Await(Box::new(verdict())),
        Step::Verify {
            timeout: seconds(62),
            otherwise: Otherwise::Confirm,
        },
        Step::Limits(Limits {
            max_gap: Some(Duration::from_millis(500)),
            max_failed: None,
        }),
        Step::Confirm,
        Step::Left("20260101-000000".into()),
        Step::Prune(vec!["20250101-000000".into(), "20250202-000000-2".into()]),
        Step::Spare,
    ]
}

/// What each step is on the wire: the documentation of the protocol.
const LINES: &str = r"
backup unit=acme-dump.service timeout=302
migrate unit=acme.service timeout=301
trial unit=acme.service turn=reload start=31 successes=3 timeout=61 watch=8 wrongs=7 CHECK
baseline unit=acme.service timeout=5 CHECK
measure CHECK
flip to=20260101-000000
slot slot=blue to=20260101-000000
restart unit=acme.service
socket unit=acme.service socket=acme.socket
reload unit=acme.service
stop unit=acme.service
resume unit=acme.service slot=blue socket=acme.socket
isolate server=acme/green at=/run/haproxy/acme.sock
canary share=25\0045 router=ports at=/opt/acme/live to=127.0.0.1:8082 from=127.0.0.1:8081 hold=60 requests=100 old=http://127.0.0.1:8081/h CHECK
route to=/run/acme/green.sock from=/run/acme/blue.sock router=link at=/opt/acme/live.sock instead=blue within=60 CHECK
drain from=acme/blue limit=30 router=haproxy at=/run/haproxy/acme.sock several=2
await unit=acme.service turn=reload start=31 successes=3 timeout=61 watch=8 wrongs=7 CHECK
verify timeout=62 otherwise=confirm
limits gap=500 failed=-
confirm
left release=20260101-000000
prune releases=20250101-000000,20250202-000000-2
spare
";
const CHECK: &str = r"kind=unix target=/run/acme\0040app.sock\0040/health\0077a=b status=204 contains=it\0047s\0040\0134ok\0040\0045s\0040\0044\0050id\0051 release=named";

#[test]
fn every_step_travels_by_names_and_no_two_are_swapped() {
    let lines: Vec<String> = steps().iter().map(Step::line).collect();
    assert_eq!(
        lines.join("\n"),
        LINES.trim().replace("CHECK", CHECK),
        "the protocol changed: give `PROTOCOL` a new number if an older conductor would read it differently"
    );
    let of_steps: Vec<Kind> = steps().iter().map(Step::kind).collect();
    assert_eq!(of_steps, Kind::ALL, "a kind without an example here");
}

#[test]
fn every_step_has_its_function_and_every_function_its_step() {
    let functions: BTreeSet<&str> = CONDUCTOR
        .lines()
        .filter_map(|line| line.strip_prefix("step_")?.split_once("() {"))
        .map(|(name, _)| name)
        // `step_name` is no step; `step_bad` is `left`, as earlier clients request it.
        .filter(|name| !["name", "bad"].contains(name))
        .collect();
    let kinds: BTreeSet<&str> = Kind::ALL.iter().map(|kind| kind.word()).collect();
    assert_eq!(functions, kinds);
    assert!(CONDUCTOR.contains(&format!("\nprotocol={PROTOCOL}\n")));
}

#[test]
fn the_conductor_reads_of_each_step_the_names_and_values_that_were_written() {
    for step in steps() {
        let named = step.arguments();
        let mut written: Vec<String> = named.iter().map(|(k, v)| format!("{k}={v}")).collect();
        written.sort();
        for shell in SHELLS {
            if let Some(read) = read(shell, &format!("{}\n", step.line())) {
                assert_eq!(read, written, "{shell:?}: {}", step.line());
            }
        }
    }
}

#[test]
fn a_step_with_a_missing_a_repeated_or_an_unknown_argument_is_refused() {
    for (line, cause) in [
        ("socket unit=a.service", "missing arguments: socket"),
        ("restart unit=a unit=b", "unknown or repeated argument: unit"),
        ("confirm unit=a", "unknown or repeated argument: unit"),
        ("restart unit=a evil$(id)=b", "not an argument: evil$(id)=b"),
        ("restart acme.service", "not an argument: acme.service"),
        // As requests of version 1 had it.
        ("stop -", "not an argument: -"),
    ] {
        for shell in SHELLS {
            if let Some(read) = read(shell, &format!("{line}\n")) {
                assert_eq!(read.join("\n").trim_end(), format!("refused: {cause}"), "{shell:?}");
            }
        }
    }
}

#[test]
fn every_event_that_is_written_is_in_the_table_and_is_read() {
    let written: BTreeSet<&str> = CONDUCTOR
        .lines()
        .filter(|line| !line.trim_start().starts_with('#'))
        .flat_map(|line| line.split("event ").skip(1))
        .filter_map(|rest| rest.split([' ', ';']).next())
        .collect();
    let table: BTreeSet<&str> = EVENTS.iter().map(|event| event.word).collect();
    assert_eq!(written, table);
    let readers = include_str!("lib/events.sh");
    for event in EVENTS {
        let line = format!("1 {} switch flip started", event.word);
        let in_rust = RunEvent::parse(&line).is_some();
        assert!(in_rust || event.script.is_some(), "nothing reads {}", event.word);
        let named = format!(" {} ", event.word);
        let in_sh = |function: &str| {
            let line = readers.lines().find(|line| line.starts_with(&format!("{function}() ")));
            line.is_some_and(|line| line.contains(&named))
        };
        if let Some(function) = event.script {
            assert!(in_sh(function), "{function} does not read {}", event.word);
        }
    }
    // And the reverse: what the scripts read is written.
    let functions = readers.lines().filter_map(|line| line.split_once("() {"));
    let known: BTreeSet<&str> = EVENTS.iter().filter_map(|event| event.script).collect();
    assert_eq!(functions.map(|(name, _)| name).collect::<BTreeSet<_>>(), known);
}

/// What the parts of a share are is written down three times: in Rust, for the conductor, and for what looks at the host.
#[test]
fn the_parts_of_nginx_are_the_same_everywhere_and_make_up_every_share() {
    let parts = PARTS.map(|part| part.to_string()).join(" ");
    assert_eq!(PARTS.iter().sum::<u8>(), 100);
    let conductor = include_str!("conductor/5-parts.sh");
    assert!(conductor.contains(&format!("\nparts='{parts}'\n")));
    assert!(include_str!("look/router_state.sh").contains(&format!("for part in {parts};")));
    let script = format!(
        "{conductor}\nshare=1\nwhile [ $share -lt 100 ]; do\n  sum=0\n  for part in $(parts_of $share); do sum=$((sum + part)); done\n  \
         echo \"$share $sum$(parts_of $share | tr ' ' '\\n' | sort | uniq -d | xargs)\"\n  share=$((share + 1))\ndone"
    );
    let wanted: Vec<String> = (1..100).map(|share| format!("{share} {share}")).collect();
    for shell in SHELLS {
        let Ok(out) = Command::new(shell[0]).args(&shell[1..]).args(["-c", &script]).output() else {
            continue;
        };
        let said = String::from_utf8(out.stdout).unwrap();
        assert_eq!(said.lines().collect::<Vec<_>>(), wanted, "{shell:?}");
    }
}
