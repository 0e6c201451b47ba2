//! Scripts that look, with one command that fails, at any place: what they print is then not whole, or it says what
//! could not be read. Nothing that is there is ever missing without a word.

use std::collections::BTreeSet;

use super::*;

/// How many of the fakes were called.
fn calls(world: &World) -> usize {
    fs::read_dir(world.dir.path().join("calls")).unwrap().count()
}

/// What was said, without the numbers that differ from one look to the next.
fn facts(text: &str) -> BTreeSet<String> {
    let steady = |line: &str| match line.split_once(' ') {
        Some((word @ ("time" | "uptime" | "free_kb" | "free_inodes"), _)) => word.to_owned(),
        Some((number, rest)) if number.parse::<u8>().is_ok() && rest.starts_with(|c: char| c.is_ascii_digit()) => {
            number.to_owned()
        }
        _ => line.to_owned(),
    };
    text.lines().map(steady).collect()
}

/// Lets each command of one script fail, before its work and after it. How many there are.
fn fails_anywhere(world: &World, name: &str, args: &[&str]) -> usize {
    let text = |fault| {
        let (_, text) = shipit::remote::script::ALL
            .iter()
            .find(|(known, _)| *known == name)
            .unwrap();
        world.run(text, args, fault)
    };
    let clean = text(NO_FAULT);
    assert!(clean.status.success(), "{name}: {clean:?}");
    let clean = said(&clean);
    assert!(clean.ends_with("whole\n"), "{name}: {clean}");
    let mut at = 1;
    loop {
        // Once under each shell, and each kind under one.
        let all: &[&'static str] = if world.shell == SHELLS[0] {
            &["fails", "undone"]
        } else {
            &["fails"]
        };
        for &when in all {
            let out = text(Fault { at, when });
            if calls(world) < at {
                return at - 1;
            }
            let seen = said(&out);
            if !out.status.success() || !seen.ends_with("whole\n") {
                continue;
            }
            let missing: Vec<_> = facts(&clean).difference(&facts(&seen)).cloned().collect();
            let told = seen.lines().any(|line| line.contains("unreadable"));
            assert!(
                missing.is_empty() || told,
                "{name}: command {at} {when}, and nobody was told: {missing:#?}\n{out:?}"
            );
        }
        at += 1;
        assert!(at < 200, "{name} has no end");
    }
}

/// From the moment a request may be in place, who asked for it hears how it ends or takes it away.
#[test]
fn a_request_whose_script_failed_is_placed_or_can_be_withdrawn_and_never_both() {
    for shell in SHELLS {
        let mut at = 1;
        loop {
            let mut struck = false;
            for when in ["fails", "undone", "before", "after"] {
                let world = World::new(shell);
                let out = world.script("request", &["r1", "1", &request("r1", SWITCH)], Fault { at, when });
                if calls(&world) < at {
                    continue;
                }
                struck = true;
                let told = format!("{shell:?}: command {at} {when}: {out:?}");
                let placed = world.state("request").exists();
                match out.status.code() {
                    Some(0) => assert!(placed, "{told}"),
                    Some(30 | 31 | 33) => panic!("nobody else was there: {told}"),
                    _ => {}
                }
                let mut late = Fault { at: 1, when };
                loop {
                    let out = world.script("withdraw", &["r1", "ended"], late);
                    if out.status.success() {
                        break;
                    }
                    late.at += 1;
                    assert!(late.at < 200, "it is never withdrawn: {told}: {out:?}");
                }
                assert!(!world.state("request").exists(), "{told}");
                world.conductor(NO_FAULT);
                assert_eq!(world.current(), "old", "{told}");
                // Its script died on the way, or was only late: it is refused when it comes again.
                if !world.state("runs/r1/request").exists() {
                    world.script("withdraw", &["r1", "late"], NO_FAULT);
                    let late = world.script("request", &["r1", "1", &request("r1", SWITCH)], NO_FAULT);
                    assert_eq!(late.status.code(), Some(33), "{told}");
                }
            }
            if !struck {
                assert!(at > 5, "{at}");
                break;
            }
            at += 1;
        }
    }
}

