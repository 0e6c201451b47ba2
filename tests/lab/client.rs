//! What asks: one thread, one poll loop over non-blocking sockets. [`super::Load`] says what, and keeps the counts.

use std::collections::VecDeque;
use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::fd::OwnedFd;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketFlags, SocketType, connect, socket_with, sockopt};

use super::load::{Counts, Load, Miss, lock};

/// One request on its way.
struct Asking {
    stream: TcpStream,
    due: Instant,
    gives_up: Instant,
    to_send: Vec<u8>,
    got: Vec<u8>,
}

/// What became of a request after a turn of the loop.
enum Turn {
    Waits,
    Answered { body: String, status: u16, kept: bool },
    Missed(Miss),
}

/// One load: requests under way, and connections that are kept between them.
pub(super) struct Client {
    load: Load,
    counts: Arc<Mutex<Counts>>,
    asking: Vec<Asking>,
    idle: VecDeque<TcpStream>,
}

impl Client {
    pub(super) fn new(load: Load, counts: Arc<Mutex<Counts>>) -> Self {
        Self {
            load,
            counts,
            asking: Vec::new(),
            idle: VecDeque::new(),
        }
    }

    /// Asks until it is told to stop, then waits for the last answers.
    pub(super) fn run(mut self, stop: &AtomicBool) {
        let start = Instant::now();
        let pause = Duration::from_secs(1) / self.load.rate;
        let mut sent = 0;
        let mut waiting = VecDeque::new();
        let mut stopped = false;
        lock(&self.counts).last_good = start;
        while !stopped || !self.asking.is_empty() || !waiting.is_empty() {
            if !stopped && stop.load(Ordering::Relaxed) {
                stopped = true;
                let mut counts = lock(&self.counts);
                counts.longest_gap = counts.longest_gap.max(counts.last_good.elapsed());
            }
            while !stopped && start + pause * sent <= Instant::now() {
                waiting.push_back(start + pause * sent);
                sent += 1;
            }
            self.drop_closed();
            while self.load.kept == 0 || self.asking.len() < self.load.kept {
                let Some(due) = waiting.pop_front() else {
                    break;
                };
                self.ask(due);
            }
            self.wait(if stopped {
                Duration::from_millis(20)
            } else {
                (start + pause * sent).saturating_duration_since(Instant::now())
            });
            self.read();
        }
    }

    /// Kept connections that the server closed while they were idle.
    fn drop_closed(&mut self) {
        let before = self.idle.len();
        self.idle
            .retain(|stream| matches!(stream.peek(&mut [0]), Err(error) if error.kind() == ErrorKind::WouldBlock));
        if before > self.idle.len() {
            lock(&self.counts).idle_closed += (before - self.idle.len()) as u64;
        }
    }

    fn ask(&mut self, due: Instant) {
        let stream = match self.idle.pop_front().map_or_else(|| open(self.load.to), Ok) {
            Ok(stream) => stream,
            Err(errno) => return lock(&self.counts).miss(named(errno)),
        };
        let connection = if self.load.kept == 0 { "close" } else { "keep-alive" };
        let Load { method, path, to, .. } = &self.load;
        let to_send =
            format!("{method} {path} HTTP/1.1\r\nHost: {to}\r\nContent-Length: 0\r\nConnection: {connection}\r\n\r\n");
        let gives_up = Instant::now() + self.load.timeout;
        self.asking.push(Asking {
            stream,
            due,
            gives_up,
            to_send: to_send.into_bytes(),
            got: Vec::new(),
        });
    }

    /// Sleeps until something can be read or sent, or that time is over.
    fn wait(&self, time: Duration) {
        let mut all: Vec<_> = self
            .asking
            .iter()
            .map(|asking| {
                PollFd::new(
                    &asking.stream,
                    if asking.to_send.is_empty() {
                        PollFlags::IN
                    } else {
                        PollFlags::OUT
                    },
                )
            })
            .collect();
        let time = time.min(Duration::from_millis(50));
        let time = Timespec {
            tv_sec: 0,
            tv_nsec: time.subsec_nanos().into(),
        };
        match poll(&mut all, Some(&time)) {
            Ok(_) | Err(Errno::INTR) => {}
            Err(error) => panic!("poll: {error}"),
        }
    }

