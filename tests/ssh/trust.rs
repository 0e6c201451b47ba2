//! Which hosts are trusted: by known_hosts, by pin, by policy; and the error for one that is not.

use std::path::PathBuf;
use std::process::Command;

use shipit::failure::Exit;
use shipit::host::ssh::{Ask, Login, Notice, Reply, Trust, Unattended};

use super::server::{Sshd, me, open, open_asking, refused, sshd};
use crate::bounds::{Ends as _, wait_for};

/// The login with a known_hosts of these lines; `$H` is the server's name, `$K` its key, `$O` another one.
fn knowing(server: &Sshd, lines: &str) -> Login {
    let place = format!("[127.0.0.1]:{}", server.port);
    let key = |name: &str| {
        let text = server.read(&format!("{name}.pub"));
        text.split(' ').take(2).collect::<Vec<_>>().join(" ")
    };
    let lines = lines
        .replace("$H", &place)
        .replace("$K", &key("host"))
        .replace("$O", &key("key"));
    let login = server.login();
    server.write("known_hosts", &lines);
    login
}

fn log_of_no_login(server: &Sshd) -> bool {
    let log = server.log();
    !log.contains("publickey") && !log.contains("Accepted")
}

#[test]
fn an_unknown_host_is_refused_before_any_key_is_offered() {
    let Some(server) = sshd("") else { return };
    let failure = refused(&knowing(&server, "elsewhere $K"));
    let text = failure.to_string();
    assert_eq!(failure.exit, Exit::Unreachable);
    for part in [
        server.fingerprint("host"),
        "--accept-new".into(),
        "host_key: SHA256:".into(),
    ] {
        assert!(text.contains(&part), "{part}: {text}");
    }
    assert!(
        text.contains(&format!("ssh -p {} {}@127.0.0.1", server.port, me())),
        "{text}"
    );
    assert!(log_of_no_login(&server), "{}", server.log());
}

#[test]
fn a_changed_key_is_refused_whatever_the_policy_with_both_fingerprints_and_the_place() {
    let Some(server) = sshd("") else { return };
    for trust in [Trust::Strict, Trust::AcceptNew, Trust::Ask] {
        let login = Login {
            trust,
            ..knowing(&server, "# one\n$H $O\n")
        };
        let text = refused(&login).to_string();
        for part in [
            server.fingerprint("host"),
            server.fingerprint("key"),
            format!("{}:2", server.path("known_hosts").display()),
            format!("ssh-keygen -R '[127.0.0.1]:{}'", server.port),
        ] {
            assert!(text.contains(&part), "{part}: {text}");
        }
        assert_eq!(server.read("known_hosts").lines().count(), 2);
    }
    assert!(log_of_no_login(&server));
}

#[test]
fn a_revoked_key_and_a_host_authority_are_refused_by_name() {
    let Some(server) = sshd("") else { return };
    let failure = refused(&knowing(&server, "$H $K\n@revoked * $K\n"));
    assert!(
        failure.what.contains("revoked") && failure.why[0].contains("known_hosts:2"),
        "{failure}"
    );
    let failure = refused(&knowing(&server, "@cert-authority * $O\n"));
    assert!(failure.what.contains("certificate authority"), "{failure}");
    assert!(
        failure
            .next
            .iter()
            .any(|next| next.to_string().contains("host_key: SHA256:")),
        "{failure}"
    );
    assert!(log_of_no_login(&server));
}

#[test]
fn accept_new_adds_one_line_with_a_notice_and_is_strict_from_then_on() {
    let Some(server) = sshd("") else { return };
    for (hash, start) in [("no", "[127.0.0.1]:"), ("yes", "|1|")] {
        let login = Login {
            trust: Trust::AcceptNew,
            ..knowing(&server, "")
        };
        server.write("ssh_config", &format!("IdentityAgent none\nHashKnownHosts {hash}\n"));
        let (result, notices) = open_asking(&login, &mut Unattended);
        assert!(result.is_ok());
        let recorded = notices
            .iter()
            .any(|n| matches!(n, Notice::Recorded { fingerprint, .. } if *fingerprint == server.fingerprint("host")));
        assert!(recorded, "{notices:?}");
        let text = server.read("known_hosts");
        assert!(text.starts_with(start) && text.lines().count() == 1, "{text}");
        let strict = Login {
            trust: Trust::Strict,
            ..login
        };
        assert!(open(&strict).is_ok());
        assert_eq!(server.read("known_hosts"), text);
    }
}

