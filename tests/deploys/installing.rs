//! The repository's units on their way to the host: compared, installed, taken up, and what stands in the way.

use std::process::Stdio;

use super::desk::{Desk, Ran, acme, assert_live};
use crate::apps::Kind;
use crate::bounds::Ends as _;
use crate::lab::{self, Host, Suite};

/// A desk with a deploy.yml and the units that `unit generate` writes for it.
fn desk(host: &Host) -> Desk {
    let desk = Desk::at(host, "ann");
    desk.write(&acme("socket").with("migrate: acme-migrate.service"));
    let server = "/usr/bin/python3 /opt/acme/current/server.py";
    let migrate = "/usr/bin/test -e /opt/acme/next/server.py";
    let wish = ["unit", "generate", "--program", "binary", "--user", "app", "--notify"];
    desk.shipit(
        &[
            &wish[..],
            &["--command", server, "--migrate", migrate, "--backup", "/usr/bin/true"],
        ]
        .concat(),
    )
    .leaves(0);
    desk
}

fn text(desk: &Desk, unit: &str) -> String {
    std::fs::read_to_string(desk.path(&format!("deploy/units/{unit}"))).unwrap()
}

/// Changes a unit of the repository.
fn change(desk: &Desk, unit: &str, from: &str, to: &str) {
    let old = text(desk, unit);
    assert!(old.contains(from), "{unit} has no {from}");
    desk.file(&format!("deploy/units/{unit}"), &old.replace(from, to));
}

/// The login that installs.
fn root(host: &Host) -> String {
    format!("root@{}", host.address())
}

/// Every file of the app on the host, with owner, mode and digest: what must not change when an install is refused.
fn there(host: &Host) -> String {
    host.root("cd /etc/systemd/system && find . -name '*acme*' -printf '%p %u %m %l ' -exec sha256sum {} \\; 2>&1; ls -A . /run | grep shipit | grep -v 'setup.lock'")
        .stdout
}

fn installed_and_taken_up(suite: Suite) {
    let host = lab::host!(suite);
    let desk = desk(&host);
    let root = root(&host);
    let install = ["unit", "install", "--yes", "--as", root.as_str()];

    desk.shipit(&["unit", "diff"])
        .leaves(1)
        .says("acme.service does not exist on the host")
        .says("next: shipit unit install --as root@");
    let before = there(&host);
    desk.shipit(&["unit", "install", "--print"])
        .leaves(0)
        .says("write /etc/systemd/system/acme.socket");
    assert_eq!(there(&host), before, "--print wrote something");
    desk.shipit(&[&install[..], &["--now"]].concat())
        .leaves(0)
        .says("wrote /etc/systemd/system/acme.service")
        .says("enable: acme.service")
        .says("start: acme.socket");
    for unit in ["acme.socket", "acme-backup.timer"] {
        assert_eq!(host.unit(unit, "ActiveState"), "active", "{unit}");
        assert_eq!(host.unit(unit, "UnitFileState"), "enabled", "{unit}");
    }
    let stat = host.root("stat -c '%U:%G %a' /etc/systemd/system/acme.service").ok();
    assert_eq!(stat.trim(), "root:root 644");
    assert_eq!(
        host.read_file("/etc/systemd/system/acme.service"),
        text(&desk, "acme.service")
    );
    desk.shipit(&["unit", "diff"])
        .leaves(0)
        .says("acme.service is the same");
    // The deploy user may ask, without root and without a password.
    desk.shipit(&["unit", "install", "--yes"])
        .leaves(0)
        .says("nothing to do");

    desk.setup();
    let release = desk.deploy(Kind::Graceful, "v1");
    assert_live(&host, &release, "v1");

    change(&desk, "acme.service", "[Service]", "# by hand\n[Service]");
    desk.shipit(&["unit", "diff"])
        .leaves(1)
        .says("acme.service differs only in comments and layout")
        .says("+# by hand");
    desk.shipit(&install)
        .leaves(0)
        .says("replace /etc/systemd/system/acme.service")
        .never_says("runs with the old settings");
    change(&desk, "acme.service", "TimeoutStopSec=30s", "TimeoutStopSec=40s");
    change(&desk, "acme.socket", "Backlog=4096", "Backlog=2048");
    change(
        &desk,
        "acme.socket",
        "ListenStream=127.0.0.1:8080",
        "ListenStream=127.0.0.1:8080\nListenStream=8081",
    );
    desk.shipit(&["unit", "diff"])
        .leaves(1)
        .says("acme.service differs in TimeoutStopSec");
    desk.shipit(&install)
        .leaves(0)
        .says("acme.service: exposure ")
        .says(" of 10, before ")
        .says("acme.service runs with the old settings until the next deploy")
        .says("acme.socket listens with the old settings until it restarts");
    // A new address does not cost the old one: the port was never closed.
    let release = desk.deploy(Kind::Graceful, "v2");
    assert_live(&host, &release, "v2");
    assert_eq!(host.unit("acme.service", "TimeoutStopUSec"), "40s");
    desk.shipit(&["unit", "diff", "--json"])
        .leaves(0)
        .says("\"differences\":[]");
}

