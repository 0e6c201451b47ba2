//! A deploy that fails, on screens of several widths and in files: what failed, its last words, and what to type.

use super::*;

use std::iter;

use shipit::cache::Shelf;
use shipit::report::{json, sentence};

#[test]
fn a_failed_deploy_fits_one_screen() {
    on(
        &long(),
        columns(40),
        Loudness::Normal,
        false,
        &expect![[r#"
              ok         1.26s  baseline, flip,…
              failed     0.42s  await acme.service:
                                acme.service was no…
              reverted   1.26s  acme.service
                … 28 earlier lines: see `next`
                09:45:29 acme[12]: try 29
                09:45:30 acme[12]: try 30
            downtime: 0 failed, wait 0.04s
            error: 20260503-094502 failed and was
                   reverted
              why   acme.service was not healthy
                    after 30s: /healthz answered
                    503, not 200
              why   last output of acme.service:
                    cannot connect to the database…
              host  acme runs 20260501-120000,
                    verified again; the migration of
                    20260503-094502 ran, and the
                    changes it made remain
              next  shipit logs --release 20260503-094502
                    # the journal of that release
        "#]],
    );
    on(
        &long(),
        columns(80),
        Loudness::Normal,
        true,
        &expect![[r#"
              <ESC>[32mok       <ESC>[0m  0.42s  baseline acme.service
              <ESC>[32mok       <ESC>[0m  0.42s  flip 20260503-094502
              <ESC>[32mok       <ESC>[0m  0.42s  restart acme.service
              <ESC>[31;1mfailed   <ESC>[0m  0.42s  await acme.service: acme.service was not healthy after 30s:
                                http://127.0.0.1:8080/healthz answered 503, not 200
              <ESC>[32mreverted <ESC>[0m  1.26s  acme.service
                … 24 earlier lines of the journal: see `next`
                09:45:25 acme[12]: try 25
                09:45:26 acme[12]: try 26
                09:45:27 acme[12]: try 27
                09:45:28 acme[12]: try 28
                09:45:29 acme[12]: try 29
                09:45:30 acme[12]: try 30
            downtime: no request failed; the longest wait was 0.04s (70 probes)
            <ESC>[31;1merror:<ESC>[0m <ESC>[1m20260503-094502 failed and was reverted<ESC>[0m
              why   acme.service was not healthy after 30s: http://127.0.0.1:8080/healthz
                    answered 503, not 200
              why   last output of acme.service: cannot connect to the database at
                    /run/postgresql/.s.PGSQL.5432
              host  acme runs 20260501-120000, verified again; the migration of
                    20260503-094502 ran, and the changes it made remain
              next  shipit logs --release 20260503-094502    # the journal of that release
        "#]],
    );
    on(
        &long(),
        columns(120),
        Loudness::Normal,
        false,
        &expect![[r#"
              ok         0.42s  baseline acme.service
              ok         0.42s  flip 20260503-094502
              ok         0.42s  restart acme.service
              failed     0.42s  await acme.service: acme.service was not healthy after 30s: http://127.0.0.1:8080/healthz answered
                                503, not 200
              reverted   1.26s  acme.service
                … 21 earlier lines of the journal: see `next`
                09:45:22 acme[12]: try 22
                09:45:23 acme[12]: try 23
                09:45:24 acme[12]: try 24
                09:45:25 acme[12]: try 25
                09:45:26 acme[12]: try 26
                09:45:27 acme[12]: try 27
                09:45:28 acme[12]: try 28
                09:45:29 acme[12]: try 29
                09:45:30 acme[12]: try 30
            downtime: no request failed; the longest wait was 0.04s (70 probes)
            error: 20260503-094502 failed and was reverted
              why   acme.service was not healthy after 30s: http://127.0.0.1:8080/healthz answered 503, not 200
              why   last output of acme.service: cannot connect to the database at /run/postgresql/.s.PGSQL.5432
              host  acme runs 20260501-120000, verified again; the migration of 20260503-094502 ran, and the changes it made remain
              next  shipit logs --release 20260503-094502    # the journal of that release
        "#]],
    );
}

/// The rows that events take on a screen of 24 rows.
fn rows(events: &[Event], columns: usize) -> (usize, String) {
    let text = drawn(events, self::columns(columns), Loudness::Normal, false);
    let rows = text.lines().map(|line| line.chars().count().div_ceil(columns).max(1));
    (rows.sum(), text)
}

#[test]
fn a_failure_never_takes_more_rows_than_the_screen_has() {
    let build = |words: &str| {
        let mut events = vec![step(Phase::Stage, "build", State::Started, None)];
        events.extend((1..=50).map(|n| log("build", format!("line {n} {words}").as_bytes())));
        events.push(step(Phase::Stage, "build", State::Failed, None));
        let failure = Failure::new(Exit::Untouched, "`cargo build --release --locked` failed")
            .why("exit status 101")
            .host("nothing live changed");
        events.push(Event::Ended(Box::new(Ended::new(Outcome::Failed, Some(failure)))));
        events
    };
    let mut noisy = long();
    let end = noisy.pop();
    noisy.extend((0..9).map(|_| log("journal", "a word and another one ".repeat(20).as_bytes())));
    noisy.extend(end);
    let wide = "error: expected one of `,` or `}`, found a line that goes on and on".to_owned();
    for (name, events) in [
        ("long", long()),
        ("noisy", noisy),
        ("build", build("")),
        ("wide build", build(&wide)),
        ("a word of many rows", build(&"x".repeat(300))),
    ] {
        for columns in [40, 60, 80, 120] {
            let (rows, text) = rows(&events, columns);
            assert!(rows <= 22, "{name} at {columns}: {rows} rows\n{text}");
            let last = if name == "long" { "try 30" } else { "" };
            for part in ["failed  ", "error: ", "  why   ", "  host  ", "  next  ", last] {
                assert!(text.contains(part), "{name} at {columns}: no {part}\n{text}");
            }
        }
    }
}

#[test]
fn a_build_that_fails_shows_its_first_and_last_words() {
    let lines = (1..=50).map(|n| log("build", format!("line {n}").as_bytes()));
    let failed = step(Phase::Stage, "build", State::Failed, None);
    let failure = Failure::new(Exit::Untouched, "`build` failed")
        .why("exit status 1")
        .host("nothing live changed");
    let events: Vec<Event> = [step(Phase::Stage, "build", State::Started, None)]
        .into_iter()
        .chain(lines)
        .chain([failed, ended(Outcome::Failed, Some(failure))])
        .collect();
    on(
        &events,
        columns(80),
        Loudness::Normal,
        false,
        &expect![[r#"
              failed     0.42s  build
                line 1
                line 2
                line 3
                line 4
                … 38 more lines; --verbose shows them
                line 43
                line 44
                line 45
                line 46
                line 47
                line 48
                line 49
                line 50
            downtime: no request failed; the longest wait was 0.04s (70 probes)
            error: `build` failed
              why   exit status 1
              host  nothing live changed
              next  shipit    # again
        "#]],
    );
    // In the log of a CI job, all of it.
    let text = drawn(&events, Size::None, Loudness::Normal, false);
    let whole: String = (1..=50).map(|n| format!("    line {n}\n")).collect();
    assert!(text.contains(&format!("build\n{whole}downtime")), "{text}");
    // On a screen, a file has it.
    let dir = tempfile::tempdir().unwrap();
    let screen = Screen::default();
    let out = Box::new(screen.clone());
    let people = People::new(out, Loudness::Normal, false, columns(80), Typed::default());
    let mut people = people.keeping(Some(Shelf::at(dir.path().into(), 1)));
    let started = Event::Started {
        command: "deploy",
        app: "acme".into(),
        host: "h".into(),
        release: None,
    };
    iter::once(&started)
        .chain(&events)
        .for_each(|event| people.event(event));
    let text = String::from_utf8(screen.0.take()).unwrap();
    let path = dir.path().join("acme-build.log");
    let said = text.split_whitespace().collect::<Vec<_>>().join(" ");
    let about = format!("… 38 more lines; all are in {}", path.display());
    assert!(said.contains(&about), "{text}");
    let whole: String = (1..=50).map(|n| format!("line {n}\n")).collect();
    assert_eq!(std::fs::read_to_string(path).unwrap(), whole);
}

#[test]
fn a_failed_one_ends_with_a_card() {
    people(
        &bad(),
        Loudness::Normal,
        false,
        &expect![[r#"
              failed     0.42s  await acme.service: acme.service stopped running
                held back until it fails
              ok         0.42s  prune: nothing to do
              reverted   0.42s
                09:45:02 acme[12]: boom
            downtime: no request failed; the longest wait was 0.04s (70 probes)
            error: 20260503-094502 failed and was reverted
              why   acme.service stopped running\x1b]0;title\x07
              host  acme runs 20260501-120000, verified again
              next  shipit logs
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
              <ESC>[31;1mfailed   <ESC>[0m  0.42s  await acme.service: acme.service stopped running
                held back until it fails
              <ESC>[32mok       <ESC>[0m  0.42s  prune: nothing to do
              <ESC>[32mreverted <ESC>[0m  0.42s
                09:45:02 acme[12]: boom
            downtime: no request failed; the longest wait was 0.04s (70 probes)
            <ESC>[31;1merror:<ESC>[0m <ESC>[1m20260503-094502 failed and was reverted<ESC>[0m
              why   acme.service stopped running\x1b]0;title\x07
              host  acme runs 20260501-120000, verified again
              next  shipit logs
        "#]],
    );
}

#[test]
fn a_step_whose_end_was_not_seen_is_shown_as_open() {
    let failure = Failure::new(Exit::Untouched, "interrupted while sending the release").host("nothing live changed");
    let events = [
        step(Phase::Stage, "receive", State::Done, None),
        step(Phase::Stage, "prepare", State::Started, None),
        log("prepare", b"compiling"),
        Event::Ended(Box::new(Ended::new(Outcome::Failed, Some(failure)))),
    ];
    on(
        &events,
        columns(80),
        Loudness::Normal,
        false,
        &expect![[r#"
              ok         0.42s  send
            error: interrupted while sending the release
              host  nothing live changed
              next  shipit    # again
        "#]],
    );
}

/// Without a live release, a program and its user learn whether none is live, or that this is unknown.
#[test]
fn no_live_release_and_an_unknown_one_are_not_the_same() {
    for (outcome, known, words) in [
        (Outcome::Pruned, true, "; no release is live"),
        (Outcome::Pruned, false, "; it is unknown which release is live"),
        (Outcome::Unchanged, true, "no switch is in progress; no release is live"),
        (
            Outcome::Unchanged,
            false,
            "no switch is in progress; it is unknown which release is live",
        ),
    ] {
        let mut ended = Ended::new(outcome, None);
        assert!(!ended.live_known, "nobody asked the host");
        ended.live_known = known;
        let typed = Typed::default();
        let lines = sentence::ended(&ended, sentence::Before::Folded, "", &typed);
        assert!(lines[0].ends_with(words), "{lines:?}");
        let line = json::line(&Event::Ended(Box::new(ended)), &typed).unwrap();
        let object: serde_json::Value = serde_json::from_str(&line).unwrap();
        assert!(object["live"].is_null(), "{line}");
        assert_eq!(object["live_known"], known, "{line}");
    }
}
