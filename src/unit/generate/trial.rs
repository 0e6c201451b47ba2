//! The unit that runs a new release before it serves, and the socket that it gets where the service gets one. It is like the
//! service in what a program notices, and nothing but a deploy starts it.

use super::answers::Trial;
use super::text::Text;
use super::{Answers, Program, Written, sandbox, service};
use crate::unit::rules::Runtime;
use crate::unit::strategy::Strategy;

pub(super) fn units(answers: &Answers, trial: &Trial) -> Vec<Written> {
    let socket = answers.strategy.needs_socket();
    let own = Answers {
        ready: answers.ready(),
        strategy: if socket { Strategy::Socket } else { Strategy::Restart },
        router: None,
        ports: false,
        port: Some(trial.port),
        command: trial.command.clone(),
        from_next: true,
        ..answers.clone()
    };
    let stem = trial.unit.trim_end_matches(".service");
    let mut units = vec![unit(&own, stem)];
    units.extend(socket.then(|| listening(&own, stem)));
    units
}

fn unit(answers: &Answers, stem: &str) -> Written {
    let app = &answers.app;
    let mut text = Text::new(&format!("{stem}.service"));
    text.section("Unit")
        .set("Description", format!("{app}: trial of the next release"));
    let needs: Vec<&str> = std::iter::once("network-online.target")
        .chain(answers.needs.iter().map(String::as_str))
        .collect();
    text.set("Wants", needs.join(" ")).set("After", needs.join(" "));
    if answers.strategy.needs_socket() {
        text.note("The socket of the trial; no client knows its address.");
        text.set("Requires", format!("{stem}.socket"))
            .set("After", format!("{stem}.socket"));
    }
    text.section("Service");
    text.note("Each deploy starts this before the release serves, checks it, and stops it. It has no [Install].");
    service::ready(&mut text, answers);
    text.set("User", &answers.user).set("Group", &answers.user);
    text.note("`next` is a symlink to the release that is about to go live.")
        .set("WorkingDirectory", answers.live());
    text.note("The same environment as the service.")
        .set("EnvironmentFile", format!("-/etc/{}/env", answers.environment));
    let command = service::command(answers);
    if answers.strategy.needs_socket() || !matches!(answers.program, Program::Node | Program::Binary) {
        service::environment(&mut text, answers);
        text.set("ExecStart", command);
    } else {
        service::common_environment(&mut text, answers);
        text.note("The port of the trial, whatever the environment file has.");
        let port = answers.port.unwrap_or_default();
        text.set("ExecStart", format!("/usr/bin/env PORT={port} {command}"));
    }
    if sandbox::runtime(answers) == Runtime::Java {
        text.note("A JVM exits with status 143 after SIGTERM.")
            .set("SuccessExitStatus", "143");
    }
    text.gap()
        .note("A process that exits has failed the trial.")
        .set("Restart", "no")
        .set("TimeoutStartSec", "60s");
    text.set("KillMode", "mixed").set("TimeoutStopSec", "10s");
    text.gap().note("The same limits as the service.");
    text.set("MemoryHigh", format!("{}M", answers.memory * 4 / 5))
        .set("MemoryMax", format!("{}M", answers.memory));
    text.set("TasksMax", "512").set("LimitNOFILE", "65536");
    text.gap()
        .note("Not the directory of the service: systemd removes it when the trial ends.");
    text.set("RuntimeDirectory", stem);
    if answers.program == Program::Static {
        text.set("StateDirectory", stem);
    }
    sandbox::write(&mut text, answers);
    text.written()
}

fn listening(answers: &Answers, stem: &str) -> Written {
    let mut text = Text::new(&format!("{stem}.socket"));
    text.section("Unit")
        .set("Description", format!("{}: the socket of the trial", answers.app))
        .note("It listens only during a trial. It has no [Install].")
        .set("StopWhenUnneeded", "yes");
    text.section("Socket");
    text.set(
        "ListenStream",
        format!("127.0.0.1:{}", answers.port.unwrap_or_default()),
    );
    text.written()
}
