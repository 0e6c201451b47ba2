//! What cannot be shipped and why, one path each, and the failure that names them all at once.

use std::io;
use std::path::Path;

use thiserror::Error;

use crate::failure::{Exit, Failure, Next};
use crate::text;

/// The longest path that is shipped, in bytes: PATH_MAX is 4096 with the final NUL, and the host's sha256sum is
/// given `./` in front.
pub(super) const LONGEST_PATH: usize = 4093;

/// How many problems a failure names; the rest is counted.
const NAMED: usize = 20;

/// Why one path cannot be shipped. Those from `Absolute` on are of archives only.
#[derive(Debug, Error)]
pub(super) enum Refusal {
    #[error("is a {0}: only files, directories and symlinks are shipped")]
    Special(&'static str),
    #[error("is a symlink to the absolute path {}", text::shown(.0))]
    AbsoluteLink(Vec<u8>),
    #[error("is a symlink to {}, which is outside the release", text::shown(.0))]
    EscapingLink(Vec<u8>),
    #[error("{}", unreadable(.0))]
    Unreadable(io::Error),
    /// It was not the same before and after it was read.
    #[error("changed while shipit was reading it")]
    Changed,
    /// Longer than a host can open: bytes.
    #[error("is a path of {0} bytes: the limit is {LONGEST_PATH}")]
    TooLong(usize),
    #[error("is a reserved name")]
    Reserved,
    /// What every user of the host could read: a key, in words.
    #[error("is {0}, and every user of the host can read a release")]
    Secret(&'static str),
    #[error("is an absolute path")]
    Absolute,
    #[error("is a path with `..` in it")]
    Climbs,
    #[error("is a path with a NUL in it")]
    Nul,
    /// No file system takes such a component.
    #[error("is a path in which one name is longer than 255 bytes")]
    NameTooLong,
    /// A path below something that is no directory: what that is, and where.
    #[error("would be inside {shown}, which is a {what}", what = .0, shown = text::shown(.1))]
    Through(&'static str, Vec<u8>),
    #[error("appears twice in the archive")]
    Twice,
    #[error("is a hard link to {}, which is not a file earlier in the archive", text::shown(.0))]
    HardLink(Vec<u8>),
    #[error(
        "is a hard link to {}, which `exclude:` leaves out: create the archive with `--hard-dereference`",
        text::shown(.0)
    )]
    LinkToExcluded(Vec<u8>),
    #[error("is a symlink with an invalid target")]
    BadTarget,
    #[error("is stored as a sparse file: create the archive without `--sparse`")]
    Sparse,
    /// A type that is none of POSIX or GNU tar's for files.
    #[error("is an archive member of unknown type `{}`", text::shown(&[*.0]))]
    UnknownMember(u8),
    /// What two programs would read in two ways; what it has, in words.
    #[error("has {0}, which programs interpret differently")]
    Ambiguous(&'static str),
}

fn unreadable(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::PermissionDenied => "cannot be read: permission denied".to_owned(),
        io::ErrorKind::NotFound => "was removed while shipit was reading it".to_owned(),
        _ => format!("cannot be read: {error}"),
    }
}

/// Everything that is wrong with a source.
#[derive(Debug, Default)]
pub(super) struct Problems(Vec<(Vec<u8>, Refusal)>);

impl Problems {
    /// Notes a path that cannot be shipped; an empty path is the source itself.
    pub(super) fn add(&mut self, path: &[u8], refusal: Refusal) {
        self.0.push((path.to_vec(), refusal));
    }

    pub(super) fn append(&mut self, other: Self) {
        self.0.extend(other.0);
    }

    /// Whether there are problems, and each may be one of the moment: something was being written or removed.
    pub(super) fn only_changes(&self) -> bool {
        let passing = |refusal: &Refusal| match refusal {
            Refusal::Changed => true,
            Refusal::Unreadable(error) => error.kind() == io::ErrorKind::NotFound,
            _ => false,
        };
        !self.0.is_empty() && self.0.iter().all(|(_, refusal)| passing(refusal))
    }

    /// The failure that names them, if there are any.
    pub(super) fn check(mut self, source: &Path) -> Result<(), Failure> {
        if self.0.is_empty() {
            return Ok(());
        }
        let source = source_name(source);
        self.0.sort_by(|a, b| a.0.cmp(&b.0));
        let mut failure = Failure::new(Exit::Untouched, format!("{source} cannot be shipped as it is"));
        for (path, refusal) in self.0.iter().take(NAMED) {
            let name = if path.is_empty() {
                source.clone()
            } else {
                text::shown(path)
            };
            failure = failure.why(format!("{name} {refusal}"));
        }
        if self.0.len() > NAMED {
            failure = failure.why(format!("and {} more", self.0.len() - NAMED));
        }
        let secret = self.0.iter().any(|(_, refusal)| matches!(refusal, Refusal::Secret(_)));
        let failure = failure.next(Next::advice(
            "remove or replace them, or list them under `exclude:` in deploy.yml",
        ));
        Err(match secret {
            true => failure.next(Next::advice(
                "under `allow_secrets:`, list the files that are not secrets, or that must be shipped anyway",
            )),
            false => failure,
        })
    }
}

/// The source as a person wrote it.
pub(super) fn source_name(path: &Path) -> String {
    text::shown(path.as_os_str().as_encoded_bytes())
}

/// Ctrl-C while the source was read.
pub(super) fn stopped(name: &str) -> Failure {
    Failure::new(Exit::Untouched, format!("interrupted while reading {name}")).host("nothing was sent or changed")
}
