//! The hosts of the lab boot, let people in, lose power, fill up, and leave nothing behind.

use std::fs;
use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;
use std::time::Duration;

use crate::bounds::{self, Ends as _, PATIENCE};
use crate::lab::{self, Host, Suite};

#[test]
fn two_hosts_boot_at_once_and_everybody_logs_in() {
    let test = thread::current().name().unwrap_or_default().to_owned();
    let hosts: Vec<Option<Host>> = thread::scope(|scope| {
        let boot = |suite| {
            let named = thread::Builder::new().name(test.clone());
            named
                .spawn_scoped(scope, move || lab::Builder::from(suite).boot_if_possible())
                .unwrap()
        };
        Suite::ALL
            .map(boot)
            .into_iter()
            .map(|booting| booting.join().unwrap())
            .collect()
    });
    for host in hosts.iter().flatten() {
        let version = if host.suite() == Suite::Bookworm {
            "systemd 252"
        } else {
            "systemd 257"
        };
        assert!(host.root("systemctl --version").ok().starts_with(version));
        for user in ["root", "admin", "deploy", "deploydash", "deployfish", "deploytcsh"] {
            assert_eq!(host.ssh(user, "whoami").ok(), user);
        }
        assert_eq!(host.ssh("admin", "sudo -n id -u").ok(), "0");
        assert!(
            !host.ssh("deploy", "sudo -n id -u").success(),
            "deploy may sudo nothing"
        );
        assert_eq!(host.ssh("deploytcsh", "ps -o comm= -p $$").ok(), "tcsh");
        assert_eq!(host.ssh("deployfish", "status fish-path").ok(), "/usr/bin/fish");
        assert_eq!(
            host.ssh("deploy", "systemctl --user is-active default.target").ok(),
            "active"
        );
        host.wait_for("a whole boot", |host| {
            host.root("systemctl is-system-running").stdout == "running\n"
        });
    }
}

#[test]
fn a_power_cut_is_silent_and_keeps_what_was_written() {
    let host = lab::host!(Suite::Bookworm);
    host.write_file("/opt/kept", b"kept");
    let boots = host.root("journalctl --list-boots -o json").ok();
    host.root("systemd-run --quiet --unit=worker sleep infinity").ok();
    let mut line = TcpStream::connect(host.web(host.ssh_port())).unwrap();
    line.set_read_timeout(Some(PATIENCE)).unwrap();
    let mut greeting = [0; 4];
    line.read_exact(&mut greeting).unwrap();
    line.set_read_timeout(Some(Duration::from_millis(300))).unwrap();
    while line.read(&mut [0; 512]).is_ok_and(|read| read > 0) {}

    host.power_cut();
    let heard = line.read(&mut [0; 512]).map_err(|error| error.kind());
    assert_eq!(heard, Err(ErrorKind::WouldBlock), "nobody says goodbye in a power cut");
    assert!(!host.root("true").success(), "nothing runs there");

    host.boot_again();
    assert_eq!(host.ssh("deploy", "cat /opt/kept").ok(), "kept");
    assert_eq!(
        host.unit("worker.service", "LoadState"),
        "not-found",
        "a transient unit is gone after a boot"
    );
    assert_ne!(host.root("journalctl --list-boots -o json").ok(), boots);
    assert!(
        host.root("journalctl -u worker.service").ok().contains("Started"),
        "the journal reaches over the cut"
    );
}

#[test]
fn a_host_that_forgets_loses_in_a_power_cut_what_was_not_flushed() {
    let host = lab::host!(Suite::Trixie.that_forgets());
    let dir = host.dir().to_owned();
    let mut found = String::new();
    // Another host that shuts down flushes every disk of the machine, sync(2): then this one forgets the next time.
    let forgot = (0..5).any(|time| {
        host.root(&format!(
            "mkdir /opt/{time} && cd /opt/{time} && echo old >over && echo sure >flushed && mkdir kept && sync -f . &&
             echo bytes >unflushed && echo more >>flushed && sync flushed &&
             echo new >over.new && mv over.new over && echo late >kept/late"
        ))
        .ok();
        host.power_cut();
        host.boot_again();
        found = host
            .root(&format!(
                "cd /opt/{time} && cat flushed over && find . -type f | sort && wc -c <unflushed"
            ))
            .ok();
        assert!(found.starts_with("sure\nmore\n"), "{found}");
        found == "sure\nmore\nold\n./flushed\n./over\n./unflushed\n0"
    });
    // A flush of something else takes names with it, not bytes.
    assert!(forgot, "{found}");
    drop(host);
    assert_eq!((traces(&dir), mounts(&dir)), (Vec::new(), 0));
    // A host that boots just now may still hold a copy of the mount.
    bounds::wait_for("the end of its loop device", || !looped(&dir));
}

/// Whether a loop device still stands on a file of that host.
fn looped(dir: &Path) -> bool {
    let mut disks = fs::read_dir("/sys/block").unwrap().flatten();
    disks.any(|disk| {
        fs::read_to_string(disk.path().join("loop/backing_file"))
            .is_ok_and(|of| of.contains(&format!("{}/", dir.display())))
    })
}

#[test]
fn a_host_reboots_itself() {
    let host = lab::host!(Suite::Trixie);
    let before = host.leader();
    host.root("systemctl --no-block reboot");
    host.wait_for("another first process", |host| {
        host.leader().is_some_and(|now| Some(now) != before)
    });
    host.wait_for("a login", |host| host.ssh("deploy", "true").success());
}

