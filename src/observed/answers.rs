//! What `facts.sh` printed, by the question it answers. An answer that did not come, or says `unreadable`, is noted as
//! such and never taken for absence.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::questions::{self, Question};
use crate::unit::rules::{Calendar, FileFact, Named, Way};

/// The answers to a list of questions.
#[derive(Clone, Debug, Default)]
pub struct Answers {
    /// Shared by the facts of all units.
    pub named: Arc<Named>,
    /// The groups that each user is in.
    pub memberships: BTreeMap<String, Vec<String>>,
    /// What `verify` printed, by unit.
    pub verify: BTreeMap<String, Vec<String>>,
    pub exposure: BTreeMap<String, f32>,
    /// The signals that are handled, by unit.
    pub signals: BTreeMap<String, u64>,
    /// Inodes of the sockets that are held, by unit.
    pub sockets: BTreeMap<String, BTreeSet<u64>>,
    /// How many processes, by unit.
    pub tasks: BTreeMap<String, u32>,
    /// Whether a file that it runs speaks of `sd_notify`, by unit.
    pub reports: BTreeMap<String, bool>,
    /// A script that it runs and whose first line ends with a carriage return, by unit.
    pub windows_scripts: BTreeMap<String, String>,
    /// A script that it runs and the missing program that its first line names, by unit.
    pub missing_interpreters: BTreeMap<String, (String, String)>,
    /// Files that it runs and that are on a file system mounted with `noexec`, by unit.
    pub not_executable: BTreeMap<String, BTreeSet<String>>,
    /// `Storage=` of journald, if it is set.
    pub storage: String,
    /// Free and total KiB, by path.
    pub space: BTreeMap<String, (u64, u64)>,
    /// The apps whose sudo rule names a unit, by unit; empty for all but root.
    pub claimed: BTreeMap<String, Vec<String>>,
    /// The sha256 of a file's text in hex, or `symlink`, by path.
    pub contents: BTreeMap<String, String>,
    /// Users that have authorized keys; of others it is not known.
    pub with_keys: BTreeSet<String>,
    /// Free inodes, by path.
    pub inodes: BTreeMap<String, u64>,
    /// What could not be read, in words.
    pub unreadable: Vec<String>,
    files: BTreeMap<String, FileFact>,
    ways: BTreeMap<String, Way>,
}

impl Answers {
    /// Takes in what the script printed in answer to these questions, in this order.
    #[must_use]
    pub fn parse(questions: &[Question], out: &[u8]) -> Self {
        let mut answers = Self::default();
        let mut lines: BTreeMap<usize, Vec<String>> = BTreeMap::new();
        for (number, rest) in super::lines::lines(out) {
            if let Ok(number) = number.parse() {
                lines.entry(number).or_default().push(rest);
            }
        }
        for (number, question) in questions.iter().enumerate() {
            let said = lines.remove(&number).unwrap_or_default();
            if answers.take(question, &said).is_none() {
                answers.unreadable.push(question.subject());
            }
        }
        answers
    }

    pub fn extend(&mut self, more: Self) {
        let (named, others) = (Arc::make_mut(&mut self.named), Arc::unwrap_or_clone(more.named));
        named.users.extend(others.users);
        named.groups.extend(others.groups);
        named.calendars.extend(others.calendars);
        self.memberships.extend(more.memberships);
        self.verify.extend(more.verify);
        self.exposure.extend(more.exposure);
        self.signals.extend(more.signals);
        self.sockets.extend(more.sockets);
        self.tasks.extend(more.tasks);
        for (unit, reports) in more.reports {
            *self.reports.entry(unit).or_default() |= reports;
        }
        self.windows_scripts.extend(more.windows_scripts);
        self.missing_interpreters.extend(more.missing_interpreters);
        for (unit, paths) in more.not_executable {
            self.not_executable.entry(unit).or_default().extend(paths);
        }
        if !more.storage.is_empty() {
            self.storage = more.storage;
        }
        self.space.extend(more.space);
        self.claimed.extend(more.claimed);
        self.contents.extend(more.contents);
        self.with_keys.extend(more.with_keys);
        self.inodes.extend(more.inodes);
        self.unreadable.extend(more.unreadable);
        self.files.extend(more.files);
        self.ways.extend(more.ways);
    }

