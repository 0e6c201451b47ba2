//! What runs here, on the laptop or in CI: the build and the hooks. Each is one command line for `sh -c`, as
//! written in deploy.yml; what shipit knows reaches it only as SHIPIT_* variables.

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};
use std::time::Instant;

use crate::config::Config;
use crate::failure::{Exit, Failure};
use crate::report::event::{Event, Phase, Report, State};
use crate::words;

/// What a hook is told.
#[derive(Clone, Debug, Default)]
pub struct Facts<'a> {
    /// The release that is to go live.
    pub release: &'a str,
    /// The one that was live.
    pub previous: Option<&'a str>,
    /// The command that runs: `deploy` or `rollback`.
    pub command: &'a str,
    /// How it ended, once it has.
    pub outcome: Option<&'a str>,
}

/// Runs a command line here; its output becomes log lines.
///
/// # Errors
/// A [`Failure`] ([`Exit::Untouched`]) when it cannot be started or does not leave with 0.
pub fn run(
    config: &Config,
    name: &'static str,
    line: &str,
    phase: Phase,
    facts: &Facts<'_>,
    report: &mut dyn Report,
) -> Result<(), Failure> {
    let began = Instant::now();
    report.event(&Event::Step {
        phase,
        name: name.into(),
        state: State::Started,
        took: None,
        note: None,
    });
    let result = carry_out(config, name, line, facts, report);
    let state = if result.is_ok() {
        State::Done
    } else {
        State::Failed
    };
    report.event(&Event::Step {
        phase,
        name: name.into(),
        state,
        took: Some(began.elapsed()),
        note: None,
    });
    result
}

fn carry_out(
    config: &Config,
    name: &'static str,
    line: &str,
    facts: &Facts<'_>,
    report: &mut dyn Report,
) -> Result<(), Failure> {
    let failed = |why: String| {
        Failure::new(Exit::Untouched, format!("`{name}` failed"))
            .why(format!("ran here: {}", words::shown(line.as_bytes())))
            .why(why)
            .host("nothing live changed")
    };
    let mut child = Command::new("sh")
        // One pipe for both streams keeps their order.
        .args(["-c", "exec 2>&1; eval \"$1\"", "sh", line])
        .current_dir(&config.dir)
        .env("SHIPIT_APP", config.app.as_str())
        .env("SHIPIT_HOST", config.host.to_string())
        .env("SHIPIT_ROOT", config.root.as_str())
        .env("SHIPIT_COMMAND", facts.command)
        .env("SHIPIT_RELEASE", facts.release)
        .env("SHIPIT_PREVIOUS", facts.previous.unwrap_or(""))
        .env("SHIPIT_OUTCOME", facts.outcome.unwrap_or(""))
        .env(
            "SHIPIT_ENVIRONMENT",
            config.environment.as_ref().map_or("", |e| e.as_str()),
        )
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .map_err(|e| failed(format!("it could not be started: {e}")))?;
    if let Some(out) = child.stdout.take() {
        let mut reader = BufReader::new(out);
        let mut line = Vec::new();
        while reader
            .read_until(b'\n', &mut line)
            .map_err(|e| failed(format!("its output could not be read: {e}")))?
            > 0
        {
            if line.last() == Some(&b'\n') {
                line.pop();
            }
            report.event(&Event::Log {
                source: name,
                line: std::mem::take(&mut line),
            });
        }
    }
    let status = child
        .wait()
        .map_err(|e| failed(format!("it could not be waited for: {e}")))?;
    if status.success() {
        return Ok(());
    }
    Err(failed(match status.code() {
        Some(code) => format!("it left with {code}"),
        None => "it was killed by a signal".into(),
    }))
}

/// Runs a hook if there is one; a failure becomes a warning (the act it follows has happened already).
pub fn hook_after(
    config: &Config,
    name: &'static str,
    line: Option<&str>,
    facts: &Facts<'_>,
    report: &mut dyn Report,
) {
    let Some(line) = line else { return };
    if let Err(failure) = run(config, name, line, Phase::Settle, facts, report) {
        let why = failure.why.last().cloned().unwrap_or_default();
        report.event(&Event::Warning {
            text: format!("hook `{name}` failed: {why}"),
        });
    }
}
