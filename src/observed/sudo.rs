//! What sudo lets the deploy user do: one line of the app's rule that was really run, and the entries of sudoers in their
//! order, where the last one that matches a line decides (sudoers(5)). Which lines are needed is the plan's.

use super::lines;
use crate::text::shown;

/// A sudo that takes longer (seconds) makes every switch slow.
const SLOW: u64 = 5;

/// What `print_sudo` printed.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Sudo {
    /// The exit status of the line that was tried, and the seconds it took.
    tried: Option<(i32, u64)>,
    /// What that line printed: the app's rule, or why not.
    output: Vec<String>,
    /// The entries that apply to this user; empty where sudo does not list them (requiretty).
    entries: Vec<Entry>,
}

/// One entry of sudoers: these commands, as this user, with these options.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
struct Entry {
    /// Its file; empty before sudo 1.9.14.
    file: String,
    users: String,
    options: String,
    commands: Vec<String>,
}

/// Why a line cannot be run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// No entry allows it.
    Missing,
    /// This entry has the last word, and wants a password or forbids the line.
    LastWord { entry: String, file: String },
    /// sudo itself reports why it ran nothing.
    Sudo(String),
}

impl Sudo {
    pub(super) fn take(&mut self, word: &str, rest: &str) {
        let last = |entries: &mut Vec<Entry>, take: &dyn Fn(&mut Entry)| entries.last_mut().map_or((), take);
        match word {
            "tried" => {
                let (code, seconds) = lines::split(rest);
                self.tried = code.parse().ok().zip(seconds.parse().ok());
            }
            "output" => self.output.push(rest.into()),
            "entry" => self.entries.push(Entry {
                file: rest.trim().into(),
                ..Entry::default()
            }),
            "as" => last(&mut self.entries, &|entry| entry.users = rest.into()),
            "options" => last(&mut self.entries, &|entry| entry.options = rest.into()),
            "command" => last(&mut self.entries, &|entry| entry.commands.push(rest.into())),
            _ => {}
        }
    }

    /// The seconds that one line takes, where that is long.
    pub fn slow(&self) -> Option<u64> {
        self.tried
            .map(|(_, seconds)| seconds)
            .filter(|seconds| *seconds >= SLOW)
    }

    /// Whether sudo ran the line that was tried; its program may have failed.
    fn works(&self) -> bool {
        let program = self.output.last().is_some_and(|line| line.contains("cat: "));
        self.tried.is_some_and(|(code, _)| code == 0 || program)
    }

    /// The app's rule, as the line that was tried printed it.
    pub fn rule(&self) -> Option<String> {
        // sudo's own warnings, such as about the host's name, come first.
        let printed = self.output.iter().skip_while(|line| line.starts_with("sudo: "));
        let lines: Vec<&str> = printed.map(String::as_str).collect();
        matches!(self.tried, Some((0, _))).then(|| lines.join("\n"))
    }

    /// Whether sudo lets this user run a shell as root, by the entries that it lists; `None` where it lists none, because
    /// it wants a password first, or does not know the user.
    pub fn runs_a_shell(&self) -> Option<bool> {
        let shell = self.deciding("/bin/sh -c text");
        let runs = shell.is_some_and(|(_, command)| !command.starts_with('!'));
        (!self.entries.is_empty()).then_some(runs)
    }

    /// Which of these lines cannot be run now, without a password and without a terminal. `harmless` was tried.
    pub fn refused<'a>(&self, lines: &'a [String], harmless: &str) -> Vec<(&'a str, Refusal)> {
        // An entry without `authenticate` follows the defaults of this host, which the tried line has shown.
        let plain = self.works()
            && self
                .deciding(harmless)
                .is_some_and(|(entry, _)| entry.option("authenticate").is_none());
        let said = self
            .output
            .last()
            .map(|line| shown(line.as_bytes()))
            .unwrap_or_default();
        let rule = rule_lines(&self.output);
        // A rule of an earlier version has no harmless line: that it was refused says nothing about the others.
        let untried = !self.entries.is_empty() && self.deciding(harmless).is_none();
        let refusal = |line: &str| {
            if self.entries.is_empty() {
                return match self.works() {
                    true => (!rule.iter().any(|known| known == line)).then_some(Refusal::Missing),
                    false => Some(Refusal::Sudo(said.clone())),
                };
            }
            let Some((entry, command)) = self.deciding(line) else {
                return (line != harmless).then_some(Refusal::Missing);
            };
            let asks = entry.option("authenticate").unwrap_or(!plain);
            if command.starts_with('!') || asks {
                return Some(Refusal::LastWord {
                    entry: format!("({}) {}", shown(entry.users.as_bytes()), shown(command.as_bytes())),
                    file: shown(entry.file.as_bytes()),
                });
            }
            // By the list it can be run: then what sudo reported counts.
            (!self.works() && !untried).then(|| Refusal::Sudo(said.clone()))
        };
        lines
            .iter()
            .filter_map(|line| Some((line.as_str(), refusal(line)?)))
            .collect()
    }

    /// The arguments with which the rule allows this program, where it names any: the last ones.
    pub fn arguments(&self, program: &str) -> Option<String> {
        let entries = self.entries.iter().filter(|entry| entry.is_for_root());
        let listed = entries.flat_map(|entry| entry.commands.iter().cloned());
        let known: Vec<String> = listed.chain(rule_lines(&self.output)).collect();
        let mut found = known.iter().map(|line| lines::split(line));
        let (_, arguments) = found.rfind(|(path, arguments)| *path == program && !arguments.is_empty())?;
        Some(shown(arguments.as_bytes()))
    }

    /// The last entry, and the last of its commands, that match a line.
    fn deciding(&self, line: &str) -> Option<(&Entry, &str)> {
        let entries = self.entries.iter().rev().filter(|entry| entry.is_for_root());
        let mut pairs = entries.flat_map(|entry| {
            entry
                .commands
                .iter()
                .rev()
                .map(move |command| (entry, command.as_str()))
        });
        pairs.find(|(_, command)| matches(command.trim_start_matches('!'), line))
    }
}

