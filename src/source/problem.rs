//! What cannot be shipped and why, one path each, and the failure that names them all at once.

use std::fmt;
use std::io;
use std::path::Path;

use crate::failure::{Exit, Failure, Next};
use crate::text;

/// The longest path that is shipped, in bytes: PATH_MAX is 4096 with the final NUL, and the host's sha256sum is
/// given `./` in front.
pub(super) const LONGEST_PATH: usize = 4093;

/// How many problems a failure names; the rest is counted.
const NAMED: usize = 20;

/// Why one path cannot be shipped.
#[derive(Debug)]
pub(super) enum Refusal {
    /// No file, directory or link: the word for what it is.
    Special(&'static str),
    /// A link to a path from `/`.
    AbsoluteLink(Vec<u8>),
    /// A link that leaves the source.
    EscapingLink(Vec<u8>),
    /// It could not be read.
    Unreadable(io::Error),
    /// It was not the same before and after it was read.
    Changed,
    /// Longer than a host can open: bytes.
    TooLong(usize),
    /// A name that shipit keeps for itself.
    Reserved,
    /// In an archive: a path from `/`.
    Absolute,
    /// In an archive: `..` in a path.
    Climbs,
    /// In an archive: a NUL in a path.
    Nul,
    /// In an archive: a component that no file system takes.
    NameTooLong,
    /// In an archive: a path below something that is no directory: what that is, and where.
    Through(&'static str, Vec<u8>),
    /// In an archive: the same path twice.
    Twice,
    /// In an archive: a hard link to what is no file before it.
    HardLink(Vec<u8>),
    /// In an archive: a symlink to nowhere that a symlink can point to.
    BadTarget,
    /// In an archive: a file with holes.
    Sparse,
    /// In an archive: a type that is none of POSIX or GNU tar's for files.
    UnknownMember(u8),
    /// In an archive: what two programs would read in two ways; what it has, in words.
    Ambiguous(&'static str),
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Special(kind) => write!(f, "is a {kind}: only files, directories and symlinks are shipped"),
            Self::AbsoluteLink(target) => {
                write!(f, "is a symlink to the absolute path {}", text::shown(target))
            }
            Self::EscapingLink(target) => {
                write!(f, "is a symlink to {}, which leaves the release", text::shown(target))
            }
            Self::Unreadable(error) => match error.kind() {
                io::ErrorKind::PermissionDenied => write!(f, "cannot be read: permission denied"),
                io::ErrorKind::NotFound => write!(f, "was removed while shipit read it"),
                _ => write!(f, "cannot be read: {error}"),
            },
            Self::Changed => write!(f, "changed while shipit read it"),
            Self::TooLong(bytes) => {
                write!(f, "is a path of {bytes} bytes: at most {} can be shipped", LONGEST_PATH)
            }
            Self::Reserved => write!(f, "is a reserved name"),
            Self::Absolute => write!(f, "is an absolute path"),
            Self::Climbs => write!(f, "is a path with `..` in it"),
            Self::Nul => write!(f, "is a path with a NUL in it"),
            Self::NameTooLong => write!(f, "is a path with a name of more than 255 bytes"),
            Self::Through(what, above) => write!(f, "would be below {}, which is a {what}", text::shown(above)),
            Self::Twice => write!(f, "is in the archive twice"),
            Self::HardLink(target) => {
                write!(
                    f,
                    "is a hard link to {}, which is not a file earlier in the archive",
                    text::shown(target)
                )
            }
            Self::BadTarget => write!(f, "is a symlink with an invalid target"),
            Self::Sparse => write!(f, "is stored as a sparse file: make the archive without `--sparse`"),
            Self::UnknownMember(kind) => {
                write!(f, "is a member of the unknown type `{}`", text::shown(&[*kind]))
            }
            Self::Ambiguous(what) => write!(f, "has {what}, which programs interpret differently"),
        }
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

    /// Takes the problems of another list.
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
        Err(failure.next(Next::advice(
            "remove or replace them, or list them under `exclude:` in deploy.yml",
        )))
    }
}

/// The source as a person wrote it.
pub(super) fn source_name(path: &Path) -> String {
    text::shown(path.as_os_str().as_encoded_bytes())
}

/// Ctrl-C while the source was read.
pub(super) fn stopped(name: &str) -> Failure {
    Failure::new(Exit::Untouched, format!("stopped on request while reading {name}"))
        .host("nothing was sent, nothing changed")
}
