//! The sandbox of a generated unit: every directive that the program works with. What a directive does is known by `rules`.

use super::text::Text;
use super::{Answers, Program};
use crate::unit::rules::{DIRECTIVES, Runtime};

/// The runtime whose limits apply to a program.
fn runtime(program: Program) -> Runtime {
    match program {
        Program::Node => Runtime::Node,
        Program::Gunicorn => Runtime::Gunicorn,
        Program::Puma => Runtime::Puma,
        Program::Binary | Program::Static => Runtime::Other,
    }
}

pub(super) fn write(text: &mut Text, answers: &Answers) {
    let in_home = answers.root.starts_with("/home/") || answers.root.starts_with("/root/");
    text.gap().note("The app can write only here; releases are read-only.");
    text.set("ReadWritePaths", format!("-{}/shared", answers.root));
    if answers.is_template() && !answers.strategy.needs_socket() {
        text.note(&format!(
            "The router needs write access to the sockets as a member of the app's group: adduser www-data {}",
            answers.user
        ));
        text.set("UMask", "0007");
    } else {
        text.set("UMask", "0027");
    }
    text.gap().note("Not needed by a web app, but useful to an attacker. `shipit unit explain NAME` prints what each setting can break.");
    for directive in DIRECTIVES
        .iter()
        .filter(|directive| directive.suits(runtime(answers.program)))
    {
        match directive.key {
            "ProtectHome" if in_home => text.set("ProtectHome", "read-only"),
            "RestrictAddressFamilies" if answers.program == Program::Node => text
                .note("os.networkInterfaces() of Node.js needs AF_NETLINK.")
                .set(directive.key, format!("{} AF_NETLINK", directive.values[0])),
            key => directive
                .values_for(runtime(answers.program))
                .fold(&mut *text, |text, value| text.set(key, value)),
        };
    }
    text.set("DevicePolicy", "closed")
        .set("KeyringMode", "private")
        .set("RemoveIPC", "yes");
}
