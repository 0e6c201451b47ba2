//! Releases that break, each in its own way: the exit code, what is live afterwards, the journal that is
//! shown, and that a good release goes live at once after it.

use super::desk::{Desk, Ran, Yml, acme, answer, assert_live, assert_rest, current};
use super::terminal::at_a_terminal;
use crate::apps::{self, Kind, Migrate, Service};
use crate::lab::{self, Host, Load, Suite};

/// Ships a release that must come back by itself, then a good one.
fn comes_back(host: &Host, desk: &Desk, kind: Kind, cause: &str) -> Ran {
    let before = (current(host), answer(host));
    let version = format!("{kind:?}");
    desk.tree(kind, &version);
    let ran = desk.json(&["deploy"]).leaves(3).says(cause);
    let ended = ran.ended();
    assert_eq!(ended["outcome"], "reverted", "{ran}");
    assert_eq!(ended["live"].as_str(), Some(before.0.as_str()), "{ran}");
    assert_eq!(ended["previous"].as_str(), Some(before.0.as_str()), "{ran}");
    assert_live(host, &before.0, &before.1);
    let good = desk.deploy(Kind::Graceful, &format!("after-{version}"));
    assert_live(host, &good, &format!("after-{version}"));
    ran
}

/// Ships a release that is refused before anything live changes: no new process, no new `current`.
fn refused(host: &Host, desk: &Desk, cause: &str) -> Ran {
    let before = (current(host), answer(host), host.unit("acme.service", "InvocationID"));
    let ran = desk.json(&["deploy"]).leaves(1).says(cause);
    assert_eq!(ran.outcome(), "failed", "{ran}");
    assert_live(host, &before.0, &before.1);
    assert_eq!(host.unit("acme.service", "InvocationID"), before.2, "{ran}");
    ran
}

#[test]
fn a_release_that_crashes_or_cannot_start_is_taken_back_with_its_own_journal() {
    let host = lab::host!(Suite::Bookworm);
    let desk = Desk::live(&host, Service::Notify, &acme("restart"));
    let ran = comes_back(&host, &desk, Kind::CrashAtStart, "crashed and was restarted");
    let journal = ran.journal();
    assert!(journal.contains("cannot open the database"), "{ran}");
    assert!(
        !journal.contains("version v1 starts"),
        "the journal of another life: {ran}"
    );
    let ran = comes_back(&host, &desk, Kind::NoProgram, "acme.service");
    assert!(ran.journal().contains("server.py"), "{ran}");
    let told = desk.shipit(&["history", "-n", "4"]).leaves(0).stdout;
    let lines: Vec<&str> = told.lines().collect();
    assert_eq!(lines.len(), 5, "{told}");
    assert!(
        lines[2].contains(" ann@") && lines[2].contains("  reverted  "),
        "{told}"
    );
    assert!(
        lines[4].contains(" deploy ") && lines[4].contains("crashed and was restarted"),
        "{told}"
    );
}

#[test]
fn a_release_that_crashes_within_the_watch_time_is_taken_back() {
    let host = lab::host!(Suite::Trixie);
    let desk = Desk::live(&host, Service::Notify, &acme("restart"));
    desk.write(&acme("restart").health("watch", "8s"));
    let ran = comes_back(&host, &desk, Kind::CrashAfter2s, "acme.service");
    assert!(ran.journal().contains("the cache is corrupt"), "{ran}");
}

#[test]
fn a_release_that_answers_500_or_never_is_taken_back() {
    let host = lab::host!(Suite::Trixie);
    let desk = Desk::live(
        &host,
        Service::Socket,
        &acme("socket").start("20s").health("timeout", "20s"),
    );
    for (kind, cause) in [
        (Kind::Unhealthy, "answered 500, not 200"),
        (Kind::Hanging, "no answer from"),
    ] {
        let ran = comes_back(&host, &desk, kind, cause);
        let journal = ran.journal();
        assert!(
            journal.contains(&format!("version {kind:?} starts")) && !journal.contains("version v1"),
            "{ran}"
        );
        // Who waits reads the last answer meanwhile.
        ran.says("\"event\":\"wait\"").says(cause);
    }
    desk.tree(Kind::SlowStart, "v2");
    // Long enough to be seen.
    desk.file("source/behaviour", "slow 5");
    let (shown, code) = at_a_terminal(&desk, &["deploy"], &[]);
    assert_eq!(code, Some(0), "{shown}");
    for part in ["s of 20s  activating/start", "sent ", "healthy ", "deployed "] {
        assert!(shown.contains(part), "{part}: {shown}");
    }
    // Each line takes the moving one away before it.
    let last = shown.rsplit("\r\x1b[K").find(|line| !line.is_empty());
    assert!(
        last.is_some_and(|last| last.starts_with("next: ")),
        "something is left: {shown}"
    );
}

