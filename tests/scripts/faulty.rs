//! Every external command of the conductor is one that can fail, before its work or after it, or hang. After each: what
//! was told is true, nobody waits for the host, and it runs what `current` names.

use shipit::observed::ledger::{Ledger, State};

use super::killed::{sweep, sweep_from};
use super::*;

const MIGRATION: &str = "acme-migrate.service";

/// What a request asks for, and the host that it is for.
struct Change {
    command: &'static str,
    from: &'static str,
    to: &'static str,
    lists: String,
    prepare: fn(&World),
}

fn deploy() -> Change {
    Change {
        command: "deploy",
        from: "old",
        to: "new",
        lists: patient(),
        prepare: |_| {},
    }
}

fn crashing() -> Change {
    Change {
        prepare: |world| fs::write(world.dir.path().join("units/acme.service/crash"), "").unwrap(),
        ..deploy()
    }
}

fn migrating() -> Change {
    Change {
        lists: format!("switch migrate unit={MIGRATION} timeout=60\n{}", patient()),
        prepare: |world| {
            world.unit(MIGRATION);
            let unit = world.dir.path().join("units").join(MIGRATION);
            fs::write(unit.join("oneshot"), "").unwrap();
            fs::write(unit.join("down"), "").unwrap();
            fs::write(unit.join("shown"), "CollectMode=inactive\n").unwrap();
        },
        ..deploy()
    }
}

fn rollback() -> Change {
    Change {
        command: "rollback",
        from: "new",
        to: "old",
        lists: patient()
            .replace("to=new", "to=")
            .replace("to=old", "to=new")
            .replace("to=\n", "to=old\n")
            .replace("settle", "settle left release=new\nsettle"),
        prepare: |world| {
            fs::remove_file(world.root().join("current")).unwrap();
            symlink("releases/new", world.root().join("current")).unwrap();
            fs::write(world.dir.path().join("units/acme.service/runs"), "releases/new\n").unwrap();
            let ledger = world.read("ledger") + "t 1 r0 live new\nt 1 r0 verified new\n";
            fs::write(world.state("ledger"), ledger).unwrap();
        },
    }
}

/// `third` was live once, and is removed.
fn prune() -> Change {
    Change {
        command: "prune",
        to: "old",
        lists: "settle prune releases=third\nsettle spare\n".into(),
        prepare: |world| {
            fs::create_dir(world.root().join("releases/third")).unwrap();
            fs::create_dir(world.state("releases/third")).unwrap();
            symlink("releases/third", world.state("links/third")).unwrap();
            let ledger = "t 1 r0 verified third\n".to_owned() + &world.read("ledger");
            fs::write(world.state("ledger"), ledger).unwrap();
        },
        ..deploy()
    }
}

/// What became of these releases.
fn states<'a>(lines: impl Iterator<Item = &'a str>, of: &[&str]) -> Vec<Option<State>> {
    let mut ledger = Ledger::default();
    lines.for_each(|line| ledger.push(line));
    of.iter().map(|id| ledger.state(id)).collect()
}

impl Change {
    /// Places the request.
    fn place(&self, world: &World) {
        let Self { command, from, to, .. } = self;
        let text = request("r1", &self.lists)
            .replace("since now", "since 2026-01-01T00:00:00Z")
            .replace("command deploy", &format!("command {command}"))
            .replace("previous old\nnext new", &format!("previous {from}\nnext {to}"));
        let out = world.script("request", &["r1", "1", &text], NO_FAULT);
        assert_eq!(said(&out), "placed\n", "{out:?}");
    }

