//! Reads the events of a run as the host writes them. Only listens: a line that is lost is taken up again
//! where it broke, and what the host does depends on nobody here.

use std::time::{Duration, Instant};

use super::patience::{Away, Patience, Pause};
use super::session::{self, Link};
use crate::host::{Host, Lost};
use crate::interrupt::{Interrupts, UserRequest};
use crate::remote::{Asked, Batch, BatchEvent, Script};
use crate::report::event::{Event, Phase, Report, State};
use crate::step::{Command, Kind, RunEnd, RunEvent, TurnTimes};

/// The most lines of the host's journal that are kept.
const JOURNAL: usize = 1000;

#[derive(Debug, Default)]
pub struct Followed {
    /// How the run ended; `None` when its last event was not received.
    pub end: Option<RunEnd>,
    /// When the new release first served every service, as seen from here.
    pub live_at: Option<Instant>,
    /// How long each service took to restart.
    pub turn_times: Vec<TurnTimes>,
    /// The journal of the lives that failed: systemd's JSON lines.
    pub journal: Vec<Vec<u8>>,
    /// This client runs the verify command.
    verifies: bool,
    /// Why the verify command gave no good verdict.
    pub verify_failed: Option<String>,
    /// The step of the switch list that failed.
    pub failed: Option<Kind>,
    /// The unit that it is about.
    pub failed_about: String,
    /// Where the backup before the migration is, if its unit printed it.
    backup: Option<String>,
    /// The releases that a prune removed.
    pruned: Option<String>,
    /// How far the migration is, if one began.
    pub migration: Option<State>,
    /// What the run is for.
    pub command: Command,
    /// The host ended the switch because a user asked for that.
    pub canceled: bool,
    /// The host was asked to revert.
    pub asked: bool,
    pub events: u64,
    away: Away,
    /// Signs of life so far: every line, of whatever kind.
    signs: u64,
    /// The host's disk was found read-only, and the user knows.
    read_only: bool,
    /// Why following ended without a last word, if it did.
    pub stopped: Option<Stopped>,
}

/// What a user is told of a host whose disk turned read-only under a switch.
pub const READ_ONLY: &str =
    "the disk of the app's root on the host is read-only: the switch waits until it is writable";

/// Why following ended without the host's last word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stopped {
    /// The host has never heard of the run: the request may be on its way, or lost.
    Absent,
    /// The request is in place, and nobody takes it up: the guard does not run.
    Unbegun,
    /// The request is gone without a last word.
    Gone,
    /// The disk of the host stays read-only.
    ReadOnly,
    Interrupted,
    /// The host waits for the verify command, which this client runs.
    Verify,
    /// The host broke the protocol: nothing more of it is read.
    Breach,
}

/// What a user is told at the first Ctrl-C.
pub const ASKING: &str = "asking the host to revert; Ctrl-C again ends only this client: the host continues on its own";

/// The word that asks a run to go back.
pub const CANCEL: &str = "cancel";

impl Followed {
    /// Of a run for this command, of which nothing was heard so far.
    pub fn of(command: Command) -> Self {
        Self {
            command,
            ..Self::default()
        }
    }

    /// The same, of a client that runs the verify command when the host waits for it.
    pub fn verifying(self) -> Self {
        Self { verifies: true, ..self }
    }