    /// `None`: it could not be read.
    fn take(&mut self, question: &Question, said: &[String]) -> Option<()> {
        let first = said.first().map_or("unreadable", String::as_str);
        let named = Arc::make_mut(&mut self.named);
        match question {
            Question::File(path) => _ = self.files.insert(path.clone(), file(first)?),
            // Not known: the question about the file itself reports that.
            Question::Way(path) => self.ways.extend(way(first).map(|way| (path.clone(), way))),
            Question::User(name) => _ = named.users.insert(name.clone(), yes(first)?),
            Question::Group(name) => _ = named.groups.insert(name.clone(), yes(first)?),
            Question::Groups(name) => {
                let words = first.split(' ').map(str::to_owned).collect();
                // A user who is not there is in no group: that it is missing is another question's answer.
                if first != "unreadable" {
                    self.memberships.insert(name.clone(), words);
                }
            }
            Question::Calendar(expression) => {
                let calendar = match first {
                    "elapses" => Calendar::Elapses,
                    "never" => Calendar::Never,
                    "invalid" => Calendar::Invalid,
                    _ => return None,
                };
                named.calendars.insert(expression.clone(), calendar);
            }
            Question::Verify(unit, _) => {
                let (head, rest) = said.split_first()?;
                let lines = rest.iter().filter(|line| !line.is_empty()).cloned();
                (head == "asked").then(|| self.verify.insert(unit.clone(), lines.collect()))?;
            }
            Question::Security(unit) => _ = self.exposure.insert(unit.clone(), first.parse().ok()?),
            Question::Signals(unit, _) => {
                let mask = u64::from_str_radix(first, 16).ok()?;
                self.signals.insert(unit.clone(), mask);
            }
            Question::Holds(unit, _) => {
                let inodes = first.strip_prefix("sockets")?.split_ascii_whitespace();
                let inodes = inodes.map(str::parse).collect::<Result<_, _>>().ok()?;
                self.sockets.insert(unit.clone(), inodes);
            }
            Question::Tasks(unit, _) => _ = self.tasks.insert(unit.clone(), first.parse().ok()?),
            // Not there, or no file: another question's answer.
            Question::Reports(..) if first == "no file" => {}
            Question::Reports(unit, path) => {
                if said.iter().any(|line| line == "crlf") {
                    self.windows_scripts.insert(unit.clone(), path.clone());
                }
                if let Some(program) = said.iter().find_map(|line| line.strip_prefix("interpreter ")) {
                    let script = (path.clone(), program.to_owned());
                    self.missing_interpreters.insert(unit.clone(), script);
                }
                if said.iter().any(|line| line == "noexec") {
                    self.not_executable
                        .entry(unit.clone())
                        .or_default()
                        .insert(path.clone());
                }
                let found = match first {
                    "grep 0" => true,
                    "grep 1" => false,
                    _ => return None,
                };
                *self.reports.entry(unit.clone()).or_default() |= found;
            }
            Question::Storage => self.storage = said.first().cloned().unwrap_or_default(),
            // Nobody but root reads the rules, and nobody but root writes one.
            Question::Claimed(_) if first == "unreadable" => {}
            Question::Claimed(unit) => {
                let apps = first.strip_prefix("claimed")?.split_ascii_whitespace();
                self.claimed.insert(unit.clone(), apps.map(str::to_owned).collect());
            }
            // Not known: `setup`, which compares them, reports that.
            Question::Content(_) | Question::Keys(_) if first == "unreadable" => {}
            Question::Content(path) => {
                let digest = first.split(' ').next().unwrap_or_default();
                self.contents.insert(path.clone(), digest.to_owned());
            }
            Question::Keys(user) => {
                yes(first)?.then(|| self.with_keys.insert(user.clone()));
            }
            Question::Space(_) if first == "absent" => {}
            Question::Space(path) => {
                let (free, total) = first.split_once(' ')?;
                let space = (free.parse().ok()?, total.parse().ok()?);
                self.space.insert(path.clone(), space);
                match said.get(1)?.as_str() {
                    "none" => {}
                    free => _ = self.inodes.insert(path.clone(), free.parse().ok()?),
                }
            }
        }
        Some(())
    }

    /// The fact about a path, with the directories above it as far as they are known.
    pub fn file(&self, path: &str) -> Option<FileFact> {
        let mut fact = self.files.get(path)?.clone();
        let dirs = questions::above(path).filter_map(|dir| self.files.get(dir));
        fact.above = dirs
            .filter(|dir| dir.exists)
            .map(|dir| (dir.owner.clone(), dir.mode))
            .collect();
        fact.way = self.ways.get(path).cloned();
        Some(fact)
    }
}

fn way(said: &str) -> Option<Way> {
    if said == "closed" {
        return Some(Way::Closed);
    }
    let mut words = said.strip_prefix("open ")?.splitn(3, ' ');
    let (owner, mode, place) = (words.next()?, words.next()?, words.next()?);
    Some(Way::Open(match owner {
        "root" => format!("users other than root can change {place} (mode {mode:0>4})"),
        owner => format!("{owner} owns {place}"),
    }))
}

fn yes(word: &str) -> Option<bool> {
    match word {
        "yes" => Some(true),
        "no" => Some(false),
        _ => None,
    }
}

fn file(said: &str) -> Option<FileFact> {
    let mut fact = FileFact::default();
    if said == "absent" {
        return Some(fact);
    }
    let mut words = said.strip_prefix("there ")?.splitn(4, ' ');
    fact.owner = words.next()?.to_owned();
    fact.group = words.next()?.to_owned();
    fact.mode = u32::from_str_radix(words.next()?, 8).ok()?;
    fact.directory = words.next()? == "directory";
    fact.exists = true;
    Some(fact)
}
