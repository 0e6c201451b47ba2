//! An archive that CI made, unpacked into a spool and from then on a directory like any other. What GNU tar would
//! refuse, and what two programs could read in two ways, is refused here, by name and before anything is sent.

use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use flate2::read::MultiGzDecoder;

use super::exclude::Exclude;
use super::problem::{source_name, stopped};
use super::spool::Spool;
use super::tar_read::{Members, Unreadable};
use super::tree::{Stamp, Tree, unchanged};
use super::unpack::{Limits, Stop, Unpacking};
use crate::failure::{Exit, Failure, Next};
use crate::interrupt::Interrupts;
use crate::text;

pub(super) const LIMITS: Limits = Limits {
    bytes: 64 << 30,
    members: 4_000_000,
    ratio: 500,
    ratio_from: 100_000_000,
};

pub(super) struct Unpacked {
    pub(super) tree: Tree,
    /// Paths whose set-id or sticky bit was dropped.
    pub(super) special: Vec<Vec<u8>>,
}

/// Whether a path has the name of an archive that can be shipped.
pub(super) fn is_archive(path: &Path) -> bool {
    let name = path.as_os_str().as_encoded_bytes().to_ascii_lowercase();
    [".tar", ".tar.gz", ".tgz"]
        .iter()
        .any(|ending| name.ends_with(ending.as_bytes()))
}

/// Unpacks an archive into a spool below `place`. What is excluded is left out.
/// Fails with a [`Failure`], and at an interrupt one at once; no spool is left behind.
pub(super) fn unpack(
    source: &Path,
    exclude: &Exclude,
    place: &Path,
    limits: Limits,
    interrupts: &Interrupts,
) -> Result<Unpacked, Failure> {
    let name = source_name(source);
    let unread =
        |error: io::Error| Failure::new(Exit::Untouched, format!("{name} cannot be read")).why(error.to_string());
    let unspooled = |error: io::Error| {
        Failure::new(
            Exit::Untouched,
            format!("{name} cannot be unpacked in {}", source_name(place)),
        )
        .why(error.to_string())
        .next(Next::shell("export TMPDIR=/var/tmp").remark("or any directory with enough space"))
    };
    let flags = rustix::fs::OFlags::NONBLOCK | rustix::fs::OFlags::NOCTTY;
    let flags = i32::try_from(flags.bits()).unwrap_or(0);
    let file = File::options()
        .read(true)
        .custom_flags(flags)
        .open(source)
        .map_err(unread)?;
    let stamp = Stamp::of(&rustix::fs::fstat(&file).map_err(|error| unread(error.into()))?);
    let spool = Spool::new(place).map_err(unspooled)?;
    let tree = Tree::open(spool.path()).map_err(unspooled)?.keeping(spool);

    let stream = decoded(&file, limits, interrupts).map_err(unread)?;
    let mut unpacking = Unpacking::new(&tree, exclude, limits);
    let ended = unpacking.all(&mut Members::new(stream));
    let (special, problems) = unpacking.done();
    if interrupts.came() {
        return Err(stopped(&name));
    }
    if !unchanged(&file, &stamp).map_err(unread)? {
        return Err(
            Failure::new(Exit::Untouched, format!("{name} changed while shipit was reading it"))
                .next(Next::advice("wait until it is completely written, then deploy again")),
        );
    }
    match ended {
        Ok(()) => problems.check(source)?,
        Err(Stop::Spool(path, error)) => {
            return Err(unspooled(error).why(format!("at {}", text::shown(&path))));
        }
        Err(Stop::Bomb(why)) => {
            return Err(Failure::new(Exit::Untouched, format!("{name} unpacks to more than the limit")).why(why));
        }
        Err(Stop::Archive(unreadable)) => return Err(damaged(&name, unreadable)),
    }
    Ok(Unpacked { tree, special })
}

/// The words for an archive that cannot be read to its end.
fn damaged(name: &str, unreadable: Unreadable) -> Failure {
    let (what, why) = match unreadable {
        Unreadable::Cut(Some(member)) => ("is truncated", format!("it ends inside {}", text::shown(&member))),
        Unreadable::Cut(None) => ("is truncated", "the end-of-archive marker is missing".to_owned()),
        Unreadable::Damaged(why) => ("is not a valid archive", why),
        Unreadable::Failed(error) => match error.get_ref().and_then(|inner| inner.downcast_ref::<TooMuch>()) {
            Some(TooMuch(why)) => ("unpacks to more than the limit", why.clone()),
            None => ("cannot be read", error.to_string()),
        },
    };
    Failure::new(Exit::Untouched, format!("{name} {what}"))
        .why(why)
        .next(Next::advice("build the archive again, then deploy"))
}

/// A limit was met while reading.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct TooMuch(String);

/// The tar stream of an archive, by what is in it, not by its name; with an end to how much may come out.
fn decoded<'a>(
    file: &'a File,
    limits: Limits,
    interrupts: &'a Interrupts,
) -> io::Result<Metered<'a, Box<dyn Read + 'a>>> {
    let mut magic = [0u8; 2];
    let n = rustix::io::pread(file, &mut magic, 0)?;
    let compressed = Arc::new(AtomicU64::new(0));
    let packed = n == 2 && magic == [0x1f, 0x8b];
    let stream: Box<dyn Read + 'a> = if packed {
        Box::new(MultiGzDecoder::new(Counted {
            inner: file,
            count: Arc::clone(&compressed),
        }))
    } else {
        Box::new(io::BufReader::with_capacity(128 * 1024, file))
    };
    Ok(Metered {
        inner: stream,
        out: 0,
        compressed: packed.then_some(compressed),
        limits,
        interrupts,
    })
}

