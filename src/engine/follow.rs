//! Reads the events of a run as the host writes them. Only listens: a line that is lost is taken up again
//! where it broke, and what the host does depends on nobody here.

use std::time::{Duration, Instant};

use super::session::{self, Link};
use crate::host::{Host, Lost};
use crate::interrupt::Interrupts;
use crate::remote::{self, Script, Told};
use crate::report::event::{Downtime, Event, Phase, Report, State};

/// How the host says a run ended.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Verdict {
    /// `deployed`, `reverted`, `failed`, `degraded`.
    pub outcome: String,
    /// The release that is live, `-` for none.
    pub live: String,
    /// What was measured.
    pub downtime: Option<Downtime>,
    /// Why, in one line; empty when it went well.
    pub cause: String,
}

/// What following gave.
#[derive(Debug, Default)]
pub struct Followed {
    /// The host's last word; `None` when it could not be heard.
    pub verdict: Option<Verdict>,
    /// When the new release first served every service, as seen from here.
    pub live_at: Option<Instant>,
    /// The journal of the lives that failed: systemd's JSON lines.
    pub journal: Vec<Vec<u8>>,
    /// Events heard so far.
    pub heard: u64,
    /// The host never began: its guard does not run.
    pub unbegun: bool,
    /// The request is gone without a last word.
    pub gone: bool,
    /// A person left.
    pub left: bool,
}

impl Followed {
    /// Takes one line of `follow.sh` in and tells it.
    pub fn take(&mut self, line: &[u8], report: &mut dyn Report) {
        let text = String::from_utf8_lossy(line);
        let (word, rest) = text.split_once(' ').unwrap_or((&text, ""));
        match word {
            "event" => {
                self.heard += 1;
                self.unbegun = false;
                self.event(rest, report);
            }
            "journal" => self.journal.push(rest.as_bytes().to_vec()),
            "gone" => self.gone = true,
            "waiting" => self.unbegun = true,
            "beat" => self.unbegun = false,
            _ => {}
        }
    }

    fn event(&mut self, rest: &str, report: &mut dyn Report) {
        let mut words = rest.splitn(3, ' ');
        let (_at, kind, rest) = (
            words.next(),
            words.next().unwrap_or(""),
            words.next().unwrap_or(""),
        );
        match kind {
            "step" => {
                if let Some(event) = step(rest) {
                    report.event(&event);
                }
            }
            "live" => self.live_at = Some(Instant::now()),
            "note" => report.event(&Event::Log {
                source: "host",
                line: rest.as_bytes().to_vec(),
            }),
            "ended" => self.verdict = Some(verdict(rest)),
            _ => {}
        }
    }
}

/// `LIST NAME[ UNIT] STATE [CENTISECONDS [CAUSE]]`
fn step(rest: &str) -> Option<Event> {
    let (list, rest) = rest.split_once(' ')?;
    let phase = match list {
        "revert" => Phase::Revert,
        "settle" => Phase::Settle,
        _ => Phase::Switch,
    };
    let words: Vec<&str> = rest.split(' ').collect();
    let at = words
        .iter()
        .position(|w| matches!(*w, "started" | "done" | "failed"))?;
    let state = match words[at] {
        "started" => State::Started,
        "done" => State::Done,
        _ => State::Failed,
    };
    let took = words
        .get(at + 1)
        .and_then(|w| w.parse::<u64>().ok())
        .map(|cs| Duration::from_millis(cs * 10));
    let note = (words.len() > at + 2).then(|| words[at + 2..].join(" "));
    let mut name = words[..at].join(" ");
    // What a probe's step carries is data, not a name.
    if words[0] == "measure" {
        name = "measure".into();
    }
    Some(Event::Step {
        phase,
        name,
        state,
        took,
        note,
    })
}

/// `OUTCOME LIVE PROBES,FAILED,GAP|- CAUSE`
fn verdict(rest: &str) -> Verdict {
    let mut words = rest.splitn(4, ' ');
    let (outcome, live) = (
        words.next().unwrap_or("").to_owned(),
        words.next().unwrap_or("").to_owned(),
    );
    let numbers: Vec<u64> = words
        .next()
        .unwrap_or("")
        .split(',')
        .filter_map(|n| n.parse().ok())
        .collect();
    let downtime = match numbers.as_slice() {
        [probes, failed, longest_gap_ms] => Some(Downtime {
            probes: *probes,
            failed: *failed,
            longest_gap_ms: *longest_gap_ms,
        }),
        _ => None,
    };
    let cause = words.next().unwrap_or("").to_owned();
    Verdict {
        outcome,
        live,
        downtime,
        cause: if cause == "-" { String::new() } else { cause },
    }
}

