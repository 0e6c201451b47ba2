//! The service that serves: plain, or as a template for two instances.

use super::text::Text;
use super::{Answers, Program, Ready, Written, sandbox};
use crate::unit::strategy::Strategy;

pub(super) fn service(answers: &Answers) -> Written {
    let app = &answers.app;
    let template = answers.is_template();
    let mut text = Text::new(&format!("{app}{}.service", if template { "@" } else { "" }));
    head(&mut text, answers);

    text.section("Service");
    match answers.ready {
        Ready::Notify => {
            text.note("Started means: the program has said READY=1.")
                .set("Type", "notify");
            if let Some(who) = child_that_reports(answers.program) {
                text.note(&format!("{who} says it, not the main process."))
                    .set("NotifyAccess", "all");
            }
            &mut text
        }
        Ready::Exec => text
            .note(
                "Started means: the program file runs. It is ready when the health check says so.",
            )
            .set("Type", "exec"),
    };
    text.set("User", &answers.user).set("Group", &answers.user);
    if template {
        text.note(&format!(
            "Each instance runs from its slot: {}/slots/blue is a link to a release.",
            answers.root
        ));
    } else {
        text.note("current is a link to the live release; a deploy points it elsewhere.");
    }
    text.set("WorkingDirectory", answers.live());
    text.note(&format!(
        "Secrets and settings: root's, mode 0600. Not under {}: PID 1 reads it as root.",
        answers.root
    ));
    text.set("EnvironmentFile", format!("-/etc/{app}/env"));
    environment(&mut text, answers);
    if answers.strategy.needs_socket() && template {
        text.note("Both instances take the same listening socket (file descriptor 3).")
            .set("Sockets", format!("{app}.socket"));
    }
    text.set("ExecStart", command(answers));
    if answers.strategy == Strategy::Reload {
        reload(&mut text, answers.program);
    }
    text.gap()
        .note("Started again after every death, without a limit but with a pause.");
    text.set("Restart", "always")
        .set("RestartSec", "500ms")
        .set("TimeoutStartSec", "60s");
    text.note(
        "SIGTERM to the main process; after the drain and 5 s more, SIGKILL to all that is left.",
    );
    text.set("KillMode", "mixed").set(
        "TimeoutStopSec",
        format!("{}s", answers.drain.as_secs() + 5),
    );
    text.gap()
        .note("The host survives a leak: slower from the first line on, killed at the second.");
    text.set("MemoryHigh", format!("{}M", answers.memory * 4 / 5))
        .set("MemoryMax", format!("{}M", answers.memory));
    text.set("TasksMax", "512").set("LimitNOFILE", "65536");
    directories(&mut text, answers);
    sandbox::write(&mut text, answers);

    text.section("Install").set("WantedBy", "multi-user.target");
    if template {
        text.set("DefaultInstance", "blue");
    }
    text.written()
}

/// How the running process comes to serve what `current` names now.
fn reload(text: &mut Text, program: Program) {
    let signal = match program {
        Program::Static => {
            text.note("Each file is read through current: nothing is left to load after a deploy.")
                .set("ExecReload", "/bin/true");
            return;
        }
        Program::Puma => "USR1",
        Program::Node | Program::Gunicorn | Program::Binary => "HUP",
    };
    text.note("Only for programs that handle the signal: others die of it.")
        .set("ExecReload", format!("/bin/kill -{signal} $MAINPID"));
}

/// Who sends READY=1 where the main process does not: the default `NotifyAccess=main` would drop it.
fn child_that_reports(program: Program) -> Option<&'static str> {
    match program {
        Program::Node => Some("systemd-notify, which node starts,"),
        Program::Gunicorn | Program::Puma => Some("A worker that has loaded the app"),
        Program::Binary | Program::Static => None,
    }
}

