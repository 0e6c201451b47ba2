//! What a user can do next, as a value: which command, with which words, and why. [`Typed`] prints it as it works when
//! it is pasted. What to do is decided where the failure or finding is made, never here.

use std::ffi::OsStr;
use std::fmt;

/// One line to act on: one or more acts, and a remark behind them.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use]
pub struct Next {
    /// Each with what joins it to the one before: `&&`, `;` (nothing for the first).
    acts: Vec<(&'static str, Act)>,
    remark: Option<String>,
    /// Lines for the file that the advice names.
    lines: Vec<String>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Act {
    /// The words after `shipit`; printed with the options that led to this host.
    Shipit(String),
    /// The same for a command that reads no deploy.yml and needs no host.
    Offline(String),
    /// The same command line again, with these options more.
    Again(String),
    /// These words for a program of OpenSSH; printed with the options that led to this host.
    Ssh(Program, String),
    /// A command line for a shell, here or on the host.
    Shell(String),
    /// Anything else: a sentence, or a line for a file.
    Advice(String),
}

/// A program of OpenSSH. What it gets of the options that led to this host differs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Program {
    Ssh,
    /// To a jump host: shipit itself goes there with the configuration alone.
    SshToJump,
    Scp,
    SshCopyId,
}

impl Program {
    fn name(self) -> &'static str {
        match self {
            Self::Ssh | Self::SshToJump => "ssh",
            Self::Scp => "scp",
            Self::SshCopyId => "ssh-copy-id",
        }
    }

    fn takes(self, option: &str) -> bool {
        match self {
            Self::Ssh | Self::Scp => true,
            Self::SshToJump => option == "-F",
            // Its -i names the key to copy.
            Self::SshCopyId => option != "-i",
        }
    }
}

impl Next {
    fn new(act: Act) -> Self {
        Self {
            acts: vec![("", act)],
            remark: None,
            lines: Vec::new(),
        }
    }
    /// `shipit` with these words, on the same host.
    pub fn shipit(words: impl Into<String>) -> Self {
        Self::new(Act::Shipit(words.into()))
    }
    /// `shipit` with these words, which need no host and no deploy.yml.
    pub fn offline(words: impl Into<String>) -> Self {
        Self::new(Act::Offline(words.into()))
    }
    /// The same command again, with an option more (in place of the same option, where that was typed), or with none.
    pub fn again(option: impl Into<String>) -> Self {
        Self::new(Act::Again(option.into()))
    }
    /// Whether it is nothing but a command of shipit that begins with these words.
    pub fn is_shipit(&self, words: &str) -> bool {
        matches!(self.acts.as_slice(), [(_, Act::Shipit(text))] if text.starts_with(words))
    }
    /// Whether it is the same command again, as it was typed.
    pub fn is_again(&self) -> bool {
        matches!(self.acts.as_slice(), [(_, Act::Again(option))] if option.is_empty())
    }
    /// `ssh` with these words: the destination, and a command for the host.
    pub fn ssh(words: impl Into<String>) -> Self {
        Self::new(Act::Ssh(Program::Ssh, words.into()))
    }
    /// The same to a jump host.
    pub fn ssh_to_jump(words: impl Into<String>) -> Self {
        Self::new(Act::Ssh(Program::SshToJump, words.into()))
    }
    pub fn scp(words: impl Into<String>) -> Self {
        Self::new(Act::Ssh(Program::Scp, words.into()))
    }
    pub fn ssh_copy_id(words: impl Into<String>) -> Self {
        Self::new(Act::Ssh(Program::SshCopyId, words.into()))
    }
    pub fn shell(line: impl Into<String>) -> Self {
        Self::new(Act::Shell(line.into()))
    }
    pub fn advice(text: impl Into<String>) -> Self {
        Self::new(Act::Advice(text.into()))
    }
    /// Advice, and the lines to write into the file that it names.
    pub fn write(text: impl Into<String>, lines: Vec<String>) -> Self {
        Self {
            lines,
            ..Self::advice(text)
        }
    }
    /// The same without the lines for a file, and these lines.
    pub fn parts(&self) -> (Self, &[String]) {
        let lines = Vec::new();
        (Self { lines, ..self.clone() }, &self.lines)
    }
    /// Adds one word to the command, quoted where a shell would read it as something else.
    pub fn arg(mut self, word: impl AsRef<OsStr>) -> Self {
        if let Some((_, act)) = self.acts.last_mut() {
            let (Act::Shipit(text)
            | Act::Offline(text)
            | Act::Again(text)
            | Act::Ssh(_, text)
            | Act::Shell(text)
            | Act::Advice(text)) = act;
            text.push(' ');
            text.push_str(&quoted(word.as_ref()));
        }
        self
    }
    /// Takes the last words of another line that is the same up to `joint`, such as one more package to install. Whether it
    /// could.
    pub fn joins(&mut self, other: &Self, joint: &str) -> bool {
        let ([(_, Act::Ssh(mine, text))], [(_, Act::Ssh(theirs, more))]) =
            (self.acts.as_mut_slice(), other.acts.as_slice())
        else {
            return false;
        };
        let same = |(head, _): &(&str, &str)| text.strip_prefix(head).is_some_and(|rest| rest.starts_with(joint));
        match more.split_once(joint).filter(same) {
            Some((_, rest)) if mine == theirs && self.remark == other.remark => {
                text.push_str(&format!(" {rest}"));
                true
            }
            _ => false,
        }
    }
    /// Another act behind this one; `joint` is `&&` or `;`.
    pub fn then(mut self, joint: &'static str, other: Next) -> Self {
        let mut acts = other.acts.into_iter();
        self.acts.extend(acts.next().map(|(_, act)| (joint, act)));
        self.acts.extend(acts);
        self.remark = other.remark.or(self.remark);
        self
    }
    /// Why, or when: printed behind the command as a comment.
    pub fn remark(mut self, remark: impl Into<String>) -> Self {
        self.remark = Some(remark.into());
        self
    }
}