/// Follows a run to its end, reconnecting where the line breaks, for as long as a host may reasonably be
/// away. `first` is the session that placed the request, with what it heard already.
pub fn follow(
    link: &mut dyn Link,
    mut host: Option<Box<dyn Host>>,
    root: &str,
    run: &str,
    mut followed: Followed,
    interrupts: &Interrupts,
    report: &mut dyn Report,
) -> (Followed, Option<Box<dyn Host>>) {
    let mut patience = Patience::new();
    let before = interrupts.count();
    while followed.verdict.is_none() && !followed.gone && !followed.unbegun && !followed.left {
        let mut session = match host.take() {
            Some(session) => session,
            None => match link.connect(report) {
                Ok(session) => session,
                Err(_) if interrupts.count() > before => {
                    followed.left = true;
                    break;
                }
                Err(_) if patience.wait() => continue,
                Err(_) => break,
            },
        };
        match listen(session.as_mut(), root, run, &mut followed, report) {
            Ok(()) => {
                host = Some(session);
                let ended = followed.verdict.is_some() || followed.gone || followed.unbegun;
                if !ended && !patience.wait() {
                    break;
                }
            }
            Err(Lost::Left) => followed.left = true,
            Err(lost) => {
                let text = session::lost_while(&lost, "following the switch", "").what;
                report.event(&Event::Warning {
                    text: format!("{text}; the host goes on by itself, reconnecting"),
                });
                if !patience.wait() {
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
    let script = Script::follow([root, run, &followed.heard.to_string()]);
    let stop = Script::cancel([root, run]);
    remote::run(host, None, &[script], None, Some(&stop), &mut |told| {
        hear(told, 0, followed, report)
    })?;
    Ok(())
}

/// Takes what step number `which` of a batch says as lines of `follow.sh`.
pub fn hear(told: Told<'_>, which: usize, followed: &mut Followed, report: &mut dyn Report) {
    match told {
        Told::Line { step, line, err: false } if step == which => followed.take(line, report),
        Told::Interrupted => report.event(&Event::Warning {
            text: "asked the host to go back; press Ctrl-C again to leave (the host goes on by itself)".into(),
        }),
        _ => {}
    }
}

/// How long a host that went away is waited for: a reboot fits in.
struct Patience {
    until: Instant,
    pause: Duration,
}

impl Patience {
    fn new() -> Self {
        Self {
            until: Instant::now() + Duration::from_secs(90),
            pause: Duration::from_millis(250),
        }
    }

    fn wait(&mut self) -> bool {
        if Instant::now() + self.pause > self.until {
            return false;
        }
        std::thread::sleep(self.pause);
        self.pause = (self.pause * 2).min(Duration::from_secs(4));
        true
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    struct Told(Vec<String>);
    impl Report for Told {
        fn event(&mut self, event: &Event) {
            self.0.push(format!("{event:?}"));
        }
    }

    #[test]
    fn the_hosts_lines_become_events_and_a_verdict() {
        let (mut followed, mut told) = (Followed::default(), Told(Vec::new()));
        for line in [
            "event 100 step switch flip 20260101-000000 started",
            "event 110 step switch flip 20260101-000000 done 10",
            "event 120 step switch await acme.service failed 300 acme.service crashed and was restarted 2 times",
            "event 130 ended reverted 20251231-000000 40,3,210 acme.service crashed",
        ] {
            followed.take(line.as_bytes(), &mut told);
        }
        assert!(told.0[1].contains("took: Some(100ms)"), "{}", told.0[1]);
        assert!(told.0[2].contains("restarted 2 times") && told.0[2].contains("Failed"));
        let verdict = followed.verdict.unwrap();
        assert_eq!(verdict.outcome, "reverted");
        assert_eq!(verdict.downtime.unwrap().longest_gap_ms, 210);
        assert_eq!(verdict.cause, "acme.service crashed");
    }
}
