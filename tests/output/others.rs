//! How commands beside a good and a failed deploy end, at three widths: the files in `screens` are what a user sees.

use expect_test::expect_file;

use super::*;

/// The story of a command on host deploy@example.org, and its end.
fn story(command: &'static str, steps: &[(Phase, &str)], ended: Ended) -> Vec<Event> {
    let mut events = vec![Event::Started {
        command,
        app: "acme".into(),
        host: "deploy@example.org".into(),
        release: ended.release.clone(),
    }];
    for (phase, name) in steps {
        events.push(step(*phase, name, State::Started, None));
        events.push(step(*phase, name, State::Done, None));
    }
    events.push(Event::Measured(ended.downtime.clone().map(Box::new)));
    events.push(Event::Ended(Box::new(ended)));
    events
}

#[track_caller]
fn screen(name: &str, events: &[Event]) {
    let mut all = String::new();
    for columns in [40, 80, 120] {
        let text = drawn(events, self::columns(columns), Loudness::Normal, false);
        let wide = |line: &&str| line.chars().count() > columns && !line.contains("next");
        let wide = text.lines().find(wide);
        assert_eq!(wide, None, "{name} at {columns}");
        all.push_str(&format!("{columns} columns\n{}\n{text}\n", "-".repeat(columns)));
    }
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/output/screens");
    expect_file![path.join(format!("{name}.txt"))].assert_eq(&all);
}

#[test]
fn rollback_stage_prune_and_attach() {
    let Event::Ended(good) = ended(Outcome::RolledBack, None) else {
        panic!("no end")
    };
    let back = [
        (Phase::Switch, "baseline acme.service"),
        (Phase::Switch, "flip 20260503-094502"),
        (Phase::Switch, "restart acme.service"),
        (Phase::Switch, "await acme.service"),
        (Phase::Switch, "confirm"),
        (Phase::Settle, "spare"),
    ];
    let next = vec![Next::shipit("releases")];
    let forward = Next::shipit("rollback 20260501-120000").remark("returns to the release that was live before");
    let rolled = Ended {
        next: vec![forward],
        ..(*good).clone()
    };
    screen("rollback", &story("rollback", &back, rolled));

    let stage = ["build", "receive", "verify", "link", "publish"].map(|name| (Phase::Stage, name));
    let staged = Ended {
        outcome: Outcome::Staged,
        downtime: None,
        live_after: None,
        next: vec![Next::shipit("deploy --release 20260503-094502").remark("makes it live")],
        ..(*good).clone()
    };
    let mut events = story("deploy", &stage, staged);
    let progress = Event::Progress {
        sent: 4_000_000,
        total: 4_000_000,
        reused: 39_900_000,
    };
    events.insert(4, progress);
    screen("stage-only", &events);

    let pruned = Ended {
        outcome: Outcome::Pruned,
        downtime: None,
        release: None,
        next: next.clone(),
        ..(*good).clone()
    };
    screen("prune", &story("prune", &[(Phase::Settle, "prune")], pruned));

    let deployed = Ended {
        outcome: Outcome::Deployed,
        ..*good
    };
    let mut followed = story("attach", &back[2..], deployed);
    followed.insert(
        3,
        Event::Warning {
            text: "the connection broke while following the switch; the host continues on its own; reconnecting".into(),
        },
    );
    screen("attach", &followed);
}

#[test]
fn a_locked_host_and_an_unknown_outcome() {
    let of = |outcome, failure| story("deploy", &[], Ended::new(outcome, Some(failure)));
    let locked = Failure::new(
        Exit::Locked,
        "another switch is in progress: bob@a-long-name.example.org",
    )
    .why("deploy to 20260503-094502, since 2026-05-03T09:45:02Z")
    .why("at await acme.service")
    .host("acme runs 20260501-120000")
    .next(Next::shipit("attach").remark("follows it"))
    .next(Next::shipit("deploy --wait").remark("deploys after it ends"));
    screen("locked", &of(Outcome::Locked, locked));
    let unknown = Failure::new(Exit::Unknown, "the outcome is unknown")
        .why("shipit was interrupted while the host was switching")
        .host("the host finishes the switch or undoes it on its own")
        .next(Next::shipit("status"))
        .next(Next::shipit("attach"));
    screen("unknown", &of(Outcome::Unknown, unknown));
}

#[test]
fn a_switch_that_a_user_canceled_did_not_fail() {
    let mut events = good();
    let at = events
        .iter()
        .position(|event| matches!(event, Event::Wait { .. }))
        .unwrap();
    events.truncate(at);
    let failure = Failure::new(Exit::Reverted, "20260503-094502 was canceled")
        .why("canceled by a user")
        .host("acme runs 20260501-120000 again, verified")
        .next(Next::shipit("deploy"));
    let Event::Ended(mut end) = ended(Outcome::Reverted, Some(failure)) else {
        panic!("no end")
    };
    end.canceled = true;
    let measured = end.downtime.as_mut().unwrap();
    (measured.failed, measured.longest_gap_ms) = (3, 240);
    events.extend([
        Event::Warning {
            text: "asking the host to revert; Ctrl-C again ends only this client: the host continues on its own".into(),
        },
        Event::Canceled,
        step(
            Phase::Switch,
            "await acme.service",
            State::Failed,
            Some("canceled by a user"),
        ),
        step(Phase::Revert, "flip 20260501-120000", State::Done, None),
        step(Phase::Revert, "restart acme.service", State::Done, None),
        step(Phase::Revert, "await acme.service", State::Done, None),
        Event::Measured(end.downtime.clone().map(Box::new)),
        log("journal", b"09:45:02 acme[12]: starting"),
        Event::Ended(end),
    ]);
    screen("canceled", &events);
}
