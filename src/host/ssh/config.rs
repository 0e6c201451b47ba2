//! What the person's ssh configuration says about a host: by `ssh -G`, which is right about everything, or by the
//! built-in reader where no ssh program is. Settings in, one [`Resolved`] out; no connection is made here.

use std::io;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Duration;

use super::aside::{Stopped, aside};
use super::tokens::Tokens;
use super::{Login, Notice, config_file, refusal};
use crate::failure::{Exit, Failure};
use crate::interrupt::Interrupts;
use crate::text::shown;

/// For `ssh -G`, which takes 10 ms unless a `Match exec` hangs.
const RESOLVED: Duration = Duration::from_secs(20);

/// Keyword (lower case) and value, in the order of precedence; the first value of a keyword wins.
pub type Settings = Vec<(String, String)>;

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AgentAt {
    Nowhere,
    Path(PathBuf),
}

/// How the host is reached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Proxy {
    /// A TCP connection of our own.
    Direct,
    /// `[user@]host[:port]`, several separated by commas: `ssh -W` through them.
    Jump(String),
    /// A shell command whose stdin and stdout are the connection, tokens expanded.
    Command(String),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Family {
    /// As the resolver orders them.
    Any,
    /// IPv4 alone.
    V4,
    /// IPv6 alone.
    V6,
}

/// Everything that is known about a host before it is talked to.
#[derive(Clone, Debug)]
pub struct Resolved {
    /// The name as the person wrote it.
    pub alias: String,
    /// The name or address that is connected to.
    pub host_name: String,
    pub user: String,
    pub port: u16,
    /// The name that stands in known_hosts, where it is not `host_name`.
    pub host_key_alias: Option<String>,
    /// Key files in the order they are tried; some may not exist.
    pub identity_files: Vec<PathBuf>,
    /// Certificates beside those that stand next to their keys.
    pub certificate_files: Vec<PathBuf>,
    /// Only keys that `identity_files` name are tried, even if an agent holds more.
    pub identities_only: bool,
    pub agent: AgentAt,
    pub proxy: Proxy,
    /// The files that new host keys go to (the first) and come from.
    pub user_known_hosts: Vec<PathBuf>,
    /// Files of the machine's administrator.
    pub global_known_hosts: Vec<PathBuf>,
    /// Names are hashed in new lines.
    pub hash_known_hosts: bool,
    /// The person's own policy is to record unknown hosts (`StrictHostKeyChecking accept-new`).
    pub accept_new: bool,
    /// Host key algorithms that the person allows; empty when all are.
    pub host_key_algorithms: Vec<String>,
    pub connect_timeout: Duration,
    pub family: Family,
}

/// Resolves a login.
///
/// # Errors
/// A host name that is none, a configuration that ssh refuses, files that cannot be read.
pub fn resolve(
    login: &Login,
    interrupts: &Interrupts,
    notice: &mut dyn FnMut(Notice),
) -> Result<Resolved, Failure> {
    check_words(login)?;
    let settings = match ask_ssh(login, interrupts)? {
        Some(settings) => settings,
        None => config_file::read(login, notice)?,
    };
    Resolved::from_settings(&settings, login)
}

