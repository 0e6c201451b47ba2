//! The act that needs the client: upload, verify, link, prepare, publish. Nothing live changes here; a
//! failure leaves the host as it was.

use std::io::Read as _;
use std::time::Duration;

use super::prepare::{self, Outputs};
use super::shared_paths::{blocked_shared, missing_shared};
use super::{Run, base, metadata, prepared, session};
use crate::config::Config;
use crate::failure::{Exit, Failure, Next};
use crate::host::{Host, Lost};
use crate::observed::Observed;
use crate::release::{Delta, Id, Manifest};
use crate::remote::{Answer, Name, Script, exits};
use crate::report::event::Phase;
use crate::source::Scanned;
use crate::text;
use crate::upload;

/// Why a release could not be staged. Nothing live changed.
#[derive(Debug)]
pub enum Unstaged {
    /// The source changed while it was packed; the host is still there for another try.
    Changed(Failure),
    /// The host could not take over what the base has, or use a patch: that can still be sent.
    NotReused {
        failure: Failure,
        patched: bool,
    },
    Failed(Failure),
}

impl From<Failure> for Unstaged {
    fn from(failure: Failure) -> Self {
        Self::Failed(failure)
    }
}

/// A release that was published.
pub struct Staged {
    /// The id that the host gave it.
    pub id: String,
    /// How long its files were on their way.
    pub received_in: Duration,
    /// The release whose outputs of `prepare` were taken over.
    pub prepared_from: Option<String>,
}

/// Sends a release and publishes it.
/// Fails with [`Unstaged`], with a [`Failure`] that names the step or the file that changed.
pub(super) fn stage(
    run: &mut Run<'_>,
    host: &mut dyn Host,
    observed: &Observed,
    scanned: &Scanned,
    delta: Delta,
    outputs: Outputs,
) -> Result<Staged, Unstaged> {
    let Run {
        config,
        link,
        report,
        commit,
        ..
    } = run;
    let root = config.root.as_str();
    shared_meets(config, &scanned.manifest)?;
    let id = Id::now().to_string();
    let digest = scanned.digest.to_string();
    let cut_upload = delta.cut.clone().unwrap_or_default();
    let hold = Script::hold([root, &id, &cut_upload]);
    let list = upload::list(&delta, &scanned.manifest);
    let (from, how, length) = (
        delta.base.clone().unwrap_or_default(),
        base::link(config, observed).word(),
        list.len().to_string(),
    );
    let mut steps = vec![
        Script::receive([
            root,
            &id,
            &from,
            how,
            &length,
            &cut_upload,
            delta.encoding.word(),
            &upload::to_do(&delta),
        ]),
        Script::verify([root, &id, &digest, &from]),
    ];
    if !config.shared.dirs.is_empty() || !config.shared.files.is_empty() {
        steps.push(Script::link(metadata::link_args(config, &id)));
    }
    steps.extend(prepare::script(
        config,
        observed,
        &scanned.manifest,
        &id,
        &from,
        outputs,
    )?);
    let prepared = if config.prepare.is_some() { "prepared" } else { "" };
    steps.push(Script::publish([
        root,
        &id,
        &metadata::info(config, commit.as_ref()),
        prepared,
    ]));
    let (total, reused, patched) = (delta.sent, delta.saved, delta.has_patches());
    let mut stream = scanned.pack_delta(delta);
    let consumed = stream.consumed();
    let upload = session::Upload {
        stream: &mut list.chain(&mut stream),
        consumed,
        total,
        reused,
    };
    let answers = session::watched(host, Phase::Stage, Some(&hold), &steps, upload, *link, *report).map_err(
        |(lost, at)| match (stream.failure(), stream.changed()) {
            (Some(failure), Some(_)) => Unstaged::Changed(failure),
            (Some(failure), None) => failure.into(),
            (None, _) => cut(&lost, steps.get(at).map(|step| step.name)).into(),
        },
    )?;
    let last = answers.last().cloned().unwrap_or_default();
    if last.code != 0 || answers.len() != steps.len() {
        let failed = steps.get(answers.len().saturating_sub(1)).map(|s| s.name);
        let mut failure = refused(config, failed, &last, &scanned.manifest);
        let no_zstd = (failed, last.code) == (Some(Name::Receive), exits::NO_ZSTD);
        if !no_zstd && (from.is_empty() && cut_upload.is_empty() || !may_be_the_base(failed, last.code)) {
            return Err(failure.into());
        }
        failure.what = if no_zstd {
            "the host could not unpack zstd: shipit sends gzip instead".into()
        } else {
            "the host could not reuse the files that it has".into()
        };
        return Err(Unstaged::NotReused { failure, patched });
    }
    let received_in = answers.first().map_or(Duration::ZERO, |received| received.took);
    let of_prepare = steps.iter().position(|step| step.name == Name::Prepare);
    let prepared_from = of_prepare.and_then(|i| prepared::taken_from(&answers[i].out));
    let published = String::from_utf8_lossy(&last.out).trim().to_owned();
    let staged = |id: Id| Staged {
        id: id.to_string(),
        received_in,
        prepared_from,
    };
    Id::parse(&published).map(staged).ok_or_else(|| {
        Failure::new(Exit::Untouched, "the host returned an invalid release id")
            .why(text::shown(published.as_bytes()))
            .host("nothing live changed")
            .into()
    })
}