#[test]
fn a_release_that_is_never_ready_is_killed_and_taken_back() {
    let host = lab::host!(Suite::Bookworm);
    let desk = Desk::live(&host, Service::Notify, &acme("restart").start("20s"));
    let ran = comes_back(&host, &desk, Kind::NeverReady, "was not active after 20s");
    assert!(ran.journal().contains("version NeverReady starts"), "{ran}");
}

#[test]
fn a_release_that_listens_elsewhere_is_taken_back() {
    let host = lab::host!(Suite::Bookworm);
    let desk = Desk::live(&host, Service::Notify, &acme("restart").health("timeout", "20s"));
    let before = current(&host);
    desk.tree(Kind::Graceful, "v2");
    let server = std::fs::read_to_string(desk.path("source/server.py")).unwrap();
    let elsewhere = server.replace("os.environ.get(\"PORT\", \"8080\")", "8089");
    assert_ne!(server, elsewhere);
    desk.file("source/server.py", &elsewhere);
    let ran = desk
        .json(&["deploy"])
        .leaves(3)
        .says("nobody listens on 127.0.0.1:8080");
    assert!(ran.journal().contains("version v2 starts"), "{ran}");
    assert_live(&host, &before, "v1");
    let good = desk.deploy(Kind::Graceful, "v3");
    assert_live(&host, &good, "v3");
}

#[test]
fn a_health_check_that_not_even_the_live_release_passes_changes_nothing() {
    let host = lab::host!(Suite::Bookworm);
    let good = acme("restart").with("migrate: acme-migrate.service");
    let desk = Desk::live(&host, Service::Notify, &good);
    let before = current(&host);
    let wrong = good
        .clone()
        .health("url", "\"http://127.0.0.1:8089/healthz\"")
        .health("timeout", "5s");
    desk.write(&wrong);
    desk.tree(Kind::Graceful, "v2");
    refused(
        &host,
        &desk,
        &format!(
            "the live release {before} does not pass the health check of acme.service either: nobody listens on 127.0.0.1:8089"
        ),
    );
    assert_eq!(apps::ACME.migrations(&host), ["v1"]);
    // Told to go on, it goes on, and then nobody can say that the way back is good.
    let ran = desk.shipit(&["deploy", "--despite-health"]).leaves(4);
    ran.says("nobody listens on 127.0.0.1:8089")
        .says(&format!("acme runs {before}, not verified"))
        .says("shipit status");
    assert_eq!((current(&host), answer(&host)), (before, "v1".to_owned()));
    desk.shipit(&["status"]).leaves(4).says("degraded since run");
    desk.write(&good);
    let good = desk.deploy(Kind::Graceful, "v3");
    assert_live(&host, &good, "v3");
    desk.shipit(&["status"]).leaves(0).never_says("degraded");
}

#[test]
fn a_release_that_brings_what_the_check_asks_for_or_mends_what_is_down_goes_live() {
    let host = lab::host!(Suite::Trixie);
    let desk = Desk::live(&host, Service::Notify, &acme("restart"));
    let v1 = current(&host);
    desk.write(&acme("restart").health("contains", "v2"));
    desk.tree(Kind::Graceful, "v2");
    desk.shipit(&["deploy"])
        .leaves(1)
        .says("does not contain the required text")
        .says("shipit deploy --despite-health");
    let ran = desk.json(&["deploy", "--despite-health"]).leaves(0);
    assert_live(&host, &ran.release(), "v2");

    // A rollback leaves what is broken: it asks nothing of it.
    desk.write(&acme("restart").health("contains", "v1"));
    desk.json(&["rollback"]).leaves(0);
    assert_live(&host, &v1, "v1");

    // A service that is down is no witness.
    host.root("systemctl stop acme.service").ok();
    desk.write(&acme("restart").health("contains", "v3"));
    desk.tree(Kind::Graceful, "v3");
    let ran = desk.json(&["deploy"]).leaves(0);
    assert_live(&host, &ran.release(), "v3");
}

