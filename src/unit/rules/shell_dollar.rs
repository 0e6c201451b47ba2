//! The `$` in the script of a shell, of which systemd takes its part before the shell reads it. Commands without a shell
//! are `exec`.

use super::{Severity, rules};
use crate::unit::merge::Unit;

pub(super) fn is_variable(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_') && name.chars().all(in_name)
}

fn in_name(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_'
}

/// A word that begins with `$`, and is not a variable alone: systemd takes all of it for the name of a variable, which
/// cannot exist, and drops the word (measured). The name that its author meant, where there is one.
pub(super) fn dropped(text: &str) -> Option<&str> {
    let rest = text.strip_prefix('$').filter(|rest| !rest.starts_with(['{', '$']))?;
    (!rest.is_empty() && !is_variable(rest)).then(|| &rest[..rest.find(|c| !in_name(c)).unwrap_or(rest.len())])
}

/// Where the script sets a variable: behind the value, or behind the name in `for NAME` and `read NAME`.
fn set_at(script: &str, name: &str) -> Option<usize> {
    let starts =
        |at: usize| script[..at].is_empty() || script[..at].ends_with([' ', '\t', '\n', ';', '&', '|', '(', '{', '`']);
    script.match_indices(name).find_map(|(at, _)| {
        let (before, after) = (&script[..at], &script[at + name.len()..]);
        if !starts(at) {
            return None;
        }
        if after.starts_with('=') || after.starts_with("+=") {
            return Some(at + name.len() + after.find([' ', '\t', '\n', ';', '&', '|']).unwrap_or(after.len()));
        }
        let words: Vec<&str> = before
            .rsplit([';', '|', '&', '(', '\n'])
            .next()?
            .split_whitespace()
            .collect();
        let loops = words.last().is_some_and(|word| matches!(*word, "for" | "select"));
        let reads = words.contains(&"read");
        let alone = !after.starts_with(in_name);
        ((loops || reads) && alone).then_some(at + name.len())
    })
}

/// Whether the unit or systemd gives the variable a value; a file can have any name.
fn is_given(unit: &Unit, name: &str) -> bool {
    const BY_SYSTEMD: [&str; 23] = [
        "PATH",
        "LANG",
        "USER",
        "LOGNAME",
        "HOME",
        "SHELL",
        "TERM",
        "MAINPID",
        "MANAGERPID",
        "INVOCATION_ID",
        "JOURNAL_STREAM",
        "NOTIFY_SOCKET",
        "WATCHDOG_USEC",
        "RUNTIME_DIRECTORY",
        "STATE_DIRECTORY",
        "CACHE_DIRECTORY",
        "LOGS_DIRECTORY",
        "CONFIGURATION_DIRECTORY",
        "CREDENTIALS_DIRECTORY",
        "SERVICE_RESULT",
        "EXIT_CODE",
        "EXIT_STATUS",
        "XDG_RUNTIME_DIR",
    ];
    let set = unit.words("Service", ["Environment", "PassEnvironment"]);
    BY_SYSTEMD.contains(&name)
        || unit.sets("Service", "EnvironmentFile")
        || set.iter().any(|(word, _)| word.split('=').next() == Some(name))
}

/// What stands between the braces of each `${…}` that systemd replaces, and where it begins. Where there is a `:`,
/// systemd replaces nothing.
fn braces(script: &str) -> impl Iterator<Item = (usize, &str)> {
    script.match_indices("${").filter_map(|(at, _)| {
        let dollars = script[..at].chars().rev().take_while(|c| *c == '$').count();
        let inner = script[at + 2..].split_once('}')?.0;
        (dollars % 2 == 0 && !inner.is_empty() && !inner.contains(':')).then_some((at, inner))
    })
}

/// Whether `$$` stands where a shell's script writes its PID: a word of its own, or the end of a file's name. Not in a
/// regular expression, which has it as an anchor, nor in single quotes, where no shell replaces it.
fn is_pid(script: &str, at: usize) -> bool {
    let (before, after) = (&script[..at], &script[at + 2..]);
    if before.ends_with('$') || before.matches('\'').count() % 2 == 1 {
        return false;
    }
    let quoted = before.matches('"').count() % 2 == 1;
    let matches = ["grep", "sed", "awk", "expr"]
        .iter()
        .any(|program| script.contains(program));
    let from = before
        .rfind(|c| " \t\n;&|(\"><=".contains(c))
        .map_or(0, |from| from + 1);
    let word = &before[from..];
    let named = word.starts_with(['/', '.']) && !word.contains(['*', '^', '[', '\\']);
    // `/$$` alone is the end of a line that ends with a slash.
    let named = named && word.contains(char::is_alphabetic) && !before[..from].trim_end().ends_with("=~");
    let named = named && (word.ends_with(['/', '.', '-', '_']) || !matches);
    let ends = |c: char| " \t\n;&|)></.,:".contains(c);
    let end = after.is_empty() || after.starts_with(ends) || quoted && after.starts_with('"');
    (word.is_empty() || named) && end && !(quoted && matches) && (!after.starts_with('/') || word.ends_with('/'))
}

rules! {
    /// A $ that systemd replaces before the shell reads it
    ///
    /// systemd replaces `${NAME}` in every word of a command, also in the script of a shell: with the value in
    /// `Environment=`, or with nothing. The same happens to `${1}` and `${NAME%x}`. `$$` becomes `$`. A script that begins
    /// with `$NAME/` is dropped. `$NAME` inside the script stays.
    ///
    /// In production: `for f in *.log; do gzip ${f}; done` runs `gzip` without a file, and `echo $$` prints a dollar
    /// instead of the shell's PID.
    ///
    /// ```ini
    /// [Service]
    /// ExecStartPre=/bin/sh -c 'for f in *.log; do gzip "$f"; done; echo $$$$ >/run/acme/pid'
    /// ```
    ///
    /// See systemd.service(5), "Command lines".
    "exec-shell-dollar" Error(Start) Service shell_dollar(view, found) {
        for (command, entry) in view.unit.every_command() {
            if command.prefix.contains(':') {
                continue;
            }
            for word in &command.arguments[command.beyond_shells().len()..] {
                let (key, script) = (entry.key, word.text.as_str());
                if dropped(script).is_some() {
                    let message = format!("{key}=: a word begins with $, and systemd reads all of it as a variable's name and drops it; write $$");
                    found.at(entry, message);
                    continue;
                }
                let lost = braces(script).find(|(at, inner)| match is_variable(inner) {
                    true => !is_given(view.unit, inner) && set_at(script, inner).is_some_and(|set| set <= *at),
                    false => true,
                });
                if let Some((_, inner)) = lost {
                    let instead = if is_variable(inner) { format!(", or ${inner}") } else { String::new() };
                    let message = format!("{key}=: systemd replaces ${{{inner}}} with nothing before the shell reads it; write $${{{inner}}}{instead}");
                    found.at(entry, message);
                }
                if script.match_indices("$$").any(|(at, _)| !script[at + 2..].starts_with('$') && is_pid(script, at)) {
                    let message = format!("{key}=: the shell receives $ instead of $$; write $$$$ for its PID");
                    found.at(entry, message).severity(Severity::Warning);
                }
            }
        }
    }
}
