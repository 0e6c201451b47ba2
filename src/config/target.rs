//! Where a deploy goes: `user@host[:port]`, or a name from the user's ssh config. Only the syntax is checked here;
//! `host::ssh` finds out what the name means.

use std::fmt;
use std::net::Ipv6Addr;
use std::str::FromStr;

use super::names::{Wrong, quoted};
use crate::failure::Next;

/// A host as written. The ssh config decides the parts that are not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    pub user: Option<String>,
    /// A host name, an alias from the ssh config, an IPv4 address, or an IPv6 address without brackets and
    /// with its zone (`fe80::1%eth0`). Never begins with `-`.
    pub host: String,
    pub port: Option<u16>,
}

impl Target {
    /// The same host with another login, as `--as` takes it: `root@app.example.com:2222`.
    pub fn with_login(&self, user: &str) -> String {
        self.of(user).to_string()
    }

    /// The same host for another user.
    #[must_use]
    pub fn of(&self, user: &str) -> Self {
        let user = Some(user.to_owned());
        Self { user, ..self.clone() }
    }

    /// The arguments of `ssh` that lead there: `-p 2222 deploy@app.example.com`.
    pub fn ssh_to(&self) -> String {
        format!("{}{}{}", self.port_option("-p"), self.login(), self.host)
    }

    /// The arguments of `scp` for a file here and its path there:
    /// `-P 2222 env deploy@app.example.com:/opt/acme/shared/env`. Its options come first.
    pub fn scp(&self, file: &str, path: &str) -> String {
        let (port, login, host) = (self.port_option("-P"), self.login(), &self.host);
        // It would be an option, or the name of a host.
        let here = if file.starts_with('-') || file.contains(':') {
            "./"
        } else {
            ""
        };
        if is_v6(host) {
            format!("{port}{here}{file} {login}[{host}]:{path}")
        } else {
            format!("{port}{here}{file} {login}{host}:{path}")
        }
    }

    fn port_option(&self, option: &str) -> String {
        self.port.map(|port| format!("{option} {port} ")).unwrap_or_default()
    }

    fn login(&self) -> String {
        self.user.as_ref().map(|user| format!("{user}@")).unwrap_or_default()
    }

    /// A command of shipit that needs root on the host: `shipit setup --as root@app.example.com`.
    pub fn as_root(&self, command: &str) -> Next {
        Next::shipit(format!("{command} --as")).arg(self.with_login("root"))
    }

    /// Reads `[user@]host[:port]`, `[user@][v6]:port` and `[user@]v6`.
    /// Fails with [`Wrong`] for anything that an ssh client or a shell could take for something else.
    pub fn parse(text: &str) -> Result<Self, Wrong> {
        split(text).map_err(|why| Wrong(format!("{} {why}", quoted(text))))
    }
}

fn split(text: &str) -> Result<Target, String> {
    let fail = |why: &str| Err(why.to_owned());
    if text.is_empty() {
        return fail("is empty; write a host such as `deploy@app.example.com`");
    }
    if text.contains("://") {
        return fail("is a URL; write a host such as `deploy@app.example.com:22`");
    }
    if text.starts_with('-') {
        return fail("begins with `-`, like an option; write a host such as `deploy@app.example.com`");
    }
    let (user, rest) = match text.split_once('@') {
        Some((user, rest)) => (Some(user), rest),
        None => (None, text),
    };
    if rest.contains('@') {
        return fail("contains two `@`; write a host such as `deploy@app.example.com`");
    }
    if let Some(user) = user {
        check_user(user)?;
    }
    let (host, port) = host_and_port(rest)?;
    if !is_v6(host) {
        check_host(host)?;
    }
    let number = |port| port_number(port).ok_or("has a port that is not a number from 1 to 65535");
    let port = port.map(number).transpose()?;
    Ok(Target {
        user: user.map(str::to_owned),
        host: host.to_owned(),
        port,
    })
}

fn check_user(user: &str) -> Result<(), String> {
    if user.is_empty() {
        return Err("has no login before the `@`".to_owned());
    }
    let plain = |c: char| c.is_ascii_alphanumeric() || "._-+".contains(c);
    if user.len() > 64 || !user.chars().all(plain) {
        return Err("has a user name with characters other than letters, digits and `. _ - +`".to_owned());
    }
    Ok(())
}

