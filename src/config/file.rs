//! Finds `deploy.yml` and reads its bytes, without ever hanging on a file that is not regular. Knows nothing of its
//! content.

use std::fs::{self, File, Metadata, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::{FileTypeExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use rustix::fs::OFlags;

use super::FILE_NAME;
use crate::failure::{Exit, Failure, Next};
use crate::text;

/// No handwritten deploy.yml comes near it.
const LARGEST: u64 = 1024 * 1024;

pub(super) struct Opened {
    pub text: String,
    /// The directory of the file, absolute. Symlinks in it are not resolved.
    pub dir: PathBuf,
    pub warnings: Vec<String>,
}

/// Looks for `deploy.yml` in `start`, then in its parents, up to the directory that has a `.git` or to `/`.
/// Fails with [`Exit::Usage`] when no file is found, or when a directory on the way cannot be read: that is never taken
/// for absence. Also when the file is above `start`, or where every user can create files, and another user controls it:
/// nobody named it, and its `build` would run.
pub fn find(start: &Path) -> Result<PathBuf, Failure> {
    let start = std::path::absolute(start).map_err(|error| unreadable(start, &error.to_string()))?;
    let mut misspelt = None;
    for dir in start.ancestors() {
        let file = dir.join(FILE_NAME);
        if exists(&file)? {
            trusted(&file, dir != start)?;
            return Ok(file);
        }
        let other = dir.join("deploy.yaml");
        if misspelt.is_none() && exists(&other)? {
            misspelt = Some(other);
        }
        if exists(&dir.join(".git"))? {
            break;
        }
    }
    let place = text::shown(start.as_os_str().as_encoded_bytes());
    let failure = Failure::new(
        Exit::Usage,
        format!("no {FILE_NAME} in {place} or the directories above it"),
    );
    Err(match misspelt {
        Some(other) => {
            let other = text::shown(other.as_os_str().as_encoded_bytes());
            failure.why(format!("{other} exists, but shipit reads {FILE_NAME}"))
        }
        None => failure.next(Next::offline("init").remark("or cd to a project that has one")),
    })
}

/// Refuses a file that was found, not named, and that another user may have put in the way.
fn trusted(file: &Path, above: bool) -> Result<(), Failure> {
    let look = |error: io::Error| unreadable(file, &error.to_string());
    let dir = file.parent().unwrap_or(Path::new("/"));
    let place = fs::metadata(dir).map_err(look)?;
    // Both the name and what it leads to: a symlink of another user's is theirs, whatever it points to.
    let name = fs::symlink_metadata(file).map_err(look)?;
    let target = fs::metadata(file).map_err(look)?;
    let reader = Reader::this();
    // A loose mode alone is a warning (`read`): the checkouts of some CI runners are writable for everybody.
    let theirs = |(path, metadata): (&Path, &Metadata)| foreign(path, metadata.uid(), 0, &reader);
    let found = [(file, &name), (file, &target), (dir, &place)]
        .into_iter()
        .find_map(theirs);
    match found.filter(|_| above || place.mode() & 0o002 != 0) {
        None => Ok(()),
        Some(why) => {
            let shown = text::shown(file.as_os_str().as_encoded_bytes());
            let failure = Failure::new(
                Exit::Usage,
                format!("{shown} is not used, because you did not name it with -c"),
            );
            let named = Next::again("-c")
                .arg(&shown)
                .remark("if you trust whoever can change it");
            Err(failure.why(why).host("nothing was run").next(named))
        }
    }
}

/// Whether something has this name, even a broken symlink.
fn exists(path: &Path) -> Result<bool, Failure> {
    match fs::symlink_metadata(path) {
        Ok(_) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(unreadable(path, &error.to_string())),
    }
}

/// Reads a regular file of at most 1 MiB. Fails with [`Exit::Usage`], naming what is there instead.
pub(super) fn read(path: &Path) -> Result<Opened, Failure> {
    let absolute = std::path::absolute(path).map_err(|error| unreadable(path, &error.to_string()))?;
    let look = |error: io::Error| match error.kind() {
        io::ErrorKind::NotFound => not_found(path),
        _ => unreadable(path, &error.to_string()),
    };
    // Checked before it is opened: opening a device can have effects.
    regular(path, &fs::metadata(path).map_err(look)?)?;
    // O_NONBLOCK: a FIFO that replaces the file meanwhile does not block. It has no effect on a regular file.
    let flags = OFlags::NONBLOCK | OFlags::NOCTTY;
    let flags = i32::try_from(flags.bits()).unwrap_or_default();
    let file = OpenOptions::new()
        .read(true)
        .custom_flags(flags)
        .open(path)
        .map_err(look)?;
    let metadata = file.metadata().map_err(look)?;
    regular(path, &metadata)?;

    let mut bytes = Vec::new();
    File::take(file, LARGEST + 1).read_to_end(&mut bytes).map_err(look)?;
    if bytes.len() as u64 > LARGEST {
        return Err(unreadable(path, "it is larger than 1 MiB, the limit for deploy.yml"));
    }
    let text = String::from_utf8(bytes).map_err(|error| {
        let good = &error.as_bytes()[..error.utf8_error().valid_up_to()];
        let line = good.iter().filter(|&&byte| byte == b'\n').count() + 1;
        let start = good
            .iter()
            .rposition(|&byte| byte == b'\n')
            .map_or(0, |newline| newline + 1);
        let column = String::from_utf8_lossy(&good[start..]).chars().count() + 1;
        let name = text::shown(path.as_os_str().as_encoded_bytes());
        unreadable(path, &format!("{name}:{line}:{column}: a byte that is not valid UTF-8"))
    })?;
    let dir = absolute.parent().map_or_else(|| PathBuf::from("/"), Path::to_path_buf);
    let dir_metadata = fs::metadata(&dir).map_err(look)?;
    let warnings = [(path, &metadata), (dir.as_path(), &dir_metadata)]
        .into_iter()
        .find_map(|(path, metadata)| foreign(path, metadata.uid(), metadata.mode(), &Reader::this()))
        .into_iter()
        .collect();
    Ok(Opened { text, dir, warnings })
}

/// `init` would write another file than the one that was named.
fn not_found(path: &Path) -> Failure {
    let failure = unreadable(path, "file not found");
    let usual = path.with_file_name(FILE_NAME);
    match usual != path && usual.is_file() {
        true => failure.next(Next::again("-c").arg(text::shown(usual.as_os_str().as_encoded_bytes()))),
        false => failure,
    }
}

fn regular(path: &Path, metadata: &Metadata) -> Result<(), Failure> {
    let kind = metadata.file_type();
    let what = match () {
        () if kind.is_file() => return Ok(()),
        () if kind.is_dir() => "it is a directory",
        () if kind.is_fifo() => "it is a FIFO, not a file",
        () if kind.is_socket() => "it is a socket, not a file",
        () => "it is a device, not a file",
    };
    let failure = unreadable(path, what);
    Err(if kind.is_dir() {
        failure.next(Next::again("-c").arg(text::shown(path.join(FILE_NAME).as_os_str().as_encoded_bytes())))
    } else {
        failure
    })
}

/// A path of this machine as messages name it: from the current directory, if it is below it.
pub fn local_name(path: &Path) -> String {
    let here = std::env::current_dir().unwrap_or_default();
    let below = path
        .strip_prefix(&here)
        .ok()
        .filter(|below| !below.as_os_str().is_empty());
    text::shown(below.unwrap_or(path).as_os_str().as_encoded_bytes())
}

fn unreadable(path: &Path, why: &str) -> Failure {
    let name = local_name(path);
    Failure::new(Exit::Usage, format!("cannot read {name}")).why(why)
}

struct Reader {
    uid: u32,
    /// Who called sudo: their files are trusted then.
    behind_sudo: Option<u32>,
}

impl Reader {
    fn this() -> Self {
        let behind_sudo = std::env::var("SUDO_UID").ok().and_then(|uid| uid.parse().ok());
        Self {
            uid: rustix::process::geteuid().as_raw(),
            behind_sudo,
        }
    }
}

/// The warning when another user can change what `build` and the hooks run as us.
fn foreign(path: &Path, owner: u32, mode: u32, reader: &Reader) -> Option<String> {
    const ROOT: u32 = 0;
    const STICKY: u32 = 0o1000;
    let name = text::shown(path.as_os_str().as_encoded_bytes());
    if ![reader.uid, ROOT].contains(&owner) && reader.behind_sudo != Some(owner) {
        return Some(format!(
            "{name} belongs to another user (uid {owner}), who could use its build and hooks to run anything as you"
        ));
    }
    if mode & 0o002 != 0 && mode & STICKY == 0 {
        return Some(format!(
            "{name} is world-writable: every user can make its build and hooks run anything as you"
        ));
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_others_control_gives_a_warning() {
        let path = Path::new("/srv/x/deploy.yml");
        let me = Reader {
            uid: 1000,
            behind_sudo: None,
        };
        assert_eq!(foreign(path, 1000, 0o100_644, &me), None);
        assert_eq!(foreign(path, 0, 0o100_644, &me), None);
        assert!(foreign(path, 1001, 0o100_644, &me).is_some_and(|words| words.contains("another user (uid 1001)")));
        assert!(foreign(path, 1000, 0o100_666, &me).is_some_and(|words| words.contains("is world-writable")));
        let root = Reader {
            uid: 0,
            behind_sudo: Some(1000),
        };
        assert_eq!(foreign(path, 1000, 0o100_644, &root), None);
        assert!(foreign(path, 1001, 0o100_644, &root).is_some());
        assert_eq!(foreign(Path::new("/tmp"), 0, 0o041_777, &me), None);
    }
}
