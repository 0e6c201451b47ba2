//! States that no healthy host has: torn, foreign, made by hand. None may be taken for something it is not.

use super::*;

use shipit::observed::{Current, Observed};
use shipit::step::PROTOCOL;

fn observed(world: &World) -> Observed {
    let out = world.script("observe", &["acme", "auto"], NO_FAULT);
    Observed::parse(&out.stdout)
}

#[test]
fn a_request_that_is_not_whole_is_put_aside_and_nothing_is_carried_out() {
    under_each_shell(|world| {
        let whole = request("r1", SWITCH);
        let cut = &whole[..whole.find("switch confirm").unwrap()];
        let other = |version: u32| whole.replace(&format!("shipit {PROTOCOL}"), &format!("shipit {version}"));
        let [older, newer] = [PROTOCOL - 1, PROTOCOL + 1].map(other);
        for text in [
            "",
            "garbage\n",
            "\0\0\0\0\n",
            "run ../../x\nend\n",
            cut,
            older.as_str(),
            newer.as_str(),
        ] {
            let run = world.state("runs/r1");
            fs::create_dir_all(&run).unwrap();
            fs::write(run.join("request"), text).unwrap();
            fs::hard_link(run.join("request"), world.state("request")).unwrap();
            world.conductor(NO_FAULT);
            assert_eq!(world.current(), "old", "{text:?}");
            assert_eq!(world.runs("acme.service"), "old", "{text:?}");
            assert!(!world.state("request").exists(), "holds the host for ever: {text:?}");
            assert!(!world.read("ledger").contains("r1"), "{text:?}");
            fs::remove_dir_all(&run).unwrap();
        }
        // A copy by hand of a run that is gone.
        fs::write(world.state("request"), &whole).unwrap();
        world.conductor(NO_FAULT);
        assert!(!world.state("request").exists());
        world.request("r2", SWITCH);
        world.conductor(NO_FAULT);
        assert_eq!(world.current(), "new");
    });
}

#[test]
fn whatever_the_ledger_looks_like_the_next_switch_is_numbered_alike_on_both_sides() {
    let many = "t 0 - staged x\n".repeat(3000);
    let ledgers: [Vec<u8>; 8] = [
        b"".to_vec(),
        b"t 7 r begin a\n".to_vec(),
        // Torn, and the next line glued to it.
        b"t 7 r begin a\nt 8 r beg2026-01-01T00:00:00Z 9 s begin b\n".to_vec(),
        b"t 7 r begin a\nt 8 r beg".to_vec(),
        b"t 7 r begin a\n\0\0\0\0\0\0\0\0".to_vec(),
        b"\xff\xfe\n  \n\x1b[2J\nt x r begin a\n".to_vec(),
        [b"t 7 r begin a\n".as_slice(), many.as_bytes()].concat(),
        [b"t 7 r begin a\n".as_slice(), &vec![b'x'; 3 << 20]].concat(),
    ];
    under_each_shell(|world| {
        for (n, ledger) in ledgers.iter().enumerate() {
            fs::write(world.state("ledger"), ledger).unwrap();
            let epoch = observed(&world).ledger.epoch().to_string();
            let run = format!("r{n}");
            let out = world.script("request", &[&run, &epoch, &request(&run, SWITCH)], NO_FAULT);
            assert_eq!(said(&out), "placed\n", "ledger {n}, epoch {epoch}: {out:?}");
            world.conductor(NO_FAULT);
            let seen = observed(&world);
            assert_eq!(seen.ledger.epoch(), 2, "the line was swallowed: ledger {n}");
            assert_eq!(
                seen.ledger.state("new").map(|s| s.word()),
                Some("verified"),
                "ledger {n}"
            );
            fs::remove_file(world.root().join("current")).unwrap();
            symlink("releases/old", world.root().join("current")).unwrap();
        }
        fs::remove_file(world.state("ledger")).unwrap();
        let epoch = observed(&world).ledger.epoch().to_string();
        assert_eq!(epoch, "0");
        let out = world.script("request", &["last", &epoch, &request("last", SWITCH)], NO_FAULT);
        assert_eq!(said(&out), "placed\n", "{out:?}");
        // What is there but cannot be read is no empty ledger: not for who looks, not for who asks.
        fs::remove_file(world.state("request")).unwrap();
        fs::remove_file(world.state("ledger")).unwrap();
        fs::create_dir(world.state("ledger")).unwrap();
        let out = world.script("request", &["blind", "0", &request("blind", SWITCH)], NO_FAULT);
        assert!(!out.status.success(), "{out:?}");
    });
}

