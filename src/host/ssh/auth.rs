//! Login attempts with the agent's keys and key files; the result of each is kept for the error message. The host key
//! was checked before. Reads no keys itself: see `key` and `agent`.

use std::time::Duration;

use ssh2::{ErrorCode, Session};

use super::agent::{self, Held};
use super::config::AgentAt;
use super::deadline::{backstop, interrupted, with_deadline};
use super::handshake::{Connection, Connector};
use super::key::{self, Content, KeyFile};
use super::{Ask, Notice, Reply, key_blob};
use crate::failure::Failure;
use crate::text::shown;

/// Failed keys per connection: sshd closes it at MaxAuthTries, 6 by default.
const FAILURES: usize = 5;

/// Connections per login: more would look like an attack.
const CONNECTIONS: usize = 4;

/// For a reply of the server, after a bcrypt key derivation.
const ANSWER: Duration = Duration::from_secs(30);

/// For a signature by an agent, which may ask the user.
const SIGNATURE: Duration = Duration::from_secs(60);

/// The server does not accept this key (LIBSSH2_ERROR_AUTHENTICATION_FAILED).
const REFUSED: ErrorCode = ErrorCode::Session(-18);

#[derive(Debug, PartialEq, Eq)]
pub enum Outcome {
    LoggedIn,
    /// The server does not accept it.
    Refused,
    /// The server would accept the key, but it cannot be used: locked, or the agent declined.
    Unused(String),
    /// The server closed the connection, or did not reply.
    Ended(String),
}

pub struct Attempts<'a, 'b> {
    pub connector: &'a mut Connector<'b>,
    /// Logged in, after an attempt that succeeded.
    pub connection: Connection,
    pub ask: &'a mut dyn Ask,
    notice: &'a mut dyn FnMut(Notice),
    failures: usize,
    connections: usize,
    /// A line for each attempt, for the error message.
    pub tried: Vec<String>,
    /// A question could not be asked.
    pub no_terminal: bool,
    refused: Vec<Vec<u8>>,
}

impl<'a, 'b> Attempts<'a, 'b> {
    pub fn new(
        connector: &'a mut Connector<'b>,
        connection: Connection,
        ask: &'a mut dyn Ask,
        notice: &'a mut dyn FnMut(Notice),
    ) -> Self {
        Self {
            connector,
            connection,
            ask,
            notice,
            failures: 0,
            connections: 1,
            tried: Vec::new(),
            no_terminal: false,
            refused: Vec::new(),
        }
    }

