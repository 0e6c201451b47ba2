//! A TCP proxy that is a bad line: it delays, freezes, cuts, counts. The kernel here has no netem.
//! Each direction of each connection is one thread that reads and one that writes when the time has come.

use std::io::{Read, Write};
use std::net::{IpAddr, Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use crate::bounds::PATIENCE;

/// A direction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// From the client to the host.
    Up,
    /// From the host to the client.
    Down,
}

/// How much is on the line at most, in chunks of 16 KiB, in each direction of a connection.
const IN_FLIGHT: usize = 256;

#[derive(Debug, Default)]
struct Line {
    /// One-way delay: up, down.
    delay: [Duration; 2],
    /// Bytes handed on: up, down.
    carried: [u64; 2],
    /// Deliver no byte beyond this many in that direction: freeze or cut there.
    limit: Option<(Way, u64, End)>,
    frozen: bool,
    refusing: bool,
    /// Connections accepted so far.
    connections: u64,
    /// Times that the client spoke after it had heard something, or first.
    turns: u64,
    last_way: Option<Way>,
    open: Vec<TcpStream>,
    closed: bool,
}

/// What happens at a limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    Freeze,
    Cut,
}

#[derive(Debug, Default)]
struct Shared {
    line: Mutex<Line>,
    changed: Condvar,
}

impl Shared {
    fn line(&self) -> MutexGuard<'_, Line> {
        self.line.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A proxy on a port of its own on the loopback.
#[derive(Debug)]
pub struct DelayProxy {
    shared: Arc<Shared>,
    address: SocketAddr,
}

impl DelayProxy {
    /// Forwards to that address, each way delayed by half of the round trip.
    pub fn to(target: SocketAddr, round_trip: Duration) -> Self {
        let listener = TcpListener::bind((IpAddr::V4(Ipv4Addr::LOCALHOST), 0)).unwrap();
        let address = listener.local_addr().unwrap();
        let shared = Arc::new(Shared::default());
        shared.line().delay = [round_trip / 2; 2];
        thread::spawn({
            let shared = Arc::clone(&shared);
            move || accept(&listener, target, &shared)
        });
        Self { shared, address }
    }

    /// Where clients connect.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Changes the delay of one direction, for bytes that are read from now on.
    pub fn delay(&self, way: Way, delay: Duration) {
        self.shared.line().delay[way as usize] = delay;
    }

    /// Bytes handed on in that direction so far.
    pub fn carried(&self, way: Way) -> u64 {
        self.shared.line().carried[way as usize]
    }

    /// Connections accepted so far.
    pub fn connections(&self) -> u64 {
        self.shared.line().connections
    }

    /// How often the client spoke after it had heard something: the round trips of a protocol that waits,
    /// without the one of TCP's own connecting.
    pub fn turns(&self) -> u64 {
        self.shared.line().turns
    }

    /// Delivers nothing any more, closes nothing: a dead line, as after a suspend or a lost route.
    pub fn freeze(&self) {
        self.shared.line().frozen = true;
    }

    /// Delivers again, what was held back first.
    pub fn thaw(&self) {
        self.change(|line| {
            line.frozen = false;
            line.limit = None;
        });
    }

    /// Resets all connections and refuses new ones until [`DelayProxy::restore`].
    pub fn cut(&self) {
        self.change(Line::cut);
    }

    /// Takes new connections again.
    pub fn restore(&self) {
        self.change(|line| {
            line.refusing = false;
            line.limit = None;
        });
    }

    /// Cuts by itself when so many bytes have been delivered in that direction, not one later.
    pub fn cut_after(&self, way: Way, bytes: u64) {
        self.shared.line().limit = Some((way, bytes, End::Cut));
    }

    /// Freezes by itself when so many bytes have been delivered in that direction, not one later.
    pub fn freeze_after(&self, way: Way, bytes: u64) {
        self.shared.line().limit = Some((way, bytes, End::Freeze));
    }

    /// Waits until at least so many connections have been accepted in all.
    #[track_caller]
    pub fn wait_for_connections(&self, count: u64) {
        self.wait_for(&format!("{count} connections"), |line| line.connections >= count);
    }

    /// Waits until at least so many bytes were delivered in that direction.
    #[track_caller]
    pub fn wait_for_bytes(&self, way: Way, bytes: u64) {
        self.wait_for(&format!("{bytes} bytes {way:?}"), |line| {
            line.carried[way as usize] >= bytes
        });
    }

    #[track_caller]
    fn wait_for(&self, what: &str, holds: impl Fn(&Line) -> bool) {
        let waited = self
            .shared
            .changed
            .wait_timeout_while(self.shared.line(), PATIENCE, |line| !holds(line));
        let (line, timeout) = waited.unwrap_or_else(PoisonError::into_inner);
        assert!(!timeout.timed_out(), "not within {PATIENCE:?}: {what}: {line:?}");
    }

