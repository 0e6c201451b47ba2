//! The act that needs the client: upload, verify, link, prepare, publish. Nothing live changes here; a
//! failure leaves the host as it was.

use super::{metadata, session};
use crate::config::Config;
use crate::failure::{Exit, Failure, Next};
use crate::host::{Host, Lost};
use crate::observed::Observed;
use crate::release::{Id, Manifest};
use crate::remote::{Answer, Name, Script, exits};
use crate::report::event::{Phase, Report};
use crate::source::Scanned;
use crate::text;

/// What must stay free on the host beyond the release itself, in KiB: room for journals and a rollback.
const RESERVE_KB: u64 = 64 * 1024;

/// Refuses a release that the host has no room for, before anything is sent.
///
/// # Errors
/// A [`Failure`] that names what is needed and what there is.
pub fn room(manifest: &Manifest, observed: &Observed) -> Result<(), Failure> {
    let need_kb =
        manifest.bytes() / 1024 * 11 / 10 + manifest.inodes() * 4 + RESERVE_KB.min(manifest.bytes() / 1024 + 1024);
    let no_room = |what: &str, need: String, free: String| {
        Failure::new(Exit::Untouched, format!("there is not enough room on the host: {what}"))
            .why(format!("needed {need}, free {free}"))
            .host("nothing was sent, nothing changed; a rollback still works")
            .next(Next::shipit("prune"))
    };
    let Some(free_kb) = observed.free_kb else {
        return Err(no_room(
            "its free space could not be read",
            text::bytes(need_kb * 1024),
            "unknown".into(),
        ));
    };
    if free_kb < need_kb {
        return Err(no_room(
            "disk space",
            text::bytes(need_kb * 1024),
            text::bytes(free_kb * 1024),
        ));
    }
    let need = manifest.inodes() + 64;
    match observed.free_inodes {
        // Some file systems have no fixed number and say 0 of 0; df prints `-` then, which reads as None.
        Some(free) if free < need => Err(no_room("inodes", need.to_string(), free.to_string())),
        _ => Ok(()),
    }
}

/// Why a release could not be staged. Nothing live changed.
#[derive(Debug)]
pub enum Unstaged {
    /// The source changed while it was packed; the host is still there for another try.
    Changed(Failure),
    Failed(Failure),
}

impl From<Failure> for Unstaged {
    fn from(failure: Failure) -> Self {
        Self::Failed(failure)
    }
}

/// Sends a release and publishes it. Returns the id that it got.
///
/// # Errors
/// [`Unstaged`], with a [`Failure`] that names the step or the file that changed.
pub fn stage(
    host: &mut dyn Host,
    config: &Config,
    observed: &Observed,
    scanned: &Scanned,
    report: &mut dyn Report,
) -> Result<String, Unstaged> {
    let root = config.root.as_str();
    shared_meets(config, &scanned.manifest)?;
    let id = Id::now().to_string();
    let digest = scanned.manifest.digest().to_string();
    let hold = Script::hold([root, &id]);
    let mut steps = vec![Script::receive([root, &id]), Script::verify([root, &id, &digest])];
    if !config.shared.dirs.is_empty() || !config.shared.files.is_empty() {
        steps.push(Script::link(metadata::link_args(config, &id)));
    }
    if let Some(line) = &config.prepare {
        steps.push(Script::prepare([root, &id, line, observed.live().unwrap_or("")]));
    }
    steps.push(Script::publish([root, &id, &metadata::info(config)]));
    let mut stream = scanned.pack();
    let total = scanned.manifest.bytes();
    let consumed = stream.consumed();
    let upload = session::Upload {
        stream: &mut stream,
        consumed,
        total,
    };
    let answers = session::watched(host, Phase::Stage, Some(&hold), &steps, upload, report).map_err(|lost| {
        match (stream.failure(), stream.changed()) {
            (Some(failure), Some(_)) => Unstaged::Changed(failure),
            (Some(failure), None) => failure.into(),
            (None, _) => cut(&lost).into(),
        }
    })?;
    let last = answers.last().cloned().unwrap_or_default();
    if last.code != 0 || answers.len() != steps.len() {
        let failed = steps.get(answers.len().saturating_sub(1)).map(|s| s.name);
        return Err(refused(config, failed, &last, &scanned.manifest).into());
    }
    let published = String::from_utf8_lossy(&last.out).trim().to_owned();
    Id::parse(&published).map(|id| id.to_string()).ok_or_else(|| {
        Failure::new(Exit::Untouched, "the host returned an invalid release id")
            .why(text::shown(published.as_bytes()))
            .host("nothing live changed")
            .into()
    })
}