#[test]
fn a_request_made_from_an_old_view_of_the_host_is_refused_and_told_who_was_first() {
    under_each_shell(|world| {
        for epoch in ["0", "2", ""] {
            let out = world.script("request", &["r1", epoch, &request("r1", SWITCH)], NO_FAULT);
            assert_eq!(out.status.code(), Some(31), "{epoch:?}: {out:?}");
            assert_eq!(said(&out), "t 1 r0 begin old\n", "{epoch:?}");
            assert!(!world.state("request").exists() && !world.state("runs/r1").exists());
        }
    });
}

#[test]
fn a_current_that_somebody_else_changed_is_never_flipped() {
    under_each_shell(|world| {
        world.request("r1", SWITCH);
        fs::create_dir(world.root().join("releases/third")).unwrap();
        fs::remove_file(world.root().join("current")).unwrap();
        symlink("releases/third", world.root().join("current")).unwrap();
        world.conductor(NO_FAULT);
        assert_eq!(world.current(), "third");
        assert_eq!(world.runs("acme.service"), "old");
        assert!(world.read("runs/r1/events").contains("another process changed it"));
        for odd in ["releases/a b", "releases/-rf", "/etc", "releases/"] {
            fs::remove_file(world.root().join("current")).unwrap();
            symlink(odd, world.root().join("current")).unwrap();
            assert!(matches!(observed(&world).current, Current::Odd(_)), "{odd}");
        }
    });
}

#[test]
fn leftovers_of_a_crash_stand_in_nobodys_way() {
    under_each_shell(|world| {
        fs::create_dir_all(world.state("spare.tmp/x")).unwrap();
        fs::create_dir_all(world.root().join("releases/.del-gone/deep")).unwrap();
        symlink("nowhere", world.state("current.tmp")).unwrap();
        symlink("releases/old", world.state("next.tmp")).unwrap();
        symlink("releases/old", world.root().join("next")).unwrap();
        fs::remove_file(world.state("links/new")).unwrap();
        world.request("r1", &SWITCH.replace("settle", "settle prune releases=\\c\nsettle"));
        world.conductor(NO_FAULT);
        assert_eq!(world.current(), "new");
        assert!(!world.root().join("next").exists());
        assert!(!world.root().join("releases/.del-gone").exists());
        assert!(!world.state("current.tmp").is_symlink());
    });
}

#[test]
fn a_setup_that_a_link_leads_elsewhere_gives_nothing_away() {
    under_each_shell(|world| {
        world.unit("");
        let target = world.dir.path().join("precious");
        fs::create_dir_all(target.join("acme")).unwrap();
        let given = world.dir.path().join("given");
        fs::write(
            world.dir.path().join("real/chown"),
            format!("#!/bin/sh\npwd >>{}\n", given.display()),
        )
        .unwrap();
        fs::remove_dir_all(world.root()).unwrap();
        symlink(&target, world.root()).unwrap();
        let inside = world.root().join("acme");
        let (_, text) = shipit::remote::script::ALL
            .iter()
            .find(|(name, _)| *name == "setup")
            .unwrap();
        for root in [inside.to_str().unwrap(), world.root().to_str().unwrap()] {
            let out = world.given(text, &[root, "acme", "nobody", "nogroup", "no", ""], SETUP_FILES);
            assert_eq!(out.status.code(), Some(42), "{root}: {out:?}");
            assert!(!given.exists(), "{root}");
        }
    });
}

/// Puts a command of ours in the place of a real one.
fn replaced(world: &World, tool: &str, text: &str) {
    let path = world.dir.path().join("real").join(tool);
    drop(fs::remove_file(&path));
    fs::write(&path, text).unwrap();
    fs::set_permissions(&path, PermissionsExt::from_mode(0o755)).unwrap();
}