    /// What must hold at the end, whatever failed on the way.
    #[track_caller]
    fn assert_true(&self, world: &World, faults: &[Fault]) {
        let Self { command, from, to, .. } = self;
        let (ledger, events) = (world.read("ledger"), world.read("runs/r1/events"));
        let told = format!("{command} {faults:?}\n{ledger}\n{events}");
        assert!(!world.state("request").exists(), "the request stayed: {told}");
        assert!(!world.state("request.unreadable").exists(), "put aside: {told}");
        let live = world.current();
        assert_eq!(world.runs("acme.service"), live, "runs something else: {told}");
        let ends: Vec<&str> = events
            .lines()
            .filter_map(|line| line.split_once(" ended ")?.1.split_once(" - "))
            .map(|(end, _)| end)
            .collect();
        let end = *ends.first().unwrap_or_else(|| panic!("nothing was told: {told}"));
        let all = [
            format!("deployed {live}"),
            format!("failed {live}"),
            format!("reverted {live}"),
        ];
        assert!(all.iter().any(|one| one == end), "{told}");
        assert!(ends.iter().all(|other| *other == end), "two outcomes: {told}");
        assert!(
            from == to || (end == format!("deployed {to}")) == (live == *to),
            "{told}"
        );
        assert!(
            live == *from || ledger.contains(&format!(" r1 verified {to}\n")),
            "{told}"
        );
        assert!(
            ledger.contains(&format!(" 2 r1 begin {to} command={command}\n")),
            "{told}"
        );
        let of_run = |line: &&str| line.contains(" r1 ");
        for line in ledger.lines().filter(of_run) {
            let words: Vec<&str> = line.split(' ').collect();
            assert!(words[0].len() == 20 && words[1] == "2" && words.len() >= 5, "{told}");
        }
        assert!(
            world.state("runs/r1/begun").exists() || *command == "prune" || end.starts_with("failed "),
            "{told}"
        );
        // It stopped before anything live changed. Only a migration may have become something else.
        if end.starts_with("failed ") || *command == "prune" {
            let of = if self.lists.contains("switch migrate") {
                &[*from][..]
            } else {
                &[*from, *to]
            };
            let before = states(ledger.lines().filter(|line| !of_run(line)), of);
            assert_eq!(states(ledger.lines(), of), before, "{told}");
            assert_eq!(live, *from, "{told}");
            let asked = fs::read_to_string(world.dir.path().join("units/acme.service/asked"));
            assert_eq!(asked.unwrap_or_default(), "", "{told}");
        }
        let ran = fs::read_to_string(world.dir.path().join("units").join(MIGRATION).join("ran")).unwrap_or_default();
        let once = self.lists.contains("switch migrate") && live == *to;
        assert!(
            ran == "releases/new\n" || ran.is_empty() && !once,
            "migrated {ran:?}: {told}"
        );
        let gone = states(ledger.lines(), &["third"]) == [Some(State::Gone)];
        let third = world.root().join("releases/third").exists();
        assert!(
            *command != "prune" || gone != third,
            "gone: {gone}, there: {third}: {told}"
        );
    }