fn cut(lost: &Lost) -> Failure {
    session::lost_while(
        lost,
        "sending the release",
        "nothing live changed; the next deploy removes what was sent",
    )
    .next(Next::shipit("deploy"))
}

/// A shared path that the release brings as well is a mistake that would hide one of the two.
fn shared_meets(config: &Config, manifest: &Manifest) -> Result<(), Failure> {
    for entry in manifest.entries() {
        // A directory is only on the way to something; what is in it has an entry of its own.
        let empty = matches!(entry.kind, crate::release::Kind::Dir);
        if let Some(path) = config.shared.collision(&entry.path).filter(|_| !empty) {
            let path = path.as_str();
            return Err(Failure::new(
                Exit::Untouched,
                format!(
                    "`{path}` is shared, but the release brings `{}`",
                    text::shown(&entry.path)
                ),
            )
            .why("the symlink to shared/ would hide it")
            .host("nothing was sent, nothing changed")
            .next(Next::advice(format!(
                "add `{path}` to `exclude`, or take it out of `shared`"
            ))));
        }
    }
    Ok(())
}

fn refused(config: &Config, failed: Option<Name>, answer: &Answer, sent: &Manifest) -> Failure {
    let step = failed.map_or("step", Name::word);
    let mut failure =
        Failure::new(Exit::Untouched, format!("`{step}` failed on the host")).host("nothing live changed");
    for line in answer.err.iter().rev().take(5).rev() {
        failure = failure.why(text::shown(line));
    }
    let root = config.root.as_str();
    match answer.code {
        exits::DIFFERS => {
            failure.what = "the host received different data than shipit sent".into();
            failure.why = match Manifest::parse_host(&answer.out) {
                Ok(there) => differs(&sent.diff(&there), 5),
                Err(mismatch) => vec![format!("on the host, {mismatch}")],
            };
            failure.next(Next::shipit("deploy"))
        }
        exits::SHARED_BLOCKED => failure
            .why("another file is in place of a shared path")
            .next(Next::shipit("doctor")),
        exits::SHARED_MISSING => {
            failure.what = "a shared file is missing on the host".into();
            missing_shared(config, failure, answer)
        }
        exits::RELEASES_LOCKED | exits::RELEASES_NOT_WRITABLE | exits::RELEASE_LOCKED => failure
            .why(format!("{root}/releases could not be opened for a new release"))
            .next(Next::shipit("doctor")),
        exits::COMMAND_NOT_FOUND if failed == Some(Name::Prepare) => failure
            .why("exit status 127: the deploy user's PATH on the host has no such command")
            .next(Next::advice("install it on the host, as root; then: shipit deploy")),
        code if failed == Some(Name::Prepare) => failure
            .why(format!("exit status {code}"))
            .next(Next::shipit("deploy -v").remark("again, with its full output")),
        code => failure.why(format!("exit status {code}")),
    }
}

/// A line for each shared file that has to be put there, as the host named them; their directories are made by now.
fn missing_shared(config: &Config, mut failure: Failure, answer: &Answer) -> Failure {
    let shared = format!("{}/shared/", config.root.as_str());
    let plain = |c: char| c.is_ascii_alphanumeric() || "_./@%+=,-".contains(c);
    let of_line = |line: &Vec<u8>| {
        let line = std::str::from_utf8(line).ok()?;
        let file = line.strip_prefix("missing ")?.strip_prefix(&shared)?;
        file.chars().all(plain).then(|| file.to_owned())
    };
    let missing: Vec<String> = answer.err.iter().filter_map(of_line).collect();
    for file in &missing {
        let to = config.host.scp_to(&format!("{shared}{file}"));
        failure = failure.next(Next::shell(format!("scp {file} {to}")).remark("from wherever you keep it"));
    }
    let optional = missing.first().map_or("env", String::as_str);
    failure.next(
        Next::advice(format!("write `{optional}?` under shared in deploy.yml")).remark("if the app can do without it"),
    )
}

/// The first `most` paths that differ, in words.
#[must_use]
pub fn differs(difference: &crate::release::Difference, most: usize) -> Vec<String> {
    let lists = [
        ("+", &difference.added),
        ("~", &difference.changed),
        ("-", &difference.removed),
    ];
    let all: Vec<String> = lists
        .iter()
        .flat_map(|(mark, paths)| paths.iter().map(move |p| format!("{mark} {}", text::shown(p))))
        .collect();
    let more = all.len().saturating_sub(most);
    let mut shown: Vec<String> = all.into_iter().take(most).collect();
    if more > 0 {
        shown.push(format!("and {more} more"));
    }
    shown
}
