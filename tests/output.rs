//! What people and programs see, whole: every event played into each renderer, the text compared.

use std::cell::RefCell;
use std::io::Write;
use std::rc::Rc;
use std::time::Duration;

use expect_test::{Expect, expect};
use shipit::failure::{Exit, Failure, Next, Typed};
use shipit::report::Loudness;
use shipit::report::event::{Downtime, Ended, Event, Outcome, Phase, Report, State};
use shipit::report::json::Json;
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

fn ended(outcome: Outcome, failure: Option<Failure>) -> Event {
    Event::Ended(Box::new(Ended {
        outcome,
        exit: failure.as_ref().map_or(Exit::Done, |f| f.exit),
        release: Some("20260503-094502".into()),
        previous: Some("20260501-120000".into()),
        live: Some("20260503-094502".into()),
        took: Duration::from_millis(4200),
        live_after: Some(Duration::from_millis(900)),
        bytes_sent: 24_100,
        downtime: Some(Downtime {
            probes: 70,
            failed: 0,
            longest_gap_ms: 80,
        }),
        failure,
        next: vec![Next::shipit("rollback")],
    }))
}

fn good() -> Vec<Event> {
    vec![
        Event::Started {
            command: "deploy",
            app: "acme".into(),
            host: "deploy@example.org".into(),
            release: None,
        },
        step(Phase::Stage, "build", State::Started, None),
        log("build", b"compiling \x1b[31mred\x1b[0m"),
        step(Phase::Stage, "build", State::Done, None),
        Event::Progress { sent: 10, total: 100 },
        step(Phase::Switch, "flip 20260503-094502", State::Done, None),
        Event::Warning {
            text: "a warning".into(),
        },
        ended(Outcome::Deployed, None),
    ]
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
        log("journal", b"09:45:02 acme[12]: boom"),
        ended(Outcome::Reverted, Some(failure)),
    ]
}

fn people(events: &[Event], loudness: Loudness, colour: bool, expected: &Expect) {
    let screen = Screen::default();
    let mut people = People::new(Box::new(screen.clone()), loudness, colour, false, Typed::default());
    for event in events {
        people.event(event);
    }
    let text = String::from_utf8(screen.0.borrow().clone()).unwrap();
    expected.assert_eq(&text.replace('\x1b', "<ESC>"));
}

#[test]
fn a_good_deploy_is_a_line_a_step_and_ends_with_what_is_live() {
    people(
        &good(),
        Loudness::Normal,
        false,
        &expect![[r#"
        deploy acme on deploy@example.org
            build: compiling \x1b[31mred\x1b[0m
          ok      build                                0.42s
          ok      flip 20260503-094502                 0.42s
          warning: a warning
        deployed 20260503-094502: live and verified in 4.20s (live after 0.90s), 24.1 kB sent
        downtime: none observed; 70 probes, 0 failed, longest gap between successful responses 80 ms
        next: shipit rollback
    "#]],
    );
}

#[test]
fn a_failed_one_ends_with_a_card() {
    people(
        &bad(),
        Loudness::Normal,
        false,
        &expect![[r#"
              failed  await acme.service                   0.42s  acme.service stopped running
                prepare: held back until it fails
              ok      back: flip 20260501-120000           0.42s
              ok      prune                                0.42s  nothing to do
                journal: 09:45:02 acme[12]: boom
            error: 20260503-094502 failed and was reverted
              why   acme.service stopped running\x1b]0;title\x07
              host  acme runs 20260501-120000, verified again
              next  shipit logs
            downtime: none observed; 70 probes, 0 failed, longest gap between successful responses 80 ms
        "#]],
    );
}

#[test]
fn quiet_says_only_what_went_wrong_and_the_end() {
    people(
        &good(),
        Loudness::Quiet,
        false,
        &expect![[r#"
          warning: a warning
        deployed 20260503-094502: live and verified in 4.20s (live after 0.90s), 24.1 kB sent
        downtime: none observed; 70 probes, 0 failed, longest gap between successful responses 80 ms
        next: shipit rollback
    "#]],
    );
    people(
        &bad(),
        Loudness::Quiet,
        false,
        &expect![[r#"
          failed  await acme.service                   0.42s  acme.service stopped running
            prepare: held back until it fails
        error: 20260503-094502 failed and was reverted
          why   acme.service stopped running\x1b]0;title\x07
          host  acme runs 20260501-120000, verified again
          next  shipit logs
        downtime: none observed; 70 probes, 0 failed, longest gap between successful responses 80 ms
    "#]],
    );
}

#[test]
fn colour_is_ours_alone() {
    people(
        &bad(),
        Loudness::Normal,
        true,
        &expect![[r#"
              <ESC>[31mfailed<ESC>[0m  await acme.service                   0.42s  acme.service stopped running
                prepare: held back until it fails
              <ESC>[32mok<ESC>[0m      back: flip 20260501-120000           0.42s
              <ESC>[32mok<ESC>[0m      prune                                0.42s  nothing to do
                journal: 09:45:02 acme[12]: boom
            <ESC>[31;1merror:<ESC>[0m 20260503-094502 failed and was reverted
              why   acme.service stopped running\x1b]0;title\x07
              host  acme runs 20260501-120000, verified again
              next  shipit logs
            downtime: none observed; 70 probes, 0 failed, longest gap between successful responses 80 ms
        "#]],
    );
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
        {"event":"progress","sent":10,"total":100,"v":1}
        {"event":"step","name":"flip 20260503-094502","note":null,"phase":"switch","seconds":0.42,"state":"done","v":1}
        {"event":"log","line":"a warning","source":"warning","v":1}
        {"bytes_sent":24100,"cause":null,"downtime":{"failed":0,"longest_gap_ms":80,"probes":70},"event":"ended","exit":0,"live":"20260503-094502","live_seconds":0.9,"outcome":"deployed","previous":"20260501-120000","release":"20260503-094502","seconds":4.2,"v":1}
        {"event":"step","name":"await acme.service","note":null,"phase":"switch","seconds":null,"state":"started","v":1}
        {"event":"log","line":"held back until it fails","source":"prepare","v":1}
        {"event":"step","name":"await acme.service","note":"acme.service stopped running","phase":"switch","seconds":0.42,"state":"failed","v":1}
        {"event":"step","name":"flip 20260501-120000","note":null,"phase":"revert","seconds":0.42,"state":"done","v":1}
        {"event":"step","name":"prune","note":"nothing to do","phase":"settle","seconds":0.42,"state":"done","v":1}
        {"event":"log","line":"09:45:02 acme[12]: boom","source":"journal","v":1}
        {"bytes_sent":24100,"cause":{"host":"acme runs 20260501-120000, verified again","next":["shipit logs"],"what":"20260503-094502 failed and was reverted","why":["acme.service stopped running\u001b]0;title\u0007"]},"downtime":{"failed":0,"longest_gap_ms":80,"probes":70},"event":"ended","exit":3,"live":"20260503-094502","live_seconds":0.9,"outcome":"reverted","previous":"20260501-120000","release":"20260503-094502","seconds":4.2,"v":1}
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
            false,
            Typed::default(),
        )
        .event(&ended(outcome, failure));
        assert!(!screen.0.borrow().is_empty(), "{outcome:?}");
    }
}
