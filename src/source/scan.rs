//! A source becomes a manifest, or a failure that names everything wrong with it. Reads all of it once.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use sha2::{Digest as _, Sha256};

use super::archive::{LIMITS, Unpacked, is_archive, unpack};
use super::exclude::Exclude;
use super::links::{Leads, Links, leads};
use super::problem::{Problems, Refusal, source_name, stopped};
use super::secrets::{Key, Secrets};
use super::tree::{Parents, Stamp, Tree, unchanged};
use super::walk::{Found, Node, walk};
use super::warnings::warnings;
use crate::failure::{Exit, Failure};
use crate::interrupt::Interrupts;
use crate::release::{Digest, Entry, Kind, Manifest};

/// What is to be shipped.
#[derive(Clone, Copy, Debug)]
pub struct Source<'a> {
    /// A directory, or an archive: `.tar`, `.tar.gz` or `.tgz`.
    pub path: &'a Path,
    /// Patterns of what stays at home; see [`Exclude`].
    pub exclude: &'a [String],
    /// Patterns of what is shipped although it looks like a secret.
    pub allow_secrets: &'a [String],
    /// The key that logs in: refused wherever its bytes are.
    pub identity: Option<&'a Path>,
}

/// A source that can be shipped, as it was when it was read. Holds it open; an archive's unpacked copy is removed
/// when the last of this and its [`crate::upload::Pack`]s is dropped.
#[derive(Debug)]
pub struct Scanned {
    pub manifest: Arc<Manifest>,
    /// The manifest's.
    pub digest: Digest,
    /// What the person should know, one sentence each.
    pub warnings: Vec<String>,
    pub(crate) tree: Arc<Tree>,
    /// One for each entry of the manifest, in its order.
    pub(crate) stamps: Arc<Vec<Stamp>>,
    /// When the scan began, in seconds since 1970.
    pub(crate) began: u64,
}

/// How many files are hashed at a time: one on each processor, up to this many.
const THREADS: usize = 16;

/// Reads a source: walks it without following a symlink, hashes every file, and refuses what a host must not get.
/// Where something changes while it is read, all is read once more: a build may just have come to its end.
/// Fails with a [`Failure`] that names everything that is wrong, up to twenty paths: nothing was sent, nothing is left
/// behind. One as well when an interrupt comes, at once.
pub fn scan(source: &Source<'_>, interrupts: &Interrupts) -> Result<Scanned, Failure> {
    let exclude = Exclude::new(source.exclude)
        .map_err(|bad| Failure::new(Exit::Usage, "`exclude:` contains an invalid pattern").why(bad.to_string()))?;
    let allowed = Exclude::new(source.allow_secrets).map_err(|bad| {
        Failure::new(Exit::Usage, "`allow_secrets:` contains an invalid pattern").why(bad.to_string())
    })?;
    let rules = Rules {
        exclude,
        secrets: Secrets::new(allowed, source.identity),
    };
    let exclude = &rules.exclude;
    let name = source_name(source.path);
    let began = chrono::Utc::now().timestamp();
    let meta = std::fs::metadata(source.path).map_err(|error| unopened(&name, &error))?;
    let unpacked = if meta.is_dir() {
        let tree = Tree::open(source.path).map_err(|error| unopened(&name, &error))?;
        Unpacked {
            tree,
            special: Vec::new(),
        }
    } else if meta.is_file() && is_archive(source.path) {
        unpack(source.path, exclude, &std::env::temp_dir(), LIMITS, interrupts)?
    } else {
        return Err(
            Failure::new(Exit::Untouched, format!("{name} is neither a directory nor an archive"))
                .why("an archive is a file whose name ends in .tar, .tar.gz or .tgz"),
        );
    };
    read(unpacked, source.path, &rules, began, interrupts)
}

