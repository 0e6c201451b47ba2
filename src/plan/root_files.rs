//! The files that `setup` writes as root: one table for what is written and what is shown, and how each compares with
//! what the host has. Never here: how they are written (`setup_install.sh`), and what the guard's texts are. Pure.

use sha2::{Digest, Sha256};

use super::guard::Guard;
use crate::config::Config;
use crate::observed::{Answers, Observed};
use crate::remote::{ENV_HELPER, JOURNAL_HELPER, NOTIFY_HELPER, RUN_HELPER};
use crate::text::shown;
use crate::unit::rules::FileFact;

/// In the order in which `setup.sh` reads them: its name there, its path with `APP`, and what it is for.
const FILES: [(&str, &str, &str); 10] = [
    (
        "path",
        "/etc/systemd/system/shipit-APP.path",
        "starts the conductor when a switch is requested",
    ),
    (
        "service",
        "/etc/systemd/system/shipit-APP.service",
        "the conductor: carries out a switch or undoes it, as the deploy user",
    ),
    (
        "boot",
        "/etc/systemd/system/shipit-APP-boot.service",
        "at boot: reverts a switch that a power failure interrupted",
    ),
    (
        "notify-path",
        "/etc/systemd/system/shipit-APP.notify.path",
        "notices that a switch ended",
    ),
    (
        "notify-service",
        "/etc/systemd/system/shipit-APP.notify.service",
        "starts the app's notify unit, as the deploy user: no switch waits for it",
    ),
    (
        "env",
        "/usr/local/lib/shipit/APP/env",
        "for `shipit env`: changes the app's root-owned environment file",
    ),
    (
        "journal",
        "/usr/local/lib/shipit/APP/journal",
        "for `shipit logs`: reads the journal of the app's units",
    ),
    (
        "run",
        "/usr/local/lib/shipit/APP/run",
        "for `shipit run`: whoever can deploy can run any command as the user of a service, in its sandbox (`run_as: deploy` turns this off)",
    ),
    (
        "notify",
        "/usr/local/lib/shipit/APP/notify",
        "for `notify`: starts the app's notify unit when a switch ends",
    ),
    (RULE, "/etc/sudoers.d/shipit-APP", ""),
];
/// The name of the sudo rule.
pub const RULE: &str = "rule";

/// One of them. What is not to be there has an empty text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RootFile<'a> {
    pub name: &'static str,
    pub path: String,
    pub what: &'static str,
    pub text: &'a str,
}

/// How a path of the host compares with what `setup` leaves there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OnHost {
    InPlace,
    Missing,
    /// Something else is there: in words that follow the path and "which".
    Differs(String),
    /// This login cannot read it.
    Unknown,
}

/// Every path, whether or not its file is wanted. Who can change one of them, or a directory above it, is root.
pub fn paths(config: &Config) -> Vec<String> {
    FILES
        .map(|(_, path, _)| path.replace("APP", config.app.as_str()))
        .into()
}

/// What `setup` leaves at every path.
pub fn root_files<'a>(config: &Config, guard: &'a Guard) -> Vec<RootFile<'a>> {
    let notify = guard.notify.as_ref();
    // Without a sudo rule nobody would be let run the helpers; root itself notifies by one.
    let lent = |is: bool, text: &'static str| if is { text.trim_end() } else { "" };
    let has_rule = !guard.sudo_rule.is_empty();
    let texts = [
        guard.path_unit.as_str(),
        &guard.service_unit,
        &guard.boot_unit,
        notify.map_or("", |notify| &notify.path_unit),
        notify.map_or("", |notify| &notify.service_unit),
        lent(has_rule, ENV_HELPER),
        lent(has_rule, JOURNAL_HELPER),
        lent(guard.lends_units, RUN_HELPER),
        lent(notify.is_some(), NOTIFY_HELPER),
        &guard.sudo_rule,
    ];
    let files = FILES.into_iter().zip(paths(config)).zip(texts);
    files
        .map(|(((name, _, what), path), text)| RootFile { name, path, what, text })
        .collect()
}

