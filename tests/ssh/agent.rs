//! Keys that an agent holds; too many keys; agents that do not reply.

use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use shipit::host::ssh::{Notice, Unattended};

use super::server::{Sshd, open, open_asking, refused, sshd};
use crate::bounds::{self, Ends as _};

/// An agent of the test's own; it ends with the value.
struct Agent {
    child: Child,
    socket: PathBuf,
}

impl Agent {
    fn start(server: &Sshd) -> Option<Self> {
        let socket = server.path("agent");
        let Ok(child) = Command::new("ssh-agent")
            .args(["-D", "-a"])
            .arg(&socket)
            .stdout(Stdio::null())
            .spawn()
        else {
            crate::lab::leave_out("no ssh-agent on this machine");
            return None;
        };
        bounds::wait_for("the agent", || std::os::unix::net::UnixStream::connect(&socket).is_ok());
        Some(Self { child, socket })
    }

    fn add(&self, key: &Path) {
        let added = Command::new("ssh-add")
            .arg("-q")
            .arg(key)
            .env("SSH_AUTH_SOCK", &self.socket)
            .ends();
        assert!(added.status.success(), "{added:?}");
    }

    fn config(&self) -> String {
        format!("IdentityAgent {}\n", self.socket.display())
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn keys_of_every_type_in_an_agent_log_in() {
    let Some(server) = sshd("") else { return };
    let Some(agent) = Agent::start(&server) else {
        return;
    };
    for (name, kind) in [("a-ed", "ed25519"), ("a-ec", "ecdsa"), ("a-rsa", "rsa")] {
        let key = server.key(name, &["-t", kind, "-N", ""]);
        agent.add(&key);
        server.write("authorized", &server.read(&format!("{name}.pub")));
        // Only the agent has it now.
        std::fs::remove_file(&key).unwrap();
        let login = server.login_with(&agent.config());
        assert!(open(&login).is_ok(), "{name}: {}", refused(&login));
    }
}

#[test]
fn seven_wrong_keys_before_the_right_one_cost_a_second_connection_and_nothing_else() {
    let Some(server) = sshd("") else { return };
    let Some(agent) = Agent::start(&server) else {
        return;
    };
    for n in 0..7 {
        agent.add(&server.key(&format!("wrong-{n}"), &["-t", "ed25519", "-N", ""]));
    }
    agent.add(&server.path("key"));
    let connections = || server.log().matches("Connection from").count();
    let before = connections();
    assert!(open(&server.login_with(&agent.config())).is_ok());
    bounds::wait_for("the log of both", || connections() - before >= 2);
    assert_eq!(connections() - before, 2, "{}", server.log());
    assert!(
        !server.log().contains("Too many authentication failures"),
        "{}",
        server.log()
    );
    // Named, it is tried first; with IdentitiesOnly it is the only one.
    for only in ["no", "yes"] {
        let named = format!(
            "{}IdentityFile {}\nIdentitiesOnly {only}\n",
            agent.config(),
            server.path("key.pub").display()
        );
        let (before, failed) = (connections(), server.log().matches("Failed publickey").count());
        assert!(open(&server.login_with(&named)).is_ok());
        bounds::wait_for("its log", || connections() > before);
        assert_eq!(connections() - before, 1);
        assert_eq!(server.log().matches("Failed publickey").count(), failed);
    }
}

#[test]
fn a_server_that_allows_fewer_tries_gets_more_connections() {
    let Some(server) = sshd("MaxAuthTries 3") else {
        return;
    };
    let Some(agent) = Agent::start(&server) else {
        return;
    };
    for n in 0..4 {
        agent.add(&server.key(&format!("wrong-{n}"), &["-t", "ed25519", "-N", ""]));
    }
    agent.add(&server.path("key"));
    let login = server.login_with(&agent.config());
    assert!(open(&login).is_ok(), "{}", refused(&login));
}

#[test]
fn an_agent_that_never_replies_is_abandoned_and_the_key_file_is_used() {
    let Some(server) = sshd("") else { return };
    let socket = server.path("mute");
    let _listener = UnixListener::bind(&socket).unwrap();
    let config = format!(
        "IdentityAgent {}\nIdentityFile {}\n",
        socket.display(),
        server.path("key").display()
    );
    let (result, notices) = open_asking(&server.login_with(&config), &mut Unattended);
    assert!(result.is_ok());
    let told = notices
        .iter()
        .any(|n| matches!(n, Notice::Skipped { why, .. } if why.contains("did not reply")));
    assert!(told, "{notices:?}");
}

#[test]
fn a_missing_agent_is_reported_and_the_key_file_is_used() {
    let Some(server) = sshd("") else { return };
    let config = format!(
        "IdentityAgent /nonexistent/agent\nIdentityFile {}\n",
        server.path("key").display()
    );
    let (result, notices) = open_asking(&server.login_with(&config), &mut Unattended);
    assert!(result.is_ok());
    assert!(
        notices.iter().any(|n| matches!(n, Notice::Skipped { .. })),
        "{notices:?}"
    );
}
