//! `shipit setup`: makes the host ready, once. Shows what root will do before it does it.

use std::time::Instant;

use super::args::{self, Global};
use super::paper::Paper;
use super::root;
use crate::config::Config;
use crate::engine::setup::{Layout, deploy_user, former, group, lacking, verify};
use crate::engine::withheld::{of_packages, unclaimed, withheld};
use crate::engine::{self, observe, session};
use crate::failure::{Exit, Failure, Next};
use crate::interrupt::Interrupts;
use crate::observed::{Observed, Root};
use crate::plan::unit_names;
use crate::plan::units::{Purpose, lets, units};
use crate::remote;
use crate::report::event::{Ended, Event, Outcome};
use crate::text;

/// What root lends to the deploy user, one exact sudo line each.
const HELPERS: [(&str, &str, &str); 4] = [
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
    (
        "run",
        "for `shipit run`: whoever can deploy can run any command as the user of a service, in its sandbox (`run_as: deploy` turns this off)",
        remote::RUN_HELPER,
    ),
    (
        "notify",
        "for `notify`: starts the app's notify unit when a switch ends",
        remote::NOTIFY_HELPER,
    ),
];

pub(super) fn run(global: &Global, args: &args::Setup) -> Result<Exit, Failure> {
    let began = Instant::now();
    let global = &Global {
        // What it prints is text.
        json: global.json && !args.print,
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
    let through = root::Through::new(&config, args.login.as_deref())?;
    if args.print && args.login.is_none() && config.host.user.is_some() {
        // Nothing of the host is needed to print what would be written.
        let user = deploy_user(&config, "")?;
        let withheld = withheld(&config, &engine::units::repository(&config)?, None);
        let layout = Layout::new(&config, user, "the app's group".into(), withheld);
        let actions = actions(&layout, None, Detail::Whole);
        super::results(&Paper::new(global).prose(&format!("{}{actions}", through.will())));
        return Ok(Exit::Done);
    }
    let interrupts = super::interrupts()?;
    let mut link = root::link(global, &config, args.login.as_deref(), &interrupts)?;
    let mut host = session::Link::connect(&mut link, report.as_mut())?;
    let observed = observe::observe(host.as_mut(), &config)?;
    let user = who_deploys(global, &config, args.login.as_deref(), &observed, &interrupts)?;
    let group = group(&config, &observed, &[], &user);
    lacking(&observed)?;
    let repository = engine::units::repository(&config)?;
    let installed = engine::units::observe(host.as_mut(), &config, &repository)?;
    unit_names::refuse_unknown(&config, &observed, &installed, &repository, true)?;
    let live = engine::ask::collect(host.as_mut(), &config, &repository)?;
    unclaimed(&config, &live)?;
    let mut layout = Layout::new(&config, user, group, withheld(&config, &repository, Some(&live)));
    layout.of_packages = of_packages(&config, &live);
    let is_seen = !global.quiet && !global.json;
    let detail = if args.print || global.verbose {
        Detail::Whole
    } else {
        Detail::Names
    };
    let text = format!("{}{}", through.will(), actions(&layout, Some(&observed), detail));
    if is_seen {
        super::results(&Paper::new(global).prose(&text));
    }
    if args.print {
        return Ok(Exit::Done);
    }
    if !args.yes {
        let asked = Instant::now();
        root::agreed(&through, (!is_seen).then_some(&text), &interrupts)?;
        host = session::after_pause(&mut link, host, asked, report.as_mut())?;
    }
    let access = layout.put(host.as_mut(), &observed, &interrupts, report.as_mut())?;
    let user = Some(layout.user.clone());
    let mut daily =
        super::link(global, &config, &interrupts)
            .first()
            .with(user, config.host.host.clone(), config.host.port);
    verify(&layout, access, &mut daily, report.as_mut())?;
    if layout.refused().next().is_some() {
        return Err(partly(&layout));
    }
    if global.json {
        let live = observed.live().map(str::to_owned);
        report.event(&Event::Ended(Box::new(Ended {
            previous: live.clone(),
            live_known: observed.live_known(),
            live,
            took: began.elapsed(),
            bytes_sent: host.traffic().0,
            ..Ended::new(Outcome::Ready, None)
        })));
        return Ok(Exit::Done);
    }
    super::results(&Paper::new(global).prose(&format!(
        "{} is ready for {}; next: {}\n",
        config.host,
        config.app.as_str(),
        super::typed(global).line(&next(&config, &observed))
    )));
    Ok(Exit::Done)
}

/// Who logs in without `--as`: where deploy.yml names nobody, ssh's own configuration may.
pub(super) fn who_deploys(
    global: &Global,
    config: &Config,
    login: Option<&str>,
    observed: &Observed,
    interrupts: &Interrupts,
) -> Result<String, Failure> {
    let daily = match login {
        Some(_) if config.host.user.is_none() => {
            let way = super::link(global, config, interrupts).preview()?;
            let user = way.destination.rsplit_once('@');
            user.map_or_else(String::new, |(user, _)| user.to_owned())
        }
        _ => observed.user.clone(),
    };
    deploy_user(config, &daily)
}

/// The host is set up, and some units cannot be deployed.
pub(super) fn partly(layout: &Layout<'_>) -> Failure {
    let config = layout.config;
    let names: Vec<&str> = layout.refused().map(|one| one.unit.as_str()).collect();
    let what = format!(
        "{} is set up, but without sudo lines for {}",
        config.host,
        names.join(", ")
    );
    let mut failure = Failure::new(Exit::Untouched, what);
    failure.why = layout.refused().map(|one| one.why.clone()).collect();
    failure
        .why(format!("{} could start the unit at will, and become root", layout.user))
        .host("the rest is in place; deploys are refused until the sudo lines exist")
        .next(
            config
                .host
                .as_root("unit install")
                .remark("after you fix the units; then run setup again"),
        )
}

/// What to type after this: a deploy, or first the units that wait in the repository.
fn next(config: &Config, observed: &Observed) -> Next {
    let waits = units(config, Purpose::Observe).into_iter();
    match waits.filter(|unit| observed.unit(unit).is_not_found()).count() {
        0 => Next::shipit("deploy"),
        _ => config.host.as_root("unit install --now"),
    }
}

/// How much of what root would write is shown.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Detail {
    /// Each file by its name and what it is for; the sudo rule whole, as that is what is granted.
    Names,
    /// Every line of every file.
    Whole,
}

