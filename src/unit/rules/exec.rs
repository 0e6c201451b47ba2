//! Command lines: systemd reads them, not a shell. What the programs do is `program` and `command_line`.

use super::shell_dollar::{dropped, is_variable};
use super::{Severity, rules};
use crate::unit::command::{self, Command, Refused};
use crate::unit::quoting::{self, Word};
use crate::unit::specifier;

/// A word that means something to a shell and nothing to systemd.
fn shell_only(raw: &str) -> bool {
    const WHOLE: [&str; 6] = ["|", "||", "&&", "&", "|&", "!"];
    let redirect = raw.trim_start_matches(|c: char| c.is_ascii_digit() || c == '&');
    // `<something>` is a placeholder, not a redirection.
    let closed = raw.ends_with('>') && raw.starts_with('<') && raw.len() > 2;
    WHOLE.contains(&raw)
        || redirect.starts_with(['>', '<']) && !closed
        || raw.starts_with("$(")
        || raw.starts_with('`')
        || raw.len() > 1 && raw.ends_with(';') && !raw.ends_with("\\;")
}

/// Whether a word is a path with a `*` that its author expects to be expanded. A quoted one is meant as it is written.
fn is_glob(raw: &str) -> bool {
    raw.starts_with(['/', '~']) && raw.contains("/*") && !raw.contains(['"', '\'', '\\'])
}

/// Whether an option takes a pattern, which the program itself compares or expands: `-path`, `-cp`, `--exclude`.
fn takes_pattern(option: &str) -> bool {
    const PARTS: [&str; 21] = [
        "path", "name", "regex", "glob", "pattern", "match", "exclude", "include", "except", "accept", "reject",
        "ignore", "filter", "allow", "deny", "skip", "route", "url", "lib", "watch", "class",
    ];
    let name = option.trim_start_matches('-');
    option.starts_with('-') && !option.contains('=') && (name == "cp" || PARTS.iter().any(|part| name.contains(part)))
}

/// Whether a text formats a date: `+%F`, `%Y-%m-%d`, `%H%M`.
fn is_date(text: &str) -> bool {
    let plain = text.replace("%%", "");
    let letter = |rest: &str| {
        rest.strip_prefix('%')
            .is_some_and(|rest| rest.starts_with(|c| "YymdHMSFTjsI".contains(c)))
    };
    // `%S/%m` is a path.
    let between: &[char] = if plain.contains("%Y") {
        &['-', '_', ':', '.', 'T', '/']
    } else {
        &['-', '_', ':', '.', 'T']
    };
    let pair = |(at, _): (usize, &str)| {
        let rest = &plain[at..];
        let next = rest.get(2..).unwrap_or_default().trim_start_matches(between);
        letter(rest) && letter(next)
    };
    let date = plain.split_once("+%").is_some_and(|(before, rest)| {
        (before.is_empty() || before.ends_with([' ', '"', '\''])) && letter(&format!("%{rest}"))
    });
    let never_both = plain.contains("%Y") || plain.contains("%M") || plain.contains("%d") || plain.contains("%S");
    date || never_both && plain.match_indices('%').any(pair)
}

