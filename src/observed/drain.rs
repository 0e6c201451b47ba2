//! How one instance stopped in a drain trial, from what `drain.sh` prints: systemd's own facts, and what three clients
//! observed while it stopped. Judges nothing.

use std::time::Duration;

use super::lines::lines;
use crate::unit::properties::Properties;

crate::text::words! {
    /// What the processes that get the stop signal do with it.
    pub enum Hears {
        /// One of them catches it. The runtimes of some languages always do.
        Caught = "caught",
        Ignored = "ignored",
        /// None catches it: it ends them.
        Ends = "ends",
    }
}

/// What became of what a client had in progress when the stop began.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub enum Request {
    /// Nothing was in progress, or its end is not known.
    #[default]
    None,
    /// It took this long in all.
    Answered(Duration),
    /// How it ended without a whole response, or with which status.
    Cut(String),
}

/// What became of the connection that a client had kept, and on which it asked again now and then.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub enum Kept {
    /// The app keeps no connections, or nobody asked.
    #[default]
    None,
    /// A last response had `Connection: close`.
    Announced,
    /// It was closed between two requests.
    Closed,
    /// A request on it got no whole response, or this status.
    Cut(String),
    /// It was still open when the process had ended.
    Open,
}

/// What new connections observed first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Health {
    #[default]
    Good,
    /// The check failed while the port was open.
    Failed,
    /// The port closed.
    Refused,
}

/// How an instance stopped.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Stopped {
    /// What asks it to stop: `SIGTERM`, or `signal 3`.
    pub signal: String,
    /// `None`: not known.
    pub hears: Option<Hears>,
    /// The unit has an `ExecStop=`.
    pub exec_stop: bool,
    /// `None`: systemd has no times of it.
    pub took: Option<Duration>,
    /// `TimeoutStopSec=`, as systemctl prints it: `1min 30s`, `infinity`.
    pub timeout: String,
    /// `Result=` of the unit; `None`: not known.
    pub result: Option<String>,
    /// It took longer than a trial waits, which then killed it.
    pub killed: bool,
    /// Whether clients asked it.
    pub asked: bool,
    pub request: Request,
    pub kept: Kept,
    pub health: Health,
}

/// A request of a client: who, on which connection, from when to when (ms, by systemd's clock), and how it ended.
struct Probe {
    who: String,
    connection: u64,
    from: f64,
    to: f64,
    how: String,
}

impl Probe {
    fn parse(rest: &str) -> Option<Self> {
        let mut words = rest.split(' ');
        Some(Self {
            who: words.next()?.to_owned(),
            connection: words.next()?.parse().ok()?,
            from: words.next()?.parse().ok()?,
            to: words.next()?.parse().ok()?,
            how: words.next()?.to_owned(),
        })
    }

    /// How it failed; `None` for a good response.
    fn failed(&self) -> Option<String> {
        match self.how.trim_end_matches(",close") {
            "ok" => None,
            how => Some(match how.strip_prefix("status=") {
                Some(status) => format!("status {status}"),
                None => how.to_owned(),
            }),
        }
    }
}

/// What ended sooner after the signal does not show that the app waited for it (ms).
const SOON: f64 = 10.0;

