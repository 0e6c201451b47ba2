//! Why a release failed, as the host found it out before it went back: how the process ended, what it wrote last, who
//! listens where. And how long a wrong response is waited for.

use super::desk::{Desk, acme, answer, assert_live, current};
use crate::apps::{Kind, Service};
use crate::lab::{self, Suite};

/// Ships the server with one part of its text replaced.
fn tree_with(desk: &Desk, version: &str, part: &str, other: &str) {
    desk.tree(Kind::Graceful, version);
    let server = std::fs::read_to_string(desk.path("source/server.py")).unwrap();
    let changed = server.replace(part, other);
    assert_ne!(server, changed);
    desk.file("source/server.py", &changed);
}

#[test]
fn a_process_that_systemd_started_again_is_reported_with_its_exit_status_and_last_output() {
    let host = lab::host!(Suite::Bookworm);
    let desk = Desk::live(&host, Service::Simple, &acme("restart"));
    let fast = "[Unit]\nStartLimitIntervalSec=0\n[Service]\nRestart=always\nRestartSec=10ms\n";
    host.write_file("/etc/systemd/system/acme.service.d/fast.conf", fast.as_bytes());
    host.root("systemctl daemon-reload").ok();
    for (ends, words) in [
        ("sys.exit(1)", "exit status 1"),
        ("os.kill(os.getpid(), 9)", "killed by SIGKILL"),
        ("os.kill(os.getpid(), 11)", "killed by SIGSEGV"),
    ] {
        let listener = format!(
            "print('no license for %d' % 7); sys.stdout.flush(); {ends}\n    server = Server(behaviour, version)"
        );
        tree_with(&desk, ends, "server = Server(behaviour, version)", &listener);
        desk.json(&["deploy"])
            .leaves(3)
            .says(words)
            .says("last output of acme.service: no license for 7")
            .never_says("result success");
        assert_eq!(answer(&host), "v1");
    }
    // A connection that is refused is no wrong answer: it is waited for longer than for one.
    desk.write(&acme("restart").health("wrong_answers", "2s"));
    let late = "time.sleep(6)\n    server = Server(behaviour, version)";
    tree_with(&desk, "late", "server = Server(behaviour, version)", late);
    let ran = desk.json(&["deploy"]).leaves(0);
    assert_live(&host, &ran.release(), "late");
    let gap = ran.ended()["downtime"]["longest_gap_ms"].as_u64();
    assert!(gap > Some(5000), "it was ready before: {ran}");
}

#[test]
fn a_service_that_does_not_write_to_the_journal_is_reported_with_where_it_writes() {
    let host = lab::host!(Suite::Trixie);
    let desk = Desk::live(&host, Service::Simple, &acme("restart"));
    for (to, words) in [
        (
            "append:/var/log/acme.log",
            "acme.service writes its output to a file (StandardOutput=append",
        ),
        ("null", "acme.service discards its output (StandardOutput=null)"),
        (
            "journal\nStandardError=null",
            "acme.service discards its errors (StandardError=null)",
        ),
    ] {
        let drop_in = format!("[Service]\nStandardOutput={to}\n");
        host.write_file("/etc/systemd/system/acme.service.d/output.conf", drop_in.as_bytes());
        host.root("systemctl daemon-reload && systemctl restart acme.service")
            .ok();
        desk.tree(Kind::CrashAtStart, &to.replace('\n', "-"));
        desk.json(&["deploy"])
            .leaves(3)
            .says(words)
            .never_says("last output of");
    }
}