impl Entry {
    fn is_for_root(&self) -> bool {
        let users = || self.users.split(',').map(str::trim);
        self.users.is_empty()
            || (users().any(|user| ["root", "ALL", "#0"].contains(&user)) && users().all(|user| user != "!root"))
    }

    /// Whether an option is set, or set to no.
    fn option(&self, name: &str) -> Option<bool> {
        let named = self
            .options
            .split(',')
            .map(str::trim)
            .rfind(|option| option.trim_start_matches('!') == name)?;
        Some(!named.starts_with('!'))
    }
}

/// Whether a command of sudoers means this line: a path, and then no arguments (any), `""` (none) or exactly these;
/// either may have wildcards.
fn matches(command: &str, line: &str) -> bool {
    // `sha256:DIGEST PATH` means the path.
    let command = match command.split_once(' ') {
        Some((digest, rest)) if digest.starts_with("sha") && digest.contains(':') => rest,
        _ => command,
    };
    let (path, arguments) = lines::split(command);
    let (program, words) = lines::split(line);
    let path_matches = match path.strip_suffix('/') {
        Some(directory) => program.rsplit_once('/').is_some_and(|(of, _)| of == directory),
        None => path == "ALL" || glob(path.as_bytes(), program.as_bytes()),
    };
    path_matches
        && match arguments {
            "" => true,
            "\"\"" => words.is_empty(),
            pattern => glob(pattern.as_bytes(), words.as_bytes()),
        }
}

/// fnmatch(3) as far as sudoers use it: `*`, `?`, `[…]` as any one byte, and a backslash before what means itself.
/// Without recursion, going back to the last `*` only: the pattern comes from the host.
fn glob(mut pattern: &[u8], mut text: &[u8]) -> bool {
    let mut star: Option<(&[u8], &[u8])> = None;
    loop {
        if let [b'*', rest @ ..] = pattern {
            (pattern, star) = (rest, Some((rest, text)));
            continue;
        }
        let step = match (pattern, text) {
            ([], []) => return true,
            ([b'?', rest @ ..], [_, after @ ..]) => Some((rest, after)),
            ([b'[', set @ ..], [_, after @ ..]) => {
                let end = set.iter().position(|byte| *byte == b']');
                end.map(|end| (&set[end + 1..], after))
            }
            ([b'\\', wanted, rest @ ..], [found, after @ ..]) | ([wanted, rest @ ..], [found, after @ ..]) => {
                (wanted == found).then_some((rest, after))
            }
            _ => None,
        };
        match (step, star) {
            (Some(next), _) => (pattern, text) = next,
            (None, Some((rest, [_, after @ ..]))) => (pattern, text, star) = (rest, after, Some((rest, after))),
            _ => return false,
        }
    }
}

