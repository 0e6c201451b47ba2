//! Jobs that end: the migration, which the deploy starts, and what timers start.

use super::text::Text;
use super::{Answers, Job, Written, sandbox};

/// What the migration and the timers' jobs have in common.
fn oneshot(text: &mut Text, answers: &Answers, directory: &str, command: &str, limit: &str) {
    text.note("The start is over when the command is, and fails when it fails.");
    text.set("Type", "oneshot")
        .note("Without this it might hang for ever.")
        .set("TimeoutStartSec", limit);
    text.set("User", &answers.user)
        .set("Group", &answers.user)
        .set("WorkingDirectory", directory);
    text.set("EnvironmentFile", format!("-/etc/{}/env", answers.app))
        .set("ExecStart", command);
}

fn head(text: &mut Text, answers: &Answers, description: &str) {
    let mut needs = vec!["network-online.target".to_owned()];
    needs.extend(answers.needs.iter().cloned());
    text.section("Unit").set("Description", description);
    text.set("Wants", needs.join(" "))
        .set("After", needs.join(" "));
}

/// `APP-migrate.service`: the deploy starts it, once for a release, from `next`.
pub(super) fn migrate(answers: &Answers, command: &str) -> Written {
    let app = &answers.app;
    let mut text = Text::new(&format!("{app}-migrate.service"));
    head(
        &mut text,
        answers,
        &format!("{app}: bring the database to the next release"),
    );
    text.section("Service");
    text.note("next is the release that is about to go live. No [Install] and no order with the app: only a deploy starts it.");
    oneshot(
        &mut text,
        answers,
        &format!("{}/next", answers.root),
        command,
        "10min",
    );
    text.note("Keeps the outcome to be read; the deploy stops it before the next run.")
        .set("RemainAfterExit", "yes");
    sandbox::write(&mut text, answers);
    text.written()
}

/// The service of a job.
pub(super) fn service(answers: &Answers, job: &Job) -> Written {
    let app = &answers.app;
    let mut text = Text::new(&format!("{app}-{}.service", job.name));
    head(&mut text, answers, &format!("{app}: {}", job.name));
    text.section("Service").note(&format!(
        "{app}-{}.timer starts it; it needs no [Install].",
        job.name
    ));
    oneshot(
        &mut text,
        answers,
        &format!("{}/shared", answers.root),
        &job.command,
        "1h",
    );
    text.note("Last in line for the processor and the disk: the app comes first.");
    text.set("Nice", "15").set("IOSchedulingClass", "idle");
    sandbox::write(&mut text, answers);
    text.written()
}

/// The timer of a job.
pub(super) fn timer(answers: &Answers, job: &Job) -> Written {
    let app = &answers.app;
    let mut text = Text::new(&format!("{app}-{}.timer", job.name));
    text.section("Unit")
        .set("Description", format!("{app}: {}, by the clock", job.name));
    text.section("Timer")
        .note("`systemd-analyze calendar` shows the next times.")
        .set("OnCalendar", &job.calendar);
    text.note("Not at the same second as everybody else's.")
        .set("RandomizedDelaySec", "15min");
    text.note("A time that falls into a reboot is made up for.")
        .set("Persistent", "yes");
    text.section("Install").set("WantedBy", "timers.target");
    text.written()
}
