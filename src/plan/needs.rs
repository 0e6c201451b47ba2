//! What a host must have before anything is changed on it: all that is missing is named at once, each with
//! the line that mends it.

use crate::config::{Config, Migrate};
use crate::failure::{Exit, Failure, Next};
use crate::observed::ledger::State;
use crate::observed::sudo::Refusal;
use crate::observed::{Current, Observed, Root, Unreadable};
use crate::plan::confined;
use crate::plan::named_units;
use crate::plan::units::{When, harmless, journal_helper, sudo_lines};
use crate::strategy;

/// The oldest systemd whose features the units and scripts use.
pub const SYSTEMD: u32 = 247;

/// How units are driven on this host.
pub fn access(observed: &Observed) -> &'static str {
    if observed.uid == Some(0) { "root" } else { "sudo" }
}

/// One thing that the host lacks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lack {
    pub what: String,
    pub fix: Fix,
}

/// What supplies it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fix {
    /// The package of this tool.
    Install(String),
    /// Something that is not known here: a newer system, for example.
    Manual,
    /// `setup`: layout and guard.
    Setup,
    /// `setup`: a line of the sudo rule.
    Rule,
    /// Another rule of sudo has the last word: the file that it is in, where that is known.
    LastWord(String),
    /// Another owner or mode of a directory of the layout, which `setup` leaves alone: the command for root.
    Owner(String),
    /// A drop-in of the guard with these settings, after the one that is there.
    Override(String),
    /// A change to a unit, or to its name in deploy.yml: a sentence.
    Change(String),
}

/// Tools, systemd, layout, guard and privileges: all that is missing.
pub fn lacks(config: &Config, observed: &Observed) -> Vec<Lack> {
    let app = config.app.as_str();
    let mut lacks = Vec::new();
    let mut lack = |what: String, fix| lacks.push(Lack { what, fix });
    let routed = config.services.iter().any(|service| service.router.is_some());
    let wants_curl = config
        .instances()
        .filter_map(|one| one.health)
        .chain(
            config
                .services
                .iter()
                .filter_map(|service| Some(&service.trial.as_ref()?.health)),
        )
        .any(|health| health.check.probe.is_http())
        || routed;
    for tool in &observed.missing {
        if tool != "curl" || wants_curl {
            lack(format!("the host has no `{tool}`"), Fix::Install(tool.clone()));
        }
    }
    match observed.systemd {
        None => lack("cannot read the version of systemd".into(), Fix::Manual),
        Some(version) if version < SYSTEMD => lack(
            format!("systemd {version} is too old: {SYSTEMD} or later is required"),
            Fix::Manual,
        ),
        Some(_) => {}
    }
    let root = config.root.as_str();
    match observed.root {
        Root::Absent => lack(format!("{root} does not exist"), Fix::Setup),
        Root::Bare => lack(format!("{root} is not set up for shipit"), Fix::Setup),
        Root::Unreadable => lack(format!("{root} is not accessible to {}", observed.user), Fix::Setup),
        Root::Foreign => lack(
            format!("{root} belongs to a deploy user other than {}", observed.user),
            Fix::Setup,
        ),
        Root::ReadOnly => lack(format!("the disk of {root} is read-only"), Fix::Manual),
        Root::Unwritable => {
            let (what, fix) = unwritable(root, observed);
            lack(what, fix);
        }
        Root::Ready => {}
    }
    let guard = format!("shipit-{app}.path");
    if observed.could_read(&guard) && !observed.unit(&guard).is_active() {
        lack(
            format!("the guard {guard} is not active: nothing would run the switch"),
            Fix::Setup,
        );
    }
    if let Some((what, settings)) = confined::lack(config, observed) {
        lack(what, Fix::Override(settings));
    }
    for (what, change) in named_units::lacks(config, observed) {
        lack(what, Fix::Change(change));
    }
    for what in &observed.misplaced {
        lack(
            format!("{root}/{what}: it must be a directory inside {root}, because releases are renamed within {root}"),
            Fix::Manual,
        );
    }
    lacks.extend(sudo_lacks(config, observed));
    let mut lack = |what: String, fix| lacks.push(Lack { what, fix });
    for what in &observed.unreadable {
        let hint = match what {
            Unreadable::Unit(_) => " (systemctl cannot reach systemd: is dbus.service running?)",
            Unreadable::Other(_) => "",
        };
        lack(format!("cannot read: {what}{hint}"), Fix::Manual);
    }
    lacks
}