#[test]
fn units_are_installed_and_taken_up() {
    for suite in Suite::Trixie.or_both() {
        installed_and_taken_up(suite);
    }
}

#[test]
fn what_stands_in_the_way_is_named_and_nothing_is_written() {
    let host = lab::host!(Suite::Trixie);
    let desk = desk(&host);
    let root = root(&host);
    let install = ["unit", "install", "--yes", "--as", root.as_str()];
    desk.shipit(&["unit", "install", "--yes"])
        .leaves(1)
        .says("this login is not root and cannot use sudo")
        .says("next  shipit unit install --as root@");
    desk.shipit(&[&install[..], &["--now", "--quiet"]].concat()).leaves(0);
    let sound = there(&host);
    let refused = |words: &str| {
        let ran = desk.shipit(&install);
        ran.leaves(1).says(words);
    };

    // systemd refuses one of two: neither is there.
    let broken =
        "[Unit]\nDescription=x\n[Service]\nType=oneshot\nTimeoutStartSec=1min\nUser=app\nExecStart=/bin/nothere\n";
    desk.file("deploy/units/acme-x.service", broken);
    change(&desk, "acme.service", "LimitNOFILE=65536", "LimitNOFILE=65535");
    refused("acme-x.service: Command /bin/nothere is not executable");
    assert_eq!(there(&host), sound);
    // What systemd-analyze lets pass and PID 1 refuses: the old files come back.
    host.write_file("/usr/local/bin/systemd-analyze", b"#!/bin/sh\nexit 0\n");
    host.root("chmod 0755 /usr/local/bin/systemd-analyze").ok();
    desk.file(
        "deploy/units/acme-x.service",
        "[Unit]\nDescription=x\n# shipit: allow exec-none\n[Service]\nType=oneshot\n",
    );
    refused("systemd reports acme-x.service as bad-setting");
    assert_eq!(there(&host), sound, "the old files are not back");
    assert_eq!(host.unit("acme.service", "NeedDaemonReload"), "no");
    host.root("rm /usr/local/bin/systemd-analyze").ok();
    std::fs::remove_file(desk.path("deploy/units/acme-x.service")).unwrap();

    // The port that is listened on.
    change(&desk, "acme.socket", "ListenStream=127.0.0.1:8080", "ListenStream=8081");
    refused("would lose ListenStream=127.0.0.1:8080");
    host.root("systemctl stop acme.socket").ok();
    desk.shipit(&install).leaves(0);
    host.root("systemctl start acme.socket && ss -ltn | grep -q :8081").ok();

    // shipit's own rules, before any host is asked.
    change(&desk, "acme.service", "Type=notify", "Type=blah");
    refused("[bad-value]");
    change(&desk, "acme.service", "Type=blah", "Type=notify");

    // Who can change the way to a file that root reads, only the host shows.
    host.root("install -d -o deploy /etc/acme/conf.d").ok();
    let (none, env) = ("[Service]\n", "[Service]\nEnvironmentFile=-/etc/acme/conf.d/app.env\n");
    change(&desk, "acme.service", none, env);
    let before = there(&host);
    refused("EnvironmentFile= /etc/acme/conf.d/app.env: root reads it, and deploy owns /etc/acme/conf.d");
    assert_eq!(there(&host), before);
    change(&desk, "acme.service", env, none);

    // What an administrator did.
    change(
        &desk,
        "acme-backup.timer",
        "Persistent=yes",
        "Persistent=yes\nAccuracySec=10s",
    );
    let timer = "/etc/systemd/system/acme-backup.timer";
    host.root(&format!(
        "systemctl stop acme-backup.timer; rm {timer}; systemctl --quiet mask acme-backup.timer"
    ))
    .ok();
    let before = there(&host);
    desk.shipit(&["unit", "diff"])
        .leaves(1)
        .says("acme-backup.timer is masked on the host");
    refused("acme-backup.timer is masked");
    host.root(&format!("ln -sfn /srv/timer {timer}; echo kept >/srv/timer"))
        .ok();
    desk.shipit(&["unit", "diff"])
        .leaves(1)
        .says("acme-backup.timer is a symlink on the host, to /srv/timer");
    refused("is a symlink on the host, to /srv/timer");
    assert_eq!(host.read_file("/srv/timer"), "kept\n");
    host.root(&format!("rm {timer}; cp /lib/systemd/system/fstrim.timer /usr/lib/systemd/system/acme-backup.timer; systemctl daemon-reload")).ok();
    refused("is loaded from /usr/lib/systemd/system/acme-backup.timer");
    assert_eq!(there(&host).lines().count() + 1, before.lines().count());
    host.root("rm /usr/lib/systemd/system/acme-backup.timer; systemctl daemon-reload")
        .ok();
    host.root("mkdir /etc/systemd/system/acme.service.d && printf '[Service]\\nUser=root\\n' >/etc/systemd/system/acme.service.d/o.conf && systemctl daemon-reload").ok();
    desk.shipit(&["unit", "diff"])
        .leaves(1)
        .says("acme.service is overridden on the host by /etc/systemd/system/acme.service.d/o.conf in User");
    desk.shipit(&install)
        .leaves(0)
        .says("it stays and takes precedence: rm /etc/systemd/system/acme.service.d/o.conf");
}