/// Whether a step can fail with this because of the base: a file of it that may not be linked, or that was changed
/// without a trace, or a base that was removed meanwhile; or because another client took the cut upload first.
fn may_be_the_base(failed: Option<Name>, code: i32) -> bool {
    matches!(
        (failed, code),
        (Some(Name::Receive), exits::NOT_REUSED | exits::NOT_UNPACKED) | (Some(Name::Verify), exits::DIFFERS)
    )
}

/// A session that was lost in this step.
fn cut(lost: &Lost, step: Option<Name>) -> Failure {
    let host = match step {
        Some(Name::Receive) => "nothing live changed; the next deploy sends only what did not arrive",
        // All has arrived; the step may have ended, and the release may be staged.
        _ => "nothing live changed; the next deploy uses or removes what was sent",
    };
    session::lost_while(lost, "sending the release", host).next(Next::shipit("deploy"))
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
                    "`{path}` is shared, but the release contains `{}`",
                    text::shown(&entry.path)
                ),
            )
            .why("the symlink to shared/ would hide it")
            .host("nothing was sent or changed")
            .next(Next::advice(format!(
                "add `{path}` to `exclude`, or remove it from `shared`"
            ))));
        }
    }
    Ok(())
}

fn refused(config: &Config, failed: Option<Name>, answer: &Answer, sent: &Manifest) -> Failure {
    let step = failed.map_or("step", Name::word);
    let mut failure =
        Failure::new(Exit::Untouched, format!("`{step}` failed on the host")).host("nothing live changed");
    if let (Some(Name::Prepare), Some(prepare)) = (failed, &config.prepare) {
        failure = failure.why(format!("command: {}", text::shown(prepare.run.as_bytes())));
    }
    for line in answer.err.iter().rev().take(5).rev() {
        failure = failure.why(text::shown(line));
    }
    let root = config.root.as_str();
    // `prepare` exits with what its command exits with: a number means something only with its step.
    match (failed, answer.code) {
        (Some(Name::Verify), exits::DIFFERS) => {
            failure.what = "the data on the host differs from what shipit sent".into();
            failure.why = match Manifest::parse_host(&answer.out) {
                Ok(there) => differs(&sent.diff(&there), 5),
                Err(mismatch) => vec![format!("on the host, {mismatch}")],
            };
            failure.why.extend(answer.err.iter().map(|line| text::shown(line)));
            failure.next(Next::shipit("deploy"))
        }
        (Some(Name::Link), exits::SHARED_BLOCKED) => blocked_shared(config, failure, answer),
        (Some(Name::Link), exits::SHARED_MISSING) => {
            failure.what = "a shared file is missing on the host".into();
            missing_shared(config, failure, answer)
        }
        // The lock is taken before the first step.
        (Some(Name::Receive), exits::RELEASES_LOCKED | exits::RELEASES_NOT_WRITABLE | exits::RELEASE_LOCKED) => failure
            .why(format!("{root}/releases could not be opened for a new release"))
            .next(Next::shipit("doctor")),
        // The script has printed what it found out.
        (Some(Name::Prepare), code @ (exits::COMMAND_NOT_EXECUTABLE | exits::COMMAND_NOT_FOUND)) => {
            let is_package = failure.why.iter().any(|why| why.starts_with("PATH has no "));
            let found = !answer.err.is_empty();
            let failure = failure.why(match (code, found) {
                (_, true) => format!("exit status {code}"),
                (exits::COMMAND_NOT_FOUND, _) => {
                    format!("exit status {code}: a command or an interpreter was not found")
                }
                _ => format!("exit status {code}: a command could not be executed"),
            });
            if is_package {
                failure
                    .next(Next::shipit("doctor").remark("shows what is missing, and its package"))
                    .next(Next::shipit("deploy").remark("once it is installed"))
            } else {
                failure.next(Next::again("").remark("after you correct it"))
            }
        }
        (Some(Name::Prepare), code) => failure
            .why(format!("exit status {code}"))
            .next(Next::again("").remark("after you correct the command")),
        (Some(Name::Publish), exits::OTHER_NAMED) => {
            failure.what = "programs or symlinks in the new release point to another release".into();
            failure
                .why("they would break when that one is removed")
                .next(Next::advice(
                    "let `prepare` create these files instead of copying them from an earlier release",
                ))
        }
        (_, code) => failure.why(format!("exit status {code}")),
    }
}

