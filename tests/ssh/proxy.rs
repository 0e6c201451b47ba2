//! A TCP proxy that delays what it carries, and can stop carrying without closing anything.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::channel;
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};

/// Listens on a port of its own for as long as the test runs.
pub struct Proxy {
    pub port: u16,
    gate: Arc<Gate>,
}

#[derive(Default)]
struct Gate {
    frozen: Mutex<bool>,
    thawed: Condvar,
    over: AtomicBool,
}

impl Proxy {
    /// Carries to this port of loopback, each direction late by half of the round trip.
    pub fn to(port: u16, round_trip: Duration) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let gate = Arc::new(Gate::default());
        let proxy = Self {
            port: listener.local_addr().unwrap().port(),
            gate: Arc::clone(&gate),
        };
        std::thread::spawn(move || {
            for near in listener.incoming().map_while(Result::ok) {
                let Ok(far) = TcpStream::connect(("127.0.0.1", port)) else {
                    continue;
                };
                for (from, to) in [(&near, &far), (&far, &near)] {
                    to.set_nodelay(true).unwrap();
                    let (from, to) = (from.try_clone().unwrap(), to.try_clone().unwrap());
                    carry(from, to, round_trip / 2, Arc::clone(&gate));
                }
            }
        });
        proxy
    }

    /// From now on nothing passes, in either direction; the connections stay open.
    pub fn freeze(&self) {
        *self.gate.frozen.lock().unwrap() = true;
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.gate.over.store(true, Ordering::SeqCst);
        *self.gate.frozen.lock().unwrap() = false;
        self.gate.thawed.notify_all();
    }
}

fn carry(mut from: TcpStream, mut to: TcpStream, late: Duration, gate: Arc<Gate>) {
    // A bounded queue would bound the delay line's throughput; the SSH window bounds what can be in it.
    let (sender, due) = channel::<(Instant, Vec<u8>)>();
    std::thread::spawn(move || {
        let mut bytes = vec![0; 65_536];
        while let Ok(n) = from.read(&mut bytes) {
            if n == 0 || sender.send((Instant::now() + late, bytes[..n].to_vec())).is_err() {
                break;
            }
        }
    });
    std::thread::spawn(move || {
        for (at, bytes) in due {
            std::thread::sleep(at.saturating_duration_since(Instant::now()));
            let mut frozen = gate.frozen.lock().unwrap();
            while *frozen {
                frozen = gate.thawed.wait(frozen).unwrap();
            }
            drop(frozen);
            if gate.over.load(Ordering::SeqCst) || to.write_all(&bytes).is_err() {
                break;
            }
        }
        let _ = to.shutdown(Shutdown::Write);
    });
}
