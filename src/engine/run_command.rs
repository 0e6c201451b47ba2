//! One command in the live release, as the deploy user: what `shipit run` sends, and how the end of the command is read.
//! Knows nothing of the app's environment, which only root reads, and prints nothing.

use std::ffi::OsString;
use std::io::Read;
use std::os::unix::ffi::OsStrExt;

use super::session;
use crate::config::Config;
use crate::failure::{Exit, Failure, Next};
use crate::host::{Host, Lost};
use crate::observed::Observed;
use crate::remote::{self, Script, StreamEvent};
use crate::text;

/// The end of a command that ran.
pub struct CommandEnd {
    /// The release that it ran in.
    pub release: String,
    /// 128 and the number of the signal when one killed it, as shells report it.
    pub code: i32,
}

/// Runs the command with this stdin, and passes on what it prints.
///
/// # Errors
/// When no release is live, the user stopped the command, or the connection is lost.
pub fn run_command(
    host: &mut dyn Host,
    config: &Config,
    observed: &Observed,
    command: &[OsString],
    stdin: Option<&mut dyn Read>,
    on_event: &mut dyn FnMut(StreamEvent<'_>),
) -> Result<CommandEnd, Failure> {
    let Some(release) = observed.live() else {
        return Err(
            Failure::new(Exit::Untouched, "no release is live: there is nothing to run it in")
                .host("nothing was run")
                .next(Next::shipit("status")),
        );
    };
    let mut words = vec![config.root.as_str().as_bytes().to_vec()];
    words.extend(command.iter().map(|word| word.as_bytes().to_vec()));
    let name = name(command);
    match remote::stream(host, &Script::run(words), stdin, on_event) {
        Ok(code) => Ok(CommandEnd {
            release: release.to_owned(),
            code,
        }),
        Err(Lost::Interrupted) => Err(Failure::new(Exit::Untouched, format!("{name} was stopped on request"))
            .host("it got SIGTERM; its changes so far remain")),
        Err(Lost::Source(why)) => Err(Failure::new(Exit::Usage, format!("{name} was not run")).why(why)),
        Err(lost) => {
            let mut failure = session::lost_while(
                &lost,
                &format!("running {name}"),
                "the command may still run on the host, or may have ended",
            );
            failure.exit = Exit::Unknown;
            Err(failure.next(
                Next::shipit("status").remark("what the app does now; check this before you run the command again"),
            ))
        }
    }
}

/// The program's name, safe to print.
#[must_use]
pub fn name(command: &[OsString]) -> String {
    text::shown(command.first().map_or(&b""[..], |word| word.as_bytes()))
}