/// The first `most` paths that differ, in words.
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

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::host::{Ended, Exec, ExecEvent, Then};
    use crate::report::event::Report;

    /// Prints this of a session's frame, and is gone.
    struct Breaks(&'static str);
    impl Host for Breaks {
        fn exec(&mut self, exec: Exec<'_>, on_event: &mut dyn FnMut(ExecEvent<'_>) -> Then) -> Result<Ended, Lost> {
            let text = crate::remote::unpacked(exec.line);
            let nonce = text.split("; n=").nth(1).unwrap().lines().next().unwrap();
            on_event(ExecEvent::Out(self.0.replace('&', nonce).as_bytes()));
            Err(Lost::Cut("it is gone".into()))
        }
        fn traffic(&self) -> (u64, u64) {
            (0, 0)
        }
    }
    impl session::Link for Breaks {
        fn connect(&mut self, _: &mut dyn Report) -> Result<Box<dyn Host>, Failure> {
            Err(Failure::new(Exit::Unreachable, "it is gone"))
        }
    }

    #[test]
    fn only_files_on_their_way_are_sent_again_in_part() {
        let steps = [Script::receive(["/r"]), Script::verify(["/r"])];
        let host = |said| {
            let upload = session::Upload {
                stream: &mut std::io::empty(),
                consumed: std::sync::Arc::default(),
                total: 0,
                reused: 0,
            };
            let (host, link) = (&mut Breaks(said), &mut Breaks(""));
            let lost = session::watched(host, Phase::Stage, None, &steps, upload, link, &mut session::Quiet);
            let (lost, at) = lost.unwrap_err();
            cut(&lost, Some(steps[at].name)).host.unwrap()
        };
        let part = "nothing live changed; the next deploy sends only what did not arrive";
        assert_eq!(host(""), part);
        assert_eq!(host("& pid 7\n& begin 0\n"), part);
        assert_eq!(
            host("& pid 7\n& begin 0\n\n& end 0 0\n& begin 1\n"),
            "nothing live changed; the next deploy uses or removes what was sent"
        );
    }

    #[test]
    fn a_number_is_read_with_the_step_that_exited_with_it() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("deploy.yml");
        std::fs::write(&file, "app: a\nhost: h\nsource: s\nservices: []\nprepare: p\n").unwrap();
        let config = crate::config::load(&file, None).unwrap();
        for code in 19..=26 {
            let answer = Answer {
                code,
                ..Answer::default()
            };
            let failure = refused(&config, Some(Name::Prepare), &answer, &Manifest::default());
            assert_eq!(failure.what, "`prepare` failed on the host");
            assert_eq!(failure.why, ["command: p".to_owned(), format!("exit status {code}")]);
            assert!(!may_be_the_base(Some(Name::Prepare), code));
        }
        assert!(may_be_the_base(Some(Name::Receive), 19) && may_be_the_base(Some(Name::Receive), 23));
        assert!(may_be_the_base(Some(Name::Verify), 24) && !may_be_the_base(Some(Name::Receive), 20));
    }
}