/// Which directory of the layout the user cannot write to. `setup` gives the root itself to the deploy user, and takes
/// over nothing in it. `-h`: the deploy user may have put a symlink there.
fn unwritable(root: &str, observed: &Observed) -> (String, Fix) {
    let user = &observed.user;
    // Only of the deploy user's own tree, and what root made there: another user's part is for `setup` to judge.
    let is_plain = user.chars().all(|c| c.is_ascii_alphanumeric() || "._-".contains(c));
    let is_own = observed.tree_owner.as_ref() == Some(user) && is_plain;
    let part = observed
        .unwritable
        .as_ref()
        .filter(|(owner, part)| part != "." && (owner == user || owner == "root"));
    let Some((owner, part)) = part.filter(|_| is_own) else {
        return (format!("{root} is not writable by {user}"), Fix::Setup);
    };
    let path = format!("{root}/{part}");
    let (what, line) = if owner == user {
        (
            format!("{path} is not writable by {user}, its owner"),
            format!("chmod u+w {path}"),
        )
    } else {
        let line = format!("sudo chown -h {user}: {path}");
        (format!("{path} belongs to {owner} and is not writable by {user}"), line)
    };
    (what, Fix::Owner(line))
}

/// What sudo refuses of the lines that a deploy needs: one lack for each reason.
fn sudo_lacks(config: &Config, observed: &Observed) -> Vec<Lack> {
    let needed = sudo_lines(config, When::Deploy);
    let refused = observed
        .sudo
        .as_ref()
        .map(|sudo| sudo.refused(&needed, &harmless(config)));
    let mut lacks: Vec<Lack> = Vec::new();
    for (line, refusal) in refused.unwrap_or_default() {
        let user = &observed.user;
        let what = format!("{user} may not run `sudo {line}`");
        let (what, fix) = match refusal {
            Refusal::Missing => (what, Fix::Rule),
            Refusal::Sudo(said) => (format!("{what}: {said}"), Fix::Rule),
            Refusal::LastWord { entry, file } => {
                let place = if file.is_empty() {
                    String::new()
                } else {
                    format!(" of {file}")
                };
                let what = format!(
                    "sudo does not let {user} run shipit's lines without a password: the rule `{entry}`{place} takes precedence"
                );
                (what, Fix::LastWord(file))
            }
        };
        if fix == Fix::Rule || lacks.iter().all(|lack| lack.what != what) {
            lacks.push(Lack { what, fix });
        }
    }
    lacks
}

/// What to do about a rule that comes after shipit's.
pub fn last_word(config: &Config, file: &str) -> Next {
    if !file.is_empty() && !file.starts_with('/') {
        return Next::advice(format!(
            "give that rule the option !authenticate; it comes from a directory service ({file})"
        ));
    }
    let file = if file.is_empty() { "/etc/sudoers" } else { file };
    Next::ssh(format!("-t {} visudo -f", config.host.of("root").ssh_to()))
        .arg(file)
        .remark("give that rule NOPASSWD:, or move it to a file that sorts before shipit's: the last match wins")
}

/// What a slow sudo means for a switch.
pub fn slow_sudo(observed: &Observed) -> Option<String> {
    let seconds = observed.sudo.as_ref()?.slow()?;
    Some(format!(
        "sudo takes {seconds}s on this host, and a switch runs it several times for each service; the usual cause is \
         a name server that does not answer (`sudo` looks up the host's own name; a line in /etc/hosts helps)"
    ))
}

/// Refuses a host that lacks something. Fails with a [`Failure`] that lists what is missing.
pub fn host(config: &Config, observed: &Observed) -> Result<(), Failure> {
    let lacks = lacks(config, observed);
    if lacks.is_empty() {
        return Ok(());
    }
    let what = format!("the host is not ready for {}", config.app.as_str());
    let mut failure = Failure::new(Exit::Untouched, what).host("nothing changed");
    // What `setup` does comes first, then what another rule of sudo, a drop-in, a unit or a directory needs.
    let needs_setup = lacks.iter().any(|lack| matches!(lack.fix, Fix::Setup | Fix::Rule));
    let own = lacks.iter().filter_map(|lack| match &lack.fix {
        Fix::LastWord(file) => Some((0, last_word(config, file))),
        Fix::Override(settings) => Some((1, confined::exempt(config, settings))),
        Fix::Change(change) => Some((2, Next::advice(change))),
        Fix::Owner(line) => Some((3, Next::shell(line))),
        Fix::Install(_) | Fix::Manual | Fix::Setup | Fix::Rule => None,
    });
    let own = own.min_by_key(|(rank, _)| *rank).map(|(_, next)| next);
    failure.next.push(match own {
        _ if needs_setup => config.host.as_root("setup"),
        Some(next) => next,
        None => Next::shipit("doctor"),
    });
    let (rule, others): (Vec<Lack>, Vec<Lack>) = lacks.into_iter().partition(|lack| lack.fix == Fix::Rule);
    failure.why = others.into_iter().map(|lack| lack.what).collect();
    failure.why.extend(refused_lines(&rule));
    Err(failure)
}

