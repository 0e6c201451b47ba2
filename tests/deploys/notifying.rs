//! notify: the host tells the app's own unit how a deploy or rollback ended, whatever becomes of the client, the conductor
//! or the power, and no switch depends on it. A small receiver on the host keeps what the generated unit sends.

use serde_json::Value;

use super::desk::{Desk, acme, assert_live, current};
use crate::apps::{ACME, Kind, Service};
use crate::faults::Underway;
use crate::lab::{self, Host, Suite};

const RECEIVER: &str = r#"import http.server
class Receiver(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers['Content-Length']))
        with open('/var/tmp/received', 'ab') as file:
            file.write(body)
        self.send_response(204)
        self.end_headers()
http.server.HTTPServer(('127.0.0.1', 9999), Receiver).serve_forever()
"#;

/// A host whose notify unit is the generated one, and sends to the receiver.
fn notified(host: &Host) -> Desk {
    host.write_file("/usr/local/bin/receiver.py", RECEIVER.as_bytes());
    host.write_file(
        "/etc/systemd/system/receiver.service",
        b"[Service]\nExecStart=/usr/bin/python3 /usr/local/bin/receiver.py\n[Install]\nWantedBy=multi-user.target\n",
    );
    host.write_file("/etc/acme/webhook", b"url = \"http://127.0.0.1:9999/hook\"\n");
    host.root("chmod 0600 /etc/acme/webhook && systemctl daemon-reload && systemctl enable --now receiver.service")
        .ok();
    ACME.install_units(host, Service::Socket);
    let desk = Desk::at(host, "ann");
    desk.write(&acme("socket").with("notify: acme-notify@.service"));
    // The project may have the others, with changes of its own, and a program that nobody knows.
    let made = ["unit", "generate", "--only", "acme-notify@.service", "--out", "made"];
    desk.shipit(&made).leaves(0);
    let unit = std::fs::read(desk.path("made/acme-notify@.service")).unwrap();
    host.write_file("/etc/systemd/system/acme-notify@.service", &unit);
    host.root("systemctl daemon-reload").ok();
    desk.setup().says("/usr/local/lib/shipit/acme/notify");
    desk
}

/// What was received so far, once for each run: curl sends again where an answer was slow.
fn received(host: &Host) -> Vec<Value> {
    let text = host.root("cat /var/tmp/received 2>/dev/null").stdout;
    let mut all: Vec<Value> = Vec::new();
    for line in text.lines() {
        let one: Value = serde_json::from_str(line).unwrap();
        if all.iter().all(|other| other["run"] != one["run"]) {
            all.push(one);
        }
    }
    all
}

/// Waits until the notify unit was started for each switch so far, or could not be.
fn noticed(host: &Host) {
    host.wait_for("the entries", |host: &Host| {
        host.root("ls /opt/acme/.shipit/notify").stdout.is_empty()
    });
}

/// Waits for the notification with that number, which must be the last.
#[track_caller]
fn nth(host: &Host, number: usize, outcome: &str) -> Value {
    host.wait_for("the notification", |host: &Host| received(host).len() >= number);
    let all = received(host);
    assert_eq!(all.len(), number, "{all:#?}");
    let last = all.last().unwrap().clone();
    assert_eq!(last["outcome"], outcome, "{last}");
    last
}

