//! Which program a command line starts, and what that program is known to do. Facts, not judgement.

use crate::unit::command::{self, Command};

/// A program that serves, as far as it can be told from a command line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Runtime {
    /// Node.js, Deno or Bun.
    Node,
    /// gunicorn, the Python server.
    Gunicorn,
    /// puma, the Ruby server.
    Puma,
    /// Python, uvicorn and others.
    Python,
    /// Ruby, sidekiq and others.
    Ruby,
    /// A Java virtual machine.
    Java,
    /// Erlang or Elixir.
    Beam,
    /// .NET.
    Dotnet,
    /// PHP on the command line: workers, and servers that a script brings.
    Php,
    /// php-fpm.
    PhpFpm,
    /// nginx.
    Nginx,
    /// Anything else: most often a compiled binary.
    Other,
}

impl Runtime {
    /// Whether it writes machine code into memory and runs it: `MemoryDenyWriteExecute=` kills it.
    #[must_use]
    pub fn compiles_at_run_time(self) -> bool {
        matches!(
            self,
            Runtime::Node
                | Runtime::Java
                | Runtime::Beam
                | Runtime::Dotnet
                | Runtime::Php
                | Runtime::PhpFpm
        )
    }
    /// Whether it takes `LISTEN_FDS` of its own accord.
    #[must_use]
    pub fn takes_sockets(self) -> bool {
        matches!(self, Runtime::Gunicorn | Runtime::Puma)
    }
    /// Whether SIGHUP ends it unless the program handles it.
    #[must_use]
    pub fn dies_of_hangup(self) -> bool {
        matches!(
            self,
            Runtime::Node | Runtime::Python | Runtime::Ruby | Runtime::Java | Runtime::Dotnet
        )
    }
    /// Whether it always stays in the foreground, unless told otherwise by an option.
    #[must_use]
    pub fn stays_in_foreground(self) -> bool {
        !matches!(
            self,
            Runtime::Other | Runtime::Nginx | Runtime::Php | Runtime::PhpFpm | Runtime::Beam
        )
    }
}

/// Looks through wrappers (`env`, `bundle exec`, `python -m`, `sh -c 'exec …'`) for the program that serves.
#[must_use]
pub fn of(command: &Command) -> Runtime {
    if let Some(script) = command.shell_script() {
        let inner = script.rsplit("exec ").next().unwrap_or(script);
        return command::parse(inner)
            .ok()
            .and_then(|all| all.first().map(of))
            .unwrap_or(Runtime::Other);
    }
    const WRAPPERS: [&str; 13] = [
        "env", "bundle", "poetry", "pipenv", "uv", "nice", "ionice", "sudo", "runuser", "npx",
        "exec", "run", "setpriv",
    ];
    let mut name = command.name();
    let mut words = command.words();
    while WRAPPERS.contains(&name) || name.contains('=') || name.starts_with('-') {
        match words.next() {
            Some(next) => name = next.rsplit('/').next().unwrap_or(next),
            None => return Runtime::Other,
        }
    }
    let names = |program: &str| {
        command
            .words()
            .any(|word| word == program || word.ends_with(&format!("/{program}")))
    };
    match name.trim_end_matches(|c: char| c.is_ascii_digit() || c == '.') {
        "gunicorn" => Runtime::Gunicorn,
        "python" | "pypy" if names("gunicorn") => Runtime::Gunicorn,
        "python" | "pypy" | "uvicorn" | "hypercorn" | "daphne" | "celery" | "waitress-serve" => {
            Runtime::Python
        }
        "puma" => Runtime::Puma,
        "ruby" if names("puma") => Runtime::Puma,
        "ruby" | "rails" | "sidekiq" | "unicorn" | "rackup" => Runtime::Ruby,
        "node" | "nodejs" | "deno" | "bun" | "npm" | "yarn" | "pnpm" => Runtime::Node,
        "java" => Runtime::Java,
        "beam.smp" | "erl" | "elixir" | "mix" | "iex" => Runtime::Beam,
        "dotnet" => Runtime::Dotnet,
        "php" => Runtime::Php,
        "php-fpm" => Runtime::PhpFpm,
        "nginx" => Runtime::Nginx,
        _ => Runtime::Other,
    }
}

/// The TCP port that a command line binds, when it says so: `--port 80`, `-p80`, `--bind 0.0.0.0:80`, `-b :80`.
#[must_use]
pub fn port(command: &Command) -> Option<u16> {
    // Their port is another host's, or a container's.
    if matches!(command.name(), "ssh" | "autossh" | "docker" | "podman") {
        return None;
    }
    let address = command.option(&["--bind", "-b", "--listen", "--port", "--http-port", "-p"])?;
    address
        .rsplit(':')
        .next()?
        .trim_end_matches('/')
        .parse()
        .ok()
}

/// The heap that a command line or one of these environment values gives a virtual machine, in bytes: `-Xmx512m`,
/// `--max-old-space-size=1024` (MiB). The process takes more than that.
pub fn heap<'a>(texts: impl Iterator<Item = &'a str>) -> Option<u64> {
    let size = |text: &str| {
        let digits = text.chars().take_while(char::is_ascii_digit).count();
        let unit = match text[digits..].chars().next() {
            Some('k' | 'K') => 10,
            Some('m' | 'M') => 20,
            Some('g' | 'G') => 30,
            _ => 0,
        };
        text[..digits].parse::<u64>().ok()?.checked_mul(1 << unit)
    };
    let of_word = |word: &str| match word.split_once("-Xmx") {
        Some((_, rest)) => size(rest),
        None => size(word.split_once("--max-old-space-size=")?.1)?.checked_mul(1 << 20),
    };
    let words = texts.flat_map(str::split_whitespace);
    words.filter_map(of_word).max()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn the_program_is_found_behind_its_wrappers() {
        let of = |line: &str| of(&command::parse(line).unwrap()[0]);
        assert_eq!(of("/usr/bin/node server.js"), Runtime::Node);
        assert_eq!(
            of("/usr/bin/env RAILS_ENV=production bundle exec puma -C x"),
            Runtime::Puma
        );
        assert_eq!(
            of("/opt/acme/venv/bin/python3.11 -m gunicorn app:app"),
            Runtime::Gunicorn
        );
        assert_eq!(
            of("/bin/sh -c 'cd /x && exec node server.js'"),
            Runtime::Node
        );
        assert_eq!(of("/usr/sbin/php-fpm8.2 -F"), Runtime::PhpFpm);
        assert_eq!(of("/usr/bin/php8.2 artisan queue:work"), Runtime::Php);
        assert_eq!(of("/opt/acme/current/server"), Runtime::Other);
    }
}
