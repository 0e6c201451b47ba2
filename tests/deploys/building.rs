//! Builds that hang, flood, leave something behind, and a person who has had enough of them: that a run ends at all, long
//! before its build would, is the claim.

use std::fs;
use std::os::unix::process::ExitStatusExt as _;
use std::process::{Child, Stdio};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, Signal, kill_process, test_kill_process};
use serde_json::Value;

use super::desk::{Desk, acme};
use crate::apps::{Kind, Service};
use crate::bounds::{self, Ends as _};
use crate::here::{end, press};
use crate::lab::{self, Host, Suite};

/// A desk at a host that is ready, whose build is that line.
fn desk(host: &Host, build: &str) -> Desk {
    let build = format!("build: {}", shipit::config::scalar(build));
    let desk = Desk::ready(host, Service::Socket, &acme("socket").with(&build));
    desk.tree(Kind::Graceful, "v1");
    desk
}

fn deploy(desk: &Desk) -> Child {
    let mut deploy = desk.command(&["deploy", "--json"]);
    deploy.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}

/// The process that the build wrote down, once it has.
fn noted(desk: &Desk) -> Pid {
    let file = desk.path("pid");
    let mut found = None;
    bounds::wait_for("the build", || {
        let text = fs::read_to_string(&file).unwrap_or_default();
        found = text.strip_suffix('\n').and_then(|text| text.parse().ok());
        found.is_some()
    });
    Pid::from_raw(found.unwrap()).unwrap()
}

#[track_caller]
fn assert_gone(pid: Pid) {
    bounds::wait_for("the end of the build", || test_kill_process(pid).is_err());
}

#[test]
fn a_signal_that_only_shipit_gets_stops_the_build_too() {
    let host = lab::host!(Suite::Bookworm);
    for signal in [Signal::INT, Signal::TERM] {
        let desk = desk(&host, "echo $$ > pid; exec sleep 3000");
        let child = deploy(&desk);
        let build = noted(&desk);
        press(&child, signal);
        let (lines, code) = end(child);
        assert_eq!(code, Some(1));
        let cause = &lines.last().unwrap()["cause"];
        assert_eq!(cause["what"], "`build` was interrupted");
        assert_eq!(cause["why"][1], "shipit received Ctrl-C or SIGTERM");
        assert_eq!(cause["host"], "nothing live changed");
        assert_gone(build);
    }
}

/// The shell waits for what it runs: a signal to the shell alone would leave that running.
#[test]
fn what_the_shell_of_a_build_waits_for_is_stopped_with_it() {
    let host = lab::host!(Suite::Bookworm);
    let desk = desk(&host, "sh -c 'echo $$ > pid; exec sleep 3000' && true");
    let child = deploy(&desk);
    let build = noted(&desk);
    press(&child, Signal::TERM);
    assert_eq!(end(child).1, Some(1));
    assert_gone(build);
}

#[test]
fn a_signal_that_comes_before_anybody_listens_to_the_build_stops_it_too() {
    let host = lab::host!(Suite::Bookworm);
    let desk = desk(&host, "kill -INT $PPID; exec sleep 3000");
    let (lines, code) = end(deploy(&desk));
    assert_eq!(code, Some(1));
    assert_eq!(lines.last().unwrap()["cause"]["what"], "`build` was interrupted");
}

#[test]
fn a_second_interrupt_leaves_a_build_that_will_not_stop() {
    let host = lab::host!(Suite::Bookworm);
    let desk = desk(&host, "trap '' INT TERM; echo $$ > pid; while :; do sleep 0.2; done");
    let child = deploy(&desk);
    let build = noted(&desk);
    press(&child, Signal::INT);
    press(&child, Signal::INT);
    let (_, code) = end(child);
    assert_eq!(code, Some(1));
    assert_gone(build);
}

#[test]
fn a_build_that_mends_itself_after_an_interrupt_is_still_no_reason_to_go_on() {
    let host = lab::host!(Suite::Bookworm);
    let desk = desk(
        &host,
        "trap 'exit 0' INT TERM; echo $$ > pid; while :; do sleep 0.1; done",
    );
    let child = deploy(&desk);
    noted(&desk);
    press(&child, Signal::INT);
    let (lines, code) = end(child);
    assert_eq!(code, Some(1));
    assert_eq!(lines.last().unwrap()["cause"]["what"], "interrupted while building");
}

#[test]
fn a_build_that_floods_can_be_stopped_and_a_line_without_an_end_is_cut() {
    let host = lab::host!(Suite::Bookworm);
    let lines_of = |lines: &[Value]| -> Vec<usize> {
        let logs = lines.iter().filter(|line| line["source"] == "build");
        logs.map(|line| line["line"].as_str().unwrap().len()).collect()
    };
    let whole = desk(&host, "head -c 300000 /dev/zero | tr '\\0' x; echo; echo end");
    let (lines, code) = end(deploy(&whole));
    assert_eq!(code, Some(0));
    let lengths = lines_of(&lines);
    assert!(lengths.len() > 3 && *lengths.last().unwrap() == 3, "{lengths:?}");

    let flood = desk(&host, "echo $$ > pid; exec yes");
    let mut child = deploy(&flood);
    let build = noted(&flood);
    let mut out = child.stdout.take().unwrap();
    let reader = std::thread::spawn(move || std::io::copy(&mut out, &mut std::io::sink()));
    press(&child, Signal::TERM);
    assert_eq!(child.ends().status.code(), Some(1));
    reader.join().unwrap().unwrap();
    assert_gone(build);
}

#[test]
fn what_a_build_leaves_running_is_not_waited_for() {
    let host = lab::host!(Suite::Bookworm);
    let desk = desk(&host, "sleep 3000 & echo $! > pid; echo built");
    let (lines, code) = end(deploy(&desk));
    let left = noted(&desk);
    let still = test_kill_process(left).is_ok();
    kill_process(left, Signal::KILL).unwrap();
    assert!(still, "it was waited for");
    assert_eq!(code, Some(0));
    assert!(lines.iter().any(|line| line["line"] == "built"));
}

#[test]
fn a_second_interrupt_leaves_whatever_it_hangs_in() {
    let host = lab::host!(Suite::Bookworm);
    // A terminal that was stopped looks like this: nothing that is written there is taken.
    let desk = desk(&host, "exec yes");
    let (_unread, screen) = std::io::pipe().unwrap();
    let mut child = desk
        .command(&["deploy", "-v"])
        .stdout(Stdio::null())
        .stderr(screen.try_clone().unwrap())
        .spawn()
        .unwrap();
    let full = || {
        let mut fds = [PollFd::new(&screen, PollFlags::OUT)];
        poll(&mut fds, Some(&Timespec::default())).unwrap() == 0
    };
    bounds::wait_for("a full screen", full);
    press(&child, Signal::INT);
    std::thread::sleep(Duration::from_secs(2));
    assert!(child.try_wait().unwrap().is_none(), "one is not two");
    press(&child, Signal::INT);
    let status = child.ends().status;
    // It could tell nobody how things stand, so it claims no exit code either.
    assert_eq!(status.signal(), Some(2), "{status}");
}

#[test]
fn a_source_that_the_build_did_not_make_is_named() {
    let host = lab::host!(Suite::Bookworm);
    let desk = desk(&host, "true");
    fs::remove_dir_all(desk.path("source")).unwrap();
    desk.shipit(&["deploy"])
        .leaves(1)
        .says("error: source does not exist")
        .says("it is the `source:` of deploy.yml, and `build` has not made it")
        .says("correct `source` in deploy.yml:3, or `build`");
}
