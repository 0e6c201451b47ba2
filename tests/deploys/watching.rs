//! What a person at a terminal sees of a deploy: the line that moves, what stays after Ctrl-C, and colors there and nowhere
//! else. Never here: what the words are in each case, which the tests of `output` compare.

use std::fs;
use std::io::Read;
use std::process::Command;
use std::time::Duration;

use super::desk::{Desk, acme, assert_live, current};
use super::terminal::{Screen, at_a_terminal, stays, typed};
use crate::apps::{Kind, Service};
use crate::lab::{self, DelayProxy, Suite, Way};

/// A build that prints, and then waits for a file.
const BUILD: &str = "build: 'echo compiling a lot; until [ -e go ]; do sleep 0.1; done; echo linked'";

/// Insists that nothing of the line that moved is left, and that the last line is what to type.
#[track_caller]
fn is_clean(shown: &str) {
    let stays = stays(shown);
    let moved = |line: &&&str| {
        ["  | ", "  / ", "  - ", "  \\ "]
            .iter()
            .any(|start| line.starts_with(start))
    };
    assert_eq!(stays.iter().find(moved), None, "{shown}");
    assert!(!stays.iter().any(|line| line.contains("^C")), "{shown}");
    // What to type, and a remark on it.
    let next = stays
        .iter()
        .rev()
        .take(2)
        .find(|line| line.starts_with("  next  ") || line.starts_with("next: "));
    assert!(next.is_some(), "{shown}");
}

#[test]
fn the_line_that_moves_shows_what_a_step_does_and_is_gone_after_ctrl_c() {
    let host = lab::host!(Suite::Bookworm);
    let proxy = DelayProxy::to(host.web(host.ssh_port()), Duration::ZERO);
    let mut desk = Desk::live(&host, Service::Notify, &acme("restart"));
    let before = current(&host);
    desk.by_way_of(&host, proxy.address());
    desk.write(&acme("restart").health("watch", "60s").with(BUILD));
    desk.tree(Kind::Graceful, "v2");
    let deploy = || Screen::of(&desk.command(&["deploy"]), (24, 80));

    // While a build runs, its seconds and its last line; Ctrl-C takes both away.
    let mut screen = deploy();
    screen.wait_for(" build  ");
    screen.wait_for("s  compiling a lot");
    screen.types("\x03");
    let (shown, code) = screen.closes();
    assert_eq!(code, Some(1), "{shown}");
    is_clean(&shown);

    // An upload that stands still shows how much was sent of how much.
    fs::write(desk.path("go"), "").unwrap();
    let mut noise = Vec::new();
    fs::File::open("/dev/urandom")
        .unwrap()
        .take(24 << 20)
        .read_to_end(&mut noise)
        .unwrap();
    fs::write(desk.path("source/noise"), noise).unwrap();
    proxy.freeze_after(Way::Up, proxy.carried(Way::Up) + (6 << 20));
    let mut screen = deploy();
    screen.wait_for(" send  ");
    screen.wait_for(" MB of 25.");
    proxy.thaw();
    // While the host waits for the new release, its seconds of how many; Ctrl-C reverts, and nothing of it stays.
    screen.wait_for(" await acme.service  ");
    screen.wait_for("s of 60s");
    screen.types("\x03");
    let (shown, code) = screen.closes();
    assert_eq!(code, Some(3), "{shown}");
    is_clean(&shown);
    for folded in ["built ", "sent "] {
        assert!(
            stays(&shown).iter().any(|line| line.contains(folded)),
            "{folded}: {shown}"
        );
    }
    // The release did not fail: neither it nor a step is called so, and no journal explains it.
    for other in ["compiling", "  failed", "error", "acme["] {
        assert!(
            !stays(&shown).iter().any(|line| line.contains(other)),
            "{other}: {shown}"
        );
    }
    assert!(
        shown.contains(&format!("canceled: acme runs {before} again, verified")),
        "{shown}"
    );
    let listed = desk.shipit(&["releases"]).leaves(0).says("canceled").stdout;
    assert!(!listed.contains("  failed"), "{listed}");
    desk.shipit(&["history"]).leaves(0).says("canceled");
    assert_live(&host, &before, "v1");
}

