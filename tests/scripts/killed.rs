//! Every external command of a script is a moment at which it can die. After each: `current` resolves, and the
//! same thing done again comes to a good end.

use std::os::unix::process::ExitStatusExt;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::*;

/// Lets a script die at every `stride`-th of its external commands, before and after; false ends the sweep.
/// How many commands it has.
pub(super) fn sweep(stride: usize, case: impl Fn(Fault) -> bool + Sync) -> usize {
    let next = AtomicUsize::new(1);
    let over = AtomicUsize::new(usize::MAX);
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                loop {
                    let at = next.fetch_add(stride, Ordering::SeqCst);
                    if at >= over.load(Ordering::SeqCst) {
                        break;
                    }
                    let struck = ["before", "after"].map(|when| case(Fault { at, when }));
                    if !struck[0] {
                        over.fetch_min(at, Ordering::SeqCst);
                    }
                }
            });
        }
    });
    over.load(Ordering::SeqCst) - 1
}

fn killed(out: &Output) -> bool {
    out.status.signal() == Some(9)
}

/// What must hold once no request is left.
fn assert_rest(world: &World, fault: Fault) {
    let told = format!("{fault:?}\n{}\n{}", world.read("ledger"), world.read("runs/r1/events"));
    assert!(!world.state("request").exists(), "the request stayed: {told}");
    let live = world.current();
    assert_eq!(world.runs("acme.service"), live, "runs something else: {told}");
    let ledger = world.read("ledger");
    assert_eq!(live == "new", ledger.contains(" r1 verified new"), "{told}");
    let outcome = if live == "new" {
        "ended deployed new"
    } else {
        "ended reverted old"
    };
    let events = world.read("runs/r1/events");
    assert!(events.lines().last().unwrap().contains(outcome), "{told}");
    for left in ["current.tmp", "spare.tmp", "degraded"] {
        assert!(!world.state(left).exists(), "{left} is left: {told}");
    }
    assert!(world.state("spare/request").exists(), "no spare: {told}");
}

fn conductor_dies(stride: usize, prepare: impl Fn(&World) + Sync) -> usize {
    sweep(stride, |fault| {
        let world = World::new(SHELLS[0]);
        prepare(&world);
        world.request("r1", SWITCH);
        let out = world.conductor(fault);
        let struck = killed(&out);
        world.current();
        if struck && fault.when == "after" {
            // The power went: first the boot unit.
            world.run(CONDUCTOR, &[world.root().to_str().unwrap(), "boot"], NO_FAULT);
            let confirmed = world.state("runs/r1/confirmed").exists();
            let begun = world.state("runs/r1/begun").exists();
            if begun && !confirmed {
                assert_eq!(world.current(), "old", "{fault:?}: booted on what nobody confirmed");
            }
        }
        world.conductor(NO_FAULT);
        assert_rest(&world, fault);
        struck
    })
}

#[test]
fn a_conductor_that_dies_at_any_command_is_followed_by_one_that_ends_well() {
    let moments = conductor_dies(1, |_| {});
    eprintln!("the conductor died before and after each of {moments} commands");
    assert!(moments > 30, "{moments}");
}

#[test]
fn a_conductor_that_dies_at_any_command_of_going_back_goes_back_in_the_end() {
    let moments = conductor_dies(3, |world| {
        fs::write(world.dir.path().join("units/acme.service/crash"), "").unwrap();
    });
    eprintln!("and, with a release that crashes, of {moments}");
    assert!(moments > 40, "{moments}");
}

#[test]
fn a_request_that_dies_at_any_command_is_placed_whole_or_not_at_all() {
    let moments = sweep(1, |fault| {
        let world = World::new(SHELLS[0]);
        let text = request("r1", SWITCH);
        let out = world.script("request", &["r1", "1", &text], fault);
        let again = world.script("request", &["r2", "1", &request("r2", SWITCH)], NO_FAULT);
        match again.status.code() {
            Some(0) => assert_eq!(said(&again), "placed\n"),
            Some(30) => assert_eq!(world.read("request"), text, "{fault:?}"),
            _ => panic!("{fault:?}: {again:?}"),
        }
        world.conductor(NO_FAULT);
        assert_eq!(
            (world.current(), world.runs("acme.service")),
            ("new".into(), "new".into())
        );
        killed(&out)
    });
    assert!(moments > 3, "{moments}");
}

#[test]
fn a_release_that_can_be_seen_is_known_to_the_ledger_wherever_publishing_died() {
    let moments = sweep(1, |fault| {
        let world = World::new(SHELLS[0]);
        let fill = |id: &str| {
            fs::create_dir_all(world.root().join("releases").join(format!(".in-{id}"))).unwrap();
            fs::create_dir_all(world.state("releases").join(format!(".in-{id}"))).unwrap();
        };
        fill("20260101-000000");
        let out = world.script("publish", &["20260101-000000", "by=me"], fault);
        fill("20260101-000001");
        let again = world.script("publish", &["20260101-000001", "by=me"], NO_FAULT);
        assert!(again.status.success(), "{fault:?}: {again:?}");
        for seen in fs::read_dir(world.root().join("releases")).unwrap() {
            let name = seen.unwrap().file_name().into_string().unwrap();
            if !name.starts_with('.') {
                assert!(
                    world.read("ledger").contains(&format!("staged {name}\n")),
                    "{fault:?}: {name}"
                );
                assert_eq!(
                    fs::read_link(world.state("links").join(&name)).unwrap(),
                    Path::new("releases").join(&name)
                );
            }
        }
        assert_eq!(world.current(), "old");
        killed(&out)
    });
    assert!(moments > 8, "{moments}");
}

#[test]
fn a_setup_that_dies_while_it_adopts_a_tree_adopts_all_of_it_the_next_time() {
    let moments = sweep(1, |fault| {
        let world = World::new(SHELLS[0]);
        fs::remove_dir_all(world.state("")).unwrap();
        let root = world.root();
        for id in ["20250101000000", "20250202000000"] {
            fs::create_dir(root.join("releases").join(id)).unwrap();
        }
        fs::remove_file(root.join("current")).unwrap();
        symlink(root.join("releases/20250202000000"), root.join("current")).unwrap();
        world.unit("");
        let args = ["acme", "root", "root", "path", "service", "boot", "rule", "no"];
        let out = world.script("setup", &args, fault);
        world.current();
        let again = world.script("setup", &args, NO_FAULT);
        assert!(again.status.success(), "{fault:?}: {again:?}");
        let ledger = world.read("ledger");
        for id in ["20250101000000", "20250202000000"] {
            assert_eq!(
                ledger.matches(&format!("adopted {id}\n")).count(),
                1,
                "{fault:?}: {ledger}"
            );
        }
        assert_eq!(
            fs::read_link(root.join("current")).unwrap(),
            Path::new("releases/20250202000000")
        );
        killed(&out)
    });
    assert!(moments > 15, "{moments}");
}
