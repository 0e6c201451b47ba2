//! What `setup` asks before root does anything, with a real terminal and without one.

use std::io::{Read, Write};
use std::process::{Command, Stdio};
use std::time::Duration;

use super::desk::{Desk, acme};
use crate::apps::{ACME, Service};
use crate::lab::{self, Host, Suite};

/// Types each answer once its question is on the screen; what the screen showed and the exit code.
fn at_a_terminal(desk: &Desk, args: &[&str], answers: &[(&str, &str)]) -> (String, Option<i32>) {
    let command = desk.command(args);
    let words: Vec<String> = std::iter::once(command.get_program())
        .chain(command.get_args())
        .map(|word| format!("'{}'", word.to_str().unwrap()))
        .collect();
    // script(1) gives the program a terminal of its own, and what we write becomes what is typed there.
    let mut script = Command::new("script");
    script.args(["-qec", &words.join(" "), "/dev/null"]);
    for (name, value) in command.get_envs() {
        script.env(name, value.unwrap());
    }
    let mut child = script
        .current_dir(command.get_current_dir().unwrap())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let (mut keys, mut screen) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
    let (mut shown, mut answers) = (Vec::new(), answers.iter().peekable());
    let mut bytes = [0; 4096];
    while let Ok(n @ 1..) = screen.read(&mut bytes) {
        shown.extend_from_slice(&bytes[..n]);
        let text = String::from_utf8_lossy(&shown);
        if let Some((_, answer)) = answers.next_if(|(question, _)| text.contains(question)) {
            // The question is shown a moment before it is listened for.
            std::thread::sleep(Duration::from_millis(300));
            keys.write_all(answer.as_bytes()).unwrap();
        }
    }
    let text = String::from_utf8_lossy(&shown).into_owned();
    (text, child.wait().unwrap().code())
}

fn untouched(host: &Host) {
    host.root("test ! -e /opt/acme -a ! -e /etc/sudoers.d/shipit-acme")
        .ok();
}

#[test]
fn root_does_nothing_that_nobody_said_yes_to() {
    let host = lab::host!(Suite::Bookworm);
    ACME.install_units(&host, Service::Socket);
    let desk = Desk::at(&host, "ann");
    desk.write(&acme("socket"));
    let (root, admin) = (
        format!("root@{}", host.address()),
        format!("admin@{}", host.address()),
    );
    let setup = ["setup", "--as", root.as_str()];
    desk.shipit(&setup)
        .leaves(2)
        .says("nobody can be asked")
        .says("nothing changed")
        .says("shipit setup --yes");
    untouched(&host);
    const QUESTION: &str = "Do this as root on the host? (yes/no)";
    for answer in ["no\n", "\n", "\x03", "\x04"] {
        let (shown, code) = at_a_terminal(&desk, &setup, &[(QUESTION, answer)]);
        assert_eq!(code, Some(1), "{answer:?}: {shown}");
        assert!(
            shown.contains("nobody agreed that root does this")
                && shown.contains("nothing changed"),
            "{answer:?}: {shown}"
        );
        untouched(&host);
    }
    let as_admin = ["setup", "--as", admin.as_str()];
    let (shown, code) = at_a_terminal(
        &desk,
        &as_admin,
        &[(QUESTION, "yes\n"), ("sudo password of admin", "\x03")],
    );
    assert_eq!(code, Some(1), "{shown}");
    untouched(&host);
    let (shown, code) = at_a_terminal(&desk, &setup, &[(QUESTION, "yes\n")]);
    assert_eq!(code, Some(0), "{shown}");
    assert!(shown.contains("is ready for acme"), "{shown}");
}
