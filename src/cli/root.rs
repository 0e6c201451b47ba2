//! Work that root does on the host: who logs in for it, the question before, the password, the run. What the work is
//! stands in the commands that ask for it.

use std::io::{IsTerminal, Read};

use super::args::Global;
use super::connection::SshLink;
use crate::config::{Config, Target};
use crate::engine::session;
use crate::failure::{Exit, Failure, Next};
use crate::host::Host;
use crate::host::ssh::{self, Reply};
use crate::interrupt::Interrupts;
use crate::remote::{Answer, Batch, Password, Script, Told};
use crate::report::event::{Event, Report};
use crate::text;

/// The login that root's work is done through: the one of `--as`, or that of deploy.yml.
pub(super) fn link(
    global: &Global,
    config: &Config,
    login: Option<&str>,
    interrupts: &Interrupts,
) -> Result<SshLink, Failure> {
    let link = super::link(global, config, interrupts);
    let Some(login) = login else { return Ok(link) };
    let (user, host) = login
        .split_once('@')
        .map_or((None, login), |(user, host)| (Some(user.to_owned()), host));
    let target = Target::parse(host)
        .map_err(|wrong| Failure::new(Exit::Usage, format!("--as {login}: {}", wrong.0)))?;
    Ok(link.with(user.or(target.user), target.host, target.port))
}

/// Asks before root does anything.
///
/// # Errors
/// When the answer is no or Ctrl-C, and where nobody can answer: then `--yes` has to be said.
pub(super) fn agreed(interrupts: &Interrupts) -> Result<(), Failure> {
    if !somebody() {
        return Err(
            Failure::new(Exit::Usage, "there is no terminal to ask for confirmation")
                .host("nothing changed")
                .next(Next::again("--print").remark("show it"))
                .next(Next::again("--yes").remark("confirm it")),
        );
    }
    match ssh::terminal(interrupts).yes("Do this as root on the host?") {
        Reply::Given(true) => Ok(()),
        Reply::Given(false) | Reply::Cancelled | Reply::NoTerminal => Err(left()),
    }
}

/// Whether a person can be asked, as [`ssh::terminal`] sees it.
fn somebody() -> bool {
    std::io::stdin().is_terminal() && std::io::stderr().is_terminal()
}

fn left() -> Failure {
    Failure::new(Exit::Untouched, "canceled: not confirmed").host("nothing changed")
}

/// Runs one script as root: directly for root, through sudo for anybody else. `payload` is its stdin; before it goes
/// the password, where sudo may want one. What the script prints is told as lines of the host.
pub(super) fn run(
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
        if somebody() {
            script = script.through_sudo(Password::OnStdin);
            let user = text::shown(user.as_bytes());
            let prompt = format!("sudo password of {user} (empty if none): ");
            let Reply::Given(answer) = ssh::terminal(interrupts).secret(&prompt) else {
                return Err(left());
            };
            password = answer.into_bytes();
            password.push(b'\n');
        } else {
            script = script.through_sudo(Password::None);
        }
    }
    let mut stdin = password.as_slice().chain(payload);
    let batch = Batch {
        stdin: Some(&mut stdin),
        ..Batch::new(std::slice::from_ref(&script))
    };
    let answers = batch
        .run(host, &mut |told| {
            // Who holds the host is told by the failure.
            if let Told::Line { line, .. } = told
                && !line.starts_with(b"request ")
            {
                report.event(&Event::Log {
                    source: "host",
                    line: line.to_vec(),
                });
            }
        })
        .map_err(|lost| session::lost_while(&lost, doing, "it can be run again"))?;
    Ok(answers.into_iter().next().unwrap_or_default())
}
