//! The timeline of one switch, read from the host's record of its run: steps as bars, probes as dots. Pure. `html` and
//! `terminal` draw it; nobody else. Start reading at [`Timeline::read`].

pub mod html;
pub mod terminal;

use crate::step::{Downtime, End, Loss, Progress, RunEnd, RunEvent, decoded};

/// One step of the conductor. Times in milliseconds since the run began.
#[derive(Clone, Debug, PartialEq)]
pub struct Bar {
    /// `switch`, `revert` or `settle`.
    pub list: String,
    /// The step and its subject.
    pub name: String,
    pub from: f64,
    pub to: f64,
    /// `Started` for one that never ended.
    pub progress: Progress,
    pub cause: Option<String>,
}

/// One probe, likewise.
#[derive(Clone, Debug, PartialEq)]
pub struct Dot {
    pub from: f64,
    pub to: f64,
    /// `None`: it was answered well.
    pub lost: Option<Loss>,
    /// On the kept connection.
    pub kept: bool,
    /// The release that the response names.
    pub release: Option<String>,
}

impl Dot {
    pub fn took(&self) -> f64 {
        self.to - self.from
    }
}

/// A moment that divides a switch.
#[derive(Clone, Debug, PartialEq)]
pub struct Moment {
    pub at: f64,
    pub what: String,
}

#[derive(Clone, Debug, Default, PartialEq)]
pub struct Timeline {
    pub run: String,
    /// What the request says: `deploy`, the releases, who, and when by the client's clock.
    pub command: String,
    pub previous: String,
    pub next: String,
    pub by: String,
    pub since: String,
    pub bars: Vec<Bar>,
    pub dots: Vec<Dot>,
    pub moments: Vec<Moment>,
    pub downtime: Option<Downtime>,
    /// `None` when the record does not say how it ended.
    pub end: Option<End>,
    pub cause: String,
    /// How long all of it took, in milliseconds.
    pub length: f64,
}

impl Timeline {
    /// Reads what `look/record.sh` prints. A line that is none of its own is passed over.
    pub fn read(run: &str, text: &str) -> Self {
        let mut timeline = Self {
            run: run.to_owned(),
            ..Self::default()
        };
        let mut times = Vec::new();
        for line in text.lines() {
            match line.split_once(' ') {
                Some(("request", fact)) => timeline.request(fact),
                Some(("event", event)) => timeline.event(event),
                Some(("probe", probe)) => timeline.dots.extend(dot(probe)),
                _ => {}
            }
        }
        // The clock counts from boot; here it counts from the first thing that happened.
        let began = timeline.bars.iter().map(|bar| bar.from);
        let began = began
            .chain(timeline.dots.iter().map(|dot| dot.from))
            .fold(f64::MAX, f64::min);
        for bar in &mut timeline.bars {
            (bar.from, bar.to) = (bar.from - began, bar.to - began);
            times.push(bar.to);
        }
        for dot in &mut timeline.dots {
            (dot.from, dot.to) = (dot.from - began, dot.to - began);
            times.push(dot.to);
        }
        for moment in &mut timeline.moments {
            moment.at -= began;
        }
        timeline.length = times.into_iter().fold(1.0, f64::max);
        for bar in timeline.bars.iter_mut().filter(|bar| bar.progress == Progress::Started) {
            bar.to = timeline.length;
        }
        timeline
    }

    fn request(&mut self, fact: &str) {
        let Some((word, value)) = fact.split_once(' ') else {
            return;
        };
        let value = String::from_utf8_lossy(&decoded(value)).into_owned();
        match word {
            "command" => self.command = value,
            "by" => self.by = value,
            "since" => self.since = value,
            "previous" => self.previous = value,
            "next" => self.next = value,
            _ => {}
        }
    }

    fn event(&mut self, line: &str) {
        let at = line.split(' ').next().and_then(|at| at.parse::<f64>().ok());
        let (Some(at), Some(event)) = (at.map(|centiseconds| centiseconds * 10.0), RunEvent::parse(line)) else {
            return;
        };
        match event {
            RunEvent::Step {
                list,
                name,
                progress,
                cause,
                ..
            } => match progress {
                Progress::Started => self.bars.push(Bar {
                    list,
                    name,
                    from: at,
                    to: at,
                    progress,
                    cause: None,
                }),
                Progress::Done | Progress::Failed => {
                    let open =
                        |bar: &&mut Bar| bar.progress == Progress::Started && bar.name == name && bar.list == list;
                    if let Some(bar) = self.bars.iter_mut().rev().find(open) {
                        (bar.to, bar.progress, bar.cause) = (at, progress, cause);
                        if bar.name.starts_with("flip ") {
                            self.moments.push(Moment {
                                at,
                                what: bar.name.clone(),
                            });
                        }
                    }
                }
            },
            RunEvent::Live(times) => {
                let what = format!("{} serves", times.unit);
                self.moments.push(Moment { at, what });
            }
            RunEvent::Ended(Some(RunEnd {
                end, downtime, cause, ..
            })) => {
                (self.end, self.downtime, self.cause) = (Some(end), downtime, cause);
            }
            RunEvent::Wait { .. }
            | RunEvent::Note(_)
            | RunEvent::Backup(_)
            | RunEvent::Pruned(_)
            | RunEvent::Canceled
            | RunEvent::Ended(None) => {}
        }
    }