impl Stopped {
    /// Takes in what `drain.sh` printed.
    #[must_use]
    pub fn parse(out: &[u8]) -> Self {
        let (mut stopped, mut shown, mut probes) = (Self::default(), Properties::default(), Vec::new());
        let mut ready = None;
        for (word, rest) in lines(out) {
            match word.as_str() {
                "show" if rest.starts_with("ExecStop=") => stopped.exec_stop = true,
                "show" | "after" => shown.take(&rest),
                "signal" => stopped.hears = Hears::of(&rest),
                "killed" => stopped.killed = true,
                "probe" => match rest.strip_prefix("ready ") {
                    Some(at) => ready = at.parse().ok(),
                    None => probes.extend(Probe::parse(&rest)),
                },
                _ => {}
            }
        }
        stopped.signal = match shown.text("KillSignal") {
            "" | "15" => "SIGTERM".into(),
            other => format!("signal {other}"),
        };
        shown.text("TimeoutStopUSec").clone_into(&mut stopped.timeout);
        stopped.result = shown.get("Result").filter(|word| !word.is_empty()).map(Into::into);
        let micros = |name: &str| shown.text(name).parse::<u64>().ok().filter(|at| *at > 0);
        let (from, to) = (
            micros("ActiveExitTimestampMonotonic"),
            micros("InactiveEnterTimestampMonotonic"),
        );
        stopped.took = from.and_then(|from| Some(Duration::from_micros(to?.checked_sub(from)?)));
        if let (Some(from), Some(_), Some(ready)) = (from, stopped.took, ready) {
            stopped.take_probes(&probes, ready, from as f64 / 1000.0);
        }
        stopped
    }

    /// `ready`: when all clients were connected and nothing had been asked of systemd. `at`: when the stop began, by a
    /// stamp that systemd sets after it has sent the signal. What a signal cut may have ended before that.
    fn take_probes(&mut self, probes: &[Probe], ready: f64, at: f64) {
        let of = |who: &'static str| probes.iter().filter(move |probe| probe.who == who && probe.to > ready);
        self.asked = true;
        // One that did not connect was not in progress, and of one without an end nobody knows.
        let known = |probe: &&Probe| probe.from < at && !matches!(probe.how.as_str(), "refused" | "open");
        let answered = of("request").find(|probe| known(probe) && probe.to - at >= SOON);
        self.request = match (of("request").filter(known).find_map(Probe::failed), answered) {
            (Some(how), _) => Request::Cut(how),
            (None, Some(probe)) => Request::Answered(Duration::from_secs_f64((probe.to - probe.from) / 1000.0)),
            (None, None) => Request::None,
        };
        let mut before = probes.iter().filter(|probe| probe.who == "kept" && probe.to <= ready);
        let open = before.next_back().filter(|probe| probe.how == "ok");
        self.kept = open.map_or(Kept::None, |open| {
            kept(of("kept").filter(|probe| probe.connection == open.connection))
        });
        let failed = |probe: &&Probe| !matches!(probe.how.as_str(), "ok" | "timeout");
        self.health = match of("health").find(failed) {
            None => Health::Good,
            Some(probe) if probe.how.starts_with("status=") => Health::Failed,
            Some(_) => Health::Refused,
        };
    }
}

/// What became of a connection, by the requests on it.
fn kept<'a>(mut probes: impl Iterator<Item = &'a Probe>) -> Kept {
    let end = probes.find_map(|probe| match (probe.how.as_str(), probe.failed()) {
        ("idle", _) => Some(Kept::Closed),
        ("open", _) => Some(Kept::Open),
        (_, Some(how)) => Some(Kept::Cut(how)),
        (how, None) => how.ends_with(",close").then_some(Kept::Announced),
    });
    end.unwrap_or(Kept::Open)
}

