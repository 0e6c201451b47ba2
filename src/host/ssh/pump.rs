//! Moves the bytes between libssh2 and the server, over TCP or a child (`ssh -W`, a ProxyCommand): a socket pair and one
//! thread. Counts them and keeps the time of the last sign of life; knows nothing of SSH.
//!
//! libssh2 hides what it receives, and needs a socket: with the pump, silence is noticed through any proxy.

use std::io;
use std::net::{Shutdown, TcpStream, ToSocketAddrs};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::net::{RecvFlags, SendFlags, recv, send, sockopt};

use super::config::Family;
use super::proxy::Proxied;

/// One direction's buffer. Larger ones measured no faster.
const BUFFER: usize = 256 * 1024;

/// For the remaining bytes to be sent after the end.
const LINGER: Duration = Duration::from_secs(1);

#[derive(Debug)]
struct Counters {
    sent: AtomicU64,
    received: AtomicU64,
    /// Milliseconds from `began` to the last sign of life.
    alive: AtomicU64,
    closed: AtomicBool,
    began: Instant,
}

impl Counters {
    fn mark_alive(&self) {
        let now = u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.alive.store(now, Ordering::Relaxed);
    }
}

/// libssh2's end of the connection. Dropping it ends the connection and the child, without waiting for either.
pub struct Pump {
    near: UnixStream,
    counters: Arc<Counters>,
    child: Option<Proxied>,
}

impl Pump {
    /// Fails when no socket pair or thread can be created.
    pub fn start(far: OwnedFd, child: Option<Proxied>) -> io::Result<Self> {
        let (near, inner) = UnixStream::pair()?;
        near.set_nonblocking(true)?;
        inner.set_nonblocking(true)?;
        rustix::io::ioctl_fionbio(&far, true)?;
        let counters = Arc::new(Counters {
            began: Instant::now(),
            sent: Default::default(),
            received: Default::default(),
            alive: Default::default(),
            closed: Default::default(),
        });
        let counted = Arc::clone(&counters);
        std::thread::Builder::new()
            .name("ssh pump".into())
            .spawn(move || pump(&inner, &far, &counted))?;
        Ok(Self { near, counters, child })
    }

    /// The socket for libssh2, which owns it. Fails when there are no more descriptors.
    pub fn socket(&self) -> io::Result<UnixStream> {
        self.near.try_clone()
    }

    pub fn near(&self) -> BorrowedFd<'_> {
        self.near.as_fd()
    }

    /// Whether a small packet can be sent whole now. libssh2 keeps some packets on its stack and cannot finish them
    /// later, so nothing is sent before this is true.
    pub fn has_room(&self) -> bool {
        ready_within(self.near(), PollFlags::OUT, Duration::ZERO)
    }

    /// Bytes sent and received.
    pub fn traffic(&self) -> (u64, u64) {
        (
            self.counters.sent.load(Ordering::Relaxed),
            self.counters.received.load(Ordering::Relaxed),
        )
    }

    /// The last sign of life of the far side: bytes from it, or room for ours where there was none.
    pub fn alive(&self) -> Instant {
        self.counters.began + Duration::from_millis(self.counters.alive.load(Ordering::Relaxed))
    }

    /// Whether the far side closes within this time. libssh2 has read everything that came before, so only the end makes
    /// our side readable.
    pub fn closes_within(&self, limit: Duration) -> bool {
        ready_within(self.near(), PollFlags::IN, limit);
        self.counters.closed.load(Ordering::Acquire)
    }

    /// Ends the connection now; every wait on it fails.
    pub fn shut(&self) {
        // It may be closed already.
        let _ = self.near.shutdown(Shutdown::Both);
    }

    /// The last lines of the child's stderr.
    pub fn child_messages(&mut self) -> Vec<String> {
        let child = self.child.as_mut();
        child.map(Proxied::messages).unwrap_or_default()
    }
}

impl Drop for Pump {
    fn drop(&mut self) {
        self.shut();
    }
}

fn ready_within(fd: BorrowedFd<'_>, ready: PollFlags, limit: Duration) -> bool {
    let limit = Timespec::try_from(limit).unwrap_or_default();
    poll(&mut [PollFd::from_borrowed_fd(fd, ready)], Some(&limit)).is_ok_and(|n| n > 0)
}

/// One direction: bytes read and not yet written.
struct Flow {
    bytes: Vec<u8>,
    from: usize,
    to: usize,
}

