//! The host itself: what it lacks, its clock, what `current` is, and how the last switch went.

use super::{Area, Depth, Evidence, Finding, packages};
use crate::config::Config;
use crate::failure::Next;
use crate::observed::Live;
use crate::observed::ledger::{PastOutcome, State};
use crate::observed::{KEPT_JOURNAL, Observed, Root};
use crate::plan::needs::{self, Fix};
use crate::plan::releases;
use crate::plan::units::env_helper;
use crate::plan::{confined, root_files};
use crate::text;

/// The last switch, when it failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LastSwitch {
    pub run: String,
    /// When it began, by the host's clock.
    pub at: String,
    pub release: String,
    /// How it ended; never `Done`.
    pub outcome: PastOutcome,
    /// Why, in the conductor's words; empty when its record is gone.
    pub cause: String,
    /// The end of the journal of what failed.
    pub journal: Vec<String>,
}

/// Clocks this far apart (seconds) make records hard to read together; certificates and tokens fail soon after.
const SKEW: i64 = 30;

pub(super) fn findings(config: &Config, observed: &Observed, evidence: &Evidence) -> Vec<Finding> {
    let mut found = lacks(config, observed);
    found.extend(outdated(config, observed, evidence.live.as_ref()));
    found.extend(stale_rule(config, observed));
    found.extend(open_to_others(config, evidence.live.as_ref()));
    found.extend(super::room::findings(config, observed, evidence.live.as_ref()));
    found.extend(switches(config, observed, evidence.last.as_ref()));
    if let Some(failure) = needs::current(config, observed) {
        let mut finding = Finding::error(Area::Host, Depth::Host, failure.what)
            .why(format!("{}: every deploy is refused", failure.why.join("; ")));
        finding.next = failure.next;
        found.push(finding);
    }
    if let Some(skew) = evidence.skew.filter(|skew| skew.abs() > SKEW) {
        let way = if skew > 0 { "ahead of" } else { "behind" };
        let apart = text::lapse(skew.saturating_abs());
        found.push(
            Finding::warning(
                Area::Host,
                Depth::Host,
                format!("the host's clock is {apart} {way} this machine's"),
            )
            .why("the journal and the ledger use it; certificates, tokens and one-time codes fail when it is wrong")
            .next(Next::shell("timedatectl").remark("on both machines; sudo timedatectl set-ntp true sets the clock")),
        );
    }
    if evidence
        .live
        .as_ref()
        .is_some_and(|live| live.answers.storage == "none")
    {
        let what = "the journal is not kept: journald.conf has Storage=none";
        found.push(
            Finding::warning(Area::Host, Depth::Host, what)
                .why("shipit reads the journal to find out why a service failed, and whether a migration ran")
                .next(Next::shell(
                    "sudo mkdir -p /etc/systemd/journald.conf.d && printf '[Journal]\\nStorage=auto\\n' | sudo tee \
                     /etc/systemd/journald.conf.d/zz-storage.conf && sudo systemctl restart systemd-journald",
                )),
        );
    }
    found.extend(evidence.live.as_ref().and_then(forgetful));
    let mut unreadable: Vec<&str> = Vec::new();
    unreadable.extend(
        evidence
            .live
            .iter()
            .flat_map(|live| &live.unreadable)
            .map(String::as_str),
    );
    if !unreadable.is_empty() {
        found.push(
            Finding::info(
                Area::Host,
                Depth::Later,
                format!("cannot be read as {}: {}", observed.user, unreadable.join(", ")),
            )
            .why("so doctor did not check these"),
        );
    }
    found
}

/// A journal in memory: shipit works, but after a reboot nobody can read why a service failed before it.
fn forgetful(live: &Live) -> Option<Finding> {
    let storage = live.answers.storage.as_str();
    let absent = live.answers.file(KEPT_JOURNAL).is_some_and(|file| !file.exists);
    let (why, next) = match storage {
        "volatile" => (
            "journald.conf has Storage=volatile".to_owned(),
            Next::advice("remove the line to keep the journal on disk"),
        ),
        "auto" | "" if absent => (
            format!("{KEPT_JOURNAL} does not exist"),
            Next::shell(format!(
                "sudo mkdir -p {KEPT_JOURNAL} && sudo systemd-tmpfiles --create --prefix {KEPT_JOURNAL} && sudo systemctl restart systemd-journald"
            )),
        ),
        _ => return None,
    };
    let what = "the journal is in memory only: a reboot loses it";
    Some(Finding::info(Area::Host, Depth::Later, what).why(why).next(next))
}

