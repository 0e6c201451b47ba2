//! What the user's ssh configuration says about a host: from `ssh -G`, which is always right, or from the built-in
//! reader where there is no ssh program. Settings in, one [`Resolved`] out; no connection is made here.

use std::io;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Duration;

use super::deadline::with_deadline;
use super::settings::Settings;
use super::tokens::Tokens;
use super::{Login, Notice, config_file};
use crate::failure::{Exit, Failure, Next};
use crate::interrupt::Interrupts;
use crate::text::shown;

/// For `ssh -G`, which takes 10 ms unless a `Match exec` hangs.
const SSH_G: Duration = Duration::from_secs(20);

const USER_KNOWN_HOSTS: [&str; 2] = ["~/.ssh/known_hosts", "~/.ssh/known_hosts2"];
const GLOBAL_KNOWN_HOSTS: [&str; 2] = ["/etc/ssh/ssh_known_hosts", "/etc/ssh/ssh_known_hosts2"];

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AgentAt {
    Nowhere,
    /// Its socket.
    Path(PathBuf),
}

impl AgentAt {
    fn of(settings: &Settings, tokens: &Tokens<'_>) -> Self {
        match settings.first("identityagent") {
            None | Some("SSH_AUTH_SOCK") => Self::in_variable("SSH_AUTH_SOCK"),
            Some("none") => Self::Nowhere,
            Some(name) if name.starts_with('$') => Self::in_variable(name.trim_matches(['$', '{', '}'])),
            Some(path) => Self::Path(tokens.path(path.trim_matches('"'))),
        }
    }

