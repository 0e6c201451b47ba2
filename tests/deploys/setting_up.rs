//! What `setup` asks before root does anything, with a real terminal and without one.

use super::desk::{Desk, acme};
use super::terminal::at_a_terminal;
use crate::apps::{ACME, Service};
use crate::lab::{self, Host, Suite};

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
