//! `shipit up`: a first run as one command: check, `unit install`, `setup`, `deploy`. Shows all that root will do, asks
//! once, and continues with what is left when it runs again. What a part does is its own command's, never decided here.

mod look;
mod stop;

use std::time::Instant;

use super::args::{self, Global};
use super::root;
use super::setup;
use super::unit::install;
use crate::config::Config;
use crate::diagnosis;
use crate::engine::as_root::at_terminal;
use crate::engine::deploy::deploy;
use crate::engine::install_units::install_units;
use crate::engine::preview::{DeployOptions, check_source};
use crate::engine::setup::{Layout, former, verify};
use crate::engine::{self, Run, observe, session};
use crate::failure::{Exit, Failure, Next};
use crate::interrupt::Interrupts;
use crate::plan::unit_files::install::Installation;
use crate::plan::unit_files::{self, PLACE};
use crate::report::event::{Event, Phase, Report};
use crate::step::Command;
use crate::unit::merge::Unit;
use look::Seen;
use stop::{Ending, Stand};

pub(super) fn run(global: &Global, args: &args::Up) -> Result<Exit, Failure> {
    let global = &Global {
        // What it prints is text.
        json: global.json && !args.print,
        ..global.clone()
    };
    let config = super::configuration(global)?;
    let through = root::Through::new(&config, args.login.as_deref())?;
    if through.is_elsewhere() && args.yes {
        return Err(Failure::new(
            Exit::Usage,
            "--as names a different host than deploy.yml, and --yes skips the question",
        )
        .why(format!(
            "deploy.yml names {}; root would change one host, and the deploy would go to the other",
            config.host
        ))
        .host("nothing changed")
        .next(Next::advice(
            "leave out --yes: the question names both; or write the same host in both places",
        )));
    }
    let interrupts = super::interrupts()?;
    let mut report = super::reporter(global);
    report.event(&Event::Started {
        command: "up",
        app: config.app.as_str().into(),
        host: config.host.to_string(),
        release: None,
    });
    Up {
        global,
        args,
        config: &config,
        through,
        interrupts: &interrupts,
        report,
        stand: Stand::Untouched,
        as_root: None,
    }
    .go()
}

struct Up<'a> {
    global: &'a Global,
    args: &'a args::Up,
    config: &'a Config,
    through: root::Through,
    interrupts: &'a Interrupts,
    report: Box<dyn Report>,
    stand: Stand,
    /// The way on where root is needed: the login is another one.
    as_root: Option<Next>,
}

impl<'a> Up<'a> {
    fn go(mut self) -> Result<Exit, Failure> {
        let began = Instant::now();
        self.begins("check", true);
        let looked = self.repository().and_then(|repository| {
            let seen = self.look(&repository)?;
            if let Some(failure) = self.stops_before(&seen) {
                return Err(failure);
            }
            if seen.rooted() {
                self.source()?;
            }
            Ok((repository, seen))
        });
        let (repository, mut seen) = self.ended("check", began, looked, Stand::Untouched)?;
        let rooted = seen.rooted();
        let (installed_units, ready) = Stand::after(!repository.is_empty());
        self.stand = if rooted { Stand::Untouched } else { Stand::Unneeded };
        for text in &seen.installation.notes {
            self.report.warn(text.clone());
        }
        let text = self.shown(&seen);
        let is_seen = self.args.print || (!self.global.quiet && !self.global.json);
        if self.args.print || (rooted && is_seen) {
            super::results(&super::paper::Paper::new(self.global).prose(&text));
        }
        if self.args.print {
            return Ok(Exit::Done);
        }
        if rooted {
            if !self.args.yes {
                let asked = Instant::now();
                root::agreed(&self.through, (!is_seen).then_some(&text), self.interrupts)?;
                let login = self.args.login.as_deref();
                let mut link = root::link(self.global, self.config, login, self.interrupts)?;
                seen.host = session::after_pause(&mut link, seen.host, asked, self.report.as_mut())?;
            }
            let began = Instant::now();
            if seen.installs() {
                self.begins("unit install", seen.observed.uid == Some(0));
                let installed = self.install(&mut seen);
                self.ended("unit install", began, installed, installed_units)?;
            }
            self.stand = installed_units;
            if let Some(shown) = seen.layout.take() {
                let began = Instant::now();
                self.begins("setup", seen.observed.uid == Some(0));
                let set_up = self.set_up(&mut seen, shown, &repository);
                self.ended("setup", began, set_up, ready)?;
            }
            self.stand = ready;
            let began = Instant::now();
            self.begins("check again", true);
            let checked = self.check_again(&seen.installation);
            self.ended("check again", began, checked, ready)?;
        }
        let mut link = super::link(self.global, self.config, self.interrupts);
        let mut report = Ending {
            inner: self.report,
            stand: self.stand,
            as_root: self.as_root,
            has_old: rooted && !seen.installation.after.is_empty(),
        };
        let mut run = Run::new(self.config, &mut link, &mut report, self.interrupts, Command::Deploy);
        Ok(deploy(&mut run, &DeployOptions::default()))
    }

