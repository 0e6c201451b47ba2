//! Jobs that end: the migration, which a deploy starts, and those of timers. Never a service that stays.

use super::text::Text;
use super::{Answers, Job, Written, sandbox, service};

/// The settings that the migration and the jobs of timers share.
fn oneshot(text: &mut Text, answers: &Answers, directory: &str, command: &str, limit: &str) {
    text.note("systemctl start returns when the command has ended, and fails if the command fails.");
    text.set("Type", "oneshot")
        .note("Without a limit it could hang forever.")
        .set("TimeoutStartSec", limit);
    text.set("User", &answers.user)
        .set("Group", &answers.user)
        .set("WorkingDirectory", directory);
    text.note("The same environment as the service.")
        .set("EnvironmentFile", format!("-/etc/{}/env", answers.environment));
    service::common_environment(text, answers);
    text.set("ExecStart", command);
}

fn head(text: &mut Text, answers: &Answers, description: &str) {
    let mut needs = vec!["network-online.target".to_owned()];
    needs.extend(answers.needs.iter().cloned());
    text.section("Unit").set("Description", description);
    text.set("Wants", needs.join(" ")).set("After", needs.join(" "));
}

/// `APP-migrate.service`: the deploy starts it, once for a release, from `next`.
pub(super) fn migrate(answers: &Answers, command: &str) -> Written {
    let app = &answers.app;
    let mut text = Text::new(&format!("{app}-migrate.service"));
    head(
        &mut text,
        answers,
        &format!("{app}: migrate the database for the next release"),
    );
    text.section("Service");
    text.note("`next` is a symlink to the release that is about to go live. No [Install] and no ordering with the app: only a deploy starts this.");
    oneshot(&mut text, answers, &format!("{}/next", answers.root), command, "10min");
    text.note("Keeps the result readable after the command has ended; a deploy stops the unit before the next run.")
        .set("RemainAfterExit", "yes");
    sandbox::write(&mut text, answers);
    text.written()
}

/// The template that the host starts when a switch ended: sends the facts to a webhook.
pub(super) fn notify(answers: &Answers, name: &str) -> Written {
    let app = &answers.app;
    let mut text = Text::new(name);
    text.section("Unit")
        .set("Description", format!("{app}: notification for run %i"))
        .set("Wants", "network-online.target")
        .set("After", "network-online.target");
    text.note("A failed unit does not stay in memory; its messages stay in the journal.")
        .set("CollectMode", "inactive-or-failed");
    text.section("Service");
    text.note("shipit starts this when a deploy or rollback has ended; %i is the run. It has no [Install].")
        .set("Type", "oneshot")
        .note("Without a limit it could hang forever.")
        .set("TimeoutStartSec", "5min");
    text.note("A user that exists only while this runs.")
        .set("DynamicUser", "yes");
    text.note("The facts as JSON, which only root and this unit can read.")
        .set("LoadCredential", format!("event:/run/shipit-notify-{app}/%i.json"));
    text.note("Write this file yourself, as root and with mode 0600. One line for curl: url = \"https://…\"")
        .set("LoadCredential", format!("webhook:/etc/{app}/webhook"));
    text.set("ExecStart", "/usr/bin/curl --fail --silent --show-error --max-time 20 --retry 5 --retry-connrefused --config ${CREDENTIALS_DIRECTORY}/webhook --header \"Content-Type: application/json\" --data-binary @${CREDENTIALS_DIRECTORY}/event");
    sandbox::notify(&mut text);
    text.written()
}

pub(super) fn service(answers: &Answers, job: &Job) -> Written {
    let app = &answers.app;
    let mut text = Text::new(&format!("{app}-{}.service", job.name));
    head(&mut text, answers, &format!("{app}: {}", job.name));
    text.section("Service")
        .note(&format!("Started by {app}-{}.timer, so it has no [Install].", job.name));
    oneshot(
        &mut text,
        answers,
        &format!("{}/shared", answers.root),
        &job.command,
        "1h",
    );
    text.note("The app gets CPU and disk priority.");
    text.set("Nice", "15").set("IOSchedulingClass", "idle");
    sandbox::write(&mut text, answers);
    text.written()
}

pub(super) fn timer(answers: &Answers, job: &Job) -> Written {
    let app = &answers.app;
    let mut text = Text::new(&format!("{app}-{}.timer", job.name));
    text.section("Unit")
        .set("Description", format!("{app}: timer for {}", job.name));
    text.section("Timer")
        .note("`systemd-analyze calendar` prints the next run times.")
        .set("OnCalendar", &job.calendar);
    text.note("Spreads the load, so that timers do not all start in the same second.")
        .set("RandomizedDelaySec", "15min");
    text.note("Runs after boot if the host was down at the scheduled time.")
        .set("Persistent", "yes");
    text.section("Install").set("WantedBy", "timers.target");
    text.written()
}
