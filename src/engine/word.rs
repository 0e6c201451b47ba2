//! A word for the switch in progress, from a client that did not begin it: `promote` or `cancel`. What the host does with it
//! is the conductor's.

use super::follow::too_late;
use super::session;
use crate::failure::{Exit, Failure, Next};
use crate::host::Host;
use crate::remote::{Script, exits};
use crate::step::Command;

pub use super::follow::CANCEL;
/// Ends the waits of a canary.
pub const PROMOTE: &str = "promote";

/// Gives the run a word, which it has when this returns.
///
/// # Errors
/// The switch has no canary, or is confirmed already; or the host did not take the word.
pub fn give(host: &mut dyn Host, root: &str, run: &str, word: &str, command: Command) -> Result<(), Failure> {
    let goes_on = "the switch continues on its own";
    let answer = session::one(host, Script::word([root, run, word]))
        .map_err(|lost| session::lost_while(&lost, "sending the request", goes_on).next(Next::shipit("attach")))?;
    let failure = match answer.code {
        0 => return Ok(()),
        exits::NO_CANARY => Failure::new(
            Exit::Untouched,
            "the switch in progress is not a canary: there is nothing to promote",
        ),
        exits::CONFIRMED => Failure::new(Exit::Untouched, "the run can no longer be changed").why(too_late(command)),
        _ => Failure::new(Exit::Untouched, format!("the host did not accept `{word}`")).why(answer.errors().join("; ")),
    };
    Err(failure.host(goes_on).next(Next::shipit("attach")))
}
