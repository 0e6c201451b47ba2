//! What the conductor must not believe, and what must not stop it.

use super::*;

#[test]
fn a_service_whose_name_ends_like_anothers_is_judged_by_its_own_life() {
    under_each_shell(|world| {
        world.unit("my-acme.service");
        // acme.service does not restart: its life stays the same, and that must be seen.
        fs::write(world.dir.path().join("units/acme.service/stuck"), "").unwrap();
        let both = SWITCH
            .replace(
                "switch restart unit=acme.service\n",
                "switch restart unit=acme.service\nswitch restart unit=my-acme.service\n",
            )
            .replace("revert restart unit=acme.service\n", "")
            .replace(
                "revert await unit=acme.service turn=restart start=1 successes=1 timeout=1 watch=0 wrongs=5 kind=none target=\\c status=0 contains=\\c release=-\n",
                "",
            );
        world.request("r1", &both);
        world.conductor(NO_FAULT);
        let events = world.read("runs/r1/events");
        assert!(events.contains("acme.service was not active after 1s"), "{events}");
        assert_eq!(world.current(), "old", "{events}");
    });
}

#[test]
fn a_reload_that_systemd_says_failed_is_no_success() {
    under_each_shell(|world| {
        let mut text = fs::read_to_string(world.dir.path().join("real/systemctl")).unwrap();
        text = text.replace("${RELOAD:-success}", "exit-code");
        fs::write(world.dir.path().join("real/systemctl"), text).unwrap();
        let reload = SWITCH.replace("switch restart", "switch reload").replace(
            "switch await unit=acme.service turn=restart",
            "switch await unit=acme.service turn=reload",
        );
        world.request("r1", &reload);
        world.conductor(NO_FAULT);
        assert!(
            world
                .read("runs/r1/events")
                .contains("could not reload: result exit-code")
        );
        assert_eq!(world.current(), "old");
    });
}

#[test]
fn a_conductor_that_was_killed_five_times_stops_and_says_how_far_it_came() {
    under_each_shell(|world| {
        for (run, marks, end, live) in [
            ("r1", &[][..], "ended failed old", "old"),
            ("r2", &["begun"], "ended degraded old", "old"),
            ("r3", &["begun", "confirmed"], "ended deployed old", "old"),
        ] {
            world.request(run, SWITCH);
            let attempts = (1..=5).map(|n| format!("attempt-{n}"));
            for mark in attempts.chain(marks.iter().map(|mark| (*mark).to_owned())) {
                fs::hard_link(world.state("request"), world.state(&format!("runs/{run}/{mark}"))).unwrap();
            }
            world.conductor(NO_FAULT);
            let events = world.read(&format!("runs/{run}/events"));
            assert!(events.contains(end), "{events}");
            assert!(run == "r3" || events.contains("killed five times"), "{events}");
            assert!(!events.contains(" step "), "{events}");
            assert_eq!(
                (world.current(), world.runs("acme.service")),
                (live.into(), live.into())
            );
            assert_eq!(world.state("degraded").exists(), run == "r2");
            assert!(!world.state("request").exists());
            // Nothing of these runs began: their number is free.
            fs::write(world.state("ledger"), "t 1 r0 begin old\n").unwrap();
        }
    });
}

#[test]
fn a_migration_that_failed_is_not_started_again_for_its_release() {
    under_each_shell(|world| {
        world.unit("acme-migrate.service");
        fs::write(world.state("releases/new/migration"), "failed r0\n").unwrap();
        let migrating = format!("switch migrate unit=acme-migrate.service timeout=5\n{SWITCH}");
        world.request("r1", &migrating);
        world.conductor(NO_FAULT);
        let events = world.read("runs/r1/events");
        assert!(events.contains("ended failed old"), "{events}");
        assert!(events.contains("a migration runs only once per release"), "{events}");
        assert!(!world.dir.path().join("units/acme-migrate.service/asked").exists());
        assert_eq!(world.current(), "old");
    });
}