    fn in_variable(name: &str) -> Self {
        std::env::var_os(name)
            .filter(|v| !v.is_empty())
            .map_or(Self::Nowhere, |v| Self::Path(v.into()))
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Proxy {
    /// A TCP connection of our own.
    Direct,
    /// `[user@]host[:port]`, several separated by commas: `ssh -W` through them.
    Jump(String),
    /// A shell command whose stdin and stdout are the connection, tokens expanded.
    Command(String),
}

impl Proxy {
    fn of(settings: &Settings, tokens: &Tokens<'_>) -> Self {
        if let Some(command) = settings.one("proxycommand") {
            return Self::Command(tokens.expand(command));
        }
        let jump = settings.one("proxyjump").map(str::to_owned);
        jump.map_or(Self::Direct, Self::Jump)
    }
}

/// Which addresses of the host are tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Family {
    Any,
    V4,
    V6,
}

/// How to reach a host and log in to it.
#[derive(Clone, Debug)]
pub struct Resolved {
    /// The name as the user wrote it.
    pub alias: String,
    /// The name or address to connect to.
    pub host_name: String,
    pub user: String,
    pub port: u16,
    /// The name in known_hosts, where it is not `host_name`.
    pub host_key_alias: Option<String>,
    /// Key files, in the order to try them; some may not exist.
    pub identity_files: Vec<PathBuf>,
    /// Certificates besides those next to their keys.
    pub certificate_files: Vec<PathBuf>,
    /// Only keys of `identity_files` are tried, even if an agent holds more.
    pub identities_only: bool,
    pub agent: AgentAt,
    pub proxy: Proxy,
    /// Host keys are read from these files; new ones are written to the first.
    pub user_known_hosts: Vec<PathBuf>,
    /// Files of the local administrator.
    pub global_known_hosts: Vec<PathBuf>,
    /// New lines have hashed names.
    pub hash_known_hosts: bool,
    /// The user's own policy is to record unknown hosts (`StrictHostKeyChecking accept-new`).
    pub accept_new: bool,
    /// Host key algorithms that the user allows; empty when all are.
    pub host_key_algorithms: Vec<String>,
    pub connect_timeout: Duration,
    pub family: Family,
}

/// Fails on an invalid host or user name, a configuration that ssh refuses, files that cannot be read.
pub fn resolve(login: &Login, interrupts: &Interrupts, notice: &mut dyn FnMut(Notice)) -> Result<Resolved, Failure> {
    check_words(login)?;
    let settings = match ask_ssh(login, interrupts)? {
        Some(settings) => settings,
        None => config_file::read(login, notice)?,
    };
    Resolved::from_settings(&settings, login)
}

/// Refuses names that could be taken for an option, a shell word or a path.
fn check_words(login: &Login) -> Result<(), Failure> {
    let plain = |c: char| c.is_ascii_alphanumeric() || "._:%-".contains(c);
    let bad = |what: &str, text: &str| {
        Err(
            Failure::new(Exit::Usage, format!("{what} {:?} is not valid", shown(text.as_bytes())))
                .why("it may contain only letters, digits and . _ : % -, and must not begin with -"),
        )
    };
    if login.host.is_empty() || login.host.starts_with('-') || !login.host.chars().all(plain) {
        return bad("the host name", &login.host);
    }
    match &login.user {
        Some(user) if !good_user(user) => bad("the user name", user),
        _ => Ok(()),
    }
}

fn good_user(user: &str) -> bool {
    // OpenSSH refuses the same characters, because a ProxyCommand may pass the name to a shell.
    !user.is_empty()
        && !user.starts_with('-')
        && !user
            .chars()
            .any(|c| c.is_control() || c.is_whitespace() || "'`\"$\\;&<>|(){}".contains(c))
}

fn check_resolved(user: &str, host_name: &str) -> Result<(), Failure> {
    if good_user(user) && !host_name.starts_with('-') && host_name.chars().all(|c| c.is_ascii_graphic()) {
        return Ok(());
    }
    let (user, host) = (shown(user.as_bytes()), shown(host_name.as_bytes()));
    Err(Failure::new(
        Exit::Usage,
        "the ssh configuration contains an invalid host or user name",
    )
    .why(format!("user {user}, host {host}")))
}

/// Runs `ssh -G`; `None` when there is no ssh program. `Match exec` lines run, as they do for ssh itself.
fn ask_ssh(login: &Login, interrupts: &Interrupts) -> Result<Option<Settings>, Failure> {
    let mut command = Command::new("ssh");
    command.arg("-G").args(login.options());
    command.args(["--", &login.host]).stdin(Stdio::null());
    let unusable = |why: String| Err(Failure::new(Exit::Unreachable, why));
    let output = match with_deadline(interrupts, SSH_G, move || command.output())? {
        Some(Ok(output)) => output,
        Some(Err(e)) if e.kind() == io::ErrorKind::NotFound => return Ok(None),
        Some(Err(e)) => return unusable(format!("cannot run ssh: {e}")),
        None => {
            let limit = SSH_G.as_secs();
            return unusable(format!("`ssh -G {}` did not finish within {limit} s", login.host));
        }
    };
    let text = String::from_utf8_lossy(&output.stdout);
    let lines = text.lines().filter_map(|line| line.split_once(' '));
    let lines = lines.map(|(key, value)| (key.to_ascii_lowercase(), value.to_owned()));
    let settings = Settings(lines.collect());
    if output.status.success() && settings.first("hostname").is_some() {
        return Ok(Some(settings));
    }
    let what = format!("`ssh -G {}` cannot resolve the host", login.host);
    let mut failure = Failure::new(Exit::Unreachable, what).next(Next::ssh(format!("-G {}", login.ssh_to())));
    let lines = output.stderr.split(|b| *b == b'\n').filter(|line| !line.is_empty());
    failure.why.extend(lines.take(5).map(shown));
    Err(failure)
}

impl Resolved {
    /// Reads the settings; what the login itself names wins.
    fn from_settings(settings: &Settings, login: &Login) -> Result<Self, Failure> {
        let host_name = settings.one("hostname").unwrap_or(&login.host).to_owned();
        let configured = || settings.one("user").map(str::to_owned);
        let Some(user) = login.user.clone().or_else(configured) else {
            return Err(Failure::new(Exit::Usage, "no user name to log in with")
                .next(Next::advice(format!("write the host as USER@{}", login.host))));
        };
        check_resolved(&user, &host_name)?;
        let port = login.port.or_else(|| settings.number("port")).unwrap_or(22);
        let tokens = Tokens {
            host_name: &host_name,
            alias: &login.host,
            user: &user,
            port,
        };
        let (user_known_hosts, global_known_hosts) = match &login.known_hosts {
            Some(file) => (vec![file.clone()], Vec::new()),
            None => (
                settings.paths("userknownhostsfile", &tokens, USER_KNOWN_HOSTS),
                settings.paths("globalknownhostsfile", &tokens, GLOBAL_KNOWN_HOSTS),
            ),
        };
        let connect_timeout = settings.number("connecttimeout").filter(|s| *s > 0);
        Ok(Self {
            alias: login.host.clone(),
            host_key_alias: settings.one("hostkeyalias").map(str::to_owned),
            identity_files: match &login.identity {
                Some(path) => vec![path.clone()],
                None => settings.files("identityfile", &tokens),
            },
            certificate_files: settings.files("certificatefile", &tokens),
            identities_only: login.identity.is_some() || settings.yes("identitiesonly"),
            agent: AgentAt::of(settings, &tokens),
            proxy: Proxy::of(settings, &tokens),
            user_known_hosts,
            global_known_hosts,
            hash_known_hosts: settings.yes("hashknownhosts"),
            accept_new: settings.first("stricthostkeychecking") == Some("accept-new"),
            host_key_algorithms: settings
                .one("hostkeyalgorithms")
                .map(|list| list.split(',').map(str::to_owned).collect())
                .unwrap_or_default(),
            connect_timeout: Duration::from_secs(connect_timeout.unwrap_or(10)),
            family: match settings.one("addressfamily") {
                Some("inet") => Family::V4,
                Some("inet6") => Family::V6,
                _ => Family::Any,
            },
            host_name,
            user,
            port,
        })
    }

    pub fn known_hosts_files(&self) -> Vec<PathBuf> {
        [&self.user_known_hosts[..], &self.global_known_hosts].concat()
    }

    /// The host's name in known_hosts.
    pub fn known_as(&self) -> &str {
        self.host_key_alias.as_deref().unwrap_or(&self.host_name)
    }

    /// The port of the name in known_hosts, where an alias has none.
    pub fn known_port(&self) -> u16 {
        if self.host_key_alias.is_some() { 22 } else { self.port }
    }

    /// `user@host[:port]`, for messages.
    pub fn label(&self) -> String {
        match self.port {
            22 => format!("{}@{}", self.user, self.alias),
            port => format!("{}@{}:{port}", self.user, self.alias),
        }
    }

    /// The words for the ssh program that lead there, to paste.
    pub fn ssh_to(&self) -> String {
        match self.port {
            22 => format!("{}@{}", self.user, self.alias),
            port => format!("-p {port} {}@{}", self.user, self.alias),
        }
    }
}

#[cfg(test)]
#[path = "config_tests.rs"]
mod tests;
