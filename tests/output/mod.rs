//! What people and programs see, whole: every event played into each renderer, the text compared.

mod failed; // a deploy that fails: what is on the screen
mod good; // one that goes well, at several widths
mod others; // rollback, stage, prune, attach, a locked host, an unknown outcome

use std::cell::RefCell;
use std::io::Write;
use std::rc::Rc;
use std::time::Duration;

use expect_test::{Expect, expect};
use shipit::failure::{Exit, Failure, Next, Typed};
use shipit::report::Loudness;
use shipit::report::event::{Commit, Downtime, Ended, Event, Outcome, Phase, Report, State, Upload};
use shipit::report::json::Json;
use shipit::report::layout::Screen as Size;
use shipit::report::people::People;

#[derive(Clone, Default)]
struct Screen(Rc<RefCell<Vec<u8>>>);

impl Write for Screen {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.borrow_mut().extend(bytes);
        Ok(bytes.len())
    }
    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

fn step(phase: Phase, name: &str, state: State, note: Option<&str>) -> Event {
    let took = (state != State::Started).then_some(Duration::from_millis(420));
    Event::Step {
        phase,
        name: name.into(),
        state,
        took,
        note: note.map(Into::into),
    }
}

fn log(source: &'static str, line: &[u8]) -> Event {
    Event::Log {
        source,
        line: line.to_vec(),
    }
}

fn commit() -> Commit {
    Commit {
        author: "Ann".into(),
        revision: "1a2b3c4d5e6f708192a3b4c5d6e7f8091a2b3c4d".into(),
        subject: "Greet twice\u{1b}[2J".into(),
        branch: "main".into(),
        dirty: true,
        changed: vec!["app.js".into(), "b".into(), "c".into()],
    }
}

fn ended(outcome: Outcome, failure: Option<Failure>) -> Event {
    Event::Ended(Box::new(Ended {
        outcome,
        exit: failure.as_ref().map_or(Exit::Done, |f| f.exit),
        release: Some("20260503-094502".into()),
        previous: Some("20260501-120000".into()),
        live: Some("20260503-094502".into()),
        live_known: true,
        took: Duration::from_millis(4200),
        live_after: Some(Duration::from_millis(900)),
        bytes_sent: 24_100,
        upload: Some(Upload {
            sent: 20_000,
            saved: 39_900_000,
            took: Duration::from_millis(80),
            patched: false,
            prepared_from: Some("20260503-094502".into()),
        }),
        commit: Some(commit()),
        downtime: Some(Downtime {
            probes: 70,
            failed: 0,
            longest_gap_ms: 80,
            longest_wait_ms: 40,
            ..Downtime::default()
        }),
        canceled: false,
        failure,
        next: vec![Next::shipit("rollback")],
    }))
}

fn good() -> Vec<Event> {
    let done = |phase, names: &[&str]| {
        let done = |name: &&str| {
            [
                step(phase, name, State::Started, None),
                step(phase, name, State::Done, None),
            ]
        };
        names.iter().flat_map(done).collect::<Vec<_>>()
    };
    let progress = Event::Progress {
        sent: 10,
        total: 100,
        reused: 39_900_000,
    };
    let wait = Event::Wait {
        unit: "acme.service".into(),
        within: Duration::from_secs(30),
        answer: "http://127.0.0.1:8080/healthz answered 503, not 200".into(),
    };
    let Event::Ended(end) = ended(Outcome::Deployed, None) else {
        panic!("no end")
    };
    [
        vec![
            Event::Started {
                command: "deploy",
                app: "acme".into(),
                host: "deploy@example.org".into(),
                release: None,
            },
            Event::Commit(commit()),
            step(Phase::Stage, "build", State::Started, None),
            log("build", b"compiling \x1b[31mred\x1b[0m"),
            step(Phase::Stage, "build", State::Done, None),
            progress,
        ],
        done(Phase::Stage, &["receive", "verify", "link"]),
        done(Phase::Stage, &["prepare", "publish"]),
        vec![Event::Warning {
            text: "acme.service differs in TimeoutStopSec from the unit in the repository".into(),
        }],
        done(
            Phase::Switch,
            &["baseline acme.service", "migrate acme-migrate.service", "measure"],
        ),
        done(Phase::Switch, &["flip 20260503-094502", "restart acme.service"]),
        vec![wait],
        done(Phase::Switch, &["await acme.service", "confirm"]),
        vec![
            step(Phase::Settle, "prune", State::Started, None),
            log("host", b"prune 20260301-120000 is in use by process 12, of ann: kept"),
            step(
                Phase::Settle,
                "prune",
                State::Done,
                Some("20260401-120000, 20260402-120000"),
            ),
        ],
        done(Phase::Settle, &["spare"]),
        vec![Event::Measured(end.downtime.clone().map(Box::new))],
        done(Phase::Settle, &["after_switch"]),
        vec![Event::Ended(end)],
    ]
    .concat()
}

