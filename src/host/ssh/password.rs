//! Passwords and the server's own questions, only where a person answers. Nothing is kept.

use std::time::Duration;

use ssh2::{KeyboardInteractivePrompt, Prompt};

use super::aside::backstop;
use super::auth::{Attempts, Outcome};
use super::{Ask, Reply, refusal};
use crate::failure::Failure;
use crate::text::shown;

/// For the server, which may wait for a second factor.
const ANSWER: Duration = Duration::from_secs(60);

/// Wrong answers that are forgiven, as in OpenSSH.
const ROUNDS: usize = 3;

/// Tries what the server accepts of `keyboard-interactive` and `password`; false when that is nothing, or wrong.
///
/// # Errors
/// When the person leaves.
pub(super) fn log_in(attempts: &mut Attempts<'_, '_>, methods: &str) -> Result<bool, Failure> {
    let accepts = |method: &str| methods.split(',').any(|m| m == method);
    if accepts("keyboard-interactive") {
        for _ in 0..ROUNDS {
            let mut person = Person {
                ask: attempts.ask,
                label: attempts.door.to.label(),
                missed: None,
            };
            let session = &attempts.open.session;
            session.set_timeout(backstop(ANSWER));
            // On this thread: the prompts belong to the person here.
            let inside = session
                .userauth_keyboard_interactive(&attempts.door.to.user, &mut person)
                .is_ok();
            let missed = person.missed;
            if missed == Some(Missed::Left) {
                return Err(refusal::interrupted());
            }
            if inside {
                return Ok(true);
            }
            attempts.alone |= missed.is_some();
            if missed.is_some() || attempts.open.link.closes_within(Duration::ZERO) {
                break;
            }
        }
        attempts
            .tried
            .push("keyboard-interactive: not answered, or refused".into());
    }
    if accepts("password") && !attempts.alone {
        for _ in 0..ROUNDS {
            let prompt = format!("Password for {}: ", attempts.door.to.label());
            let password = match attempts.ask.password(&prompt) {
                Reply::Given(password) => password,
                Reply::Left => return Err(refusal::interrupted()),
                Reply::Nobody => {
                    attempts.alone = true;
                    break;
                }
            };
            let user = attempts.door.to.user.clone();
            match attempts.attempt(ANSWER, move |session| {
                session.userauth_password(&user, &password)
            })? {
                Outcome::In => return Ok(true),
                Outcome::Refused | Outcome::Unused(_) => {}
                Outcome::Ended(why) => {
                    attempts.tried.push(format!("password: {why}"));
                    return Ok(false);
                }
            }
        }
        attempts.tried.push("password: refused or not given".into());
    }
    Ok(false)
}

/// Why a question of the server's has no answer.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Missed {
    Left,
    Nobody,
}

/// Hands the server's questions to the person.
struct Person<'a> {
    ask: &'a mut dyn Ask,
    label: String,
    missed: Option<Missed>,
}

impl KeyboardInteractivePrompt for Person<'_> {
    fn prompt(&mut self, _: &str, instructions: &str, prompts: &[Prompt<'_>]) -> Vec<String> {
        let mut answers = Vec::new();
        for prompt in prompts {
            let lead = if instructions.trim().is_empty() {
                String::new()
            } else {
                format!("{} ", shown(instructions.trim().as_bytes()))
            };
            let text = format!(
                "{}: {lead}{} ",
                self.label,
                shown(prompt.text.trim().as_bytes())
            );
            // Whoever left is not asked the next one.
            let reply = match self.missed {
                None => self.ask.password(&text),
                Some(_) => Reply::Nobody,
            };
            let answer = match reply {
                Reply::Given(answer) => answer,
                Reply::Left => {
                    self.missed = Some(Missed::Left);
                    String::new()
                }
                Reply::Nobody => {
                    self.missed = self.missed.or(Some(Missed::Nobody));
                    String::new()
                }
            };
            answers.push(answer);
        }
        answers
    }
}
