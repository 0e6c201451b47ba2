//! A host that can be reached again: observe it, run steps on it, tell what they do. Knows no order.

use std::io::Read;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::config::Config;
use crate::failure::{Exit, Failure, Next};
use crate::host::{Host, Lost};
use crate::observed::Observed;
use crate::observed::installed::Seen as Installed;
use crate::observed::status::Glance;
use crate::plan::needs;
use crate::remote::{self, Answer, Name, Script, Told};
use crate::report::event::{Event, Phase, Report, State};
use crate::step::{self, Check};
use crate::text;
use crate::unit::merge::Unit;

/// A way to a host that can be taken more than once.
pub trait Link {
    /// Connects, identifies and logs in.
    ///
    /// # Errors
    /// A [`Failure`] with [`Exit::Unreachable`].
    fn connect(&mut self, report: &mut dyn Report) -> Result<Box<dyn Host>, Failure>;
}

/// Looks at the host, with all that this configuration asks about.
///
/// # Errors
/// When the line is lost or the script does not end well.
pub fn observe(host: &mut dyn Host, config: &Config) -> Result<Observed, Failure> {
    let answer = one(host, looking(config))
        .map_err(|lost| lost_while(&lost, "looking at the host", "nothing changed"))?;
    Ok(Observed::parse(&answer.out))
}

/// The same, and in the same session the files of the app's units.
///
/// # Errors
/// When the line is lost or a script does not end well.
pub fn observe_with_units(
    host: &mut dyn Host,
    config: &Config,
    repository: &[Unit],
) -> Result<Observed, Failure> {
    let scripts = [looking(config), super::units::script(config, repository)];
    let answers = together(host, scripts)
        .map_err(|lost| lost_while(&lost, "looking at the host", "nothing changed"))?;
    let mut answers = answers.into_iter();
    let mut seen = Observed::parse(&answers.next().unwrap_or_default().out);
    seen.installed = answers.next().map(|answer| Installed::parse(&answer.out));
    Ok(seen)
}

/// The same, and in the same session what `status` asks beside it.
///
/// # Errors
/// When the line is lost, or the second script says nothing.
pub fn glance(host: &mut dyn Host, config: &Config) -> Result<(Observed, Glance), Failure> {
    let mut args = vec![
        config.root.as_str().to_owned(),
        config.app.as_str().to_owned(),
    ];
    for service in &config.services {
        let socket = service.socket.as_ref().map_or("-", |s| s.as_str());
        let check = service.health.as_ref().map(|health| &health.check);
        let mut named = vec![
            ("unit", service.unit.as_str().to_owned()),
            ("socket", socket.to_owned()),
        ];
        named.extend(Check::arguments(check));
        args.push(step::words(&named).join(" "));
    }
    let scripts = [looking(config), Script::status(args)];
    let answers = together(host, scripts)
        .map_err(|lost| lost_while(&lost, "looking at the host", "nothing changed"))?;
    match answers.as_slice() {
        [first, second] if second.code == 0 => {
            Ok((Observed::parse(&first.out), Glance::parse(&second.out)))
        }
        _ => {
            let mut failure = Failure::new(Exit::Untouched, "the host could not be looked at");
            let last = answers.last().map(|a| a.err.as_slice()).unwrap_or_default();
            failure.why = last.iter().map(|line| text::shown(line)).collect();
            Err(failure.host("nothing changed").next(Next::shipit("doctor")))
        }
    }
}

/// Runs quiet scripts in one session. Those of an app with a dozen services are too much for one line: then each has
/// a session of its own, for one more round trip.
fn together(host: &mut dyn Host, scripts: [Script; 2]) -> Result<Vec<Answer>, Lost> {
    if remote::fits(&scripts) {
        return remote::run(host, None, &scripts, None, None, &mut |_| {});
    }
    scripts
        .into_iter()
        .map(|script| one(host, script))
        .collect()
}

fn looking(config: &Config) -> Script {
    let mut args: Vec<String> = vec![
        config.root.as_str().into(),
        config.app.as_str().into(),
        "auto".into(),
    ];
    args.extend(needs::units(config).into_iter().map(String::from));
    args.push("--".into());
    args.extend(needs::sudo_lines(config));
    Script::observe(args)
}

/// Runs one quiet script.
///
/// # Errors
/// [`Lost`] as the host says it.
pub fn one(host: &mut dyn Host, script: Script) -> Result<Answer, Lost> {
    let mut answers = remote::run(host, None, &[script], None, None, &mut |_| {})?;
    answers
        .pop()
        .ok_or_else(|| Lost::Cut("the host said nothing".into()))
}

/// What the first step reads, and how far it is.
pub struct Upload<'a> {
    pub stream: &'a mut dyn Read,
    /// Bytes of file content packed so far.
    pub consumed: Arc<AtomicU64>,
    pub total: u64,
}

/// Runs steps that a person watches: a line for each, their output as log lines, bytes as progress.
///
/// # Errors
/// [`Lost`] as the host says it.
pub fn watched(
    host: &mut dyn Host,
    phase: Phase,
    hold: Option<&Script>,
    steps: &[Script],
    upload: Upload<'_>,
    report: &mut dyn Report,
) -> Result<Vec<Answer>, Lost> {
    let Upload {
        stream,
        consumed,
        total,
    } = upload;
    remote::run(
        host,
        hold,
        steps,
        Some(stream),
        None,
        &mut |told| match told {
            Told::Began(i) => step(report, phase, name(steps, i), State::Started, None),
            Told::Ended(i, answer) => {
                let state = if answer.code == 0 {
                    State::Done
                } else {
                    State::Failed
                };
                step(report, phase, name(steps, i), state, Some(answer.took));
            }
            Told::Line { step, line, err } => {
                let prepare = steps.get(step).is_some_and(|s| s.name == Name::Prepare);
                if prepare || err {
                    let source = if prepare { "prepare" } else { "host" };
                    report.event(&Event::Log {
                        source,
                        line: line.to_vec(),
                    });
                }
            }
            // What is sent is compressed; what a person waits for is how much of the release is through.
            Told::Sent(_) => report.event(&Event::Progress {
                sent: consumed.load(Ordering::Relaxed),
                total,
            }),
            Told::Interrupted => {
                report.event(&Event::Warning {
                    text: "stopping; press Ctrl-C again to leave at once".into(),
                });
            }
        },
    )
}

fn name(steps: &[Script], i: usize) -> &'static str {
    steps.get(i).map_or("step", |s| s.name.word())
}

fn step(
    report: &mut dyn Report,
    phase: Phase,
    name: &str,
    state: State,
    took: Option<std::time::Duration>,
) {
    report.event(&Event::Step {
        phase,
        name: name.into(),
        state,
        took,
        note: None,
    });
}

/// A lost line as a failure, with the state that the host is in.
#[must_use]
pub fn lost_while(lost: &Lost, doing: &str, host: &str) -> Failure {
    let (what, why) = match lost {
        Lost::Cut(why) => (
            format!("the connection was lost while {doing}"),
            why.clone(),
        ),
        Lost::Silent(seconds) => (
            format!("the host fell silent while {doing}"),
            format!("nothing was heard for {seconds}s"),
        ),
        Lost::Left => (
            format!("stopped while {doing}"),
            "stopped on request".into(),
        ),
        Lost::Source(why) => (format!("failed here while {doing}"), why.clone()),
    };
    Failure::new(Exit::Untouched, what).why(why).host(host)
}