/// The plan never asks for it. Should one do so, by mistake or by hand, the host says no.
#[test]
fn what_is_live_or_was_is_not_removed_even_when_the_request_says_so() {
    under_each_shell(|world| {
        fs::create_dir(world.root().join("releases/third")).unwrap();
        let all = SWITCH.replace("settle spare", "settle prune releases=old,new,..,third");
        world.request("r1", &all);
        world.conductor(NO_FAULT);
        let left = |id: &str| world.root().join("releases").join(id).exists();
        assert_eq!(world.current(), "new");
        assert!(left("old") && left("new") && !left("third"));
        assert!(world.state("links/old").is_symlink() && world.state("runs").exists());
        let ledger = world.read("ledger");
        assert!(ledger.contains(" gone third\n") && !ledger.contains(" gone old\n"));
    });
}

/// A full disk can keep the conductor of one version while the client has another.
#[test]
fn an_earlier_clients_word_for_a_release_that_a_user_left_is_understood() {
    under_each_shell(|world| {
        world.request(
            "r1",
            &SWITCH.replace("settle spare", "settle bad release=old\nsettle spare"),
        );
        world.conductor(NO_FAULT);
        assert!(
            world.read("ledger").ends_with(" left old\n"),
            "{}",
            world.read("ledger")
        );
        assert!(world.read("runs/r1/events").contains(" step settle bad old done "));
    });
}

/// dash's echo takes a backslash for an escape: `\c` would end the line, and swallow the fact after it.
#[test]
fn a_backslash_in_an_answer_is_a_backslash_and_hides_nothing() {
    under_each_shell(|world| {
        let line = shipit::step::encoded(br"printf '%s\n' 'C:\config'; exit 1");
        let target = format!("target={line}");
        let check = ["kind=command", &target, "status=0", r"contains=\c", "release=-"];
        let args = [&["60", "-"][..], &check].concat();
        let out = world.script("ask", &args, NO_FAULT);
        let said = said(&out);
        assert!(said.starts_with("bad "), "{said:?}");
        assert!(said.ends_with(": C:\\config\nwhole\n"), "{said:?}");

        world.request("r1", SWITCH);
        let event = "1 step switch await acme.service failed 3 it said C:\\config\n";
        fs::write(world.state("runs/r1/events"), event).unwrap();
        fs::write(world.state("degraded"), "run r0\n").unwrap();
        let out = world.script("observe", &["acme", "auto"], NO_FAULT);
        let seen = shipit::observed::Observed::parse(&out.stdout);
        assert_eq!(seen.degraded.as_deref(), Some("r0"), "{out:?}");
        assert!(seen.request.unwrap().step.ends_with(r"C:\config"));
    });
}

/// Else a command that prints without end would fill the conductor's memory.
#[test]
fn of_what_a_health_command_prints_the_last_64_kib_are_kept() {
    under_each_shell(|world| {
        let ask = |command: &str| {
            let target = format!("target={}", shipit::step::encoded(command.as_bytes()));
            let check = ["kind=command", &target, "status=0", "contains=first", "release=-"];
            said(&world.script("ask", &[&["60", "-"][..], &check].concat(), NO_FAULT))
        };
        assert!(ask("echo first; exit 0").starts_with("good"), "{}", ask("echo first"));
        let flood = ask("echo first; head -c 100000 /dev/zero | tr '\\0' x");
        assert!(flood.contains("does not contain the required text"), "{flood:?}");
        let failed = ask("echo first; exit 3");
        assert!(
            failed.ends_with("the health command failed: first\nwhole\n"),
            "{failed:?}"
        );
        // A password in it is neither in a command line nor in what its programs inherit.
        let lines = "{ tr '\\0' ' ' </proc/$$/cmdline; tr '\\0' ' ' </proc/$PPID/cmdline; env; }";
        let shown = |word: &str| ask(&format!("{lines} | grep -qe {word}; echo first $?; : hunter2; exit 3"));
        assert!(shown("'sh -c'").contains("first 0"), "{}", shown("'sh -c'"));
        assert!(shown("'[h]unter2'").contains("first 1"), "{}", shown("'[h]unter2'"));
    });
}