#[test]
fn only_units_of_this_app_are_installed() {
    let host = lab::host!(Suite::Bookworm);
    let desk = desk(&host);
    let root = root(&host);
    let install = ["unit", "install", "--yes", "--as", root.as_str()];
    let unit = "[Unit]\nDescription=x\n[Service]\nType=oneshot\nTimeoutStartSec=1min\nUser=app\nExecStart=/bin/true\n";
    for (name, why) in [
        ("ssh.service", "is neither in deploy.yml nor named after the app"),
        ("acmetron.service", "is neither in deploy.yml nor named after the app"),
        ("shipit-acme.service", "has the name of one of shipit's guard units"),
        ("acme@1.service", "is an instance: use its template instead"),
        ("acme-x.mount", "is of a type that shipit does not install"),
    ] {
        desk.file(&format!("deploy/units/{name}"), unit);
        desk.shipit(&install).leaves(2).says(why);
        desk.shipit(&["unit", "diff"]).leaves(2).says(why);
        std::fs::remove_file(desk.path(&format!("deploy/units/{name}"))).unwrap();
    }
    // Another app of this host, whose name begins with ours.
    host.write_file("/etc/systemd/system/shipit-acme-web.path", b"[Path]\nPathExists=/x\n");
    let before = there(&host);
    desk.file("deploy/units/acme-web.service", unit);
    desk.shipit(&install)
        .leaves(1)
        .says("acme-web.service is named after acme-web, another app on this host");
    std::fs::remove_file(desk.path("deploy/units/acme-web.service")).unwrap();
    assert_eq!(there(&host), before);
    // A link in the repository leads out of it; it is never followed.
    std::os::unix::fs::symlink("/etc/shadow", desk.path("deploy/units/acme-s.service")).unwrap();
    desk.shipit(&install)
        .leaves(2)
        .says("is not a regular file")
        .never_says("root:");
    std::fs::remove_file(desk.path("deploy/units/acme-s.service")).unwrap();
    // Somebody who logs in as another user and has sudo; first on a host where nothing can be written.
    let admin = format!("admin@{}", host.address());
    let units = "/etc/systemd/system";
    host.root(&format!(
        "mount --bind {units} {units} && mount -o remount,bind,ro {units}"
    ))
    .ok();
    desk.shipit(&["unit", "install", "--yes", "--as", &admin])
        .leaves(1)
        .says("a command failed on the host; the old files have been restored")
        .never_says("cannot use sudo");
    host.root(&format!("umount {units}")).ok();
    assert_eq!(there(&host), before);
    // A user whose group exists already; first with a useradd that fails in its own way.
    desk.file("deploy/units/acme-x.service", &unit.replace("User=app", "User=jobs"));
    host.root("groupadd --system jobs").ok();
    host.write_file("/usr/local/sbin/useradd", b"#!/bin/sh\nexit 9\n");
    host.root("chmod 0755 /usr/local/sbin/useradd").ok();
    let before = there(&host);
    desk.shipit(&["unit", "install", "--yes", "--as", &admin])
        .leaves(1)
        .says("a command failed on the host; the old files have been restored")
        .says("the units on the host are unchanged");
    assert_eq!(there(&host), before);
    host.root("rm /usr/local/sbin/useradd").ok();
    desk.shipit(&["unit", "install", "--yes", "--as", &admin])
        .leaves(0)
        .says("wrote");
    assert_eq!(host.root("id -gn jobs").ok().trim(), "jobs");
    desk.shipit(&["unit", "diff"]).leaves(0);
}

