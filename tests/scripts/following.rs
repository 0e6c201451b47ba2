//! What follow.sh passes on: each event once and whole, whatever it says, and nothing of its own wake-ups.

use std::io::Write as _;

use super::*;

fn follow(world: &World, args: [&str; 3]) -> Command {
    let (_, text) = shipit::remote::script::ALL
        .iter()
        .find(|(name, _)| *name == "follow")
        .unwrap();
    let root = world.root();
    world.command(text, &[root.to_str().unwrap(), args[0], args[1], args[2]], NO_FAULT)
}

#[test]
fn the_events_that_are_there_already_are_only_text() {
    under_each_shell(|world| {
        world.request("r1", SWITCH);
        let pwned = world.dir.path().join("pwned");
        let first = format!(
            "99999999 step switch await failed 3 $(touch {0}) `touch {0}`",
            pwned.display()
        );
        let events = format!("{first}\ntick\n\n100000000 ended failed old - x\n");
        fs::write(world.state("runs/r1/events"), events).unwrap();
        fs::remove_file(world.state("request")).unwrap();
        let want = format!("event {first}\nevent tick\nevent \nevent 100000000 ended failed old - x\n");
        for _ in 0..30 {
            let out = ran(&mut follow(&world, ["r1", "0", "watch"]), Stdio::null());
            assert_eq!(said(&out), want, "{out:?}");
        }
        assert!(!pwned.exists());
    });
}

#[test]
fn an_event_that_comes_in_two_parts_is_one() {
    under_each_shell(|world| {
        world.request("r1", SWITCH);
        fs::write(world.state("runs/r1/attempt-1"), "").unwrap();
        let path = world.state("runs/r1/events");
        fs::write(&path, "1 step switch fl").unwrap();
        let heard = world.dir.path().join("heard");
        let mut command = follow(&world, ["r1", "0", "watch"]);
        command.stdin(Stdio::null()).stdout(fs::File::create(&heard).unwrap());
        let child = command.spawn().unwrap();
        // Its first part is read by then, and wake-ups came that are no events.
        bounds::wait_for("a beat", || fs::read_to_string(&heard).unwrap().starts_with("beat\n"));
        let mut file = fs::OpenOptions::new().append(true).open(&path).unwrap();
        file.write_all(b"ip a done 3\n2 ended reverted old - x\n").unwrap();
        fs::remove_file(world.state("request")).unwrap();
        assert!(child.ends().status.success());
        let want = "event 1 step switch flip a done 3\nevent 2 ended reverted old - x\n";
        assert_eq!(fs::read_to_string(&heard).unwrap().replace("beat\n", ""), want);
    });
}
