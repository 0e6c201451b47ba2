//! Every way to ask an app whether it is well, against real answers: over TCP, through a unix socket, by a command,
//! and HTTP answers that redirect, are huge, or lack what they must have.

use super::desk::{Desk, Yml, acme, answer, assert_live, current};
use crate::apps::{Kind, Service};
use crate::bounds::AT_ONCE;
use crate::lab::{self, Host, Suite};

/// acme.service, asked in this way alone.
fn asked(way: &str) -> Yml {
    asked_for(way, "20s")
}

fn asked_for(way: &str, timeout: &str) -> Yml {
    acme("restart").only_health(&format!("{{{way}, timeout: {timeout}, successes: 1, watch: 0s}}"))
}

/// A check that nothing passes is found out by the live release, before anything changes.
fn nothing_passes(host: &Host, desk: &Desk, way: &str, words: &str) {
    let before = (current(host), answer(host));
    desk.write(&asked_for(way, "5s"));
    desk.tree(Kind::Graceful, way);
    desk.json(&["deploy"])
        .leaves(1)
        .says("does not pass the health check of acme.service either")
        .says(words);
    assert_eq!((current(host), answer(host)), before);
}

#[test]
fn tcp_unix_sockets_and_commands_tell_a_good_release_from_a_bad_one() {
    let host = lab::host!(Suite::Trixie);
    // The app's port once more, behind a unix socket.
    host.write_file(
        "/etc/systemd/system/front.socket",
        b"[Socket]\nListenStream=/run/front.sock\n",
    );
    host.write_file(
        "/etc/systemd/system/front.service",
        b"[Service]\nExecStart=/usr/lib/systemd/systemd-socket-proxyd 127.0.0.1:8080\n",
    );
    host.root("systemctl daemon-reload && systemctl start front.socket")
        .ok();
    let unix = "unix: {socket: /run/front.sock, path: /healthz}, contains: ok";
    let command = "command: \"grep -q graceful behaviour || { echo not graceful; exit 3; }\"";
    let desk = Desk::live(&host, Service::Notify, &asked("tcp: '127.0.0.1:8080'"));
    for (number, way) in [unix, command, "tcp: '127.0.0.1:8080'"].iter().enumerate() {
        let version = format!("good-{number}");
        desk.write(&asked(way));
        let good = desk.deploy(Kind::Graceful, &version);
        assert_live(&host, &good, &version);
        let (bad, words) = match number {
            0 => (Kind::Unhealthy, "answered 500, not 200"),
            1 => (Kind::Plain, "the health command failed: not graceful"),
            _ => continue,
        };
        desk.tree(bad, "bad");
        desk.json(&["deploy"]).leaves(3).says(words);
        assert_live(&host, &good, &version);
    }
    // What a command leaves running holds its output, and is ended with it.
    desk.write(&asked("command: \"sleep 4321 & true\""));
    let began = std::time::Instant::now();
    desk.deploy(Kind::Graceful, "left-running");
    assert!(began.elapsed() < AT_ONCE, "{:?}", began.elapsed());
    host.wait_for("the end of what it left running", |host| {
        !host.root("pgrep -u deploy -f 'sleep 4321'").success()
    });
    nothing_passes(
        &host,
        &desk,
        "tcp: '127.0.0.1:8099'",
        "nobody listens on 127.0.0.1:8099",
    );
}

