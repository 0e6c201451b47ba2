//! Reads the events of a run as the host writes them. Only listens: a line that is lost is taken up again
//! where it broke, and what the host does depends on nobody here.

use std::time::{Duration, Instant};

use super::session::{self, Link};
use crate::host::{Host, Lost};
use crate::interrupt::{Interrupts, UserRequest};
use crate::remote::{Batch, BatchEvent, Script};
use crate::report::event::{Event, Phase, Report, State};
use crate::step::{Kind, Progress, RunEnd, RunEvent};

#[derive(Debug, Default)]
pub struct Followed {
    /// How the run ended; `None` when its last event was not received.
    pub end: Option<RunEnd>,
    /// When the new release first served every service, as seen from here.
    pub live_at: Option<Instant>,
    /// The journal of the lives that failed: systemd's JSON lines.
    pub journal: Vec<Vec<u8>>,
    /// The step of the switch list that failed.
    pub failed: Option<Kind>,
    pub events: u64,
    away: Away,
    /// Signs of life so far: every line, of whatever kind.
    signs: u64,
    /// Why following ended without a last word, if it did.
    pub stopped: Option<Stopped>,
}

/// How long a host that does not answer is waited for: a reboot fits in.
#[derive(Clone, Copy, Debug)]
struct Away(Duration);

impl Default for Away {
    fn default() -> Self {
        Self(Duration::from_secs(90))
    }
}

/// Why following ended without the host's last word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stopped {
    /// The host has never heard of the run: the request may be on its way, or lost.
    Absent,
    /// The request is in place, and nobody takes it up: the guard does not run.
    Unbegun,
    /// The request is gone without a last word.
    Gone,
    Interrupted,
}

impl Followed {
    /// Takes one line of `follow.sh` in and tells it.
    pub fn take(&mut self, line: &[u8], report: &mut dyn Report) {
        self.signs += 1;
        let text = String::from_utf8_lossy(line);
        let (word, rest) = text.split_once(' ').unwrap_or((&text, ""));
        match word {
            "event" => {
                self.events += 1;
                self.stopped = None;
                self.event(rest, report);
            }
            "journal" => self.journal.push(rest.as_bytes().to_vec()),
            "gone" => self.stopped = Some(Stopped::Gone),
            "waiting" => self.stopped = Some(Stopped::Unbegun),
            "absent" => self.stopped = Some(Stopped::Absent),
            _ => {}
        }
    }

    fn event(&mut self, line: &str, report: &mut dyn Report) {
        match RunEvent::parse(line) {
            Some(RunEvent::Step {
                list,
                kind,
                name,
                progress,
                centiseconds,
                cause,
            }) => {
                let phase = match list.as_str() {
                    "revert" => Phase::Revert,
                    "settle" => Phase::Settle,
                    _ => Phase::Switch,
                };
                if (phase, progress) == (Phase::Switch, Progress::Failed) {
                    self.failed = kind;
                }
                let state = match progress {
                    Progress::Started => State::Started,
                    Progress::Done => State::Done,
                    Progress::Failed => State::Failed,
                };
                report.event(&Event::Step {
                    phase,
                    name,
                    state,
                    took: centiseconds.map(|cs| Duration::from_millis(cs * 10)),
                    note: cause,
                });
            }
            Some(RunEvent::Live) => self.live_at = Some(Instant::now()),
            Some(RunEvent::Note(text)) => report.event(&Event::Log {
                source: "host",
                line: text.into_bytes(),
            }),
            Some(RunEvent::Ended(Some(end))) => self.end = Some(end),
            // Torn: the host could not write more of it.
            Some(RunEvent::Ended(None)) => self.stopped = Some(Stopped::Gone),
            None => {}
        }
    }
}

