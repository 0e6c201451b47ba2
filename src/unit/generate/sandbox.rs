//! The sandbox of a generated unit: every directive that the program works with. What a directive does is known by
//! `rules`.

use super::text::Text;
use super::{Answers, Program};
use crate::unit::command;
use crate::unit::rules::{DIRECTIVES, Runtime, runtime_of};

/// The runtime whose limits apply: that of the command line, if one was given.
pub(super) fn runtime(answers: &Answers) -> Runtime {
    let given = answers.command.as_deref().and_then(|line| command::parse(line).ok());
    let given = given.as_ref().and_then(|commands| commands.first()).map(runtime_of);
    if let Some(runtime) = given.filter(|runtime| *runtime != Runtime::Other) {
        return runtime;
    }
    match answers.program {
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
    if answers.is_template() && !answers.strategy.needs_socket() && !answers.instances_have_ports() {
        text.note(&format!(
            "Members of the app's group can connect to the sockets; the router and the health checks must be able to: adduser www-data {0} && adduser {1} {0}",
            answers.user, answers.deployer
        ));
        text.set("UMask", "0007");
    } else {
        text.set("UMask", "0027");
    }
    text.gap().note("Not needed by a web app, but useful to an attacker. `shipit unit explain NAME` prints what each setting can break.");
    for directive in DIRECTIVES.iter().filter(|directive| directive.suits(runtime(answers))) {
        match directive.key {
            "ProtectHome" if in_home => text.set("ProtectHome", "read-only"),
            "RestrictAddressFamilies" if answers.program == Program::Node => text
                .note("Node.js's os.networkInterfaces() needs AF_NETLINK.")
                .set(directive.key, format!("{} AF_NETLINK", directive.values[0])),
            key => directive
                .values_for(runtime(answers))
                .fold(&mut *text, |text, value| text.set(key, value)),
        };
    }
    text.set("DevicePolicy", "closed")
        .set("KeyringMode", "private")
        .set("RemoveIPC", "yes");
}

/// The same for curl: it writes nowhere and uses the network.
pub(super) fn notify(text: &mut Text) {
    text.gap().set("UMask", "0077");
    for directive in DIRECTIVES.iter().filter(|directive| directive.suits(Runtime::Other)) {
        let values = directive.values_for(Runtime::Other);
        values.fold(&mut *text, |text, value| text.set(directive.key, value));
    }
    text.set("DevicePolicy", "closed")
        .set("KeyringMode", "private")
        .set("RemoveIPC", "yes");
}
