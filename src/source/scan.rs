//! A source becomes a manifest, or a failure that names everything wrong with it. What is in a file is read elsewhere.

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::SystemTime;

use super::archive::{LIMITS, Unpacked, is_archive, unpack};
use super::content::{Content, read_all};
use super::exclude::Exclude;
use super::hashes::{Hashes, Remembered};
use super::links::{Leads, Links, leads};
use super::problem::{Problems, Refusal, source_name, stopped};
use super::secrets::Secrets;
use super::tree::{Stamp, Tree};
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
    /// What is remembered of its files, if it is a directory; without that, all are read.
    pub hashes: Option<Hashes<'a>>,
}

/// A source that can be shipped, as it was when it was read. Holds it open; an archive's unpacked copy is removed
/// when the last of this and its [`crate::upload::Pack`]s is dropped.
#[derive(Clone, Debug)]
pub struct Scanned {
    pub manifest: Arc<Manifest>,
    /// The manifest's.
    pub digest: Digest,
    /// What the person should know, one sentence each.
    pub warnings: Vec<String>,
    /// Whether a file was not read, because nobody had touched it since an earlier scan.
    pub remembered: bool,
    pub(crate) tree: Arc<Tree>,
    /// One for each entry of the manifest, in its order.
    pub(crate) stamps: Arc<Vec<Stamp>>,
    /// When the scan began, in seconds since 1970.
    pub(crate) began: u64,
}

/// Reads a source: walks it without following a symlink, hashes every file that is not known, and refuses what a host must
/// not get.
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
    let mut remembered = None;
    let unpacked = if meta.is_dir() {
        let tree = Tree::open(source.path).map_err(|error| unopened(&name, &error))?;
        remembered = source
            .hashes
            .and_then(|hashes| Remembered::of(&tree, source.path, source.exclude, hashes));
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
    let rules = (&rules, remembered.as_ref());
    read(unpacked, source.path, rules, began, interrupts)
}

fn unopened(name: &str, error: &io::Error) -> Failure {
    match error.kind() {
        io::ErrorKind::NotFound => {
            Failure::new(Exit::Untouched, format!("{name} does not exist")).why("it is the `source:` of deploy.yml")
        }
        _ => Failure::new(Exit::Untouched, format!("{name} cannot be read")).why(error.to_string()),
    }
}

fn read(
    unpacked: Unpacked,
    source: &Path,
    (rules, remembered): (&Rules, Option<&Remembered>),
    began: i64,
    interrupts: &Interrupts,
) -> Result<Scanned, Failure> {
    let Unpacked { tree, special } = unpacked;
    let mut seen = look(&tree, rules, remembered, interrupts);
    if seen.problems.only_changes() && !interrupts.came() {
        seen = look(&tree, rules, remembered, interrupts);
    }
    if interrupts.came() {
        return Err(stopped(&source_name(source)));
    }
    let Look {
        found,
        contents,
        problems,
        at,
        known,
    } = seen;
    problems.check(source)?;
    // Only now: a file that could not be read has no hash.
    if let Some(remembered) = remembered {
        remembered.renew(&found, &contents, at);
    }
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
        remembered: known,
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
    /// When it began.
    at: SystemTime,
    /// Whether something was known without it.
    known: bool,
}

/// Reads the tree once; not to its end when an interrupt comes.
fn look(tree: &Tree, rules: &Rules, remembered: Option<&Remembered>, interrupts: &Interrupts) -> Look {
    let at = SystemTime::now();
    let mut problems = Problems::default();
    let mut found = walk(tree, &rules.exclude, &mut problems, interrupts);
    found.sort_unstable_by(|a, b| a.path.cmp(&b.path));
    check_links(&found, &mut problems);
    let known = remembered.map_or_else(Vec::new, |remembered| remembered.known(&found));
    let contents = read_all(tree, &found, &known, &mut problems, interrupts);
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
        at,
        known: known.iter().any(Option::is_some),
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