/// A host with something of each kind to see.
fn full(shell: &'static [&'static str]) -> World {
    let world = World::new(shell);
    fs::write(world.state("conductor"), "x").unwrap();
    fs::write(world.state("degraded"), "run r0\n").unwrap();
    fs::create_dir(world.state("spare")).unwrap();
    for (name, text) in [
        ("digest", "d1\n"),
        ("migration", "interrupted r0\n"),
        ("info", "by=me\n"),
    ] {
        fs::write(world.state("releases/old").join(name), text).unwrap();
    }
    fs::write(world.root().join("releases/old/a"), "x").unwrap();
    for (name, text) in [("manifest", "f 644 1 a\0"), ("stamps", "0 0 0 0 ./prepared\0")] {
        fs::write(world.state("releases/old").join(name), text).unwrap();
    }
    let ledger = world.read("ledger") + "t 1 r0 interrupted old\n";
    fs::write(world.state("ledger"), ledger).unwrap();
    world.request("r1", SWITCH);
    fs::write(
        world.state("runs/r1/events"),
        "1 step switch flip failed 3 no room\n2 verdict acme.service invocation=ab pid=1 restarts=0 from=old\n",
    )
    .unwrap();
    let id = "0123456789abcdef0123456789abcdef";
    fs::write(
        world.state("runs/r1/journal"),
        format!("{{\"INVOCATION_ID\":\"{id}\"}}\n"),
    )
    .unwrap();
    fs::write(world.dir.path().join("app.conf"), "listen 80;\n").unwrap();
    symlink("app.conf", world.dir.path().join("link")).unwrap();
    let own = world.dir.path().join("etc/systemd/system/acme.service");
    fs::write(&own, "[Service]\nEnvironment=PORT=8080\n").unwrap();
    let also = format!(
        "FragmentPath={}\nDropInPaths={}\nTriggeredBy=acme.socket\nListen=127.0.0.1:80 (Stream)\n",
        own.display(),
        own.display()
    );
    fs::write(world.dir.path().join("units/acme.service/shown"), also).unwrap();
    world.unit("acme.socket");
    for (name, text) in [
        ("ss", "echo 'LISTEN 0 5 *:80 *:* ino:7'"),
        ("nproc", "echo 2"),
        ("journalctl", "echo '{\"MESSAGE\":\"one\"}'"),
        (
            "systemd-analyze",
            "case $1 in calendar) echo 'Next elapse: soon' ;; security) \
             echo '→ Overall exposure level for acme.service: 9.2 UNSAFE' ;; verify) echo 'a finding'; exit 1 ;; esac",
        ),
    ] {
        let path = world.dir.path().join("real").join(name);
        drop(fs::remove_file(&path));
        fs::write(&path, format!("#!/bin/sh\n{text}\n")).unwrap();
        fs::set_permissions(&path, PermissionsExt::from_mode(0o755)).unwrap();
    }
    world
}

#[test]
fn what_a_command_that_failed_did_not_show_is_never_taken_for_absent() {
    for shell in SHELLS {
        let world = full(shell);
        let root = world.root().display().to_string();
        let at = |path: &str| world.dir.path().join(path).display().to_string();
        let own = std::process::id().to_string();
        let service = "unit=acme.service socket=acme.socket kind=none target=- status=0 contains=- release=-";
        for (name, args, least) in [
            ("observe", vec![root.as_str(), "acme", "auto", "acme.service"], 20),
            ("status", vec![&root, "acme", service], 5),
            ("installed", vec!["acme", "acme.service", "--", "root"], 8),
            ("units", vec!["acme", "acme.service"], 8),
            ("listening", vec![], 4),
            ("ports", vec![], 2),
            ("base", vec![&root, "old", "d2", "d3"], 5),
            ("evidence", vec![&root, "root", "r1", "acme.service"], 6),
            ("invocations", vec![&root, "r1"], 3),
            (
                "routers",
                vec!["unit", "nginx", "file", &at("app.conf"), "link", &at("link")],
                6,
            ),
            (
                "facts",
                vec![
                    "file",
                    &at("app.conf"),
                    "user",
                    "root",
                    "group",
                    "root",
                    "groups",
                    "root",
                    "calendar",
                    "daily",
                    "verify",
                    "acme.service",
                    "security",
                    "acme.service",
                    "signals",
                    &own,
                    "space",
                    "/",
                    "reports",
                    &at("app.conf"),
                ],
                15,
            ),
        ] {
            let commands = fails_anywhere(&world, name, &args);
            assert!(commands >= least, "{name} under {shell:?}: {commands} commands");
        }
    }
}

/// Read one after the other, `current`, ledger and request may be of different moments: a plan from them would be wrong.
#[test]
fn an_observation_tells_that_a_switch_passed_meanwhile() {
    under_each_shell(|world| {
        let look = || said(&world.script("observe", &["acme", "auto", "acme.service"], NO_FAULT));
        assert!(!look().contains("\nchanged\n"));
        let df = world.dir.path().join("real/df");
        fs::remove_file(&df).unwrap();
        for during in [
            "ln -sfn releases/new \"$ROOT/current\"",
            "echo 't 2 r2 begin new' >>\"$ROOT/.shipit/ledger\"",
        ] {
            fs::write(&df, format!("#!/bin/sh\n{during}\nexec /usr/bin/df \"$@\"\n")).unwrap();
            fs::set_permissions(&df, PermissionsExt::from_mode(0o755)).unwrap();
            let seen = look();
            assert!(seen.ends_with("\nchanged\nwhole\n"), "{during}: {seen}");
        }
    });
}
