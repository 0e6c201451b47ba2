//! Key files of every format, certificates, passphrases; and the error when every login is refused.

use std::os::unix::fs::PermissionsExt;
use std::process::Command;

use shipit::failure::Exit;
use shipit::host::ssh::{Ask, Login, Notice, Reply};

use super::server::{Sshd, me, open, open_asking, refused, says, sshd};
use crate::bounds::Ends as _;

/// Gives the same passphrase each time, and remembers the prompts.
struct Knows {
    phrase: &'static str,
    prompts: Vec<String>,
}

impl Ask for Knows {
    fn secret(&mut self, prompt: &str) -> Reply<String> {
        assert!(prompt.contains("Passphrase for "), "{prompt}");
        self.prompts.push(prompt.to_owned());
        Reply::Given(self.phrase.to_owned())
    }
    fn yes(&mut self, _: &str) -> Reply<bool> {
        panic!("asked a question")
    }
}

fn knows(phrase: &'static str) -> Knows {
    Knows {
        phrase,
        prompts: Vec::new(),
    }
}

fn with_key(server: &Sshd, name: &str) -> Login {
    Login {
        identity: Some(server.path(name)),
        ..server.login()
    }
}

#[test]
fn every_format_of_a_key_logs_in_with_and_without_its_public_half() {
    let Some(server) = sshd("") else { return };
    for (name, kind, phrase) in [
        ("ed", &["-t", "ed25519"][..], ""),
        ("ed-locked", &["-t", "ed25519", "-a", "4"], "open sesame"),
        ("ec256", &["-t", "ecdsa", "-b", "256"], ""),
        ("ec521-locked", &["-t", "ecdsa", "-b", "521", "-a", "4"], "open sesame"),
        ("rsa", &["-t", "rsa", "-b", "2048"], ""),
        ("rsa-locked", &["-t", "rsa", "-b", "2048", "-a", "4"], "open sesame"),
        ("rsa-pem", &["-t", "rsa", "-b", "2048", "-m", "PEM"], ""),
        (
            "rsa-pem-locked",
            &["-t", "rsa", "-b", "2048", "-m", "PEM"],
            "open sesame",
        ),
        (
            "rsa-pkcs8-locked",
            &["-t", "rsa", "-b", "2048", "-m", "PKCS8"],
            "open sesame",
        ),
        ("ec-pkcs8", &["-t", "ecdsa", "-m", "PKCS8"], ""),
    ] {
        server.key(name, &[kind, &["-N", phrase]].concat());
        server.authorize(name);
        for public in [true, false] {
            if !public {
                std::fs::remove_file(server.path(&format!("{name}.pub"))).unwrap();
            }
            let mut person = knows("open sesame");
            let (result, _) = open_asking(&with_key(&server, name), &mut person);
            let mut ssh = result.unwrap_or_else(|failure| panic!("{name} {public}: {failure}"));
            assert_eq!(says(&mut ssh, "echo in"), "in\n");
            assert_eq!(person.prompts.len(), usize::from(!phrase.is_empty()), "{name} {public}");
        }
    }
}

#[test]
fn an_encrypted_key_without_a_terminal_fails_with_advice() {
    let Some(server) = sshd("") else { return };
    server.key("locked", &["-t", "ed25519", "-N", "open sesame", "-a", "4"]);
    server.authorize("locked");
    let failure = refused(&with_key(&server, "locked"));
    let text = failure.to_string();
    assert_eq!(failure.exit, Exit::Unreachable);
    for part in ["ssh-add", "no terminal", "publickey", &server.fingerprint("locked")] {
        assert!(text.contains(part), "{part}: {text}");
    }
}

#[test]
fn a_passphrase_is_asked_only_for_a_key_that_the_server_accepts_and_three_times_at_most() {
    let Some(server) = sshd("") else { return };
    server.key("locked", &["-t", "ed25519", "-N", "open sesame", "-a", "4"]);
    let mut person = knows("open sesame");
    assert!(open_asking(&with_key(&server, "locked"), &mut person).0.is_err());
    assert_eq!(person.prompts.len(), 0, "the server does not accept this key");
    server.authorize("locked");
    let mut person = knows("wrong");
    let Err(failure) = open_asking(&with_key(&server, "locked"), &mut person).0 else {
        panic!("it was let in")
    };
    assert!(failure.to_string().contains(": wrong passphrase"), "{failure}");
    assert_eq!(person.prompts.len(), 3);
    assert!(
        person.prompts[0].contains(&server.fingerprint("locked")),
        "{:?}",
        person.prompts
    );
}