impl fmt::Display for Next {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&Typed::default().line(self))
    }
}

/// The command line that was typed, as far as the next one has to repeat it.
#[derive(Clone, Debug, Default)]
pub struct Typed {
    /// `-e staging -i ci`, or empty: without them the next line would mean another host, or not reach this one.
    reach: String,
    /// `-F config`, `-i key`: the same for the ssh program.
    ssh: Vec<(&'static str, String)>,
    /// Every word after `shipit`, quoted for a shell.
    words: Vec<String>,
}

impl Typed {
    /// `reach`: the options that led to this host, each with its value; `ssh`: the same for the ssh program; `words`:
    /// everything that was typed.
    #[must_use]
    pub fn new<'a>(
        reach: &[(&str, Option<&OsStr>)],
        ssh: &[(&'static str, &OsStr)],
        words: impl Iterator<Item = &'a OsStr>,
    ) -> Self {
        let reach = reach.iter().map(|(option, value)| match value {
            Some(value) => format!("{option} {}", quoted(value)),
            None => (*option).to_owned(),
        });
        Self {
            reach: reach.collect::<Vec<_>>().join(" "),
            ssh: ssh.iter().map(|(option, value)| (*option, quoted(value))).collect(),
            words: words.map(quoted).collect(),
        }
    }

    /// One line, as it works when it is pasted.
    pub fn line(&self, next: &Next) -> String {
        self.lines(std::slice::from_ref(next)).concat()
    }

    /// Several lines, their remarks below each other.
    pub fn lines(&self, next: &[Next]) -> Vec<String> {
        /// A column further right would tear the remarks off their lines on a narrow terminal.
        const WIDEST: usize = 56;
        let commands: Vec<String> = next.iter().map(|one| self.command(one)).collect();
        let widths = commands.iter().zip(next).filter(|(_, n)| n.remark.is_some());
        let widths = widths.map(|(command, _)| command.chars().count());
        let column = widths.filter(|width| *width <= WIDEST).max().unwrap_or(0);
        let both = commands.into_iter().zip(next);
        both.map(|(command, next)| match &next.remark {
            Some(remark) => format!("{command:<column$}    # {remark}"),
            None => command,
        })
        .collect()
    }

    fn command(&self, next: &Next) -> String {
        let mut out = String::new();
        for (joint, act) in &next.acts {
            match *joint {
                "" => {}
                ";" => out.push_str("; "),
                joint => out.push_str(&format!(" {joint} ")),
            }
            match act {
                Act::Shipit(words) if self.reach.is_empty() => out.push_str(&format!("shipit {words}")),
                Act::Shipit(words) => match words.split_once(" -- ").filter(|_| words.starts_with("run ")) {
                    // Behind the command they would be its own.
                    Some((run, command)) => out.push_str(&format!("shipit {run} {} -- {command}", self.reach)),
                    None => out.push_str(&format!("shipit {words} {}", self.reach)),
                },
                Act::Offline(words) => out.push_str(&format!("shipit {words}")),
                Act::Again(option) => out.push_str(&self.again(option)),
                Act::Ssh(program, words) => {
                    out.push_str(program.name());
                    let options = self.ssh.iter().filter(|(option, _)| program.takes(option));
                    options.for_each(|(option, value)| out.push_str(&format!(" {option} {value}")));
                    out.push_str(&format!(" {words}"));
                }
                Act::Shell(text) | Act::Advice(text) => out.push_str(text),
            }
        }
        if !next.lines.is_empty() {
            out.push_str(&format!(" {}", next.lines.join("  ")));
        }
        out
    }

    fn again(&self, option: &str) -> String {
        let mut words = vec!["shipit"];
        let (before, after) = self.words.split_at(
            // Behind `--` an option would be another program's.
            self.words
                .iter()
                .position(|word| word == "--")
                .unwrap_or(self.words.len()),
        );
        let (name, value) = option.split_once(' ').unwrap_or((option, ""));
        let long = match name {
            "-c" => "--config",
            "-e" => "--environment",
            name => name,
        };
        let mut before = before.iter().map(String::as_str);
        while let Some(word) = before.next() {
            match word.strip_prefix(long).or_else(|| word.strip_prefix(name)) {
                Some("") if !name.is_empty() => _ = (!value.is_empty()).then(|| before.next()),
                Some(joined) if !name.is_empty() && (joined.starts_with('=') || !word.starts_with("--")) => {}
                _ => words.push(word),
            }
        }
        words.extend(Some(option).filter(|option| !option.is_empty()));
        words.extend(after.iter().map(String::as_str));
        words.join(" ")
    }
}

/// A word as sh(1) takes it for itself.
pub fn quoted(word: &OsStr) -> String {
    let word = word.to_string_lossy();
    let plain = |c: char| c.is_ascii_alphanumeric() || "_./:@%+=,-".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        word.into_owned()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}
