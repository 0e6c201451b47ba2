//! Through a jump host and through a ProxyCommand: the same commands, the same checks, the same ends.

use shipit::host::{Ended, Host, Lost};

use super::server::{Sshd, me, refused, run, says, sshd};
use crate::bounds;

/// A configuration by which this server is also the jump host `bastion`; `known` is what is known of that one.
fn jumping(server: &Sshd, known: &str, way: &str) -> String {
    let at = server.dir.path().display();
    server.write("jump_known", known);
    format!(
        "Host bastion\n HostName 127.0.0.1\n Port {port}\n User {user}\n UserKnownHostsFile {at}/jump_known\n\
         GlobalKnownHostsFile none\nHost 127.0.0.1\n {way}\n\
         Host *\n IdentityFile {at}/key\n IdentitiesOnly yes\n IdentityAgent none\n",
        port = server.port,
        user = me()
    )
}

fn known(server: &Sshd) -> String {
    format!("[127.0.0.1]:{} {}", server.port, server.read("host.pub"))
}

#[test]
fn a_jump_host_carries_commands_both_streams_and_ends() {
    let Some(server) = sshd("") else { return };
    let at = server.dir.path().display();
    for way in [
        "ProxyJump bastion".to_owned(),
        format!("ProxyCommand ssh -F {at}/ssh_config -o BatchMode=yes -W [%h]:%p bastion"),
    ] {
        // The jump host is this very server under its own name, so its own block must not jump again.
        let config =
            jumping(&server, &known(&server), &way).replace("Host 127.0.0.1\n", "Host target\n HostName 127.0.0.1\n");
        let mut login = server.login_with(&config);
        login.host = "target".into();
        let mut ssh = super::server::open(&login).unwrap_or_else(|failure| panic!("{failure}"));
        assert_eq!(says(&mut ssh, "echo through"), "through\n");
        let (ended, gave) = run(
            &mut ssh,
            "cat; echo e >&2; exit 3",
            Some(&mut &vec![7u8; 5_000_000][..]),
        );
        assert_eq!(
            (ended, gave.out.len(), gave.err),
            (Ok(Ended::Code(3)), 5_000_000, b"e\n".to_vec())
        );
        assert!(ssh.traffic().0 > 5_000_000);
        let accepted = || server.log().matches("Accepted publickey").count();
        bounds::wait_for("two logins in the log", || accepted() > 0 && accepted() % 2 == 0);
        let (ended, _) = run(&mut ssh, "kill -KILL $PPID; sleep 60", None);
        assert!(matches!(ended, Err(Lost::Cut(_))), "{ended:?}");
    }
}

#[test]
fn a_jump_host_that_is_not_trusted_is_told_in_its_own_words() {
    let Some(server) = sshd("") else { return };
    let config =
        jumping(&server, "", "ProxyJump bastion").replace("Host 127.0.0.1\n", "Host target\n HostName 127.0.0.1\n");
    let mut login = server.login_with(&config);
    login.host = "target".into();
    let failure = refused(&login);
    let text = failure.to_string();
    for part in [
        "Host key verification failed",
        "through the jump host bastion",
        "ssh bastion true",
    ] {
        assert!(text.contains(part), "{part}: {text}");
    }
}
