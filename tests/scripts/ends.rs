//! How a run ends: what it records, and what it removes.

use super::*;

/// Places this request as it stands.
fn place(world: &World, run: &str, epoch: &str, text: &str) {
    let out = world.script("request", &[run, epoch, text], NO_FAULT);
    assert_eq!(said(&out), "placed\n", "{out:?}");
}

#[test]
fn a_prune_does_not_end_the_state_degraded() {
    under_each_shell(|world| {
        fs::create_dir(world.root().join("releases/third")).unwrap();
        fs::write(world.state("degraded"), "").unwrap();
        let text = request("r1", "settle prune releases=third\n").replace("command deploy", "command prune");
        place(&world, "r1", "1", &text.replace("next new", "next old"));
        world.conductor(NO_FAULT);
        assert!(!world.root().join("releases/third").exists());
        assert!(world.state("degraded").exists(), "nothing was confirmed");
        place(
            &world,
            "r2",
            "2",
            &request("r2", &patient()).replace("epoch 2", "epoch 3"),
        );
        world.conductor(NO_FAULT);
        assert!(!world.state("degraded").exists(), "{}", world.read("runs/r2/events"));
    });
}

#[test]
fn a_restart_that_fails_does_not_make_a_verified_release_a_failed_one() {
    under_each_shell(|world| {
        fs::write(world.dir.path().join("units/acme.service/stuck"), "").unwrap();
        let text = request("r1", &SWITCH.replace("to=new", "to=old")).replace("next new", "next old");
        place(&world, "r1", "1", &text);
        world.conductor(NO_FAULT);
        let ledger = world.read("ledger");
        assert!(!ledger.contains(" failed old"), "{ledger}");
        assert!(world.read("runs/r1/events").contains("ended degraded old"));
    });
}

/// The name was free because a user removed the request by hand.
#[test]
fn the_request_of_another_run_is_not_removed() {
    under_each_shell(|world| {
        let systemctl = world.dir.path().join("real/systemctl");
        let text = fs::read_to_string(&systemctl).unwrap();
        let meanwhile =
            "restart | start)\n    rm -f \"$ROOT/.shipit/request\"; echo another >\"$ROOT/.shipit/request\"";
        fs::write(&systemctl, text.replacen("restart | start)", meanwhile, 1)).unwrap();
        world.request("r1", &patient());
        world.conductor(NO_FAULT);
        assert!(world.read("runs/r1/events").contains("ended deployed new"));
        assert_eq!(world.read("request"), "another\n");
    });
}

#[test]
fn a_lock_that_cannot_be_taken_has_an_exit_status_of_its_own() {
    under_each_shell(|world| {
        let flock = world.dir.path().join("real/flock");
        fs::remove_file(&flock).unwrap();
        fs::write(&flock, "#!/bin/sh\nexit 1\n").unwrap();
        fs::set_permissions(&flock, PermissionsExt::from_mode(0o755)).unwrap();
        let placed = world.script("request", &["r1", "1", &request("r1", SWITCH)], NO_FAULT);
        let installed = world.script("conductor", &["c0de", "6", "0"], NO_FAULT);
        for out in [placed, installed] {
            assert_eq!(
                out.status.code(),
                Some(shipit::remote::exits::REQUESTS_LOCKED),
                "{out:?}"
            );
        }
        let left: Vec<_> = fs::read_dir(world.state("")).unwrap().flatten().collect();
        assert!(
            left.iter()
                .all(|entry| !entry.file_name().to_string_lossy().contains("conductor.new"))
        );
    });
}
