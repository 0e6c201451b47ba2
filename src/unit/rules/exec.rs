//! Command lines: systemd reads them, not a shell.

use super::{Severity, rules};
use crate::unit::command::{self, Refused};
use crate::unit::quoting;

/// A word that means something to a shell and nothing to systemd.
fn shell_only(raw: &str) -> bool {
    const WHOLE: [&str; 6] = ["|", "||", "&&", "&", "|&", "!"];
    let redirect = raw.trim_start_matches(|c: char| c.is_ascii_digit() || c == '&');
    let closed = raw.ends_with('>') && raw.starts_with('<') && raw.len() > 2; // `<something>` is a placeholder, not a redirection
    WHOLE.contains(&raw)
        || redirect.starts_with(['>', '<']) && !closed
        || raw.starts_with("$(")
        || raw.starts_with('`')
        || raw.len() > 1 && raw.ends_with(';') && !raw.ends_with("\\;")
}

rules! {
    /// Shell syntax where no shell reads it
    ///
    /// systemd starts the program itself. Pipes, `&&`, redirections, `$(…)`, `~` and `*` reach it as plain arguments.
    ///
    /// In production: `server > /var/log/x` starts the server with two strange arguments; most programs refuse them, some
    /// ignore them, and no log is written.
    ///
    /// ```ini
    /// [Service]
    /// ExecStart=/opt/acme/current/server
    /// StandardOutput=journal
    /// # or, when a shell is really wanted:
    /// ExecStart=/bin/sh -c 'exec /opt/acme/current/server | /usr/bin/tee /run/acme/log'
    /// ```
    ///
    /// See systemd.service(5), "Command lines".
    "exec-shell-syntax" Error(Start) Service shell_syntax(view, found) {
        for (command, entry) in view.unit.every_command() {
            if let Some(word) = command.arguments.iter().find(|word| shell_only(&word.raw)) {
                found.at(
                    entry,
                    format!(
                        "`{}` is shell syntax, and no shell reads {}=: {} gets it as an argument",
                        word.raw,
                        entry.key,
                        command.name()
                    ),
                );
            }
            if let Some(word) = command
                .arguments
                .iter()
                .find(|word| word.raw.starts_with("~/") || word.raw.contains("/*"))
            {
                found
                    .at(
                        entry,
                        format!("`{}` is not expanded: only a shell knows ~ and *", word.raw),
                    )
                    .severity(Severity::Warning);
            }
        }
    }

    /// $VAR inside a word is not expanded, and ${VAR:-x} never is
    ///
    /// systemd replaces `${VAR}` anywhere, and `$VAR` only where it is a word of its own (and then splits it at
    /// spaces). There are no defaults and no commands in it.
    ///
    /// In production: the program is started with `--port=$PORT`, literally.
    ///
    /// ```ini
    /// [Service]
    /// ExecStart=/opt/acme/current/server --port=${PORT}
    /// ```
    ///
    /// See systemd.service(5), "Command lines".
    "exec-dollar" Error(Start) Service dollar(view, found) {
        for (command, entry) in view.unit.every_command() {
            if command.shell_script().is_some() || command.prefix.contains(':') {
                continue;
            }
            for word in &command.arguments {
                let text = &word.text;
                let inside = text.match_indices('$').any(|(at, _)| {
                    let name =
                        text[at + 1..].starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
                    at > 0 && name && !text[..at].ends_with('$')
                });
                let extended = text.match_indices("${").any(|(at, _)| {
                    let inner = text[at + 2..].split('}').next().unwrap_or_default();
                    !inner.is_empty()
                        && !inner.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
                });
                if extended {
                    found.at(
                        entry,
                        format!(
                            "`{text}`: systemd knows ${{VAR}} and nothing more inside the braces"
                        ),
                    );
                } else if inside {
                    found.at(
                        entry,
                        format!("`{text}`: $VAR inside a word stays as it is; write ${{VAR}}"),
                    );
                }
            }
        }
    }

    /// The program is a variable
    ///
    /// The first word of a command may not be a variable; systemd looks for a file of that name.
    ///
    /// In production: the unit does not start: `203/EXEC`, or it is refused when loaded.
    ///
    /// ```ini
    /// [Service]
    /// ExecStart=/opt/acme/current/server
    /// ```
    ///
    /// See systemd.service(5), "Command lines".
    "exec-variable" Error(Start) Service variable(view, found) {
        for entry in view.unit.all("Service", command::KEYS) {
            let first = quoting::split(entry.value)
                .ok()
                .and_then(|words| words.into_iter().next());
            if let Some(word) = first.filter(|word| {
                word.text
                    .trim_start_matches(['-', '@', ':', '+', '!'])
                    .starts_with('$')
            }) {
                found.at(
                    entry,
                    format!("`{}`: the program may not be a variable", word.text),
                );
            }
        }
    }

    /// A command line that systemd refuses
    ///
    /// The program must be an absolute path or a bare name, quotes must be closed.
    ///
    /// In production: the whole unit is refused: `bad-setting`, it cannot be started.
    ///
    /// ```ini
    /// [Service]
    /// ExecStart=/opt/acme/current/bin/server
    /// ```
    ///
    /// See systemd.service(5), "Command lines".
    "exec-refused" Error(Start) Service refused(view, found) {
        for entry in view.unit.all("Service", command::KEYS) {
            let variable = entry
                .value
                .trim_start_matches(['-', '@', ':', '+', '!'])
                .starts_with('$');
            let message = match command::parse(entry.value) {
                Err(Refused::Unbalanced) => "a quote is never closed: systemd refuses the unit",
                Err(Refused::NoProgram) => "no program behind the prefix: systemd refuses the unit",
                Err(Refused::NotAbsolute) if !variable => {
                    "the program is a relative path: systemd refuses the unit; it does not look from WorkingDirectory="
                }
                _ => continue,
            };
            found.at(entry, format!("{}={}: {message}", entry.key, entry.value));
        }
    }

    /// A program without its path
    ///
    /// A bare name is looked for in a fixed list of directories, never in the PATH of a login shell, and not where nvm,
    /// rbenv or a virtualenv put it.
    ///
    /// In production: another version of node than you tested with, or `203/EXEC`.
    ///
    /// ```ini
    /// [Service]
    /// ExecStart=/usr/bin/node /opt/acme/current/server.js
    /// ```
    ///
    /// See systemd.service(5), "Command lines"; `systemd-path search-binaries-default`.
    "exec-bare-name" Info Service bare_name(view, found) {
        for (command, entry) in view.unit.commands("ExecStart") {
            if !command.program.contains(['/', '%', '$']) {
                found.at(
                    entry,
                    format!(
                        "{} without its path: systemd looks only in its own fixed directories",
                        command.program
                    ),
                );
            }
        }
    }
}