/// The host without its brackets, and what stands behind it as a port.
fn host_and_port(text: &str) -> Result<(&str, Option<&str>), String> {
    if let Some(inner) = text.strip_prefix('[') {
        let Some((host, after)) = inner.split_once(']') else {
            return Err("has a `[` without a `]`; write `[2001:db8::1]:22`".to_owned());
        };
        if !is_v6(host) {
            return Err("has no IPv6 address in its brackets".to_owned());
        }
        return match (after, after.strip_prefix(':')) {
            ("", _) => Ok((host, None)),
            (_, Some(port)) => Ok((host, Some(port))),
            _ => Err("has no valid port after the `]`".to_owned()),
        };
    }
    if is_v6(text) {
        return Ok((text, None));
    }
    match text.split_once(':') {
        Some((_, port)) if port.contains(':') => {
            Err("is not an IPv6 address; with a port, write `[2001:db8::1]:22`".to_owned())
        }
        Some((host, port)) => Ok((host, Some(port))),
        None => Ok((text, None)),
    }
}

fn check_host(host: &str) -> Result<(), String> {
    if host.is_empty() {
        return Err("has no host; write one such as `deploy@app.example.com`".to_owned());
    }
    if host.starts_with(['-', '.']) {
        return Err("has a host that begins with `-` or `.`".to_owned());
    }
    if !host.is_ascii() {
        return Err("contains non-ASCII letters; write the host name in its `xn--` form".to_owned());
    }
    if host.len() > 253 || !host.chars().all(|c| c.is_ascii_alphanumeric() || "._-".contains(c)) {
        return Err("has a host with characters other than letters, digits and `. _ -`".to_owned());
    }
    Ok(())
}

/// A decimal port without sign and leading zeros.
pub(super) fn port_number(text: &str) -> Option<u16> {
    let port: u16 = text.parse().ok()?;
    (port > 0 && port.to_string() == text).then_some(port)
}

/// An IPv6 address, with or without a zone (RFC 6874 writes it `fe80::1%eth0` outside of URLs).
fn is_v6(text: &str) -> bool {
    let (address, zone) = text.split_once('%').unwrap_or((text, "0"));
    Ipv6Addr::from_str(address).is_ok()
        && !zone.is_empty()
        && !zone.starts_with('-')
        && zone.chars().all(|c| c.is_ascii_alphanumeric() || "._-".contains(c))
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(user) = &self.user {
            write!(f, "{user}@")?;
        }
        if self.host.contains(':') {
            write!(f, "[{}]", self.host)?
        } else {
            f.write_str(&self.host)?
        }
        match self.port {
            Some(port) => write!(f, ":{port}"),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn parts(text: &str) -> (Option<String>, String, Option<u16>) {
        let target = Target::parse(text).unwrap();
        (target.user, target.host, target.port)
    }

    #[test]
    fn user_host_and_port_are_distinguished() {
        assert_eq!(
            parts("deploy@app.example.com"),
            (Some("deploy".into()), "app.example.com".into(), None)
        );
        assert_eq!(parts("web-1"), (None, "web-1".into(), None));
        assert_eq!(parts("10.0.0.7:2222"), (None, "10.0.0.7".into(), Some(2222)));
        assert_eq!(
            parts("d@[2001:db8::1]:22"),
            (Some("d".into()), "2001:db8::1".into(), Some(22))
        );
        assert_eq!(parts("d@fe80::1%eth0"), (Some("d".into()), "fe80::1%eth0".into(), None));
        assert_eq!(parts("[fe80::1%eth0.2]:22"), (None, "fe80::1%eth0.2".into(), Some(22)));
    }

    #[test]
    fn a_file_to_copy_is_never_an_option_or_the_name_of_a_host() {
        let target = Target::parse("deploy@x.example").unwrap();
        for (file, typed) in [
            ("env", "env"),
            ("-oProxyCommand=id", "./-oProxyCommand=id"),
            ("a:b", "./a:b"),
        ] {
            assert_eq!(target.scp(file, "/x"), format!("{typed} deploy@x.example:/x"));
        }
    }

    #[test]
    fn it_is_shown_as_it_was_written() {
        for text in ["deploy@app.example.com:2222", "web-1", "d@[fe80::1%eth0]:22", "[::1]"] {
            assert_eq!(Target::parse(text).unwrap().to_string(), text);
        }
    }

    #[test]
    fn nothing_that_an_option_parser_or_a_shell_would_read_gets_through() {
        for text in [
            "",
            "-oProxyCommand=touch x",
            "d@-oProxyCommand=x",
            "a`id`b",
            "$(id)",
            "a b",
            "user@host@x",
            "@host",
            "user@",
            "host:",
            "host:0",
            "host:022",
            "host:+22",
            "host:65536",
            "host:22:23",
            "[::1",
            "[::1]22",
            "[host]:22",
            "fe80::1%",
            "fe80::1%-x",
            "ssh://host",
            "ho\nst",
            "bücher.de",
            "d;x@host",
            "d\\x@host",
            ".x",
        ] {
            assert!(Target::parse(text).is_err(), "used {text:?}");
        }
    }
}
