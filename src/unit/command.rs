//! Command lines of `ExecStart=` and similar keys: prefixes, program, arguments, several commands in one value. systemd
//! splits them, no shell. Source: systemd.service(5), "Command lines"; the order of steps is that of systemd 252.

use super::quoting::{self, Unbalanced, Word};

/// The keys of `[Service]` whose values are command lines, in the order in which systemd runs them.
pub const KEYS: [&str; 7] = [
    "ExecCondition",
    "ExecStartPre",
    "ExecStart",
    "ExecStartPost",
    "ExecReload",
    "ExecStop",
    "ExecStopPost",
];

/// Shells: `-c` is followed by a script.
const SHELLS: [&str; 9] = ["sh", "bash", "dash", "ash", "zsh", "ksh", "mksh", "fish", "busybox"];

/// Programs that pass the text after `-c` to a shell.
const TO_SHELL: [&str; 6] = ["su", "runuser", "flock", "script", "sg", "newgrp"];

/// Programs that pass all their arguments to a shell.
const REMOTE: [&str; 6] = ["ssh", "autossh", "watch", "parallel", "mosh", "sshpass"];

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Command {
    /// The prefix characters as written, of `-@:+!`.
    pub prefix: String,
    /// The program without its prefix: escapes resolved, specifiers not expanded.
    pub program: String,
    /// `argv[0]`, when `@` sets it.
    pub zeroth: Option<String>,
    /// The arguments after `argv[0]`.
    pub arguments: Vec<Word>,
}

impl Command {
    /// Whether a failure counts as success (`-`).
    pub fn ignores_failure(&self) -> bool {
        self.prefix.contains('-')
    }
    /// Whether it runs with full privileges, or without changing the user (`+`, `!`).
    pub fn is_privileged(&self) -> bool {
        self.prefix.contains(['+', '!'])
    }
    /// Whether the program seems to be a whole command line in quotes: `"/srv/x/run --flag"`.
    pub fn swallows_arguments(&self) -> bool {
        let mut parts = self.program.split_whitespace().skip(1);
        parts.any(|part| part.starts_with(['-', '/']))
    }
    /// The last component of the program: `node` of `/usr/bin/node`.
    pub fn name(&self) -> &str {
        self.program.rsplit('/').next().unwrap_or(&self.program)
    }
    pub fn words(&self) -> impl DoubleEndedIterator<Item = &str> {
        self.arguments.iter().map(|word| word.text.as_str())
    }
    /// The value of an option: `--name value` or `--name=value`; for one-letter options also `-nvalue`.
    pub fn option(&self, names: &[&str]) -> Option<&str> {
        let mut words = self.words();
        while let Some(word) = words.next() {
            for name in names {
                if word == *name {
                    return words.next();
                }
                let rest = word.strip_prefix(name);
                if let Some(value) = rest.and_then(|rest| rest.strip_prefix('=')) {
                    return Some(value);
                }
                if let Some(value) = rest.filter(|_| name.len() == 2 && !name.starts_with("--")) {
                    return Some(value);
                }
            }
        }
        None
    }
    /// Whether one of these words is among the arguments.
    pub fn has(&self, words: &[&str]) -> bool {
        self.words().any(|word| words.contains(&word))
    }
    /// The script given to a shell by `-c`, when this is `sh -c …`.
    pub fn shell_script(&self) -> Option<&str> {
        if !SHELLS.contains(&self.name()) {
            return None;
        }
        let mut words = self.words();
        words.find(|word| word.starts_with('-') && !word.starts_with("--") && word.contains('c'))?;
        words.find(|word| !word.starts_with('-'))
    }
    /// The arguments that no shell reads: those before the script of a shell, also of one behind `env`, `flock`, `ssh`.
    pub fn beyond_shells(&self) -> &[Word] {
        let word = |at: usize| match at.checked_sub(1) {
            None => self.program.as_str(),
            Some(before) => self.arguments[before].text.as_str(),
        };
        let count = self.arguments.len();
        let starts_shell = |at: &usize| {
            let name = word(*at).rsplit('/').next().unwrap_or_default();
            let reads = |option: &str| {
                let short = option.starts_with('-') && !option.starts_with("--") && option.contains('c');
                SHELLS.contains(&name) && short
                    || TO_SHELL.contains(&name) && (short || option.starts_with("--command"))
            };
            REMOTE.contains(&name) || (at + 1..=count).any(|after| reads(word(after)))
        };
        let end = (0..=count).find(starts_shell).unwrap_or(count);
        &self.arguments[..end]
    }
}

/// Why systemd refuses a command line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refused {
    Unbalanced,
    /// A prefix with no program behind it.
    NoProgram,
    /// The program contains a `/` but does not start with one, or it ends with one.
    NotAbsolute,
    /// `@` without the word that becomes `argv[0]`.
    NoName,
    /// The program contains a quote, a backslash or a control character.
    SpecialCharacter,
}

impl From<Unbalanced> for Refused {
    fn from(_: Unbalanced) -> Self {
        Refused::Unbalanced
    }
}

/// The length of the prefix of a first word.
fn prefix(word: &str) -> usize {
    let mut taken = 0;
    let mut privilege = ""; // "+", "!" or "!!", which exclude each other
    for c in word.chars() {
        let so_far = &word[..taken];
        match c {
            '-' | '@' | ':' if !so_far.contains(c) => {}
            '+' if privilege.is_empty() => privilege = "+",
            '!' if privilege.is_empty() => privilege = "!",
            '!' if privilege == "!" => privilege = "!!",
            _ => break,
        }
        taken += 1;
    }
    taken
}