/// What `needs` misses. Before `setup` ran all of it has one cause.
fn lacks(config: &Config, observed: &Observed) -> Vec<Finding> {
    let app = config.app.as_str();
    let setup = config.host.as_root("setup");
    let lacks = needs::lacks(config, observed);
    let of = |fix: Fix| lacks.iter().filter(move |lack| lack.fix == fix);
    let mut found = Vec::new();
    for lack in &lacks {
        let finding = Finding::error(Area::Host, Depth::Host, &lack.what).why("the deploy scripts need it");
        found.push(match &lack.fix {
            Fix::Install(tool) => finding.next(packages::install(config, packages::package(tool).unwrap_or(tool))),
            Fix::Manual if matches!(observed.root, Root::ReadOnly) && lack.what.ends_with("is read-only") => {
                let find = Next::shell("findmnt --target").arg(config.root.as_str());
                let log = Next::shell("sudo dmesg --level=err,warn | tail");
                finding
                    .next(find.remark("shows the mount; sudo mount -o remount,rw MOUNTPOINT makes it writable"))
                    .next(log.remark("first: after disk errors, the kernel mounts the disk read-only"))
            }
            Fix::Manual => finding,
            Fix::Change(change) => Finding::error(Area::Host, Depth::Host, &lack.what)
                .why("a deploy could not restart it, or could not check the result")
                .next(Next::advice(change)),
            Fix::LastWord(file) => {
                let finding = Finding::error(Area::Host, Depth::Host, &lack.what);
                let why = "the last matching rule wins: with this one, a switch would fail at its first restart";
                finding.why(why).next(needs::last_word(config, file))
            }
            Fix::Owner(line) => Finding::error(Area::Host, Depth::Host, &lack.what)
                .why("every deploy writes there")
                .next(Next::shell(line.as_str()).remark("on the host")),
            Fix::Override(settings) => Finding::error(Area::Host, Depth::Host, &lack.what)
                .why("a drop-in in service.d/ changes every service on the host, including shipit's own")
                .next(confined::exempt(config, settings)),
            Fix::Setup | Fix::Rule => continue,
        });
    }
    if matches!(observed.root, Root::Absent | Root::Bare) {
        let whats: Vec<&str> = of(Fix::Setup).map(|lack| lack.what.as_str()).collect();
        found.push(
            Finding::error(Area::Host, Depth::Host, format!("this host is not set up for {app}"))
                .why(whats.join("; "))
                .next(setup.clone())
                .by_setup(),
        );
        return found;
    }
    found.extend(of(Fix::Setup).map(|lack| {
        Finding::error(Area::Host, Depth::Host, &lack.what)
            .why("deploys are refused until you run setup; you can run it again at any time")
            .next(setup.clone())
            .by_setup()
    }));
    let rule: Vec<needs::Lack> = of(Fix::Rule).cloned().collect();
    if let Some(refused) = needs::refused_lines(&rule) {
        found.push(
            Finding::error(Area::Host, Depth::Host, refused)
                .why("the conductor runs exactly these lines; the sudo rule is older than deploy.yml, or sudo does not read it")
                .next(setup.clone())
.by_setup()
                .next(Next::shell("sudo -l").remark(format!("as {} on the host: lists what that user may run", observed.user))),
        );
    }
    if let Some(slow) = needs::slow_sudo(observed) {
        found.push(Finding::warning(Area::Host, Depth::Host, slow));
    }
    let boot = format!("shipit-{app}-boot.service");
    if observed.could_read(&boot) && observed.unit(&boot).unit_file_state() != Some("enabled") {
        found.push(
            Finding::error(Area::Host, Depth::Host, format!("{boot} is not enabled"))
                .why("after a power failure during a switch, the app could start from an unconfirmed release")
                .next(setup.clone())
                .by_setup(),
        );
    }
    if !observed.spare && observed.live().is_some() {
        found.push(
            Finding::info(Area::Host, Depth::Later, "no disk space is reserved for a rollback yet")
                .why("the next deploy reserves it"),
        );
    }
    found
}

/// A host that was made ready before the day-to-day commands had helpers there: deploys go on.
fn outdated(config: &Config, observed: &Observed, live: Option<&Live>) -> Option<Finding> {
    let helper = live?.answers.file(&env_helper(config))?;
    // Root needs none.
    (!helper.exists && observed.root == Root::Ready && observed.uid != Some(0)).then(|| {
        Finding::warning(
            Area::Host,
            Depth::Later,
            "this host was set up by an older version of shipit",
        )
        .why("deploys work, but `env`, `start`, `stop`, `reload` and the filters of `logs` need the helpers that `setup` installs")
        .next(config.host.as_root("setup"))
        .by_setup()
    })
}

