//! The help of `shipit` itself: every command under the heading of what a user wants. And the tip below a command line
//! that cannot be read, where clap has no better one. What a command does is said beside its definition.

use std::ffi::OsString;

use clap::Command;
use clap::builder::StyledStr;
use clap::error::{ContextKind, ContextValue, ErrorKind};

use crate::config::nearest;
use crate::report::layout;

/// Every command, once.
const GROUPS: [(&str, &[&str]); 7] = [
    ("First deploy", &["init", "up", "setup", "doctor"]),
    (
        "Every day",
        &[
            "plan", "deploy", "rollback", "restart", "stop", "start", "reload", "run", "ssh",
        ],
    ),
    ("Look", &["status", "logs", "releases", "history", "report"]),
    ("A switch in progress", &["attach", "promote", "abort"]),
    ("Units", &["unit"]),
    ("Settings", &["env", "config"]),
    ("Other", &["prune", "completions", "man", "help"]),
];

const HEADING: &str = "\x1b[1;4m";
const BOLD: &str = "\x1b[1m";
const PLAIN: &str = "\x1b[0m";

/// The command with its help in groups, on a screen of so many columns.
pub(in crate::cli) fn grouped(command: Command, columns: Option<usize>) -> Command {
    let groups = groups(&command, columns);
    command
        .help_template(StyledStr::from(format!(
            "{{before-help}}{{about-with-newline}}\n{{usage-heading}} {{usage}}\n{groups}\n\
             {HEADING}Options for every command:{PLAIN}\n{{options}}{{after-help}}"
        )))
        .after_help("Help for one command: shipit help COMMAND. Every key of deploy.yml: shipit config example")
}

fn groups(command: &Command, columns: Option<usize>) -> String {
    let names = GROUPS.iter().flat_map(|(_, names)| *names);
    let width = names.map(|name| name.len()).max().unwrap_or(0);
    let mut out = String::new();
    for (heading, names) in GROUPS {
        out.push_str(&format!("\n{HEADING}{heading}:{PLAIN}\n"));
        for name in names {
            let about = match command.find_subcommand(name).and_then(Command::get_about) {
                Some(about) => about.to_string(),
                // clap adds it later.
                None => "Print this message or the help of a command".to_owned(),
            };
            let line = format!("  {BOLD}{name}{PLAIN}{:1$}  {about}", "", width - name.len());
            let line = columns.map_or(line.clone(), |columns| layout::wrapped(&line, columns, width + 4));
            out.push_str(&line);
            out.push('\n');
        }
    }
    out
}

/// The same error, with what was probably meant.
pub(super) fn with_tip(mut error: clap::Error, words: &[OsString]) -> clap::Error {
    if let Some(tip) = tip(&error, words) {
        error.remove(ContextKind::SuggestedSubcommand);
        error.insert(
            ContextKind::Suggested,
            ContextValue::StyledStrs(vec![StyledStr::from(tip)]),
        );
    }
    error
}

fn tip(error: &clap::Error, words: &[OsString]) -> Option<String> {
    let said = |kind| match error.get(kind) {
        Some(ContextValue::String(word)) => Some(word.as_str()),
        _ => None,
    };
    let words: Vec<&str> = words.iter().map(|word| word.to_str()).collect::<Option<_>>()?;
    match error.kind() {
        ErrorKind::InvalidSubcommand => {
            let wrong = said(ContextKind::InvalidSubcommand)?;
            if wrong == "deploy.yml" {
                return Some("shipit config example prints every key of deploy.yml".into());
            }
            if words.contains(&"env") && ["get", "show", "print", "cat", "read"].contains(&wrong) {
                return Some("values are never shown; shipit env list prints the names".into());
            }
            if wrong == "version" {
                return Some("shipit --version prints the version".into());
            }
            let command = <super::Args as clap::CommandFactory>::command();
            let mut all = command.get_subcommands();
            if let Some(above) = all.find(|above| above.find_subcommand(wrong).is_some()) {
                return Some(format!("there is a command shipit {} {wrong}", above.get_name()));
            }
            // clap has a tip for a command, and none for what `help` is asked about.
            words
                .iter()
                .find(|word| !word.starts_with('-'))
                .filter(|word| **word == "help")?;
            let names = command.get_subcommands().map(Command::get_name);
            nearest(wrong, names).map(|name| format!("a similar subcommand exists: '{name}'"))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn every_command_is_in_one_group() {
        let command = super::super::Args::command();
        let mut all: Vec<&str> = command.get_subcommands().map(Command::get_name).collect();
        all.push("help");
        let mut grouped: Vec<&str> = GROUPS.iter().flat_map(|(_, names)| names.iter().copied()).collect();
        all.sort_unstable();
        grouped.sort_unstable();
        assert_eq!(grouped, all);
    }

    #[test]
    fn a_command_line_that_cannot_be_read_has_a_tip() {
        for (words, tip) in [
            (&["lint"][..], "there is a command shipit unit lint"),
            (&["help", "deploy.yml"], "shipit config example prints every key"),
            (&["deplyo"], "'deploy'"),
            (&["help", "deplyo"], "a similar subcommand exists: 'deploy'"),
            (&["help", "nothing"], "unrecognized subcommand 'nothing'"),
            (
                &["env", "get", "A"],
                "values are never shown; shipit env list prints the names",
            ),
            (&["version"], "shipit --version prints the version"),
        ] {
            let typed: Vec<OsString> = words.iter().map(Into::into).collect();
            let error = super::super::parse(&typed).map_or_else(|error| error.to_string(), |_| String::new());
            assert!(
                error.contains(&format!("tip: {tip}")) || error.contains(tip),
                "{words:?}: {error}"
            );
        }
    }

    #[test]
    fn the_help_of_a_command_has_its_own_options_and_leads_to_the_others() {
        let help = |words: &[&str]| {
            let words: Vec<_> = words.iter().map(Into::into).collect();
            super::super::parse(&words).map_or_else(|help| help.to_string(), |_| String::new())
        };
        let deploy = help(&["deploy", "--help"]);
        assert!(
            deploy.contains("--wait") && !deploy.contains("--known-hosts"),
            "{deploy}"
        );
        assert!(deploy.contains(": shipit --help") && help(&["--help"]).contains("--known-hosts"));
    }
}