/// Counts what is read of the archive.
struct Counted<R> {
    inner: R,
    count: Arc<AtomicU64>,
}

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let n = self.inner.read(buffer)?;
        self.count.fetch_add(n as u64, Ordering::Relaxed);
        Ok(n)
    }
}

/// Ends in an error when too much comes out, or when an interrupt comes.
struct Metered<'a, R> {
    inner: R,
    out: u64,
    compressed: Option<Arc<AtomicU64>>,
    limits: Limits,
    interrupts: &'a Interrupts,
}

impl<R: Read> Read for Metered<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.interrupts.came() {
            return Err(io::Error::other("interrupted"));
        }
        let n = self.inner.read(buffer)?;
        self.out += n as u64;
        let too_much = |why: String| Err(io::Error::other(TooMuch(why)));
        if self.out > self.limits.bytes {
            return too_much(format!("it has more than {}", text::bytes(self.limits.bytes)));
        }
        let of = self
            .compressed
            .as_ref()
            .map_or(u64::MAX, |count| count.load(Ordering::Relaxed));
        if self.out > self.limits.ratio_from && self.out / self.limits.ratio > of {
            return too_much(format!(
                "it expands to more than {} times its size: it looks like a decompression bomb",
                self.limits.ratio
            ));
        }
        Ok(n)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::print_stderr)]
mod tests {
    use super::*;
    use std::fs;
    use std::os::unix::fs::PermissionsExt;
    use std::path::PathBuf;
    use std::process::Command;

    fn nobody() -> Interrupts {
        Interrupts::never().unwrap()
    }

    /// An archive of one file of this many bytes, and a place for spools.
    fn archive(bytes: usize) -> (tempfile::TempDir, PathBuf, PathBuf) {
        let dir = tempfile::tempdir().unwrap();
        let (path, place) = (dir.path().join("app.tar"), dir.path().join("place"));
        fs::create_dir(&place).unwrap();
        fs::write(dir.path().join("file"), vec![7; bytes]).unwrap();
        let mut tar = Command::new("tar");
        tar.arg("-C")
            .arg(dir.path())
            .arg("-cf")
            .arg(&path)
            .args(["file", "place"]);
        assert!(tar.status().unwrap().success());
        (dir, path, place)
    }

    fn spools(place: &Path) -> Vec<PathBuf> {
        fs::read_dir(place)
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .collect()
    }

    #[test]
    fn a_spool_is_ours_alone_and_goes_with_the_tree() {
        let (_dir, path, place) = archive(10);
        let unpacked =
            unpack(&path, &Exclude::default(), &place, LIMITS, &nobody()).unwrap_or_else(|failure| panic!("{failure}"));
        let [spool] = &spools(&place)[..] else {
            panic!("one spool")
        };
        assert_eq!(fs::metadata(spool).unwrap().permissions().mode() & 0o7777, 0o700);
        assert_eq!(fs::read(spool.join("file")).unwrap(), [7; 10]);
        drop(unpacked);
        assert!(spools(&place).is_empty());
    }

    #[test]
    fn an_archive_over_a_limit_is_refused_and_leaves_no_spool() {
        let (_dir, path, place) = archive(100_000);
        let says = |limits: Limits| {
            let failure = unpack(&path, &Exclude::default(), &place, limits, &nobody())
                .err()
                .unwrap();
            assert!(spools(&place).is_empty());
            assert!(
                failure.what.ends_with("app.tar unpacks to more than the limit"),
                "{failure}"
            );
            failure.why
        };
        assert_eq!(says(Limits { members: 1, ..LIMITS }), ["it has more than 1 members"]);
        assert_eq!(
            says(Limits {
                bytes: 50_000,
                ..LIMITS
            }),
            ["file alone is 100.0 kB"]
        );
        assert_eq!(
            says(Limits {
                bytes: 100_000,
                ..LIMITS
            }),
            ["it has more than 100.0 kB"]
        );
    }

    #[test]
    fn a_full_disk_is_said_and_leaves_no_spool() {
        let (dir, path, _) = archive(3_000_000);
        let place = dir.path().join("small");
        fs::create_dir(&place).unwrap();
        let mount = Command::new("mount")
            .args(["-t", "tmpfs", "-o", "size=1m", "tmpfs"])
            .arg(&place)
            .output();
        if !mount.is_ok_and(|out| out.status.success()) {
            eprintln!("left out: this user cannot mount a small file system");
            return;
        }
        let failure = unpack(&path, &Exclude::default(), &place, LIMITS, &nobody())
            .err()
            .unwrap();
        let left = spools(&place);
        assert!(Command::new("umount").arg(&place).status().unwrap().success());
        assert!(left.is_empty(), "{left:?}");
        assert_eq!(
            failure.what,
            format!("{} cannot be unpacked in {}", path.display(), place.display())
        );
        assert_eq!(failure.why, ["No space left on device (os error 28)", "at file"]);
        assert_eq!(failure.exit, Exit::Untouched);
    }
}