rules! {
    /// Shell syntax in a command line that no shell reads
    ///
    /// systemd starts the program itself. It passes pipes, `&&`, redirections, `$(…)`, `~` and `*` to the program as
    /// plain arguments.
    ///
    /// In production: `server > /var/log/x` starts the server with two extra arguments. Most programs refuse them; some
    /// ignore them, and no log is written.
    ///
    /// ```ini
    /// [Service]
    /// ExecStart=/opt/acme/current/server
    /// StandardOutput=journal
    /// # or, if a shell is really needed:
    /// ExecStart=/bin/sh -c 'exec /opt/acme/current/server | /usr/bin/tee /run/acme/log'
    /// ```
    ///
    /// See systemd.service(5), "Command lines".
    "exec-shell-syntax" Error(Start) Service shell_syntax(view, found) {
        for (command, entry) in view.unit.every_command() {
            let mine = command.beyond_shells();
            if let Some(word) = mine.iter().find(|word| shell_only(&word.raw)) {
                found.at(
                    entry,
                    format!(
                        "`{}` is shell syntax, but no shell reads {}=: {} receives it as an argument",
                        word.raw,
                        entry.key,
                        command.name()
                    ),
                );
            }
            if mine.iter().any(|word| word.raw.contains("\\ ") && !word.raw.contains(['"', '\''])) {
                let message = format!("{}=: systemd keeps the backslash before a space: quote the word instead", entry.key);
                found.at(entry, message).severity(Severity::Warning);
            }
            let place = |(at, word): &(usize, &Word)| {
                word.raw.starts_with("~/") || is_glob(&word.raw) && !at.checked_sub(1).is_some_and(|at| takes_pattern(&mine[at].text))
            };
            if let Some((_, word)) = mine.iter().enumerate().find(place) {
                let message = format!("`{}` is not expanded: only a shell expands ~ and *", word.raw);
                found.at(entry, message).severity(Severity::Warning);
            }
        }
    }

    /// $VAR inside a word and ${VAR:-x} are not expanded
    ///
    /// systemd replaces `${VAR}` anywhere, but `$VAR` only where it is a word of its own, which is then split at
    /// spaces. In a word that begins with `$`, all of it is the name of the variable: `$HOME/data` is dropped. Defaults
    /// and commands are not supported.
    ///
    /// In production: the program receives the literal argument `--port=$PORT`, and for `--data $HOME/data` only
    /// `--data` (measured).
    ///
    /// ```ini
    /// [Service]
    /// ExecStart=/opt/acme/current/server --port=${PORT}
    /// ```
    ///
    /// See systemd.service(5), "Command lines".
    "exec-dollar" Error(Start) Service dollar(view, found) {
        for (command, entry) in view.unit.every_command() {
            if command.prefix.contains(':') {
                continue;
            }
            for word in command.beyond_shells() {
                let text = &word.text;
                let inside = text.match_indices('$').any(|(at, _)| {
                    let name =
                        text[at + 1..].starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
                    at > 0 && name && !text[..at].ends_with('$')
                });
                // In single quotes, several words are the script of another language: jq, awk, Perl.
                let is_script = word.raw.starts_with('\'') && text.contains(' ');
                let extended = text.match_indices("${").any(|(at, _)| {
                    let inner = text[at + 2..].split('}').next().unwrap_or_default();
                    // `$$` is a literal dollar.
                    !text[..at].ends_with('$')
                        && !inner.is_empty()
                        && !inner.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
                });
                if let Some(name) = dropped(text).filter(|name| is_variable(name)) {
                    let rest = &text[1 + name.len()..];
                    let message = format!("`{text}`: systemd reads all of it as a variable's name and drops it; write ${{{name}}}{rest}");
                    found.at(entry, message);
                } else if extended {
                    found.at(
                        entry,
                        format!(
                            "`{text}`: systemd supports only a variable name between the braces"
                        ),
                    );
                } else if inside && !is_script {
                    found.at(
                        entry,
                        format!("`{text}`: $VAR inside a word is not expanded; write ${{VAR}}"),
                    );
                }
            }
        }
    }

    /// An unescaped % in a command, for example in a date format
    ///
    /// systemd replaces `%m`, `%H`, `%d` and others before it starts the program: with the machine's id, its name, a
    /// directory. `%%` stands for one percent sign. For a letter with no meaning, such as `%z`, systemd refuses the unit.
    /// A shell in the command reads the line only after that.
    ///
    /// In production: `date +%Y-%m-%d` names a backup after the machine's id, and each backup replaces the one before.
    ///
    /// ```ini
    /// [Service]
    /// ExecStart=/bin/sh -c 'exec /usr/bin/pg_dump acme -f "/backup/$(date +%%F).sql"'
    /// ```
    ///
    /// See systemd.unit(5), "Specifiers".
    "exec-percent" Error Service percent(view, found) {
        for (command, entry) in view.unit.every_command() {
            if let Some(word) = command.arguments.iter().find(|word| is_date(&word.text)) {
                let message = "systemd replaces the % of the date format before the program starts; write %%";
                let word: String = word.text.split_whitespace().find(|part| is_date(part)).unwrap_or("%").into();
                found.at(entry, format!("{}=: `{word}`: {message}", entry.key));
            } else if let Some(letter) = specifier::unknown(entry.value) {
                let message = "is not a specifier: systemd refuses the unit; write %%";
                found.at(entry, format!("{}=: %{letter} {message}", entry.key));
            }
        }
    }

    /// A shell builtin as the program
    ///
    /// `cd`, `source`, `export`, `ulimit` and others are commands that only a shell has: no file of that name exists. Only
    /// a shell sets variables in front of a program: `NODE_ENV=production node server.js`.
    ///
    /// In production: the unit does not start (`203/EXEC`), or systemd refuses it.
    ///
    /// ```ini
    /// [Service]
    /// WorkingDirectory=/opt/acme/current
    /// LimitNOFILE=65536
    /// ExecStart=/opt/acme/current/server
    /// ```
    ///
    /// See systemd.service(5), "Command lines".
    "exec-builtin" Error(Start) Service builtin(view, found) {
        for (command, entry) in view.unit.every_command() {
            if let Some((name, _)) = command.program.split_once('=').filter(|(name, _)| is_variable(name)) {
                let message = format!("{name}=… before the program is shell syntax: use Environment=, or /usr/bin/env");
                found.at(entry, message);
                continue;
            }
            let instead = match command.program.as_str() {
                "cd" | "pushd" => "use WorkingDirectory=",
                "source" | "." | "export" | "set" | "unset" => "use Environment= or EnvironmentFile=",
                "ulimit" => "use LimitNOFILE= and similar keys",
                "umask" => "use UMask=",
                "exec" | "eval" | "alias" | "trap" | "wait" | "shopt" | "if" | "for" | "while" | "[[" => {
                    "write the program itself, or /bin/sh -c"
                }
                _ => continue,
            };
            found.at(entry, format!("{} is a command of the shell, not a program: {instead}", command.program));
        }
    }

    /// The program is a variable
    ///
    /// The first word of a command must not be a variable: systemd looks for a file with that literal name.
    ///
    /// In production: the unit does not start (`203/EXEC`), or systemd refuses to load it.
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
                    format!("`{}`: the program must not be a variable", word.text),
                );
            }
        }
    }

    /// A command line that systemd refuses
    ///
    /// The program must be an absolute path or a bare name, and quotes must be closed. Quotes around a whole command line
    /// make it one word: the name of a program.
    ///
    /// In production: systemd refuses the whole unit (`bad-setting`), so it cannot be started.
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
                Err(Refused::Unbalanced) => "a quote is not closed: systemd refuses the unit",
                Ok(commands) if commands.is_empty() && !entry.value.is_empty() => "it has no program",
                Err(Refused::NoName) => "`@` needs another word, the name that the program gets: systemd refuses the unit",
                Err(Refused::SpecialCharacter) => {
                    "the program's name contains a quote, a backslash or a control character: systemd refuses the unit"
                }
                Ok(commands) if commands.iter().any(Command::swallows_arguments) => {
                    "the quotes make the arguments a part of the program's name, and no such file exists"
                }
                Err(Refused::NoProgram) => "no program after the prefix: systemd refuses the unit",
                Err(Refused::NotAbsolute) if !variable => {
                    "the program is a relative path: systemd refuses the unit, and ignores WorkingDirectory= here"
                }
                _ => continue,
            };
            found.at(entry, format!("{}={}: {message}", entry.key, entry.value));
        }
    }

    /// A program without a path
    ///
    /// systemd looks up a bare name in a fixed list of directories. It ignores the PATH of a login shell and the
    /// directories of nvm, rbenv or a virtualenv.
    ///
    /// In production: the service runs a different version of node from the one you tested, or fails with `203/EXEC`.
    ///
    /// ```ini
    /// [Service]
    /// ExecStart=/usr/bin/node /opt/acme/current/server.js
    /// ```
    ///
    /// See systemd.service(5), "Command lines"; `systemd-path search-binaries-default`.
    "exec-bare-name" Info Service bare_name(view, found) {
        for (command, entry) in view.unit.commands("ExecStart") {
            if !command.program.contains(['/', '%', '$', '=']) {
                found.at(
                    entry,
                    format!(
                        "{} without a path: systemd searches only a fixed list of directories",
                        command.program
                    ),
                );
            }
        }
    }
}
