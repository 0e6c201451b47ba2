//! Every rule fires on its bad unit and is silent on its good one. The corpora in `rules/*.txt` are cases:
//!
//! ```text
//! === RULE bad [info]     the rule must fire, and each finding be of this severity: info, warning or error
//! === RULE good           the rule must be silent
//! strategy=socket root=/opt/acme deploy=deploy before=x.service drain=40 peers=all systemd=252  context, where needed
//! show ActiveState=failed, processes 2, reports yes, activating 11   facts of the running host, one a line
//! file /etc/acme/env root root 644 [DIR-OWNER DIR-MODE]   or: file PATH missing
//! +++ acme.service                                  a unit; the first one is judged, the others are its peers
//! +++ acme.service.d/x.conf                         a drop-in of the first one
//! +++ repository acme.service                       the same unit in the repository
//! +++ acme.env                                      not a unit, but the text of an environment file
//! ```
//! A line of a unit that ends in `#<<` (taken off) is where the finding must stand.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use shipit::unit::keys;
use shipit::unit::merge::Unit;
use shipit::unit::name::UnitName;
use shipit::unit::parse::File;
use shipit::unit::render;
use shipit::unit::repair::{self, Which};
use shipit::unit::rules::{self, Calendar, Context, Facts, FileFact, Finding, Severity, Way};
use shipit::unit::strategy::Strategy;

pub struct Case {
    pub rule: String,
    pub bad: bool,
    severity: Option<Severity>,
    pub place: String,
    pub unit: Unit,
    pub context: Context,
    pub at: Option<u32>,
    pub environment: Option<String>,
}

impl Case {
    fn findings(&self) -> Vec<Finding> {
        match &self.environment {
            Some(text) => rules::environment_file("acme.env", text),
            None => rules::lint(&self.unit, &self.context),
        }
    }
}

/// Facts about the host are made the moment one is told.
fn facts(context: &mut Context) -> &mut Facts {
    context.host.get_or_insert_default()
}

fn fact(context: &mut Context, line: &str) {
    let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
    match word {
        "show" => {
            let (key, value) = rest.split_once('=').unwrap();
            facts(context).properties.take(&format!("{key}={value}"));
        }
        "file" => {
            let words: Vec<&str> = rest.split(' ').collect();
            let mode = |at: usize| u32::from_str_radix(words[at], 8).unwrap();
            let exists = words[1] != "missing";
            let fact = FileFact {
                exists,
                owner: if exists { words[1].into() } else { String::new() },
                group: if exists { words[2].into() } else { String::new() },
                mode: if exists { mode(3) } else { 0 },
                directory: false,
                above: if words.len() > 5 {
                    vec![(words[4].into(), mode(5))]
                } else {
                    Vec::new()
                },
                way: (words.len() > 5).then(|| match (words[4], mode(5) & 0o022) {
                    ("root", 0) => Way::Closed,
                    (owner, _) => Way::Open(format!("{owner} owns a directory above it")),
                }),
            };
            facts(context).files.insert(words[0].into(), fact);
        }
        "account" => {
            let (name, there) = rest.split_once('=').unwrap();
            let named = Arc::make_mut(&mut facts(context).named);
            named.users.insert(name.into(), there == "yes");
            named.groups.insert(name.into(), there == "yes");
        }
        "calendar" => {
            let (expression, state) = rest.rsplit_once('=').unwrap();
            let state = match state {
                "never" => Calendar::Never,
                "invalid" => Calendar::Invalid,
                _ => Calendar::Elapses,
            };
            let named = Arc::make_mut(&mut facts(context).named);
            named.calendars.insert(expression.into(), state);
        }
        "backlog" => {
            let (address, length) = rest.split_once('=').unwrap();
            facts(context).backlogs.insert(address.into(), length.parse().unwrap());
        }
        "processes" => facts(context).processes = Some(rest.parse().unwrap()),
        "reports" => facts(context).reports = Some(rest == "yes"),
        "verify" => facts(context).verify.push(rest.into()),
        "taken" => facts(context).socket_taken = Some(rest == "yes"),
        "caught" => facts(context).caught_signals = Some(u64::from_str_radix(rest, 16).unwrap()),
        "exposure" => facts(context).exposure = Some(rest.parse().unwrap()),
        "processors" => facts(context).processors = Some(rest.parse().unwrap()),
        "activating" => facts(context).activating_for = Some(Duration::from_secs(rest.parse().unwrap())),
        _ => {
            for word in line.split(' ') {
                match word.split_once('=').unwrap_or_else(|| panic!("what is {line:?}?")) {
                    ("before", name) => context.before = UnitName::new(name),
                    ("strategy", name) => context.strategy = Some(Strategy::named(name).unwrap()),
                    ("root", path) => context.root = Some(path.into()),
                    ("deploy", user) => context.deploy_user = Some(user.into()),
                    ("drain", seconds) => context.drain = Some(Duration::from_secs(seconds.parse().unwrap())),
                    ("peers", "all") => context.peers_complete = true,
                    ("systemd", version) => facts(context).systemd = Some(version.parse().unwrap()),
                    _ => panic!("what is {line:?}?"),
                }
            }
        }
    }
}

