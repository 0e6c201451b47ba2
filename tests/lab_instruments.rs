//! The load client and the delay proxy measure what they claim to: each is held against a server that fails in a
//! known way, or a line of known length.

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

use crate::apps::{self, Kind, Service};
use crate::bounds::PATIENCE;
use crate::lab::{self, DelayProxy, Load, Miss, Suite, Way};

/// A server on the loopback that sends back what it gets.
fn echo() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            thread::spawn(move || std::io::copy(&mut &stream, &mut &stream));
        }
    });
    address
}

fn say(line: &mut TcpStream, text: &[u8]) -> Duration {
    let start = Instant::now();
    line.write_all(text).unwrap();
    line.read_exact(&mut vec![0; text.len()]).unwrap();
    start.elapsed()
}

#[test]
fn a_proxy_delays_each_way_and_counts() {
    let proxy = DelayProxy::to(echo(), Duration::from_millis(100));
    let mut line = TcpStream::connect(proxy.address()).unwrap();
    proxy.wait_for_connections(1);
    // The best of many: no answer comes too early, and a busy machine does not hold up all of them.
    let best = |line: &mut TcpStream| (0..20).map(|_| say(line, b"hello")).min().unwrap();
    let took = best(&mut line);
    assert!(
        (Duration::from_millis(100)..Duration::from_millis(180)).contains(&took),
        "{took:?}"
    );
    proxy.delay(Way::Down, Duration::ZERO);
    let took = best(&mut line);
    assert!(
        (Duration::from_millis(50)..Duration::from_millis(99)).contains(&took),
        "{took:?}"
    );
    assert_eq!(
        (
            proxy.carried(Way::Up),
            proxy.carried(Way::Down),
            proxy.turns(),
            proxy.connections()
        ),
        (200, 200, 40, 1)
    );
}

#[test]
fn a_delayed_line_is_long_not_narrow() {
    let proxy = DelayProxy::to(echo(), Duration::from_millis(100));
    let line = TcpStream::connect(proxy.address()).unwrap();
    let start = Instant::now();
    let bytes = vec![b'x'; 4 << 20];
    // If one chunk of 16 KiB had to arrive before the next is sent.
    let narrow = Duration::from_millis(100) * (4 << 20) / (16 << 10);
    thread::scope(|scope| {
        scope.spawn(|| (&line).write_all(&bytes).unwrap());
        (&line).read_exact(&mut vec![0; bytes.len()]).unwrap();
    });
    assert!(
        start.elapsed() < narrow / 2,
        "4 MiB there and back took {:?}",
        start.elapsed()
    );
}

#[test]
fn a_frozen_line_holds_back_and_a_cut_one_is_reset() {
    let proxy = DelayProxy::to(echo(), Duration::ZERO);
    let mut line = TcpStream::connect(proxy.address()).unwrap();
    say(&mut line, b"hello");
    proxy.freeze();
    line.write_all(b"held").unwrap();
    line.set_read_timeout(Some(Duration::from_millis(200))).unwrap();
    assert_eq!(
        line.read(&mut [0; 4]).map_err(|error| error.kind()),
        Err(ErrorKind::WouldBlock)
    );
    proxy.thaw();
    line.set_read_timeout(Some(PATIENCE)).unwrap();
    line.read_exact(&mut [0; 4]).unwrap();
    proxy.cut();
    assert_eq!(
        line.read(&mut [0; 4]).map_err(|error| error.kind()),
        Err(ErrorKind::ConnectionReset)
    );
    let again = TcpStream::connect(proxy.address()).and_then(|mut line| line.read(&mut [0; 4]));
    assert_eq!(
        again.map_err(|error| error.kind()),
        Err(ErrorKind::ConnectionReset),
        "cut means cut for new ones too"
    );
    proxy.restore();
    say(&mut TcpStream::connect(proxy.address()).unwrap(), b"hello");
}