fn unopened(name: &str, error: &io::Error) -> Failure {
    match error.kind() {
        io::ErrorKind::NotFound => Failure::new(Exit::Untouched, format!("{name} does not exist"))
            .why("it is the `source:` of deploy.yml, read after `build:` has run"),
        _ => Failure::new(Exit::Untouched, format!("{name} cannot be read")).why(error.to_string()),
    }
}

fn read(
    unpacked: Unpacked,
    source: &Path,
    rules: &Rules,
    began: i64,
    interrupts: &Interrupts,
) -> Result<Scanned, Failure> {
    let Unpacked { tree, special } = unpacked;
    let mut seen = look(&tree, rules, interrupts);
    if seen.problems.only_changes() && !interrupts.came() {
        seen = look(&tree, rules, interrupts);
    }
    if interrupts.came() {
        return Err(stopped(&source_name(source)));
    }
    let Look {
        found,
        contents,
        problems,
    } = seen;
    problems.check(source)?;
    if !found.iter().any(|found| found.node == Node::File) {
        return Err(Failure::new(
            Exit::Untouched,
            format!("{} contains no files to ship", source_name(source)),
        ));
    }
    let capable: Vec<&[u8]> = found
        .iter()
        .zip(&contents)
        .filter(|(_, content)| content.capable)
        .map(|(found, _)| &*found.path)
        .collect();
    let read = found.iter().zip(&contents);
    let pointers: Vec<&[u8]> = read
        .filter(|(_, content)| content.pointer)
        .map(|(found, _)| &*found.path)
        .collect();
    let warnings = warnings(&found, &capable, &pointers, &special);
    let stamps = found.iter().map(|found| found.stamp).collect();
    let entry = |(found, content): (Found, Content)| {
        let kind = match found.node {
            Node::Dir => Kind::Dir,
            Node::Link(target) => Kind::Link { target },
            Node::File => Kind::File {
                size: found.stamp.size(),
                sha256: content.sha256,
                exec: found.mode & 0o100 != 0,
            },
        };
        Entry { path: found.path, kind }
    };
    let manifest = Manifest::new(found.into_iter().zip(contents).map(entry).collect());
    Ok(Scanned {
        digest: manifest.digest(),
        manifest: Arc::new(manifest),
        warnings,
        tree: Arc::new(tree),
        stamps: Arc::new(stamps),
        began: u64::try_from(began).unwrap_or(0),
    })
}

/// What one reading of a tree tells.
struct Look {
    found: Vec<Found>,
    /// One for each that was found.
    contents: Vec<Content>,
    problems: Problems,
}

/// Reads the tree once; not to its end when an interrupt comes.
fn look(tree: &Tree, rules: &Rules, interrupts: &Interrupts) -> Look {
    let mut problems = Problems::default();
    let mut found = walk(tree, &rules.exclude, &mut problems, interrupts);
    found.sort_unstable_by(|a, b| a.path.cmp(&b.path));
    check_links(&found, &mut problems);
    let contents = hash_all(tree, &found, &mut problems, interrupts);
    for (found, content) in found
        .iter()
        .zip(&contents)
        .filter(|(found, _)| found.node == Node::File)
    {
        if let Some(what) = rules.secrets.judge(&found.path, &content.sha256, content.key) {
            problems.add(&found.path, Refusal::Secret(what));
        }
    }
    Look {
        found,
        contents,
        problems,
    }
}

fn check_links(found: &[Found], problems: &mut Problems) {
    let link = |found: &'_ Found| match &found.node {
        Node::Link(target) => Some((found.path.clone(), target.clone())),
        _ => None,
    };
    let all: Vec<(Vec<u8>, Vec<u8>)> = found.iter().filter_map(link).collect();
    let links: Links<'_> = all
        .iter()
        .map(|(path, target)| (path.as_slice(), target.as_slice()))
        .collect();
    for (path, target) in &all {
        match leads(&links, path, target) {
            Leads::Inside => {}
            Leads::Absolute => problems.add(path, Refusal::AbsoluteLink(target.clone())),
            Leads::Outside => problems.add(path, Refusal::EscapingLink(target.clone())),
        }
    }
}