/// A trial that ended before its instance stopped, or did not end well: why, in the words of the host.
pub fn causes(out: &[u8]) -> Vec<String> {
    let causes = lines(out).filter(|(word, _)| word == "cause");
    causes
        .map(|(_, cause)| cause)
        .filter(|cause| !cause.is_empty())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The stop began at 1000 ms and took 2 s.
    fn stopped(probes: &str) -> Stopped {
        let text = "show TimeoutStopUSec=30s\nshow ExecStop={ path=/bin/true }\nsignal caught\nafter Result=success\n\
                    after ActiveExitTimestampMonotonic=1000000\nafter InactiveEnterTimestampMonotonic=3000000\n";
        let probes: String = probes
            .split(';')
            .map(|probe| format!("probe {}\n", probe.trim()))
            .collect();
        Stopped::parse(format!("{text}probe ready 960.0\n{probes}").as_bytes())
    }

    #[test]
    fn what_was_in_progress_at_the_signal_counts_and_nothing_else() {
        let request = |probes: &str| stopped(probes).request;
        let answered = |ms| Request::Answered(Duration::from_millis(ms));
        assert_eq!(request("request 1 900.0 2800.0 ok"), answered(1900));
        assert_eq!(request("request 1 900.0 1001.0 reset"), Request::Cut("reset".into()));
        assert_eq!(
            request("request 1 900.0 1900.0 status=503"),
            Request::Cut("status 503".into())
        );
        assert_eq!(request("request 1 900.0 1900.0 closed"), Request::Cut("closed".into()));
        // Cut by the signal, before systemd stamped the time.
        assert_eq!(request("request 1 900.0 999.5 closed"), Request::Cut("closed".into()));
        // Before and after it; too short; connected to nobody; without an end.
        let nothing = "request 1 100.0 990.0 ok; request 2 1001.0 1002.0 refused; request 3 995.0 1004.0 ok";
        assert_eq!(request(nothing), Request::None);
        assert_eq!(request("request 1 999.0 1001.0 refused"), Request::None);
        assert_eq!(request("request 1 999.0 6000.0 open"), Request::None);
    }

    #[test]
    fn the_kept_connection_is_the_one_that_was_open_at_the_signal() {
        let kept = |probes: &str| stopped(probes).kept;
        let before = "kept 2 700.0 701.0 ok; kept 2 950.0 951.0 ok";
        assert_eq!(
            kept(&format!("{before}; kept 2 1200.0 1201.0 ok,close")),
            Kept::Announced
        );
        assert_eq!(kept(&format!("{before}; kept 2 1200.0 1200.5 idle")), Kept::Closed);
        assert_eq!(
            kept(&format!("{before}; kept 2 1200.0 1201.0 reset")),
            Kept::Cut("reset".into())
        );
        assert_eq!(
            kept(&format!("{before}; kept 2 1200.0 1201.0 status=503,close")),
            Kept::Cut("status 503".into())
        );
        assert_eq!(kept(&format!("{before}; kept 2 1200.0 1201.0 ok")), Kept::Open);
        assert_eq!(kept(&format!("{before}; kept 2 999.0 999.5 idle")), Kept::Closed);
        // A new connection is another matter, and an app that closes each one keeps none.
        assert_eq!(kept(&format!("{before}; kept 9 1200.0 1201.0 refused")), Kept::Open);
        assert_eq!(
            kept("kept 2 950.0 951.0 ok,close; kept 3 1200.0 1201.0 refused"),
            Kept::None
        );
    }

    #[test]
    fn the_first_that_new_connections_observe_counts() {
        let health = |probes: &str| stopped(probes).health;
        assert_eq!(health("health 1 900.0 901.0 ok"), Health::Good);
        let failed = "health 1 900.0 901.0 ok; health 5 1100.0 1101.0 status=503; health 6 2900.0 2901.0 refused";
        assert_eq!(health(failed), Health::Failed);
        assert_eq!(
            health("health 1 900.0 901.0 ok; health 5 1100.0 1101.0 refused"),
            Health::Refused
        );
    }

    #[test]
    fn without_the_times_of_systemd_nothing_is_concluded_from_the_clients() {
        let told = stopped("request 1 900.0 1001.0 reset");
        assert_eq!(
            (told.took, told.exec_stop, told.asked),
            (Some(Duration::from_secs(2)), true, true)
        );
        let none = Stopped::parse(b"signal ends\nprobe request 1 900.0 1001.0 reset\nprobe kept x\nafter Result=\n");
        assert_eq!((none.request, none.asked, none.result), (Request::None, false, None));
        assert_eq!(none.hears, Some(Hears::Ends));
        assert_eq!(causes(b"cause one\nsignal ends\ncause two\n"), ["one", "two"]);
    }
}
