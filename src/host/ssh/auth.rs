//! Logging in: agent, key files, then a person's password, with every attempt remembered for the error. Which keys
//! there are stands in `key` and `agent`; the host was checked before anything here runs.

use std::time::Duration;

use ssh2::{ErrorCode, Session};

use super::agent::{self, Held};
use super::aside::{Stopped, aside, backstop};
use super::door::{Door, Open};
use super::key::{self, Identity, KeyFile, Locked};
use super::{Ask, Notice, Reply, password, refusal, wire};
use crate::failure::Failure;
use crate::text::shown;

/// Keys that one connection may see fail: sshd closes at its MaxAuthTries, 6 unless configured.
const FAILURES: usize = 5;

/// Connections that one login may take, so that many keys do not look like an attack.
const CONNECTIONS: usize = 4;

/// For an answer of the server, with a bcrypt key derivation before it.
const ANSWER: Duration = Duration::from_secs(30);

/// For a signature by an agent, which may ask a person.
const SIGNATURE: Duration = Duration::from_secs(60);

/// libssh2's "the server does not take this key" (LIBSSH2_ERROR_AUTHENTICATION_FAILED).
const REFUSED: ErrorCode = ErrorCode::Session(-18);

/// What became of one attempt.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    In,
    /// The server does not take it.
    Refused,
    /// The server would take the key, but it could not be used: locked, or the agent declined.
    Unused(String),
    /// The server ended the connection, or did not answer.
    Ended(String),
}

pub(super) struct Attempts<'a, 'b> {
    pub(super) door: &'a mut Door<'b>,
    pub(super) open: Open,
    pub(super) ask: &'a mut dyn Ask,
    notice: &'a mut dyn FnMut(Notice),
    failures: usize,
    connections: usize,
    /// One line for each identity, for the error.
    pub(super) tried: Vec<String>,
    /// Somebody would have been asked, had somebody been there.
    pub(super) alone: bool,
    refused: Vec<Vec<u8>>,
}

/// Logs in on an open connection; gives the one that was logged in on.
///
/// # Errors
/// With every identity that was tried and what the server accepts.
pub fn log_in(
    door: &mut Door<'_>,
    open: Open,
    ask: &mut dyn Ask,
    notice: &mut dyn FnMut(Notice),
) -> Result<Open, Failure> {
    let mut attempts = Attempts {
        door,
        open,
        ask,
        notice,
        failures: 0,
        connections: 1,
        tried: Vec::new(),
        alone: false,
        refused: Vec::new(),
    };
    if !attempts.keys()? {
        let methods = attempts.methods()?;
        if !password::log_in(&mut attempts, &methods)? {
            return Err(attempts.denied(&methods));
        }
    }
    Ok(attempts.open)
}

impl Attempts<'_, '_> {
    fn denied(&self, methods: &str) -> Failure {
        // What the server wrote before the login often says why nobody gets in.
        let banner = self.open.session.userauth_banner().ok().flatten();
        refusal::denied(&self.door.to, &self.tried, methods, self.alone, banner)
    }

