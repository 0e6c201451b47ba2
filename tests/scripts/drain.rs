//! The clients of a drain trial against servers that stop in their own ways, and what puts its instance back, in each
//! shell.

use super::*;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::thread;

use shipit::observed::Observed;

const PROBER: &str = include_str!("../../src/remote/operate/drain.pl");

/// Reads one request. False: the client closed the connection.
fn asked(client: &mut TcpStream) -> Option<String> {
    let (mut text, mut byte) = (Vec::new(), [0]);
    while !text.ends_with(b"\r\n\r\n") {
        if client.read(&mut byte).unwrap_or(0) == 0 {
            return None;
        }
        text.push(byte[0]);
    }
    String::from_utf8(text).ok()
}

/// Gives each request on each connection to this server: its text, and how many came before it on the connection.
/// The connection ends where it returns false.
fn serve(server: impl Fn(&str, usize, &mut TcpStream) -> bool + Clone + Send + 'static) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    thread::spawn(move || {
        for client in listener.incoming() {
            let (mut client, server) = (client.unwrap(), server.clone());
            thread::spawn(move || {
                let mut before = 0;
                while let Some(text) = asked(&mut client) {
                    if !server(&text, before, &mut client) {
                        return;
                    }
                    before += 1;
                }
            });
        }
    });
    port
}

/// What the prober prints until this holds, and then until it ended by SIGTERM.
fn probed(target: &str, path: &str, holds: impl Fn(&str) -> bool) -> String {
    let out = tempfile::NamedTempFile::new().unwrap();
    let mut child = Command::new("perl")
        .args(["-e", PROBER, "--", "http", "200", path])
        .stdin(Stdio::piped())
        .stdout(out.reopen().unwrap())
        .spawn()
        .unwrap();
    writeln!(child.stdin.take().unwrap(), "{target}").unwrap();
    let text = || fs::read_to_string(out.path()).unwrap();
    bounds::wait_for("the lines of the prober", || holds(&text()));
    let pid = rustix::process::Pid::from_child(&child);
    let _ = rustix::process::kill_process(pid, rustix::process::Signal::TERM);
    child.ends();
    text()
}

/// The words of the lines of one client, without the times.
fn of<'a>(text: &'a str, who: &str) -> Vec<&'a str> {
    let lines = text.lines().filter(|line| line.starts_with(&format!("{who} ")));
    lines.filter_map(|line| line.rsplit(' ').next()).collect()
}

fn whole(client: &mut TcpStream, more: &str) -> bool {
    write!(client, "HTTP/1.1 200 OK\r\n{more}Content-Length: 2\r\n\r\nok").is_ok()
}

#[test]
fn each_end_of_a_request_has_its_own_word() {
    // What the slow path answers, and the word for it.
    let ways: [(&[u8], &str); 5] = [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", "ok"),
        (
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n",
            "closed",
        ),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhal", "closed"),
        (
            b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n",
            "status=503",
        ),
        (b"", "closed"),
    ];
    for (response, word) in ways {
        let port = serve(move |text, _, client| {
            if !text.starts_with("GET /slow?a=1 ") {
                return whole(client, "");
            }
            thread::sleep(std::time::Duration::from_millis(150));
            drop(client.write_all(response));
            false
        });
        // A name with two addresses: one that refuses is not the last.
        let text = probed(&format!("http://localhost:{port}/healthz"), "/slow?a=1", |text| {
            ["request ", "ready "].map(|word| text.lines().any(|line| line.starts_with(word))) == [true; 2]
        });
        assert_eq!(of(&text, "request")[0], word, "{text}");
        assert!(text.contains("\nready "), "{text}");
        assert_eq!(of(&text, "health"), ["ok"], "{text}");
    }
}

