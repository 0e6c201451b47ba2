//! The downtime meter against apps that are slow, hang or keep connections, and the limits that go by it.

use super::*;
use crate::bounds::wait_for;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::thread;
use std::time::{Duration, Instant};

const METER: &str = include_str!("../../src/remote/conductor/meter.pl");

/// A meter, and its lines as they come.
struct Meter(Child, Receiver<String>);

impl Meter {
    fn of(app: &TcpListener, program: &str) -> Self {
        let mut child = Command::new("perl")
            .args(["-e", program, "--", "1", "http", "200", "", "new", "old"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut stdin = child.stdin.take().unwrap();
        writeln!(stdin, "http://{}/", app.local_addr().unwrap()).unwrap();
        let (sender, lines) = mpsc::channel();
        let stdout = BufReader::new(child.stdout.take().unwrap());
        thread::spawn(move || {
            stdout
                .lines()
                .map_while(Result::ok)
                .all(|line| sender.send(line).is_ok())
        });
        Self(child, lines)
    }

    fn line(&self) -> String {
        self.1
            .recv_timeout(Duration::from_secs(30))
            .expect("a line of the meter")
    }

    fn signal(&self, signal: &str) {
        let kill = Command::new("kill").args([signal, &self.0.id().to_string()]).status();
        assert!(kill.unwrap().success());
    }
}

impl Drop for Meter {
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

fn app() -> TcpListener {
    TcpListener::bind("127.0.0.1:0").unwrap()
}

/// Reads a request. False: the client closed the connection.
fn asked(client: &mut TcpStream) -> bool {
    let (mut text, mut byte) = (Vec::new(), [0]);
    while !text.ends_with(b"\r\n\r\n") {
        if client.read(&mut byte).unwrap_or(0) == 0 {
            return false;
        }
        text.push(byte[0]);
    }
    true
}

fn answer(client: &mut TcpStream) {
    drop(client.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"));
}

#[test]
fn the_meter_goes_on_when_several_probes_give_up_at_once() {
    let app = app();
    let meter = Meter::of(&app, &METER.replace("10_000, 50", "1_500, 50"));
    let connection = app.accept().unwrap();
    // What stands still long enough finds several at their end.
    thread::sleep(Duration::from_millis(500));
    meter.signal("-STOP");
    thread::sleep(Duration::from_secs(3));
    meter.signal("-CONT");
    for _ in 0..5 {
        let line = meter.line();
        assert!(line.contains(" timeout new 1 -"), "{line}");
    }
    drop(connection);
}

#[test]
fn an_app_with_one_slow_worker_still_answers_others_beside_the_meter() {
    let app = app();
    let address = app.local_addr().unwrap();
    let meter = Meter::of(&app, METER);
    thread::spawn(move || {
        for client in app.incoming() {
            let mut client = client.unwrap();
            asked(&mut client);
            thread::sleep(Duration::from_millis(100));
            answer(&mut client);
        }
    });
    thread::sleep(Duration::from_secs(3));
    let mut waits = (0..15).map(|_| {
        let began = Instant::now();
        let mut client = TcpStream::connect(address).unwrap();
        client.write_all(b"GET / HTTP/1.1\r\n\r\n").unwrap();
        let mut said = String::new();
        client.read_to_string(&mut said).unwrap();
        assert!(said.ends_with("ok"), "{said}");
        began.elapsed()
    });
    // The best of many: the machine may be busy.
    assert!(waits.any(|wait| wait < Duration::from_millis(900)));
    assert!(meter.line().contains(" ok new 1 -"));
}

#[test]
fn a_kept_connection_ends_after_a_second_so_that_an_app_can_drain() {
    let app = app();
    let _meter = Meter::of(&app, METER);
    let (sender, closed) = mpsc::channel();
    thread::spawn(move || {
        for client in app.incoming() {
            let (mut client, sender) = (client.unwrap(), sender.clone());
            thread::spawn(move || {
                let mut requests = 0;
                while asked(&mut client) {
                    requests += 1;
                    answer(&mut client);
                }
                sender.send(requests).ok();
            });
        }
    });
    let many = |requests: &u32| *requests > 1;
    let kept = std::iter::from_fn(|| closed.recv_timeout(Duration::from_secs(30)).ok());
    assert_eq!(kept.take(400).filter(many).take(2).count(), 2);
}

/// What the meter makes of these lines of it, and of a flip at 1000 ms.
fn measured(probes: &str) -> String {
    let dir = tempfile::tempdir().unwrap();
    let event = "100 step switch flip new started\n";
    fs::write(dir.path().join("events"), event).unwrap();
    fs::write(dir.path().join("probes"), probes).unwrap();
    let program = concat!(
        include_str!("../../src/remote/conductor/2-measured.sh"),
        "\nR=$1\nmeasured\n"
    );
    let out = Command::new("sh").args(["-c", program, "sh"]).arg(dir.path()).ends();
    said(&out)
}

#[test]
fn a_gap_counts_against_the_limit_only_if_a_probe_in_it_failed_or_waited() {
    let calm = "900.0 901.0 ok new 1 -\n1500.0 1501.0 ok new 1 -\n";
    let failed = "900.0 901.0 ok new 1 -\n950.0 951.0 refused new 1 -\n1500.0 1501.0 ok new 1 -\n";
    let waited = "900.0 901.0 ok new 1 -\n950.0 1501.0 ok new 1 -\n";
    let again = "900.0 901.0 ok new 1 -\n1500.0 1501.0 refused new 2 -\n1550.0 1551.0 ok new 2 -\n";
    // The prober stood still for 300 ms.
    let late = "900.0 901.0 ok new 1 -\n1201.0 1202.0 refused new 1 -\n1500.0 1501.0 ok new 1 -\n";
    // The second answer was on its way before the first one came.
    let beside = "900.0 901.0 ok new 1 -\n950.0 1501.0 ok new 1 -\n1000.0 1502.0 ok new 1 -\n";
    let cases = [
        (calm, 0, 1),
        (failed, 600, 600),
        (waited, 600, 600),
        (again, 51, 51),
        (late, 600, 400),
        (beside, 600, 600),
    ];
    for (probes, hole, gap) in cases {
        let said = measured(probes);
        assert!(said.contains(&format!(",hole={hole},")), "{probes}{said}");
        assert!(said.contains(&format!(",gap={gap},")), "{probes}{said}");
    }
}

#[test]
fn an_extra_probe_counts_for_the_gap_alone() {
    let said = measured(concat!(
        "900.0 901.0 ok new 1 -\n950.0 951.0 status new 1 -\n961.0 962.0 status extra 1 -\n",
        "972.0 980.0 ok extra 1 -\n1001.0 1002.0 ok new 1 -\n"
    ));
    assert!(said.starts_with("probes=3,failed=1,gap=79,wait=1,"), "{said}");
}

/// An app that answers one request in ten well: a gap ends when somebody is answered, so the meter asks more often.
#[test]
fn after_a_failure_extra_probes_find_the_next_good_answer() {
    let app = app();
    let meter = Meter::of(&app, METER);
    thread::spawn(move || {
        for (number, client) in app.incoming().enumerate() {
            let mut client = client.unwrap();
            asked(&mut client);
            match number % 10 {
                9 => answer(&mut client),
                _ => drop(client.write_all(b"HTTP/1.1 500 No\r\nContent-Length: 2\r\n\r\nno")),
            }
        }
    });
    assert!((0..1000).any(|_| meter.line().contains(" ok extra 1 ")));
}

/// A second is enough: what is down for a minute is not asked a hundred times a second.
#[test]
fn extra_probes_end_after_a_second_without_a_good_answer() {
    let app = app();
    let meter = Meter::of(&app, METER);
    let mut client = app.accept().unwrap().0;
    asked(&mut client);
    answer(&mut client);
    drop((app, client));
    let mut regular = 0;
    let mut extra_at = Vec::new();
    // 50 ms apart.
    while regular < 40 {
        match meter.line() {
            line if line.contains(" extra ") => extra_at.push(regular),
            line => regular += usize::from(line.contains(" refused new ")),
        }
    }
    assert!(extra_at.len() > 1, "{extra_at:?}");
    assert!(extra_at.last().unwrap() < &30, "{extra_at:?}");
}

/// Linux tries a dropped connection again after a second. The first free place in the queue ends the gap.
#[test]
fn while_the_queue_of_a_socket_is_full_an_extra_probe_tries_again_and_again() {
    let app = app();
    let address = app.local_addr().unwrap();
    rustix::net::listen(&app, 1).unwrap();
    let _others = [(); 2].map(|()| TcpStream::connect(address).unwrap());
    let meter = Meter::of(&app, METER);
    let dropped = || {
        let port = format!(":{:04X} 02", address.port());
        let table = fs::read_to_string("/proc/net/tcp").unwrap();
        table.lines().filter(|line| line.contains(&port)).count()
    };
    wait_for("three probes and an extra one", || dropped() >= 4);
    thread::spawn(move || {
        for client in app.incoming() {
            thread::spawn(move || {
                let mut client = client.unwrap();
                asked(&mut client);
                answer(&mut client);
            });
        }
    });
    assert!((0..40).any(|_| meter.line().contains(" ok extra 1 ")));
}

#[test]
fn a_limited_switch_of_which_one_meter_died_is_taken_back() {
    let app = app();
    let good = app.local_addr().unwrap().to_string();
    thread::spawn(move || app.incoming().for_each(drop));
    under_each_shell(|world| {
        let measure = [good.as_str(), "nowhere"]
            .map(|target| format!("switch measure kind=tcp target={target} status=0 contains=\\c release=-\n"))
            .concat();
        let limited = patient().replace("switch confirm", "switch limits gap=500 failed=-\nswitch confirm");
        world.request("r1", &format!("{measure}{limited}"));
        let out = world.conductor(NO_FAULT);
        let events = world.read("runs/r1/events");
        assert!(events.contains("the downtime could not be measured"), "{events}{out:?}");
        assert!(events.contains("ended reverted old"), "{events}");
    });
}