/// The command lines in a rule as `setup` writes it.
pub fn rule_lines(rule: &[String]) -> Vec<String> {
    let text = rule.join("\n").replace("\\\n", " ");
    let aliases = text.lines().filter(|line| line.starts_with("Cmnd_Alias "));
    let commands = aliases
        .filter_map(|line| line.split_once(" = "))
        .flat_map(|(_, commands)| commands.split(", "));
    commands.map(|command| command.trim().replace('\\', "")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const CAT: &str = "/usr/bin/cat /etc/sudoers.d/shipit-acme";
    const RESTART: &str = "/usr/bin/systemctl --no-block restart acme.service";
    const RULE: &str = "entry  /etc/sudoers.d/shipit-acme\nas root\noptions noexec, !authenticate\n\
        command /usr/bin/systemctl --no-block restart acme.service\ncommand /usr/bin/cat /etc/sudoers.d/shipit-acme\n";

    fn refused(facts: &str) -> Vec<Refusal> {
        let mut sudo = Sudo::default();
        for line in facts.lines() {
            let (word, rest) = lines::split(line);
            sudo.take(word, rest);
        }
        let needed = [CAT.to_owned(), RESTART.to_owned()];
        sudo.refused(&needed, CAT)
            .into_iter()
            .map(|(_, refusal)| refusal)
            .collect()
    }

    fn last_word(entry: &str, file: &str) -> Refusal {
        let (entry, file) = (entry.into(), file.into());
        Refusal::LastWord { entry, file }
    }

    #[test]
    fn the_last_entry_that_matches_decides() {
        let works = "tried 0 0\n";
        assert_eq!(refused(&format!("{works}{RULE}")), []);
        for (later, entry) in [
            ("as ALL\ncommand ALL", "(ALL) ALL"),
            ("as root\ncommand /usr/bin/systemctl", "(root) /usr/bin/systemctl"),
            (
                "as root\ncommand /usr/bin/systemctl * restart *",
                "(root) /usr/bin/systemctl * restart *",
            ),
            ("as root\noptions authenticate\ncommand /usr/bin/", "(root) /usr/bin/"),
            (
                "as root\noptions !authenticate\ncommand !/usr/bin/systemctl",
                "(root) !/usr/bin/systemctl",
            ),
        ] {
            let tried = if later.ends_with("ALL") { "tried 1 0\n" } else { works };
            let found = refused(&format!("{tried}{RULE}entry  /etc/sudoers.d/zz\n{later}\n"));
            assert_eq!(found.last(), Some(&last_word(entry, "/etc/sudoers.d/zz")), "{later}");
        }
        for harmless in [
            "as postgres\ncommand ALL",
            "as root\ncommand /usr/bin/systemctl restart nginx.service",
            "as root\ncommand /usr/sbin/",
            "as ALL\noptions !authenticate\ncommand ALL",
        ] {
            assert_eq!(
                refused(&format!("{works}{RULE}entry  /etc/sudoers.d/zz\n{harmless}\n")),
                [],
                "{harmless}"
            );
        }
    }

    #[test]
    fn a_user_whose_entries_are_listed_runs_a_shell_as_root_or_does_not() {
        let runs = |facts: &str| {
            let mut sudo = Sudo::default();
            for line in facts.lines() {
                let (word, rest) = lines::split(line);
                sudo.take(word, rest);
            }
            sudo.runs_a_shell()
        };
        assert_eq!(runs(RULE), Some(false));
        assert_eq!(
            runs(&format!(
                "{RULE}entry
as ALL
options !authenticate
command ALL
"
            )),
            Some(true)
        );
        assert_eq!(
            runs(
                "entry
as postgres
command ALL
"
            ),
            Some(false)
        );
        assert_eq!(
            runs(
                "tried 1 0
output sudo: a password is required
"
            ),
            None
        );
    }

    #[test]
    fn what_was_tried_counts_more_than_what_is_listed() {
        let tty = "sudo: sorry, you must have a tty to run sudo";
        let refusal = Refusal::Sudo(tty.into());
        assert_eq!(
            refused(&format!("tried 1 0\noutput {tty}\n{RULE}")),
            [refusal.clone(), refusal]
        );
        // Under requiretty nothing is listed, and the rule's own lines run.
        let rule = "output Cmnd_Alias SHIPIT_ACME = /usr/bin/cat /etc/sudoers.d/shipit-acme, \\\noutput     /usr/bin/systemctl --no-block restart acme.service\n";
        assert_eq!(refused(&format!("tried 0 0\n{rule}")), []);
        assert_eq!(
            refused(&format!("tried 0 0\n{}", rule.replace("acme.service", "old.service"))),
            [Refusal::Missing]
        );
        // Everything is allowed by the host's own defaults, and the rule's file is gone.
        let gone = "tried 1 0\noutput /usr/bin/cat: /etc/sudoers.d/shipit-acme: No such file or directory\n";
        assert_eq!(refused(&format!("{gone}entry\nas ALL\ncommand ALL\n")), []);
        assert_eq!(
            refused("tried 1 0\noutput sudo: a password is required\nentry\nas root\ncommand /bin/x\n"),
            [Refusal::Missing]
        );
        // A rule of an earlier version has no line to try; its other lines are as good as before.
        let old = RULE.replace("command /usr/bin/cat /etc/sudoers.d/shipit-acme\n", "");
        assert!(old != RULE);
        assert_eq!(
            refused(&format!("tried 1 0\noutput sudo: a password is required\n{old}")),
            []
        );
    }
}
