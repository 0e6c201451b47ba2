//! `shipit setup`: makes the host ready, once. Shows what root will do before it does it.

use std::time::Instant;

use super::args::{self, Global};
use super::root;
use crate::config::Config;
use crate::engine::setup::{Layout, deploy_user, former, group, lacking};
use crate::engine::{observe, session};
use crate::failure::{Exit, Failure, Next};
use crate::host::Host;
use crate::observed::{Observed, Root};
use crate::remote;
use crate::report::event::{Ended, Event, Outcome};
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
    if args.print && args.login.is_none() && config.host.user.is_some() {
        // Nothing of the host is needed to print what would be written.
        let user = deploy_user(&config, "")?;
        let layout = Layout::new(&config, user, "the app's group".into());
        show(&layout, None, Detail::Whole);
        return Ok(Exit::Done);
    }
    let interrupts = super::interrupts()?;
    let mut link = root::link(global, &config, args.login.as_deref(), &interrupts)?;
    let mut host = session::Link::connect(&mut link, report.as_mut())?;
    let observed = observe::observe(host.as_mut(), &config)?;
    // Who logs in without `--as`: where deploy.yml names nobody, ssh's own configuration may.
    let daily = match &args.login {
        Some(_) if config.host.user.is_none() => {
            let way = super::link(global, &config, &interrupts).preview()?;
            let user = way.destination.rsplit_once('@');
            user.map_or_else(String::new, |(user, _)| user.to_owned())
        }
        _ => observed.user.clone(),
    };
    let user = deploy_user(&config, &daily)?;
    let group = group(&config, &observed, &user);
    let layout = Layout::new(&config, user, group);
    lacking(&observed)?;
    if !global.quiet && !global.json {
        let detail = if args.print || global.verbose {
            Detail::Whole
        } else {
            Detail::Names
        };
        show(&layout, Some(&observed), detail);
    }
    if args.print {
        return Ok(Exit::Done);
    }
    if !args.yes {
        root::agreed(&interrupts)?;
    }
    layout.put(host.as_mut(), &observed, &interrupts, report.as_mut())?;
    if global.json {
        let live = observed.live().map(str::to_owned);
        report.event(&Event::Ended(Box::new(ended(began, live, host.as_ref()))));
        return Ok(Exit::Done);
    }
    super::results(&format!(
        "{} is ready for {}; next: {}\n",
        config.host,
        config.app.as_str(),
        super::typed(global).line(&next(&config, &observed))
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
fn next(config: &Config, observed: &Observed) -> Next {
    let install = config.host.as_root("unit install");
    let services = config.instances().map(|one| one.unit);
    let absent: Vec<&str> = services.filter(|unit| observed.unit(unit).is_not_found()).collect();
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

/// How much of what root would write is shown.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Detail {
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

/// Prints what root will do.
fn show(layout: &Layout<'_>, observed: Option<&Observed>, detail: Detail) {
    let Layout {
        config,
        user,
        group,
        guard,
    } = layout;
    let (app, root) = (config.app.as_str(), config.root.as_str());
    let group = text::shown(group.as_bytes());
    let mut out = format!(
        "As root, shipit will:\n  create the user {user}, if it does not exist, with the keys of this login\n  \
         make {root} (owner {user}) with releases/, shared/ (group {group}) and .shipit/\n"
    );
    if let Some(former) = observed.and_then(|observed| former(config, observed, user)) {
        let former = text::shown(former.as_bytes());
        out.push_str(&format!(
            "  hand {app} over from {former}: remove its sudo rule, give its files in {root} to {user}\n"
        ));
    }
    if observed.is_some_and(|observed| observed.root == Root::Bare) {
        out.push_str(&format!(
            "  take over the releases that another tool left in {root}, and make current a relative symlink\n"
        ));
    }
    let units = "/etc/systemd/system/shipit-";
    let mut files = vec![
        (
            format!("{units}{app}.path"),
            "starts the next one whenever a switch is requested",
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
        files.extend(HELPERS.map(|(name, what, text)| (format!("/usr/local/lib/shipit/{app}/{name}"), what, text)));
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
        out.push_str("  (-v or --print shows every line of these files)\n");
    }
    super::results(&out);
}
