//! Steps as lines of the request: `NAME KEY=VALUE …`, each value encoded. The conductor has one function `step_NAME` a
//! step, and each begins with the names that it takes; a test in `remote` compares the two sides.

use std::time::Duration;

use super::{Check, Step, Turn, Verdict, encoded};
use crate::text;

/// The version of the request and its steps, on its first line. The conductor carries out no other one: a request that
/// an older or newer client left is moved aside, and nothing of it is carried out.
pub const PROTOCOL: u32 = 8;

/// Named arguments: the name, and the value not yet encoded.
type Named = Vec<(&'static str, String)>;

/// Arguments as words: `unit=acme.service`.
pub fn words(named: &[(&str, String)]) -> Vec<String> {
    let word = |(name, value): &(&str, String)| format!("{name}={}", encoded(value.as_bytes()));
    named.iter().map(word).collect()
}

fn or_none(value: &Option<String>) -> String {
    value.clone().unwrap_or_else(|| "-".into())
}

/// As the host counts: part of a second is a whole one, so that no wait that was asked for is left out.
pub(super) fn whole_seconds(duration: Duration) -> u64 {
    duration.as_secs() + u64::from(duration.subsec_nanos() > 0)
}

fn seconds(duration: Duration) -> String {
    whole_seconds(duration).to_string()
}

impl Verdict {
    pub fn arguments(&self) -> Named {
        let turn = match self.turn {
            Turn::Restart => "restart",
            Turn::Reload => "reload",
        };
        let mut named = vec![
            ("unit", self.unit.clone()),
            ("turn", turn.to_owned()),
            ("start", seconds(self.start)),
            ("successes", self.successes.to_string()),
            ("timeout", seconds(self.timeout)),
            ("watch", seconds(self.watch)),
            ("wrongs", seconds(self.wrong_answers)),
        ];
        named.extend(Check::arguments(self.check.as_ref()));
        named
    }
}

text::words! {
    /// A step without its arguments. Its word is the name in requests and events; the conductor's function is `step_` and
    /// this.
    pub enum Kind {
        Backup = "backup",
        Migrate = "migrate",
        Trial = "trial",
        Baseline = "baseline",
        Measure = "measure",
        Flip = "flip",
        Slot = "slot",
        Restart = "restart",
        Socket = "socket",
        Reload = "reload",
        Stop = "stop",
        Resume = "resume",
        Isolate = "isolate",
        Canary = "canary",
        Route = "route",
        Drain = "drain",
        Await = "await",
        Verify = "verify",
        Limits = "limits",
        Confirm = "confirm",
        Left = "left",
        Prune = "prune",
        Spare = "spare",
    }
}

impl Step {
    pub fn kind(&self) -> Kind {
        match self {
            Self::Backup { .. } => Kind::Backup,
            Self::Migrate { .. } => Kind::Migrate,
            Self::Trial(_) => Kind::Trial,
            Self::Baseline { .. } => Kind::Baseline,
            Self::Measure(_) => Kind::Measure,
            Self::Flip(_) => Kind::Flip,
            Self::Slot { .. } => Kind::Slot,
            Self::Restart(_) => Kind::Restart,
            Self::Socket { .. } => Kind::Socket,
            Self::Reload(_) => Kind::Reload,
            Self::Stop(_) => Kind::Stop,
            Self::Resume { .. } => Kind::Resume,
            Self::Isolate { .. } => Kind::Isolate,
            Self::Canary(_) => Kind::Canary,
            Self::Route(_) => Kind::Route,
            Self::Drain { .. } => Kind::Drain,
            Self::Await(_) => Kind::Await,
            Self::Verify { .. } => Kind::Verify,
            Self::Limits(_) => Kind::Limits,
            Self::Confirm => Kind::Confirm,
            Self::Left(_) => Kind::Left,
            Self::Prune(_) => Kind::Prune,
            Self::Spare => Kind::Spare,
        }
    }

    /// What it takes. The first is what the step is about: events name it.
    pub fn arguments(&self) -> Named {
        match self {
            Self::Backup { unit, timeout } | Self::Migrate { unit, timeout } => {
                vec![("unit", unit.clone()), ("timeout", seconds(*timeout))]
            }
            Self::Baseline { unit, timeout, check } => {
                let mut named = vec![("unit", unit.clone()), ("timeout", seconds(*timeout))];
                named.extend(Check::arguments(Some(check)));
                named
            }
            Self::Measure(check) => Check::arguments(Some(check)),
            Self::Flip(to) => vec![("to", or_none(to))],
            Self::Slot { slot, to } => vec![("slot", slot.clone()), ("to", or_none(to))],
            Self::Restart(unit) | Self::Reload(unit) | Self::Stop(unit) => {
                vec![("unit", unit.clone())]
            }
            Self::Socket { unit, socket } => {
                vec![("unit", unit.clone()), ("socket", socket.clone())]
            }
            Self::Resume { unit, slot, socket } => {
                vec![
                    ("unit", unit.clone()),
                    ("slot", slot.clone()),
                    ("socket", or_none(socket)),
                ]
            }
            Self::Isolate { socket, server } => vec![("server", server.clone()), ("at", socket.clone())],
            Self::Canary(canary) => {
                let mut named = vec![("share", format!("{}%", canary.share))];
                named.extend(canary.lever.arguments());
                named.extend([
                    ("to", canary.to.clone()),
                    ("from", canary.from.clone()),
                    ("hold", seconds(canary.hold)),
                    ("requests", or_none(&canary.min_requests.map(|least| least.to_string()))),
                    (
                        "old",
                        canary.old.as_ref().map_or_else(String::new, |probe| probe.words().1),
                    ),
                ]);
                named.extend(Check::arguments(canary.check.as_ref()));
                named
            }
            Self::Route(route) => {
                let mut named = vec![("to", route.to.clone()), ("from", or_none(&route.from))];
                named.extend(route.lever.arguments());
                named.push(("instead", or_none(&route.stands_in)));
                named.push(("within", seconds(route.within)));
                named.extend(Check::arguments(route.check.as_ref()));
                named
            }
            Self::Drain {
                lever,
                from,
                limit,
                one_of_several,
            } => {
                let mut named = vec![("from", from.clone()), ("limit", seconds(*limit))];
                named.extend(lever.arguments());
                named.push(("several", or_none(one_of_several)));
                named
            }
            Self::Trial(verdict) | Self::Await(verdict) => verdict.arguments(),
            Self::Verify { timeout, otherwise } => {
                vec![
                    ("timeout", seconds(*timeout)),
                    ("otherwise", otherwise.word().to_owned()),
                ]
            }
            Self::Limits(limits) => {
                let gap = limits.max_gap.map(|gap| gap.as_millis().to_string());
                let failed = limits.max_failed.map(|failed| failed.to_string());
                let or_none = |limit: Option<String>| limit.unwrap_or_else(|| "-".into());
                vec![("gap", or_none(gap)), ("failed", or_none(failed))]
            }
            Self::Confirm | Self::Spare => Vec::new(),
            Self::Left(id) => vec![("release", id.clone())],
            Self::Prune(ids) => vec![("releases", ids.join(","))],
        }
    }

    /// The step as a line of the request, without the list's name.
    pub fn line(&self) -> String {
        let mut line = vec![self.kind().word().to_owned()];
        line.extend(words(&self.arguments()));
        line.join(" ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn part_of_a_second_counts_as_a_whole_one_for_the_host_and_on_screen() {
        for (milliseconds, whole) in [(0, 0), (1, 1), (800, 1), (1000, 1), (1500, 2), (3_600_000, 3600)] {
            let watch = Duration::from_millis(milliseconds);
            let step = Step::Await(Box::new(Verdict {
                unit: "acme.service".into(),
                turn: Turn::Restart,
                start: Duration::from_secs(30),
                successes: 1,
                timeout: Duration::from_secs(30),
                wrong_answers: Duration::ZERO,
                watch,
                check: None,
            }));
            let (line, shown) = (step.line(), step.to_string());
            assert!(line.contains(&format!(" watch={whole} ")), "{line}");
            assert!(shown.ends_with(&format!("stable for {whole}s")), "{shown}");
        }
    }
}
