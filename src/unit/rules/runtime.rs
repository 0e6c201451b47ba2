//! Which program a command line starts, and what that program is known to do. Facts; `hardening` and others judge.

use crate::unit::command::{self, Command};

/// A program that serves, as far as a command line shows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Runtime {
    /// Node.js, Deno or Bun.
    Node,
    Gunicorn,
    Puma,
    /// Python, uvicorn and others.
    Python,
    /// Ruby, sidekiq and others.
    Ruby,
    /// A Java virtual machine.
    Java,
    /// Erlang or Elixir.
    Beam,
    Dotnet,
    /// PHP on the command line: workers, and servers written in PHP.
    Php,
    PhpFpm,
    Nginx,
    /// Anything else: most often a compiled binary.
    Other,
}
use Runtime::*;

impl Runtime {
    /// Whether it writes machine code into memory and runs it: `MemoryDenyWriteExecute=` kills it.
    pub fn compiles_at_run_time(self) -> bool {
        matches!(self, Node | Java | Dotnet | Php | PhpFpm)
    }

    /// Whether it uses `LISTEN_FDS` without being configured to.
    pub fn takes_sockets(self) -> bool {
        matches!(self, Gunicorn | Puma)
    }

    /// Whether SIGHUP ends it unless the program handles it.
    pub fn dies_of_hangup(self) -> bool {
        matches!(self, Node | Python | Ruby | Java | Dotnet)
    }

    /// Whether it always stays in the foreground, unless an option says otherwise.
    pub fn stays_in_foreground(self) -> bool {
        !matches!(self, Other | Nginx | Php | PhpFpm | Beam)
    }
}

/// Programs that start the program that serves.
const WRAPPERS: &str = "env bundle poetry pipenv uv nice ionice sudo runuser npx exec run setpriv";

/// The names of programs, without a version at their end.
const PROGRAMS: [(Runtime, &str); 11] = [
    (Gunicorn, "gunicorn"),
    (Python, "python pypy uvicorn hypercorn daphne celery waitress-serve"),
    (Puma, "puma"),
    (Ruby, "ruby rails sidekiq unicorn rackup"),
    (Node, "node nodejs deno bun npm yarn pnpm"),
    (Java, "java"),
    (Beam, "beam.smp erl elixir mix iex"),
    (Dotnet, "dotnet"),
    (Php, "php"),
    (PhpFpm, "php-fpm"),
    (Nginx, "nginx"),
];

fn lists(names: &str, name: &str) -> bool {
    names.split(' ').any(|known| known == name)
}

/// Skips wrappers (`env`, `bundle exec`, `python -m`, `sh -c 'exec …'`) to find the program that serves.
pub fn of(command: &Command) -> Runtime {
    if let Some(script) = command.shell_script() {
        let inner = script.rsplit("exec ").next().unwrap_or(script);
        let commands = command::parse(inner).unwrap_or_default();
        return commands.first().map_or(Other, of);
    }
    let mut name = command.name();
    let mut words = command.words();
    while lists(WRAPPERS, name) || name.contains('=') || name.starts_with('-') {
        match words.next() {
            Some(next) => name = next.rsplit('/').next().unwrap_or(next),
            None => return Other,
        }
    }
    let name = name.trim_end_matches(|c: char| c.is_ascii_digit() || c == '.');
    let names = |program: &str| {
        let mut words = command.words();
        words.any(|word| word.rsplit('/').next() == Some(program))
    };
    match name {
        "python" | "pypy" if names("gunicorn") => Gunicorn,
        "ruby" if names("puma") => Puma,
        _ => {
            let known = PROGRAMS.iter().find(|(_, names)| lists(names, name));
            known.map_or(Other, |(runtime, _)| *runtime)
        }
    }
}

/// The word with which a program starts others and ends, where systemd should start them in the foreground instead.
pub fn detaches(command: &Command) -> Option<&str> {
    let celery = |word: &str| word.rsplit('/').next() == Some("celery");
    let mut words = command.words();
    match command.name() {
        "docker" | "podman" | "docker-compose" | "podman-compose" if command.has(&["up", "run", "start"]) => {
            words.find(|word| matches!(*word, "-d" | "--detach" | "-itd" | "-dit"))
        }
        _ if celery(&command.program) || command.words().any(celery) => words.find(|word| *word == "multi"),
        _ => None,
    }
}

/// The TCP port that a command line names to bind: `--port 80`, `-p80`, `--bind 0.0.0.0:80`, `-b :80`.
pub fn port(command: &Command) -> Option<u16> {
    // Their port belongs to another host, or to a container.
    if matches!(command.name(), "ssh" | "autossh" | "docker" | "podman") {
        return None;
    }
    let address = command.option(&["--bind", "-b", "--listen", "--port", "--http-port", "-p"])?;
    let port = address.rsplit(':').next()?;
    port.trim_end_matches('/').parse().ok()
}

/// The heap size of a virtual machine on a command line or in one of these environment values, in bytes: `-Xmx512m`,
/// `--max-old-space-size=1024` (MiB). The process needs more than that.
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
        assert_eq!(of("/usr/bin/node server.js"), Node);
        assert_eq!(of("/usr/bin/env RAILS_ENV=production bundle exec puma -C x"), Puma);
        assert_eq!(of("/opt/acme/venv/bin/python3.11 -m gunicorn app:app"), Gunicorn);
        assert_eq!(of("/bin/sh -c 'cd /x && exec node server.js'"), Node);
        assert_eq!(of("/usr/sbin/php-fpm8.2 -F"), PhpFpm);
        assert_eq!(of("/usr/bin/php8.2 artisan queue:work"), Php);
        assert_eq!(of("/opt/acme/current/server"), Other);
    }
}
