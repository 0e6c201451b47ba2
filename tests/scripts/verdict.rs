//! What the verdict must not pass: a new life alone proves little. Each release here is active, and yet not well.

use super::*;

/// Switches to `new`, whose unit shows that on top of being active; watched for that many seconds. What was said.
fn judged(world: &World, also: &str, watch: u32) -> String {
    let unit = world.dir.path().join("units/acme.service");
    fs::write(unit.join("also"), also).unwrap();
    let strict = SWITCH.replace(
        "switch await unit=acme.service turn=restart start=1 successes=1 timeout=1 watch=0",
        &format!("switch await unit=acme.service turn=restart start=1 successes=1 timeout=1 watch={watch}"),
    );
    world.request("r1", &strict);
    world.conductor(NO_FAULT);
    world.read("runs/r1/events")
}

#[track_caller]
fn taken_back(world: &World, events: &str, cause: &str) {
    assert!(events.contains(cause), "{events}");
    assert!(events.contains("ended reverted old"), "{events}");
    assert_eq!(
        (world.current(), world.runs("acme.service")),
        ("old".into(), "old".into())
    );
}

#[test]
fn a_restart_counter_that_cannot_be_read_is_no_zero() {
    under_each_shell(|world| {
        let events = judged(&world, "NRestarts=\n", 0);
        taken_back(&world, &events, "unreadable restart counter");
    });
}

#[test]
fn a_process_that_runs_from_the_old_release_is_not_the_new_one() {
    under_each_shell(|world| {
        let mut process = Command::new("sleep")
            .arg("300")
            .current_dir(world.root().join("releases/old"))
            .spawn()
            .unwrap();
        let events = judged(&world, &format!("MainPID={}\n", process.id()), 0);
        process.kill().unwrap();
        process.wait().unwrap();
        let cause = "acme.service runs from old, not from release new";
        taken_back(&world, &events, cause);
    });
}

#[test]
fn a_life_that_ends_while_it_is_watched_is_no_success_though_another_follows_at_once() {
    under_each_shell(|world| {
        fs::write(world.dir.path().join("units/acme.service/restless"), "").unwrap();
        let events = judged(&world, "", 600);
        taken_back(
            &world,
            &events,
            "acme.service crashed and was restarted (restarts 0 -> 1, exit status 7)",
        );
    });
}

/// A slow host looks when systemd has given the crash loop up already.
#[test]
fn a_crash_loop_that_is_over_is_named_like_one_that_goes_on() {
    under_each_shell(|world| {
        let over = "ActiveState=failed\nSubState=failed\nResult=start-limit-hit\nNRestarts=4\n\
            ExecMainCode=1\nExecMainStatus=7\n";
        let events = judged(&world, over, 0);
        let cause =
            "acme.service crashed and was restarted until systemd gave up (result start-limit-hit, exit status 7)";
        taken_back(&world, &events, cause);
    });
}

/// A reload whose process dies by it, and comes back by itself. The journal has the end of the process that was reloaded.
fn mortal(world: &World, lists: &str) -> String {
    fs::write(world.dir.path().join("units/acme.service/mortal"), "").unwrap();
    let journalctl = world.dir.path().join("real/journalctl");
    let text = fs::read_to_string(&journalctl).unwrap();
    fs::write(&journalctl, text.replace("c0de", "acme1")).unwrap();
    world.request("r1", lists);
    world.conductor(NO_FAULT);
    world.read("runs/r1/events")
}

/// The switch with a reload in place of the restart.
fn reload() -> String {
    let lists = SWITCH.replace("switch restart", "switch reload");
    lists.replace(
        "switch await unit=acme.service turn=restart",
        "switch await unit=acme.service turn=reload",
    )
}

#[test]
fn a_process_that_dies_of_the_reload_and_is_started_again_did_not_reload() {
    under_each_shell(|world| {
        let events = mortal(&world, &reload());
        let cause = "acme.service crashed during the reload and was restarted (exit status 7)";
        taken_back(&world, &events, cause);
    });
}

/// The old release would be down until the time to start is over.
#[test]
fn a_process_that_dies_of_the_reload_for_good_is_not_waited_for() {
    under_each_shell(|world| {
        let dead = "ActiveState=inactive\nSubState=dead\nInvocationID=acme1\nExecMainCode=2\nExecMainStatus=1\n";
        fs::write(world.dir.path().join("units/acme.service/also"), dead).unwrap();
        world.request("r1", &reload());
        world.conductor(NO_FAULT);
        let events = world.read("runs/r1/events");
        taken_back(
            &world,
            &events,
            "acme.service crashed during the reload (killed by SIGHUP)",
        );
    });
}

/// The switch itself starts what was down. That counts for the next reload neither.
#[test]
fn a_service_that_a_reload_finds_down_is_started_and_the_next_reload_must_keep_its_process() {
    under_each_shell(|world| {
        fs::write(world.dir.path().join("units/acme.service/down"), "").unwrap();
        let lists = patient()
            .replace(" restart unit", " reload unit")
            .replace("turn=restart", "turn=reload")
            .replace("switch confirm", "switch flip to=none");
        let events = mortal(&world, &lists);
        assert!(events.contains(" verdict acme.service "), "{events}");
        let cause = "attempt 1 failed: acme.service crashed during the reload and was restarted (";
        taken_back(&world, &events, cause);
    });
}

