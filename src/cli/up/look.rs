//! What `up` finds before root changes anything: what is left to do, as it is shown, and what stops it. Only looks.

use super::super::setup::{self, Detail};
use super::super::unit::install;
use super::Up;
use super::stop::{not_root, stopping};
use crate::cli::root;
use crate::config::Config;
use crate::diagnosis::{self, Area, Deploy, Depth, Diagnosis, Evidence, Finding};
use crate::engine;
use crate::engine::as_root::at_terminal;
use crate::engine::collect_evidence::{examine, examine_connected};
use crate::engine::session::Link;
use crate::engine::setup::{Layout, group};
use crate::engine::withheld::{of_packages, unclaimed, withheld};
use crate::failure::Failure;
use crate::host::Host;
use crate::observed::sudo::Sudo;
use crate::observed::{Answers, Current, Live, Observed, Root};
use crate::plan::unit_files::install::{Installation, installation};
use crate::plan::unit_names;
use crate::unit::merge::Unit;
use crate::unit::rules::Severity;

/// The host before root changes anything.
pub(super) struct Seen<'a> {
    /// Through the login that root's work goes through.
    pub(super) host: Box<dyn Host>,
    pub(super) observed: Observed,
    answers: Answers,
    pub(super) installation: Installation,
    /// What `setup` has to put there; `None` if the host is set up.
    pub(super) layout: Option<Layout<'a>>,
    diagnosis: Diagnosis,
    /// Whether no release is live.
    is_first: bool,
}

impl Seen<'_> {
    pub(super) fn installs(&self) -> bool {
        !self.installation.is_nothing(true)
    }

    /// Whether there is something for root to do.
    pub(super) fn rooted(&self) -> bool {
        self.installs() || self.layout.is_some()
    }
}

impl<'a> Up<'a> {
    pub(super) fn look(&mut self, repository: &[Unit]) -> Result<Seen<'a>, Failure> {
        let (config, login) = (self.config, self.args.login.as_deref());
        let mut link = root::link(self.global, config, login, self.interrupts)?;
        let mut host = link.connect(self.report.as_mut()).map_err(|mut failure| {
            if login.is_none() {
                let as_root = config
                    .host
                    .as_root("up")
                    .remark("if only root can log in so far: creates the deploy user");
                failure.next.insert(0, as_root);
            }
            failure
        })?;
        let mut evidence = examine_connected(host.as_mut(), config, login.is_none())?;
        let observed = evidence.observed.clone().unwrap_or_default();
        let can_sudo = observed.sudo.as_ref().and_then(Sudo::runs_a_shell) == Some(true);
        self.as_root = (observed.uid != Some(0) && !can_sudo).then(|| config.host.as_root("up"));
        let user = setup::who_deploys(self.global, config, login, &observed, self.interrupts)?;
        let installed = engine::units::observe(host.as_mut(), config, repository)?;
        unit_names::refuse_unknown(config, &observed, &installed, repository, true)?;
        let mut unready = matches!(observed.root, Root::Absent | Root::Bare);
        let live = evidence.live.clone().unwrap_or_default();
        unclaimed(config, &live)?;
        if observed.user != user {
            // What a deploy lacks shows only to the user who deploys, who may have programs of its own. Another app's setup
            // may have made that user.
            let exists = live.answers.named.users.get(&user) != Some(&false);
            let daily = match unready && !exists {
                true => None,
                false => Some(self.examine()).filter(|daily| daily.link.is_none()),
            };
            match daily {
                Some(daily) if unready => evidence.missing = daily.missing,
                Some(daily) => evidence = daily,
                None => {
                    unready = true;
                    if exists {
                        evidence.missing.retain(|one| one.by != "prepare");
                    }
                }
            }
        }
        let diagnosis = diagnosis::diagnose(config, &evidence);
        unready |= needs_setup(&diagnosis, login.is_some());
        let is_first = is_first(&evidence, config);
        let installation = match repository {
            [] => Installation::default(),
            _ => installation(config, repository, &installed, is_first.then_some(&observed))?,
        };
        if !installation.is_nothing(true) {
            install::check(config, repository, Some(&live.answers))?;
        }
        let answers = live.answers.clone();
        let layout = unready.then(|| self.layout(&observed, user, repository, live, &installation));
        Ok(Seen {
            host,
            observed,
            answers,
            installation,
            layout,
            diagnosis,
            is_first,
        })
    }

    /// All that the deploy user can see.
    pub(super) fn examine(&mut self) -> Evidence {
        let mut link = super::super::link(self.global, self.config, self.interrupts);
        examine(&mut link, self.config, None, self.report.as_mut())
    }

    /// What `setup` puts on the host once these units are there.
    pub(super) fn layout(
        &self,
        observed: &Observed,
        user: String,
        repository: &[Unit],
        mut live: Live,
        installation: &Installation,
    ) -> Layout<'a> {
        let replaced = |unit: &Unit| installation.write.iter().any(|one| one.name == unit.name);
        live.units.retain(|(unit, _)| !replaced(unit));
        let coming: Vec<&Unit> = repository.iter().filter(|unit| replaced(unit)).collect();
        let group = group(self.config, observed, &coming, &user);
        let mut layout = Layout::new(self.config, user, group, withheld(self.config, repository, Some(&live)));
        layout.of_packages = of_packages(self.config, &live);
        layout
    }

    /// What root will do.
    pub(super) fn shown(&self, seen: &Seen<'_>) -> String {
        if !seen.rooted() {
            return "nothing is left for root to do; next is the deploy\n".into();
        }
        let whole = self.args.print || self.global.verbose;
        let detail = if whole { Detail::Whole } else { Detail::Names };
        let mut out = self.through.will();
        if seen.installs() {
            out.push_str(&install::actions(&seen.installation, true));
        }
        if let Some(layout) = &seen.layout {
            out.push_str(&setup::actions(layout, Some((&seen.observed, &seen.answers)), detail));
        }
        out
    }

    /// What stops it before root does anything.
    pub(super) fn stops_before(&mut self, seen: &Seen<'_>) -> Option<Failure> {
        if !seen.rooted() {
            return self.stops(&seen.diagnosis, seen.is_first, &seen.installation);
        }
        // Units are judged when the host has them; and what root has to make room for is found after it did.
        let now = |finding: &Finding| match finding.depth {
            Depth::Laptop | Depth::Link | Depth::Room | Depth::Host => true,
            Depth::Socket => finding.area == Area::Health,
            _ => false,
        };
        let stops = match goes_on(&seen.diagnosis, seen.is_first) {
            true => None,
            false => stopping(&seen.diagnosis, seen.is_first, now),
        };
        stops.or_else(|| self.lacks_root(&seen.observed))
    }

    /// Why the login cannot do root's work, as far as that is known before sudo asks for a password.
    fn lacks_root(&mut self, observed: &Observed) -> Option<Failure> {
        if observed.uid == Some(0) || self.args.print {
            return None;
        }
        let user = observed.user.as_str();
        let unknown = "sudo lists nothing for it without a password";
        match observed.sudo.as_ref()?.runs_a_shell() {
            Some(true) => None,
            Some(false) => Some(not_root(
                self.config,
                user,
                "according to `sudo -l`, it can run only some commands as root",
            )),
            None if !at_terminal() => {
                Some(not_root(self.config, user, unknown).why("and there is no terminal to enter a password"))
            }
            None => {
                let user = crate::text::shown(user.as_bytes());
                self.report.warn(format!(
                    "{user} is not root, and {unknown}: if it cannot use sudo, answer no and run `up --as` with a root login"
                ));
                None
            }
        }
    }

    /// What stops the deploy.
    pub(super) fn stops(&self, diagnosis: &Diagnosis, is_first: bool, installation: &Installation) -> Option<Failure> {
        if goes_on(diagnosis, is_first) {
            return None;
        }
        let mut failure = stopping(diagnosis, is_first, |_| true)?;
        failure.next.extend(installation.unblock(self.config));
        Some(failure)
    }
}

