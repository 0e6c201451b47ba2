//! `shipit setup`: makes the host ready, once. Shows what root will do before it does it.

use std::time::Instant;

use super::args::{self, Global};
use super::root;
use crate::config::Config;
use crate::engine::held::held;
use crate::engine::{observe, session};
use crate::failure::{Exit, Failure, Next};
use crate::host::Host;
use crate::interrupt::Interrupts;
use crate::observed::{Observed, Root};
use crate::plan::guard::{Guard, guard};
use crate::plan::needs;
use crate::remote::{self, Script, exits};
use crate::report::event::{Ended, Event, Outcome, Report};
use crate::text;

/// What root lends to the deploy user, one exact sudo line each.
const HELPERS: [(&str, &str, &str); 2] = [
    (
        "env",
        "for `shipit env`: changes the app's root-owned environment file",
        remote::ENV_HELPER,
    ),
    (
        "journal",
        "for `shipit logs`: reads the journal of the app's units",
        remote::JOURNAL_HELPER,
    ),
];

pub(super) fn run(global: &Global, wish: &args::Setup) -> Result<Exit, Failure> {
    let began = Instant::now();
    let global = &Global {
        // What it prints is text.
        json: global.json && !wish.print,
        ..global.clone()
    };
    let config = super::configuration(global)?;
    let mut report = super::reporter(global);
    report.event(&Event::Started {
        command: "setup",
        app: config.app.as_str().into(),
        host: config.host.to_string(),
        release: None,
    });
    if wish.print && wish.login.is_none() && config.host.user.is_some() {
        // Nothing of the host is needed to print what would be written.
        let user = deploy_user(&config, "")?;
        Layout::new(&config, user, "the app's group".into()).show(None, Detail::Whole);
        return Ok(Exit::Done);
    }
    let interrupts = super::interrupts()?;
    let mut link = root::link(global, &config, wish.login.as_deref(), &interrupts)?;
    let mut host = session::Link::connect(&mut link, report.as_mut())?;
    let seen = observe::observe(host.as_mut(), &config)?;
    // Who logs in without `--as`: where deploy.yml names nobody, ssh's own configuration may.
    let daily = match &wish.login {
        Some(_) if config.host.user.is_none() => {
            let way = super::link(global, &config, &interrupts).preview()?;
            let user = way.destination.rsplit_once('@');
            user.map_or_else(String::new, |(user, _)| user.to_owned())
        }
        _ => seen.user.clone(),
    };
    let user = deploy_user(&config, &daily)?;
    let group = group(&config, &seen, &user);
    let layout = Layout::new(&config, user, group);
    lacking(&seen)?;
    if !global.quiet && !global.json {
        let detail = if wish.print || global.verbose {
            Detail::Whole
        } else {
            Detail::Names
        };
        layout.show(Some(&seen), detail);
    }
    if wish.print {
        return Ok(Exit::Done);
    }
    if !wish.yes {
        root::agreed(&interrupts)?;
    }
    layout.put(host.as_mut(), &seen, &interrupts, report.as_mut())?;
    if global.json {
        let live = seen.live().map(str::to_owned);
        report.event(&Event::Ended(Box::new(ended(began, live, host.as_ref()))));
        return Ok(Exit::Done);
    }
    super::results(&format!(
        "{} is ready for {}; next: {}\n",
        config.host,
        config.app.as_str(),
        super::typed(global).line(&next(&config, &seen))
    ));
    Ok(Exit::Done)
}

/// The last event of a setup that went well.
fn ended(began: Instant, live: Option<String>, host: &dyn Host) -> Ended {
    Ended {
        outcome: Outcome::Ready,
        exit: Exit::Done,
        release: None,
        previous: live.clone(),
        live,
        took: began.elapsed(),
        live_after: None,
        bytes_sent: host.traffic().0,
        downtime: None,
        failure: None,
        next: Vec::new(),
    }
}

/// What to type after this: a deploy, or first the units that systemd on the host does not have. They wait in the
/// repository, or are to be written.
fn next(config: &Config, seen: &Observed) -> Next {
    let install = config.host.as_root("unit install");
    let services = config.instances().map(|one| one.unit);
    let absent: Vec<&str> = services
        .filter(|unit| seen.unit(unit).is_not_found())
        .collect();
    let waits = |unit: &&str| {
        let (name, kind) = unit.rsplit_once('.').unwrap_or((unit, "service"));
        // An instance is in its template's file.
        let file = match name.split_once('@') {
            Some((template, _)) => format!("{template}@.{kind}"),
            None => (*unit).to_owned(),
        };
        config.units.dir.join(file).is_file()
    };
    match absent.iter().any(waits) {
        _ if absent.is_empty() => Next::shipit("deploy"),
        true => install,
        false => Next::shipit("unit generate").then("&&", install),
    }
}

