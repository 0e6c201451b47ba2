//! The app's own service: a plain unit, or a template for several instances. Jobs that end are in `job`.

use super::text::Text;
use super::{Answers, Program, Ready, Written, sandbox};
use crate::unit::rules::Runtime;
use crate::unit::strategy::Strategy;

pub(super) fn service(answers: &Answers) -> Written {
    let app = &answers.app;
    let template = answers.is_template();
    let mut text = Text::new(&format!("{app}{}.service", if template { "@" } else { "" }));
    head(&mut text, answers);

    text.section("Service");
    ready(&mut text, answers);
    text.set("User", &answers.user).set("Group", &answers.user);
    if template {
        text.note(&format!(
            "Each instance runs from its slot: {}/slots/{} is a symlink to a release.",
            answers.root,
            first(answers)
        ));
    } else {
        text.note("`current` is a symlink to the live release; a deploy changes its target.");
    }
    text.set("WorkingDirectory", answers.live());
    text.note(&format!(
        "Secrets and settings: root-owned, mode 0600. Not below {}, because systemd reads the file as root.",
        answers.root
    ));
    text.set("EnvironmentFile", format!("-/etc/{}/env", answers.environment));
    if template && answers.instances_have_ports() {
        if let Some((name, port)) = answers.named_ports().next() {
            text.note(&format!(
                "The port of each instance: /etc/{app}/env.{name} has the line PORT={port}."
            ));
        }
        text.set("EnvironmentFile", format!("/etc/{app}/env.%i"));
    }
    environment(&mut text, answers);
    if answers.strategy.needs_socket() && template {
        text.note("All instances use the same listening socket (file descriptor 3).")
            .set("Sockets", format!("{app}.socket"));
        text.note("Without this, the start of one instance makes the socket blocking for the other: an event loop then hangs in accept().")
            .set("NonBlocking", "yes");
    }
    text.set("ExecStart", command(answers));
    if sandbox::runtime(answers) == Runtime::Java {
        text.note("A JVM exits with status 143 after SIGTERM.")
            .set("SuccessExitStatus", "143");
    }
    if answers.strategy == Strategy::Reload {
        reload(&mut text, answers.program);
    }
    text.gap().note("Restarted after every exit, after a pause.");
    text.set("Restart", "always")
        .set("RestartSec", "500ms")
        .set("TimeoutStartSec", "60s");
    text.note(
        "SIGTERM to the main process; then SIGKILL to all remaining processes 5 s after the time allowed for finishing requests is over.",
    );
    text.set("KillMode", "mixed")
        .set("TimeoutStopSec", format!("{}s", answers.drain.as_secs() + 5));
    text.gap()
        .note("Protects the host from a memory leak: throttled above the first limit, killed at the second.");
    text.set("MemoryHigh", format!("{}M", answers.memory * 4 / 5))
        .set("MemoryMax", format!("{}M", answers.memory));
    text.set("TasksMax", "512").set("LimitNOFILE", "65536");
    directories(&mut text, answers);
    sandbox::write(&mut text, answers);

    text.section("Install").set("WantedBy", "multi-user.target");
    if template {
        text.set("DefaultInstance", first(answers));
    }
    text.written()
}

/// How systemd learns that it has started.
pub(super) fn ready(text: &mut Text, answers: &Answers) {
    match answers.ready() {
        Ready::Notify => {
            text.note("The service counts as started when the program sends READY=1.")
                .set("Type", "notify");
            if let Some(who) = child_that_reports(answers.program) {
                text.note(&format!("{who} sends it, not the main process."))
                    .set("NotifyAccess", "all");
            }
            text
        }
        Ready::Exec => text
            .note(
                "The service counts as started once the program has been executed. The health check decides when it is ready.",
            )
            .set("Type", "exec"),
    };
}

/// The name of the first instance.
fn first(answers: &Answers) -> String {
    answers.instances().into_iter().next().unwrap_or_default()
}

/// How the running process starts to serve the release that `current` links to.
fn reload(text: &mut Text, program: Program) {
    let signal = match program {
        Program::Static => {
            text.note("Each file is opened through `current`: there is nothing to reload after a deploy.")
                .set("ExecReload", "/bin/true");
            return;
        }
        Program::Puma => "USR1",
        Program::Node | Program::Gunicorn | Program::Binary => "HUP",
    };
    text.note("The program must handle this signal: it kills a program that does not.")
        .set("ExecReload", format!("/bin/kill -{signal} $MAINPID"));
}

