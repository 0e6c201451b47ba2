//! The sandbox of a generated unit: every directive that its program can live with.

use super::text::Text;
use super::{Answers, Program};
use crate::unit::rules::{DIRECTIVES, Runtime};

/// The runtime whose limits count for a program.
fn runtime(program: Program) -> Runtime {
    match program {
        Program::Node => Runtime::Node,
        Program::Gunicorn => Runtime::Gunicorn,
        Program::Puma => Runtime::Puma,
        Program::Binary | Program::Static => Runtime::Other,
    }
}

/// Writes the sandbox: first what the app may write, then what it cannot do.
pub(super) fn write(text: &mut Text, answers: &Answers) {
    let in_home = answers.root.starts_with("/home/") || answers.root.starts_with("/root/");
    text.gap()
        .note("The app reads its releases and writes only here.");
    text.set("ReadWritePaths", format!("-{}/shared", answers.root));
    if answers.is_template() && !answers.strategy.needs_socket() {
        text.note(&format!(
            "The router connects as a member of the app's group: adduser www-data {}",
            answers.user
        ));
        text.set("UMask", "0007");
    } else {
        text.set("UMask", "0027");
    }
    text.gap().note("What a web app never needs and an intruder does. `shipit unit explain NAME` tells what each breaks.");
    for directive in DIRECTIVES
        .iter()
        .filter(|directive| directive.suits(runtime(answers.program)))
    {
        match directive.key {
            "ProtectHome" if in_home => text.set("ProtectHome", "read-only"),
            "RestrictAddressFamilies" if answers.program == Program::Node => text
                .note("node's os.networkInterfaces() needs AF_NETLINK.")
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
