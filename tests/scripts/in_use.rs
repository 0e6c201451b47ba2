//! Prune: a release that a process runs from stays, and so does every one while it is not known which do.

use super::*;

/// Prunes `third`, and says whether it is still there, the events, and how many commands that had.
fn pruned(world: &World, fault: Fault) -> (bool, String, usize) {
    let third = world.root().join("releases/third");
    fs::create_dir_all(&third).unwrap();
    drop(fs::remove_dir_all(world.state("runs/r1")));
    world.request("r1", "settle prune releases=third\n");
    world.conductor(fault);
    let calls = fs::read_dir(world.dir.path().join("calls")).unwrap().count();
    if fault != NO_FAULT {
        world.conductor(NO_FAULT);
    }
    let epoch = "t 0 - staged old\nt 1 r0 begin old\nt 1 r0 live old\nt 1 r0 verified old\n";
    fs::write(world.state("ledger"), epoch).unwrap();
    (third.exists(), world.read("runs/r1/events"), calls)
}

#[test]
fn a_release_stays_while_a_process_runs_from_it_or_it_is_not_known_whether_one_does() {
    under_each_shell(|world| {
        let at = |path: &str| world.root().join("releases").join(path).display().to_string();
        const KERNEL: u32 = 0x0020_8040;
        for (state, flags, cwd, kept, why) in [
            ("S", 0, Some(at("third")), true, "third is in use by process 77"),
            ("S", 0, Some(at("third/sub dir")), true, "third is in use by process 77"),
            (
                "S",
                0,
                Some(at("third (deleted)")),
                true,
                "third is in use by process 77",
            ),
            ("S", 0, Some(at("third-2")), false, "pruned third"),
            ("S", 0, Some("/opt/other/releases/third".into()), false, "pruned third"),
            ("S", 0, None, true, "some processes cannot be read"),
            ("Z", 0, None, false, "pruned third"),
            ("S", KERNEL, None, false, "pruned third"),
        ] {
            world.process(77, state, flags, cwd.as_deref());
            let (there, events, _) = pruned(&world, NO_FAULT);
            assert_eq!(there, kept, "{state} {flags} {cwd:?}: {events}");
            assert!(events.contains(why), "{state} {flags} {cwd:?}: {events}");
        }
        // A process of any user can have such a name, and die unread.
        for (state, kept) in [("Z", false), ("S", true)] {
            world.process(77, state, 0, None);
            let stat = format!("77 (a\nb) {state} 1 1 1 0 -1 0 7 0\n");
            fs::write(world.dir.path().join("proc/77/stat"), stat).unwrap();
            let (there, events, _) = pruned(&world, NO_FAULT);
            assert_eq!(there, kept, "{state}: {events}");
        }
        fs::remove_dir_all(world.dir.path().join("proc/77")).unwrap();
        fs::remove_dir_all(world.dir.path().join("proc/1")).unwrap();
        world.process(99, "S", 0, Some("/"));
        let (there, events, _) = pruned(&world, NO_FAULT);
        assert!(there, "the processes of others are hidden: {events}");
    });
}

#[test]
fn no_command_that_fails_while_it_looks_lets_a_release_go_that_is_in_use() {
    let world = World::new(SHELLS[0]);
    let cwd = world.root().join("releases/third").display().to_string();
    world.process(77, "S", 0, Some(&cwd));
    for at in 1..200 {
        for when in ["fails", "undone"] {
            let (there, events, calls) = pruned(&world, Fault { at, when });
            assert!(there, "command {at} {when}: {events}");
            if calls < at {
                return;
            }
        }
    }
    panic!("it has no end");
}

/// The conductor believes an answer that ends with `whole`; where it has none, all that it could not read counts as in
/// use.
#[test]
fn root_answers_for_a_release_in_use_whichever_command_fails() {
    let text = shipit::remote::JOURNAL_HELPER.replace("PATH=/usr/sbin", "PATH=/usr/local/sbin:/usr/sbin");
    under_each_shell(|world| {
        let cwd = world.root().join("releases/third").display().to_string();
        world.process(77, "S", 0, Some(&cwd));
        let query = format!("in-use {}\nend\n", world.root().display());
        let answer = |fault| world.given_with(&text, &["acme.service"], query.as_bytes(), fault);
        assert_eq!(said(&answer(NO_FAULT)), "third 77\nwhole\n");
        for at in 1..100 {
            for when in ["fails", "undone"] {
                let out = answer(Fault { at, when });
                let told = said(&out);
                let named = ["third 77\n", "? 77\n"].iter().any(|line| told.contains(line));
                assert!(named || !told.ends_with("whole\n"), "command {at} {when}: {out:?}");
                if fs::read_dir(world.dir.path().join("calls")).unwrap().count() < at {
                    assert!(at > 4, "{at}");
                    return;
                }
            }
        }
        panic!("it has no end");
    });
}
