//! run, when its client ends before the command: by a signal, by a closed window, or killed. Nothing of it stays on the
//! host, and nothing of it here. How a command that ends by itself is reported belongs to `run`.

use std::process::{Child, Command, Stdio};

use rustix::process::{Pid, Signal, kill_process};

use crate::apps::Service;
use crate::bounds::Ends as _;
use crate::deploys::desk::{Desk, Ran, acme};
use crate::deploys::terminal::Screen;
use crate::lab::{self, Host, Suite};

/// Who runs it, and over which ssh.
const WAYS: [(&str, &[&str]); 3] = [
    ("app", &["run"]),
    ("app", &["run", "--system-ssh"]),
    ("deploy", &["run", "--as-deploy"]),
];

fn sleeps(host: &Host, user: &str) -> bool {
    host.root(&format!("pgrep -u {user} -f '^sleep 4321'")).success()
}

/// With pipes, and the command runs.
fn begun(host: &Host, desk: &Desk, (user, way): (&str, &[&str])) -> Child {
    let words = [way, &["--", "sh", "-c", "exec sleep 4321"]].concat();
    let mut command = desk.command(&words);
    let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
    host.wait_for("the command", |host| sleeps(host, user));
    child.unwrap()
}

/// No command, no helper, no unit, no settings of one.
fn nothing_is_left(host: &Host, user: &str, of: &str) {
    host.wait_for(&format!("nothing left of {of}"), |host| {
        let left = "pgrep -f '[/]acme/run acme'; ls -d /run/systemd/system/shipit-run-*
            systemctl list-units --all --plain --no-legend 'shipit-run-*'";
        !sleeps(host, user) && host.root(left).stdout.is_empty()
    });
}

#[test]
fn a_signal_ends_the_command_and_is_the_exit_status() {
    let host = lab::host!(Suite::Bookworm);
    let desk = Desk::live(&host, Service::Socket, &acme("socket"));
    for way in WAYS {
        for (signal, code) in [(Signal::TERM, 143), (Signal::INT, 130), (Signal::HUP, 129)] {
            let child = begun(&host, &desk, way);
            kill_process(Pid::from_child(&child), signal).unwrap();
            let ran = Ran::new("run", &child.ends());
            ran.leaves(code).says("sh was interrupted");
            assert!(!sleeps(&host, way.0), "{way:?} {signal:?}");
        }
        let mut child = begun(&host, &desk, way);
        child.kill().unwrap();
        drop(child.ends());
        nothing_is_left(&host, way.0, &format!("{way:?}"));
    }
    // As under nohup: a hangup is nothing to it.
    let mut command = ignoring_hangups(&desk, &["run", "--", "sh", "-c", "echo on; exec sleep 4321"]);
    let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    host.wait_for("the command", |host| sleeps(host, "app"));
    kill_process(Pid::from_child(&child), Signal::HUP).unwrap();
    host.root("pkill -u app -f '^sleep 4321'").ok();
    Ran::new("run", &child.ends()).leaves(143).says("killed by signal 15");
}

#[test]
fn a_closed_window_ends_the_client_and_all_of_it_on_the_host() {
    let host = lab::host!(Suite::Trixie);
    let desk = Desk::live(&host, Service::Socket, &acme("socket"));
    for way in WAYS {
        let words = [way.1, &["--", "sh", "-c", "exec sleep 4321"]].concat();
        // A program that ignores hangups notices that its terminal is at its end.
        for command in [desk.command(&words), ignoring_hangups(&desk, &words)] {
            let screen = Screen::of(&command, (24, 80));
            host.wait_for("the command", |host| sleeps(host, way.0));
            screen.dies();
            nothing_is_left(&host, way.0, &format!("{command:?}"));
        }
    }
}

fn ignoring_hangups(desk: &Desk, words: &[&str]) -> Command {
    let own = desk.command(words);
    let mut command = Command::new("sh");
    command
        .args(["-c", "trap '' HUP; exec \"$@\"", "sh"])
        .arg(own.get_program());
    command
        .args(own.get_args())
        .current_dir(own.get_current_dir().unwrap())
        .env_clear();
    command.envs(own.get_envs().filter_map(|(name, value)| Some((name, value?))));
    command.stdin(Stdio::null());
    command
}