/// Whether `setup` has something to fix. What is no error stops no deploy: it needs no root, unless root was named.
fn needs_setup(diagnosis: &Diagnosis, is_named: bool) -> bool {
    let needed = |finding: &Finding| is_named || finding.severity == Severity::Error;
    let mut found = diagnosis.findings.iter();
    found.any(|finding| finding.by_setup && needed(finding))
}

/// A release that runs shows that the host was in order: then only what refuses a deploy stops it.
fn goes_on(diagnosis: &Diagnosis, is_first: bool) -> bool {
    !is_first && diagnosis.deploy != Deploy::Refused && diagnosis.deploy != Deploy::Unknown
}

/// Whether no release is live, as far as this login could see.
pub(super) fn is_first(evidence: &Evidence, config: &Config) -> bool {
    let Some(observed) = &evidence.observed else {
        return true;
    };
    match observed.root {
        // Root reads nothing in there; whether `current` exists the rules have asked.
        Root::Foreign | Root::Unreadable => {
            let current = format!("{}/current", config.root.as_str());
            let seen = evidence.live.as_ref().and_then(|live| live.answers.file(&current));
            seen.is_some_and(|file| !file.exists)
        }
        _ => observed.current == Current::Absent,
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::failure::Exit;

    #[test]
    fn a_mere_warning_needs_no_root_unless_root_was_named() {
        let mut diagnosis = Diagnosis::of_failure(&Failure::new(Exit::Untouched, "x"));
        diagnosis.findings = vec![Finding::warning(Area::Host, Depth::Later, "an older version").by_setup()];
        assert!(!needs_setup(&diagnosis, false) && needs_setup(&diagnosis, true));
        diagnosis.findings = vec![Finding::error(Area::Host, Depth::Host, "no guard").by_setup()];
        assert!(needs_setup(&diagnosis, false));
    }

    #[test]
    fn a_host_with_a_live_release_stops_only_for_what_refuses_a_deploy() {
        let mut diagnosis = Diagnosis::of_failure(&Failure::new(Exit::Untouched, "x"));
        for (deploy, on) in [
            (Deploy::Possible, true),
            (Deploy::Later, true),
            (Deploy::Refused, false),
            (Deploy::Unknown, false),
        ] {
            diagnosis.deploy = deploy;
            assert!(
                goes_on(&diagnosis, false) == on && !goes_on(&diagnosis, true),
                "{deploy:?}"
            );
        }
    }

    #[test]
    fn root_that_reads_nothing_of_the_deploy_users_takes_no_release_for_the_first() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("deploy.yml");
        let yml = "app: acme\nhost: deploy@h\nsource: .\nservices:\n  - unit: acme.service\n    strategy: restart\n    \
                   health: {url: 'http://127.0.0.1:8080/'}\n";
        std::fs::write(&file, yml).unwrap();
        let config = crate::config::load(&file, None).unwrap();
        let first = |seen: &str| {
            let evidence = Evidence {
                observed: Some(Observed::parse(seen.as_bytes())),
                ..Evidence::default()
            };
            is_first(&evidence, &config)
        };
        assert!(first("root absent\n") && first("root ready\ncurrent absent\n"));
        assert!(!first("root ready\ncurrent link releases/a\n") && !first("root foreign\n"));
    }
}