#[test]
fn units_are_not_changed_under_a_switch() {
    let host = lab::host!(Suite::Bookworm);
    let desk = desk(&host);
    let root = root(&host);
    let install = ["unit", "install", "--yes", "--as", root.as_str()];
    desk.setup();
    // Two at once: the second compares what the first has left.
    host.root("systemd-run -q --unit=other flock /run/shipit-setup.lock sleep infinity")
        .ok();
    host.wait_for("the other install", |host: &Host| {
        !host.root("flock -n /run/shipit-setup.lock true").success()
    });
    let mut command = desk.command(&install);
    let piped = command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let running = piped.spawn().unwrap();
    host.wait_for("the install", |host: &Host| {
        host.root("pgrep -f 'flock -w 60 [8]'").success()
    });
    host.write_file("/etc/systemd/system/acme-backup.timer", b"[Timer]\nOnCalendar=daily\n");
    host.root("systemctl stop other").ok();
    Ran::new("unit install", &running.ends())
        .leaves(1)
        .says("the units on the host were changed in the meantime");
    let timer = host.read_file("/etc/systemd/system/acme-backup.timer");
    assert_eq!(timer, "[Timer]\nOnCalendar=daily\n");
    host.root("rm /etc/systemd/system/acme-backup.timer").ok();
    // Whoever places a request holds this lock: the install waits for it, and the request that came first wins.
    host.root(
        "systemctl stop shipit-acme.path; systemd-run -q --unit=hold flock /opt/acme/.shipit/runs sleep infinity",
    )
    .ok();
    host.wait_for("the lock", |host: &Host| {
        !host.root("flock -n /opt/acme/.shipit/runs true").success()
    });
    let before = there(&host);
    let mut command = desk.command(&install);
    let piped = command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let running = piped.spawn().unwrap();
    host.wait_for("the install", |host: &Host| {
        host.root("pgrep -f 'flock -w 30 [9]'").success()
    });
    let request = "printf 'shipit 1\\nby bob@desk\\ncommand deploy\\nnext v9\\nend\\n' >/opt/acme/.shipit/request";
    host.ssh("deploy", request).ok();
    host.root("systemctl stop hold").ok();
    Ran::new("unit install", &running.ends())
        .leaves(5)
        .says("another switch is in progress: bob@desk")
        .says("deploy to v9")
        .says("the units on the host are unchanged")
        .says("shipit attach");
    assert_eq!(there(&host), before);
    // What the deploy user leaves there instead holds root up no longer than it takes to look.
    host.ssh(
        "deploy",
        "cd /opt/acme/.shipit && rm request && mkfifo request && mv runs r && mkfifo runs",
    )
    .ok();
    desk.shipit(&install).leaves(0);
}

#[test]
fn who_holds_the_port_is_named_when_a_socket_is_to_be_started() {
    let host = lab::host!(Suite::Trixie);
    let desk = desk(&host);
    let root = root(&host);
    desk.setup().says("next: shipit unit install --now --as root@");
    desk.shipit(&["releases"])
        .leaves(0)
        .says("acme has no release on the host yet");
    desk.shipit(&["prune"]).leaves(0).says("no release is live");
    host.root("systemd-run --quiet --unit=squatter python3 -m http.server 8080")
        .ok();
    host.wait_for("the squatter", |host| host.root("ss -Hltn").stdout.contains(":8080 "));
    desk.shipit(&["unit", "install", "--now", "--yes", "--as", root.as_str()])
        .leaves(1)
        .says("systemctl start acme.socket failed")
        .says("Address already in use")
        .says("next  shipit doctor");
    desk.shipit(&["doctor"])
        .leaves(1)
        .says("acme.socket: the socket is failed (resources): squatter.service holds 127.0.0.1:8080")
        .says("sudo ss -ltnp")
        .never_says("the queue of 127.0.0.1:8080")
        .never_says("shipit logs --unit acme.socket");
}