#[test]
fn going_back_to_a_release_that_is_gone_leaves_current_on_one_that_is_there() {
    under_each_shell(|world| {
        fs::write(world.dir.path().join("units/acme.service/crash"), "").unwrap();
        world.request("r1", SWITCH);
        fs::remove_dir(world.root().join("releases/old")).unwrap();
        world.conductor(NO_FAULT);
        assert_eq!(world.current(), "new");
        let events = world.read("runs/r1/events");
        assert!(events.contains("ended degraded new"), "{events}");
        assert!(world.state("degraded").exists() && !world.state("request").exists());
    });
}

#[test]
fn the_last_word_is_told_from_words_that_only_look_like_it() {
    under_each_shell(|world| {
        world.request("r1", SWITCH);
        fs::write(
            world.state("runs/r1/events"),
            "1 step switch await acme.service failed 3 acme.service ended at once\n2 ended reverted old - it ended so\n",
        )
        .unwrap();
        fs::write(world.state("runs/r1/attempt-1"), "").unwrap();
        fs::remove_file(world.state("request")).unwrap();
        let out = world.script("follow", &["r1", "0", "watch"], NO_FAULT);
        assert!(
            said(&out).ends_with("event 2 ended reverted old - it ended so\n"),
            "{out:?}"
        );
        // More was heard than the disk kept.
        let out = world.script("follow", &["r1", "9", "watch"], NO_FAULT);
        assert_eq!(said(&out), "event 2 ended reverted old - it ended so\ngone\n");
    });
}

/// In dash and busybox a redirect that fails ends the whole shell when it stands on a special builtin: what
/// `||` says after it is never reached, and a full disk kills the conductor.
#[test]
fn no_handled_redirect_stands_on_a_special_builtin() {
    for (name, text) in shipit::remote::script::ALL
        .iter()
        .chain([("conductor", CONDUCTOR)].iter())
    {
        for line in text.lines() {
            let line = line.trim_start().trim_start_matches("{ ");
            assert!(
                !line.starts_with(": >") || !(line.contains("||") || line.contains("&&")),
                "{name}: {line}"
            );
        }
    }
}

/// A name alone is looked for in CDPATH first, wherever that leads.
#[test]
fn every_directory_that_is_entered_is_named_from_the_root_or_from_here() {
    for (name, text) in shipit::remote::script::ALL.iter().chain(&[
        ("conductor", CONDUCTOR),
        ("env helper", shipit::remote::ENV_HELPER),
        ("journal helper", shipit::remote::JOURNAL_HELPER),
        ("run helper", shipit::remote::RUN_HELPER),
        ("notify helper", shipit::remote::NOTIFY_HELPER),
    ]) {
        for line in text.lines().filter(|line| !line.trim_start().starts_with('#')) {
            let words: Vec<&str> = line
                .split([' ', '(', ';', '\t'])
                .filter(|word| !word.is_empty())
                .collect();
            for at in (0..words.len()).filter(|at| words[*at] == "cd") {
                let mut rest = words[at + 1..].iter().filter(|word| !word.starts_with('-'));
                let to = rest.next().unwrap().trim_start_matches('"');
                // The app's root, an argument, is absolute.
                let plain = ["/", "./", "..", "${probe_in:-..", "$1", "$root", "$dir", "$proc"]
                    .iter()
                    .any(|from| to.starts_with(from));
                assert!(plain, "{name}: {line}");
            }
        }
    }
}

#[test]
fn two_clients_that_bring_a_conductor_at_once_do_not_write_into_each_others() {
    under_each_shell(|world| {
        let (_, text) = shipit::remote::script::ALL
            .iter()
            .find(|(name, _)| *name == "conductor")
            .unwrap();
        // The other one stands in the middle: its file is there, half.
        fs::write(world.state("conductor.new"), "half").unwrap();
        // sha256 of nothing.
        let digest = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
        let nothing = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
        let nothing = nothing.finish().unwrap();
        let length = nothing.len().to_string();
        let root = world.root();
        let args = [root.to_str().unwrap(), digest, "2", &length];
        let out = world.given(text, &args, &nothing);
        assert!(out.status.success(), "{out:?}");
        assert_eq!(world.read("conductor.new"), "half");
        assert!(world.state("conductor").exists());
    });
}

