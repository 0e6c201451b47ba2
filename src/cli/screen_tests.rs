//! Every result on stdout, from made-up values, at three widths: the files in `tests/output/screens` are what a user sees.
//! Never here: what a result says in which case, which is tested beside it.

use std::path::Path;

use clap::CommandFactory as _;
use expect_test::ExpectFile;

use super::paper::Paper;
use super::project::{About, Project};
use super::{doctor, env, history, init, plan, releases, setup, timeline, unit};
use crate::config::{self, Config};
use crate::diagnosis::{Evidence, diagnose};
use crate::engine::environment::Answered;
use crate::engine::setup::Layout;
use crate::failure::{Exit, Failure, Next, Typed};
use crate::observed::history::History;
use crate::observed::{Answers, Observed, Question};
use crate::plan::root_files::{digest, root_files};
use crate::plan::unit_files::{Difference, Standing};
use crate::report::timeline::Timeline;
use crate::text;
use crate::unit::merge::Unit;
use crate::unit::rules::{self, Context};

const YML: &str = "app: acme\nhost: deploy@example.org\nsource: .\nservices:\n  - unit: acme.service\n    strategy: restart\n    \
                   health: {url: 'http://127.0.0.1:8080/healthz'}\n";
const CAUSE: &str =
    "acme.service was not healthy after 30s: http://127.0.0.1:8080/healthz answered 503, not 200: no database";

fn config() -> Config {
    config::of_text(YML, Path::new("deploy.yml")).unwrap()
}

/// The screen of that name at 40, 80 and 120 columns. No line is wider, unless it is one to copy, or one long word.
#[track_caller]
fn screen(name: &str, print: impl Fn(Paper) -> String) {
    let mut all = String::new();
    for columns in [40, 80, 120] {
        let text = print(Paper::plain(Some(columns)));
        for line in text.lines().filter(|line| text::columns(line) > columns) {
            let copied = ["next", "    ", "  --- ", "  +++ ", "  +", "  shipit "]
                .iter()
                .any(|start| line.starts_with(start));
            let word = line.trim_start().split(' ').count() <= 2;
            assert!(copied || word, "{name} at {columns}: {line}");
        }
        all.push_str(&format!("{columns} columns\n{}\n{text}\n", "-".repeat(columns)));
    }
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/output/screens");
    let file: ExpectFile = expect_test::expect_file![path.join(format!("{name}.txt"))];
    file.assert_eq(&all);
}

fn ledger() -> Observed {
    Observed::parse(
        b"time 1793700000\ncurrent link releases/20261103-091000\nrelease 20261103-090000\nrelease 20261103-091000\n\
          info 20261103-091000 by=ann@laptop\ninfo 20261103-091000 revision=1a2b3c4d5e6f\n\
          info 20261103-091000 subject=Fix\\0040the\\0040login\ninfo 20261103-091000 dirty=yes\n\
          info 20261103-091000 branch=main\n\
          ledger 2026-11-03T09:00:00Z 1 r staged 20261103-090000\nledger 2026-11-03T09:00:01Z 1 r begin 20261103-090000\n\
          ledger 2026-11-03T09:00:02Z 1 r failed 20261103-090000\n\
          ledger 2026-11-03T09:10:00Z 2 s staged 20261103-091000\nledger 2026-11-03T09:10:01Z 2 s begin 20261103-091000\n\
          ledger 2026-11-03T09:10:09Z 2 s verified 20261103-091000\n",
    )
}

#[test]
fn releases_and_history() {
    let observed = ledger();
    let mut ids: Vec<&String> = observed.releases.iter().collect();
    ids.sort_by_key(|id| std::cmp::Reverse(observed.ledger.rank(id)));
    screen("releases", |paper| releases::table(&observed, &ids, paper));
    let mut deeds = History::parse(
        b"by r ann@laptop\nby s bob@a\\0055long\\0055name.example.org\ntook r 100\ntook s 830\nevent s ended confirmed 20261103-091000 probes=70,failed=0,gap=80,wait=40\n\
          action 2026-11-03T09:20:00Z begin t ann@laptop restart acme.service .\n\
          action 2026-11-03T09:20:02Z end t done .\n\
          action 2026-11-03T09:30:00Z did ann@laptop env set DATABASE_URL SECRET_KEY_BASE .\n",
    )
    .deeds(&observed);
    deeds.last_mut().unwrap().cause = CAUSE.into();
    screen("history", |paper| history::table(&observed, deeds.iter(), paper));
}