/// The user that deploys: the one of deploy.yml; where it names none, the one that logs in day by day.
///
/// # Errors
/// For a name that means more than one user where it is written down, above all in a sudo rule.
fn deploy_user(config: &Config, seen: &str) -> Result<String, Failure> {
    let user = match &config.host.user {
        Some(user) => user.as_str(),
        None if seen.is_empty() => "deploy",
        None => seen,
    };
    if is_one_user(user) {
        return Ok(user.to_owned());
    }
    let what = format!("the deploy user cannot be called `{user}`");
    Err(Failure::new(Exit::Usage, what)
        .why("sudo would take it for an alias, a group or everybody; a login is like `deploy`")
        .host("nothing changed"))
}

/// Whether sudoers(5) takes the word for one user: not `ALL`, an alias (capitals), `%group`, `+netgroup` or `#uid`; nor
/// digits alone, which chown(1) and others take for a number.
fn is_one_user(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '_')
        && name
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || "._-".contains(c))
        && name.contains(|c: char| c.is_ascii_lowercase())
}

/// The group that writes to shared/: that of the app's service user.
fn group(config: &Config, seen: &Observed, user: &str) -> String {
    let of_app = config
        .instances()
        .map(|one| seen.unit(one.unit).text("User"))
        .find(|u| !u.is_empty());
    of_app.unwrap_or(user).to_owned()
}

/// Who deployed the app until now, where that is another user: the one that the guard runs as.
fn former<'a>(config: &Config, seen: &'a Observed, user: &str) -> Option<&'a str> {
    let guard = format!("shipit-{}.service", config.app.as_str());
    let former = seen.unit(&guard).text("User");
    (!former.is_empty() && former != user).then_some(former)
}

fn lacking(seen: &Observed) -> Result<(), Failure> {
    let mut lacks: Vec<String> = seen
        .missing
        .iter()
        .map(|tool| format!("the host has no `{tool}`"))
        .collect();
    if seen.systemd.is_none_or(|v| v < needs::SYSTEMD) {
        lacks.push(format!("systemd {} or newer is needed", needs::SYSTEMD));
    }
    if lacks.is_empty() {
        return Ok(());
    }
    let mut failure =
        Failure::new(Exit::Untouched, "the host lacks what shipit needs").host("nothing changed");
    failure.why = lacks;
    Err(failure
        .next(Next::shell("apt-get install curl tar util-linux").remark("on the host, as root")))
}

/// How much of what root would write is shown.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Detail {
    /// Each file by its name and what it is for; the sudo rule whole, as that is what is granted.
    Names,
    /// Every line of every file.
    Whole,
}

/// What the host is to have: who deploys, whose group writes to shared/, and what root lends them.
struct Layout<'a> {
    config: &'a Config,
    user: String,
    group: String,
    guard: Guard,
}

impl<'a> Layout<'a> {
    fn new(config: &'a Config, user: String, group: String) -> Self {
        let guard = guard(config, &user);
        Self {
            config,
            user,
            group,
            guard,
        }
    }

