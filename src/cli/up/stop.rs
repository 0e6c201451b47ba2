//! How a run of `up` stops: with the name of its part, what was done before it, and the way on. Never what a part does.

use crate::config::Config;
use crate::diagnosis::{Diagnosis, Finding};
use crate::failure::{Exit, Failure, Next, Typed};
use crate::report::event::{Event, Outcome, Report};

/// How far root's parts have come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stand {
    Untouched,
    /// `unit install` is done, or was not needed.
    Installed,
    /// As `Installed`, for an app without units in its repository.
    Unitless,
    Ready,
    /// As `Ready`, for an app without units in its repository.
    SetUp,
    /// Root had nothing to do.
    Unneeded,
}

impl Stand {
    fn words(self) -> &'static str {
        match self {
            Self::Untouched => "root changed nothing",
            Self::Installed => "the units are installed",
            Self::Unitless => "setup may be only partly done",
            Self::Ready => "the units are installed, and the host is set up",
            Self::SetUp => "the host is set up",
            Self::Unneeded => "root had nothing to do",
        }
    }

    /// After `unit install` and after `setup`, by whether the repository has units.
    pub(super) fn after(has_units: bool) -> (Self, Self) {
        match has_units {
            true => (Self::Installed, Self::Ready),
            false => (Self::Unitless, Self::SetUp),
        }
    }

    /// The failure of a part, with its name, what was done before it, and the way on. `as_root`: the way on where root
    /// is needed and did not log in.
    pub(super) fn stopped(self, part: &str, mut failure: Failure, as_root: Option<&Next>) -> Failure {
        failure.what = format!("up stopped at {part}: {}", failure.what);
        failure.host = Some(match failure.host {
            Some(host) if matches!(self, Self::Untouched | Self::Unitless | Self::Unneeded) => host,
            Some(host) => format!("{}; {part}: {host}", self.words()),
            None => self.words().into(),
        });
        // It runs these itself.
        let own = |next: &Next| next.is_shipit("setup --as") || next.is_shipit("unit install");
        let needs_root = |next: &Next| next.is_shipit("setup --as") || next.is_shipit("unit install --as");
        let of_root = failure.next.iter().position(needs_root).zip(as_root.cloned());
        let is_of_root = of_root.is_some();
        failure.next.retain(|next| !own(next) && !next.is_again());
        if let Some((at, as_root)) = of_root {
            failure.next.insert(at.min(failure.next.len()), as_root);
        }
        match failure.exit {
            // What was typed or written stays wrong; or the host goes on by itself.
            Exit::Usage | Exit::Unknown => failure,
            Exit::Unreachable if self == Self::Untouched => failure,
            _ if is_of_root => failure,
            _ => failure.next(Next::again("").remark("once that is fixed: continues with what is left")),
        }
    }
}

/// The login cannot become root, and that is known before the question.
pub(super) fn not_root(config: &Config, user: &str, why: &str) -> Failure {
    let user = crate::text::shown(user.as_bytes());
    Failure::new(
        Exit::Untouched,
        format!("this needs root, and {user} cannot become root"),
    )
    .why(why)
    .next(config.host.as_root("up"))
}

/// The findings that would stop any release, as one failure; `None` if there is none.
pub(super) fn stopping(diagnosis: &Diagnosis, is_first: bool, is_meant: impl Fn(&Finding) -> bool) -> Option<Failure> {
    let stops = diagnosis.findings.iter();
    let stops: Vec<&Finding> = stops
        .filter(|finding| finding.stops_any_release() && !finding.by_setup && is_meant(finding))
        .collect();
    if stops.is_empty() {
        return None;
    }
    let exit = match diagnosis.exit {
        Exit::Unreachable => Exit::Unreachable,
        _ => Exit::Untouched,
    };
    let what = match is_first {
        true => "the first release could not go live",
        false => "a new release could not go live",
    };
    let mut failure = Failure::new(exit, what);
    for one in stops {
        // A rule's message has the reason in it.
        let why = if one.why.is_empty() || one.rule.is_some() {
            String::new()
        } else {
            format!(": {}", one.why)
        };
        failure = failure.why(format!("{}{why}", one.what));
        for next in &one.next {
            let joined = |line: &mut Next| line == next || line.joins(next, " apt-get install ");
            if !failure.next.iter_mut().any(joined) {
                failure = failure.next(next.clone());
            }
        }
    }
    Some(failure)
}

/// Passes the deploy's events on; the last one also says where the whole run stands.
pub(super) struct Ending {
    pub(super) inner: Box<dyn Report>,
    pub(super) stand: Stand,
    pub(super) as_root: Option<Next>,
    /// Units were installed that a running process did not take up.
    pub(super) has_old: bool,
}

impl Report for Ending {
    fn event(&mut self, event: &Event) {
        let Event::Ended(ended) = event else {
            return self.inner.event(event);
        };
        let mut ended = ended.clone();
        let stopped = |failure| self.stand.stopped("deploy", failure, self.as_root.as_ref());
        ended.failure = ended.failure.map(stopped);
        if self.has_old && ended.outcome == Outcome::Unchanged {
            ended.next =
                vec![Next::shipit("deploy --restart").remark("restarts it with the units that were installed")];
        }
        self.inner.event(&Event::Ended(ended));
    }

    fn typed(&self) -> Typed {
        self.inner.typed()
    }

    fn busy(&mut self, with: Option<&str>) {
        self.inner.busy(with);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn root() -> Next {
        Next::shipit("up --as root@h")
    }

    fn lines(failure: &Failure) -> Vec<String> {
        failure.next.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_line_that_needs_root_becomes_one_of_up_where_root_did_not_log_in() {
        let refused = || {
            Failure::new(Exit::Untouched, "x")
                .host("nothing changed")
                .next(Next::shipit("setup --as root@h"))
        };
        let stopped = Stand::Untouched.stopped("unit install", refused(), Some(&root()));
        assert_eq!(lines(&stopped), ["shipit up --as root@h"]);
        assert_eq!(stopped.host.as_deref(), Some("nothing changed"));
        // Root itself tries again.
        let stopped = Stand::Untouched.stopped("unit install", refused(), None);
        assert!(lines(&stopped)[0].contains("continues with what is left"), "{stopped}");
    }

    #[test]
    fn what_root_did_is_said_whatever_the_part_that_failed_says_of_itself() {
        let failed = Failure::new(Exit::Untouched, "x").host("nothing changed");
        let host = |stand: Stand, part| stand.stopped(part, failed.clone(), None).host.unwrap_or_default();
        assert_eq!(
            host(Stand::Ready, "deploy"),
            "the units are installed, and the host is set up; deploy: nothing changed"
        );
        assert_eq!(
            host(Stand::Installed, "setup"),
            "the units are installed; setup: nothing changed"
        );
        assert_eq!(host(Stand::Unneeded, "deploy"), "nothing changed");
        let (before, after) = Stand::after(false);
        assert_eq!(host(before, "setup"), "nothing changed");
        assert_eq!(host(after, "deploy"), "the host is set up; deploy: nothing changed");
        let interrupted = Failure::new(Exit::Untouched, "interrupted");
        let after = Stand::Installed.stopped("unit install", interrupted, None);
        assert_eq!(after.host.as_deref(), Some("the units are installed"));
    }
}