fn head(text: &mut Text, answers: &Answers) {
    let app = &answers.app;
    text.section("Unit").set(
        "Description",
        if answers.is_template() {
            format!("{app} (%i)")
        } else {
            app.clone()
        },
    );
    let mut needs = vec!["network-online.target".to_owned()];
    needs.extend(answers.needs.iter().cloned());
    text.set("Wants", needs.join(" "))
        .set("After", needs.join(" "));
    if answers.strategy.needs_socket() {
        text.note("The socket holds the port; without it there is none.");
        text.set("Requires", format!("{app}.socket"))
            .set("After", format!("{app}.socket"));
    }
    text.note("No limit: a short outage of something it needs must not take it down for good, nor its socket.");
    text.set("StartLimitIntervalSec", "0");
}

/// The settings that tell the program where to listen.
fn environment(text: &mut Text, answers: &Answers) {
    match answers.program {
        Program::Node => _ = text.set("Environment", "NODE_ENV=production"),
        Program::Puma => _ = text.set("Environment", "RACK_ENV=production RAILS_ENV=production"),
        Program::Static => {
            _ = text
                .note("caddy keeps its own files here.")
                .set("Environment", "XDG_DATA_HOME=%S/%p XDG_CONFIG_HOME=%S/%p")
        }
        Program::Gunicorn | Program::Binary => {}
    }
    if answers.strategy.needs_socket() {
        if answers.program == Program::Node {
            text.note("node shortens the queue to 511 unless told: server.listen({ fd: 3, backlog: +process.env.BACKLOG })");
            text.set("Environment", "BACKLOG=4096");
        }
    } else if answers.is_template() {
        text.note("Where this instance listens; the router has one such path in live.sock.");
        text.set(
            "Environment",
            format!("SOCKET=/run/{}/%i.sock", answers.app),
        );
    } else if let Some(port) = answers
        .port
        .filter(|_| matches!(answers.program, Program::Node | Program::Binary))
    {
        text.set("Environment", format!("PORT={port}"));
    }
}

/// The command line: the one that was given, or the program's usual one.
fn command(answers: &Answers) -> String {
    let live = answers.live();
    if let Some(command) = &answers.command {
        return command.replace(&format!("{}/current", answers.root), &live);
    }
    let unix = format!("/run/{}/%i.sock", answers.app);
    let (socket, port) = (
        answers.strategy.needs_socket(),
        answers.port.unwrap_or(8080),
    );
    match answers.program {
        Program::Node => format!("/usr/bin/node {live}/server.js"),
        Program::Binary => format!("{live}/{}", answers.app),
        Program::Gunicorn => {
            let bind = match (socket, answers.is_template()) {
                (true, _) => String::new(), // taken from systemd
                (false, true) => format!("--bind unix:{unix} "),
                (false, false) => format!("--bind 0.0.0.0:{port} "),
            };
            let drain = answers.drain.as_secs();
            format!(
                "/usr/bin/gunicorn --chdir {live} --workers 2 --worker-tmp-dir /dev/shm --graceful-timeout {drain} {bind}app:app"
            )
        }
        Program::Puma => {
            let bind = match (socket, answers.is_template()) {
                // A --bind would have to be spelled as the kernel spells the socket's address; else puma
                // tries to open the port a second time.
                (true, _) => "--bind-to-activated-sockets=only".to_owned(),
                (false, true) => format!("--bind unix://{unix}"),
                (false, false) => format!("--bind tcp://0.0.0.0:{port}"),
            };
            // One by one on USR1, each from what current names then; a single process would restart as a whole.
            let workers = if answers.strategy == Strategy::Reload {
                " --workers 2"
            } else {
                ""
            };
            format!("/usr/bin/puma --dir {live}{workers} {bind}")
        }
        Program::Static => {
            let listen = if answers.is_template() && !socket {
                format!("unix/{unix}")
            } else {
                format!(":{port}")
            };
            format!("/usr/bin/caddy file-server --root {live} --listen {listen}")
        }
    }
}

fn directories(text: &mut Text, answers: &Answers) {
    text.gap().note(&format!(
        "/run/{0}: for sockets and other files that need not survive a boot.",
        answers.app
    ));
    text.set("RuntimeDirectory", &answers.app);
    if answers.is_template() {
        text.note("The other instance's socket is in there too.")
            .set("RuntimeDirectoryPreserve", "yes");
    }
    if answers.program == Program::Static {
        text.set("StateDirectory", &answers.app);
    }
}