    /// Tries agent and files in OpenSSH's order: named keys that the agent holds, its other keys, then files.
    fn keys(&mut self) -> Result<bool, Failure> {
        let to = &self.door.to;
        let files: Vec<Identity> = to
            .identity_files
            .iter()
            .filter_map(|path| key::read(path, &to.certificate_files))
            .collect();
        // One that was named and is not there; of the usual names most are not.
        if let Some(named) = self.door.login.identity.as_ref()
            && files.is_empty()
        {
            let named = shown(named.as_os_str().as_encoded_bytes());
            self.tried.push(format!("{named}: there is no such file"));
        }
        let (only, at) = (to.identities_only, to.agent.clone());
        let mut held = match agent::list(&at, self.door.interrupts) {
            Ok(held) => held,
            Err(agent::Trouble::Interrupted) => return Err(refusal::interrupted()),
            Err(agent::Trouble::Broken(why)) => {
                (self.notice)(Notice::Skipped {
                    what: "ssh agent".into(),
                    why: why.clone(),
                });
                self.tried.push(format!("ssh agent: {why}"));
                Vec::new()
            }
        };
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

    fn agent_key(&mut self, at: &super::config::AgentAt, held: &Held) -> Result<bool, Failure> {
        let name = format!(
            "{} {} from the agent ({})",
            wire::short_type(&held.blob),
            wire::fingerprint(&held.blob),
            shown(held.comment.as_bytes())
        );
        if wire::key_type(&held.blob).is_some_and(|name| name.starts_with("sk-")) {
            self.tried.push(format!("{name}: {}", refusal::FIDO));
            return Ok(false);
        }
        let (user, at, blob) = (self.door.to.user.clone(), at.clone(), held.blob.clone());
        let outcome = self.attempt(SIGNATURE, move |session| {
            agent::sign_in(session, &at, &user, &blob)
        })?;
        Ok(self.judged(name, Some(&held.blob), outcome))
    }

    /// One key file: with its certificate first, then plain.
    fn file(&mut self, identity: &Identity) -> Result<bool, Failure> {
        let path = identity.path.display();
        let print = identity
            .blob
            .as_deref()
            .map(|b| format!(" {} {}", wire::short_type(b), wire::fingerprint(b)));
        let name = format!("{path}{}", print.unwrap_or_default());
        let (text, locked) = match &identity.file {
            KeyFile::Private { text, locked } => (text, *locked),
            KeyFile::Public => {
                if !identity
                    .blob
                    .as_ref()
                    .is_some_and(|blob| self.refused.contains(blob))
                {
                    self.tried.push(format!(
                        "{name}: only the public half is here, and no agent holds the key"
                    ));
                }
                return Ok(false);
            }
            KeyFile::Unusable(why) => {
                (self.notice)(Notice::Skipped {
                    what: path.to_string(),
                    why: why.clone(),
                });
                self.tried.push(format!("{name}: {why}"));
                return Ok(false);
            }
        };
        let mut passphrase = None;
        if let Some(certificate) = &identity.certificate {
            let name = format!("{name} with its certificate");
            if self.private(name, Some(certificate), text, locked, &mut passphrase)? {
                return Ok(true);
            }
        }
        if identity
            .blob
            .as_ref()
            .is_some_and(|blob| self.refused.contains(blob))
        {
            return Ok(false); // the agent offered this very key
        }
        self.private(
            name,
            identity.blob.as_deref(),
            text,
            locked,
            &mut passphrase,
        )
    }

    /// Tries a private key under a public half. An encrypted one is first offered locked: only when the server would
    /// take it is the person asked for the passphrase.
    fn private(
        &mut self,
        name: String,
        public: Option<&[u8]>,
        text: &str,
        locked: Locked,
        passphrase: &mut Option<String>,
    ) -> Result<bool, Failure> {
        let half = public.and_then(wire::public_text);
        let offer = |passphrase: Option<String>| {
            let (user, half, text) = (self.door.to.user.clone(), half.clone(), text.to_owned());
            move |session: &Session| {
                session.userauth_pubkey_memory(&user, half.as_deref(), &text, passphrase.as_deref())
            }
        };
        if locked == Locked::No {
            let work = offer(None);
            let outcome = self.attempt(ANSWER, work)?;
            return Ok(self.judged(name, public, outcome));
        }
        if half.is_some() && passphrase.is_none() {
            let work = offer(None);
            let outcome = self.attempt(ANSWER, work)?;
            if !matches!(outcome, Outcome::Unused(_)) {
                return Ok(self.judged(name, public, outcome));
            }
        }
        for round in 0..3 {
            let again = if round == 0 {
                ""
            } else {
                "That did not open it. "
            };
            let known = passphrase.clone();
            let prompt = format!("{again}Passphrase for {name}: ");
            let reply = known.map_or_else(|| self.ask.passphrase(&prompt), Reply::Given);
            let given = match reply {
                Reply::Given(given) => given,
                Reply::Left => return Err(refusal::interrupted()),
                Reply::Nobody => {
                    self.alone = true;
                    self.tried.push(format!(
                        "{name}: it is encrypted; `ssh-add` it, so that nobody has to be asked"
                    ));
                    return Ok(false);
                }
            };
            let (user, half, text) = (self.door.to.user.clone(), half.clone(), text.to_owned());
            let phrase = given.clone();
            let outcome = self.attempt(ANSWER, move |session| {
                session.userauth_pubkey_memory(&user, half.as_deref(), &text, Some(&phrase))
            })?;
            if !matches!(outcome, Outcome::Unused(_)) {
                *passphrase = Some(given);
                return Ok(self.judged(name, public, outcome));
            }
            *passphrase = None;
        }
        self.tried
            .push(format!("{name}: the passphrase did not open it"));
        Ok(false)
    }

    /// Writes an attempt down; true when it was the last one needed.
    fn judged(&mut self, name: String, blob: Option<&[u8]>, outcome: Outcome) -> bool {
        let what = match outcome {
            Outcome::In => return true,
            Outcome::Refused => {
                self.refused.extend(blob.map(<[u8]>::to_vec));
                "refused".to_owned()
            }
            Outcome::Unused(why) | Outcome::Ended(why) => why,
        };
        self.tried.push(format!("{name}: {what}"));
        false
    }

    /// One attempt on a connection that may still fail once more; a new one is opened where it may not.
    pub(super) fn attempt(
        &mut self,
        limit: Duration,
        work: impl FnOnce(&Session) -> Result<(), ssh2::Error> + Clone + Send + 'static,
    ) -> Result<Outcome, Failure> {
        if self.failures >= FAILURES && !self.reopen()? {
            return Ok(Outcome::Ended(
                "not tried: too many keys failed before it".into(),
            ));
        }
        let first = self.failures == 0;
        let outcome = self.once(limit, work.clone())?;
        match &outcome {
            // A server with a lower limit closes early: this key gets its turn on a fresh connection.
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
        let session = self.open.session.clone();
        session.set_timeout(backstop(limit));
        let result = aside(self.door.interrupts, limit, move || work(&session));
        let ended = |why: &str| Ok(Outcome::Ended(why.to_owned()));
        match result {
            Ok(Ok(())) => Ok(Outcome::In),
            Ok(Err(e)) if e.code() == REFUSED => {
                self.failures += 1;
                Ok(Outcome::Refused)
            }
            Ok(Err(_)) if self.open.link.closes_within(Duration::from_millis(200)) => {
                self.failures = FAILURES;
                ended("the server closed the connection")
            }
            Ok(Err(e)) => Ok(Outcome::Unused(format!(
                "could not be used: {}",
                e.message()
            ))),
            Err(Stopped::Late) => {
                self.open.link.shut();
                self.failures = FAILURES;
                ended(&format!("no answer within {} s", limit.as_secs()))
            }
            Err(Stopped::Interrupted) => {
                self.open.link.shut();
                Err(refusal::interrupted())
            }
        }
    }

    /// A fresh connection to the same host; false when there were enough.
    fn reopen(&mut self) -> Result<bool, Failure> {
        if self.connections >= CONNECTIONS {
            return Ok(false);
        }
        self.open.link.shut();
        self.open = self.door.open(self.ask, self.notice)?;
        self.connections += 1;
        self.failures = 0;
        Ok(true)
    }

    /// What the server accepts, comma-separated: for the error, and to know whether a password helps.
    fn methods(&mut self) -> Result<String, Failure> {
        if self.failures >= FAILURES && !self.reopen()? {
            return Ok(String::new());
        }
        let (session, user) = (self.open.session.clone(), self.door.to.user.clone());
        self.failures += 1;
        match aside(self.door.interrupts, ANSWER, move || {
            session.auth_methods(&user).map(str::to_owned)
        }) {
            Ok(Ok(methods)) => Ok(methods),
            Err(Stopped::Interrupted) => Err(refusal::interrupted()),
            Ok(Err(_)) | Err(Stopped::Late) => Ok(String::new()),
        }
    }
}
