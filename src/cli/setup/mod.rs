//! `shipit setup`: makes the host ready, once. Shows what root will change before it does it.

mod actions; // what is shown

use std::time::Instant;

use super::args::{self, Global};
use super::paper::Paper;
use super::root;
use crate::config::Config;
use crate::engine::setup::{Layout, deploy_user, group, lacking, verify};
use crate::engine::withheld::{of_packages, unclaimed, withheld};
use crate::engine::{self, observe, session};
use crate::failure::{Exit, Failure, Next};
use crate::interrupt::Interrupts;
use crate::observed::Observed;
use crate::plan::unit_names;
use crate::plan::units::{Purpose, units};
use crate::report::event::{Ended, Event, Outcome};
pub(super) use actions::{Detail, actions};

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
    let text = format!(
        "{}{}",
        through.will(),
        actions(&layout, Some((&observed, &live.answers)), detail)
    );
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
