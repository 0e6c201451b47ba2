//! How a run ended, from the host's last event to the program's: outcome, exit code, and the failure with its causes. Never
//! here: a question to the host.

use super::Run;
use super::follow::{self, Followed};
use crate::config::{Config, Probe};
use crate::failure::{Exit, Failure, Next};
use crate::report::event::{Ended, Outcome, State};
use crate::report::journal::{folded, last_output};
use crate::step::{Command, End, Kind, RunEnd};
use crate::text;

/// The outcome that a command has when its run ended so.
pub fn outcome(command: Command, end: End) -> Outcome {
    match (end, command) {
        (End::Confirmed, Command::Deploy) => Outcome::Deployed,
        (End::Confirmed, Command::Rollback) => Outcome::RolledBack,
        (End::Confirmed, Command::Prune) => Outcome::Pruned,
        (End::Failed, _) => Outcome::Failed,
        (End::Reverted, _) => Outcome::Reverted,
        (End::Degraded, _) => Outcome::Degraded,
    }
}

/// Tells how the host says it ended, in these words.
pub fn tell(run: &mut Run<'_>, followed: &Followed, last: &RunEnd, ended: Ended) -> Exit {
    for line in folded(followed.journal.iter().map(Vec::as_slice)) {
        run.report.log("journal", line.into_bytes());
    }
    if followed.asked && last.end == End::Confirmed {
        run.report.warn(follow::too_late(run.command).into());
    }
    run.end(ended)
}

/// How the host says it ended.
pub fn ended(run: &Run<'_>, followed: &Followed, last: &RunEnd) -> Ended {
    let outcome = outcome(run.command, last.end);
    let release = run.release.as_deref().unwrap_or("?");
    let failure = failure(run, release, followed, last);
    Ended {
        live_after: followed.live_at.map(|at| at.duration_since(run.began)),
        downtime: last.downtime.clone(),
        live_known: last.live_known,
        canceled: is_canceled(followed, last),
        // After a first deploy there is nothing to go back to.
        next: vec![match (run.command, &run.previous) {
            (Command::Deploy, Some(_)) => Next::shipit("rollback").remark("rolls back to the previous release"),
            (Command::Deploy, None) => match address(run.config) {
                Some(url) => Next::shipit("status").remark(format!("on the host, the app answers at {url}")),
                None => Next::shipit("status"),
            },
            (Command::Rollback, Some(left)) if last.live.as_ref() != Some(left) => Next::shipit("rollback")
                .arg(left)
                .remark("returns to the release that was live before"),
            _ => Next::shipit("releases"),
        }],
        ..run.ended(outcome, last.live.clone(), failure)
    }
}

/// Whether the run ended as the user who canceled it wanted.
fn is_canceled(followed: &Followed, last: &RunEnd) -> bool {
    followed.canceled && matches!(last.end, End::Failed | End::Reverted)
}

/// Where the health check got its answer.
fn address(config: &Config) -> Option<String> {
    match &config.services.first()?.health()?.check.probe {
        Probe::Http { url } => Some(text::shown(url.as_bytes())),
        _ => None,
    }
}

/// What a person is told of a run that was not confirmed.
fn failure(run: &Run<'_>, next: &str, followed: &Followed, last: &RunEnd) -> Option<Failure> {
    let (config, previous) = (run.config, run.previous.as_deref());
    let app = config.app.as_str();
    // Of a release that was live: the journal of its time.
    let of_release = Next::shipit("logs --release")
        .arg(next)
        .remark("the journal of that release");
    let job = match (&config.migrate, followed.migration) {
        _ if matches!(followed.failed, Some(Kind::Backup | Kind::Trial)) => Some(followed.failed_about.as_str()),
        (Some(migrate), Some(_)) => Some(migrate.unit.as_str()),
        _ => None,
    };
    let logs = match job {
        Some(unit) => Next::shipit("logs --unit").arg(unit),
        None => Next::shipit("logs").remark(format!("the whole journal of {app}")),
    };
    let now = match last.live.as_deref() {
        Some(id) => format!("{app} runs {id}"),
        None if last.live_known => "no release is live, as before".to_owned(),
        None => "`current` could not be read".to_owned(),
    };
    let failed = |exit: Exit, what: String| {
        let mut failure = Failure::new(exit, what).why(last.cause.clone());
        failure.why.extend(followed.verify_failed.clone());
        let about = &followed.failed_about;
        match (
            last_output(followed.journal.iter().map(Vec::as_slice), about),
            run.outputs.get(about),
        ) {
            (Some(line), _) => failure.why(line),
            (None, Some((key, to))) => {
                let what = if *key == "StandardError" { "errors" } else { "output" };
                failure.why(if to == "null" {
                    format!("{about} discards its {what} ({key}=null)")
                } else {
                    format!("{about} writes its {what} to a file ({key}={to}), not to the journal")
                })
            }
            (None, None) => failure,
        }
    };
    // A migration cannot be undone from here: what is known of it is said.
    let migration = match followed.migration {
        None => String::new(),
        Some(State::Done) => format!("; the migration of {next} ran, and the changes it made remain"),
        Some(_) => format!("; any changes that the migration of {next} made before it ended remain"),
    };
    let untouched = || match migration.as_str() {
        "" => format!("{now}; nothing live changed"),
        changed => format!("{now}; code and `current` are unchanged{changed}"),
    };
    let again = || {
        let again = Next::shipit(run.command.word());
        match run.command {
            Command::Rollback => again.arg(next),
            Command::Deploy | Command::Prune => again,
        }
    };
    Some(match last.end {
        End::Confirmed => return None,
        End::Reverted if followed.canceled => Failure::new(Exit::Reverted, format!("{next} was canceled"))
            .why(last.cause.clone())
            .host(match &last.live {
                Some(id) => format!("{app} runs {id} again, verified{migration}"),
                None => now + &migration,
            })
            .next(again()),
        End::Failed if followed.canceled => Failure::new(Exit::Untouched, format!("{next} was canceled"))
            .why(last.cause.clone())
            .host(untouched())
            .next(again()),
        End::Reverted => failed(Exit::Reverted, reverted(next, followed))
            .host(if last.live.is_some() {
                format!("{now}, verified again{migration}")
            } else {
                now + &migration
            })
            .next(of_release),
        End::Failed => {
            let failure = failed(Exit::Untouched, format!("{next} did not go live")).host(untouched());
            way_on(failure, followed, logs)
        }
        End::Degraded => failed(
            Exit::Degraded,
            "the revert failed too: the host needs manual repair".into(),
        )
        .host(format!("{now}, not verified{migration}"))
        .next(Next::shipit("status"))
        .next(of_release)
        .next(match previous {
            Some(previous) => Next::shipit("rollback").arg(previous),
            None => Next::shipit("deploy"),
        }),
    })
}

fn reverted(next: &str, followed: &Followed) -> String {
    match followed.failed {
        Some(Kind::Limits) => format!("the switch to {next} lost too many requests and was reverted"),
        _ => format!("{next} failed and was reverted"),
    }
}

/// What to type after a switch that changed nothing live.
fn way_on(failure: Failure, followed: &Followed, logs: Next) -> Failure {
    if followed.failed != Some(Kind::Baseline) {
        return failure.next(logs);
    }
    failure
        .why("the check is wrong, or the live release is broken: a revert to it could not be verified")
        .next(Next::shipit("deploy").remark("after you correct `health` in deploy.yml"))
        .next(
            Next::shipit("deploy --despite-health").remark("if this release fixes it, or adds what the check requires"),
        )
}