#[test]
fn a_line_breaks_at_the_byte_that_was_asked_for() {
    let proxy = DelayProxy::to(echo(), Duration::ZERO);
    proxy.cut_after(Way::Up, 100_000);
    let mut line = TcpStream::connect(proxy.address()).unwrap();
    drop(line.write_all(&vec![b'x'; 300_000]));
    let heard = line.read_to_end(&mut Vec::new()).map_err(|error| error.kind());
    assert_eq!(heard, Err(ErrorKind::ConnectionReset));
    assert_eq!(proxy.carried(Way::Up), 100_000);

    let proxy = DelayProxy::to(echo(), Duration::ZERO);
    proxy.freeze_after(Way::Down, 70_000);
    let mut line = TcpStream::connect(proxy.address()).unwrap();
    line.set_read_timeout(Some(PATIENCE)).unwrap();
    line.write_all(&vec![b'x'; 100_000]).unwrap();
    line.read_exact(&mut vec![0; 70_000]).unwrap();
    line.set_read_timeout(Some(Duration::from_millis(300))).unwrap();
    let more = line.read(&mut [0]).map_err(|error| error.kind());
    assert_eq!(more, Err(ErrorKind::WouldBlock));
    proxy.thaw();
    line.set_read_timeout(Some(PATIENCE)).unwrap();
    line.read_exact(&mut vec![0; 30_000]).unwrap();
}

/// Answers connection number N of a load as `answers[N]` says; the rest are accepted and kept waiting.
fn serve(answers: Vec<&'static str>) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        let mut kept = Vec::new();
        for (number, stream) in listener.incoming().flatten().enumerate() {
            let mut request = [0; 1024];
            match answers.get(number).copied() {
                Some("reset") => drop(stream), // unread bytes: the kernel resets
                Some(answer) => {
                    let asked = (&stream).read(&mut request).unwrap();
                    assert!(asked > 0);
                    (&stream).write_all(answer.as_bytes()).unwrap();
                }
                None => kept.push(stream),
            }
        }
    });
    address
}

#[test]
fn every_way_to_fail_has_its_count() {
    let to = serve(vec![
        "HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nok v1\n",
        "HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 60\r\n\r\ncut of",
        "",
        "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nv2",
    ]);
    let load = Load::on(to).rate(20).timeout(Duration::from_secs(3)).start();
    load.wait_until("two requests without an answer", |counts| {
        counts.missed.get(&Miss::Timeout) >= Some(&2)
    });
    let counts = load.stop();
    assert_eq!((counts.from("v1"), counts.from("v2"), counts.ok), (1, 1, 2));
    assert_eq!(counts.missed[&Miss::Status(502)], 1);
    assert_eq!(counts.missed[&Miss::Eof], 2);
    assert_eq!(counts.total(), counts.failures() + 2);
    assert!(counts.longest_gap >= Duration::from_secs(3), "{:?}", counts.longest_gap);
}

#[test]
fn a_port_that_nobody_listens_on_and_a_reset_are_two_things() {
    let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let start = Instant::now();
    let load = Load::on(closed).rate(50).start();
    let due = || u64::try_from(start.elapsed().as_millis()).unwrap() / 20;
    load.wait_until("as many requests as were due", |counts| {
        counts.total() >= 8.max(due().saturating_sub(2))
    });
    let counts = load.stop();
    let most = due() + 2;
    assert_eq!(counts.missed.keys().collect::<Vec<_>>(), [&Miss::Refused]);
    assert!(
        (8..=most).contains(&counts.total()),
        "an open loop keeps its rate: {counts:?}"
    );
    let load = Load::on(serve(vec!["reset"; 100_000])).rate(50).start();
    load.wait_until("a reset", |counts| counts.missed.contains_key(&Miss::Reset));
    assert_eq!(load.stop().ok, 0);
}

#[test]
fn a_restart_is_seen_as_what_it_is() {
    let host = lab::host!(Suite::Bookworm);
    let app = apps::ACME;
    app.bring_up(&host, Service::Notify, Kind::Graceful, "v1");
    let load = Load::on(host.web(app.port)).rate(200).start();
    load.wait_until("a steady flow", |counts| counts.ok > 50);
    assert_eq!(load.counts().failures(), 0);
    let stopped = Instant::now();
    host.root("systemctl stop acme").ok();
    load.wait_until("refusals", |counts| counts.missed.get(&Miss::Refused) > Some(&20));
    host.root("systemctl start acme").ok();
    let before = load.counts().ok;
    load.wait_until("a steady flow again", |counts| counts.ok > before + 50);
    let down = stopped.elapsed();
    let counts = load.stop();
    // No tighter than the machine: stop and start themselves take their time.
    assert!(counts.longest_gap > Duration::from_millis(100) && counts.longest_gap < down + Duration::from_secs(5));
    assert_eq!(counts.from("v1"), counts.ok);
}