#[test]
fn a_pulled_cable_is_silence_not_an_error() {
    let host = lab::host!(Suite::Bookworm);
    let mut line = TcpStream::connect(host.web(host.ssh_port())).unwrap();
    line.set_read_timeout(Some(Duration::from_millis(500))).unwrap();
    host.cut_link();
    while line.read(&mut [0; 512]).is_ok_and(|read| read > 0) {}
    line.write_all(b"SSH-2.0-nobody\r\n").unwrap();
    let heard = line.read(&mut [0; 512]).map_err(|error| error.kind());
    assert_eq!(heard, Err(ErrorKind::WouldBlock));
    host.restore_link();
    line.set_read_timeout(Some(PATIENCE)).unwrap();
    assert!(
        line.read(&mut [0; 512]).unwrap() > 0,
        "what was said is heard once the cable is back"
    );
}

#[test]
fn a_disk_fills_up_and_is_freed() {
    let host = lab::host!(Suite::Bookworm.with_small_disk("40M"));
    host.root("chmod 1777 /opt && echo here > /opt/here").ok();
    host.fill_disk_blocks();
    assert!(host.ssh("deploy", "echo x > /opt/new").stderr.contains("No space left"));
    assert!(
        host.root("cp /etc/hostname /opt/as-root")
            .stderr
            .contains("No space left"),
        "root has nothing in reserve"
    );
    host.free_disk();
    host.ssh("deploy", "echo x > /opt/new").ok();
    host.fill_disk_inodes();
    assert!(host.ssh("deploy", "touch /opt/newer").stderr.contains("No space left"));
    assert_eq!(host.root("df --output=iavail /opt | tail -n 1").ok().trim(), "0");
    host.ssh("deploy", "echo more >> /opt/new").ok();
    host.power_cut();
    host.boot_again();
    assert_eq!(
        host.root("cat /opt/here").ok(),
        "here",
        "the disk is there again after a power cut"
    );
    host.free_disk();
    host.ssh("deploy", "touch /opt/newer").ok();
}

/// All that a host leaves on the machine while it is there.
fn traces(dir: &Path) -> Vec<PathBuf> {
    let name = dir.file_name().unwrap().to_str().unwrap();
    let mut traces = vec![
        dir.to_owned(),
        format!("/run/netns/{name}").into(),
        format!("/sys/class/net/ve-{name}").into(),
    ];
    traces.extend(["", "unified/", "systemd/"].map(|tree| format!("/sys/fs/cgroup/{tree}shipit-lab/{name}").into()));
    traces.retain(|path| path.symlink_metadata().is_ok());
    traces
}

fn mounts(dir: &Path) -> usize {
    let mounts = fs::read_to_string("/proc/self/mounts").unwrap();
    mounts
        .lines()
        .filter(|line| line.contains(&format!("{}/", dir.display())))
        .count()
}

#[test]
fn a_host_is_gone_with_its_value() {
    let host = lab::host!(Suite::Bookworm.with_small_disk("10M"));
    let dir = host.dir().to_owned();
    assert!(traces(&dir).len() >= 4 && mounts(&dir) >= 2, "{:?}", traces(&dir));
    drop(host);
    assert_eq!((traces(&dir), mounts(&dir)), (Vec::new(), 0));
}

#[test]
fn a_host_whose_owner_is_killed_is_swept_and_the_others_stay() {
    let mine = lab::host!(Suite::Bookworm);
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts/lab/host.sh");
    let mut owner = Command::new("sleep").arg("infinity").spawn().unwrap();
    let up = Command::new(&script)
        .args(["up", "bookworm", &owner.id().to_string(), "all:200M"])
        .ends();
    let dir = PathBuf::from(String::from_utf8(up.stdout).unwrap().trim());
    assert!(traces(&dir).len() >= 4, "{}", String::from_utf8_lossy(&up.stderr));
    let watch = Command::new(&script)
        .args(["watch", &owner.id().to_string()])
        .stderr(Stdio::null())
        .spawn()
        .unwrap();

    // A sweep while the owner lives takes nothing.
    assert!(Command::new(&script).arg("sweep").status().unwrap().success());
    assert!(traces(&dir).len() >= 4);

    owner.kill().unwrap();
    owner.wait().unwrap();
    bounds::wait_for("the end of its traces", || traces(&dir).is_empty() && mounts(&dir) == 0);
    assert!(watch.ends().status.success());
    assert_eq!(mine.ssh("deploy", "echo alive").ok(), "alive");
}

#[test]
fn a_host_whose_owner_dies_while_it_boots_does_not_stay() {
    let _available = lab::host!(Suite::Bookworm);
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts/lab/host.sh");
    let lab = std::env::var("SHIPIT_LAB_DIR").unwrap_or("/var/cache/shipit-lab".to_owned());
    let found = |owned: &str| {
        let mut hosts = fs::read_dir(Path::new(&lab).join("hosts"))
            .unwrap()
            .flatten()
            .map(|entry| entry.path());
        hosts.find(|dir| fs::read_to_string(dir.join("owner")).is_ok_and(|owner| owner.starts_with(owned)))
    };
    // One that has booted before this test could kill its owner is tried again.
    let died = (0..20).any(|_| {
        let mut owner = Command::new("sleep").arg("infinity").spawn().unwrap();
        let owned = format!("{} ", owner.id());
        let up = Command::new(&script)
            .args(["up", "bookworm", &owner.id().to_string()])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn();
        let mut up = up.unwrap();
        bounds::wait_for("a host that boots", || found(&owned).is_some());
        let early = up.try_wait().unwrap().is_none();
        owner.kill().unwrap();
        owner.wait().unwrap();
        let ended = up.ends();
        assert!(
            !early || !ended.status.success(),
            "a host without an owner was left running"
        );
        // What had no name yet is taken by whoever sweeps next.
        assert!(Command::new(&script).arg("sweep").status().unwrap().success());
        assert_eq!(found(&owned), None);
        early
    });
    assert!(died, "no owner died in time");
}