#[test]
fn a_kept_connection_that_is_announced_closed_or_cut_is_told_apart() {
    // The third request on it: a last response, the end without one, or nothing at all.
    for (way, word) in [("announce", "ok,close"), ("close", "idle"), ("cut", "closed")] {
        let port = serve(move |text, before, client| {
            let is_kept = text.to_lowercase().contains("connection: keep-alive");
            match (is_kept && before == 2, way) {
                (true, "announce") => !whole(client, "Connection: close\r\n"),
                (true, "close") => !whole(client, ""),
                (true, _) => false,
                _ => whole(client, ""),
            }
        });
        let text = probed(&format!("http://127.0.0.1:{port}/"), "/", |text| {
            of(text, "kept").len() >= 4
        });
        let expected = match way {
            "close" => vec!["ok", "ok", "ok", word],
            _ => vec!["ok", "ok", word],
        };
        assert_eq!(of(&text, "kept")[..expected.len()], expected, "{text}");
    }
}

#[test]
fn what_an_interrupted_trial_left_is_put_back_in_each_shell() {
    const BACK: [&str; 8] = ["acme", "root", "me", "back", "-", "-", "-", "-"];
    under_each_shell(|world| {
        world.unit("acme@green.service");
        fs::write(world.dir.path().join("units/acme@green.service/down"), "").unwrap();
        fs::create_dir(world.root().join("slots")).unwrap();
        let slot = world.root().join("slots/green");
        symlink("../releases/old", &slot).unwrap();
        fs::write(world.state("trial"), "idle\nacme@green.service\ngreen\n-\n-\n").unwrap();
        let seen = || Observed::parse(&world.script("observe", &["acme", "auto"], NO_FAULT).stdout).trial;
        assert_eq!(seen().as_deref(), Some("acme@green.service"));

        // A switch in progress comes first.
        fs::write(world.state("request"), "shipit 1\nrun r9\n").unwrap();
        let out = world.script("drain", &BACK, NO_FAULT);
        assert_eq!(out.status.code(), Some(30), "{out:?}");
        assert!(said(&out).contains("run r9") && slot.is_symlink(), "{out:?}");
        fs::remove_file(world.state("request")).unwrap();

        let out = world.script("drain", &BACK, NO_FAULT);
        assert_eq!(out.status.code(), Some(0), "{out:?}");
        assert!(!slot.is_symlink() && !world.state("trial").exists(), "{out:?}");
        assert_eq!(seen(), None);

        // Half a mark is never there; if it is, nobody guesses.
        fs::write(world.state("trial"), "idle\nacme@green.service\n").unwrap();
        let out = world.script("drain", &BACK, NO_FAULT);
        assert_eq!(out.status.code(), Some(63), "{out:?}");
        assert!(said(&out).contains("trial could not be read"), "{out:?}");
        assert!(world.state("trial").exists());
    });
}

/// Signal 1 to 31 of a process, as the script of the trial reads it.
#[test]
fn a_handler_for_the_signal_is_found_in_each_shell() {
    const HEARS: &str = concat!(
        include_str!("../../src/remote/operate/drain_facts.sh"),
        "signal=$1\nhears \"$2\" || echo gone\n"
    );
    let program = "$SIG{TERM} = sub {}; $SIG{HUP} = \"IGNORE\"; $SIG{INT} = \"DEFAULT\"; print \"up\\n\"; close STDOUT; sleep 600";
    let mut child = Command::new("perl")
        .args(["-e", program])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut up = String::new();
    child.stdout.take().unwrap().read_to_string(&mut up).unwrap();
    let pid = child.id().to_string();
    under_each_shell(|world| {
        let hears = |signal: &str, pid: &str| said(&world.run(HEARS, &[signal, pid], NO_FAULT));
        assert_eq!(hears("15", &pid), "caught\n");
        assert_eq!(hears("1", &pid), "ignored\n");
        assert_eq!(hears("2", &pid), "ends\n");
        assert_eq!(hears("15", "4194305"), "gone\n");
    });
    child.kill().unwrap();
    child.wait().unwrap();
}