#[test]
fn a_root_that_becomes_a_link_as_it_is_made_opens_no_file_of_roots() {
    under_each_shell(|world| {
        let secret = world.dir.path().join("shadow");
        fs::write(&secret, "secret").unwrap();
        fs::set_permissions(&secret, PermissionsExt::from_mode(0o600)).unwrap();
        fs::remove_dir_all(world.root()).unwrap();
        // What a deploy user can do below his home in the moment after root made the directory there.
        let (root, kept) = (world.root(), secret.display());
        let quick = format!(
            "#!/bin/sh\n/bin/mkdir \"$@\" && /bin/rmdir {0} && /bin/ln -s {kept} {0}\n",
            root.display()
        );
        replaced(&world, "mkdir", &quick);
        let (_, text) = shipit::remote::script::ALL
            .iter()
            .find(|(name, _)| *name == "setup")
            .unwrap();
        let args = [root.to_str().unwrap(), "acme", "nobody", "nogroup", "no", ""];
        let out = world.given(text, &args, SETUP_FILES);
        assert!(!out.status.success(), "{out:?}");
        assert!(world.root().is_symlink(), "nobody was quick: {out:?}");
        let mode = fs::metadata(&secret).unwrap().permissions().mode() & 0o7777;
        assert_eq!(mode, 0o600, "root changed it: {mode:o}");
    });
}

#[test]
fn a_password_that_sudo_does_not_need_reaches_nothing_that_runs_for_the_deploy_user() {
    under_each_shell(|world| {
        replaced(
            &world,
            "sudo",
            "#!/bin/sh\n[ \"$4\" = true ] || { shift 3 && exec \"$@\"; }\n",
        );
        let (_, text) = shipit::remote::script::ALL
            .iter()
            .find(|(name, _)| *name == "as_root")
            .unwrap();
        for (word, left) in [("password", "payload\n"), ("none", "hunter2\npayload\n")] {
            let out = world.given(text, &[word, "exec cat"], b"hunter2\npayload\n");
            assert_eq!(said(&out), left, "{word}: {out:?}");
        }
        // And where sudo was to take it and did not, the deploy user's shell has no stdin of ours.
        let heard = world.dir.path().join("heard");
        let listens = format!("#!/bin/sh\nshift 3\ncat >{}\n", heard.display());
        replaced(&world, "runuser", &listens);
        let (_, text) = shipit::remote::script::ALL
            .iter()
            .find(|(name, _)| *name == "setup")
            .unwrap();
        let root = world.root();
        // Nothing there yet: what belongs to another user would be refused before that.
        fs::remove_dir_all(&root).unwrap();
        let args = [root.to_str().unwrap(), "acme", "nobody", "nobody", "no", ""];
        let out = world.given(text, &args, &[b"hunter2\n", SETUP_FILES].concat());
        assert_eq!(fs::read(&heard).ok().as_deref(), Some(&b""[..]), "{out:?}");
    });
}

/// `setup` in this world, which is set up already.
fn set_up(world: &World) -> Output {
    let (_, text) = shipit::remote::script::ALL
        .iter()
        .find(|(name, _)| *name == "setup")
        .unwrap();
    let root = world.root();
    let args = [root.to_str().unwrap(), "acme", "root", "root", "no", ""];
    world.given(text, &args, SETUP_FILES)
}

#[test]
fn setup_leaves_the_sudo_lines_alone_that_a_switch_may_need_to_revert() {
    under_each_shell(|world| {
        world.unit("");
        world.request("r1", SWITCH);
        let out = set_up(&world);
        assert_eq!(out.status.code(), Some(48), "{out:?}");
        assert!(said(&out).contains("request by me\n"), "{out:?}");
        let rule = world.dir.path().join("etc/sudoers.d/shipit-acme");
        assert!(!rule.exists(), "{out:?}");
        fs::remove_file(world.state("request")).unwrap();
        let out = set_up(&world);
        assert!(out.status.success() && rule.exists(), "{out:?}");
    });
}

/// 1 is sudo's status, when it starts nothing: then the login cannot become root.
#[test]
fn a_command_that_fails_in_setup_is_not_taken_for_a_sudo_that_refused() {
    under_each_shell(|world| {
        world.unit("");
        replaced(&world, "chown", "#!/bin/sh\nexit 1\n");
        let out = set_up(&world);
        assert_eq!(out.status.code(), Some(61), "{out:?}");
    });
}

#[test]
fn a_request_that_was_cut_on_its_way_is_not_put_in_place() {
    under_each_shell(|world| {
        let (_, text) = shipit::remote::script::ALL
            .iter()
            .find(|(name, _)| *name == "request")
            .unwrap();
        let whole = request("r1", SWITCH);
        let args = [world.root().to_str().unwrap(), "r1", "1", &whole.len().to_string()].map(str::to_owned);
        let args = args.each_ref().map(String::as_str);
        let out = world.given(text, &args, &whole.as_bytes()[..whole.len() - 4]);
        assert!(!out.status.success() && !world.state("request").exists(), "{out:?}");
    });
}
