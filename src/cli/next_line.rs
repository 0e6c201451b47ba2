//! Lines to type next, as they work when they are typed: with the options that led to this host and this
//! environment, with the command line itself where it is to be said again, and with their remarks in one column.
//! What the lines are is decided elsewhere.

use std::ffi::OsString;

use super::args::Global;
use crate::failure::{Exit, Failure};
use crate::report::event::{Event, Report};

/// What was typed, as far as the next line has to say it again.
#[derive(Clone, Debug, Default)]
pub(super) struct Typed {
    /// `-e staging -i ci`, or empty: without them the next line would mean another host, or not reach this one.
    reach: String,
    /// Every word after `shipit`, quoted for a shell.
    words: Vec<String>,
}

impl Typed {
    pub(super) fn of(global: &Global) -> Self {
        let mut reach = Vec::new();
        let mut option = |name: &str, value: Option<OsString>| {
            if let Some(value) = value {
                reach.push(format!("{name} {}", quoted(&value)));
            }
        };
        let file = |path: &Option<std::path::PathBuf>| path.clone().map(Into::into);
        option("-c", file(&global.config));
        option("-e", global.environment.clone().map(Into::into));
        option("-i", file(&global.identity));
        option("--known-hosts", file(&global.known_hosts));
        option("-F", file(&global.ssh_config));
        if global.system_ssh {
            reach.push("--system-ssh".into());
        }
        Self {
            reach: reach.join(" "),
            words: global.words.iter().map(|word| quoted(word)).collect(),
        }
    }

    /// One line: each `shipit` in it leads where this one led. `shipit …` is this command line, `shipit … --yes` is it
    /// with `--yes`.
    pub(super) fn line(&self, line: &str) -> String {
        let (command, remark) = parts(line);
        let command = self.command(command);
        match remark {
            Some(remark) => format!("{command}    {remark}"),
            None => command,
        }
    }

    /// Several lines, their remarks below each other.
    pub(super) fn lines(&self, lines: &[String]) -> Vec<String> {
        /// A column further right would tear the remarks off their lines on a narrow terminal.
        const WIDEST: usize = 56;
        let both: Vec<(String, Option<&str>)> = lines
            .iter()
            .map(|line| {
                let (command, remark) = parts(line);
                (self.command(command), remark)
            })
            .collect();
        let widths = both.iter().filter(|(_, remark)| remark.is_some());
        let widths = widths.map(|(command, _)| command.chars().count());
        let column = widths.filter(|width| *width <= WIDEST).max().unwrap_or(0);
        both.into_iter()
            .map(|(command, remark)| match remark {
                Some(remark) => format!("{command:<column$}    {remark}"),
                None => command,
            })
            .collect()
    }

    /// With its lines as they work here. Who is told of none types the same once more; not so what was wrong as it was
    /// typed or written, which stays wrong.
    pub(super) fn failure(&self, failure: &Failure) -> Failure {
        let next = if failure.next.is_empty() && failure.exit != Exit::Usage {
            self.lines(&["shipit …    # again".into()])
        } else {
            self.lines(&failure.next)
        };
        Failure {
            next,
            ..failure.clone()
        }
    }

    fn command(&self, command: &str) -> String {
        if let Some(option) = command.strip_prefix("shipit …") {
            let mut words = self.words.clone();
            let end = words.iter().position(|word| word == "--");
            let option = option.split_whitespace().map(str::to_owned);
            let at = end.unwrap_or(words.len());
            words.splice(at..at, option);
            return format!("shipit {}", words.join(" "));
        }
        let mut out = String::new();
        for part in command.split_inclusive(&[';', '&'][..]) {
            let said = part.trim_end_matches(&[';', '&', ' '][..]);
            out.push_str(said);
            // These two need no host and read no deploy.yml.
            let alone = ["shipit unit explain", "shipit init"];
            let said_alone = alone.iter().any(|one| said.trim_start().starts_with(one));
            let leads = said.trim_start().starts_with("shipit ") && !said_alone;
            if leads && !self.reach.is_empty() {
                out.push(' ');
                out.push_str(&self.reach);
            }
            out.push_str(&part[said.len()..]);
        }
        out
    }
}