    fn read(&mut self) {
        let now = Instant::now();
        let mut still = Vec::with_capacity(self.asking.len());
        let mut counts = lock(&self.counts);
        for mut asking in self.asking.drain(..) {
            match asking.turn() {
                Turn::Waits if now < asking.gives_up => still.push(asking),
                Turn::Waits => counts.miss(Miss::Timeout),
                Turn::Missed(miss) => counts.miss(miss),
                Turn::Answered { body, status, kept } => {
                    if status == 200 {
                        counts.good(&body, asking.due);
                    } else {
                        counts.miss(Miss::Status(status));
                    }
                    if kept && self.load.kept > 0 {
                        self.idle.push_back(asking.stream);
                    }
                }
            }
        }
        drop(counts);
        self.asking = still;
    }
}

impl Asking {
    fn turn(&mut self) -> Turn {
        while !self.to_send.is_empty() {
            // The outcome of connecting waits in the socket; taking it clears it.
            if let Ok(Err(errno)) = sockopt::socket_error(&self.stream) {
                return Turn::Missed(named(errno));
            }
            match self.stream.write(&self.to_send) {
                Ok(sent) => drop(self.to_send.drain(..sent)),
                Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::NotConnected) => {
                    return Turn::Waits;
                }
                Err(error) => return Turn::Missed(Miss::from(error)),
            }
        }
        let mut chunk = [0; 16384];
        loop {
            match self.stream.read(&mut chunk) {
                Ok(0) => return Turn::Missed(Miss::Eof),
                Ok(read) => self.got.extend_from_slice(&chunk[..read]),
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Turn::Waits,
                Err(error) => return Turn::Missed(Miss::from(error)),
            }
            if let Some(answer) = answer(&self.got) {
                return answer;
            }
        }
    }
}

impl From<std::io::Error> for Miss {
    fn from(error: std::io::Error) -> Self {
        Errno::from_io_error(&error).map_or_else(|| Self::Network(error.to_string()), named)
    }
}

fn named(errno: Errno) -> Miss {
    match errno {
        Errno::CONNREFUSED => Miss::Refused,
        Errno::CONNRESET | Errno::PIPE => Miss::Reset,
        Errno::TIMEDOUT => Miss::Timeout,
        other => Miss::Network(other.to_string()),
    }
}

/// Begins to connect and does not wait for it.
fn open(to: SocketAddr) -> Result<TcpStream, Errno> {
    let family = if to.is_ipv4() {
        AddressFamily::INET
    } else {
        AddressFamily::INET6
    };
    let socket: OwnedFd = socket_with(
        family,
        SocketType::STREAM,
        SocketFlags::NONBLOCK | SocketFlags::CLOEXEC,
        None,
    )?;
    match connect(&socket, &to) {
        Ok(()) | Err(Errno::INPROGRESS) => {}
        Err(errno) => return Err(errno),
    }
    let stream = TcpStream::from(socket);
    sockopt::set_tcp_nodelay(&stream, true)?;
    Ok(stream)
}

/// The answer, once all of it is there: a status line, headers, and a body of the length they say.
fn answer(got: &[u8]) -> Option<Turn> {
    let end = got.windows(4).position(|four| four == b"\r\n\r\n")?;
    let head = String::from_utf8_lossy(&got[..end]).to_lowercase();
    let field = |name: &str| head.lines().find_map(|line| line.strip_prefix(name)).map(str::trim);
    let length: usize = field("content-length:")
        .and_then(|value| value.parse().ok())
        .unwrap_or(0);
    let body = got.get(end + 4..end + 4 + length)?;
    let Some(status) = head.split(' ').nth(1).and_then(|status| status.parse().ok()) else {
        return Some(Turn::Missed(Miss::Network("no status line".to_owned())));
    };
    let kept = field("connection:") != Some("close");
    Some(Turn::Answered {
        body: String::from_utf8_lossy(body).into_owned(),
        status,
        kept,
    })
}