fn bad() -> Vec<Event> {
    let failure = Failure::new(Exit::Reverted, "20260503-094502 failed and was reverted")
        .why("acme.service stopped running\x1b]0;title\x07")
        .host("acme runs 20260501-120000, verified again")
        .next(Next::shipit("logs"));
    vec![
        step(Phase::Switch, "await acme.service", State::Started, None),
        log("prepare", b"held back until it fails"),
        step(
            Phase::Switch,
            "await acme.service",
            State::Failed,
            Some("acme.service stopped running"),
        ),
        step(Phase::Revert, "flip 20260501-120000", State::Done, None),
        step(Phase::Settle, "prune", State::Done, Some("nothing to do")),
        Event::Measured(None),
        log("journal", b"09:45:02 acme[12]: boom"),
        ended(Outcome::Reverted, Some(failure)),
    ]
}

/// One that fails after much was said.
fn long() -> Vec<Event> {
    let cause = "acme.service was not healthy after 30s: http://127.0.0.1:8080/healthz answered 503, not 200";
    let failure = Failure::new(Exit::Reverted, "20260503-094502 failed and was reverted")
        .why(cause)
        .why("last output of acme.service: cannot connect to the database at /run/postgresql/.s.PGSQL.5432")
        .host("acme runs 20260501-120000, verified again; the migration of 20260503-094502 ran, and the changes it made remain")
        .next(Next::shipit("logs --release 20260503-094502").remark("the journal of that release"));
    let mut events = vec![
        step(Phase::Switch, "baseline acme.service", State::Done, None),
        step(Phase::Switch, "flip 20260503-094502", State::Done, None),
        step(Phase::Switch, "restart acme.service", State::Done, None),
        step(Phase::Switch, "await acme.service", State::Failed, Some(cause)),
        step(Phase::Revert, "flip 20260501-120000", State::Done, None),
        step(Phase::Revert, "restart acme.service", State::Done, None),
        step(Phase::Revert, "await acme.service", State::Done, None),
    ];
    events.push(Event::Measured(None));
    events.extend((1..=30).map(|n| log("journal", format!("09:45:{n:02} acme[12]: try {n}").as_bytes())));
    events.push(ended(Outcome::Reverted, Some(failure)));
    events
}

/// A screen of that many columns, of the usual height.
fn columns(columns: usize) -> Size {
    Size::Fixed { columns, rows: 24 }
}

fn people(events: &[Event], loudness: Loudness, colour: bool, expected: &Expect) {
    on(events, Size::None, loudness, colour, expected);
}

fn on(events: &[Event], size: Size, loudness: Loudness, colour: bool, expected: &Expect) {
    expected.assert_eq(&drawn(events, size, loudness, colour));
}

fn drawn(events: &[Event], size: Size, loudness: Loudness, colour: bool) -> String {
    let screen = Screen::default();
    let mut people = People::new(Box::new(screen.clone()), loudness, colour, size, Typed::default());
    for event in events {
        people.event(event);
    }
    let text = String::from_utf8(screen.0.borrow().clone()).unwrap();
    text.replace('\x1b', "<ESC>")
}