/// systemd may have started the old release when the kill arrives: its clients would lose their requests.
#[test]
fn between_two_attempts_of_a_crash_loop_nothing_is_killed() {
    under_each_shell(|world| {
        judged(&world, "ActiveState=activating\nSubState=auto-restart\n", 0);
        let asked = fs::read_to_string(world.dir.path().join("units/acme.service/asked")).unwrap();
        let asked: Vec<&str> = asked.lines().filter(|verb| *verb != "reset-failed").collect();
        assert_eq!(asked, ["restart", "restart"]);
    });
}

/// sudo costs more than the restart. Where starts are counted, those by hand count too.
#[test]
fn the_start_limit_is_reset_where_one_counts() {
    for (limit, verbs) in [("0", &["restart"][..]), ("10s", &["reset-failed", "restart"])] {
        under_each_shell(|world| {
            let unit = world.dir.path().join("units/acme.service");
            fs::write(unit.join("shown"), format!("StartLimitIntervalUSec={limit}\n")).unwrap();
            world.request("r1", &patient());
            drop(world.conductor(NO_FAULT));
            let asked = fs::read_to_string(unit.join("asked")).unwrap();
            assert_eq!(
                asked.lines().collect::<Vec<_>>(),
                verbs,
                "{limit}: {}",
                world.read("runs/r1/events")
            );
        });
    }
}

/// systemd then does nothing: the state of the old process stays, and no new one will come.
#[test]
fn a_unit_whose_condition_is_not_met_is_not_waited_for() {
    under_each_shell(|world| {
        let same = "ActiveState=inactive\nSubState=dead\nInvocationID=acme1\nConditionResult=no\n";
        let events = judged(&world, same, 0);
        let cause = "acme.service was not started: a condition of its unit was not met";
        taken_back(&world, &events, cause);
    });
}

/// One that never gets ready would take its whole stop timeout on the way back.
#[test]
fn what_never_gets_ready_is_killed_before_the_old_release_is_started() {
    under_each_shell(|world| {
        let events = judged(&world, "ActiveState=activating\nSubState=start\n", 0);
        taken_back(&world, &events, "acme.service was not active after 1s");
        let told = events.matches(" wait acme.service 1 activating/start\n").count();
        assert_eq!(told, 1, "who follows is told once what is waited for: {events}");
        let asked = world.dir.path().join("units/acme.service/asked");
        let asked = fs::read_to_string(asked).unwrap();
        let told: Vec<&str> = asked.lines().filter(|verb| *verb != "reset-failed").collect();
        assert_eq!(told, ["restart", "kill", "restart"]);
    });
}

/// Each failed probe may be a line in the journal of the service: the pauses grow to 0.8 s.
#[test]
fn the_verdict_of_an_app_that_is_not_healthy_yet_probes_more_and_more_slowly() {
    under_each_shell(|world| {
        let tool = |path: &Path, text: &str| {
            let _ = fs::remove_file(path);
            fs::write(path, format!("#!/bin/sh\n{text}\n")).unwrap();
            fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
        };
        let probe = "echo x >>../../probes\n[ \"$(wc -l <../../probes)\" -gt 6 ]";
        tool(&world.root().join("releases/new/probe"), probe);
        let sleep = "echo \"$1\" >>\"$FAKE/sleeps\"\nexec /bin/sleep \"$1\"";
        tool(&world.dir.path().join("real/sleep"), sleep);
        let slow = patient().replacen("kind=none target=\\c", "kind=command target=./probe", 1);
        world.request("r1", &slow);
        world.conductor(NO_FAULT);
        let events = world.read("runs/r1/events");
        assert!(events.contains("verdict acme.service"), "{events}");
        let sleeps = fs::read_to_string(world.dir.path().join("sleeps")).unwrap();
        assert!(sleeps.contains("0.2\n0.4\n0.8\n0.8\n0.8\n0.8\n"), "{sleeps}");
    });
}

/// Nobody keeps the others on a release that nothing verified: those that the switch changed go back all the same.
#[test]
fn an_instance_that_the_switch_never_touched_and_that_is_down_does_not_end_the_way_back() {
    under_each_shell(|world| {
        world.unit("two.service");
        let unit = |name: &str| world.dir.path().join("units").join(name);
        fs::write(unit("acme.service/crash"), "").unwrap();
        fs::write(unit("two.service/down"), "").unwrap();
        fs::write(unit("two.service/stuck"), "").unwrap();
        let at = world.root().display().to_string();
        let judged = |unit: &str| {
            format!(
                "await unit={unit} turn=restart start=1 successes=1 timeout=1 watch=0 wrongs=5 kind=none target=\\c status=0 contains=\\c release=-"
            )
        };
        let drain =
            |one: u8| format!("drain from=/run/{one}.sock limit=1 router=link at={at}/live.{one}.sock several={one}");
        let back = |one: u8, unit: &str| {
            format!(
                "revert {}\nrevert resume unit={unit} slot={one} socket=-\nrevert {}\n",
                drain(one),
                judged(unit)
            )
        };
        let lists = format!(
            "switch flip to=new\nswitch {}\nswitch slot slot=1 to=new\nswitch restart unit=acme.service\nswitch {}\n\
             switch confirm\nrevert flip to=old\nrevert slot slot=1 to=old\n{}{}settle spare\n",
            drain(1),
            judged("acme.service"),
            back(2, "two.service"),
            back(1, "acme.service"),
        );
        world.request("r1", &lists);
        world.conductor(NO_FAULT);
        let events = world.read("runs/r1/events");
        assert_eq!(
            (world.current(), world.runs("acme.service")),
            ("old".into(), "old".into()),
            "{events}"
        );
        assert!(events.contains("ended degraded old"), "{events}");
    });
}