#[test]
fn a_first_release_that_breaks_leaves_no_current_and_no_service() {
    let host = lab::host!(Suite::Bookworm);
    let desk = Desk::ready(&host, Service::Notify, &acme("restart"));
    desk.tree(Kind::Unhealthy, "v0");
    let ran = desk.json(&["deploy"]).leaves(3);
    assert!(ran.ended()["live"].is_null(), "{ran}");
    assert_eq!(ran.ended()["live_known"], true, "{ran}");
    host.root("test ! -e /opt/acme/current -a ! -L /opt/acme/current").ok();
    assert_eq!(host.unit("acme.service", "ActiveState"), "inactive");
    assert_rest(&host);
    let good = desk.deploy(Kind::Graceful, "v1");
    assert_live(&host, &good, "v1");
}

#[test]
fn an_old_process_that_answers_on_after_a_reload_is_found_by_health_release() {
    let host = lab::host!(Suite::Bookworm);
    let yml = acme("reload")
        .health("url", "\"http://127.0.0.1:8080/release\"")
        .health("release", "true")
        .health("timeout", "20s");
    let desk = Desk::ready(&host, Service::Reload, &yml);
    // The process that runs ignores SIGHUP: what comes next is never loaded.
    desk.deploy(Kind::Stubborn, "v1");
    let before = current(&host);
    let pid = host.unit("acme.service", "MainPID");
    desk.tree(Kind::Graceful, "v2");
    desk.json(&["deploy"])
        .leaves(3)
        .says("an older process may still be serving");
    assert_live(&host, &before, "v1");
    assert_eq!(host.unit("acme.service", "MainPID"), pid, "it served on");
    host.root("systemctl kill -s KILL acme.service").ok();
    host.wait_for("the next life", |host| answer(host) == "v1");
}

#[test]
fn a_server_that_dies_of_the_reload_signal_and_is_started_again_did_not_reload() {
    let host = lab::host!(Suite::Trixie);
    let desk = Desk::ready(&host, Service::Reload, &acme("reload"));
    let first = desk.deploy(Kind::Plain, "v1");
    desk.shipit(&["reload"])
        .leaves(4)
        .says("acme.service is unhealthy after the reload");
    host.wait_for("the next process", |host| answer(host) == "v1");
    desk.tree(Kind::Graceful, "v2");
    desk.json(&["deploy"]).leaves(3);
    assert_live(&host, &first, "v1");
    // Without another start the end of the process is all that comes.
    host.write_file(
        "/etc/systemd/system/acme.service.d/once.conf",
        b"[Service]\nRestart=no\n",
    );
    host.root("systemctl daemon-reload").ok();
    desk.json(&["deploy"]).leaves(3).says("killed by SIGHUP");
    assert_live(&host, &first, "v1");
}

#[test]
fn a_prepare_command_that_fails_stops_the_deploy_and_leaves_no_release() {
    let host = lab::host!(Suite::Trixie);
    let prepare = "prepare: \"echo building; sleep 9000 & test -e ready || { echo no ready file; exit 9; }\"";
    let desk = Desk::ready(&host, Service::Socket, &acme("socket"));
    let first = desk.deploy(Kind::Graceful, "v1");
    desk.write(&acme("socket").with(prepare));
    desk.tree(Kind::Graceful, "v2");
    let before = host.root("ls -A /opt/acme/releases").ok();
    // What it leaves running holds its output open for longer than any command of a test may take.
    refused(&host, &desk, "no ready file").says("exit status 9");
    assert_eq!(
        desk.json(&["releases"]).leaves(0).stdout.lines().count(),
        1,
        "a release that was not prepared is not listed"
    );
    desk.file("source/ready", "");
    desk.json(&["deploy"]).leaves(0);
    assert_eq!(answer(&host), "v2");
    desk.file("source/version", "v3");
    desk.json(&["deploy", "--system-ssh"]).leaves(0);
    assert_eq!(answer(&host), "v3");
    let after = host.root("ls -A /opt/acme/releases").ok();
    assert!(
        !after.contains(".in-") && after.contains(&first) && before.contains(&first),
        "{after}"
    );
}