#[test]
fn programs_get_one_object_a_line() {
    let screen = Screen::default();
    let mut json = Json::new(Box::new(screen.clone()), Typed::default());
    for event in good().iter().chain(&bad()) {
        json.event(event);
    }
    let text = String::from_utf8(screen.0.borrow().clone()).unwrap();
    let mut out = String::new();
    for line in text.lines() {
        let mut value: serde_json::Value = serde_json::from_str(line).unwrap();
        let at = value.as_object_mut().unwrap().remove("at").unwrap();
        assert!(at.as_str().unwrap().ends_with('Z'));
        out.push_str(&format!("{value}\n"));
    }
    expect![[r#"
        {"app":"acme","command":"deploy","event":"started","host":"deploy@example.org","release":null,"v":1}
        {"event":"step","name":"build","note":null,"phase":"stage","seconds":null,"state":"started","v":1}
        {"event":"log","line":"compiling \u001b[31mred\u001b[0m","source":"build","v":1}
        {"event":"step","name":"build","note":null,"phase":"stage","seconds":0.42,"state":"done","v":1}
        {"event":"progress","reused":39900000,"sent":10,"total":100,"v":1}
        {"event":"step","name":"receive","note":null,"phase":"stage","seconds":null,"state":"started","v":1}
        {"event":"step","name":"receive","note":null,"phase":"stage","seconds":0.42,"state":"done","v":1}
        {"event":"step","name":"verify","note":null,"phase":"stage","seconds":null,"state":"started","v":1}
        {"event":"step","name":"verify","note":null,"phase":"stage","seconds":0.42,"state":"done","v":1}
        {"event":"step","name":"link","note":null,"phase":"stage","seconds":null,"state":"started","v":1}
        {"event":"step","name":"link","note":null,"phase":"stage","seconds":0.42,"state":"done","v":1}
        {"event":"step","name":"prepare","note":null,"phase":"stage","seconds":null,"state":"started","v":1}
        {"event":"step","name":"prepare","note":null,"phase":"stage","seconds":0.42,"state":"done","v":1}
        {"event":"step","name":"publish","note":null,"phase":"stage","seconds":null,"state":"started","v":1}
        {"event":"step","name":"publish","note":null,"phase":"stage","seconds":0.42,"state":"done","v":1}
        {"event":"log","line":"acme.service differs in TimeoutStopSec from the unit in the repository","source":"warning","v":1}
        {"event":"step","name":"baseline acme.service","note":null,"phase":"switch","seconds":null,"state":"started","v":1}
        {"event":"step","name":"baseline acme.service","note":null,"phase":"switch","seconds":0.42,"state":"done","v":1}
        {"event":"step","name":"migrate acme-migrate.service","note":null,"phase":"switch","seconds":null,"state":"started","v":1}
        {"event":"step","name":"migrate acme-migrate.service","note":null,"phase":"switch","seconds":0.42,"state":"done","v":1}
        {"event":"step","name":"measure","note":null,"phase":"switch","seconds":null,"state":"started","v":1}
        {"event":"step","name":"measure","note":null,"phase":"switch","seconds":0.42,"state":"done","v":1}
        {"event":"step","name":"flip 20260503-094502","note":null,"phase":"switch","seconds":null,"state":"started","v":1}
        {"event":"step","name":"flip 20260503-094502","note":null,"phase":"switch","seconds":0.42,"state":"done","v":1}
        {"event":"step","name":"restart acme.service","note":null,"phase":"switch","seconds":null,"state":"started","v":1}
        {"event":"step","name":"restart acme.service","note":null,"phase":"switch","seconds":0.42,"state":"done","v":1}
        {"answer":"http://127.0.0.1:8080/healthz answered 503, not 200","event":"wait","unit":"acme.service","v":1,"within":30}
        {"event":"step","name":"await acme.service","note":null,"phase":"switch","seconds":null,"state":"started","v":1}
        {"event":"step","name":"await acme.service","note":null,"phase":"switch","seconds":0.42,"state":"done","v":1}
        {"event":"step","name":"confirm","note":null,"phase":"switch","seconds":null,"state":"started","v":1}
        {"event":"step","name":"confirm","note":null,"phase":"switch","seconds":0.42,"state":"done","v":1}
        {"event":"step","name":"prune","note":null,"phase":"settle","seconds":null,"state":"started","v":1}
        {"event":"log","line":"prune 20260301-120000 is in use by process 12, of ann: kept","source":"host","v":1}
        {"event":"step","name":"prune","note":"20260401-120000, 20260402-120000","phase":"settle","seconds":0.42,"state":"done","v":1}
        {"event":"step","name":"spare","note":null,"phase":"settle","seconds":null,"state":"started","v":1}
        {"event":"step","name":"spare","note":null,"phase":"settle","seconds":0.42,"state":"done","v":1}
        {"event":"step","name":"after_switch","note":null,"phase":"settle","seconds":null,"state":"started","v":1}
        {"event":"step","name":"after_switch","note":null,"phase":"settle","seconds":0.42,"state":"done","v":1}
        {"bytes_saved":39900000,"bytes_sent":24100,"canceled":false,"cause":null,"commit":{"branch":"main","dirty":true,"revision":"1a2b3c4d5e6f708192a3b4c5d6e7f8091a2b3c4d","subject":"Greet twice\u001b[2J"},"downtime":{"crashed":[],"failed":0,"failed_by_kind":{},"latency":{"after":null,"before":null,"during":null},"longest_gap_ms":80,"longest_wait_ms":40,"probes":70,"services":[]},"event":"ended","exit":0,"live":"20260503-094502","live_known":true,"live_seconds":0.9,"outcome":"deployed","prepared_from":"20260503-094502","previous":"20260501-120000","release":"20260503-094502","seconds":4.2,"upload_seconds":0.08,"v":1}
        {"event":"step","name":"await acme.service","note":null,"phase":"switch","seconds":null,"state":"started","v":1}
        {"event":"log","line":"held back until it fails","source":"prepare","v":1}
        {"event":"step","name":"await acme.service","note":"acme.service stopped running","phase":"switch","seconds":0.42,"state":"failed","v":1}
        {"event":"step","name":"flip 20260501-120000","note":null,"phase":"revert","seconds":0.42,"state":"done","v":1}
        {"event":"step","name":"prune","note":"nothing to do","phase":"settle","seconds":0.42,"state":"done","v":1}
        {"event":"log","line":"09:45:02 acme[12]: boom","source":"journal","v":1}
        {"bytes_saved":39900000,"bytes_sent":24100,"canceled":false,"cause":{"host":"acme runs 20260501-120000, verified again","next":["shipit logs"],"what":"20260503-094502 failed and was reverted","why":["acme.service stopped running\u001b]0;title\u0007"]},"commit":{"branch":"main","dirty":true,"revision":"1a2b3c4d5e6f708192a3b4c5d6e7f8091a2b3c4d","subject":"Greet twice\u001b[2J"},"downtime":{"crashed":[],"failed":0,"failed_by_kind":{},"latency":{"after":null,"before":null,"during":null},"longest_gap_ms":80,"longest_wait_ms":40,"probes":70,"services":[]},"event":"ended","exit":3,"live":"20260503-094502","live_known":true,"live_seconds":0.9,"outcome":"reverted","prepared_from":"20260503-094502","previous":"20260501-120000","release":"20260503-094502","seconds":4.2,"upload_seconds":0.08,"v":1}
    "#]].assert_eq(&out);
}

#[test]
fn every_outcome_has_a_last_line() {
    use Outcome::{
        Degraded, Deployed, Failed, Locked, Pruned, Ready, Reverted, RolledBack, Staged, Unchanged, Unknown,
        Unreachable,
    };
    for outcome in [
        Deployed,
        RolledBack,
        Staged,
        Pruned,
        Unchanged,
        Ready,
        Failed,
        Reverted,
        Degraded,
        Locked,
        Unreachable,
        Unknown,
    ] {
        let screen = Screen::default();
        let failure = match outcome {
            Deployed | RolledBack | Staged | Pruned | Unchanged | Ready => None,
            _ => Some(Failure::new(Exit::Untouched, "it failed")),
        };
        People::new(
            Box::new(screen.clone()),
            Loudness::Quiet,
            false,
            Size::None,
            Typed::default(),
        )
        .event(&ended(outcome, failure));
        assert!(!screen.0.borrow().is_empty(), "{outcome:?}");
    }
}
