//! Commands: output, stdin, ends, losses, many in a row.

use std::io::{self, Read};
use std::time::Instant;

use shipit::host::{Ended, Exec, ExecEvent, Host, Lost, Then};

use super::server::{listen, run, says, sshd};
use crate::bounds::{AT_ONCE, wait_for};

/// So many bytes of a pattern that shows a lost, doubled or swapped piece.
struct Pattern {
    at: u64,
    len: u64,
}

impl Read for Pattern {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let n = buffer.len().min(usize::try_from(self.len - self.at).unwrap());
        for byte in &mut buffer[..n] {
            *byte = u8::try_from((self.at * 31 + self.at / 251) % 256).unwrap();
            self.at += 1;
        }
        Ok(n)
    }
}

fn sha256(mut source: impl Read) -> String {
    use sha2::Digest;
    let mut hash = sha2::Sha256::new();
    let mut buffer = vec![0; 65536];
    loop {
        match source.read(&mut buffer).unwrap() {
            0 => break,
            n => hash.update(&buffer[..n]),
        }
    }
    hash.finalize().iter().map(|b| format!("{b:02x}")).collect()
}

#[test]
fn a_command_gives_its_output_and_its_end() {
    let Some(server) = sshd("") else { return };
    let mut ssh = server.connected();
    let (ended, gave) = run(&mut ssh, "printf out; printf err >&2; exit 7", None);
    assert_eq!(ended, Ok(Ended::Code(7)));
    assert_eq!((gave.out.as_slice(), gave.err.as_slice()), (&b"out"[..], &b"err"[..]));
    let (ended, _) = run(&mut ssh, "kill -KILL $$", None);
    assert_eq!(ended, Ok(Ended::Signal("KILL".into())));
    let (ended, gave) = run(&mut ssh, "cat; echo end", None);
    assert_eq!((ended, gave.out.as_slice()), (Ok(Ended::Code(0)), &b"end\n"[..]));
    let (sent, received) = ssh.traffic();
    assert!(sent > 1000 && received > 1000, "{sent} {received}");
}

#[test]
fn a_command_that_closes_its_output_early_still_reads_and_still_gives_its_status() {
    let Some(server) = sshd("") else { return };
    let mut ssh = server.connected();
    let file = server.path("copy");
    let line = format!("exec >&- 2>&-; sleep 0.5; cat >{}; exit 9", file.display());
    let len = 5_000_000;
    let (ended, gave) = run(&mut ssh, &line, Some(&mut Pattern { at: 0, len }));
    assert_eq!((ended, gave.sent), (Ok(Ended::Code(9)), len));
    assert_eq!(
        sha256(std::fs::File::open(file).unwrap()),
        sha256(Pattern { at: 0, len })
    );
}

#[test]
fn several_commands_keep_their_outputs_and_their_ends_apart() {
    let Some(server) = sshd("") else { return };
    let exec = Exec::of;
    let mut heard = vec![String::new(); 3];
    let ended = server.connected().exec_all(
        vec![exec("echo a; exit 1"), exec("echo b"), exec("echo c; exit 3")],
        &mut |i, said| {
            if let ExecEvent::Out(bytes) = said {
                heard[i] += std::str::from_utf8(bytes).unwrap();
            }
            Then::Listen
        },
    );
    let ends = [1, 0, 3].map(Ended::Code).to_vec();
    assert_eq!((ended, heard.concat()), (Ok(ends), "a\nb\nc\n".into()));
}

#[test]
fn a_hundred_commands_in_a_row_share_one_connection() {
    let Some(server) = sshd("") else { return };
    let mut ssh = server.connected();
    for n in 0..100 {
        assert_eq!(says(&mut ssh, &format!("echo {n}")), format!("{n}\n"));
    }
    let accepted = || server.log().matches("Accepted publickey").count();
    wait_for("the login in the log", || accepted() > 0);
    assert_eq!(accepted(), 1);
}

#[test]
fn thirty_megabytes_on_both_outputs_arrive_whole() {
    let Some(server) = sshd("") else { return };
    let mut ssh = server.connected();
    let (ended, gave) = run(
        &mut ssh,
        "head -c 30000000 /dev/zero | tr '\\0' e >&2 & head -c 30000000 /dev/zero; wait; exit 3",
        None,
    );
    assert_eq!(ended, Ok(Ended::Code(3)));
    assert_eq!((gave.out.len(), gave.err.len()), (30_000_000, 30_000_000));
    assert!(gave.out.iter().all(|b| *b == 0) && gave.err.iter().all(|b| *b == b'e'));
}