/// What decides which paths are shipped.
struct Rules {
    exclude: Exclude,
    secrets: Secrets,
}

/// How a pointer of Git LFS begins.
const POINTER: &[u8] = b"version https://git-lfs.github.com/spec/v1\n";

/// What reading a file tells. Empty for everything else.
#[derive(Clone, Copy, Debug, Default)]
struct Content {
    sha256: [u8; 32],
    capable: bool,
    key: Key,
    /// Git LFS has left a pointer in place of the file.
    pointer: bool,
}

/// Reads every file, on [`THREADS`] threads; one [`Content`] for each path, in their order. Of no use once an
/// interrupt came: then what was not read yet stays empty.
fn hash_all(tree: &Tree, found: &[Found], problems: &mut Problems, interrupts: &Interrupts) -> Vec<Content> {
    let next = AtomicUsize::new(0);
    let worker = || {
        let mut done = Vec::new();
        let mut problems = Problems::default();
        let mut parents = Parents::new(tree);
        let mut buffer = vec![0u8; 128 * 1024];
        loop {
            // A run of neighbours, so that they share the directory that is open.
            let start = next.fetch_add(64, Ordering::Relaxed);
            if start >= found.len() || interrupts.came() {
                return (done, problems);
            }
            for (at, one) in found.iter().enumerate().skip(start).take(64) {
                if one.node != Node::File {
                    continue;
                }
                match hash(&mut parents, one, &mut buffer, interrupts) {
                    Ok(Some(content)) => done.push((at, content)),
                    Ok(None) => problems.add(&one.path, Refusal::Changed),
                    Err(error) => problems.add(&one.path, Refusal::Unreadable(error)),
                }
            }
        }
    };
    let mut contents = vec![Content::default(); found.len()];
    let threads = thread::available_parallelism().map_or(2, |cores| cores.get().clamp(2, THREADS));
    thread::scope(|scope| {
        let workers: Vec<_> = (0..threads).map(|_| scope.spawn(worker)).collect();
        for worker in workers {
            let (done, found_wrong) = worker.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
            problems.append(found_wrong);
            for (at, content) in done {
                contents[at] = content;
            }
        }
    });
    contents
}

/// Reads one file; `None` when it is not what the walk saw, or changes meanwhile.
fn hash(
    parents: &mut Parents<'_>,
    found: &Found,
    buffer: &mut [u8],
    interrupts: &Interrupts,
) -> io::Result<Option<Content>> {
    let Some(mut file) = parents.file(&found.path, &found.stamp)? else {
        return Ok(None);
    };
    let mut hash = Sha256::new();
    let (mut size, mut key, mut pointer) = (0u64, Key::None, false);
    loop {
        match file.read(buffer) {
            Ok(0) => break,
            Ok(n) => {
                if size == 0 {
                    key = Key::of(&buffer[..n]);
                }
                hash.update(&buffer[..n]);
                // A pointer is smaller than 1024 bytes (Git LFS specification), so that one read has its beginning.
                pointer |= size == 0 && found.stamp.size() < 1024 && buffer[..n].starts_with(POINTER);
                size += n as u64;
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
        if size > found.stamp.size() || interrupts.came() {
            return Ok(None);
        }
    }
    if size != found.stamp.size() || !unchanged(&file, &found.stamp)? {
        return Ok(None);
    }
    Ok(Some(Content {
        sha256: hash.finalize().into(),
        capable: capable(&file),
        key,
        pointer,
    }))
}

/// Whether a file has Linux capabilities. Where that cannot be asked, there are none to lose.
fn capable(file: &File) -> bool {
    rustix::fs::fgetxattr(file, "security.capability", &mut [0u8; 64][..]).is_ok_and(|bytes| bytes > 0)
}