/// A rule that is older than deploy.yml: what a deploy needs is an error of its own.
fn stale_rule(config: &Config, observed: &Observed) -> Option<Finding> {
    let [what, why] = needs::stale_rule(config, observed)?;
    let why = format!("{why}; until then `logs` cannot filter");
    let finding = Finding::warning(Area::Host, Depth::Later, what).why(why);
    Some(finding.next(config.host.as_root("setup")).by_setup())
}

/// What `setup` wrote as root's, and others can change: a way to become root.
fn open_to_others(config: &Config, live: Option<&Live>) -> Vec<Finding> {
    let Some(live) = live else { return Vec::new() };
    let files = root_files::paths(config).into_iter();
    let found = files.filter_map(|path| {
        let file = live.answers.file(&path).filter(|file| file.exists)?;
        let own = file.owner != "root" || file.mode & 0o022 != 0;
        // Not by their group: /usr/local/lib is group staff's on many hosts, and staff is as good as root there.
        let above = |(owner, mode): &(String, u32)| owner != "root" || mode & 0o002 != 0;
        let what = if own {
            format!("{path} belongs to {}, mode {:04o}", file.owner, file.mode)
        } else if file.above.iter().any(above) {
            format!("users other than root can change a directory above {path}")
        } else {
            return None;
        };
        let why = "root runs or reads it: whoever can change it can become root";
        let finding = Finding::error(Area::Host, Depth::Host, what).why(why);
        Some(finding.next(config.host.as_root("setup")).by_setup())
    });
    found.collect()
}

/// A switch under way, one that could not revert, one that failed.
fn switches(config: &Config, observed: &Observed, last: Option<&LastSwitch>) -> Vec<Finding> {
    let mut found = Vec::new();
    if let Some(kind) = &observed.odd_request {
        let path = format!("{}/.shipit/request", config.root.as_str());
        found.push(
            Finding::warning(
                Area::Switch,
                Depth::Switch,
                format!("{path} is a {kind}, not a request"),
            )
            .why("it does not lock the host; the guard or the next deploy moves it aside")
            .next(Next::shell(format!("rm -r {path}")).remark("on the host")),
        );
    }
    if let Some(request) = &observed.request {
        found.push(
            Finding::warning(
                Area::Switch,
                Depth::Link,
                format!(
                    "a switch is in progress: {} to {} by {}, since {}",
                    request.command, request.next, request.by, request.since
                ),
            )
            .why("the findings may change in a moment")
            .next(Next::shipit("attach")),
        );
    }
    let last_run = last.map(|last| last.run.as_str());
    if let Some(run) = observed.degraded.as_deref().filter(|_| observed.is_degraded()) {
        let last = last.filter(|_| last_run == Some(run));
        let live = observed.live().map_or("no release is live".into(), |id| {
            format!("current points to {id}, which is not verified")
        });
        let mut finding = Finding::error(
            Area::Switch,
            Depth::Fallout,
            format!(
                "run {run} could not revert, and the host is degraded: {live}{}",
                caused(last)
            ),
        )
        .why("the revert failed too, and the host stopped after three attempts; the next successful switch clears this state")
        .next(Next::shipit("logs"))
        .next(match releases::in_state(observed, State::Verified).first() {
            Some(newest) => Next::shipit("rollback").arg(newest).remark("or shipit deploy"),
            None => Next::shipit("deploy"),
        });
        finding.log = last.map(|last| last.journal.clone()).unwrap_or_default();
        found.push(finding);
        if last.is_some() {
            return found;
        }
    }
    if let Some(last) = last {
        let app = config.app.as_str();
        let (became, state) = match last.outcome {
            PastOutcome::Failed => match observed
                .meta
                .get(&last.release)
                .and_then(|meta| meta.migration.as_ref())
            {
                None => ("did not go live", "nothing live changed"),
                Some(_) => (
                    "did not go live",
                    "code and `current` are unchanged; changes made by its migration remain",
                ),
            },
            _ => ("was reverted", "it runs the previous release"),
        };
        let what = format!(
            "the last switch failed ({}): {} {became}{}",
            last.at,
            last.release,
            caused(Some(last))
        );
        let mut finding = Finding::warning(Area::Switch, Depth::Switch, what)
            .why(format!(
                "{app}: {state}; the next deploy of the same release would fail the same way"
            ))
            .next(match last.outcome {
                // It never ran.
                PastOutcome::Failed => Next::shipit("logs"),
                _ => Next::shipit("logs --release").arg(&last.release),
            });
        finding.log.clone_from(&last.journal);
        found.push(finding);
    }
    found
}

/// The cause of a switch's failure, to be said after something else.
fn caused(last: Option<&LastSwitch>) -> String {
    let cause = last.map_or("", |last| last.cause.as_str());
    if cause.is_empty() {
        String::new()
    } else {
        format!(": {cause}")
    }
}