/// What a unit lacks otherwise, in the eyes of `doctor`.
const SANDBOX: &str = "[Service]\nNoNewPrivileges=yes\nProtectSystem=full\nProtectHome=yes\nPrivateTmp=yes\nPrivateDevices=yes\n\
    RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6\nRestrictNamespaces=yes\nSystemCallFilter=@system-service\n\
    SystemCallErrorNumber=EPERM\nSystemCallArchitectures=native\nProtectKernelTunables=yes\nProtectKernelModules=yes\n\
    ProtectKernelLogs=yes\nProtectControlGroups=yes\nProtectClock=yes\nProtectHostname=yes\nProtectProc=invisible\n\
    LockPersonality=yes\nRestrictRealtime=yes\nRestrictSUIDSGID=yes\nCapabilityBoundingSet=\n";

/// A repository with one commit, and a file that differs from it.
fn commit(desk: &Desk) {
    let git = "git init -qb trunk . && git add source && git -c user.name=Ann -c user.email=a@example.com commit -qm 'Greet twice' \
               && echo >>source/public/index.html";
    let made = Command::new("sh").args(["-c", git]).current_dir(desk.path("")).status();
    assert!(made.unwrap().success());
}

#[test]
fn results_have_colors_on_a_terminal_only_and_a_dumb_one_gets_plain_lines() {
    let host = lab::host!(Suite::Trixie);
    let desk = Desk::ready(&host, Service::Socket, &acme("socket"));
    host.root("mkdir -p /etc/systemd/system/acme.service.d").ok();
    host.write_file("/etc/systemd/system/acme.service.d/sandbox.conf", SANDBOX.as_bytes());
    host.root("systemctl daemon-reload").ok();
    desk.deploy(Kind::Graceful, "v1");
    // Where nothing is wrong, one line has it all.
    let doctor = desk.shipit(&["doctor"]).leaves(0);
    assert_eq!(doctor.stdout.lines().count(), 1, "{doctor}");
    assert!(doctor.stdout.contains("0 errors, 0 warnings"), "{doctor}");
    assert!(doctor.stdout.ends_with("; a deploy can start\n"), "{doctor}");
    desk.tree(Kind::Graceful, "v2");
    commit(&desk);
    let mut dumb = desk.command(&["deploy"]);
    let (shown, code) = typed(dumb.env("TERM", "dumb"), &[]);
    assert_eq!(code, Some(0), "{shown}");
    let plain = shown.replace("\r\n", "\n");
    assert!(!plain.contains(['\r', '\x1b']), "{shown:?}");
    // The commit of a real repository: on the way, on the host, and in both commands that show it.
    let about = "Greet twice (trunk, uncommitted changes)";
    assert!(
        plain.contains("Greet twice (trunk, with uncommitted changes in "),
        "{shown}"
    );
    desk.shipit(&["status"]).leaves(0).says(about);
    desk.shipit(&["releases"]).leaves(0).says(about);
    let listed: serde_json::Value =
        serde_json::from_str(desk.json(&["releases"]).stdout.lines().next().unwrap()).unwrap();
    assert_eq!(
        (listed["dirty"].as_bool(), listed["subject"].as_str()),
        (Some(true), Some("Greet twice"))
    );

    let unit = host.root("cat /etc/systemd/system/acme.service").ok();
    desk.file(
        "deploy/units/acme.service",
        &format!("{unit}\n[Service]\nTimeoutStopSec=9s\n"),
    );
    for (command, colour) in [
        (&["status"][..], "\x1b[32m"),
        (&["releases"], "\x1b[1m"),
        (&["history"], "\x1b[1m"),
        (&["plan"], "\x1b[1m"),
        (&["doctor"], "\x1b[3"),
        (&["unit", "diff"], "\x1b[32m+TimeoutStopSec=9s"),
    ] {
        let on = |more: &'static str| [command, &["--color", more]].concat();
        let (shown, _) = at_a_terminal(&desk, command, &[]);
        assert!(shown.contains(colour), "{command:?}: {shown:?}");
        let (shown, _) = at_a_terminal(&desk, &on("never"), &[]);
        assert!(
            !shown.contains("\x1b[3") && !shown.contains("\x1b[1m"),
            "{command:?}: {shown:?}"
        );
        let (shown, _) = typed(desk.command(command).env("NO_COLOR", "1"), &[]);
        assert!(
            !shown.contains("\x1b[3") && !shown.contains("\x1b[1m"),
            "{command:?}: {shown:?}"
        );
        desk.shipit(command).never_says("\x1b");
        assert!(desk.shipit(&on("always")).stdout.contains(colour), "{command:?}");
    }
}