#[test]
fn unusable_files_are_listed_with_the_reason_and_the_next_key_is_tried() {
    let Some(server) = sshd("") else { return };
    let open_key = server.key("open", &["-t", "ed25519", "-N", ""]);
    std::fs::set_permissions(&open_key, std::fs::Permissions::from_mode(0o644)).unwrap();
    server.authorize("open");
    server.write("garbage", "nothing of the kind\n");
    let fido = fido_public();
    server.write("fido.pub", &fido);
    let at = server.dir.path().display();
    let files = format!(
        "IdentityAgent none\nIdentityFile {at}/open\nIdentityFile {at}/garbage\nIdentityFile {at}/fido\nIdentityFile {at}/gone\n"
    );
    let text = refused(&server.login_with(&files)).to_string();
    for part in ["0644", "chmod 600", "garbage: not a private key", "security key (FIDO)"] {
        assert!(text.contains(part), "{part}: {text}");
    }
    assert!(!text.contains("gone"), "{text}");
    let login = server.login_with(&format!("{files}IdentityFile {at}/key\n"));
    let (result, notices) = open_asking(&login, &mut knows(""));
    assert!(result.is_ok());
    let skipped = notices.iter().filter(|n| matches!(n, Notice::Skipped { .. }));
    assert_eq!(skipped.count(), 3, "{notices:?}");
}

/// The public half of a key on a security key; ssh-keygen makes one only with the hardware.
fn fido_public() -> String {
    use base64::Engine;
    let kind = "sk-ssh-ed25519@openssh.com";
    let mut blob = Vec::new();
    for part in [kind.as_bytes(), &[7; 32], b"ssh:"] {
        blob.extend_from_slice(&u32::try_from(part.len()).unwrap().to_be_bytes());
        blob.extend_from_slice(part);
    }
    format!("{kind} {} me\n", base64::engine::general_purpose::STANDARD.encode(blob))
}

#[test]
fn a_certificate_beside_the_key_logs_in_and_an_expired_one_is_skipped() {
    let Some(first) = sshd("") else { return };
    let ca = first.key("ca", &["-t", "ed25519", "-N", ""]);
    let Some(server) = sshd(&format!("TrustedUserCAKeys {}.pub", ca.display())) else {
        return;
    };
    let sign = |name: &str, valid: &str| {
        let signed = Command::new("ssh-keygen")
            .args(["-q", "-I", "id", "-n", &me(), "-V", valid, "-s"])
            .args([&ca, &server.path(&format!("{name}.pub"))])
            .ends();
        assert!(signed.status.success(), "{signed:?}");
    };
    // Known by its certificate alone, plain, encrypted, and named by CertificateFile.
    for (name, phrase) in [("plain", ""), ("locked", "open sesame")] {
        server.key(name, &["-t", "ed25519", "-a", "4", "-N", phrase]);
        sign(name, "-1h:+1h");
        let mut person = knows("open sesame");
        let (result, _) = open_asking(&with_key(&server, name), &mut person);
        assert!(result.is_ok(), "{name}: {:?}", result.err());
        assert_eq!(person.prompts.len(), usize::from(!phrase.is_empty()));
    }
    std::fs::rename(server.path("plain-cert.pub"), server.path("elsewhere")).unwrap();
    assert!(open(&with_key(&server, "plain")).is_err());
    let at = server.dir.path().display();
    let login = server.login_with(&format!(
        "IdentityAgent none\nIdentityFile {at}/plain\nCertificateFile {at}/elsewhere\n"
    ));
    assert!(open(&login).is_ok());
    // Expired: refused, then the plain key is tried.
    server.key("old", &["-t", "ed25519", "-N", ""]);
    sign("old", "20200101:20200102");
    let text = refused(&with_key(&server, "old")).to_string();
    assert!(text.contains("with its certificate: refused"), "{text}");
    server.authorize("old");
    assert!(open(&with_key(&server, "old")).is_ok());
}

#[test]
fn a_refused_login_lists_what_was_tried_and_the_message_of_the_server() {
    let dir = tempfile::tempdir().unwrap();
    let banner = dir.path().join("banner");
    std::fs::write(&banner, "Closed until Monday\u{1b}[2J\n").unwrap();
    let Some(server) = sshd(&format!("Banner {}", banner.display())) else {
        return;
    };
    server.write("authorized", "");
    let failure = refused(&server.login());
    let text = failure.to_string();
    for part in [
        "refused the login",
        &server.fingerprint("key"),
        "refused",
        "the server accepts: publickey",
        "server message: Closed until Monday",
    ] {
        assert!(text.contains(part), "{part}: {text}");
    }
    assert!(!text.contains('\u{1b}'), "{text:?}");
    let text = refused(&server.login_with("IdentityAgent none\nIdentityFile /nonexistent/key\n")).to_string();
    assert!(text.contains("no key to try"), "{text}");
    let stranger = Login {
        user: Some("nobody-of-this-name".into()),
        ..server.login()
    };
    let failure = refused(&stranger);
    assert!(failure.what.contains("nobody-of-this-name@127.0.0.1"));
    // A missing user is created by root at the same address.
    let setup = format!("shipit setup --as root@127.0.0.1:{} ", server.port);
    assert!(
        failure.next.iter().any(|next| next.to_string().starts_with(&setup)),
        "{:?}",
        failure.next
    );
}
