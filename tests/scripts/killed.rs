//! Every external command of a script is a moment at which it can die. After each: `current` resolves, and the
//! same thing done again comes to a good end.

use std::os::unix::process::ExitStatusExt;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::*;

/// Lets a script meet each of these faults at every `stride`-th of its external commands; false ends the sweep.
/// How many commands it has.
pub(super) fn sweep(stride: usize, whens: &[&'static str], case: impl Fn(Fault) -> bool + Sync) -> usize {
    sweep_from(1, stride, whens, case)
}

/// The same, from that command on.
pub(super) fn sweep_from(
    first: usize,
    stride: usize,
    whens: &[&'static str],
    case: impl Fn(Fault) -> bool + Sync,
) -> usize {
    let next = AtomicUsize::new(first);
    let over = AtomicUsize::new(usize::MAX);
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                loop {
                    let at = next.fetch_add(stride, Ordering::SeqCst);
                    if at >= over.load(Ordering::SeqCst) {
                        break;
                    }
                    let struck = whens.iter().all(|when| case(Fault { at, when }));
                    if !struck {
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

pub(super) const KILLED: &[&str] = &["before", "after"];

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
    sweep(stride, KILLED, |fault| {
        let world = World::new(SHELLS[0]);
        prepare(&world);
        world.request("r1", &patient());
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
    let moments = sweep(1, KILLED, |fault| {
        let world = World::new(SHELLS[0]);
        let text = request("r1", &patient());
        let out = world.script("request", &["r1", "1", &text], fault);
        let again = world.script("request", &["r2", "1", &request("r2", &patient())], NO_FAULT);
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
    let moments = sweep(1, KILLED, |fault| {
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

/// What has a name of its own in releases/ and is not published: its upload's name is beside it.
fn unpublished(world: &World) -> Vec<String> {
    let ledger = world.read("ledger");
    let names = fs::read_dir(world.root().join("releases")).unwrap();
    let names = names.map(|seen| seen.unwrap().file_name().into_string().unwrap());
    names
        .filter(|name| !name.starts_with('.') && !ledger.contains(&format!("staged {name}\n")))
        .inspect(|name| {
            let upload = format!(".in-{name}");
            let beside = |path: PathBuf| path.symlink_metadata().is_ok();
            assert!(
                beside(world.root().join("releases").join(&upload)) || beside(world.state("releases").join(&upload)),
                "{name} passes for a release"
            );
        })
        .collect()
}

#[test]
fn a_release_that_is_prepared_at_its_own_path_counts_once_it_is_published_wherever_that_died() {
    const ID: &str = "20260101-000000";
    let command = "case $PWD in */releases/20260101-000000) echo made >made ;; esac; test ! -e /none/bad";
    for (script, args) in [
        ("prepare", &[ID, command, "old", "", "", ""][..]),
        ("prepare", &[ID, "false", "old", "", "", ""]),
        ("publish", &[ID, "by=me", "prepared"]),
    ] {
        let moments = sweep(1, KILLED, |fault| {
            let world = World::new(SHELLS[0]);
            assert!(world.script("hold", &[ID], NO_FAULT).status.success());
            fs::write(world.state("releases/.in-20260101-000000/stamps"), "").unwrap();
            if script == "publish" {
                let prepared = world.script("prepare", &[ID, command, "old", "", "", ""], NO_FAULT);
                assert!(prepared.status.success(), "{prepared:?}");
            }
            let out = world.script(script, args, fault);
            unpublished(&world);
            // A switch in between removes nothing that tells.
            if fault.when == "after" {
                world.request("r1", &patient());
                world.conductor(NO_FAULT);
                unpublished(&world);
            }
            assert!(world.script("hold", &["20260101-000001"], NO_FAULT).status.success());
            assert_eq!(unpublished(&world), Vec::<String>::new(), "{script} {fault:?}");
            let release = world.root().join("releases").join(ID);
            assert!(
                !world.root().join("releases/.in-20260101-000000").is_symlink(),
                "{fault:?}"
            );
            let complete = world.read("ledger").contains(&format!("staged {ID}\n"));
            assert!(complete || script != "publish" || !out.status.success(), "{fault:?}");
            assert_eq!(release.join("made").exists(), complete, "{script} {fault:?}");
            killed(&out)
        });
        assert!(moments > 3, "{script}: {moments}");
    }
}

#[test]
fn what_a_session_left_is_collected_wherever_the_next_one_died_and_never_a_release() {
    const ID: &str = "20260101-000000";
    let moments = sweep(1, &["after"], |fault| {
        let world = World::new(SHELLS[0]);
        let releases = world.root().join("releases");
        // One that is prepared; one that was killed at its end; an upload; and a command that made its directory again.
        for (id, linked) in [(ID, true), ("20260101-000002", false), ("20260101-000003", false)] {
            let upload = format!(".in-{id}");
            fs::create_dir_all(world.state("releases").join(&upload)).unwrap();
            match linked {
                true => symlink(id, releases.join(upload)).unwrap(),
                false => fs::create_dir(releases.join(upload)).unwrap(),
            }
            if id != "20260101-000003" {
                fs::create_dir_all(releases.join(id).join("made")).unwrap();
            }
        }
        symlink("old", releases.join(".in-old")).unwrap();
        // The record is lost, and what is live is still a release.
        fs::write(world.state("ledger"), "t 0 - staged new\n").unwrap();
        let out = world.script("hold", &["20260101-000004"], fault);
        assert!(world.script("hold", &["20260101-000005"], NO_FAULT).status.success());
        assert_eq!(world.current(), "old");
        let mut left: Vec<String> = fs::read_dir(&releases)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        left.sort();
        assert_eq!(left, [".in-20260101-000005", "new", "old"], "{fault:?}");
        killed(&out)
    });
    assert!(moments > 8, "{moments}");
}

#[test]
fn a_release_that_is_being_prepared_is_left_alone_by_other_sessions() {
    let world = World::new(SHELLS[0]);
    let text = |name: &str| {
        shipit::remote::script::ALL
            .iter()
            .find(|known| known.0 == name)
            .unwrap()
            .1
    };
    let session = format!(
        "held() {{\n{}\n}}\nheld \"$@\"\nset -- \"$1\" \"$2\" 'echo >begun; until test -e go; do sleep 0.01; done' old '' '' ''\n\
         (\n{}\n) && (set -- \"$1\" \"$2\" by=me prepared\n>\"$1/.shipit/releases/.in-$2/stamps\"\n{}\n)",
        text("hold"),
        text("prepare"),
        text("publish")
    );
    let args = [world.root().to_str().unwrap().to_owned(), "20260101-000000".into()];
    let mut child = world
        .command(&session, &[&args[0], &args[1]], NO_FAULT)
        .spawn()
        .unwrap();
    let release = world.root().join("releases/20260101-000000");
    bounds::wait_for("prepare", || {
        assert!(child.try_wait().unwrap().is_none());
        release.join("begun").exists()
    });
    assert!(world.script("hold", &["20260101-000000"], NO_FAULT).status.success());
    world.request("r1", &patient());
    world.conductor(NO_FAULT);
    assert_eq!(unpublished(&world), ["20260101-000000"]);
    fs::write(release.join("go"), "").unwrap();
    assert!(child.ends().status.success());
    assert!(world.root().join("releases/.in-20260101-000000-2").is_dir());
    assert!(world.read("ledger").contains("staged 20260101-000000\n"));
}

#[test]
fn a_setup_that_dies_while_it_adopts_a_tree_adopts_all_of_it_the_next_time() {
    let moments = sweep(1, KILLED, |fault| {
        let world = World::new(SHELLS[0]);
        fs::remove_dir_all(world.state("")).unwrap();
        let root = world.root();
        for id in ["20250101000000", "20250202000000"] {
            fs::create_dir(root.join("releases").join(id)).unwrap();
        }
        fs::remove_file(root.join("current")).unwrap();
        symlink(root.join("releases/20250202000000"), root.join("current")).unwrap();
        world.unit("");
        let args = [root.to_str().unwrap(), "acme", "root", "root", "no", "root"];
        let (_, text) = shipit::remote::script::ALL
            .iter()
            .find(|(name, _)| *name == "setup")
            .unwrap();
        let out = world.given_with(text, &args, SETUP_FILES, fault);
        world.current();
        let again = world.given(text, &args, SETUP_FILES);
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
    assert!(moments > 10, "{moments}");
}

/// nginx and Caddy forward by what is in the file system, so it must be right before the app starts, without a conductor.
#[test]
fn after_a_power_cut_the_boot_unit_points_the_router_back() {
    under_each_shell(|world| {
        let at = world.root().join("live").display().to_string();
        let route = |to: &str, from: &str, router: &str, at: &str| {
            format!(
                "revert route to={to} from={from} router={router} at={at} instead=- within=1 kind=none target=\\c status=0 contains=\\c release=-\n"
            )
        };
        let file = |port: u16| world.root().join(format!("live.{port}"));
        let link = world.root().join("live.sock");
        let back = format!(
            "revert flip to=old\n{}{}revert route to=acme/blue from=acme/green router=haproxy at=/none instead=- within=1 kind=none target=\\c status=0 contains=\\c release=-\n",
            route("127.0.0.1:8081", "127.0.0.1:8082", "port", &at),
            route(
                "/run/acme/blue.sock",
                "/run/acme/green.sock",
                "link",
                &link.display().to_string()
            ),
        );
        world.request("r1", &SWITCH.replace("revert flip to=old\n", &back));
        fs::hard_link(world.state("request"), world.state("runs/r1/begun")).unwrap();
        symlink("/run/acme/green.sock", &link).unwrap();
        for (blue, green) in [(false, true), (true, true), (false, false), (true, false)] {
            for (there, port) in [(blue, 8081), (green, 8082)] {
                drop(fs::remove_file(file(port)));
                if there {
                    fs::write(file(port), "").unwrap();
                }
            }
            let out = world.run(CONDUCTOR, &[world.root().to_str().unwrap(), "boot"], NO_FAULT);
            assert!(out.status.success(), "{out:?}");
            assert_eq!((file(8081).exists(), file(8082).exists()), (true, false), "{out:?}");
        }
        assert_eq!(fs::read_link(&link).unwrap().to_str(), Some("/run/acme/blue.sock"));
    });
}