/// Names that could be taken for an option, a shell word or a path never get further than here.
fn check_words(login: &Login) -> Result<(), Failure> {
    let plain = |c: char| c.is_ascii_alphanumeric() || "._:%-".contains(c);
    let bad = |what: &str, text: &str| {
        Err(Failure::new(
            Exit::Usage,
            format!("{what} {:?} is not valid", shown(text.as_bytes())),
        )
        .why("letters, digits and . _ : % - are allowed, and no - at the front"))
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
    // The signs that OpenSSH itself refuses, because a ProxyCommand may carry the name into a shell.
    !user.is_empty()
        && !user.starts_with('-')
        && !user
            .chars()
            .any(|c| c.is_control() || c.is_whitespace() || "'`\"$\\;&<>|(){}".contains(c))
}

/// Runs `ssh -G`; `None` when there is no ssh program. `Match exec` lines run, with the trust that they have.
fn ask_ssh(login: &Login, interrupts: &Interrupts) -> Result<Option<Settings>, Failure> {
    let mut command = Command::new("ssh");
    command.arg("-G");
    if let Some(file) = &login.config_file {
        command.arg("-F").arg(file);
    }
    if let Some(port) = login.port {
        command.args(["-p", &port.to_string()]);
    }
    if let Some(user) = &login.user {
        command.args(["-l", user]);
    }
    command.args(["--", &login.host]).stdin(Stdio::null());
    let unusable = |why: String| Err(Failure::new(Exit::Unreachable, why));
    let output = match aside(interrupts, RESOLVED, move || command.output()) {
        Ok(Ok(output)) => output,
        Ok(Err(e)) if e.kind() == io::ErrorKind::NotFound => return Ok(None),
        Ok(Err(e)) => return unusable(format!("cannot run ssh: {e}")),
        Err(Stopped::Interrupted) => return Err(refusal::interrupted()),
        Err(Stopped::Late) => {
            let limit = RESOLVED.as_secs();
            return unusable(format!(
                "`ssh -G {}` takes longer than {limit} s",
                login.host
            ));
        }
    };
    let text = String::from_utf8_lossy(&output.stdout);
    let settings: Settings = text
        .lines()
        .filter_map(|line| line.split_once(' '))
        .map(|(key, value)| (key.to_ascii_lowercase(), value.to_owned()))
        .collect();
    if output.status.success() && first(&settings, "hostname").is_some() {
        return Ok(Some(settings));
    }
    let mut failure = Failure::new(
        Exit::Unreachable,
        format!("`ssh -G {}` could not resolve the host", login.host),
    );
    for line in output
        .stderr
        .split(|b| *b == b'\n')
        .filter(|line| !line.is_empty())
        .take(5)
    {
        failure = failure.why(shown(line));
    }
    Err(failure.next(format!("ssh -G {}", login.host)))
}

fn first<'a>(settings: &'a Settings, key: &str) -> Option<&'a str> {
    settings
        .iter()
        .find(|(name, _)| name == key)
        .map(|(_, value)| value.as_str())
}