impl RootFile<'_> {
    fn mode(&self) -> u32 {
        match self.name {
            RULE => 0o440,
            "env" | "journal" | "run" | "notify" => 0o755,
            _ => 0o644,
        }
    }

    pub fn on_host(&self, observed: &Observed, answers: &Answers) -> OnHost {
        let content = answers.contents.get(&self.path).cloned();
        let link = content.as_deref() == Some("symlink");
        let Some(fact) = answers.file(&self.path) else {
            return OnHost::Unknown;
        };
        match (fact.exists || link, self.text.is_empty()) {
            (false, true) => return OnHost::InPlace,
            (false, false) => return OnHost::Missing,
            (true, true) => return OnHost::Differs("is not needed".into()),
            (true, false) if link => return OnHost::Differs("is a symlink".into()),
            (true, false) => {}
        }
        if let Some(other) = not_roots(&fact, self.mode()) {
            return OnHost::Differs(other);
        }
        // The rule is root's alone to read; but the one line that sudo was tried with prints it.
        let rule = || observed.sudo.as_ref().filter(|_| self.name == RULE)?.rule();
        match content.or_else(|| Some(digest(&rule()?))) {
            Some(found) if found == digest(self.text) => OnHost::InPlace,
            Some(_) => OnHost::Differs("has a different text".into()),
            None => OnHost::Unknown,
        }
    }
}

/// Why a path is not root's with this mode, if it is not: in words after "which".
pub fn not_roots(fact: &FileFact, mode: u32) -> Option<String> {
    let is = |mode: u32, owner: &str, group: &str| format!("{owner}:{group} {mode:04o}");
    let (there, wanted) = (is(fact.mode, &fact.owner, &fact.group), is(mode, "root", "root"));
    (there != wanted).then(|| format!("is {}: it becomes {wanted}", shown(there.as_bytes())))
}

/// The sha256 of a text in hex, as `facts.sh` prints it.
pub fn digest(text: &str) -> String {
    let digest = Sha256::digest(format!("{text}\n").as_bytes());
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::observed::Question;

    const PATH: &str = "/etc/sudoers.d/shipit-acme";

    /// How the rule `a\n  b` compares, by what `facts.sh` and `observe.sh` print.
    fn rule(fact: &str, content: &str, observed: &str) -> OnHost {
        let asked = [Question::File(PATH.into()), Question::Content(PATH.into())];
        let answers = Answers::parse(&asked, format!("0 {fact}\n1 {content}\n").as_bytes());
        let file = RootFile {
            name: RULE,
            path: PATH.into(),
            what: "",
            text: "a\n  b",
        };
        file.on_host(&Observed::parse(observed.as_bytes()), &answers)
    }

    #[test]
    fn a_rule_that_only_root_reads_is_known_by_what_sudo_printed_or_not_at_all() {
        let own = "there root root 440 regular file";
        let printed = "sudo_tried 0 0\nsudo_output sudo: unable to resolve host h\nsudo_output a\nsudo_output   b\n";
        assert_eq!(rule(own, "unreadable", printed), OnHost::InPlace);
        assert_eq!(rule(own, &format!("{}  -", digest("a\n  b")), ""), OnHost::InPlace);
        let older = OnHost::Differs("has a different text".into());
        assert_eq!(rule(own, "unreadable", "sudo_tried 0 0\nsudo_output a\n"), older);
        assert_eq!(rule(own, &format!("{}  -", digest("a")), ""), older);
        for refused in ["", "sudo_tried 1 0\nsudo_output a\nsudo_output   b\n"] {
            assert_eq!(rule(own, "unreadable", refused), OnHost::Unknown);
        }
        // Its owner and mode count too; a directory that nobody may enter hides them.
        assert_eq!(rule("unreadable", "unreadable", printed), OnHost::Unknown);
        assert_eq!(rule("absent", "unreadable", ""), OnHost::Missing);
        let open = OnHost::Differs("is deploy:root 0440: it becomes root:root 0440".into());
        assert_eq!(rule("there deploy root 440 regular file", "unreadable", printed), open);
        assert_eq!(rule("absent", "symlink", ""), OnHost::Differs("is a symlink".into()));
    }
}
