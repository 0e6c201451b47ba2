//! Room on the host's file systems, in bytes and inodes. Never here: what else the host lacks.

use super::{Area, Depth, Finding};
use crate::config::Config;
use crate::failure::Next;
use crate::observed::{Live, Observed};
use crate::text;

/// Below this a file system is full: nothing that matters can be written (KiB, inodes).
const FULL: (u64, u64) = (4096, 64);
/// Below this part of the whole, and this much (KiB), it soon will be.
const SOON: (u64, u64) = (20, 1 << 20);

/// Full disks, the app's first: what is full there stops deploys, what is full elsewhere stops services.
pub(super) fn findings(config: &Config, observed: &Observed, live: Option<&Live>) -> Vec<Finding> {
    let root = config.root.as_str();
    let full = |path: &str, what: String| {
        let finding = Finding::error(Area::Host, Depth::Room, format!("{path}: the disk is full: {what}"))
            .why("everything that writes there fails: deploys, logs, databases, starting services");
        let what_takes = Next::shell(format!("df -h {path}; sudo du -xh {path} | sort -h | tail"));
        // The live release and the one before it stay.
        if path == root && observed.releases.len() > 2 {
            finding.next(Next::shipit("prune --keep 1")).next(what_takes)
        } else {
            finding.next(what_takes)
        }
    };
    let mut found = Vec::new();
    if let Some(inodes) = observed.free_inodes.filter(|inodes| *inodes < FULL.1) {
        found.push(full(root, format!("{inodes} inodes are free")));
    }
    let inodes = live.into_iter().flat_map(|live| &live.answers.inodes);
    // The same number again is the same file system.
    let mut counted: Vec<u64> = observed.free_inodes.into_iter().collect();
    for (path, free) in inodes.filter(|(path, free)| *path != root && **free < FULL.1) {
        if counted.contains(free) {
            continue;
        }
        counted.push(*free);
        let find = format!("df -i {path}; sudo find {path} -xdev | cut -d/ -f1-4 | sort | uniq -c | sort -n | tail");
        found.push(
            Finding::error(
                Area::Host,
                Depth::Room,
                format!("{path}: the disk is full: {free} inodes are free"),
            )
            .why("nothing can create a file there, although `df` shows free space")
            .next(Next::shell(find).remark("shows where the files are")),
        );
    }
    let spaces = live.map(|live| &live.answers.space);
    let mut told = Vec::new();
    for (path, &(free, total)) in spaces.into_iter().flatten() {
        let free = if path == root {
            observed.free_kb.unwrap_or(free)
        } else {
            free
        };
        // Several paths may lie on one file system: said once.
        if told.contains(&(free, total)) {
            continue;
        }
        let left = text::bytes(free * 1024);
        if free < FULL.0 {
            told.push((free, total));
            found.push(full(path, format!("{left} are free")));
        } else if free < total / SOON.0 && free < SOON.1 {
            told.push((free, total));
            found.push(
                Finding::warning(
                    Area::Host,
                    Depth::Room,
                    format!("{path}: {left} of {} are free", text::bytes(total * 1024)),
                )
                .why("a full disk breaks deploys and services")
                .next(Next::shell(format!("df -h {path}"))),
            );
        }
    }
    if let (Some(free), true) = (observed.free_kb, found.is_empty())
        && free < FULL.0
    {
        found.push(full(root, format!("{} are free", text::bytes(free * 1024))));
    }
    found
}