fn case(name: &str, text: &str) -> Case {
    let (head, rest) = text.split_once('\n').unwrap();
    let (rule, kind) = head.trim().split_once(' ').unwrap();
    let mut parts = rest.split("+++ ");
    let mut context = Context::default();
    for line in parts.next().unwrap().lines().filter(|line| !line.trim().is_empty()) {
        fact(&mut context, line.trim());
    }
    let mut unit: Option<Unit> = None;
    let mut at = None;
    let mut environment = None;
    for part in parts {
        let (path, body) = part.split_once('\n').unwrap();
        let path = path.trim();
        if let Some(line) = body.lines().position(|line| line.ends_with("#<<")) {
            at = Some(u32::try_from(line).unwrap() + 1);
        }
        let body = body.replace("#<<", "");
        let body = format!("{}\n", body.trim_end());
        if path.ends_with(".env") {
            environment = Some(body);
            unit = Unit::parse("acme.service", b"");
        } else if let Some(path) = path.strip_prefix("repository ") {
            facts(&mut context).repository = Unit::parse(path, body.as_bytes());
        } else if path.contains(".d/") {
            unit.as_mut().unwrap().files.push(File::parse(path, body.as_bytes()));
        } else {
            let parsed = Unit::parse(path, body.as_bytes()).unwrap_or_else(|| panic!("{path} is no unit's name"));
            context.peers.push(parsed.clone());
            unit.get_or_insert(parsed);
        }
    }
    let (bad, severity) = match kind.trim() {
        "good" => (false, None),
        "bad" => (true, None),
        "bad info" => (true, Some(Severity::Info)),
        "bad warning" => (true, Some(Severity::Warning)),
        "bad error" => (true, Some(Severity::Error)),
        other => panic!("{name}: {other}"),
    };
    Case {
        rule: rule.into(),
        bad,
        severity,
        place: format!("{name}: {head}"),
        unit: unit.unwrap(),
        context,
        at,
        environment,
    }
}

/// Every case of the corpora.
pub fn cases() -> Vec<Case> {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/units/rules");
    let mut files: Vec<_> = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    let mut cases = Vec::new();
    for path in files {
        let text = fs::read_to_string(&path).unwrap();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        cases.extend(text.split("=== ").skip(1).map(|text| case(&name, text)));
    }
    cases
}

