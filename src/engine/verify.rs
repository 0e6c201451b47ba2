//! The verdict from outside: runs the verify command here while the host waits, and gives the host its word. What the
//! host does with it, or without it, is the conductor's.

use std::time::{Duration, Instant};

use super::follow::{ASKING, CANCEL, Followed};
use super::local_command::{self, CommandResult};
use super::{Run, session};
use crate::host::Host;
use crate::remote::Script;

/// Runs the command, and gives the host its word over this session or another. Gives the session back, when it lived.
/// Without a verdict (the time is up) there is no word, and the host does as deploy.yml says.
pub(super) fn verify(
    run: &mut Run<'_>,
    host: Option<Box<dyn Host>>,
    followed: &mut Followed,
    id: &str,
) -> Option<Box<dyn Host>> {
    followed.stopped = None;
    let Some(verify) = &run.config.verify else {
        return host;
    };
    let until = Instant::now() + verify.timeout;
    // One that came while the host got here has reached nobody yet.
    let ran = if run.interrupts.came() {
        Ok(CommandResult::Stopped)
    } else {
        local_command::within(run, "verify", &verify.run, until)
    };
    // The command may have ended well all the same: whoever stopped it does not want the release.
    let ran = match ran {
        Ok(CommandResult::Ended(_)) if run.interrupts.came() => Ok(CommandResult::Stopped),
        ran => ran,
    };
    let (word, why) = match ran {
        Ok(CommandResult::Ended(status)) if status.success() => ("passed", None),
        Ok(CommandResult::Ended(status)) => ("refused", Some(local_command::exit_text(run, &verify.run, status))),
        Ok(CommandResult::Stopped) => (CANCEL, None),
        Ok(CommandResult::Late) => {
            followed.verify_failed = Some(format!("`{}` was stopped: it took too long", verify.run));
            return host;
        }
        Err(error) => ("refused", Some(format!("it could not be run: {error}"))),
    };
    followed.verify_failed = why.map(|why| format!("`{}`: {why}", verify.run));
    if word == CANCEL {
        run.report.warn(ASKING.into());
    }
    give(run, host, id, word, until)
}

/// Gives the word until the host has it, or does not wait for it any more.
fn give(
    run: &mut Run<'_>,
    mut host: Option<Box<dyn Host>>,
    id: &str,
    word: &str,
    until: Instant,
) -> Option<Box<dyn Host>> {
    let root = run.config.root.as_str();
    loop {
        let session = host.take().or_else(|| run.link.connect(&mut session::Quiet).ok());
        if let Some(mut session) = session {
            match session::one(session.as_mut(), Script::word([root, id, word])) {
                Ok(answer) if answer.code == 0 => return Some(session),
                Ok(answer) => {
                    let said = answer.errors().join("; ");
                    run.report.warn(format!("the host could not store `{word}`: {said}"));
                    return Some(session);
                }
                Err(_) => {}
            }
        }
        if Instant::now() >= until || run.interrupts.rest(Duration::from_millis(500)) {
            run.report.warn(format!("`{word}` could not be sent to the host"));
            return None;
        }
    }
}
