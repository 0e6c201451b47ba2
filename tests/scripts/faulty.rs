//! Every external command of the conductor is one that can fail, before its work or after it, or hang. After each: what
//! was told is true, nobody waits for the host, and it runs what `current` names.

use super::killed::sweep;
use super::*;

/// Places a whole switch.
fn place(world: &World) {
    let text = request("r1", &patient()).replace("since now", "since 2026-01-01T00:00:00Z");
    let out = world.script("request", &["r1", "1", &text], NO_FAULT);
    assert_eq!(said(&out), "placed\n", "{out:?}");
}

/// Carries the request on as PID 1 does, until it is gone.
fn until_gone(world: &World) {
    for _ in 0..6 {
        if world.state("request").is_symlink() || world.state("request").exists() {
            world.conductor(NO_FAULT);
        }
    }
}

/// What must hold at the end, whatever failed on the way.
#[track_caller]
fn assert_true(world: &World, faults: &[Fault]) {
    let (ledger, events) = (world.read("ledger"), world.read("runs/r1/events"));
    let told = format!("{faults:?}\n{ledger}\n{events}");
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
    assert_eq!(end == "deployed new", live == "new", "{told}");
    assert!(live == "old" || ledger.contains(" r1 verified new\n"), "{told}");
    assert!(ledger.contains(" 2 r1 begin new command=deploy\n"), "{told}");
    for line in ledger.lines().filter(|line| line.contains(" r1 ")) {
        let words: Vec<&str> = line.split(' ').collect();
        assert!(words[0].len() == 20 && words[1] == "2" && words.len() >= 5, "{told}");
    }
}

/// A switch of which each of these commands fails, once.
fn fails(stride: usize, whens: &[&'static str], text: &str, prepare: impl Fn(&World) + Sync) -> usize {
    sweep(stride, whens, |fault| {
        let world = World::new(SHELLS[0]);
        prepare(&world);
        place(&world);
        world.run(text, &[world.root().to_str().unwrap()], fault);
        let struck = world.dir.path().join("calls").join(fault.at.to_string()).exists();
        until_gone(&world);
        assert_true(&world, &[fault]);
        struck
    })
}

fn crash(world: &World) {
    fs::write(world.dir.path().join("units/acme.service/crash"), "").unwrap();
}

/// The strides have no factor in common with each other, nor with 2: no place is passed over by all.
#[test]
fn a_command_that_fails_leaves_a_true_outcome_and_a_host_that_works() {
    let commands = fails(3, &["fails", "undone"], CONDUCTOR, |_| {});
    assert!(commands > 40, "{commands}");
    let commands = fails(7, &["fails", "undone"], CONDUCTOR, crash);
    assert!(commands > 40, "{commands}");
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
    let commands = fails(13, &["hangs"], &text, |_| {});
    assert!(commands > 40, "{commands}");
}

/// What cannot be read now is not proven to be no request: a switch that was not confirmed would stay.
#[test]
fn a_conductor_that_is_killed_after_the_flip_and_then_cannot_read_is_started_again_until_it_can() {
    under_each_shell(|world| {
        place(&world);
        let killed = Fault { at: 20, when: "before" };
        world.conductor(killed);
        assert_eq!(world.current(), "new", "killed too early");
        for at in [1, 2] {
            let fault = Fault { at, when: "fails" };
            world.conductor(fault);
            assert!(world.state("request").exists(), "{fault:?}");
        }
        until_gone(&world);
        assert_true(&world, &[killed]);
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
            place(&world);
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
            assert_true(&world, &faults);
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
        place(&world);
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