    /// A run of which each of these commands fails, once.
    fn fails(&self, shell: usize, (first, stride): (usize, usize), whens: &[&'static str], text: &str) -> usize {
        sweep_from(first, stride, whens, |fault| {
            let world = World::new(SHELLS[shell]);
            (self.prepare)(&world);
            self.place(&world);
            world.run(text, &[world.root().to_str().unwrap()], fault);
            let struck = world.dir.path().join("calls").join(fault.at.to_string()).exists();
            until_gone(&world);
            self.assert_true(&world, &[fault]);
            struck
        })
    }
}

/// Carries the request on as PID 1 does, until it is gone.
fn until_gone(world: &World) {
    for _ in 0..6 {
        if world.state("request").is_symlink() || world.state("request").exists() {
            world.conductor(NO_FAULT);
        }
    }
}

/// Each kind of command at least once over the two shells. The strides have no factor in common with each other, but for
/// those that share the places of a list: no place is passed over by all.
#[test]
fn a_command_that_fails_leaves_a_true_outcome_and_a_host_that_works() {
    let both = &["fails", "undone"][..];
    for (change, shell, places, whens) in [
        (prune(), 0, (1, 4), &["undone"][..]),
        (prune(), 1, (3, 4), &["fails"]),
        (migrating(), 0, (1, 4), &["fails"]),
        (migrating(), 1, (3, 4), &["undone"]),
        (crashing(), 0, (1, 7), both),
        (rollback(), 0, (1, 9), both),
    ] {
        let commands = change.fails(shell, places, whens, CONDUCTOR);
        assert!(commands > 40, "{} {commands}", change.command);
    }
}

/// The deadlines themselves, only shorter.
#[test]
fn a_command_that_hangs_is_ended_by_its_deadline() {
    let text = CONDUCTOR
        .replace("-k 5 ${deadline_of#*:}", "-k 1 4")
        .replace("-k 5 240", "-k 1 4");
    assert!(
        text.matches("-k 1 4").count() == 5,
        "the deadlines have other words now"
    );
    let commands = deploy().fails(0, (1, 13), &["hangs"], &text);
    assert!(commands > 40, "{commands}");
}

/// What cannot be read now is not proven to be no request: a switch that was not confirmed would stay.
#[test]
fn a_conductor_that_is_killed_after_the_flip_and_then_cannot_read_is_started_again_until_it_can() {
    under_each_shell(|world| {
        deploy().place(&world);
        let killed = Fault { at: 20, when: "before" };
        world.conductor(killed);
        assert_eq!(world.current(), "new", "killed too early");
        for at in [1, 2] {
            let fault = Fault { at, when: "fails" };
            world.conductor(fault);
            assert!(world.state("request").exists(), "{fault:?}");
        }
        until_gone(&world);
        deploy().assert_true(&world, &[killed]);
        assert_eq!(world.current(), "old");
    });
}

/// Two faults in a row: killed at a mark, and then one of the first commands fails.
#[test]
fn two_faults_in_a_row_leave_a_true_outcome_and_a_host_that_works() {
    let marks = [3, 8, 11, 15, 22, 28, 30, 60];
    let cases = sweep(1, &["after"], |fault| {
        let Some(at) = marks.get(fault.at - 1) else {
            return false;
        };
        for second in [1, 5, 9] {
            let world = World::new(SHELLS[0]);
            deploy().place(&world);
            let faults = [
                Fault { at: *at, when: "after" },
                Fault {
                    at: second,
                    when: "fails",
                },
            ];
            for fault in faults {
                if world.state("request").exists() {
                    world.conductor(fault);
                }
            }
            until_gone(&world);
            deploy().assert_true(&world, &faults);
        }
        true
    });
    assert_eq!(cases, marks.len());
}

#[test]
fn what_commands_that_died_left_is_removed_by_the_next_run_and_nothing_else() {
    under_each_shell(|world| {
        for orphan in ["links/20260101-000000", "conductor.new.999999999", "request.unreadable"] {
            fs::write(world.state(orphan), "").unwrap();
        }
        fs::create_dir(world.state("releases/20260101-000000")).unwrap();
        fs::create_dir(world.state("releases/.in-20260101-000001")).unwrap();
        // One that is arriving, one that is being published, and one that was live and is somewhere else now.
        let arriving = format!("conductor.new.{}", std::process::id());
        fs::write(world.state(&arriving), "").unwrap();
        fs::create_dir_all(world.root().join("releases/.in-20260101-000002")).unwrap();
        fs::write(world.state("links/20260101-000002"), "").unwrap();
        fs::create_dir(world.state("releases/moved")).unwrap();
        let ledger = world.read("ledger") + "t 1 r0 verified moved\n";
        fs::write(world.state("ledger"), ledger).unwrap();
        symlink("old", world.root().join("releases/.in-old")).unwrap();
        deploy().place(&world);
        world.conductor(NO_FAULT);
        assert_eq!(world.current(), "new", "{}", world.read("runs/r1/events"));
        assert!(!world.root().join("releases/.in-old").is_symlink());
        for gone in [
            "links/20260101-000000",
            "releases/20260101-000000",
            "releases/.in-20260101-000001",
            "conductor.new.999999999",
            "request.unreadable",
        ] {
            assert!(!world.state(gone).exists(), "{gone}");
        }
        for kept in [
            arriving.as_str(),
            "links/20260101-000002",
            "releases/moved",
            "links/old",
            "links/new",
        ] {
            assert!(world.state(kept).symlink_metadata().is_ok(), "{kept}");
        }
    });
}
