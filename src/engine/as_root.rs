//! One script run as root on the host: directly, or through sudo with the password on stdin. What the script does is
//! decided by the caller.

use std::io::{IsTerminal, Read};

use super::session;
use crate::failure::{Exit, Failure};
use crate::host::Host;
use crate::host::ssh::{self, Reply};
use crate::interrupt::Interrupts;
use crate::remote::{Answer, Batch, BatchEvent, Password, Script};
use crate::report::event::Report;
use crate::text;

/// Whether a person can be asked, as [`ssh::terminal`] sees it.
pub fn at_terminal() -> bool {
    std::io::stdin().is_terminal() && std::io::stderr().is_terminal()
}

pub fn not_agreed() -> Failure {
    Failure::new(Exit::Untouched, "canceled: not confirmed").host("nothing changed")
}

/// Runs one script as root: directly for root, through sudo for anybody else. `payload` is its stdin; before it goes
/// the password, where sudo may want one. What the script prints is told as lines of the host.
pub fn run(
    host: &mut dyn Host,
    script: Script,
    payload: &[u8],
    (uid, user): (Option<u32>, &str),
    doing: &'static str,
    interrupts: &Interrupts,
    report: &mut dyn Report,
) -> Result<Answer, Failure> {
    let mut password = Vec::new();
    let mut script = script;
    if uid != Some(0) {
        if at_terminal() {
            script = script.through_sudo(Password::OnStdin);
            let user = text::shown(user.as_bytes());
            let prompt = format!("sudo password of {user} (empty if none): ");
            let Reply::Given(answer) = ssh::terminal(interrupts).secret(&prompt) else {
                return Err(not_agreed());
            };
            password = answer.into_bytes();
            password.push(b'\n');
        } else {
            script = script.through_sudo(Password::None);
        }
    }
    let mut stdin = password.as_slice().chain(payload);
    // What gets nothing to write only looks.
    let left = match payload {
        [] => "nothing changed",
        _ => "it may be only partly done; you can run it again",
    };
    let answers = Batch::one(&script)
        .stdin(&mut stdin)
        .run(host, &mut |event| {
            // Who holds the host is told by the failure.
            if let BatchEvent::Line { line, .. } = event
                && !line.starts_with(b"request ")
                && !line.starts_with(b"access ")
                && !line.starts_with(b"rule ")
            {
                report.log("host", line.to_vec());
            }
        })
        .map_err(|lost| session::lost_while(&lost, doing, left))?;
    Ok(answers.into_iter().next().unwrap_or_default())
}
