//! A release that takes files over from another one: random trees and edits, staged by the real scripts and tools in a
//! directory of our own. The published tree is the source, and the release before stays as it was, by a check that is not
//! shipit's; also where a script is killed on its way.

use std::collections::HashSet;
use std::ffi::OsStr;
use std::io::{Read, Write};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use shipit::cache::Shelf;
use shipit::interrupt::Interrupts;
use shipit::observed::{CutUpload, HostBase};
use shipit::release::{Base, Delta, Encoding, Manifest};
use shipit::source::{Hashes, Scanned, Source, scan};
use shipit::upload;

use super::dice::Dice;
use super::*;

mod ahead; // files that are hashed while others arrive
mod leftovers;
mod patched; // big files that travel as patches
mod prepared; // what `prepare` made
mod random;
mod renamed; // the same content under another name or mode
mod unusable;

/// Every path with its type and symlink target, every content, and what is executable; of a tree on a host also whether
/// the modes are those of a release.
const CONTENT: &str = "find . -mindepth 1 -printf '%y %P -> %l\\0' | sort -z; \
    find . -type f -print0 | sort -z | xargs -0 -r sha256sum -z; \
    find . -type f -perm -u+x -printf 'executable %P\\0' | sort -z";
const ODD_MODES: &str = "find . -mindepth 1 ! -type l ! -perm 755 ! -perm 644 -print";
/// What would tell that a release was touched.
const STATE: &str =
    "find . -printf '%P %i %m %s %T@ %l\\0' | sort -z; find . -type f -print0 | sort -z | xargs -0 -r md5sum -z";

fn shell(dir: &Path, line: &str) -> Vec<u8> {
    let mut shell = Command::new("sh");
    let out = shell.args(["-ec", line]).env("LC_ALL", "C").current_dir(dir).ends();
    assert!(out.status.success() && out.stderr.is_empty(), "{line}: {out:?}");
    out.stdout
}

/// The source and the host's directory.
struct Staging {
    dir: tempfile::TempDir,
    shell: &'static [&'static str],
    dice: Dice,
}

/// What is staged next, and the release before.
struct Next {
    scanned: Scanned,
    delta: Delta,
    id: String,
    /// What receive.sh has to do.
    to_do: String,
}

impl Staging {
    fn new(shell: &'static [&'static str], seed: u64) -> Self {
        let dir = tempfile::tempdir().unwrap();
        for path in ["source", "root/releases", "root/.shipit/releases"] {
            fs::create_dir_all(dir.path().join(path)).unwrap();
        }
        fs::write(dir.path().join("root/.shipit/ledger"), "").unwrap();
        fs::write(dir.path().join("source/first"), "1").unwrap();
        let dice = Dice(seed);
        Self { dir, shell, dice }
    }

    fn at(&self, path: &str) -> PathBuf {
        self.dir.path().join(path)
    }

    fn release(&self, id: &str) -> PathBuf {
        self.at("root/releases").join(id)
    }

    /// One edit of the source.
    fn edit(&mut self) {
        let source = self.at("source");
        self.dice.edit(&source);
    }

    fn script(&self, name: &str, args: &[&str]) -> Command {
        let text = |known: &&(&str, &'static str)| known.0 == name;
        let (_, text) = shipit::remote::script::ALL.iter().find(text).unwrap();
        let mut command = Command::new(self.shell[0]);
        command
            .args(&self.shell[1..])
            .args(["-c", &format!("umask 022\n{text}"), "sh"])
            .arg(self.at("root"))
            .args(args)
            .env("LC_ALL", "C")
            .process_group(0)
            .stdin(Stdio::null());
        command
    }

    fn done(mut command: Command) -> Vec<u8> {
        let out = command.ends();
        assert!(out.status.success() && out.stderr.is_empty(), "{out:?}");
        out.stdout
    }

    /// Reads the source, and observes the base as the host prints it.
    fn next(&self, base: Option<&str>, id: &str) -> Next {
        let source = self.at("source");
        let shelf = Shelf::at(self.at("cache"), 1);
        let hashes = Hashes {
            coarse: Duration::ZERO,
            ..Hashes::new(&shelf)
        };
        let source = Source {
            path: &source,
            exclude: &[],
            allow_secrets: &[],
            identity: None,
            hashes: Some(hashes),
        };
        let scan = |source: &Source<'_>| scan(source, &Interrupts::never().unwrap()).unwrap();
        let scanned = scan(&source);
        let read = scan(&Source { hashes: None, ..source });
        assert_eq!(scanned.digest, read.digest, "something is remembered wrongly");
        let (delta, base) = match base {
            None => (Delta::whole(&scanned.manifest), None),
            Some(base) => {
                let out = Self::done(self.script("base", &[base, "-"]));
                let seen = HostBase::parse(out.strip_suffix(b"whole\n").unwrap()).unwrap();
                let mut listing = Vec::new();
                let mut reader = flate2::read::GzDecoder::new(seen.manifest.as_slice());
                reader.read_to_end(&mut listing).unwrap();
                let base = Base {
                    id: seen.id,
                    manifest: Manifest::parse_host(&listing).unwrap(),
                    changed: seen.edited.into_iter().chain(seen.prepared).collect(),
                };
                assert_eq!(base.manifest.digest().to_string(), seen.digest);
                (Delta::against(&base, &scanned.manifest), Some(base))
            }
        };
        let cut = CutUpload::parse(&Self::done(self.script("cut", &[])));
        let mut delta = match cut {
            Some(cut) => delta.resuming(&cut.name, &cut.files, &scanned.manifest),
            None => delta,
        };
        let pairs = base.map(|base| (delta.pairs(&base, &scanned.manifest), base));
        for (pair, base) in pairs
            .iter()
            .flat_map(|(pairs, base)| pairs.iter().map(move |pair| (pair, base)))
        {
            let old = fs::read(self.release(&base.id).join(OsStr::from_bytes(&pair.from))).unwrap();
            let mut new = Vec::new();
            scanned.content(pair.at).unwrap().read_to_end(&mut new).unwrap();
            if let Some(patch) = upload::patch(&old, &new) {
                delta.patch(pair.clone(), patch, &scanned.manifest);
            }
        }
        // Both ways in turn.
        let zstd = id.ends_with(['1', '3', '5', '7', '9']);
        let delta = delta.encoded(if zstd { Encoding::Zstd } else { Encoding::Gzip });
        for dir in [
            self.release(&format!(".in-{id}")),
            self.at(&format!("root/.shipit/releases/.in-{id}")),
        ] {
            fs::create_dir_all(dir).unwrap();
        }
        // A real upload is hashed ahead from some size on.
        let ahead = delta.copied.is_empty() && self.dice.0.is_multiple_of(2);
        let to_do = upload::to_do(&delta) + if ahead { " ahead" } else { "" };
        Next {
            scanned,
            delta,
            id: id.into(),
            to_do,
        }
    }

    /// Starts receive.sh with all that it reads.
    fn receive(&self, next: &Next, link: &str) -> std::process::Child {
        let list = upload::list(&next.delta, &next.scanned.manifest);
        let stdin = self.at("stdin");
        let mut file = fs::File::create(&stdin).unwrap();
        file.write_all(&list).unwrap();
        std::io::copy(&mut next.scanned.pack_delta(next.delta.clone()), &mut file).unwrap();
        let base = next.delta.base.as_deref().unwrap_or("");
        let cut = next.delta.cut.as_deref().unwrap_or("");
        let length = list.len().to_string();
        let mut receive = self.script(
            "receive",
            &[
                &next.id,
                base,
                link,
                &length,
                cut,
                next.delta.encoding.word(),
                &next.to_do,
            ],
        );
        receive.stdin(fs::File::open(&stdin).unwrap());
        receive.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
    }

    fn verify(&self, next: &Next) -> Output {
        let base = next.delta.base.as_deref().unwrap_or("");
        let digest = next.scanned.digest.to_string();
        self.script("verify", &[&next.id, &digest, base]).ends()
    }

    fn publish(&self, next: &Next) {
        Self::done(self.script("publish", &[&next.id, "by=me", ""]));
    }

    /// Stages the source as that release, from that base.
    fn stage(&self, base: Option<&str>, id: &str, link: &str) -> Delta {
        let next = self.next(base, id);
        let received = self.receive(&next, link).ends();
        assert!(received.status.success() && received.stderr.is_empty(), "{received:?}");
        let verified = self.verify(&next);
        assert!(
            verified.status.success(),
            "{}",
            String::from_utf8_lossy(&verified.stdout)
        );
        self.publish(&next);
        next.delta
    }

    #[track_caller]
    fn assert_published(&self, id: &str) {
        let (there, here) = (shell(&self.release(id), CONTENT), shell(&self.at("source"), CONTENT));
        assert_eq!(String::from_utf8_lossy(&there), String::from_utf8_lossy(&here));
        assert_eq!(shell(&self.release(id), ODD_MODES), b"");
    }
}