/// A line's command, and its remark from `#` on.
fn parts(line: &str) -> (&str, Option<&str>) {
    match line.split_once(" # ") {
        Some((command, _)) => (command.trim_end(), Some(line[command.len()..].trim_start())),
        None => (line, None),
    }
}

/// A word as sh(1) takes it for itself.
fn quoted(word: &std::ffi::OsStr) -> String {
    let word = word.to_string_lossy();
    let plain = |c: char| c.is_ascii_alphanumeric() || "_./:@%+=,-".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        word.into_owned()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}

/// Tells what another report tells, with lines that work when they are typed.
pub(super) struct Retold {
    typed: Typed,
    to: Box<dyn Report>,
}

impl Retold {
    pub(super) fn new(global: &Global, to: Box<dyn Report>) -> Self {
        let typed = Typed::of(global);
        Self { typed, to }
    }
}

impl Report for Retold {
    fn event(&mut self, event: &Event) {
        let Event::Ended(ended) = event else {
            return self.to.event(event);
        };
        let mut ended = ended.clone();
        ended.next = self.typed.lines(&ended.next);
        ended.failure = ended.failure.map(|failure| self.typed.failure(&failure));
        self.to.event(&Event::Ended(ended));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::args::Args;
    use clap::Parser;

    fn typed(words: &[&str]) -> Typed {
        let mut args = Args::try_parse_from(words).expect("a command line");
        args.global.words = words[1..].iter().map(Into::into).collect();
        Typed::of(&args.global)
    }

    #[test]
    fn the_next_line_leads_where_this_one_led() {
        let typed = typed(&["shipit", "deploy", "-e", "staging", "-i", "my key"]);
        for (line, said) in [
            (
                "shipit rollback    # goes back",
                "shipit rollback -e staging -i 'my key'    # goes back",
            ),
            (
                "ssh a@b rm /opt/x/current; shipit deploy",
                "ssh a@b rm /opt/x/current; shipit deploy -e staging -i 'my key'",
            ),
            (
                "git checkout 1f -- u && shipit unit install",
                "git checkout 1f -- u && shipit unit install -e staging -i 'my key'",
            ),
            (
                "shipit unit explain drift-load",
                "shipit unit explain drift-load",
            ),
            ("ask whoever revoked it", "ask whoever revoked it"),
        ] {
            assert_eq!(typed.line(line), said);
        }
    }

    #[test]
    fn the_same_command_is_said_again_with_what_it_lacked() {
        let setup = typed(&["shipit", "setup", "--as", "root@h"]);
        assert_eq!(
            setup.lines(&[
                "shipit … --print # look at it".into(),
                "shipit … --yes      # do it".into(),
                "shipit status".into(),
            ]),
            [
                "shipit setup --as root@h --print    # look at it",
                "shipit setup --as root@h --yes      # do it",
                "shipit status",
            ]
        );
        let run = typed(&["shipit", "run", "--", "echo", "it's"]);
        assert_eq!(
            run.line("shipit … --accept-new"),
            r"shipit run --accept-new -- echo 'it'\''s'"
        );
    }

    #[test]
    fn a_failure_that_names_no_line_to_type_gets_the_same_command_again() {
        let typed = typed(&["shipit", "deploy", "-e", "staging"]);
        let wrong = Failure::new(Exit::Usage, "`port` is a number");
        assert!(typed.failure(&wrong).next.is_empty());
        let bare = Failure::new(Exit::Untouched, "`build` failed");
        assert_eq!(
            typed.failure(&bare).next,
            ["shipit deploy -e staging    # again"]
        );
        let told = bare.next("shipit logs");
        assert_eq!(typed.failure(&told).next, ["shipit logs -e staging"]);
    }
}
