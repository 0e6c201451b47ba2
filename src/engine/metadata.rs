//! What is recorded beside a release: who sent it, from which revision, made ready in which way. Reaches no host.

use std::process;

use sha2::{Digest as _, Sha256};

use crate::config::Config;
use crate::observed::Meta;
use crate::source::Scanned;
use crate::step::{self, Commit};

pub(super) fn link_args(config: &Config, id: &str) -> Vec<String> {
    let mut args = vec![config.root.as_str().to_owned(), id.to_owned()];
    for dir in &config.shared.dirs {
        args.extend(["dir".into(), dir.as_str().into()]);
    }
    for file in &config.shared.files {
        args.extend([
            if file.optional { "optional" } else { "file" }.into(),
            file.path.as_str().into(),
        ]);
    }
    args
}

/// The commit that is checked out where deploy.yml is; `None` without git, or before the first commit.
pub(super) fn commit(config: &Config) -> Option<Commit> {
    let git = |args: &[&str]| {
        let mut git = process::Command::new("git");
        let out = git.arg("-C").arg(&config.dir).args(args).output().ok()?;
        // A line of `git status` may begin with a space.
        let text = String::from_utf8_lossy(&out.stdout).trim_end().to_owned();
        out.status.success().then_some(text)
    };
    let last = git(&["log", "-1", "--no-show-signature", "--encoding=UTF-8", "--format=%H %s"])?;
    let (revision, subject) = last.split_once(' ').unwrap_or((&last, ""));
    let author = git(&["log", "-1", "--no-show-signature", "--encoding=UTF-8", "--format=%an"]);
    let branch = git(&["rev-parse", "--abbrev-ref", "HEAD"]);
    let status = git(&["status", "--porcelain", "-z"]);
    Some(Commit {
        revision: revision.to_owned(),
        subject: subject.chars().take(Commit::SUBJECT).collect(),
        author: author.unwrap_or_default(),
        // HEAD: of no branch.
        branch: branch.filter(|branch| branch != "HEAD").unwrap_or_default(),
        dirty: status.as_ref().is_none_or(|status| !status.is_empty()),
        changed: status.as_deref().map(changed).unwrap_or_default(),
    })
}

/// The files in the output of `git status --porcelain -z`: `XY NAME`, and a field with the old name after one that was
/// renamed (git-status(1)).
fn changed(status: &str) -> Vec<String> {
    let mut fields = status.split('\0');
    let mut files = Vec::new();
    while let Some(field) = fields.next() {
        let Some((state, name)) = field.get(..2).zip(field.get(3..)) else {
            continue;
        };
        files.push(name.to_owned());
        if state.contains(['R', 'C']) {
            fields.next();
        }
    }
    files
}

/// What is written down beside the release: who, from where, of which commit.
pub(super) fn info(config: &Config, commit: Option<&Commit>) -> String {
    let mut facts = vec![
        ("by", who()),
        ("version", env!("CARGO_PKG_VERSION").to_owned()),
        ("recipe", recipe_of(config)),
    ];
    // What the release was made for: a rollback tells when the host has other units by then.
    let units = super::units::repository(config).unwrap_or_default();
    if !units.is_empty() {
        facts.push(("units", crate::plan::unit_files::fingerprints(&units)));
    }
    facts.extend(commit.into_iter().flat_map(Commit::facts));
    facts
        .iter()
        .map(|(key, value)| format!("{key}={}", step::encoded(value.as_bytes())))
        .collect::<Vec<_>>()
        .join("\n")
}

/// True when a release on the host is what would be sent now: the same files, made ready in the same way.
pub fn same(config: &Config, meta: &Meta, scanned: &Scanned) -> bool {
    let recipe = meta.info.get("recipe").map(String::as_str);
    meta.digest == scanned.digest.to_string() && recipe == Some(&recipe_of(config))
}

/// What makes a release ready beyond its files, as one number: `prepare` and the shared paths.
fn recipe_of(config: &Config) -> String {
    let mut hash = Sha256::new();
    hash.update(config.prepare.as_ref().map_or("", |prepare| &prepare.run));
    for word in link_args(config, "") {
        hash.update([0]);
        hash.update(word);
    }
    hash.finalize().iter().take(8).map(|b| format!("{b:02x}")).collect()
}

/// As the machine knows the user, where no variable does.
fn login_name() -> Option<String> {
    let ran = process::Command::new("id").arg("-un").output().ok()?;
    let name = String::from_utf8(ran.stdout).ok()?.trim().to_owned();
    (ran.status.success() && !name.is_empty()).then_some(name)
}

/// Who types, and where: for the ledger and for whoever finds the host held.
pub fn who() -> String {
    let user = ["SHIPIT_BY", "GITHUB_ACTOR", "GITLAB_USER_LOGIN", "USER", "LOGNAME"]
        .iter()
        .find_map(|k| std::env::var(k).ok().filter(|name| !name.is_empty()))
        .or_else(login_name);
    let node = rustix::system::uname().nodename().to_string_lossy().into_owned();
    format!("{}@{node}", user.unwrap_or_else(|| "unknown".into()))
}

#[cfg(test)]
mod tests {
    use super::changed;

    #[test]
    fn files_are_named_as_git_prints_them() {
        let status = " M app.js\0R  new name\0old\0?? a b/\0MM ü.txt\0";
        assert_eq!(changed(status), ["app.js", "new name", "a b/", "ü.txt"]);
        assert_eq!(changed("").len() + changed("é").len() + changed("?\0??\0").len(), 0);
    }
}