#[test]
fn a_request_that_was_withdrawn_before_it_came_is_refused_when_it_comes() {
    under_each_shell(|world| {
        let follow = |run: &str| said(&world.script("follow", &[run, "0", "watch"], NO_FAULT));
        assert_eq!(follow("r1"), "absent\n");
        let out = world.script("withdraw", &["r1", "late"], NO_FAULT);
        assert!(out.status.success(), "{out:?}");
        let late = world.script("request", &["r1", "1", &request("r1", SWITCH)], NO_FAULT);
        assert_eq!(late.status.code(), Some(33), "{late:?}");
        assert!(!world.state("request").exists());
        assert_eq!(follow("r1"), "absent\n");
        // Asked again after a line that broke, it says the same.
        let out = world.script("withdraw", &["r1", "late"], NO_FAULT);
        assert!(out.status.success(), "{out:?}");

        // So is one whose user canceled before it came.
        let out = world.script("word", &["r0", "cancel"], NO_FAULT);
        assert!(out.status.success(), "{out:?}");
        let late = world.script("request", &["r0", "1", &request("r0", SWITCH)], NO_FAULT);
        assert_eq!(late.status.code(), Some(33), "{late:?}");

        // One that is in place and that nobody has begun is taken away; one that was begun is not.
        world.request("r2", SWITCH);
        let out = world.script("withdraw", &["r2", "late"], NO_FAULT);
        assert!(out.status.success() && !world.state("request").exists());
        world.request("r3", SWITCH);
        world.conductor(NO_FAULT);
        let out = world.script("withdraw", &["r3", "ended"], NO_FAULT);
        assert_eq!(out.status.code(), Some(32), "{out:?}");
        assert_eq!(world.current(), "new");
    });
}

/// A switch that asks the live release first, by a check that fails.
fn asking() -> String {
    format!(
        "switch baseline unit=acme.service timeout=1 kind=command target=false status=0 contains=\\c release=-\n{SWITCH}"
    )
}

#[test]
fn what_the_live_release_cannot_pass_is_not_asked_of_the_new_one() {
    under_each_shell(|world| {
        world.request("r1", &asking());
        world.conductor(NO_FAULT);
        let events = world.read("runs/r1/events");
        assert!(events.contains("does not pass the health check"), "{events}");
        assert!(events.contains(" ended failed old "), "{events}");
        assert_eq!(world.current(), "old");
        assert!(!world.read("ledger").contains("live new"));
    });
}

#[test]
fn a_service_that_does_not_run_is_no_witness_against_the_health_check() {
    under_each_shell(|world| {
        fs::write(world.dir.path().join("units/acme.service/down"), "").unwrap();
        world.request("r1", &asking());
        world.conductor(NO_FAULT);
        let events = world.read("runs/r1/events");
        assert!(events.contains("was not checked"), "{events}");
        assert_eq!(world.current(), "new", "{events}");
    });
}

#[test]
fn a_crash_loop_that_goes_on_until_the_restart_is_no_crash_of_the_new_release() {
    under_each_shell(|world| {
        fs::write(world.dir.path().join("units/acme.service/looping"), "").unwrap();
        world.request("r1", SWITCH);
        world.conductor(NO_FAULT);
        let events = world.read("runs/r1/events");
        assert_eq!(world.current(), "new", "{events}");
    });
}

/// PID 1 starts a conductor that was killed again: it must be the one that began.
#[test]
fn the_conductor_is_not_replaced_while_a_request_holds_the_host() {
    use shipit::remote::exits;
    const OLD: &str = "# an older one\nprotocol=3\n";
    under_each_shell(|world| {
        fs::write(world.state("conductor"), OLD).unwrap();
        world.request("r1", SWITCH);
        let torn = "0".repeat(64);
        let install = |protocol: &str| world.script("conductor", &[&torn, protocol, "0"], NO_FAULT);
        let out = install("3");
        assert_eq!(out.status.code(), Some(exits::HELD), "{out:?}");
        assert!(said(&out).contains("run r1\n"), "{out:?}");
        world.conductor(NO_FAULT);
        // One that does not arrive whole leaves the old one, which only carries out requests of its own version.
        assert_eq!(install("3").status.code(), Some(0));
        assert_eq!(install("4").status.code(), Some(exits::CONDUCTOR_CUT_OFF));
        assert_eq!(world.read("conductor"), OLD);
    });
}