impl Resolved {
    /// Reads the settings; what the login itself says wins.
    fn from_settings(settings: &Settings, login: &Login) -> Result<Self, Failure> {
        let one =
            |key: &str| first(settings, key).filter(|value| !value.eq_ignore_ascii_case("none"));
        let yes = |key: &str| one(key).is_some_and(|v| v == "yes" || v == "true");
        let host_name = one("hostname").unwrap_or(&login.host).to_owned();
        let Some(user) = login
            .user
            .clone()
            .or_else(|| one("user").map(str::to_owned))
        else {
            return Err(Failure::new(Exit::Usage, "no user name to log in with")
                .next(format!("write the host as USER@{}", login.host)));
        };
        if !good_user(&user)
            || host_name.starts_with('-')
            || host_name.chars().any(|c| !c.is_ascii_graphic())
        {
            return Err(Failure::new(
                Exit::Usage,
                "the ssh configuration gives an unusable host or user name",
            )
            .why(format!(
                "user {}, host {}",
                shown(user.as_bytes()),
                shown(host_name.as_bytes())
            )));
        }
        let port = login
            .port
            .or_else(|| one("port").and_then(|p| p.parse().ok()))
            .unwrap_or(22);
        let tokens = Tokens {
            host_name: &host_name,
            alias: &login.host,
            user: &user,
            port,
        };
        let paths = |key: &str, default: &[&str]| -> Vec<PathBuf> {
            let words = first(settings, key).map(words).unwrap_or_default();
            let words = if words.is_empty() {
                default.iter().map(|s| (*s).to_owned()).collect()
            } else {
                words
            };
            words
                .iter()
                .filter(|word| *word != "none")
                .map(|word| tokens.path(word))
                .collect()
        };
        let files = |key: &str| -> Vec<PathBuf> {
            let values = settings
                .iter()
                .filter(|(name, value)| name == key && value != "none");
            values
                .map(|(_, value)| tokens.path(value.trim_matches('"')))
                .collect()
        };
        let identity_files = match &login.identity {
            Some(path) => vec![path.clone()],
            None => files("identityfile"),
        };
        let agent = match first(settings, "identityagent") {
            None | Some("SSH_AUTH_SOCK") => variable("SSH_AUTH_SOCK"),
            Some("none") => AgentAt::Nowhere,
            Some(name) if name.starts_with('$') => variable(name.trim_matches(['$', '{', '}'])),
            Some(path) => AgentAt::Path(tokens.path(path.trim_matches('"'))),
        };
        let proxy = match (one("proxycommand"), one("proxyjump")) {
            (Some(command), _) => Proxy::Command(tokens.expand(command)),
            (None, Some(jump)) => Proxy::Jump(jump.to_owned()),
            (None, None) => Proxy::Direct,
        };
        let user_known_hosts = match &login.known_hosts {
            Some(file) => vec![file.clone()],
            None => paths(
                "userknownhostsfile",
                &["~/.ssh/known_hosts", "~/.ssh/known_hosts2"],
            ),
        };
        let global = ["/etc/ssh/ssh_known_hosts", "/etc/ssh/ssh_known_hosts2"];
        let seconds = one("connecttimeout")
            .and_then(|s| s.parse().ok())
            .filter(|s| *s > 0);
        Ok(Self {
            alias: login.host.clone(),
            host_key_alias: one("hostkeyalias").map(str::to_owned),
            identity_files,
            certificate_files: files("certificatefile"),
            identities_only: login.identity.is_some() || yes("identitiesonly"),
            agent,
            proxy,
            user_known_hosts,
            global_known_hosts: if login.known_hosts.is_some() {
                Vec::new()
            } else {
                paths("globalknownhostsfile", &global)
            },
            hash_known_hosts: yes("hashknownhosts"),
            accept_new: first(settings, "stricthostkeychecking") == Some("accept-new"),
            host_key_algorithms: one("hostkeyalgorithms")
                .map(|list| list.split(',').map(str::to_owned).collect())
                .unwrap_or_default(),
            connect_timeout: Duration::from_secs(seconds.unwrap_or(10)),
            family: match one("addressfamily") {
                Some("inet") => Family::V4,
                Some("inet6") => Family::V6,
                _ => Family::Any,
            },
            host_name,
            user,
            port,
        })
    }

    /// The name that known_hosts knows the host by.
    pub fn known_as(&self) -> &str {
        self.host_key_alias.as_deref().unwrap_or(&self.host_name)
    }

    /// The port that belongs to the name in known_hosts: an alias stands there without one.
    pub fn known_port(&self) -> u16 {
        if self.host_key_alias.is_some() {
            22
        } else {
            self.port
        }
    }

    /// `user@host[:port]`, for a person.
    pub fn label(&self) -> String {
        let port = if self.port == 22 {
            String::new()
        } else {
            format!(":{}", self.port)
        };
        format!("{}@{}{port}", self.user, self.alias)
    }

    /// The ssh command that logs in the same way, to be pasted.
    pub fn ssh_command(&self) -> String {
        let port = if self.port == 22 {
            String::new()
        } else {
            format!("-p {} ", self.port)
        };
        format!("ssh {port}{}@{}", self.user, self.alias)
    }
}

fn variable(name: &str) -> AgentAt {
    std::env::var_os(name)
        .filter(|v| !v.is_empty())
        .map_or(AgentAt::Nowhere, |v| AgentAt::Path(v.into()))
}

/// Splits at blanks outside double quotes.
pub(super) fn words(text: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut quoted = false;
    for c in text.chars() {
        match c {
            '"' => {
                quoted = !quoted;
                word.get_or_insert_default();
            }
            c if c.is_whitespace() && !quoted => words.extend(word.take()),
            c => word.get_or_insert_default().push(c),
        }
    }
    words.extend(word);
    words
}

#[cfg(test)]
#[path = "config_tests.rs"]
mod tests;
