//! root's helper for commands, when its connection is lost: at whatever moment the signal comes, it ends, and all of it.
//! The systemd-run here hangs and ignores every signal but SIGKILL. What a real systemd does with it belongs to `days`.

use rustix::process::{Pid, Signal, kill_process};
use shipit::remote::RUN_HELPER;

use super::*;

const UNIT: &str = "shipit-run-acme-0123456789abcdef.service";

/// A systemd whose systemd-run never ends, and a logger that waits until it may end.
struct Systemd {
    dir: tempfile::TempDir,
}

impl Systemd {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let here = dir.path().display();
        fs::create_dir_all(dir.path().join("bin")).unwrap();
        fs::create_dir_all(dir.path().join("units")).unwrap();
        for (name, text) in [
            ("id", "echo 1000".to_owned()),
            (
                "systemctl",
                format!(
                    "echo \"$*\" >>{here}/asked
                    case $* in
                    *'-- acme.service'*) printf '%s\\n' LoadState=loaded User=app DynamicUser=no NeedDaemonReload=no ;;
                    *show*) echo ActiveState=active ;;
                    esac"
                ),
            ),
            (
                "logger",
                format!("touch {here}/logs; until [ -e {here}/go ]; do sleep 0.01; done"),
            ),
            (
                "systemd-run",
                format!("trap '' HUP INT QUIT TERM; touch {here}/runs; exec sleep 100000"),
            ),
        ] {
            let path = dir.path().join("bin").join(name);
            fs::write(&path, format!("#!/bin/sh\n{text}\n")).unwrap();
            fs::set_permissions(&path, PermissionsExt::from_mode(0o755)).unwrap();
        }
        Self { dir }
    }

    fn is_there(&self, name: &str) -> bool {
        self.dir.path().join(name).exists()
    }

    /// The helper, asked to run a command.
    fn helper(&self, shell: &[&str]) -> std::process::Child {
        let text = RUN_HELPER
            .replace(
                "PATH=/usr/sbin",
                &format!("PATH={}/bin:/usr/sbin", self.dir.path().display()),
            )
            .replace(
                "/run/systemd/system",
                &self.dir.path().join("units").display().to_string(),
            );
        let line = self.dir.path().join("line");
        fs::write(&line, "1 run ann 0123456789abcdef acme.service dumb YQ==\n").unwrap();
        let mut command = Command::new(shell[0]);
        command
            .args(&shell[1..])
            .args(["-c", &text, "shipit", "acme", "acme.service"]);
        command.process_group(0).stdin(fs::File::open(line).unwrap());
        command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
    }
}

#[test]
fn a_lost_connection_ends_a_helper_whose_systemd_run_hangs_whenever_the_signal_comes() {
    for shell in SHELLS {
        for signal in [Signal::HUP, Signal::TERM] {
            for has_begun in [true, false] {
                let systemd = Systemd::new();
                let told = format!("{shell:?} {signal:?} {has_begun}");
                let helper = systemd.helper(shell);
                let (group, go) = (helper.id(), systemd.dir.path().join("go"));
                let hang_up = || kill_process(Pid::from_child(&helper), signal).unwrap();
                bounds::wait_for("the logger", || systemd.is_there("logs"));
                if has_begun {
                    fs::write(&go, "").unwrap();
                    bounds::wait_for("systemd-run", || systemd.is_there("runs"));
                    hang_up();
                } else {
                    hang_up();
                    fs::write(&go, "").unwrap();
                }
                let out = helper.ends();
                assert_eq!(out.status.code(), Some(125), "{told} {out:?}");
                bounds::wait_for_end_of_group(group);
                assert_eq!(systemd.is_there("runs"), has_begun, "{told}");
                let asked = fs::read_to_string(systemd.dir.path().join("asked")).unwrap();
                assert_eq!(asked.contains(&format!("stop {UNIT}\n")), has_begun, "{told}: {asked}");
                assert_eq!(
                    fs::read_dir(systemd.dir.path().join("units")).unwrap().count(),
                    0,
                    "{told}"
                );
            }
        }
    }
}