#[test]
fn the_users_own_policy_to_accept_new_hosts_counts() {
    let Some(server) = sshd("") else { return };
    let login = knowing(&server, "");
    server.write("ssh_config", "IdentityAgent none\nStrictHostKeyChecking accept-new\n");
    assert!(open(&login).is_ok());
    assert_eq!(server.read("known_hosts").lines().count(), 1);
    // `no` does not count: a host is never trusted without a line.
    let login = knowing(&server, "$H $O");
    server.write("ssh_config", "IdentityAgent none\nStrictHostKeyChecking no\n");
    assert!(refused(&login).what.contains("changed"));
}

/// Answers one question.
struct Answers {
    reply: Reply<bool>,
    asked: Vec<String>,
}

impl Ask for Answers {
    fn secret(&mut self, prompt: &str) -> Reply<String> {
        panic!("asked for {prompt}")
    }
    fn yes(&mut self, question: &str) -> Reply<bool> {
        self.asked.push(question.to_owned());
        self.reply
    }
}

#[test]
fn the_user_is_asked_once_with_the_fingerprint() {
    let Some(server) = sshd("") else { return };
    for (reply, exit) in [
        (Reply::Given(false), Some(Exit::Unreachable)),
        (Reply::NoTerminal, Some(Exit::Unreachable)),
        (Reply::Cancelled, Some(Exit::Untouched)),
        (Reply::Given(true), None),
    ] {
        let login = Login {
            trust: Trust::Ask,
            ..knowing(&server, "")
        };
        let mut person = Answers {
            reply,
            asked: Vec::new(),
        };
        let failed = open_asking(&login, &mut person).0.err();
        assert_eq!(failed.map(|failure| failure.exit), exit);
        assert_eq!(person.asked.len(), 1);
        assert!(
            person.asked[0].contains(&server.fingerprint("host")),
            "{:?}",
            person.asked
        );
    }
}

#[test]
fn a_pin_replaces_known_hosts_and_may_be_of_any_of_the_hosts_keys() {
    let Some(server) = sshd("") else { return };
    let second = server.key("second", &["-t", "ecdsa", "-N", ""]);
    let server_two = server.path("host");
    let Some(two) = sshd(&format!(
        "HostKey {}\nHostKey {}",
        server_two.display(),
        second.display()
    )) else {
        return;
    };
    let pinned = |pin: String| Login {
        pin: Some(pin),
        known_hosts: Some(PathBuf::from("/nonexistent/known_hosts")),
        ..two.login()
    };
    assert!(open(&pinned(server.fingerprint("host"))).is_ok());
    assert!(open(&pinned(server.fingerprint("second"))).is_ok());
    let failure = refused(&pinned(server.fingerprint("key")));
    let text = failure.to_string();
    for name in ["key", "host", "second"] {
        assert!(text.contains(&server.fingerprint(name)), "{name}: {text}");
    }
    assert_eq!(failure.exit, Exit::Unreachable);
}

#[test]
fn a_host_that_is_known_by_its_second_key_is_asked_for_that_one() {
    let Some(server) = sshd("") else { return };
    let second = server.key("second", &["-t", "rsa", "-b", "2048", "-N", ""]);
    let Some(two) = sshd(&format!(
        "HostKey {}\nHostKey {}",
        server.path("host").display(),
        second.display()
    )) else {
        return;
    };
    let login = two.login();
    let line = format!("[127.0.0.1]:{} {}", two.port, server.read("second.pub"));
    two.write("known_hosts", &line);
    assert!(open(&login).is_ok(), "{}", refused(&login));
}

#[test]
fn a_server_with_a_host_certificate_is_known_by_its_plain_key() {
    let Some(server) = sshd("") else { return };
    let ca = server.key("ca", &["-t", "ed25519", "-N", ""]);
    let signed = Command::new("ssh-keygen")
        .args(["-q", "-h", "-I", "id", "-s"])
        .args([&ca, &server.path("host.pub")])
        .ends();
    assert!(signed.status.success(), "{signed:?}");
    let host = server.path("host").display().to_string();
    let Some(two) = sshd(&format!("HostKey {host}\nHostCertificate {host}-cert.pub")) else {
        return;
    };
    let login = two.login();
    two.write(
        "known_hosts",
        &format!("[127.0.0.1]:{} {}", two.port, server.read("host.pub")),
    );
    assert!(open(&login).is_ok(), "{}", refused(&login));
}

