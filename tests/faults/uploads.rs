//! Uploads of random trees that are struck at random: the client, its connection or its session on the host. No wrong or
//! partial release is ever published, the release that runs stays as it was, and the next run converges. CI runs a
//! sample; `scripts/faults.sh uploads` runs many. Nothing here strikes a switch.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

use rustix::process::Signal;

use super::Underway;
use crate::apps::{Kind, Service};
use crate::bounds::{Ends as _, wait_for};
use crate::deploys::desk::{Desk, acme, current};
use crate::lab::{self, DelayProxy, Host, Suite, Way};
use crate::scripts::dice::Dice;

/// What would tell that a release was touched.
const STATE: &str =
    "find . -printf '%P %i %m %s %T@ %l\\0' | sort -z; find . -type f -print0 | sort -z | xargs -0 -r md5sum -z";

/// What strikes an upload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Blow {
    Client,
    Connection,
    Session,
}

#[derive(Debug, Default)]
struct Counts {
    struck: usize,
    /// Runs that did not send again what had arrived.
    resumed: usize,
}

struct Uploads<'a> {
    host: &'a Host,
    desk: Desk,
    proxy: DelayProxy,
    dice: Dice,
    counts: Counts,
}

impl<'a> Uploads<'a> {
    fn new(host: &'a Host, seed: u64) -> Self {
        let proxy = DelayProxy::to((host.address(), host.ssh_port()).into(), std::time::Duration::ZERO);
        let yml = acme("restart").with("keep_releases: 2");
        let mut desk = Desk::live(host, Service::Notify, &yml);
        desk.by_way_of(host, proxy.address());
        desk.write(&yml);
        desk.tree(Kind::Graceful, "v1");
        std::fs::create_dir(desk.path("source/tree")).unwrap();
        Self {
            host,
            desk,
            proxy,
            dice: Dice(seed),
            counts: Counts::default(),
        }
    }

    fn releases(&self) -> PathBuf {
        self.host.dir().join("root/opt/acme/releases")
    }

    /// Those that are published.
    fn published(&self) -> BTreeSet<String> {
        let names = std::fs::read_dir(self.releases()).unwrap();
        let names = names.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        names.filter(|name| !name.starts_with('.')).collect()
    }

    /// Every difference between the release and the source, by rsync: contents, types, targets, what is executable, what
    /// is missing and what is too much.
    fn differences(&self, release: &str) -> String {
        let mut rsync = Command::new("rsync");
        let ends = |path: &Path| format!("{}/", path.display());
        rsync
            .args(["--recursive", "--links", "--executability", "--checksum", "--delete"])
            .args(["--dry-run", "--itemize-changes", "--out-format=%i %n"])
            .arg(ends(&self.desk.path("source")))
            .arg(ends(&self.releases().join(release)));
        let out = rsync.ends();
        assert!(out.status.success(), "{out:?}");
        let text = String::from_utf8_lossy(&out.stdout);
        // Of directories only the times differ.
        text.lines().filter(|line| !line.starts_with(".d")).collect()
    }

    fn state(&self, release: &str) -> Vec<u8> {
        let mut shell = Command::new("sh");
        let out = shell
            .args(["-ec", STATE])
            .current_dir(self.releases().join(release))
            .ends();
        assert!(out.status.success(), "{out:?}");
        out.stdout
    }

    /// Starts an upload with so much that does not compress, and strikes it after as many bytes as the dice say, or after
    /// its end.
    fn strike(&mut self, blow: Blow, noise: usize) {
        let before = self.proxy.carried(Way::Up);
        // The handshake and the first commands are some 30 kB; what follows is the tree.
        let most = if self.dice.roll(4) == 0 { 40_000 } else { 50_000 + noise };
        let bytes = before + (most / 16 * self.dice.roll(17)) as u64;
        if blow == Blow::Connection {
            self.proxy.cut_after(Way::Up, bytes);
        }
        let mut underway = Underway::start(&self.desk, &["deploy", "--stage-only"]);
        if blow != Blow::Connection {
            wait_for("bytes or an end", || {
                self.proxy.carried(Way::Up) >= bytes || underway.has_ended()
            });
        }
        match blow {
            Blow::Client if !underway.has_ended() => underway.signal(Signal::KILL),
            Blow::Session => drop(self.host.root("pkill -KILL -u deploy")),
            Blow::Client | Blow::Connection => {}
        }
        let ran = underway.end();
        self.counts.struck += usize::from(ran.code() != Some(0));
        self.proxy.restore();
    }

    /// One upload of the tree after some edits; in most rounds one that is struck comes first.
    fn round(&mut self, round: usize) {
        let tree = self.desk.path("source/tree");
        for _ in 0..self.dice.roll(12) {
            self.dice.edit(&tree);
        }
        // What does not compress, so that it is on its way for a while.
        let sizes: &[usize] = match self.dice.roll(8) {
            0 => &[20_000_000],
            1..=3 => &[700_000; 20],
            _ => &[],
        };
        for (at, size) in sizes.iter().enumerate() {
            let seed = self.dice.roll(1_000_000) as u64;
            let mut noise = Dice(seed);
            let content: Vec<u8> = (0..*size).map(|_| noise.roll(256) as u8).collect();
            std::fs::write(tree.join(format!("noise-{at}")), content).unwrap();
        }
        let (live, known) = (current(self.host), self.published());
        let before = self.state(&live);
        let blow = [Blow::Client, Blow::Connection, Blow::Session, Blow::Client][self.dice.roll(4)];
        if self.dice.roll(4) != 0 {
            self.strike(blow, sizes.iter().sum());
        }
        assert_eq!(current(self.host), live, "round {round}, {blow:?}");
        // It may have been published just before it was struck.
        for new in self.published().difference(&known) {
            assert_eq!(self.differences(new), "", "round {round}, {blow:?}: {new}");
        }
        let args: &[&str] = if self.dice.roll(3) == 0 {
            &["deploy"]
        } else {
            &["deploy", "--stage-only"]
        };
        let ran = self.desk.json(args).leaves(0);
        self.counts.resumed += usize::from(ran.stdout.contains("arrived with an interrupted upload"));
        let release = ran.release();
        assert_eq!(self.differences(&release), "", "round {round}, {blow:?}: {ran}");
        assert_eq!(
            self.state(&live),
            before,
            "round {round}, {blow:?}: the live release changed"
        );
    }
}

#[test]
fn an_upload_that_is_struck_at_random_publishes_nothing_wrong_and_the_next_run_converges() {
    let host = lab::host!(Suite::Bookworm);
    let mut uploads = Uploads::new(&host, 3);
    (0..8).for_each(|round| uploads.round(round));
    let counts = &uploads.counts;
    assert!(counts.struck > 0 && counts.resumed > 0, "{counts:?}");
}

/// This host's part of 2,000 rounds.
#[test]
#[ignore = "takes half an hour: scripts/faults.sh uploads"]
fn many_random_uploads() {
    let host = lab::host!(Suite::Bookworm);
    let number = |name: &str, default: usize| std::env::var(name).map_or(default, |text| text.parse().unwrap());
    let seed = number("SHIPIT_FAULTS_SHARD", 0) as u64 + 100;
    let mut uploads = Uploads::new(&host, seed);
    for round in 1..=2_000 / number("SHIPIT_FAULTS_SHARDS", 1) {
        uploads.round(round);
        if round % 50 == 0 {
            eprintln!("round {round} of seed {seed}: {:?}", uploads.counts);
        }
    }
}