fn write(out: &mut String, path: &str, text: &str) {
    out.push_str(&format!("  write {path}:\n"));
    for line in text.lines() {
        let line = format!("      {line}");
        out.push_str(&format!("{}\n", line.trim_end()));
    }
}

/// What root will do, a line for each act.
pub(super) fn actions(layout: &Layout<'_>, observed: Option<&Observed>, detail: Detail) -> String {
    let Layout {
        config,
        user,
        group,
        guard,
        withheld,
        of_packages,
    } = layout;
    let (app, root) = (config.app.as_str(), config.root.as_str());
    let group = text::shown(group.as_bytes());
    let mut out = format!(
        "  create the user {user}, if it does not exist\n  \
         give {user} this login's authorized keys, if it has neither keys nor a password\n  \
         create {root} (owner {user}) with releases/, shared/ (group {group}) and .shipit/\n"
    );
    if let Some(former) = observed.and_then(|observed| former(config, observed, user)) {
        let former = text::shown(former.as_bytes());
        out.push_str(&format!(
            "  hand {app} over from {former} to {user}: remove the sudo rule of {former}, change the owner of its files in {root}\n"
        ));
    }
    if let Some(owner) = observed.and_then(|observed| layout.adopts(observed)) {
        let owner = text::shown(owner.as_bytes());
        out.push_str(&format!(
            "  give {root}, a deploy tree that belongs to {owner}, to {user}\n"
        ));
    }
    if observed.is_some_and(|observed| observed.root == Root::Bare) {
        out.push_str(&format!(
            "  adopt the releases that another tool created in {root}, and make current a relative symlink\n"
        ));
    }
    let units = "/etc/systemd/system/shipit-";
    let mut files = vec![
        (
            format!("{units}{app}.path"),
            "starts the conductor when a switch is requested",
            guard.path_unit.as_str(),
        ),
        (
            format!("{units}{app}.service"),
            "the conductor: carries out a switch or undoes it, as the deploy user",
            &guard.service_unit,
        ),
        (
            format!("{units}{app}-boot.service"),
            "at boot: reverts a switch that a power failure interrupted",
            &guard.boot_unit,
        ),
    ];
    if let Some(notify) = &guard.notify {
        let notices = "notices that a switch ended";
        files.push((format!("{units}{app}.notify.path"), notices, &notify.path_unit));
        let starts = "starts the app's notify unit, as the deploy user: no switch waits for it";
        files.push((format!("{units}{app}.notify.service"), starts, &notify.service_unit));
    }
    // Without a sudo rule nobody would be let run them, and root runs one.
    let lends = |name: &str| match name {
        "run" => guard.lends_units,
        "notify" => guard.notify.is_some(),
        _ => !guard.sudo_rule.is_empty(),
    };
    let helpers = HELPERS.into_iter().filter(|(name, ..)| lends(name));
    files.extend(helpers.map(|(name, what, text)| (format!("/usr/local/lib/shipit/{app}/{name}"), what, text)));
    for (path, what, text) in files {
        match detail {
            Detail::Whole => write(&mut out, &path, text),
            Detail::Names => out.push_str(&format!("  write {path}\n      {what}\n")),
        }
    }
    if !guard.sudo_rule.is_empty() {
        let path = format!("/etc/sudoers.d/shipit-{app}");
        write(&mut out, &path, &guard.sudo_rule);
        let is_let = |unit: &str| withheld.iter().all(|one| one.unit != unit);
        for (unit, file) in of_packages.iter().filter(|(unit, _)| is_let(unit)) {
            // A unit that is granted has at least two.
            let may = lets(config, unit);
            let Some((last, rest)) = may.split_last() else {
                continue;
            };
            let rest = rest.join(", ");
            out.push_str(&format!(
                "  let {user} {rest} and {last} {unit}, which is not the app's own: a package installed {file}\n"
            ));
        }
        for one in withheld {
            out.push_str(&format!("  write no sudo line for {}:\n      {}\n", one.unit, one.why));
        }
    }
    if detail == Detail::Names {
        out.push_str("  (-v or --print shows every line of these files)\n");
    }
    out
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::engine::withheld::Withheld;

    #[test]
    fn what_a_package_installed_is_let_in_the_words_of_the_rule_or_not_at_all() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("deploy.yml");
        let yml = "app: acme\nhost: deploy@h\nsource: .\nservices:\n  - unit: php-fpm.service\n    strategy: reload\n    \
                   health: {url: 'http://127.0.0.1:8080/'}\n";
        std::fs::write(&file, yml).unwrap();
        let config = crate::config::load(&file, None).unwrap();
        let shown = |withheld| {
            let mut layout = Layout::new(&config, "deploy".into(), "deploy".into(), withheld);
            layout.of_packages = vec![("php-fpm.service", "/usr/lib/x".into())];
            actions(&layout, None, Detail::Names)
        };
        let text = shown(Vec::new());
        let line =
            "  let deploy start, stop, restart, reload and kill php-fpm.service, which is not the app's own: a package";
        assert!(text.contains(line), "{text}");
        let text = shown(vec![Withheld {
            unit: "php-fpm.service".into(),
            why: "x".into(),
        }]);
        assert!(!text.contains("let deploy"), "{text}");
        assert!(text.contains("write no sudo line for php-fpm.service"), "{text}");
    }
}