#[test]
fn every_rule_fires_on_its_bad_units_and_is_silent_on_its_good_ones() {
    let mut wrong = Vec::new();
    for case in cases() {
        let findings = case.findings();
        let mine: Vec<_> = findings.iter().filter(|finding| finding.rule == case.rule).collect();
        if mine.is_empty() == case.bad {
            let told: String = render::text(&findings)
                .lines()
                .filter(|line| !line.starts_with(' '))
                .map(|line| format!("  {line}\n"))
                .collect();
            wrong.push(format!(
                "{}: {}\n{told}",
                case.place,
                if case.bad { "silent" } else { "fired" }
            ));
        }
        if let Some(other) = mine
            .iter()
            .find(|finding| case.severity.is_some_and(|severity| finding.severity != severity))
        {
            wrong.push(format!("{}: {}: {}", case.place, other.severity, other.message));
        }
        let elsewhere = |line: &u32| case.bad && !mine.iter().any(|finding| finding.line == *line);
        if let Some(line) = case.at.filter(elsewhere) {
            wrong.push(format!("{}: not at line {line}: {mine:#?}", case.place));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_rule_has_a_bad_and_a_good_unit_and_no_case_is_for_a_rule_that_is_not() {
    let known: BTreeSet<&str> = rules::all().map(|rule| rule.name).collect();
    let mut seen: BTreeMap<(String, bool), usize> = BTreeMap::new();
    for case in cases() {
        assert!(known.contains(case.rule.as_str()), "{}", case.place);
        *seen.entry((case.rule, case.bad)).or_default() += 1;
    }
    let missing: Vec<_> = known
        .iter()
        .flat_map(|rule| [(*rule, true), (*rule, false)])
        .filter(|(rule, bad)| !seen.contains_key(&((*rule).to_owned(), *bad)))
        .map(|(rule, bad)| format!("{rule} {}", if bad { "bad" } else { "good" }))
        .collect();
    assert!(missing.is_empty(), "no case for: {}", missing.join(", "));
}

#[test]
fn fixes_put_their_findings_right_and_bring_no_new_ones() {
    for case in cases().into_iter().filter(|case| case.bad) {
        let before = rules::lint(&case.unit, &case.context);
        let own: Vec<_> = before
            .iter()
            .filter(|f| f.rule == case.rule && f.fix.is_some())
            .cloned()
            .collect();
        let of_text = case.context.host.is_none(); // a fact of the host does not change with the text
        if own.is_empty() || !of_text {
            continue;
        }
        let fixed = repair::repair(&case.unit, &own, Which::All);
        let after = rules::lint(&fixed, &case.context);
        let text = String::from_utf8_lossy(&fixed.files[0].bytes()).into_owned();
        let left: Vec<_> = after
            .iter()
            .filter(|f| f.rule == case.rule && f.fix.is_some())
            .collect();
        assert!(left.is_empty(), "{}: still there {left:?}\n{text}", case.place);
        let new = after
            .iter()
            .find(|f| f.severity == Severity::Error && !before.iter().any(|b| b.rule == f.rule));
        assert_eq!(new, None, "{}\n{text}", case.place);
    }
}

/// `--fix` reaches its end in one run, brings no finding, and changes nothing that somebody wrote.
#[test]
fn safe_fixes_only_add_and_reach_their_end_in_one_run() {
    let mut changed = 0;
    for case in cases() {
        let judge = |unit: &Unit| rules::lint(unit, &case.context);
        let before = judge(&case.unit);
        let fixed = repair::settle(&case.unit, judge);
        let after = judge(&fixed);
        assert_eq!(repair::settle(&fixed, judge), fixed, "{}", case.place);
        let worse = |new: &&Finding| {
            let same = |known: &&Finding| known.rule == new.rule && known.severity >= new.severity;
            after.iter().filter(same).count() > before.iter().filter(same).count()
        };
        assert_eq!(after.iter().find(worse), None, "{}", case.place);
        changed += usize::from(fixed != case.unit);
        for entry in case.unit.entries() {
            let spelled = |key| matches!(key, "MemoryLimit" | "StartLimitInterval" | "PIDFile");
            let kept = fixed.written(entry.section, entry.key);
            let kept = kept.iter().any(|kept| kept.value == entry.value);
            let syslog = entry.value.starts_with("syslog");
            assert!(kept || spelled(entry.key) || syslog, "{}: {entry:?}", case.place);
        }
    }
    assert!(changed > 20, "{changed}");
}

#[test]
fn every_rule_says_what_why_what_to_write_and_where_to_read() {
    let mut names = BTreeSet::new();
    for rule in rules::all() {
        let text = rule.explanation();
        assert!(names.insert(rule.name), "{} twice", rule.name);
        assert!(
            rule.title().len() <= 90 && !rule.title().ends_with('.'),
            "{}: {}",
            rule.name,
            rule.title()
        );
        for part in ["\nIn production: ", "\n\n    ", "\nSee "] {
            assert!(text.contains(part), "{} has no {part:?}:\n{text}", rule.name);
        }
        assert!(text.lines().all(|line| line.chars().count() <= 130), "{}", rule.name);
        assert_eq!(rules::explain(rule.name), Some(text));
    }
    assert!(rules::explain("NoNewPrivileges").is_some_and(|text| text.contains("It breaks: ")));
    assert_eq!(rules::explain("no-such-rule"), None);
}

#[test]
fn every_key_says_what_it_does_or_takes_in_each_spelling() {
    assert!(keys::names().len() > 470);
    for name in keys::names() {
        let text = rules::explain(name).unwrap();
        let says = text
            .lines()
            .any(|line| line.starts_with("It takes: ") || line.starts_with("Rules: "));
        assert!(says || !text.contains("systemd.directives(7)"), "{text}");
    }
    let same = |other: &str, name: &str| assert_eq!(rules::explain(other), rules::explain(name), "{other}");
    same("execstartpost=", "ExecStartPost");
    same("[Exec-Dollar]", "exec-dollar");
    assert!(
        rules::explain("AssertHost")
            .unwrap()
            .contains("Otherwise the start fails.")
    );
}

#[test]
fn a_comment_silences_a_rule_for_its_unit() {
    let text = "# shipit: allow kill-mode-process sessions live on\n[Service]\nKillMode=process\nExecStart=/usr/sbin/sshd -D\n";
    let unit = Unit::parse("ssh.service", text.as_bytes()).unwrap();
    assert!(
        rules::lint(&unit, &Context::default())
            .iter()
            .all(|finding| finding.rule != "kill-mode-process")
    );
}

#[test]
fn no_finding_ever_holds_a_secret() {
    let text = "[Service]\nEnvironment=DB_PASSWORD=hunter2 URL=postgres://u:hunter2@h/x\nExecStart=/opt/a/b --password hunter2 --token=hunter2\n";
    let unit = Unit::parse("a.service", text.as_bytes()).unwrap();
    let findings = rules::lint(&unit, &Context::default());
    assert!(findings.iter().filter(|f| f.rule.starts_with("secret-in")).count() >= 3);
    assert!(!format!("{findings:?}").contains("hunter2"));
    // Not a part of it either, in any rule, in any form of output.
    for line in [
        "ExecStart=/opt/a/b --dsn postgres://app:hunter2@db/x",
        "ExecStart=/opt/a/b --dsn postgres://app:hunter2@db/x > /log",
        "ExecStart=/opt/a/b --db-url=postgres://app:hunter2@db/$NAME",
        "ExecStart=b/c --token hunter2",
        "ExecStart=/bin/sh -c 'PGPASSWORD=hunter2 psql | cat'",
        "ExecStart=/opt/a/b \"--token=hunter2",
        "ExecStart=/usr/bin/curl -u admin:hunter2 https://hunter2hunter2hunter2@x/ &&",
        "Environment=A=1 postgres://u:hunter2@h/x",
        "Environment=API_TOKEN=hunter2 'X Y'",
        "ExecStartPre=-+/usr/bin/mysql --password=hunter2 ; ./x",
        "ExecReload=/bin/kill -HUP --token hunter2",
    ] {
        let unit = Unit::parse("a.service", format!("[Service]\n{line}\n").as_bytes()).unwrap();
        let findings = rules::lint(&unit, &Context::default());
        for out in [
            render::text(&findings),
            render::github(&findings),
            render::json(&findings),
        ] {
            assert!(!out.contains("hunter") && !out.contains("unter2"), "{line}: {out}");
        }
    }
    let findings = rules::environment_file(
        "env",
        "export A=1\nB = 2\nC=$HOME/hunter2\nD='$x'\nE=plain\n# F=$G\nG=\"open\nH=`x`\n",
    );
    assert_eq!(findings.iter().map(|f| f.line).collect::<Vec<_>>(), [1, 2, 3, 7, 8]);
    assert!(!format!("{findings:?}").contains("hunter2"));
}

#[test]
fn the_documentation_lists_every_rule() {
    let table: String = rules::all()
        .map(|rule| format!("| `{}` | {} | {} |\n", rule.name, rule.severity, rule.title()))
        .collect();
    let docs = include_str!("../../docs/units.md");
    assert!(docs.contains(&table), "docs/units.md should have:\n{table}");
}