#[test]
fn report() {
    const RECORD: &str = "request command deploy\nrequest by ann\nrequest since 2026\\005501\nrequest previous r1\n\
        request next r2\nevent 120 step switch flip r2 started\nevent 122 step switch flip r2 done 2\n\
        event 122 step switch restart acme.service started\nevent 130 step switch restart acme.service done 8\n\
        event 130 step switch await acme.service started\n\
        event 230 step switch await acme.service failed 100 acme.service was not healthy after 30s: it answered 503\n\
        event 230 step revert flip r1 started\nevent 232 step revert flip r1 done 2\n\
        event 310 ended reverted r1 probes=5,failed=2,gap=1710,wait=4,refused=2 acme.service was not healthy after 30s\n\
        probe 1010.0 1010.8 ok new 1 r1\nprobe 1250.0 1250.4 refused new 1 -\nprobe 2950.0 2954.0 ok new 1 r1\nwhole\n";
    let record = Timeline::read("20261103-091000-0f3a", RECORD);
    screen("report", |paper| timeline::printed(&record, paper));
}

#[test]
fn setup_and_its_sudo_rule() {
    let config = config();
    let layout = Layout::new(&config, "deploy".into(), "acme".into(), Vec::new());
    let of = |detail| move |paper: Paper, layout: &Layout<'_>| paper.prose(&setup::actions(layout, None, detail));
    screen("setup", |paper| of(setup::Detail::Names)(paper, &layout));
    let printed = of(setup::Detail::Whole)(Paper::plain(Some(40)), &layout);
    let text = setup::actions(&layout, None, setup::Detail::Whole);
    let mut of_files = text.lines().filter(|line| line.starts_with("      "));
    let printed: std::collections::BTreeSet<&str> = printed.lines().collect();
    let broken = of_files.find(|line| !printed.contains(line));
    assert_eq!(broken, None, "the text of a file stays whole");
}

/// Of a host that was set up: a helper has a different text, another belongs to the deploy user, and the login cannot
/// read the rule.
#[test]
fn setup_of_a_host_where_most_of_it_is_in_place() {
    let config = config();
    let layout = Layout::new(&config, "deploy".into(), "deploy".into(), Vec::new());
    let files = root_files(&config, &layout.guard);
    let mut asked: Vec<(Question, String)> = ["releases", "shared", ".shipit"]
        .map(|part| {
            (
                Question::File(format!("/opt/acme/{part}")),
                "there deploy deploy 700 directory".into(),
            )
        })
        .into();
    for file in files {
        let (fact, content) = match file.name {
            _ if file.text.is_empty() => ("absent", "unreadable".into()),
            "path" | "service" | "boot" => ("there root root 644 regular file", digest(file.text)),
            "env" => ("there root root 755 regular file", digest("an older one")),
            "run" => ("there deploy root 755 regular file", digest(file.text)),
            "rule" => ("unreadable", "unreadable".into()),
            _ => ("there root root 755 regular file", digest(file.text)),
        };
        asked.push((Question::File(file.path.clone()), fact.into()));
        asked.push((Question::Content(file.path), content));
    }
    let out: String = asked
        .iter()
        .enumerate()
        .map(|(n, (_, said))| format!("{n} {said}\n"))
        .collect();
    let questions: Vec<Question> = asked.into_iter().map(|(question, _)| question).collect();
    let answers = Answers::parse(&questions, out.as_bytes());
    let observed = Observed::parse(
        b"user deploy\nunit shipit-acme.path UnitFileState=enabled\nunit shipit-acme.path ActiveState=inactive\n\
          unit shipit-acme-boot.service UnitFileState=enabled\n",
    );
    screen("setup-again", |paper| {
        paper.prose(&setup::actions(
            &layout,
            Some((&observed, &answers)),
            setup::Detail::Names,
        ))
    });
}

#[test]
fn env_after_a_change() {
    let config = config();
    let args = super::args::parse(&["status".into()]).unwrap();
    let said = |readers: &[&str]| Answered {
        changes: vec![
            ("added".into(), "DATABASE_URL".into()),
            ("removed".into(), "PORT".into()),
        ],
        readers: readers.iter().map(|&unit| unit.to_owned()).collect(),
        ..Answered::default()
    };
    screen("env", |paper| {
        let words = |readers| env::in_words(&args.global, &config, &said(readers), true, false);
        paper.prose(&format!("{}\n{}", words(&["acme.service"]), words(&[])))
    });
}