    /// Tells that a part begins. Where root's password may be asked for nothing must move on the screen.
    fn begins(&mut self, part: &str, quiet: bool) {
        if quiet || !at_terminal() {
            self.report.event(&Event::step_started(Phase::Ready, part));
        }
    }

    /// Tells how a part ended, and keeps how far root's work is: `reached`, if it went well. A failure gets the name of
    /// its part. Fails also if the user canceled.
    fn ended<T>(
        &mut self,
        part: &str,
        began: Instant,
        result: Result<T, Failure>,
        reached: Stand,
    ) -> Result<T, Failure> {
        if result.is_ok() {
            self.stand = reached;
        }
        let result = result.and_then(|value| match self.interrupts.count() {
            0 => Ok(value),
            _ => Err(Failure::new(Exit::Untouched, "interrupted")),
        });
        let step = Event::step_ended(Phase::Ready, part, result.is_ok(), began.elapsed());
        self.report.event(&step);
        result.map_err(|failure| self.stand.stopped(part, failure, self.as_root.as_ref()))
    }

    /// The repository's units, without errors. An app of the distribution's units has none.
    fn repository(&self) -> Result<Vec<Unit>, Failure> {
        let repository = engine::units::repository(self.config)?;
        unit_files::all_own(self.config, &repository)?;
        install::check(self.config, &repository, None)?;
        Ok(repository)
    }

    /// What a deploy would refuse to ship stops it before root is asked; where root is not needed, the deploy finds it.
    fn source(&mut self) -> Result<(), Failure> {
        let warning = check_source(self.config, self.interrupts)?;
        warning.into_iter().for_each(|text| self.report.warn(text));
        Ok(())
    }

    fn install(&mut self, seen: &mut Seen<'_>) -> Result<(), Failure> {
        let installation = &seen.installation;
        let login = (seen.observed.uid, seen.observed.user.as_str());
        let verbs = install::verbs(installation, true);
        let host = seen.host.as_mut();
        install_units(
            host,
            self.config,
            installation,
            &verbs,
            login,
            self.interrupts,
            self.report.as_mut(),
        )?;
        for text in &installation.after {
            self.report.warn(text.clone());
        }
        Ok(())
    }

    /// Sets up what was shown, and nothing else.
    fn set_up(&mut self, seen: &mut Seen<'_>, shown: Layout<'a>, repository: &[Unit]) -> Result<(), Failure> {
        let config = self.config;
        if seen.installs() {
            self.is_as_shown(seen, &shown, repository).map_err(|mut failure| {
                // Of the whole run something did change.
                failure.host = None;
                failure
            })?;
        }
        let host = seen.host.as_mut();
        let report = self.report.as_mut();
        let access = shown.put(host, &seen.observed, self.interrupts, report)?;
        let mut daily = super::link(self.global, config, self.interrupts).first().with(
            Some(shown.user.clone()),
            config.host.host.clone(),
            config.host.port,
        );
        verify(&shown, access, &mut daily, report)?;
        match shown.refused().next() {
            None => Ok(()),
            Some(_) => Err(setup::partly(&shown)),
        }
    }

    /// Fails if `setup` would do something else than was shown, now that the units are there.
    fn is_as_shown(&self, seen: &mut Seen<'_>, shown: &Layout<'a>, repository: &[Unit]) -> Result<(), Failure> {
        let config = self.config;
        let host = seen.host.as_mut();
        let observed = observe::observe(host, config)?;
        let live = engine::ask::collect(host, config, repository)?;
        let user = shown.user.clone();
        let now = self.layout(&observed, user, repository, live, &Installation::default());
        let takes_over = |observed| (shown.adopts(observed), former(config, observed, &shown.user));
        let why = if (&now.group, &now.guard) != (&shown.group, &shown.guard) {
            format!("the units in {PLACE} have changed")
        } else if takes_over(&observed) != takes_over(&seen.observed) || observed.root != seen.observed.root {
            format!(
                "{} has changed: its owner, its layout, or the deploy user",
                config.root.as_str()
            )
        } else {
            return Ok(());
        };
        Err(Failure::new(Exit::Untouched, "what root would do is no longer what was shown").why(why))
    }

    /// All that a deploy needs, before anything is built.
    fn check_again(&mut self, installation: &Installation) -> Result<(), Failure> {
        let evidence = self.examine();
        let diagnosis = diagnosis::diagnose(self.config, &evidence);
        let is_first = look::is_first(&evidence, self.config);
        match self.stops(&diagnosis, is_first, installation) {
            Some(failure) => Err(failure),
            None => Ok(()),
        }
    }
}