#[test]
fn an_unreadable_known_hosts_is_not_taken_for_an_empty_one() {
    let Some(server) = sshd("") else { return };
    let login = Login {
        known_hosts: Some(server.dir.path().to_path_buf()),
        trust: Trust::AcceptNew,
        ..server.login()
    };
    let failure = refused(&login);
    assert!(failure.what.contains("cannot read"), "{failure}");
}

#[test]
fn every_known_hosts_is_judged_as_the_ssh_program_judges_it() {
    let Some(server) = sshd("") else { return };
    for (lines, alias) in [
        ("$H $K", ""),
        ("$H $O", ""),
        ("$H $O\n$H $K", ""),
        ("127.0.0.1 $K", ""),
        ("127.0.0.1 $O", ""),
        ("$H $O\n127.0.0.1 $K", ""),
        ("[127.0.0.*]:* $K", ""),
        ("[127.0.0.?]:*,other $K", ""),
        ("*,!$H $K", ""),
        ("* $K", ""),
        ("@revoked * $K\n$H $K", ""),
        ("@revoked other $K\n$H $K", ""),
        ("@cert-authority * $K", ""),
        ("@unheard-of * $K\n", ""),
        ("alias $K", "alias"),
        ("Alias $K", "aliaS"),
        ("$H $K", "alias"),
        ("[alias]:22 $K", "alias"),
        ("", ""),
    ] {
        let login = knowing(&server, lines);
        let config = if alias.is_empty() {
            String::new()
        } else {
            format!("HostKeyAlias {alias}\n")
        };
        server.write("ssh_config", &format!("IdentityAgent none\n{config}"));
        let theirs = Command::new("ssh")
            .args(["-F"])
            .arg(server.path("ssh_config"))
            .args([
                "-oBatchMode=yes",
                "-oStrictHostKeyChecking=yes",
                "-oGlobalKnownHostsFile=none",
            ])
            .args(["-oIdentitiesOnly=yes", "-oUpdateHostKeys=no", "-i"])
            .arg(server.path("key"))
            .arg(format!("-oUserKnownHostsFile={}", server.path("known_hosts").display()))
            .args(["-p", &server.port.to_string(), "127.0.0.1", "true"])
            .ends();
        let ours = open(&login);
        assert_eq!(
            ours.is_ok(),
            theirs.status.success(),
            "{lines:?} {alias:?}: ssh says {}",
            String::from_utf8_lossy(&theirs.stderr)
        );
    }
}

/// `--accept-new` cannot help there. What is printed instead is followed, and must lead on.
#[test]
fn with_a_known_hosts_that_cannot_be_written_the_next_line_helps() {
    let Some(server) = sshd("") else { return };
    server.login();
    let known = server.write("read_only_hosts", "");
    // For root every file is writable, except where the file system is not.
    let mounted = r#"mount --bind "$0" "$0" && mount -o remount,bind,ro "$0" && exec "$@""#;
    let mounted: &[&str] = if me() == "root" {
        &["unshare", "-m", "sh", "-c", mounted, known.to_str().unwrap()]
    } else {
        &["sh", "-c", r#"chmod 0400 "$0" && exec "$@""#, known.to_str().unwrap()]
    };
    let status = |pin: &str| {
        let text = format!(
            "app: acme\nhost: {}@127.0.0.1:{}\nsource: .\n{pin}\nservices: []\n",
            me(),
            server.port
        );
        server.write("deploy.yml", &text);
        let mut command = Command::new(mounted[0]);
        command
            .args(&mounted[1..])
            .args([env!("CARGO_BIN_EXE_shipit"), "status", "--known-hosts"]);
        command
            .arg(&known)
            .arg("--identity")
            .arg(server.path("key"))
            .arg("--ssh-config")
            .arg(server.path("ssh_config"));
        let out = command.current_dir(server.dir.path()).ends();
        String::from_utf8_lossy(&[out.stdout, out.stderr].concat()).into_owned()
    };
    let said = status("");
    assert!(said.contains("read_only_hosts cannot be written"), "{said}");
    assert!(
        !said.contains("--accept-new") && said.contains("or use --known-hosts to name a file"),
        "{said}"
    );
    let pin = said.lines().find_map(|line| line.split_once("host_key: "));
    let (pin, _) = pin.unwrap().1.split_once(' ').unwrap();
    let said = status(&format!("host_key: {pin}"));
    assert!(!said.contains("host key"), "{said}");
    wait_for("the login in the log", || server.log().contains("Accepted publickey"));
}