    /// Which release answered from when to when, where responses name one. A failed probe on a new connection ends it.
    pub fn answers(&self) -> Vec<(f64, f64, &str)> {
        let mut spans: Vec<(f64, f64, &str)> = Vec::new();
        let mut sorted: Vec<&Dot> = self.dots.iter().collect();
        sorted.sort_by(|a, b| a.to.total_cmp(&b.to));
        let mut open = false;
        for dot in sorted {
            match (dot.release.as_deref(), spans.last_mut()) {
                (Some(release), Some(last)) if open && last.2 == release => last.1 = dot.to,
                (Some(release), _) => {
                    spans.push((dot.to, dot.to, release));
                    open = true;
                }
                (None, _) => open &= dot.lost.is_none() || dot.kept,
            }
        }
        spans
    }

    /// `deploy 20260101-000000 -> 20260102-000000`.
    pub fn headline(&self) -> String {
        match self.previous.as_str() {
            "" | "-" => format!("{} {}", self.command, self.next),
            previous => format!("{} {previous} -> {}", self.command, self.next),
        }
    }

    /// How it ended, in a few words.
    pub fn ended(&self) -> &'static str {
        match self.end {
            Some(End::Confirmed) => "confirmed",
            Some(End::Failed) => "failed before the flip",
            Some(End::Reverted) => "reverted",
            Some(End::Degraded) => "degraded: the revert failed too",
            None => "in progress, or its end was not recorded",
        }
    }
}

fn dot(line: &str) -> Option<Dot> {
    let mut words = line.split(' ');
    let (from, to) = (words.next()?.parse().ok()?, words.next()?.parse().ok()?);
    let lost = match words.next()? {
        "ok" => None,
        how => Some(Loss::of(how)?),
    };
    let kept = match words.next()? {
        // They only refine the gap.
        "extra" => return None,
        kind => kind == "kept",
    };
    let release = words.nth(1)?;
    Some(Dot {
        from,
        to,
        lost,
        kept,
        release: (release != "-").then(|| release.to_owned()),
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
pub(super) mod tests {
    use super::*;

    /// A deploy by `restart` that was reverted.
    pub const RECORD: &str = r"request command deploy
request by ann\0040\0074\0142\0076
request since 2026\005501
request previous r1
request next r2
event 100 step switch measure started
event 120 step switch measure done 20
event 120 step switch flip r2 started
event 122 step switch flip r2 done 2
event 122 step switch restart acme.service started
event 130 step switch restart acme.service done 8
event 130 step switch await acme.service started
event 230 step switch await acme.service failed 100 acme.service <failed>: exit status 7
event 230 step revert flip r1 started
event 232 step revert flip r1 done 2
event 232 step revert await acme.service started
event 300 step revert await acme.service done 68
event 310 ended reverted r1 probes=5,failed=2,gap=1710,wait=4,refused=2,during=1/4/4,before=1/1/1 acme.service failed
probe 1010.0 1010.8 ok new 1 r1
probe 1060.0 1062.0 ok kept 1 r1
probe 1250.0 1250.4 refused new 1 -
probe 1300.0 1300.2 refused new 1 -
probe 2950.0 2954.0 ok new 1 r1
whole
";

    #[test]
    fn a_record_becomes_bars_and_dots_from_the_first_moment_on() {
        let timeline = Timeline::read("run-1", RECORD);
        assert_eq!(timeline.headline(), "deploy r1 -> r2");
        assert_eq!((timeline.by.as_str(), timeline.ended()), ("ann <b>", "reverted"));
        let await_ = timeline
            .bars
            .iter()
            .find(|bar| bar.name == "await acme.service")
            .unwrap();
        assert_eq!(
            (await_.from, await_.to, await_.progress),
            (300.0, 1300.0, Progress::Failed)
        );
        assert_eq!(timeline.dots.len(), 5);
        assert_eq!(timeline.dots[2].lost, Some(Loss::Refused));
        assert_eq!((timeline.dots[0].from, timeline.length), (10.0, 2000.0));
        let answers: Vec<(u64, u64, &str)> = timeline
            .answers()
            .iter()
            .map(|(a, b, id)| (*a as u64, *b as u64, *id))
            .collect();
        assert_eq!(answers, [(10, 62, "r1"), (1954, 1954, "r1")]);
        assert_eq!(timeline.downtime.map(|d| d.failed), Some(2));
    }
}
