//! What is quoted of programs on the host that failed: the reason that they printed, and no hint beside it.

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};

use super::*;

const REASON: &str = concat!(
    include_str!("../../src/remote/lib/systemctl.sh"),
    "printf '%s\\n' \"$2\" | failed_reason\n"
);

/// Each as systemctl of 247 to 257, sudo and sudo-rs print it.
#[test]
fn the_reason_of_systemctl_is_quoted_and_not_its_hints() {
    let refused = "Failed to restart acme.service: Operation refused, unit acme.service may be requested by dependency only (it is configured to refuse manual start/stop).";
    let job = "Job for acme.service failed because the control process exited with error code.";
    let twice = format!("Failed to reset failed state of acme.service: Unit acme.service not loaded.\n{refused}");
    under_each_shell(|world| {
        let root = world.root().display().to_string();
        for (printed, reason) in [
            (format!("{refused}\nSee system logs and 'systemctl status acme.service' for details."), refused),
            (format!("{job}\nSee \"systemctl status acme.service\" and \"journalctl -xeu acme.service\" for details."), job),
            (format!("{job}\nSee 'systemctl status acme.service' for details.\n\n"), job),
            (
                format!("{refused}\nWarning: The unit file of acme.service changed on disk. Run 'systemctl daemon-reload' to reload units."),
                refused,
            ),
            (format!("{refused}\nRun 'systemctl daemon-reload' to reload units."), refused),
            (twice.clone(), refused),
            (
                "sudo: a password is required\nsudo: If sudo is running in a container, you may need to adjust the container configuration to disable the flag.".to_owned(),
                "sudo: a password is required",
            ),
            ("A dependency job for acme.service failed. See 'journalctl -xe' for details.".to_owned(),
             "A dependency job for acme.service failed. See 'journalctl -xe' for details."),
            ("Call failed: Connection timed out".to_owned(), "Call failed: Connection timed out"),
            (format!("{refused}\ncall restart acme.service\nFailed to connect to bus: Connection refused"), "Failed to connect to bus: Connection refused"),
            (format!("{refused}\ncall restart acme.service"), ""),
            (String::new(), ""),
        ] {
            let out = world.run(REASON, &[&root, &printed], NO_FAULT);
            assert_eq!(said(&out).trim_end(), reason, "{printed}: {out:?}");
        }
    });
}

const PROBE: &str = concat!(
    include_str!("../../src/remote/conductor/2-probe.sh"),
    "kind=http target=$2 status=200 contains='' release=-\nprobe 5 && detail=good\nprintf '%s\\n' \"$detail\"\n"
);

/// A server that does that with each connection; where it listens.
fn server(serve: fn(TcpStream)) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let at = listener.local_addr().unwrap();
    std::thread::spawn(move || listener.incoming().flatten().for_each(serve));
    at.to_string()
}

fn request(stream: &mut TcpStream) {
    let _ = stream.read(&mut [0; 4096]);
}