    /// Tries agent and files in OpenSSH's order: named keys that the agent holds, its other keys, then files.
    pub fn keys(&mut self) -> Result<bool, Failure> {
        let to = &self.connector.to;
        let files: Vec<KeyFile> = to
            .identity_files
            .iter()
            .filter_map(|path| key::read(path, &to.certificate_files))
            .collect();
        // Only a file that was named: most of the default ones do not exist.
        if let Some(named) = self.connector.login.identity.as_ref()
            && files.is_empty()
        {
            let named = shown(named.as_os_str().as_encoded_bytes());
            self.tried.push(format!("{named}: no such file"));
        }
        let (only, at) = (to.identities_only, to.agent.clone());
        let mut held = agent::list(&at, self.connector.interrupts)?.unwrap_or_else(|why| {
            self.tried.push(format!("ssh agent: {why}"));
            let what = "ssh agent".into();
            (self.notice)(Notice::Skipped { what, why });
            Vec::new()
        });
        let named = |held: &Held| files.iter().position(|file| agent::is(held, file));
        held.retain(|h| !only || named(h).is_some());
        held.sort_by_key(|h| named(h).unwrap_or(usize::MAX));
        for held in held {
            if self.agent_key(&at, &held)? {
                return Ok(true);
            }
        }
        for file in &files {
            if self.file(file)? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn agent_key(&mut self, at: &AgentAt, held: &Held) -> Result<bool, Failure> {
        let name = format!(
            "{} from the agent ({})",
            key_blob::describe(&held.blob),
            shown(held.comment.as_bytes())
        );
        if key_blob::is_fido(&held.blob) {
            self.tried.push(format!("{name}: {}", key::FIDO));
            return Ok(false);
        }
        let (user, at, blob) = (self.connector.to.user.clone(), at.clone(), held.blob.clone());
        let outcome = self.attempt(SIGNATURE, move |session| agent::sign_in(session, &at, &user, &blob))?;
        Ok(self.judged(name, Some(&held.blob), outcome))
    }

    /// One key file: first with its certificate, then without.
    fn file(&mut self, key: &KeyFile) -> Result<bool, Failure> {
        let path = key.path.display().to_string();
        let name = match &key.blob {
            Some(blob) => format!("{path} {}", key_blob::describe(blob)),
            None => path.clone(),
        };
        // By way of the agent, which offered the same key.
        let refused = key.blob.as_ref().is_some_and(|b| self.refused.contains(b));
        let (text, encrypted) = match &key.content {
            Content::Private { text, encrypted } => (text, *encrypted),
            Content::Public => {
                if !refused {
                    self.tried.push(format!(
                        "{name}: only the public half exists, and no agent holds the key"
                    ));
                }
                return Ok(false);
            }
            Content::Unusable(why) => {
                self.tried.push(format!("{name}: {why}"));
                let (what, why) = (path, why.clone());
                (self.notice)(Notice::Skipped { what, why });
                return Ok(false);
            }
        };
        let mut passphrase = None;
        if let Some(certificate) = &key.certificate {
            let name = format!("{name} with its certificate");
            if self.private(name, Some(certificate), text, encrypted, &mut passphrase)? {
                return Ok(true);
            }
        }
        if refused {
            return Ok(false);
        }
        self.private(name, key.blob.as_deref(), text, encrypted, &mut passphrase)
    }

    /// Tries a private key under a public half. An encrypted one is first offered as it is: the user is asked for the
    /// passphrase only if the server would accept the key.
    fn private(
        &mut self,
        name: String,
        public: Option<&[u8]>,
        text: &str,
        encrypted: bool,
        passphrase: &mut Option<String>,
    ) -> Result<bool, Failure> {
        let half = public.and_then(key_blob::public_text);
        let user = self.connector.to.user.clone();
        let offer = |passphrase: Option<String>| {
            let (user, half, text) = (user.clone(), half.clone(), text.to_owned());
            move |session: &Session| {
                session.userauth_pubkey_memory(&user, half.as_deref(), &text, passphrase.as_deref())
            }
        };
        if !encrypted || (half.is_some() && passphrase.is_none()) {
            let outcome = self.attempt(ANSWER, offer(None))?;
            if !encrypted || !matches!(outcome, Outcome::Unused(_)) {
                return Ok(self.judged(name, public, outcome));
            }
        }
        for round in 0..3 {
            let again = if round == 0 { "" } else { "Wrong passphrase. " };
            let prompt = format!("{again}Passphrase for {name}: ");
            let known = passphrase.take();
            let given = match known.map_or_else(|| self.ask.secret(&prompt), Reply::Given) {
                Reply::Given(given) => given,
                Reply::Cancelled => return Err(interrupted()),
                Reply::NoTerminal => {
                    self.no_terminal = true;
                    self.tried.push(format!(
                        "{name}: encrypted; add it to the agent with `ssh-add` to log in without a prompt"
                    ));
                    return Ok(false);
                }
            };
            let outcome = self.attempt(ANSWER, offer(Some(given.clone())))?;
            if !matches!(outcome, Outcome::Unused(_)) {
                *passphrase = Some(given);
                return Ok(self.judged(name, public, outcome));
            }
        }
        self.tried.push(format!("{name}: wrong passphrase"));
        Ok(false)
    }

    /// Keeps the result of an attempt; true when it logged in.
    fn judged(&mut self, name: String, blob: Option<&[u8]>, outcome: Outcome) -> bool {
        let what = match outcome {
            Outcome::LoggedIn => return true,
            Outcome::Refused => {
                self.refused.extend(blob.map(<[u8]>::to_vec));
                "refused".to_owned()
            }
            Outcome::Unused(why) | Outcome::Ended(why) => why,
        };
        self.tried.push(format!("{name}: {what}"));
        false
    }

    /// One attempt; on a new connection where the server would close the old one.
    pub fn attempt(
        &mut self,
        limit: Duration,
        work: impl FnOnce(&Session) -> Result<(), ssh2::Error> + Clone + Send + 'static,
    ) -> Result<Outcome, Failure> {
        if self.failures >= FAILURES && !self.reopen()? {
            return Ok(Outcome::Ended("not tried: too many keys had already failed".into()));
        }
        let first = self.failures == 0;
        let outcome = self.once(limit, work.clone())?;
        match &outcome {
            // A server with a lower limit closes early: this key is tried again on a new connection.
            Outcome::Ended(_) if !first && self.reopen()? => self.once(limit, work),
            Outcome::Ended(_) => {
                self.failures = FAILURES;
                Ok(outcome)
            }
            _ => Ok(outcome),
        }
    }

    fn once(
        &mut self,
        limit: Duration,
        work: impl FnOnce(&Session) -> Result<(), ssh2::Error> + Send + 'static,
    ) -> Result<Outcome, Failure> {
        let session = self.connection.session.clone();
        session.set_timeout(backstop(limit));
        let result = with_deadline(self.connector.interrupts, limit, move || work(&session))?;
        Ok(match result {
            Some(Ok(())) => Outcome::LoggedIn,
            Some(Err(e)) if e.code() == REFUSED => {
                self.failures += 1;
                Outcome::Refused
            }
            Some(Err(_)) if self.connection.pump.closes_within(Duration::from_millis(200)) => {
                self.failures = FAILURES;
                Outcome::Ended("the server closed the connection".into())
            }
            Some(Err(e)) => Outcome::Unused(format!("cannot be used: {}", e.message())),
            None => {
                self.connection.pump.shut();
                self.failures = FAILURES;
                Outcome::Ended(format!("no reply within {} s", limit.as_secs()))
            }
        })
    }

    /// A new connection to the same host; false when there were enough.
    fn reopen(&mut self) -> Result<bool, Failure> {
        if self.connections >= CONNECTIONS {
            return Ok(false);
        }
        self.connection.pump.shut();
        self.connection = self.connector.open(self.ask, self.notice)?;
        self.connections += 1;
        self.failures = 0;
        Ok(true)
    }

    /// The login methods that the server accepts, comma-separated; empty when it does not say.
    pub fn methods(&mut self) -> Result<String, Failure> {
        if self.failures >= FAILURES && !self.reopen()? {
            return Ok(String::new());
        }
        let (session, user) = (self.connection.session.clone(), self.connector.to.user.clone());
        self.failures += 1;
        let asked = with_deadline(self.connector.interrupts, ANSWER, move || {
            session.auth_methods(&user).map(str::to_owned)
        });
        Ok(asked?.and_then(Result::ok).unwrap_or_default())
    }
}