#[test]
fn env_of_a_php_app_names_what_reaches_it() {
    let global = super::args::parse(&["status".into()]).unwrap().global;
    let words = |unit: &str, readers: &[&str]| {
        let yml = YML.replace("acme.service", unit).replace("restart", "reload");
        let said = Answered {
            changes: vec![("added".into(), "DATABASE_URL".into())],
            readers: readers.iter().map(|&unit| unit.to_owned()).collect(),
            ..Answered::default()
        };
        let config = config::of_text(&yml, Path::new("deploy.yml")).unwrap();
        env::in_words(&global, &config, &said, true, false)
    };
    let php = "php8.2-fpm.service";
    let none = words(php, &[]);
    assert!(none.contains("in the app's pool, add: env[NAME] = VALUE"), "{none}");
    assert!(!none.contains("EnvironmentFile="), "{none}");
    let read = words(php, &[php]);
    assert!(
        read.contains("php8.2-fpm.service passes it only to pools with `clear_env = no`"),
        "{read}"
    );
    assert!(words("acme.service", &[]).contains("EnvironmentFile="));
    assert!(!words("acme.service", &["acme.service"]).contains("clear_env"));
}

#[test]
fn units() {
    let config = config();
    let text =
        b"[Unit]\nDescription=Acme\n[Service]\nExecStart=/opt/acme/current/server --a-long-option --another-one\n";
    let unit = Unit::parse("deploy/units/acme.service", text).unwrap();
    let findings = rules::lint(&unit, &Context::default());
    assert!(findings.len() > 2, "{findings:?}");
    screen("unit-lint", |paper| {
        paper.findings(&unit::source::text(&findings, &[&unit]))
    });
    screen("unit-explain", |paper| {
        let one = paper.paragraphs(&rules::explain("root-path").unwrap());
        let list: String = rules::all().take(4).map(|rule| unit::listed(paper, rule)).collect();
        one + "\n" + &list
    });
    let standing = Standing {
        name: unit.name.clone(),
        path: "deploy/units/acme.service".into(),
        wanted: text.to_vec(),
        there: Some(b"[Service]\nExecStart=/opt/acme/current/server\n".to_vec()),
        differences: vec![Difference::Settings(vec!["ExecStart".into()]), Difference::Stale],
    };
    screen("unit-diff", |paper| {
        let typed = Typed::default();
        paper.prose(&unit::diff::text(
            &typed,
            &config,
            std::slice::from_ref(&standing),
            &["acme-old.service".into()],
        ))
    });
}

#[test]
fn doctor_with_a_finding_and_without() {
    let config = config();
    let evidence = Evidence::default();
    let mut diagnosis = diagnose(&config, &evidence);
    screen("doctor-healthy", |paper| {
        doctor::text(false, &Typed::default(), paper, &config, &evidence, &diagnosis)
    });
    let failure = Failure::new(Exit::Untouched, "acme.service: User=ghost: does not exist on the host")
        .why("the start fails with 217/USER or 216/GROUP; with Type=simple, systemctl start exits 0")
        .next(Next::shell("sudo useradd --system ghost").remark("or change User= in the unit"));
    diagnosis.findings = crate::diagnosis::Diagnosis::of_failure(&failure).findings;
    screen("doctor", |paper| {
        doctor::text(false, &Typed::default(), paper, &config, &evidence, &diagnosis)
    });
}

#[test]
fn what_init_found() {
    let mut project = Project::unknown();
    project.what = "a Python project (Django, gunicorn)".into();
    project.check(
        About::Health,
        "port 8080 is taken on the host by nginx.service, so this is 8081; the generated unit sets PORT=8081: does the app use it?",
    );
    let next = "shipit up --as root@a-host-with-a-long-name.example.org";
    let wrote = "wrote deploy.yml\nwrote deploy.schema.json\n";
    let note = "port 8080 is a guess: the host was not asked which ports are free (connection refused)\n";
    screen("init", |paper| {
        paper.prose(&init::summary(Some(&project), wrote, note, next))
    });
}

#[test]
fn help() {
    let mut all = String::new();
    for columns in [40, 80, 120] {
        let command = super::args::help::grouped(super::args::Args::command(), Some(columns));
        let text = command.term_width(columns).render_help();
        all.push_str(&format!("{columns} columns\n{}\n{text}\n", "-".repeat(columns)));
    }
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/output/screens/help.txt");
    expect_test::expect_file![path].assert_eq(&all);
}

#[test]
fn plan_before_a_deploy() {
    screen("plan", |paper| plan::printed(plan::tests::PLAN, paper));
}
