//! A user at the terminal: passwords and the server's own questions, against the PAM of a real host.

use shipit::failure::Exit;
use shipit::host::ssh::{Ask, Login, Reply, Trust};

use super::server::{open_asking, refused, says};
use crate::lab::{self, Host, Suite};

/// Gives these answers, one after the other, and remembers what was asked.
struct Person {
    answers: Vec<&'static str>,
    asked: Vec<String>,
}

impl Person {
    fn with(answers: &[&'static str]) -> Self {
        Self {
            answers: answers.iter().rev().copied().collect(),
            asked: Vec::new(),
        }
    }
}

impl Ask for Person {
    fn secret(&mut self, prompt: &str) -> Reply<String> {
        assert!(!prompt.contains("Passphrase"), "there is no key: {prompt}");
        self.asked.push(prompt.to_owned());
        match self.answers.pop() {
            Some(answer) => Reply::Given(answer.to_owned()),
            None => Reply::Cancelled,
        }
    }
    fn yes(&mut self, _: &str) -> Reply<bool> {
        panic!("asked a question")
    }
}

/// A host whose sshd accepts only this method, and a login without a key; the directory holds its configuration.
fn host_that_takes(suite: Suite, how: &str) -> Option<(Host, Login, tempfile::TempDir)> {
    let host = lab::Builder::from(suite).boot_if_possible()?;
    host.root_reading("chpasswd", b"deploy:open sesame\n").ok();
    host.write_file(
        "/etc/ssh/sshd_config.d/00-person.conf",
        format!("UsePAM yes\nPubkeyAuthentication no\nMaxAuthTries 6\n{how}\n").as_bytes(),
    );
    host.root("systemctl restart ssh.service || systemctl restart ssh.socket")
        .ok();
    let dir = tempfile::tempdir().unwrap();
    let config = dir.path().join("ssh_config");
    std::fs::write(&config, "IdentityAgent none\nIdentitiesOnly yes\n").unwrap();
    let login = Login {
        user: Some("deploy".into()),
        host: host.address().to_string(),
        port: Some(host.ssh_port()),
        pin: None,
        trust: Trust::Strict,
        config_file: Some(config),
        identity: None,
        known_hosts: Some(host.known_hosts()),
    };
    Some((host, login, dir))
}

fn logs_in_with_a_password(how: &str) {
    let Some((_host, login, _dir)) = host_that_takes(Suite::Bookworm, how) else {
        return;
    };
    let mut person = Person::with(&["wrong", "open sesame"]);
    let (result, _) = open_asking(&login, &mut person);
    let mut ssh = result.unwrap_or_else(|failure| panic!("{failure}\n{:?}", person.asked));
    assert_eq!(says(&mut ssh, "id -un"), "deploy\n");
    assert_eq!(person.asked.len(), 2, "{:?}", person.asked);
    assert!(person.asked[0].contains("assword"), "{:?}", person.asked);
    // The prompt names the account.
    assert!(
        person.asked[0].contains(&login.host) || person.asked[0].contains("deploy@"),
        "{:?}",
        person.asked
    );

    let mut person = Person::with(&["wrong", "worse", "worst", "never asked"]);
    let (result, _) = open_asking(&login, &mut person);
    let Err(failure) = result else {
        panic!("a wrong password was taken")
    };
    assert_eq!(failure.exit, Exit::Unreachable, "{failure}");
    assert_eq!(person.asked.len(), 3, "three tries, as in OpenSSH");
    assert!(!failure.to_string().contains("wors"), "{failure}");

    // Without a terminal the error says so.
    let failure = refused(&login);
    assert_eq!(failure.exit, Exit::Unreachable, "{failure}");
    assert!(
        failure.to_string().contains("there is no terminal on which to ask"),
        "{failure}"
    );

    // After Ctrl-C no other question is asked, and the error does not claim that there is no terminal.
    let mut person = Person::with(&[]);
    let Err(failure) = open_asking(&login, &mut person).0 else {
        panic!("let in without an answer")
    };
    assert_eq!(failure.exit, Exit::Untouched, "{failure}");
    assert_eq!(failure.what, "interrupted while connecting");
    assert_eq!(person.asked.len(), 1, "{:?}", person.asked);
}

#[test]
fn a_password_is_asked_for_again_after_a_wrong_one() {
    logs_in_with_a_password("PasswordAuthentication yes\nKbdInteractiveAuthentication no");
}

#[test]
fn the_questions_of_pam_are_passed_to_the_user() {
    logs_in_with_a_password("PasswordAuthentication no\nKbdInteractiveAuthentication yes");
}
