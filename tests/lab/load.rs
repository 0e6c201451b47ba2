//! An open-loop HTTP load client: requests leave at their time whether or not the server keeps up, no request is
//! ever retried, and every one that fails is counted with how it failed. `client` is what asks.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use super::client::Client;
use crate::bounds::PATIENCE;

/// How a request failed.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Miss {
    /// Nobody listened.
    Refused,
    /// The connection was reset, before or in the answer.
    Reset,
    /// The connection was closed before a whole answer.
    Eof,
    /// No whole answer in time.
    Timeout,
    /// An answer with another status than 200.
    Status(u16),
    /// Another error of the network, as the kernel names it.
    Network(String),
}

/// What was seen so far.
#[derive(Clone, Debug)]
pub struct Counts {
    /// Answers with status 200.
    pub ok: u64,
    /// All else, by kind.
    pub missed: BTreeMap<Miss, u64>,
    /// Good answers by the version in their body (`ok v2` and `v2` are both `v2`).
    pub versions: BTreeMap<String, u64>,
    /// Longest time without a good answer: from the start to the first one and from the last one to the stop
    /// count too.
    pub longest_gap: Duration,
    /// Longest time from the moment a request was due to its good answer.
    pub slowest: Duration,
    /// Kept connections that the server closed between requests: no failure, but a client that is less lucky
    /// would have met a reset.
    pub idle_closed: u64,
    pub(super) last_good: Instant,
}

impl Counts {
    fn new() -> Self {
        Self {
            ok: 0,
            missed: BTreeMap::new(),
            versions: BTreeMap::new(),
            longest_gap: Duration::ZERO,
            slowest: Duration::ZERO,
            idle_closed: 0,
            last_good: Instant::now(),
        }
    }

    /// How many requests failed.
    pub fn failures(&self) -> u64 {
        self.missed.values().sum()
    }

    /// How many requests ended.
    pub fn total(&self) -> u64 {
        self.ok + self.failures()
    }

    /// How many good answers came from that version.
    pub fn from(&self, version: &str) -> u64 {
        self.versions.get(version).copied().unwrap_or(0)
    }

    pub(super) fn good(&mut self, body: &str, due: Instant) {
        let now = Instant::now();
        self.ok += 1;
        self.longest_gap = self.longest_gap.max(now - self.last_good);
        self.last_good = now;
        self.slowest = self.slowest.max(now - due);
        let body = body.trim();
        let version = body.strip_prefix("ok ").unwrap_or(body);
        *self.versions.entry(version.to_owned()).or_default() += 1;
    }

    pub(super) fn miss(&mut self, miss: Miss) {
        *self.missed.entry(miss).or_default() += 1;
    }
}

/// What to ask, how often.
#[derive(Clone, Debug)]
pub struct Load {
    pub(super) to: SocketAddr,
    pub(super) path: String,
    pub(super) method: &'static str,
    pub(super) rate: u32,
    pub(super) kept: usize,
    pub(super) timeout: Duration,
}

impl Load {
    /// 100 `GET /` a second, each on a new connection, 60 s for an answer.
    pub fn on(to: SocketAddr) -> Self {
        Self {
            to,
            path: "/".to_owned(),
            method: "GET",
            rate: 100,
            kept: 0,
            timeout: Duration::from_secs(60),
        }
    }

    /// Requests a second.
    #[must_use]
    pub fn rate(self, rate: u32) -> Self {
        Self { rate, ..self }
    }

    /// The path to ask for.
    #[must_use]
    pub fn path(self, path: &str) -> Self {
        Self {
            path: path.to_owned(),
            ..self
        }
    }

    /// Asks with POST, which no proxy may repeat.
    #[must_use]
    pub fn post(self) -> Self {
        Self { method: "POST", ..self }
    }

    /// Uses that many kept connections in turn, instead of a new one for each request. A request whose turn
    /// comes while all are busy waits; its waiting counts as the server's slowness.
    #[must_use]
    pub fn keep_alive(self, connections: usize) -> Self {
        Self {
            kept: connections,
            ..self
        }
    }

    /// How long a request may take from the moment it is sent.
    #[must_use]
    pub fn timeout(self, timeout: Duration) -> Self {
        Self { timeout, ..self }
    }

    /// Starts asking.
    pub fn start(self) -> Running {
        let counts = Arc::new(Mutex::new(Counts::new()));
        let stop = Arc::new(AtomicBool::new(false));
        let client = Client::new(self, Arc::clone(&counts));
        let thread = thread::spawn({
            let stop = Arc::clone(&stop);
            move || client.run(&stop)
        });
        Running {
            counts,
            stop,
            thread: Some(thread),
        }
    }

    /// Asks for that long, and waits for the last answers.
    pub fn run_for(self, time: Duration) -> Counts {
        let running = self.start();
        thread::sleep(time);
        running.stop()
    }
}

/// A load that goes on until it is stopped or dropped.
#[derive(Debug)]
pub struct Running {
    counts: Arc<Mutex<Counts>>,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Running {
    /// What was seen so far.
    pub fn counts(&self) -> Counts {
        lock(&self.counts).clone()
    }

    /// Waits until the counts satisfy that; panics with them when that does not come.
    #[track_caller]
    pub fn wait_until(&self, what: &str, holds: impl Fn(&Counts) -> bool) {
        let until = Instant::now() + PATIENCE;
        while !holds(&self.counts()) {
            assert!(
                Instant::now() < until,
                "not within {PATIENCE:?}: {what}: {:?}",
                self.counts()
            );
            thread::sleep(Duration::from_millis(10));
        }
    }

    /// Sends no more, waits for the answers that are due, and tells all.
    pub fn stop(mut self) -> Counts {
        self.end();
        self.counts()
    }

    fn end(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let ended = thread.join();
            assert!(ended.is_ok() || thread::panicking(), "the load client panicked");
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.end();
    }
}

/// The counts, also after a panic elsewhere.
pub(super) fn lock(counts: &Mutex<Counts>) -> MutexGuard<'_, Counts> {
    counts.lock().unwrap_or_else(PoisonError::into_inner)
}