    /// How `follow.sh` is to go on when the host waits for the verify command.
    pub fn role(&self) -> &'static str {
        if self.verifies { "verify" } else { "watch" }
    }

    /// Pauses; false when the time is up. A person who leaves meanwhile has left.
    fn waits(&mut self, patience: &mut Patience, interrupts: &Interrupts) -> bool {
        let pause = patience.pause(interrupts);
        if pause == Pause::Interrupted {
            self.stopped = Some(Stopped::Interrupted);
        }
        pause != Pause::None
    }

    /// Takes one line of `follow.sh` in and tells it.
    pub fn take(&mut self, line: &[u8], report: &mut dyn Report) {
        self.signs += 1;
        let text = String::from_utf8_lossy(line);
        let (word, rest) = text.split_once(' ').unwrap_or((&text, ""));
        match word {
            "event" => {
                self.events += 1;
                self.stopped = None;
                self.read_only = false;
                self.event(rest, report);
            }
            "journal" if self.journal.len() < JOURNAL => self.journal.push(rest.as_bytes().to_vec()),
            "gone" => self.stopped = Some(Stopped::Gone),
            "readonly" if !self.read_only => {
                self.read_only = true;
                report.event(&Event::Warning { text: READ_ONLY.into() });
            }
            "verify" => self.stopped = Some(Stopped::Verify),
            "stuck" => self.stopped = Some(Stopped::ReadOnly),
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
                progress: state,
                centiseconds,
                cause,
            }) => {
                let phase = Phase::of(&list).unwrap_or(Phase::Switch);
                if (phase, state) == (Phase::Switch, State::Failed) {
                    self.failed = kind;
                    let about = name.split_once(' ').map_or("", |(_, unit)| unit);
                    about.clone_into(&mut self.failed_about);
                }
                // The word `verify` that follows may be lost, and is not repeated.
                if self.verifies && (phase, kind, state) == (Phase::Switch, Some(Kind::Verify), State::Started) {
                    self.stopped = Some(Stopped::Verify);
                }
                if kind == Some(Kind::Migrate) {
                    self.migration = Some(state);
                }
                // What the step found out, for its own line.
                let found = match kind {
                    Some(Kind::Backup) => self.backup.clone(),
                    Some(Kind::Prune) => self.pruned.take(),
                    _ => None,
                };
                report.event(&Event::Step {
                    phase,
                    name,
                    state,
                    took: centiseconds.map(|cs| Duration::from_millis(cs * 10)),
                    note: cause.or(found.filter(|_| state == State::Done)),
                });
            }
            Some(RunEvent::Live(times)) => {
                self.live_at = Some(Instant::now());
                if !self.turn_times.iter().any(|known| known.unit == times.unit) {
                    self.turn_times.push(times);
                }
            }
            Some(RunEvent::Wait { unit, within, answer }) => report.event(&Event::Wait { unit, within, answer }),
            Some(RunEvent::Canceled) => {
                self.canceled = true;
                report.event(&Event::Canceled);
            }
            Some(RunEvent::Backup(place)) => self.backup = Some(place),
            Some(RunEvent::Pruned(releases)) => self.pruned = Some(first_few(&releases)),
            Some(RunEvent::Note(text)) => report.log("host", text.into_bytes()),
            Some(RunEvent::Ended(Some(mut end))) => {
                if let Some(measured) = &mut end.downtime {
                    measured.services.clone_from(&self.turn_times);
                }
                report.event(&Event::Measured(end.downtime.clone().map(Box::new)));
                self.end = Some(end);
            }
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
                Err(_) if followed.waits(&mut patience, interrupts) => continue,
                Err(_) => break,
            },
        };
        let signs = followed.signs;
        let listened = listen(session.as_mut(), link, root, run, &mut followed, report);
        if followed.signs > signs {
            // It was there just now: it may be away as long again.
            patience = Patience::new(followed.away);
        }
        match listened {
            Ok(()) => {
                host = Some(session);
                let ended = followed.end.is_some() || followed.stopped.is_some();
                if !ended && !followed.waits(&mut patience, interrupts) {
                    break;
                }
            }
            Err(Lost::Interrupted) => followed.stopped = Some(Stopped::Interrupted),
            Err(Lost::Breach(why)) => {
                report.warn(format!(
                    "the host broke the protocol, and shipit closed the connection: {why}"
                ));
                followed.stopped = Some(Stopped::Breach);
            }
            Err(lost) => {
                let text = session::lost_while(&lost, "following the switch", "").what;
                report.warn(format!("{text}; the host continues on its own; reconnecting"));
                if !followed.waits(&mut patience, interrupts) {
                    break;
                }
            }
        }
    }
    (followed, host)
}

/// The releases that were pruned, for one line.
fn first_few(releases: &[String]) -> String {
    match releases {
        [first @ .., _] if first.len() >= 5 => format!("{} and {} more", first[..3].join(", "), releases.len() - 3),
        all => all.join(", "),
    }
}

fn listen(
    host: &mut dyn Host,
    link: &mut dyn Link,
    root: &str,
    run: &str,
    followed: &mut Followed,
    report: &mut dyn Report,
) -> Result<(), Lost> {
    let script = Script::follow([root, run, &followed.events.to_string(), followed.role()]);
    let stop = Script::word([root, run, CANCEL]);
    let mut again = || link.connect(&mut session::Quiet).ok();
    let batch = Batch::one(&script).stop(&stop).again(&mut again);
    batch.run(host, &mut |event| take_event(event, 0, followed, report))?;
    Ok(())
}

/// Takes what step number `which` of a batch says as lines of `follow.sh`.
pub fn take_event(event: BatchEvent<'_>, which: usize, followed: &mut Followed, report: &mut dyn Report) {
    match event {
        BatchEvent::Line { step, line, err: false } if step == which => followed.take(line, report),
        BatchEvent::Interrupted => {
            report.warn(ASKING.into());
        }
        BatchEvent::Asked(Asked::Heard) => followed.asked = true,
        BatchEvent::Asked(Asked::TooLate) => report.warn(too_late(followed.command).into()),
        BatchEvent::Asked(Asked::Unheard) => {
            report.warn("the host could not be asked to revert: it continues on its own".into());
        }
        _ => {}
    }
}

/// What a user is told who asked for a revert when there was nothing left to revert.
pub fn too_late(command: Command) -> &'static str {
    match command {
        Command::Deploy => {
            "the release was already confirmed: it stays live; `shipit rollback` returns to the previous release"
        }
        Command::Rollback => "the release was already confirmed: it stays live",
        Command::Prune => "a prune cannot be reverted: the host continues",
    }
}

#[cfg(test)]
#[path = "follow_tests.rs"]
mod tests;