/// Who sends READY=1 where the main process does not; the default `NotifyAccess=main` would ignore it.
fn child_that_reports(program: Program) -> Option<&'static str> {
    match program {
        Program::Node => Some("systemd-notify, started by node,"),
        Program::Gunicorn | Program::Puma => Some("A worker process that has loaded the app"),
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
    text.set("Wants", needs.join(" ")).set("After", needs.join(" "));
    if answers.strategy.needs_socket() {
        text.note("The .socket unit holds the port; without it the service has no socket.");
        text.set("Requires", format!("{app}.socket"))
            .set("After", format!("{app}.socket"));
    }
    text.note("Before the first deploy there is nothing to start; without this, boot or a connection would begin a restart loop.");
    text.set("ConditionPathExists", answers.live());
    if answers.strategy.needs_socket() {
        text.note("No start limit: at the limit, the socket would fail together with the service, and its port would be closed.");
        text.set("StartLimitIntervalSec", "0");
    } else {
        text.note(
            "Gives up after five minutes of failed starts: the service survives shorter outages of its database.",
        );
        text.set("StartLimitIntervalSec", "10min").set("StartLimitBurst", "600");
    }
}

/// The environment of every program of the app, of its jobs too.
pub(super) fn common_environment(text: &mut Text, answers: &Answers) {
    match answers.program {
        Program::Node => _ = text.set("Environment", "NODE_ENV=production"),
        Program::Puma => _ = text.set("Environment", "RACK_ENV=production RAILS_ENV=production"),
        Program::Static => {
            _ = text
                .note("Directories for caddy's own files.")
                .set("Environment", "XDG_DATA_HOME=%S/%p XDG_CONFIG_HOME=%S/%p")
        }
        Program::Gunicorn | Program::Binary => {}
    }
}

/// The environment, with the address to listen on.
pub(super) fn environment(text: &mut Text, answers: &Answers) {
    common_environment(text, answers);
    if answers.strategy.needs_socket() {
        if answers.program == Program::Node {
            text.note("node shortens the queue to 511 unless the app passes the length itself: server.listen({ fd: 3 }, +process.env.BACKLOG)");
            text.set("Environment", "BACKLOG=4096");
        }
    } else if answers.instances_have_ports() {
        // Its own file has it.
    } else if answers.is_template() {
        text.note(match answers.strategy {
            Strategy::Rolling if answers.router.is_some() => {
                "Where this instance listens; live.%i.sock points the router to it, or to another one while it restarts."
            }
            _ => "Where this instance listens; live.sock points the router to one of these paths.",
        });
        text.set("Environment", format!("SOCKET=/run/{}/%i.sock", answers.app));
    } else if let Some(port) = answers
        .port
        .filter(|_| matches!(answers.program, Program::Node | Program::Binary))
    {
        text.set("Environment", format!("PORT={port}"));
    }
}

/// The given command line, or the usual one of the program.
pub(super) fn command(answers: &Answers) -> String {
    let live = answers.live();
    if let Some(command) = &answers.command {
        let slot = format!("{}/slots/%i", answers.root);
        return command
            .replace(&format!("{}/current", answers.root), &live)
            .replace(&slot, &live);
    }
    let unix = format!("/run/{}/%i.sock", answers.app);
    // From the file of the instance: systemd fills it in.
    let own = answers.instances_have_ports().then_some("127.0.0.1:${PORT}");
    let (socket, port) = (answers.strategy.needs_socket(), answers.port.unwrap_or(8080));
    match answers.program {
        Program::Node => format!("/usr/bin/node {live}/server.js"),
        Program::Binary => format!("{live}/{}", answers.app),
        Program::Gunicorn => {
            let bind = match (socket, answers.is_template()) {
                (true, _) => String::new(), // taken from systemd
                (false, true) if own.is_some() => format!("--bind {} ", own.unwrap_or_default()),
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
                // A --bind would have to match the kernel's spelling of the address; otherwise puma opens the port
                // a second time.
                (true, _) => "--bind-to-activated-sockets=only".to_owned(),
                (false, true) if own.is_some() => format!("--bind tcp://{}", own.unwrap_or_default()),
                (false, true) => format!("--bind unix://{unix}"),
                (false, false) => format!("--bind tcp://0.0.0.0:{port}"),
            };
            // On USR1 the workers restart one by one, each from `current`; a single process would restart as a whole.
            let workers = if answers.strategy == Strategy::Reload {
                " --workers 2"
            } else {
                ""
            };
            format!("/usr/bin/puma --dir {live}{workers} {bind}")
        }
        Program::Static => {
            let listen = if let Some(own) = own {
                own.to_owned()
            } else if answers.is_template() && !socket {
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
        "/run/{0}: for sockets and other files that do not survive a reboot.",
        answers.app
    ));
    text.set("RuntimeDirectory", &answers.app);
    if answers.is_template() {
        text.note("It also contains the socket of the other instance.")
            .set("RuntimeDirectoryPreserve", "yes");
    }
    if answers.program == Program::Static {
        text.set("StateDirectory", &answers.app);
    }
}