#[test]
fn a_file_that_was_changed_in_place_on_the_host_is_sent_again_and_one_of_prepare_is_never_taken() {
    for shell in SHELLS {
        let staging = Staging::new(shell, 1);
        for (name, text) in [
            ("edited", "one"),
            ("prepared", "two"),
            ("same", "three"),
            ("late", "four"),
        ] {
            fs::write(staging.at("source").join(name), text).unwrap();
        }
        // Its `prepare` writes into a file that was sent, and makes one.
        let next = staging.next(None, "r0");
        assert!(staging.receive(&next, "copy").ends().status.success());
        assert!(staging.verify(&next).status.success());
        let new = staging.release(".in-r0");
        fs::write(new.join("prepared"), "TWO").unwrap();
        fs::write(new.join("made"), "three").unwrap();
        Staging::done(staging.script("publish", &["r0", "by=me", "prepared"]));
        // The same length, and nothing but the time tells.
        fs::write(staging.release("r0").join("edited"), "ONE").unwrap();

        let out = Staging::done(staging.script("base", &["r0", "-"]));
        let seen = HostBase::parse(&out).unwrap();
        assert_eq!(seen.edited, [b"edited".to_vec()]);
        assert_eq!(seen.prepared, [b"prepared".to_vec()]);

        let next = staging.next(Some("r0"), "r1");
        assert_eq!((next.delta.files, next.delta.sent), (2, 6));
        assert!(staging.receive(&next, "hard").ends().status.success());
        // One more, after it was observed: the check finds it.
        fs::write(staging.release("r0").join("late"), "FOUR").unwrap();
        let verified = staging.verify(&next);
        assert_eq!(verified.status.code(), Some(24), "{verified:?}");

        staging.stage(Some("r0"), "r2", "hard");
        staging.assert_published("r2");
        let names: HashSet<_> = fs::read_dir(staging.release("r2"))
            .unwrap()
            .map(|entry| entry.unwrap().file_name())
            .collect();
        assert!(!names.contains(OsStr::new("made")), "{names:?}");
        let inode =
            |id: &str| std::os::unix::fs::MetadataExt::ino(&fs::metadata(staging.release(id).join("same")).unwrap());
        assert_eq!(inode("r0"), inode("r2"), "a file that is the same is one file");
    }
}
