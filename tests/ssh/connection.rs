//! Connections that are slow, freeze or break, and Ctrl-C.

use std::cell::Cell;
use std::io::Read;
use std::net::TcpListener;
use std::time::{Duration, Instant};

use shipit::failure::Exit;
use shipit::host::ssh::{Login, Ssh, Unattended, connect};
use shipit::host::{Ended, Exec, ExecEvent, Host, Lost, Then};
use shipit::interrupt::Interrupts;

use super::proxy::Proxy;
use super::server::{Sshd, listen, open, refused, run, says, sshd};
use crate::bounds::{AT_ONCE, cpu_time};

fn through(server: &Sshd, proxy: &Proxy) -> Login {
    let login = server.login();
    Login {
        port: Some(proxy.port),
        known_hosts: Some(server.known(proxy.port)),
        ..login
    }
}

#[test]
fn a_command_costs_one_round_trip_and_a_connection_six() {
    let Some(server) = sshd("") else { return };
    let trip = Duration::from_secs(1);
    let proxy = Proxy::to(server.port, trip);
    let login = through(&server, &proxy);
    // The best of several, with a round trip so long that a busy machine does not add up to one. What this process
    // computes for the keys is not the line's: on a slow machine it is much.
    let best = |times: usize, work: &mut dyn FnMut()| {
        let took = (0..times).map(|_| {
            let (began, computed) = (Instant::now(), cpu_time());
            work();
            began.elapsed() - (cpu_time() - computed)
        });
        took.min().unwrap().as_secs_f64() / trip.as_secs_f64()
    };
    let mut ssh = None;
    let first = best(2, &mut || {
        ssh = Some(open(&login).unwrap());
        assert_eq!(says(ssh.as_mut().unwrap(), "echo one"), "one\n");
    });
    let each = best(5, &mut || {
        says(ssh.as_mut().unwrap(), "true");
    });
    eprintln!("round trips: {first:.2} to connect and run, {each:.2} for each further command");
    assert!(first < 9.5, "{first}");
    assert!(each < 1.9, "{each}");
}

#[test]
fn a_connection_that_freezes_while_a_command_is_silent_is_noticed() {
    let Some(server) = sshd("") else { return };
    let proxy = Proxy::to(server.port, Duration::ZERO);
    let mut ssh = open(&through(&server, &proxy)).unwrap();
    let frozen = Cell::new(None);
    let ended = listen(&mut ssh, "echo begun; sleep 600", None, &mut |heard| {
        if let ExecEvent::Out(_) = heard {
            proxy.freeze();
            frozen.set(Some(Instant::now()));
        }
    });
    assert!(matches!(ended, Err(Lost::Silent(_))), "{ended:?}");
    let took = frozen.get().unwrap().elapsed();
    assert!(took < AT_ONCE, "{took:?}");
    assert!(matches!(run(&mut ssh, "true", None).0, Err(Lost::Cut(_))));
}

#[test]
fn a_connection_that_freezes_during_an_upload_is_noticed() {
    let Some(server) = sshd("") else { return };
    let proxy = Proxy::to(server.port, Duration::ZERO);
    let mut ssh = open(&through(&server, &proxy)).unwrap();
    let frozen = Cell::new(None);
    let ended = listen(
        &mut ssh,
        "cat >/dev/null",
        Some(&mut std::io::repeat(7).take(1 << 40)),
        &mut |heard| {
            if let (ExecEvent::Sent(sent), None) = (&heard, frozen.get())
                && *sent > 10_000_000
            {
                proxy.freeze();
                frozen.set(Some(Instant::now()));
            }
        },
    );
    assert!(matches!(ended, Err(Lost::Silent(_))), "{ended:?}");
    // Bytes on their way still moved for a moment.
    let took = frozen.get().unwrap().elapsed();
    assert!(took < AT_ONCE, "{took:?}");
}

#[test]
fn a_command_that_is_silent_for_long_is_not_taken_for_a_dead_connection() {
    let Some(server) = sshd("") else { return };
    let mut ssh = server.connected();
    assert_eq!(says(&mut ssh, "sleep 22; echo done"), "done\n");
}