    fn change(&self, change: impl FnOnce(&mut Line)) {
        change(&mut self.shared.line());
        self.shared.changed.notify_all();
    }
}

impl Drop for DelayProxy {
    fn drop(&mut self) {
        self.change(|line| {
            line.cut();
            line.closed = true;
        });
        // Wakes the accepting thread, which then sees that it is over.
        drop(TcpStream::connect(self.address));
    }
}

impl Line {
    fn cut(&mut self) {
        self.refusing = true;
        self.frozen = false;
        self.limit = None;
        for stream in self.open.drain(..) {
            reset(&stream);
        }
    }
}

/// Ends a connection with RST, so that nobody takes it for a goodbye.
fn reset(stream: &TcpStream) {
    // connect(2) to AF_UNSPEC is the way to an immediate RST. Some kernels refuse it while a thread reads.
    if rustix::net::connect_unspec(stream).is_err() {
        // Fails only for a connection that is gone already.
        drop(stream.shutdown(Shutdown::Both));
    }
}

fn accept(listener: &TcpListener, target: SocketAddr, shared: &Arc<Shared>) {
    for client in listener.incoming() {
        let Ok(client) = client else { continue };
        if shared.line().closed {
            return;
        }
        if shared.line().refusing {
            reset(&client);
            continue;
        }
        let Ok(host) = TcpStream::connect(target) else {
            reset(&client);
            continue;
        };
        for stream in [&client, &host] {
            stream.set_nodelay(true).unwrap();
        }
        {
            let mut line = shared.line();
            line.connections += 1;
            line.open
                .extend([client.try_clone().unwrap(), host.try_clone().unwrap()]);
        }
        shared.changed.notify_all();
        carry(&client, &host, Way::Up, shared);
        carry(&host, &client, Way::Down, shared);
    }
}

/// One direction of one connection: a reader that stamps, a writer that waits for the stamp.
fn carry(from: &TcpStream, to: &TcpStream, way: Way, shared: &Arc<Shared>) {
    let (sender, receiver) = sync_channel(IN_FLIGHT);
    let (from, to) = (from.try_clone().unwrap(), to.try_clone().unwrap());
    let (reader, writer) = (Arc::clone(shared), Arc::clone(shared));
    thread::spawn(move || read(from, way, &reader, &sender));
    thread::spawn(move || write(to, way, &writer, &receiver));
}

fn read(mut from: TcpStream, way: Way, shared: &Shared, to: &SyncSender<(Instant, Vec<u8>)>) {
    let mut chunk = [0; 16384];
    loop {
        // An end and an error both travel as an empty chunk, with the same delay.
        let read = from.read(&mut chunk).unwrap_or(0);
        let delay = shared.line().delay[way as usize];
        if to.send((Instant::now() + delay, chunk[..read].to_vec())).is_err() || read == 0 {
            return;
        }
    }
}

fn write(mut to: TcpStream, way: Way, shared: &Shared, from: &Receiver<(Instant, Vec<u8>)>) {
    for (when, bytes) in from {
        thread::sleep(when.saturating_duration_since(Instant::now()));
        let mut rest = &bytes[..];
        loop {
            let mut line = shared
                .changed
                .wait_while(shared.line(), |line| line.frozen)
                .unwrap_or_else(PoisonError::into_inner);
            if rest.is_empty() {
                break;
            }
            let carried = line.carried[way as usize];
            let now = match line.limit {
                Some((limited, limit, _)) if limited == way => {
                    rest.len().min(usize::try_from(limit.saturating_sub(carried)).unwrap())
                }
                _ => rest.len(),
            };
            // Counted before it is sent: whoever has the bytes finds them counted.
            line.carried[way as usize] += now as u64;
            if way == Way::Up && line.last_way != Some(Way::Up) {
                line.turns += 1;
            }
            line.last_way = Some(way);
            drop(line);
            // Outside the lock: a receiver that does not read holds up only this direction.
            if to.write_all(&rest[..now]).is_err() {
                shared.line().carried[way as usize] -= now as u64;
                return;
            }
            rest = &rest[now..];
            line = shared.line();
            match line.limit {
                Some((limited, limit, end)) if limited == way && line.carried[way as usize] >= limit => match end {
                    End::Freeze => line.frozen = true,
                    End::Cut => return line.cut(),
                },
                _ => {}
            }
            drop(line);
            shared.changed.notify_all();
        }
        if bytes.is_empty() {
            break;
        }
    }
    // The other side's goodbye, passed on; fails only if this side is gone too.
    drop(to.shutdown(Shutdown::Write));
}
