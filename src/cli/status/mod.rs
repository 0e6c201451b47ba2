//! `shipit status`: what is live, how the units are and since when, health now, timers, the last deploys, whether a switch is
//! under way. One trip; changes nothing.

mod past; // the last switches, and the one in progress
mod well; // nothing to look at: one line

use serde_json::{Value, json};

use super::args::Global;
use super::paper::{Ink, Paper};
use crate::config::Config;
use crate::engine::observe;
use crate::failure::{Exit, Failure, Next, Typed};
use crate::observed::ledger::{Past, State};
use crate::observed::status::{StatusReport, point};
use crate::observed::{Current, Observed, Root};
use crate::plan::units::{Purpose, units};
use crate::report::sentence;
use crate::text;
use crate::unit::properties::Properties;

/// What follows from a guard that does not run.
const REFUSED: &str = ": deploys are refused";

pub(super) fn run(global: &Global) -> Result<Exit, Failure> {
    let config = super::configuration(global)?;
    let mut host = super::connect(global, &config)?;
    let (observed, status) = observe::observe_with_status(host.as_mut(), &config)?;
    let view = View {
        config: &config,
        observed: &observed,
        status: &status,
    };
    super::results(&if global.json {
        super::object(&view.object())
    } else {
        view.printed(&super::typed(global), Paper::new(global), global.verbose)
    });
    Ok(if observed.is_degraded() {
        Exit::Degraded
    } else if view.stuck() {
        Exit::Unknown
    } else {
        Exit::Done
    })
}

/// One host at one moment.
struct View<'a> {
    config: &'a Config,
    observed: &'a Observed,
    status: &'a StatusReport,
}