#[test]
fn a_caller_that_is_busy_for_long_does_not_take_the_connection_for_dead() {
    let Some(server) = sshd("") else { return };
    let mut ssh = server.connected();
    let mut slept = false;
    let ended = listen(&mut ssh, "echo a; sleep 22; echo b", None, &mut |heard| {
        if let (ExecEvent::Out(_), false) = (heard, slept) {
            slept = true;
            // As when a laptop sleeps.
            std::thread::sleep(Duration::from_secs(20));
        }
    });
    assert_eq!(ended, Ok(Ended::Code(0)));
}

/// Connects with interrupts that this test raises.
fn interruptible(server: &Sshd) -> (Ssh, shipit::interrupt::Button) {
    let (interrupts, button) = Interrupts::by_hand().unwrap();
    let ssh = connect(&server.login(), &interrupts, &mut Unattended, &mut |_| ()).unwrap();
    (ssh, button)
}

#[test]
fn the_first_interrupt_runs_the_line_that_stops_the_command() {
    for limit in ["", "MaxSessions 2"] {
        let Some(server) = sshd(limit) else { return };
        let (mut ssh, button) = interruptible(&server);
        let flag = server.path("stop").display().to_string();
        let line = format!("echo begun; while ! test -e {flag}; do sleep 0.05; done; exit 5");
        let mut told = 0;
        let exec = Exec::of(&line);
        let ended = ssh.exec(exec, &mut |heard| {
            match heard {
                ExecEvent::Out(_) => button.press(),
                ExecEvent::Interrupted => {
                    told += 1;
                    // Until it is known what stops the command, it comes again.
                    if told == 1 {
                        return Then::Listen;
                    }
                    return Then::Run(format!("touch {flag}"));
                }
                _ => {}
            }
            Then::Listen
        });
        assert_eq!((ended, told), (Ok(Ended::Code(5)), 2));
        // Commands that clean up afterwards are not interrupted.
        assert_eq!(says(&mut ssh, "echo clean"), "clean\n");
    }
}

#[test]
fn the_second_interrupt_aborts_at_once() {
    let Some(server) = sshd("") else { return };
    let (mut ssh, button) = interruptible(&server);
    let exec = Exec::of("echo begun; sleep 600");
    let began = Instant::now();
    let ended = ssh.exec(exec, &mut |heard| {
        let asked = matches!(heard, ExecEvent::Interrupted);
        if asked || matches!(heard, ExecEvent::Out(_)) {
            button.press();
        }
        if asked {
            Then::Run("sleep 600".into())
        } else {
            Then::Listen
        }
    });
    assert_eq!(ended, Err(Lost::Interrupted));
    drop(ssh);
    assert!(began.elapsed() < AT_ONCE, "{:?}", began.elapsed());
}

#[test]
fn an_interrupt_while_connecting_stops_it_and_nothing_has_happened() {
    let Some(server) = sshd("") else { return };
    // A server that accepts the connection and never sends anything.
    let mute = TcpListener::bind("127.0.0.1:0").unwrap();
    let login = Login {
        port: Some(mute.local_addr().unwrap().port()),
        ..server.login()
    };
    let (interrupts, button) = Interrupts::by_hand().unwrap();
    let pressed = std::thread::spawn(move || {
        let connection = mute.accept().unwrap();
        button.press();
        connection
    });
    let Err(failure) = connect(&login, &interrupts, &mut Unattended, &mut |_| ()) else {
        panic!("it connected")
    };
    assert_eq!(failure.exit, Exit::Untouched, "{failure}");
    drop(pressed.join());
}

#[test]
fn a_mute_server_a_closed_port_and_an_unknown_name_are_told_apart() {
    let Some(server) = sshd("") else { return };
    let mute = TcpListener::bind("127.0.0.1:0").unwrap();
    let at = |port: u16| Login {
        port: Some(port),
        ..server.login()
    };
    let port = mute.local_addr().unwrap().port();
    let failure = refused(&at(port));
    assert_eq!(failure.exit, Exit::Unreachable);
    assert!(failure.why[0].contains("no SSH handshake within 15 s"), "{failure}");
    drop(mute);
    let failure = refused(&at(port));
    assert!(failure.why[0].contains("refused"), "{failure}");
    let failure = refused(&Login {
        host: "no-such-host.invalid".into(),
        ..server.login()
    });
    assert!(failure.why[0].contains("cannot resolve"), "{failure}");
}