#[test]
fn a_check_that_gets_no_http_response_says_what_it_got() {
    let closes = server(|mut stream| request(&mut stream));
    // Closing it unread resets it.
    let resets = server(|stream| {
        let _ = stream.peek(&mut [0; 1]);
    });
    let redis = server(|mut stream| {
        request(&mut stream);
        let _ = stream.write_all(b"-ERR unknown command 'GET'\r\n");
    });
    let plain = server(|mut stream| {
        request(&mut stream);
        let _ = stream.write_all(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n");
    });
    under_each_shell(|world| {
        let root = world.root().display().to_string();
        for (url, said_of_it) in [
            (
                format!("http://{closes}/"),
                "closed the connection without a response (does it speak https?)",
            ),
            (
                format!("http://{resets}/"),
                "reset the connection before its response (does it speak https?)",
            ),
            (format!("http://{redis}/"), "answered, but not with HTTP"),
            (format!("https://{plain}/"), "failed (does it speak http?)"),
            (format!("http://{plain}/"), "answered 400, not 200"),
        ] {
            let out = world.run(PROBE, &[&root, &url], NO_FAULT);
            let said = said(&out);
            assert!(
                said.contains(said_of_it) && !said.contains("no answer"),
                "{url}: {out:?}"
            );
        }
    });
}

const NO_ANSWER: &str = concat!(
    include_str!("../../src/remote/conductor/2-probe.sh"),
    "kind=http url=$2 target=$2 limit=2\nno_answer \"$3\"\nprintf '%s\\n' \"$detail\"\n"
);

/// "no answer" is the word for silence alone, whatever else curl ends with.
#[test]
fn every_exit_status_of_curl_has_words() {
    under_each_shell(|world| {
        let root = world.root().display().to_string();
        let of = |url: &str, status: u8| {
            let out = world.run(NO_ANSWER, &[&root, url, &status.to_string()], NO_FAULT);
            said(&out)
        };
        for status in [0, 1, 6, 7, 8, 16, 35, 51, 52, 55, 56, 60, 77, 92, 127] {
            let said = of("http://127.0.0.1:9/", status);
            assert!(
                said.contains("127.0.0.1:9") && !said.contains("no answer"),
                "{status}: {said}"
            );
        }
        assert!(of("http://127.0.0.1:9/", 28).contains("no answer from http://127.0.0.1:9/ within 2s"));
        assert!(of("https://h/", 60).contains("its certificate is not trusted by the host"));
        assert!(of("https://h/", 77).contains("apt install ca-certificates"));
        assert!(!of("https://h/", 52).contains("does it speak"));
    });
}

const LACKS: &str = concat!(
    include_str!("../../src/remote/lib/not_found.sh"),
    "cd \"$1\" && not_found \"$2\"\n:\n"
);

/// A build, a hook or `prepare` ended with 126 or 127.
#[test]
fn the_command_that_could_not_be_started_is_named_with_the_reason() {
    under_each_shell(|world| {
        let at = world.dir.path().join("tree");
        fs::create_dir_all(at.join("web")).unwrap();
        let root = at.display().to_string();
        let script = |name: &str, text: &str, mode: u32| {
            fs::write(at.join(name), text).unwrap();
            fs::set_permissions(at.join(name), fs::Permissions::from_mode(mode)).unwrap();
        };
        script("crlf.sh", "#!/bin/sh\r\ntrue\r\n", 0o755);
        script("env-crlf.py", "#!/usr/bin/env python3\r\n", 0o755);
        script("web/gone.sh", "#!/opt/none/ruby -w\n", 0o755);
        script("env-gone", "#!/usr/bin/env -S nodejs-none --x\n", 0o755);
        script("plain.sh", "#!/bin/sh\n", 0o644);
        script("good.sh", "#!/bin/sh\ntrue\n", 0o755);
        script("elf", "\u{7f}ELF\u{2}\0\n\0/lib/ld-none.so.9\0\0", 0o755);
        for (command, reason) in [
            (
                "./crlf.sh --fast",
                "the first line of ./crlf.sh ends with a carriage return",
            ),
            (
                "MODE=x ./env-crlf.py",
                "the first line of ./env-crlf.py ends with a carriage return",
            ),
            (
                "./good.sh && web/gone.sh",
                "the interpreter of web/gone.sh does not exist: /opt/none/ruby",
            ),
            (
                "cd web && ./gone.sh",
                "the interpreter of ./gone.sh does not exist: /opt/none/ruby",
            ),
            (
                "exec ./env-gone",
                "PATH has no `nodejs-none`, the interpreter of ./env-gone",
            ),
            ("./plain.sh", "./plain.sh is not executable (chmod +x ./plain.sh)"),
            ("./missing.sh", "./missing.sh does not exist"),
            ("./good.sh; bin/missing", "bin/missing does not exist"),
            (
                "./elf",
                "./elf was built for another system: its loader /lib/ld-none.so.9 does not exist",
            ),
            ("npm-none ci", "PATH has no `npm-none`"),
            ("if true; then npm-none ci; fi", "PATH has no `npm-none`"),
            ("npm-none run \"a; b\"", "PATH has no `npm-none`"),
            // Nothing is claimed of what may be no command.
            ("echo \"first; second-none\" && ./good.sh", ""),
            ("./good.sh", ""),
            ("sh good.sh", ""),
            ("$TOOL/x *.sh", ""),
            ("for f in a b; do echo $f; done", ""),
            ("", ""),
        ] {
            let out = world.run(LACKS, &[&root, command], NO_FAULT);
            let said = said(&out);
            assert!(
                said.starts_with(reason) && (said.is_empty() == reason.is_empty()),
                "{command}: {out:?}"
            );
        }
    });
}

#[test]
fn a_symlink_in_the_place_of_a_shared_path_is_named_with_its_target() {
    under_each_shell(|world| {
        let shared = world.root().join("shared");
        fs::create_dir_all(shared.join("etc")).unwrap();
        fs::create_dir_all(world.root().join("releases/.in-new2")).unwrap();
        symlink("/srv/data", shared.join("data")).unwrap();
        symlink("/srv/env", shared.join("env")).unwrap();
        fs::write(shared.join("log"), "").unwrap();
        for (kind, path, said_of_it) in [
            (
                "dir",
                "data",
                "shared/data is a symlink to /srv/data, which shipit does not follow",
            ),
            (
                "dir",
                "data/uploads",
                "shared/data is a symlink to /srv/data, which shipit does not follow",
            ),
            (
                "optional",
                "data/key",
                "shared/data is a symlink to /srv/data, which shipit does not follow",
            ),
            (
                "file",
                "env",
                "shared/env is a symlink to /srv/env, which shipit does not follow",
            ),
            ("dir", "log", "shared/log is not a directory"),
            ("file", "etc", "shared/etc is not a file"),
        ] {
            let out = world.script("link", &["new2", kind, path], NO_FAULT);
            assert_eq!(out.status.code(), Some(25), "{out:?}");
            let errors = String::from_utf8_lossy(&out.stderr);
            assert!(errors.trim_end().ends_with(said_of_it), "{path}: {errors}");
        }
    });
}
