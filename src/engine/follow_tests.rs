//! A run that is followed over connections that break, forge or are silent. No host: a shell of this machine, or bytes.
#![allow(clippy::unwrap_used)]

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

use super::*;
use crate::failure::Failure;
use crate::host::{Ended, Exec, ExecEvent, Then};
use crate::step::End;

struct Recorder(Vec<String>);
impl Report for Recorder {
    fn event(&mut self, event: &Event) {
        self.0.push(format!("{event:?}"));
    }
}

/// A host that really runs the script here, on a line that breaks whenever an event was heard.
struct Breaking;
impl Host for Breaking {
    fn exec(&mut self, exec: Exec<'_>, on_event: &mut dyn FnMut(ExecEvent<'_>) -> Then) -> Result<Ended, Lost> {
        let mut child = Command::new("sh")
            .args(["-c", exec.line])
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        for line in BufReader::new(child.stdout.take().unwrap()).split(b'\n') {
            let line = [line.unwrap(), b"\n".to_vec()].concat();
            on_event(ExecEvent::Out(&line));
            if line.starts_with(b"event") {
                child.kill().unwrap();
                child.wait().unwrap();
                return Err(Lost::Cut("it broke".into()));
            }
        }
        child.wait().unwrap();
        Ok(Ended::Code(0))
    }
    fn traffic(&self) -> (u64, u64) {
        (0, 0)
    }
}

struct Often(u32);
impl Link for Often {
    fn connect(&mut self, _: &mut dyn Report) -> Result<Box<dyn Host>, Failure> {
        self.0 += 1;
        Ok(Box::new(Breaking))
    }
}

#[test]
fn a_host_that_is_heard_again_and_again_is_never_given_up_and_a_mute_one_is() {
    let root = tempfile::tempdir().unwrap();
    let run = root.path().join(".shipit/runs/one");
    std::fs::create_dir_all(&run).unwrap();
    std::fs::write(run.join("request"), "").unwrap();
    std::fs::hard_link(run.join("request"), root.path().join(".shipit/request")).unwrap();
    std::fs::write(run.join("attempt-1"), "").unwrap();
    let note = |n: i32| format!("{n} note still here\n");
    let text: String = (0..24).map(note).collect();
    std::fs::write(run.join("events"), text + "24 ended deployed r1 - -\n").unwrap();
    let at = root.path().to_str().unwrap();
    let never = Interrupts::never().unwrap();
    let mut link = Often(0);
    let away = Away(Duration::from_secs(5));
    let mut listen = |at: &str, name: &str, away: Away| {
        let (followed, _) = follow(
            &mut link,
            None,
            at,
            name,
            Followed {
                away,
                ..Followed::default()
            },
            &never,
            &mut Recorder(Vec::new()),
        );
        followed
    };
    let began = Instant::now();
    let end = listen(at, "one", away).end.expect("it was heard to the end");
    assert_eq!(end.end, End::Confirmed);
    assert!(began.elapsed() > away.0, "the line was too good to show it");

    let absent = listen(at, "no-such-run", away);
    assert_eq!(absent.stopped, Some(Stopped::Absent));
    let mute = listen("/no/such/root", "one", Away(Duration::from_secs(2)));
    assert!(mute.end.is_none() && mute.stopped.is_none());
    assert!(link.0 >= 25);
}

#[test]
fn the_verify_command_is_run_though_the_line_breaks_when_the_host_begins_to_wait_for_it() {
    let root = tempfile::tempdir().unwrap();
    let run = root.path().join(".shipit/runs/one");
    std::fs::create_dir_all(&run).unwrap();
    for file in ["request", "attempt-1"] {
        std::fs::write(run.join(file), "").unwrap();
    }
    let text = "1 step switch flip r1 started\n2 step switch flip r1 done 1\n3 step switch verify started\n";
    std::fs::write(run.join("events"), text).unwrap();
    let at = root.path().to_str().unwrap();
    let never = Interrupts::never().unwrap();
    let heard = |followed: Followed| {
        let (mut link, mut recorder) = (Often(0), Recorder(Vec::new()));
        let (followed, _) = follow(&mut link, None, at, "one", followed, &never, &mut recorder);
        assert_eq!(followed.events, 3, "each once");
        followed.stopped
    };
    assert_eq!(heard(Followed::default().verifying()), Some(Stopped::Verify));
    // The request is gone, and this client only watches.
    assert_eq!(heard(Followed::default()), Some(Stopped::Gone));
}

struct Forging;
impl Host for Forging {
    fn exec(&mut self, _: Exec<'_>, _: &mut dyn FnMut(ExecEvent<'_>) -> Then) -> Result<Ended, Lost> {
        Err(Lost::Breach("a forged line".into()))
    }
    fn traffic(&self) -> (u64, u64) {
        (0, 0)
    }
}

#[test]
fn a_host_that_breaks_the_protocol_is_not_said_to_be_silent() {
    let never = Interrupts::never().unwrap();
    let (host, followed) = (Some(Box::new(Forging) as Box<dyn Host>), Followed::default());
    let mut recorder = Recorder(Vec::new());
    let (followed, _) = follow(&mut Often(0), host, "/x", "one", followed, &never, &mut recorder);
    assert_eq!(followed.stopped, Some(Stopped::Breach));
}

#[test]
fn the_hosts_lines_become_events_and_a_end() {
    let (mut followed, mut recorder) = (Followed::default(), Recorder(Vec::new()));
    for line in [
        "event 100 step switch flip 20260101-000000 started",
        "event 110 step switch flip 20260101-000000 done 10",
        "event 120 step switch await acme.service failed 300 acme.service crashed and was restarted 2 times",
        "event 130 ended reverted 20251231-000000 probes=40,failed=3,gap=210,wait=9 acme.service crashed",
    ] {
        followed.take(line.as_bytes(), &mut recorder);
    }
    assert!(recorder.0[1].contains("took: Some(100ms)"), "{}", recorder.0[1]);
    assert!(recorder.0[2].contains("restarted 2 times") && recorder.0[2].contains("Failed"));
    let end = followed.end.unwrap();
    assert_eq!(end.end, End::Reverted);
    assert_eq!(end.live.as_deref(), Some("20251231-000000"));
    assert_eq!(end.downtime.map(|d| (d.probes, d.failed)), Some((40, 3)));
    assert_eq!(end.cause, "acme.service crashed");
}