impl Flow {
    fn new() -> Self {
        Self {
            bytes: vec![0; BUFFER],
            from: 0,
            to: 0,
        }
    }
    fn empty(&self) -> bool {
        self.from == self.to
    }
    /// Reads once, 0 bytes when there are none; fails at the end of the stream, too.
    fn fill(&mut self, fd: BorrowedFd<'_>) -> Result<usize, Errno> {
        let n = match recv(fd, &mut self.bytes[..], RecvFlags::empty()) {
            Ok((0, _)) => return Err(Errno::PIPE),
            read => later(read.map(|(n, _)| n))?,
        };
        if n > 0 {
            (self.from, self.to) = (0, n);
        }
        Ok(n)
    }
    /// Writes once, 0 bytes when there is no room.
    fn give(&mut self, fd: BorrowedFd<'_>) -> Result<usize, Errno> {
        let bytes = &self.bytes[self.from..self.to];
        let n = later(send(fd, bytes, SendFlags::NOSIGNAL))?;
        self.from += n;
        Ok(n)
    }
}

fn later(moved: Result<usize, Errno>) -> Result<usize, Errno> {
    match moved {
        Err(Errno::AGAIN | Errno::INTR) => Ok(0),
        moved => moved,
    }
}

/// Moves bytes both ways until one side ends, then the rest to the other side. Both close with the descriptors.
fn pump(near: &UnixStream, far: &OwnedFd, counters: &Counters) {
    let (mut out, mut back) = (Flow::new(), Flow::new());
    let mut full = false; // the far side had no room for ours
    let ended_by_us = loop {
        let mut fds = [
            PollFd::from_borrowed_fd(near.as_fd(), wanted(&out, &back)),
            PollFd::from_borrowed_fd(far.as_fd(), wanted(&back, &out)),
        ];
        match poll(&mut fds, None) {
            Ok(_) => {}
            Err(Errno::INTR) => continue,
            Err(_) => break false,
        }
        let ready = |flags: PollFlags| flags.intersects(PollFlags::IN | PollFlags::HUP | PollFlags::ERR);
        let (near_ready, far_ready) = (ready(fds[0].revents()), ready(fds[1].revents()));
        if out.empty() && near_ready && out.fill(near.as_fd()).is_err() {
            break true;
        }
        if back.empty() && far_ready {
            match back.fill(far.as_fd()) {
                Ok(n) if n > 0 => {
                    counters.received.fetch_add(n as u64, Ordering::Relaxed);
                    counters.mark_alive();
                }
                Ok(_) => {}
                Err(_) => break false,
            }
        }
        if !out.empty() {
            match out.give(far.as_fd()) {
                Ok(0) => full = true,
                Ok(n) => {
                    counters.sent.fetch_add(n as u64, Ordering::Relaxed);
                    if full {
                        counters.mark_alive();
                    }
                    full = !out.empty();
                }
                Err(_) => break false,
            }
        }
        if !back.empty() && back.give(near.as_fd()).is_err() {
            break true;
        }
    };
    counters.closed.store(true, Ordering::Release);
    let (mut rest, to) = if ended_by_us {
        (out, far.as_fd())
    } else {
        (back, near.as_fd())
    };
    let until = Instant::now() + LINGER;
    while !rest.empty() && Instant::now() < until && rest.give(to).is_ok() {
        ready_within(to, PollFlags::OUT, Duration::from_millis(100));
    }
}

/// Read if the buffer for it is empty, write if the other one is not.
fn wanted(read: &Flow, write: &Flow) -> PollFlags {
    let mut flags = PollFlags::empty();
    flags.set(PollFlags::IN, read.empty());
    flags.set(PollFlags::OUT, !write.empty());
    flags
}

/// Connects to the first address that accepts, each with the same limit.
/// Fails with one line for each address that was tried, or the resolver's message.
pub fn tcp(host: &str, port: u16, family: Family, limit: Duration) -> Result<OwnedFd, Vec<String>> {
    let addresses = (host, port)
        .to_socket_addrs()
        .map_err(|e| vec![format!("cannot resolve {host}: {e}")])?;
    let mut failures = Vec::new();
    for address in addresses.filter(|a| match family {
        Family::Any => true,
        Family::V4 => a.is_ipv4(),
        Family::V6 => a.is_ipv6(),
    }) {
        match TcpStream::connect_timeout(&address, limit).and_then(|stream| tune(&stream).map(|()| stream)) {
            Ok(stream) => return Ok(stream.into()),
            Err(e) if e.kind() == io::ErrorKind::TimedOut => {
                failures.push(format!("{address}: no reply within {} s", limit.as_secs()));
            }
            Err(e) => failures.push(format!("{address}: {e}")),
        }
    }
    if failures.is_empty() {
        failures.push(format!("{host} has no address of this AddressFamily"));
    }
    Err(failures)
}

/// No Nagle (measured: it costs 45 ms per step), and the kernel's keepalive for the time between commands.
fn tune(stream: &TcpStream) -> io::Result<()> {
    stream.set_nodelay(true)?;
    sockopt::set_socket_keepalive(stream, true)?;
    sockopt::set_tcp_keepidle(stream, Duration::from_secs(15))?;
    sockopt::set_tcp_keepintvl(stream, Duration::from_secs(5))?;
    sockopt::set_tcp_keepcnt(stream, 3)?;
    Ok(())
}