/// Removes a lone `;`, or `\;`, from the front; systemd does this before it unquotes.
fn lone<'a>(rest: &'a str, mark: &str) -> Option<&'a str> {
    let after = rest.strip_prefix(mark)?;
    let gap = |c| matches!(c, ' ' | '\t' | '\n' | '\r');
    (after.is_empty() || after.starts_with(gap)).then(|| after.trim_start_matches(gap))
}

/// All commands of one value; an empty value has none (and resets the list, which `merge` knows).
/// Fails with [`Refused`]: systemd ignores the assignment, and most often refuses the unit.
pub fn parse(value: &str) -> Result<Vec<Command>, Refused> {
    let mut rest = value;
    let mut commands = Vec::new();
    while let Some(word) = quoting::first(&mut rest)? {
        if word.text == ";" {
            continue; // a separator that separates nothing
        }
        let taken = prefix(&word.text);
        let program = word.text[taken..].to_owned();
        if program.is_empty() {
            return Err(Refused::NoProgram);
        }
        if program.contains(|c: char| c.is_control() || matches!(c, '"' | '\'' | '\\')) {
            return Err(Refused::SpecialCharacter);
        }
        let known = !program.starts_with(['%', '/']); // a specifier may stand for an absolute path
        if known && program.contains('/') || program.ends_with('/') {
            return Err(Refused::NotAbsolute);
        }
        let mut command = Command {
            prefix: word.text[..taken].to_owned(),
            program,
            zeroth: None,
            arguments: Vec::new(),
        };
        while !rest.is_empty() {
            if let Some(after) = lone(rest, ";") {
                rest = after;
                break;
            }
            if let Some(after) = lone(rest, "\\;") {
                rest = after;
                command.arguments.push(Word {
                    text: ";".into(),
                    raw: "\\;".into(),
                });
                continue;
            }
            let Some(word) = quoting::first(&mut rest)? else {
                break;
            };
            command.arguments.push(word);
        }
        if command.prefix.contains('@') {
            if command.arguments.is_empty() {
                return Err(Refused::NoName);
            }
            command.zeroth = Some(command.arguments.remove(0).text);
        }
        commands.push(command);
    }
    Ok(commands)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn one_value_can_contain_several_commands() {
        let all = parse(r#"-/bin/echo / >/dev/null & \; ls ";" ; +/bin/ls 'a b' ;"#).unwrap();
        assert_eq!(all.len(), 2);
        assert_eq!(
            all[0].words().collect::<Vec<_>>(),
            ["/", ">/dev/null", "&", ";", "ls", ";"]
        );
        assert!(all[0].ignores_failure() && all[1].is_privileged());
        assert_eq!(all[1].words().collect::<Vec<_>>(), ["a b"]);
    }

    #[test]
    fn prefixes_are_removed_and_relative_paths_are_refused() {
        assert_eq!(parse("@-!!/bin/sh arg0 x").unwrap()[0].prefix, "@-!!");
        assert_eq!(parse("@/bin/sh arg0 x").unwrap()[0].words().collect::<Vec<_>>(), ["x"]);
        assert_eq!(parse("./run"), Err(Refused::NotAbsolute));
        assert_eq!(parse("-"), Err(Refused::NoProgram));
        assert_eq!(parse(r#"'/a/b "c"' d"#), Err(Refused::SpecialCharacter));
        assert!(parse("'/srv/x/run --flag'").unwrap()[0].swallows_arguments());
        assert!(parse("'/usr/bin/node /srv/x.js' -v").unwrap()[0].swallows_arguments());
        assert!(!parse("'/opt/My App/run' --flag").unwrap()[0].swallows_arguments());
        assert_eq!(parse("%h/run").unwrap()[0].program, "%h/run");
    }

    #[test]
    fn the_words_that_a_shell_reads_are_known_behind_other_programs_too() {
        let beyond = |value: &str| parse(value).unwrap()[0].beyond_shells().len();
        assert_eq!(beyond("/bin/rm -f /x/*"), 2);
        assert_eq!(beyond("/bin/sh /x/script /y/*"), 2);
        assert_eq!(beyond("/bin/sh -ec 'rm /x/*'"), 0);
        assert_eq!(beyond("/usr/bin/env -i A=b bash -c 'rm /x/*'"), 3);
        assert_eq!(beyond("/usr/bin/flock -n /run/l -c 'rm /x/*'"), 0);
        assert_eq!(beyond("/usr/bin/nice -n 5 ssh h rm /x/*"), 3);
        assert_eq!(beyond("/usr/bin/env"), 0);
    }

    #[test]
    fn options_are_found_in_all_their_spellings() {
        let command = &parse("/usr/bin/gunicorn --bind=1 -w4 -t 30 app:x").unwrap()[0];
        assert_eq!(command.option(&["-b", "--bind"]), Some("1"));
        assert_eq!(command.option(&["-w"]), Some("4"));
        assert_eq!(command.option(&["-t", "--timeout"]), Some("30"));
        assert_eq!(parse("/bin/sh -ec 'a | b'").unwrap()[0].shell_script(), Some("a | b"));
    }
}