/// Of which units the sudo rule lets the journal be read, where these are others than deploy.yml's, and why that matters.
pub fn stale_rule(config: &Config, observed: &Observed) -> Option<[String; 2]> {
    let sudo = observed.sudo.as_ref().filter(|_| observed.uid != Some(0))?;
    let line = [journal_helper(config)?];
    let (helper, units) = line[0].split_once(' ')?;
    if sudo.refused(&line, &harmless(config)).first()?.1 != Refusal::Missing {
        return None;
    }
    let allowed = sudo.arguments(helper)?;
    Some([
        "the sudo rule on the host was written for units other than those in deploy.yml".into(),
        format!(
            "the rule lets {} read the journal of: {allowed}; deploy.yml has: {units}",
            observed.user
        ),
    ])
}

/// What sudo refuses, in one sentence: where one line is missing, the whole rule usually is.
pub fn refused_lines(rule: &[Lack]) -> Option<String> {
    let (first, rest) = rule.split_first()?;
    Some(match rest.len() {
        0 => first.what.clone(),
        1 => format!("{}, and 1 more line", first.what),
        more => format!("{}, and {more} more lines", first.what),
    })
}

/// Why `current` stands in the way of every switch, if it does.
pub fn current(config: &Config, observed: &Observed) -> Option<Failure> {
    match &observed.current {
        Current::Gone(id) => Some(gone_current(config, observed, id)),
        Current::Odd(what) => Some(odd_current(config, observed, what)),
        Current::Absent | Current::Release(_) => None,
    }
}

/// `current` is not shipit's: it is shown and never touched.
fn odd_current(config: &Config, observed: &Observed, what: &str) -> Failure {
    let (root, host) = (config.root.as_str(), config.host.ssh_to());
    let failure = Failure::new(Exit::Untouched, format!("{root}/current is {what}"))
        .why("shipit replaces `current` only if it is a symlink to `releases/RELEASE`, the form that shipit creates")
        .host("nothing changed");
    if observed.root != Root::Ready {
        let setup = config.host.as_root("setup");
        return failure.next(setup.remark("adopts a symlink to a release made by another tool"));
    }
    // By hand, as with other tools: `ln -sfn /opt/acme/releases/ID /opt/acme/current`.
    let absolute = format!("a symlink to {root}/releases/");
    let named = what.strip_prefix(&absolute).map(|id| id.trim_end_matches('/'));
    if let Some(id) = named.filter(|id| observed.releases.iter().any(|release| release == id)) {
        let relative = Next::ssh(format!("{host} ln -sfnT releases/{id} {root}/current"));
        return failure.next(
            relative.remark("as shipit writes it; then `shipit restart`, if the app still runs another release"),
        );
    }
    let aside = format!("mv -nT {root}/current {root}/current.old");
    failure.next(match super::releases::in_state(observed, State::Verified).first() {
        Some(newest) => Next::ssh(format!("{host} '{aside} && ln -sT releases/{newest} {root}/current'"))
            .then("&&", Next::shipit("deploy --restart"))
            .remark("keeps it as current.old, and points `current` to the newest verified release"),
        None => Next::ssh(format!("{host} {aside}"))
            .then("&&", Next::shipit("deploy"))
            .remark("keeps it as current.old; then runs a first deploy"),
    })
}

/// `current` names a release that is not there any more. What still runs cannot be gone back to, so a person
/// says which release counts as live before anything else happens.
fn gone_current(config: &Config, observed: &Observed, id: &str) -> Failure {
    let root = config.root.as_str();
    let failure = Failure::new(
        Exit::Untouched,
        format!("{root}/current is a symlink to release {id}, which does not exist"),
    )
    .why("it was removed manually; the running services would not be able to start again")
    .host("nothing changed");
    match super::releases::in_state(observed, State::Verified).first() {
        Some(newest) => failure.next(
            Next::ssh(format!(
                "{} ln -sfnT releases/{newest} {root}/current",
                config.host.ssh_to()
            ))
            .then("&&", Next::shipit("deploy --restart"))
            .remark("the newest verified release"),
        ),
        None => {
            let remove = format!("{} rm {root}/current", config.host.ssh_to());
            let deploy = Next::shipit("deploy").remark("as a first deploy");
            failure.next(Next::ssh(remove).then(";", deploy))
        }
    }
}

/// What the host lacks of the migration and the unit before it: a deploy would find out when everything has been sent.
pub fn migration(config: &Config, observed: &Observed) -> Vec<String> {
    let units = config.migrate.iter().flat_map(Migrate::units);
    let missing = units.filter(|unit| observed.unit(unit).is_not_found());
    missing.map(strategy::not_found).collect()
}

/// The units cannot carry the strategy.
pub fn units_lack(config: &Config, lacks: Vec<String>) -> Failure {
    let mut failure = Failure::new(Exit::Untouched, "the host's units do not allow this deploy")
        .host("nothing changed")
        .next(
            config
                .host
                .as_root("unit install --now")
                .remark("if this repository has the missing units"),
        )
        .next(Next::shipit("doctor"));
    failure.why = lacks;
    failure
}
