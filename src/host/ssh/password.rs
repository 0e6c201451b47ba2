//! Passwords and the server's own questions, where a user can answer. Nothing is kept.

use std::time::Duration;

use ssh2::{KeyboardInteractivePrompt, Prompt};

use super::auth::{Attempts, Outcome};
use super::deadline::{backstop, interrupted};
use super::{Ask, Reply};
use crate::failure::Failure;
use crate::text::shown;

/// For the server, which may wait for a second factor.
const ANSWER: Duration = Duration::from_secs(60);

/// Tries, as in OpenSSH.
const ROUNDS: usize = 3;

/// Tries `keyboard-interactive` and `password` as far as the server accepts them; false when neither succeeds.
/// Fails when the user cancels.
pub fn log_in(attempts: &mut Attempts<'_, '_>, methods: &str) -> Result<bool, Failure> {
    let accepts = |method: &str| methods.split(',').any(|m| m == method);
    if accepts("keyboard-interactive") {
        for round in 0..ROUNDS {
            let mut questions = Questions {
                again: if round == 0 { "" } else { "not accepted; try again\n" },
                ask: attempts.ask,
                label: attempts.connector.to.label(),
                missed: Reply::Given(()),
            };
            let session = &attempts.connection.session;
            session.set_timeout(backstop(ANSWER));
            // On this thread: the prompts need the terminal.
            let logged_in = session
                .userauth_keyboard_interactive(&attempts.connector.to.user, &mut questions)
                .is_ok();
            let missed = questions.missed;
            if missed == Reply::Cancelled {
                return Err(interrupted());
            }
            if logged_in {
                return Ok(true);
            }
            attempts.no_terminal |= missed == Reply::NoTerminal;
            if missed != Reply::Given(()) || attempts.connection.pump.closes_within(Duration::ZERO) {
                break;
            }
        }
        attempts
            .tried
            .push("keyboard-interactive: no answer, or a wrong answer".into());
    }
    if accepts("password") && !attempts.no_terminal {
        for round in 0..ROUNDS {
            let again = if round == 0 { "" } else { "wrong password; try again\n" };
            let prompt = format!("{again}Password for {}: ", attempts.connector.to.label());
            let password = match attempts.ask.secret(&prompt) {
                Reply::Given(password) => password,
                Reply::Cancelled => return Err(interrupted()),
                Reply::NoTerminal => {
                    attempts.no_terminal = true;
                    break;
                }
            };
            let user = attempts.connector.to.user.clone();
            match attempts.attempt(ANSWER, move |session| session.userauth_password(&user, &password))? {
                Outcome::LoggedIn => return Ok(true),
                Outcome::Refused | Outcome::Unused(_) => {}
                Outcome::Ended(why) => {
                    attempts.tried.push(format!("password: {why}"));
                    return Ok(false);
                }
            }
        }
        attempts.tried.push("password: refused, or not entered".into());
    }
    Ok(false)
}

/// Passes the server's questions to the user.
struct Questions<'a> {
    ask: &'a mut dyn Ask,
    /// Above the first question: why it is asked again.
    again: &'static str,
    label: String,
    /// Why a question has no answer, if one has none.
    missed: Reply<()>,
}

impl KeyboardInteractivePrompt for Questions<'_> {
    fn prompt(&mut self, _: &str, instructions: &str, prompts: &[Prompt<'_>]) -> Vec<String> {
        let mut answers = Vec::new();
        for prompt in prompts {
            let mut text = format!("{}{}: ", std::mem::take(&mut self.again), self.label);
            for part in [instructions.trim(), prompt.text.trim()] {
                if !part.is_empty() {
                    text += &format!("{} ", shown(part.as_bytes()));
                }
            }
            // After a question without an answer no other one is asked.
            if self.missed == Reply::Given(()) {
                match self.ask.secret(&text) {
                    Reply::Given(answer) => {
                        answers.push(answer);
                        continue;
                    }
                    Reply::Cancelled => self.missed = Reply::Cancelled,
                    Reply::NoTerminal => self.missed = Reply::NoTerminal,
                }
            }
            answers.push(String::new());
        }
        answers
    }
}