#[test]
fn an_app_on_another_port_or_whose_port_is_taken_is_reported_by_who_listens() {
    let host = lab::host!(Suite::Bookworm);
    let desk = Desk::live(&host, Service::Notify, &acme("restart").health("timeout", "20s"));
    let before = current(&host);
    tree_with(&desk, "v2", "os.environ.get(\"PORT\", \"8080\")", "3000");
    desk.json(&["deploy"])
        .leaves(3)
        .says("nobody listens on 127.0.0.1:8080; acme.service listens on 0.0.0.0:3000")
        .never_says("no answer from");
    assert_live(&host, &before, "v1");
    // Another service answers where the check asks.
    tree_with(&desk, "v3", "os.environ.get(\"PORT\", \"8080\")", "3000");
    let other = "import http.server, time, socket\n\
        class Odd(http.server.BaseHTTPRequestHandler):\n\
        \x20   def do_GET(self): self.send_error(404)\n\
        while True:\n\
        \x20   try: http.server.HTTPServer(('127.0.0.1', 8080), Odd).serve_forever()\n\
        \x20   except OSError: time.sleep(0.01)\n";
    host.write_file("/opt/odd.py", other.as_bytes());
    host.root("systemd-run --quiet --unit=odd /usr/bin/python3 /opt/odd.py")
        .ok();
    desk.json(&["deploy"])
        .says("answered 404, not 200")
        .says("odd.service listens on 127.0.0.1:8080; acme.service listens on 0.0.0.0:3000");
    host.root("systemctl stop odd").ok();
}

#[test]
fn a_response_that_stays_wrong_ends_the_wait_early_and_its_probes_stay_out_of_the_excerpt() {
    let host = lab::host!(Suite::Trixie);
    let yml = acme("restart").health("timeout", "30m").health("wrong_answers", "2s");
    let desk = Desk::live(&host, Service::Notify, &yml);
    let before = current(&host);
    // It logs each request, as access logs do, and now and then an error of its own.
    let logs = "print('127.0.0.1 - \"GET %s HTTP/1.1\" 500' % path.decode(), file=sys.stderr)\n        \
                print('%s KeyError in handler' % time.strftime('%H:%M:%S'), file=sys.stderr)\n        \
                status = \"500 Oops\"\n        last = self.draining";
    tree_with(&desk, "v2", "last = self.draining", logs);
    // All of its time would be longer than any command of a test may take.
    let ran = desk
        .json(&["deploy"])
        .leaves(3)
        .says("acme.service is not healthy: http://127.0.0.1:8080/healthz answered 500, not 200, for 2s");
    let journal = ran.journal();
    assert!(!journal.contains("GET /healthz"), "{ran}");
    assert_eq!(journal.matches("KeyError in handler").count(), 1, "{ran}");
    assert!(journal.contains(" times)"), "{ran}");
    assert_live(&host, &before, "v1");
    // One that is not ready yet is waited for.
    let soon = "if time.monotonic() < READY: status = \"503 Not yet\"\n        last = self.draining";
    tree_with(&desk, "v3", "last = self.draining", soon);
    let server = std::fs::read_to_string(desk.path("source/server.py")).unwrap();
    desk.file(
        "source/server.py",
        &server.replace("HEARD = set()", "HEARD = set()\nREADY = time.monotonic() + 6"),
    );
    let good = desk.json(&["deploy"]).leaves(0).release();
    assert_live(&host, &good, "v3");
}

#[test]
fn a_unit_under_an_alias_or_that_nobody_may_restart_is_refused_before_anything_is_sent() {
    let host = lab::host!(Suite::Bookworm);
    let desk = Desk::live(&host, Service::Notify, &acme("restart"));
    let before = current(&host);
    let units = "/etc/systemd/system";
    host.root(&format!(
        "ln -s acme.service {units}/web.service && systemctl daemon-reload"
    ))
    .ok();
    let yml = std::fs::read_to_string(desk.path("deploy.yml")).unwrap();
    desk.file("deploy.yml", &yml.replace("unit: acme.service", "unit: web.service"));
    desk.tree(Kind::Graceful, "v2");
    for command in ["deploy", "logs", "restart", "doctor"] {
        desk.shipit(&[command])
            .says("web.service is another name of acme.service")
            .says("write acme.service instead of web.service in deploy.yml");
    }
    desk.file("deploy.yml", &yml);
    host.root(&format!(
        "mkdir {units}/acme.service.d && printf '[Unit]\\nRefuseManualStop=yes\\n' >{units}/acme.service.d/no.conf && systemctl daemon-reload"
    ))
    .ok();
    desk.json(&["deploy"])
        .leaves(1)
        .says("acme.service has RefuseManualStop=yes")
        .says("RefuseManualStop=no");
    desk.shipit(&["restart"])
        .says("Operation refused")
        .never_says("See system logs");
    assert_live(&host, &before, "v1");
}