#[test]
fn answers_that_redirect_or_are_huge_or_lack_something_are_judged_by_what_was_asked_for() {
    let host = lab::host!(Suite::Bookworm);
    let odd = "import http.server, time\n\
        class Odd(http.server.BaseHTTPRequestHandler):\n\
        \x20   def do_GET(self):\n\
        \x20       self.send_response(301 if self.path == '/round' else 200)\n\
        \x20       self.send_header('Location', '/round')\n\
        \x20       self.end_headers()\n\
        \x20       for _ in range(1000 if self.path == '/huge' else 0): self.wfile.write(b'x' * 10000)\n\
        \x20       while self.path == '/endless': self.wfile.write(b'x'), time.sleep(0.1)\n\
        \x20       self.wfile.write(b'the end')\n\
        http.server.HTTPServer(('127.0.0.1', 8090), Odd).serve_forever()\n";
    host.write_file("/opt/odd.py", odd.as_bytes());
    host.root("systemd-run --quiet --unit=odd /usr/bin/python3 /opt/odd.py")
        .ok();
    let url = |path: &str| format!("url: \"http://127.0.0.1:8090{path}\"");
    let desk = Desk::live(&host, Service::Notify, &asked(&url("/huge")));
    for way in [
        format!("{}, contains: the end", url("/huge")),
        format!("{}, status: 301", url("/round")),
    ] {
        desk.write(&asked(&way));
        let good = desk.deploy(Kind::Graceful, &way);
        assert_live(&host, &good, &way);
    }
    nothing_passes(&host, &desk, &url("/round"), "answered 301, not 200");
    nothing_passes(
        &host,
        &desk,
        &url("/endless"),
        "answered 200, but the response was incomplete",
    );
    // What stands after the answer is not a part of it.
    nothing_passes(
        &host,
        &desk,
        &format!("{}, contains: '200'", url("/")),
        "does not contain the required text",
    );
    nothing_passes(
        &host,
        &desk,
        &format!("{}, contains: elsewhere", url("/")),
        "does not contain the required text",
    );
    desk.write(&asked(&url("/")));
    let good = desk.deploy(Kind::Graceful, "in the end");
    assert_live(&host, &good, "in the end");
}

/// systemd hands its DefaultEnvironment to the conductor, and the login's shell what its owner exports.
#[test]
fn a_proxy_answers_for_nobody_and_another_apps_directory_is_not_read() {
    let host = lab::host!(Suite::Bookworm);
    let desk = Desk::live(&host, Service::Simple, &acme("restart"));
    host.write_file(
        "/etc/systemd/system/proxy.socket",
        b"[Socket]\nListenStream=127.0.0.1:3128\nAccept=yes\n",
    );
    host.write_file(
        "/etc/systemd/system/proxy@.service",
        b"[Service]\nStandardInput=socket\nExecStart=/bin/sh -c 'read -r l; printf \"HTTP/1.1 200 OK\\r\\nContent-Length: 2\\r\\n\\r\\nok\"'\n",
    );
    host.write_file(
        "/etc/systemd/system.conf.d/proxy.conf",
        b"[Manager]\nDefaultEnvironment=http_proxy=http://127.0.0.1:3128 ALL_PROXY=http://127.0.0.1:3128 CDPATH=/opt/other\n",
    );
    host.write_file("/opt/other/.shipit/ledger", b"t 7 r9 begin x\n");
    for file in [".profile", ".bashrc"] {
        host.write_file(
            &format!("/home/deploy/{file}"),
            b"export CDPATH=/opt/other http_proxy=http://127.0.0.1:3128\n",
        );
    }
    host.write_file(
        "/etc/environment",
        b"CDPATH=/opt/other\nhttp_proxy=http://127.0.0.1:3128\n",
    );
    host.root("systemctl daemon-reexec && systemctl start proxy.socket")
        .ok();
    let said = host
        .root("curl -s -x http://127.0.0.1:3128 http://127.0.0.1:8099/healthz")
        .ok();
    assert_eq!(said, "ok", "the proxy does not answer");
    // Nobody listens on 8099.
    desk.write(
        &acme("restart")
            .health("url", "\"http://127.0.0.1:8099/healthz\"")
            .health("timeout", "5s"),
    );
    desk.tree(Kind::Graceful, "v2");
    desk.shipit(&["deploy"]).leaves(1);
    for look in ["history", "releases", "status"] {
        desk.shipit(&[look]).leaves(0).never_says("r9");
    }
    // The verdict of the new release, and of the way back.
    desk.shipit(&["deploy", "--despite-health"])
        .leaves(4)
        .says("nobody listens on 127.0.0.1:8099");
    // A proxy that is dead stands in nobody's way.
    host.root("systemctl stop proxy.socket").ok();
    desk.write(&acme("restart"));
    let ran = desk.json(&["deploy"]).leaves(0);
    assert_live(&host, &ran.release(), "v2");
    desk.shipit(&["doctor"]).leaves(0);
    // The app's own commands have what the login has.
    desk.shipit(&["run", "--", "sh", "-c", "test \"$http_proxy\" = http://127.0.0.1:3128"])
        .leaves(0);
}