fn migrating() -> Yml {
    acme("socket").with("migrate: {unit: acme-migrate.service, timeout: 60s}")
}

#[test]
fn a_migration_that_fails_stops_before_the_flip_and_shows_why() {
    for suite in Suite::Trixie.or_both() {
        let host = lab::host!(suite);
        let desk = Desk::live(&host, Service::Socket, &migrating());
        desk.tree_migrating(Kind::Graceful, "v2", Migrate::Fails);
        let ran = refused(
            &host,
            &desk,
            "the migration failed: acme-migrate.service, exit status 3",
        )
        .says("code and `current` are unchanged; any changes that the migration of ")
        .says(" made before it ended remain")
        .says("last output of acme-migrate.service: relation \\\"users\\\" already exists")
        .never_says("nothing live changed");
        assert!(ran.journal().contains("relation \"users\" already exists"), "{ran}");
        let good = desk.deploy(Kind::Graceful, "v3");
        assert_live(&host, &good, "v3");
        // One that ran, before a release that does not serve: the way back does not undo it.
        desk.tree(Kind::CrashAtStart, "v4");
        desk.json(&["deploy"])
            .leaves(3)
            .says(" ran, and the changes it made remain");
        assert_live(&host, &good, "v3");
        assert_eq!(apps::ACME.migrations(&host), ["v1", "v2", "v3", "v4"]);
    }
}

#[test]
fn a_migration_that_hangs_is_ended_by_its_unit_or_by_its_time() {
    let host = lab::host!(Suite::Bookworm);
    let desk = Desk::live(&host, Service::Socket, &migrating());
    desk.tree_migrating(Kind::Graceful, "v2", Migrate::Hangs);
    let ran = refused(&host, &desk, "result timeout");
    assert!(ran.journal().contains("migrating to v2"), "{ran}");
    desk.write(&acme("socket").with("migrate: {unit: acme-migrate.service, timeout: 2s}"));
    desk.tree_migrating(Kind::Graceful, "v3", Migrate::Hangs);
    refused(&host, &desk, "the migration was stopped after 2s");
    assert_eq!(host.unit("acme-migrate.service", "MainPID"), "0");
    // A good one may take its time.
    desk.write(&migrating());
    let good = desk.deploy(Kind::Graceful, "v4");
    assert_live(&host, &good, "v4");
}

#[test]
fn nobody_is_refused_while_a_broken_release_behind_a_socket_is_taken_back() {
    let host = lab::host!(Suite::Bookworm);
    let desk = Desk::live(&host, Service::Socket, &acme("socket"));
    let load = Load::on(host.web(8080)).rate(100).start();
    desk.tree(Kind::CrashAtStart, "v2");
    desk.json(&["deploy"]).leaves(3);
    let counts = load.stop();
    assert_eq!(counts.failures(), 0, "{counts:?}");
}

#[test]
fn what_systemd_could_not_do_before_the_program_ran_is_said_in_words() {
    let host = lab::host!(Suite::Trixie);
    let desk = Desk::ready(&host, Service::Simple, &acme("restart"));
    for (line, words) in [
        ("User=nosuch", "status 217: its User= does not exist on this host"),
        (
            "ExecStart=\nExecStart=/opt/acme/current/nosuch",
            "status 203: the program in its ExecStart= cannot be executed",
        ),
    ] {
        host.write_file(
            "/etc/systemd/system/acme.service.d/broken.conf",
            format!("[Service]\nRestartSec=60s\n{line}\n").as_bytes(),
        );
        host.root("systemctl daemon-reload").ok();
        desk.tree(Kind::Graceful, line);
        desk.json(&["deploy"]).leaves(3).says(words);
    }
}