#[test]
fn the_host_notifies_of_every_end_and_no_switch_depends_on_it() {
    let host = lab::host!(Suite::Bookworm);
    let desk = notified(&host);
    let v1 = desk.deploy(Kind::Graceful, "v1");
    let told = nth(&host, 1, "deployed");
    assert_eq!(
        (&told["v"], &told["event"], &told["app"]),
        (&1.into(), &"ended".into(), &"acme".into())
    );
    assert_eq!(
        (told["release"].as_str(), told["previous"].as_str()),
        (Some(v1.as_str()), None)
    );
    assert!(told["by"].as_str().unwrap().starts_with("ann@"), "{told}");
    let run = told["run"].as_str().unwrap().to_owned();
    let modes = host.root("stat -c '%U %a' /run/shipit-notify-acme /run/shipit-notify-acme/*.json");
    assert_eq!(modes.stdout, "root 700\nroot 600\n");

    desk.tree(Kind::Unhealthy, "v2");
    desk.json(&["deploy"]).leaves(3);
    let told = nth(&host, 2, "reverted");
    assert_eq!(
        (told["live"].as_str(), told["previous"].as_str()),
        (Some(v1.as_str()), Some(v1.as_str()))
    );
    assert!(told["cause"].as_str().unwrap().contains("not healthy"), "{told}");
    assert!(
        told["probes"].as_u64().unwrap() > 0 && told["seconds"].is_u64(),
        "{told}"
    );

    let v3 = desk.deploy(Kind::Graceful, "v3");
    nth(&host, 3, "deployed");
    desk.json(&["rollback"]).leaves(0);
    nth(&host, 4, "rolled_back");
    desk.json(&["prune"]).leaves(0);
    assert_eq!(received(&host).len(), 4, "a prune is no deploy");

    // A unit that hangs, one that fails, and one that does not exist any more: no switch is the worse for it.
    let drop_in = "/etc/systemd/system/acme-notify@.service.d/bad.conf";
    for line in ["ExecStart=/bin/sleep infinity", "ExecStart=/bin/false"] {
        host.write_file(drop_in, format!("[Service]\nExecStart=\n{line}\n").as_bytes());
        host.root("systemctl daemon-reload").ok();
        let release = desk.deploy(
            Kind::Graceful,
            line.rsplit('/').next().unwrap().split(' ').next().unwrap(),
        );
        assert_eq!(current(&host), release);
        // Its unit was started: another text is none of its.
        noticed(&host);
    }
    host.root("rm -r /etc/systemd/system/acme-notify@.service*; systemctl daemon-reload")
        .ok();
    desk.shipit(&["doctor"])
        .says("acme-notify@.service does not exist on the host");
    desk.tree(Kind::Graceful, "v4");
    desk.shipit(&["deploy"])
        .leaves(0)
        .says("nobody is notified of this deploy: acme-notify@.service does not exist on the host");
    noticed(&host);
    assert_eq!(received(&host).len(), 4);

    // The line is exact, and what comes on stdin names no other unit and no other file.
    let helper = "sudo -n /usr/local/lib/shipit/acme/notify acme";
    let line = format!("printf '{run}\\n{{}}\\nend\\n' | {helper} ssh@.service");
    assert!(!host.ssh("deploy", &line).success());
    for run in ["../x", "a b", "-x", "", "a/b", "x;y"] {
        let line = format!("printf '%s\\n{{}}\\nend\\n' '{run}' | {helper} acme-notify@.service");
        assert!(!host.ssh("deploy", &line).success(), "{run}");
    }
    let cut = format!("printf '{run}\\n{{}}\\n' | {helper} acme-notify@.service");
    assert!(!host.ssh("deploy", &cut).success());

    host.root("systemctl stop shipit-acme.notify.path").ok();
    desk.shipit(&["doctor"]).says("shipit-acme.notify.path is not active");
    // Without the key, setup takes all of it away.
    desk.write(&acme("socket"));
    desk.setup().says("removed /usr/local/lib/shipit/acme/notify");
    let left = host.root(
        "ls -d /etc/systemd/system/shipit-acme.notify* /opt/acme/.shipit/notify /usr/local/lib/shipit/acme/notify",
    );
    assert_eq!(left.stdout, "");
    let _ = v3;
    desk.deploy(Kind::Graceful, "v5");
}

#[test]
fn the_host_notifies_without_the_client_after_a_killed_conductor_and_after_a_power_cut() {
    let host = lab::host!(Suite::Trixie);
    let desk = notified(&host);
    let v1 = desk.deploy(Kind::Graceful, "v1");
    nth(&host, 1, "deployed");

    desk.tree(Kind::Graceful, "v2");
    let mut run = Underway::start(&desk, &["deploy"]);
    assert!(run.until("flip", "done"));
    run.signal(rustix::process::Signal::KILL);
    let v2 = nth(&host, 2, "deployed")["release"].as_str().unwrap().to_owned();
    assert_live(&host, &v2, "v2");
    drop(run.end());

    desk.tree(Kind::Hanging, "v3");
    let mut run = Underway::start(&desk, &["deploy"]);
    assert!(run.until("flip", "done"));
    host.root("systemctl kill -s KILL shipit-acme.service").ok();
    run.end().leaves(3);
    assert_eq!(nth(&host, 3, "reverted")["live"], v2.as_str());

    // An entry that waited for the power is taken up at boot, as is the end of the switch that it interrupted.
    desk.tree(Kind::Hanging, "v4");
    host.flush();
    let mut run = Underway::start(&desk, &["deploy"]);
    assert!(run.until("flip", "done"));
    host.power_cut();
    host.boot_again();
    let told = nth(&host, 4, "reverted");
    assert_eq!(told["live"], v2.as_str(), "{told}");
    drop(run.end());
    let _ = v1;
}
