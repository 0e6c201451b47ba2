//! What a run that ends leaves for the app's notify unit, and the facts that its helper gets.

use super::*;

#[test]
fn a_run_that_ends_leaves_an_entry_and_its_facts_are_json_whatever_bytes_are_in_them() {
    under_each_shell(|world| {
        let notify = |world: &World| {
            let (root, program) = (world.root(), world.dir.path().join("program"));
            let told = world.dir.path().join("told");
            fs::write(&program, format!("#!/bin/sh\ncat >{}\n", told.display())).unwrap();
            fs::set_permissions(&program, PermissionsExt::from_mode(0o755)).unwrap();
            let args = [
                root.to_str().unwrap(),
                "notify",
                program.to_str().unwrap(),
                "acme",
                "acme-notify@.service",
            ];
            let out = world.run(CONDUCTOR, &args, NO_FAULT);
            assert!(out.status.success(), "{out:?}");
            let told = fs::read_to_string(told).unwrap();
            let lines: Vec<&str> = told.lines().collect();
            assert_eq!((lines.len(), lines[0], lines[2]), (3, "r1", "end"), "{told}");
            serde_json::from_str::<serde_json::Value>(lines[1]).unwrap_or_else(|e| panic!("{e}: {told}"))
        };
        world.request("r1", SWITCH);
        world.conductor(NO_FAULT);
        assert!(
            !world.state("notify").exists(),
            "setup makes it, where somebody is to be notified"
        );

        fs::create_dir(world.state("notify")).unwrap();
        fs::write(world.state("ledger"), "t 1 r0 begin old\n").unwrap();
        fs::remove_dir_all(world.state("runs/r1")).unwrap();
        world.request("r1", SWITCH);
        let subject = "it's \"so\" \\ \u{1}ü€😀=x";
        let info = format!(
            "by=x\nrevision=0a1b\nsubject={}\nbranch=\\c\n",
            shipit::step::encoded(subject.as_bytes())
        );
        fs::write(world.state("releases/new/info"), info).unwrap();
        world.conductor(NO_FAULT);
        assert!(world.state("notify/r1").exists() && !world.state("request").exists());
        let told = notify(&world);
        assert_eq!((&told["outcome"], &told["app"]), (&"deployed".into(), &"acme".into()));
        assert_eq!(
            (told["subject"].as_str(), told["branch"].as_str()),
            (Some(subject), None)
        );
        assert_eq!(
            (told["cause"].as_str(), told["live"].as_str()),
            (None, told["release"].as_str())
        );
        assert!(!world.state("notify/r1").exists());

        let mut events = fs::read(world.state("runs/r1/events")).unwrap();
        events.extend(b"9 ended reverted old probes=7,failed=1,gap=20,wait=5 a\tb \x80\xc3\x28\xed\xa0\x80\xff \"c\" C:\\x \xc3\xbc\n");
        fs::write(world.state("runs/r1/events"), events).unwrap();
        fs::write(world.state("notify/r1"), "").unwrap();
        // No name of an entry reaches a command.
        fs::write(world.state("notify/-x y"), "").unwrap();
        let told = notify(&world);
        assert_eq!(told["cause"], "a\tb ??(???? \"c\" C:\\x ü");
        assert_eq!((&told["failed"], &told["gap_ms"]), (&1.into(), &20.into()));
        assert_eq!(fs::read_dir(world.state("notify")).unwrap().count(), 0);
    });
}

#[test]
fn root_keeps_the_facts_of_the_last_hundred_runs_whatever_the_deploy_user_asks_for() {
    under_each_shell(|world| {
        let dir = world.dir.path().join("told-acme");
        fs::create_dir(&dir).unwrap();
        for at in 0..150 {
            let file = fs::File::create(dir.join(format!("r{at}.json"))).unwrap();
            let age = std::time::Duration::from_secs(200 - at);
            file.set_modified(std::time::SystemTime::now() - age).unwrap();
        }
        world.unit("acme-notify@new.service");
        let text = shipit::remote::NOTIFY_HELPER
            .replace(
                "PATH=/usr/sbin",
                &format!("PATH={}", world.dir.path().join("real").display()),
            )
            .replace("/run/shipit-notify-", &format!("{}/told-", world.dir.path().display()));
        let given = |stdin: &str| world.given(&text, &["acme", "acme-notify@.service"], stdin.as_bytes());
        let out = given("new\n{}\nend\n");
        assert!(out.status.success(), "{out:?}");
        assert_eq!(fs::read_dir(&dir).unwrap().count(), 100);
        assert_eq!(fs::read_to_string(dir.join("new.json")).unwrap(), "{}\n");
        assert!(dir.join("r51.json").exists() && !dir.join("r50.json").exists());
        let asked = world.dir.path().join("units/acme-notify@new.service/asked");
        assert_eq!(fs::read_to_string(asked).unwrap(), "start\n");
        let large = format!("more\n{}\nend\n", "x".repeat(65537));
        assert_eq!(given(&large).status.code(), Some(2));
    });
}