    /// Prints what root will do.
    fn show(&self, seen: Option<&Observed>, detail: Detail) {
        let Self {
            config,
            user,
            group,
            guard,
        } = self;
        let (app, root) = (config.app.as_str(), config.root.as_str());
        let group = text::shown(group.as_bytes());
        let mut out = format!(
            "As root, shipit will:\n  create the user {user}, if it does not exist, with the keys of this login\n  \
             make {root} (owner {user}) with releases/, shared/ (group {group}) and .shipit/\n"
        );
        if let Some(former) = seen.and_then(|seen| former(config, seen, user)) {
            let former = text::shown(former.as_bytes());
            out.push_str(&format!(
                "  hand {app} over from {former}: remove its sudo rule, give its files in {root} to {user}\n"
            ));
        }
        if seen.is_some_and(|seen| seen.root == Root::Bare) {
            out.push_str(&format!(
                "  take over the releases that another tool left in {root}, and make current a relative link\n"
            ));
        }
        let units = "/etc/systemd/system/shipit-";
        let mut files = vec![
            (
                format!("{units}{app}.path"),
                "starts the next one whenever a switch is asked for",
                guard.path_unit.as_str(),
            ),
            (
                format!("{units}{app}.service"),
                "carries a switch out, or undoes it, as the deploy user",
                &guard.service_unit,
            ),
            (
                format!("{units}{app}-boot.service"),
                "at boot: reverts a switch that a power cut interrupted",
                &guard.boot_unit,
            ),
        ];
        // Without a sudo rule nobody would be let run them.
        if !guard.sudo_rule.is_empty() {
            files.extend(HELPERS.map(|(name, what, text)| {
                (format!("/usr/local/lib/shipit/{app}/{name}"), what, text)
            }));
        }
        for (path, what, text) in files {
            match detail {
                Detail::Whole => write(&mut out, &path, text),
                Detail::Names => out.push_str(&format!("  write {path}\n      {what}\n")),
            }
        }
        if !guard.sudo_rule.is_empty() {
            let path = format!("/etc/sudoers.d/shipit-{app}");
            write(&mut out, &path, &guard.sudo_rule);
        }
        if detail == Detail::Names {
            out.push_str("  (with -v, or --print, every line of these files is shown)\n");
        }
        super::results(&out);
    }

    fn put(
        &self,
        host: &mut dyn Host,
        seen: &Observed,
        interrupts: &Interrupts,
        report: &mut dyn Report,
    ) -> Result<(), Failure> {
        let Self {
            config,
            user,
            group,
            guard,
        } = self;
        let args = [
            config.root.as_str(),
            config.app.as_str(),
            user,
            group,
            &guard.path_unit,
            &guard.service_unit,
            &guard.boot_unit,
            &guard.sudo_rule,
            "yes",
            remote::ENV_HELPER.trim_end(),
            remote::JOURNAL_HELPER.trim_end(),
        ];
        let login = (seen.uid, seen.user.as_str());
        let script = Script::setup(args);
        let doing = "setting the host up";
        let answer = root::run(host, script, b"", login, doing, interrupts, report)?;
        if answer.code == 0 {
            return Ok(());
        }
        let mut failure = Failure::new(Exit::Untouched, "setup failed on the host")
            .host("setup can be run again");
        let said = answer
            .err
            .iter()
            .filter(|line| !line.trim_ascii().is_empty());
        failure.why = said.map(|line| text::shown(line)).collect();
        failure = match answer.code {
            exits::NOT_ROOT | 1 if seen.uid != Some(0) => failure
                .why("this login has neither root nor sudo; one of them is needed once, for three units and a sudo rule")
                .why("an app whose units belong to `systemctl --user` cannot be deployed")
                .next(config.host.as_root("setup")),
            exits::SWITCHING => {
                let request = Observed::parse(&answer.out).request.unwrap_or_default();
                failure = held(&request, "the app is still the former deploy user's");
                failure.next = vec![Next::shipit("setup").remark("when it is over")];
                failure
            }
            exits::OBSTRUCTED => failure.next(config.host.as_root("setup").remark("when that is put right")),
            exits::SUDO_RULE_INVALID => failure.why("visudo refused the rule; nothing of it was installed"),
            exits::NAME_TAKEN => {
                failure.host = Some("nothing changed".into());
                failure
                    .why("another environment, or another deploy.yml, has that name: its deploys would stop working")
                    .next(Next::advice(format!("write `app: {}-2`, or any other name, in deploy.yml or below its environment", config.app.as_str())))
            }
            code => failure.why(format!("exit status {code}")),
        };
        Err(failure)
    }
}

fn write(out: &mut String, path: &str, text: &str) {
    out.push_str(&format!("  write {path}:\n"));
    for line in text.lines() {
        let line = format!("      {line}");
        out.push_str(&format!("{}\n", line.trim_end()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sudo_rule_is_for_one_user() {
        for name in ["deploy", "root", "_ci", "jane.doe-2", "Jane", "1st"] {
            assert!(is_one_user(name), "{name}");
        }
        for name in [
            "", "ALL", "ADMINS", "X_1", "1000", "%sudo", "+net", "#0", "-x", ".x", "a b", "a,b",
            "a\x1b[2J", "a\nb", "a:b", "a\\", "!a",
        ] {
            assert!(!is_one_user(name), "{name:?}");
        }
    }
}