impl View<'_> {
    fn app(&self) -> &str {
        self.config.app.as_str()
    }

    /// The app, and the environment that was chosen.
    fn name(&self) -> String {
        match &self.config.environment {
            Some(environment) => format!("{} ({environment})", self.app()),
            None => self.app().to_owned(),
        }
    }

    /// A switch that waits for its disk: how it ends is unknown.
    fn stuck(&self) -> bool {
        self.observed.root == Root::ReadOnly && self.observed.request.is_some()
    }

    /// Seconds since a point in time, by the host's clock.
    fn ago(&self, at: Option<i64>) -> Option<i64> {
        Some(self.observed.time? - at?)
    }

    fn number(&self, unit: &str, name: &str) -> Option<u64> {
        // What is not measured is `[not set]`, or the largest number there is.
        let number = self.observed.unit(unit).text(name).parse::<u64>().ok();
        number.filter(|n| *n < u64::MAX / 2)
    }

    fn since(&self, unit: &str) -> Option<i64> {
        self.ago(point(self.observed.unit(unit).text("ActiveEnterTimestamp")))
    }

    fn is_service(&self, unit: &str) -> bool {
        self.config.service_of(unit).is_some()
    }

    /// An instance that rests, or is not stopped yet although it has no release any more.
    fn is_idle(&self, unit: &str) -> bool {
        let mut all = self.config.instances();
        all.any(|one| one.unit == unit && self.observed.is_idle(&one))
    }

    fn unreadable(&self) -> Vec<String> {
        let observed = self.observed.unreadable.iter().map(ToString::to_string);
        observed.chain(self.status.unreadable.iter().cloned()).collect()
    }

    fn object(&self) -> Value {
        let observed = self.observed;
        let unit = |unit: &str| {
            let p = |name| observed.unit(unit).text(name);
            let health = self.status.health.get(unit);
            json!({"unit": unit, "active": p("ActiveState"), "sub": p("SubState"), "result": p("Result"),
                "since": p("ActiveEnterTimestamp"), "seconds": self.since(unit), "restarts": p("NRestarts"),
                "memory": self.number(unit, "MemoryCurrent"), "tasks": self.number(unit, "TasksCurrent"),
                "release": self.is_service(unit).then(|| self.status.release(observed, unit)).flatten(),
                "idle": self.is_service(unit).then(|| self.is_idle(unit)), "listens": self.status.listens.get(unit),
                "healthy": health.map(Result::is_ok), "health": health.and_then(|h| h.as_ref().err())})
        };
        let units: Vec<Value> = units(self.config, Purpose::Observe).into_iter().map(unit).collect();
        let timer = |(name, p): (&String, &Properties)| {
            let of = |key: &str| p.text(key);
            json!({"timer": name, "active": of("ActiveState"), "starts": of("Unit"), "last": p.get("LastTriggerUSec").and_then(point),
                "next": self.status.next(observed, name), "result": of("Result"),
                "missed": self.status.missed(observed, name)})
        };
        let timers: Vec<Value> = self.status.timers.iter().map(timer).collect();
        let past = |past: Past| {
            json!({"run": past.run, "at": past.at, "command": past.command.word(), "release": past.release,
                "outcome": past.outcome.word(), "canceled": past.is_canceled(), "by": self.status.by.get(&past.run)})
        };
        let deploys: Vec<Value> = self.pasts().into_iter().map(past).collect();
        let request = observed.request.as_ref().map(|r| json!({"run": r.run, "by": r.by, "command": r.command, "release": r.next, "since": r.since, "step": r.step}));
        let state = observed.live().and_then(|id| observed.ledger.state(id));
        let commit = observed
            .live()
            .and_then(|id| observed.commit(id))
            .as_ref()
            .map(crate::report::json::commit);
        json!({"v": 1, "app": self.app(), "live": observed.live(), "live_known": observed.live_known(), "commit": commit, "state": state.map(State::word), "switch": request,
            "degraded": observed.degraded, "units": units, "timers": timers, "deploys": deploys, "unreadable": self.unreadable()})
    }

    /// One line where all is well, or all lines.
    fn printed(&self, typed: &Typed, paper: Paper, verbose: bool) -> String {
        if !verbose && self.is_well() {
            let line = text::shown(self.in_short().as_bytes());
            let healthy = paper.paint(Ink::Good, "healthy");
            return paper.line(&line.replacen(well::HEALTHY, &format!(" {healthy}, "), 1), 2);
        }
        let ink = |line: &str| match line.trim_start() {
            line if line.starts_with("healthy (") => Some(Ink::Good),
            line if line.starts_with("not healthy: ") || line.starts_with("degraded since") => Some(Ink::Bad),
            line if line.contains(": failed (") || line.ends_with("which is not live") => Some(Ink::Bad),
            line if line.ends_with(REFUSED) => Some(Ink::Bad),
            line if line.contains(" failed, reverted") || line.contains(" failed, not reverted") => Some(Ink::Bad),
            line if line.contains(", missed the run ") => Some(Ink::Warning),
            line if line.starts_with("cannot read: ") || line.starts_with("switch in progress") => Some(Ink::Warning),
            _ => None,
        };
        let mut out = String::new();
        for (i, line) in self.text(typed, verbose).iter().enumerate() {
            let indent = line.len() - line.trim_start().len();
            let painted = match (i, ink(line)) {
                (0, _) if self.down().next().is_some() => paper.paint(Ink::Bad, line),
                (0, _) => paper.paint(Ink::Bold, line),
                (_, Some(ink)) => " ".repeat(indent) + &paper.paint(ink, line.trim_start()),
                _ => line.clone(),
            };
            out.push_str(&if line.trim_start().starts_with("next: ") {
                paper.command(&painted, indent + 6)
            } else {
                paper.line(&painted, indent + 2)
            });
        }
        out
    }

    fn commit(&self) -> Option<String> {
        Some(sentence::commit(&self.observed.commit(self.observed.live()?)?))
    }

    /// All lines.
    fn text(&self, typed: &Typed, verbose: bool) -> Vec<String> {
        let next = |next: Next| format!("next: {}", typed.line(&next));
        let mut lines = vec![self.live()];
        lines.extend(self.commit().map(|commit| format!("  commit {commit}")));
        if self.observed.root == Root::ReadOnly {
            lines.push(format!("  the disk of {} is read-only", self.config.root.as_str()));
        }
        for unit in units(self.config, Purpose::Observe) {
            lines.extend(self.unit(unit, typed));
        }
        let guard = format!("shipit-{}.path", self.app());
        let state = self.observed.unit(&guard).active_state();
        lines.push(match state {
            "" => format!("  {guard}: not readable"),
            "active" => format!("  {guard}: active"),
            state => format!("  {guard}: {state}{REFUSED}"),
        });
        lines.extend(self.status.timers.keys().map(|timer| self.timer(timer)));
        let pasts = self.pasts();
        if !pasts.is_empty() {
            lines.push("last deploys".into());
            lines.extend(pasts.iter().map(|past| self.past(past, verbose)));
        }
        for what in self.unreadable() {
            lines.push(format!("cannot read: {what}"));
        }
        if let Some(kind) = &self.observed.odd_request {
            lines.push(format!(
                "`.shipit/request` is a {kind}, not a request: the next deploy moves it aside"
            ));
        }
        if let Some(request) = &self.observed.request {
            lines.extend(self.in_progress(request));
            lines.push(next(Next::shipit("attach")));
        } else if let Some(run) = &self.observed.degraded {
            lines.push(format!(
                "degraded since run {run}: the revert failed, and the host needs manual repair"
            ));
            lines.push(next(
                Next::shipit("doctor").remark("prints the reason, and how to repair the host"),
            ));
        } else if matches!(self.observed.root, Root::Absent | Root::Bare) {
            lines.push(next(self.config.host.as_root("up")));
        } else if matches!(self.observed.unit(&guard).active_state(), "inactive" | "failed") {
            lines.push(next(self.config.host.as_root("setup")));
        } else if self.observed.current == Current::Absent {
            lines.push(next(Next::shipit("deploy")));
        } else if self.observed.live().is_none() {
            lines.push(next(Next::shipit("doctor").remark("prints how to repair it")));
        } else if self.down().next().is_some() {
            // One that does not exist cannot be started.
            let loaded = self.down().filter(|unit| self.observed.unit(unit).is_loaded());
            lines.extend(loaded.map(|unit| next(Next::shipit("start").arg(unit))));
            lines.push(next(Next::shipit("doctor").remark("prints why it does not run")));
        } else if self
            .config
            .instances()
            .any(|one| !self.observed.is_idle(&one) && matches!(self.status.health.get(one.unit), Some(Err(_))))
            || !self.status.timers.keys().all(|timer| self.is_due(timer))
        {
            lines.push(next(Next::shipit("doctor").remark("prints the reason")));
        }
        lines.iter().map(|line| text::shown(line.as_bytes())).collect()
    }

    fn live(&self) -> String {
        match &self.observed.current {
            Current::Release(id) => {
                let state = self.observed.ledger.state(id);
                let state = state.map_or("not in the ledger", State::word);
                let down: Vec<&str> = self.down().collect();
                match down.as_slice() {
                    [] => format!("{} runs {id} ({state}) on {}", self.name(), self.config.host),
                    [one] => format!("{}: {one} is not running; {id} is current ({state})", self.name()),
                    all => {
                        let names = all.join(", ");
                        format!("{}: {names} are not running; {id} is current ({state})", self.name())
                    }
                }
            }
            Current::Absent if self.observed.root == Root::Absent => {
                let (host, root) = (&self.config.host, self.config.root.as_str());
                format!("{} is not set up on {host}: {root} does not exist", self.name())
            }
            Current::Absent => format!("{}: no release is live on {}", self.name(), self.config.host),
            Current::Gone(id) => format!("{}: current points to {id}, which does not exist", self.app()),
            Current::Odd(what) => format!("{}: current is {what}", self.app()),
        }
    }

    /// The services that should run and do not, while nothing is being switched.
    fn down(&self) -> impl Iterator<Item = &str> {
        let resting = self.observed.request.is_none() && self.observed.live().is_some();
        let down = self.config.instances().filter(|one| self.observed.is_down(one));
        down.filter(move |_| resting).map(|one| one.unit)
    }

    fn unit(&self, unit: &str, typed: &Typed) -> Vec<String> {
        let p = |name| self.observed.unit(unit).text(name);
        let mut line = match p("ActiveState") {
            "" => format!("  {unit}: not readable"),
            _ if p("LoadState") != "loaded" => format!("  {unit}: {}", p("LoadState")),
            state => format!("  {unit}: {state} ({})", p("SubState")),
        };
        if p("ActiveState") == "active"
            && let Some(seconds) = self.since(unit)
        {
            line.push_str(&format!(" for {}", text::lapse(seconds)));
        }
        if !matches!(p("Result"), "" | "success") {
            line.push_str(&format!(", result {}", p("Result")));
        }
        if let Some(memory) = self.number(unit, "MemoryCurrent") {
            line.push_str(&format!(", {}", text::bytes(memory)));
        }
        match self.number(unit, "TasksCurrent") {
            None | Some(0) => {}
            Some(1) => line.push_str(", 1 task"),
            Some(n) => line.push_str(&format!(", {n} tasks")),
        }
        match p("NRestarts") {
            "" | "0" => {}
            "1" => line.push_str(", restarted once by systemd"),
            n => line.push_str(&format!(", restarted {n} times by systemd")),
        }
        if let Some(addresses) = self.status.listens.get(unit) {
            line.push_str(&format!(", listens on {}", addresses.join(", ")));
        }
        if self.is_idle(unit) && self.observed.live().is_some() {
            line.push_str(": idle, starts the next release");
        }
        let mut lines = vec![line];
        if self.is_service(unit) {
            lines.extend(self.running(unit, typed));
        }
        lines
    }

    /// What a service's process runs from, and whether it is well.
    fn running(&self, unit: &str, typed: &Typed) -> Vec<String> {
        let mut lines = Vec::new();
        if self.observed.unit(unit).is_active() {
            match self.status.release(self.observed, unit) {
                Some(id) if self.observed.live() != Some(id.as_str()) => {
                    lines.push(format!("    runs from {id}, which is not live"));
                    let restart = typed.line(&Next::shipit("restart").arg(unit));
                    lines.push(format!("    next: {restart}"));
                }
                Some(id) => lines.push(format!("    runs from {id}")),
                None => lines.push("    release unknown: this login cannot read the directory of the process".into()),
            }
        }
        match self.status.health.get(unit) {
            Some(Ok(())) => lines.push("    healthy (checked just now, from the host)".into()),
            Some(Err(why)) => lines.push(format!("    not healthy: {why}")),
            None => {}
        }
        lines
    }

    fn timer(&self, timer: &str) -> String {
        let of = |key: &str| {
            let timer = self.status.timers.get(timer);
            timer.unwrap_or(Properties::UNKNOWN).text(key)
        };
        let mut line = format!("  {timer}: {}", of("ActiveState"));
        let next = self.status.next(self.observed, timer);
        match next.and_then(|at| Some(at - self.observed.time?)) {
            Some(left) => line.push_str(&format!(", next run in {}", text::lapse(left))),
            None => line.push_str(", no next run"),
        }
        match self.ago(point(of("LastTriggerUSec"))) {
            None if !matches!(of("Result"), "" | "success") => {
                line.push_str(&format!(", last run failed ({})", of("Result")));
            }
            None => line.push_str(", none so far"),
            Some(ago) if of("MainPID") != "0" => {
                line.push_str(&format!(", running since {}", text::lapse(ago)));
            }
            Some(ago) => {
                let result = match of("Result") {
                    "success" => "succeeded".to_owned(),
                    other => format!("failed ({other}); see journalctl -u {} on the host", of("Unit")),
                };
                line.push_str(&format!(", last run {} ago: {result}", text::lapse(ago)));
            }
        }
        if let Some(ago) = self.ago(self.status.missed(self.observed, timer)) {
            line.push_str(&format!(", missed the run that was due {} ago", text::lapse(ago)));
        }
        line
    }
}