/// Follows a run to its end, reconnecting where the line breaks, each time for as long as a host may reasonably
/// be away. `host` is the session that placed the request, with what it heard already in `followed`.
pub fn follow(
    link: &mut dyn Link,
    mut host: Option<Box<dyn Host>>,
    root: &str,
    run: &str,
    mut followed: Followed,
    interrupts: &Interrupts,
    report: &mut dyn Report,
) -> (Followed, Option<Box<dyn Host>>) {
    let mut patience = Patience::new(followed.away);
    let known = interrupts.known();
    while followed.end.is_none() && followed.stopped.is_none() {
        let mut session = match host.take() {
            Some(session) => session,
            None => match link.connect(report) {
                Ok(session) => session,
                Err(_) if interrupts.since(known) != UserRequest::Nothing => {
                    followed.stopped = Some(Stopped::Interrupted);
                    break;
                }
                Err(_) if patience.wait(interrupts, &mut followed) => continue,
                Err(_) => break,
            },
        };
        let signs = followed.signs;
        let listened = listen(session.as_mut(), root, run, &mut followed, report);
        if followed.signs > signs {
            // It was there just now: it may be away as long again.
            patience = Patience::new(followed.away);
        }
        match listened {
            Ok(()) => {
                host = Some(session);
                let ended = followed.end.is_some() || followed.stopped.is_some();
                if !ended && !patience.wait(interrupts, &mut followed) {
                    break;
                }
            }
            Err(Lost::Interrupted) => followed.stopped = Some(Stopped::Interrupted),
            Err(lost) => {
                let text = session::lost_while(&lost, "following the switch", "").what;
                report.event(&Event::Warning {
                    text: format!("{text}; the host continues by itself, reconnecting"),
                });
                if !patience.wait(interrupts, &mut followed) {
                    break;
                }
            }
        }
    }
    (followed, host)
}

fn listen(
    host: &mut dyn Host,
    root: &str,
    run: &str,
    followed: &mut Followed,
    report: &mut dyn Report,
) -> Result<(), Lost> {
    let script = Script::follow([root, run, &followed.events.to_string()]);
    let stop = Script::cancel([root, run]);
    let batch = Batch {
        stop: Some(&stop),
        ..Batch::new(std::slice::from_ref(&script))
    };
    batch.run(host, &mut |event| take_event(event, 0, followed, report))?;
    Ok(())
}

/// Takes what step number `which` of a batch says as lines of `follow.sh`.
pub fn take_event(event: BatchEvent<'_>, which: usize, followed: &mut Followed, report: &mut dyn Report) {
    match event {
        BatchEvent::Line { step, line, err: false } if step == which => followed.take(line, report),
        BatchEvent::Interrupted => report.event(&Event::Warning {
            text: "asked the host to go back; press Ctrl-C again to exit (the host continues by itself)".into(),
        }),
        _ => {}
    }
}

/// What is left of that time, and the pauses in it.
struct Patience {
    until: Instant,
    pause: Duration,
}

impl Patience {
    fn new(away: Away) -> Self {
        Self {
            until: Instant::now() + away.0,
            pause: Duration::from_millis(250),
        }
    }

    /// Pauses; false when the time is up. A person who leaves meanwhile has left.
    fn wait(&mut self, interrupts: &Interrupts, followed: &mut Followed) -> bool {
        if Instant::now() + self.pause > self.until {
            return false;
        }
        if interrupts.rest(self.pause) {
            followed.stopped = Some(Stopped::Interrupted);
        }
        self.pause = (self.pause * 2).min(Duration::from_secs(4));
        true
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
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
        let text: String = (0..12).map(note).collect();
        std::fs::write(run.join("events"), text + "12 ended deployed r1 - -\n").unwrap();
        let at = root.path().to_str().unwrap();
        let never = Interrupts::never().unwrap();
        let mut link = Often(0);
        let away = Away(Duration::from_secs(2));
        let mut listen = |at: &str, name: &str| {
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
        let end = listen(at, "one").end.expect("it was heard to the end");
        assert_eq!(end.end, End::Confirmed);
        assert!(began.elapsed() > away.0, "the line was too good to show it");

        let absent = listen(at, "no-such-run");
        assert_eq!(absent.stopped, Some(Stopped::Absent));
        let mute = listen("/no/such/root", "one");
        assert!(mute.end.is_none() && mute.stopped.is_none());
        assert!(link.0 >= 13);
    }

    #[test]
    fn the_hosts_lines_become_events_and_a_end() {
        let (mut followed, mut recorder) = (Followed::default(), Recorder(Vec::new()));
        for line in [
            "event 100 step switch flip 20260101-000000 started",
            "event 110 step switch flip 20260101-000000 done 10",
            "event 120 step switch await acme.service failed 300 acme.service crashed and was restarted 2 times",
            "event 130 ended reverted 20251231-000000 40,3,210 acme.service crashed",
        ] {
            followed.take(line.as_bytes(), &mut recorder);
        }
        assert!(recorder.0[1].contains("took: Some(100ms)"), "{}", recorder.0[1]);
        assert!(recorder.0[2].contains("restarted 2 times") && recorder.0[2].contains("Failed"));
        let end = followed.end.unwrap();
        assert_eq!(end.end, End::Reverted);
        assert_eq!(end.live.as_deref(), Some("20251231-000000"));
        assert_eq!(end.probes, Some([40, 3, 210]));
        assert_eq!(end.cause, "acme.service crashed");
    }
}