#[test]
fn fifty_megabytes_of_stdin_arrive_whole_also_while_keys_are_changed() {
    // Keys are changed every 5 MB, in both directions.
    let Some(server) = sshd("RekeyLimit 5M") else {
        return;
    };
    let mut ssh = server.connected();
    let len = 50_000_000;
    let began = Instant::now();
    let (ended, gave) = run(&mut ssh, "sha256sum", Some(&mut Pattern { at: 0, len }));
    assert_eq!(ended, Ok(Ended::Code(0)));
    assert_eq!(
        String::from_utf8(gave.out).unwrap().split(' ').next().unwrap(),
        sha256(Pattern { at: 0, len })
    );
    assert_eq!(gave.sent, len);
    eprintln!("50 MB of stdin through sha256sum: {:?}", began.elapsed());
    let (ended, gave) = run(&mut ssh, "cat", Some(&mut Pattern { at: 0, len }));
    assert_eq!(ended, Ok(Ended::Code(0)));
    assert_eq!(sha256(gave.out.as_slice()), sha256(Pattern { at: 0, len }));
}

#[test]
fn a_command_that_does_not_read_its_stdin_ends_all_the_same() {
    let Some(server) = sshd("") else { return };
    let mut ssh = server.connected();
    let (ended, gave) = run(
        &mut ssh,
        "echo early; exit 4",
        Some(&mut Pattern { at: 0, len: 1 << 40 }),
    );
    assert_eq!((ended, gave.out.as_slice()), (Ok(Ended::Code(4)), &b"early\n"[..]));
    assert_eq!(says(&mut ssh, "echo next"), "next\n");
}

#[test]
fn a_source_that_fails_abandons_the_command_and_not_the_connection() {
    struct Broken(usize);
    impl Read for Broken {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            self.0 += 1;
            if self.0 > 3 {
                Err(io::Error::other("file changed while shipit read it"))
            } else {
                Ok(buffer.len())
            }
        }
    }
    let Some(server) = sshd("") else { return };
    let mut ssh = server.connected();
    let (ended, _) = run(&mut ssh, "cat >/dev/null", Some(&mut Broken(0)));
    assert_eq!(ended, Err(Lost::Source("file changed while shipit read it".into())));
    assert_eq!(says(&mut ssh, "echo alive"), "alive\n");
}

#[test]
fn a_session_that_dies_is_a_lost_connection_and_never_a_status() {
    let Some(server) = sshd("") else { return };
    let mut ssh = server.connected();
    // The parent of the command's shell is the sshd that carries this connection. It dies once the output was heard.
    let heard = server.path("heard");
    let line = format!(
        "echo begun; until test -e {}; do sleep 0.05; done; kill -KILL $PPID; sleep 60",
        heard.display()
    );
    let mut out = Vec::new();
    let ended = listen(&mut ssh, &line, None, &mut |event| {
        if let ExecEvent::Out(bytes) = event {
            out.extend_from_slice(bytes);
            std::fs::write(&heard, "").unwrap();
        }
    });
    assert!(matches!(ended, Err(Lost::Cut(_))), "{ended:?}");
    assert_eq!(out, b"begun\n");
    let (ended, _) = run(&mut ssh, "true", None);
    assert!(matches!(ended, Err(Lost::Cut(_))), "{ended:?}");
}

#[test]
fn a_server_that_allows_one_or_two_channels_is_enough() {
    for limit in [1, 2] {
        let Some(server) = sshd(&format!("MaxSessions {limit}")) else {
            return;
        };
        let mut ssh = server.connected();
        for n in 0..20 {
            assert_eq!(says(&mut ssh, &format!("echo {n}")), format!("{n}\n"));
        }
    }
}

#[test]
fn a_server_that_allows_no_channel_is_an_error() {
    let Some(server) = sshd("MaxSessions 0") else {
        return;
    };
    let (ended, _) = run(&mut server.connected(), "true", None);
    let Err(Lost::Unbegun(why)) = ended else {
        panic!("{ended:?}")
    };
    assert!(why.contains("refused to open a session channel"), "{why}");
}

#[test]
fn the_longest_line_goes_and_a_longer_one_is_refused_before_it_is_sent() {
    let Some(server) = sshd("") else { return };
    let mut ssh = server.connected();
    let line = format!("echo {}", "x".repeat(33_000 - 5));
    assert_eq!(says(&mut ssh, &line).len(), 33_000 - 4);
    let (ended, _) = run(&mut ssh, &format!("{line}x"), None);
    assert!(matches!(ended, Err(Lost::Source(_))), "{ended:?}");
    assert_eq!(says(&mut ssh, "echo still"), "still\n");
}

#[test]
fn dropping_a_connection_never_waits_for_a_command() {
    let Some(server) = sshd("") else { return };
    let mut ssh = server.connected();
    struct Fails;
    impl Read for Fails {
        fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
            Err(io::Error::other("no"))
        }
    }
    let (ended, _) = run(&mut ssh, "sleep 600", Some(&mut Fails));
    assert!(matches!(ended, Err(Lost::Source(_))), "{ended:?}");
    let began = Instant::now();
    drop(ssh);
    assert!(began.elapsed() < AT_ONCE, "{:?}", began.elapsed());
}
