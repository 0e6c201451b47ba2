//! Makes a host ready, as root: who deploys, whose group writes to shared/, which files root writes. What is printed
//! before is the command's.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::as_root;
use super::held::held;
use super::observe;
use super::session::Link;
use super::withheld::Withheld;
use crate::config::{Config, Instance};
use crate::failure::{Exit, Failure, Next};
use crate::host::Host;
use crate::interrupt::Interrupts;
use crate::observed::Observed;
use crate::observed::access::{Access, Obstacle};
use crate::plan::guard::{Guard, guard};
use crate::plan::needs;
use crate::plan::root_files::{RootFile, root_files};
use crate::remote::{Script, exits};
use crate::report::event::Report;
use crate::text;
use crate::unit::merge::Unit;
use crate::unit::name::UnitName;
use crate::unit::specifier::{Place, expand};

/// What the host is to have: who deploys, whose group writes to shared/, and what root lends them.
pub struct Layout<'a> {
    pub config: &'a Config,
    pub user: String,
    pub group: String,
    pub guard: Guard,
    /// The units for which no sudo line is written.
    pub withheld: Vec<Withheld>,
    /// The units that a package brings, with their files.
    pub of_packages: Vec<(&'a str, String)>,
}

impl<'a> Layout<'a> {
    #[must_use]
    pub fn new(config: &'a Config, user: String, group: String, withheld: Vec<Withheld>) -> Self {
        let names: Vec<&str> = withheld.iter().map(|one| one.unit.as_str()).collect();
        let guard = guard(config, &user, &names);
        Self {
            config,
            user,
            group,
            guard,
            withheld,
            of_packages: Vec::new(),
        }
    }

    /// The units without which deploys are refused. Root needs no sudo line.
    pub fn refused(&self) -> impl Iterator<Item = &Withheld> {
        let is_root = self.guard.sudo_rule.is_empty();
        self.withheld.iter().filter(move |one| !is_root && !self.notifies(one))
    }

    /// Whether it is the template that notifies, which no deploy needs.
    fn notifies(&self, one: &Withheld) -> bool {
        let template = self.config.notify.as_ref();
        template.is_some_and(|template| template.as_str() == one.unit)
    }

    /// The owner of a deploy tree that is taken over.
    pub fn adopts<'o>(&self, observed: &'o Observed) -> Option<&'o str> {
        observed.tree_owner.as_deref().filter(|owner| *owner != self.user)
    }

    /// Does it, as root; what may keep the deploy user out. Fails with the state that the host is in.
    pub fn put(
        &self,
        host: &mut dyn Host,
        observed: &Observed,
        interrupts: &Interrupts,
        report: &mut dyn Report,
    ) -> Result<Access, Failure> {
        let Self {
            config, user, group, ..
        } = self;
        let packed = |file: RootFile<'_>| format!("{} {}\n", file.name, STANDARD.encode(file.text));
        let files: String = root_files(config, &self.guard).into_iter().map(packed).collect();
        let payload = format!("shipit-files\n{files}");
        let login = (observed.uid, observed.user.as_str());
        let adopt = self.adopts(observed).unwrap_or("");
        let script = Script::setup([config.root.as_str(), config.app.as_str(), user, group, "yes", adopt]);
        let doing = "setting up the host";
        let answer = as_root::run(host, script, payload.as_bytes(), login, doing, interrupts, report)?;
        if answer.code == 0 {
            return Ok(Access::parse(&answer.out));
        }
        let mut failure = Failure::new(Exit::Untouched, "setup failed on the host").host("you can run setup again");
        let said = answer.err.iter().filter(|line| !line.trim_ascii().is_empty());
        failure.why = said.map(|line| text::shown(line)).collect();
        failure = match answer.code {
            exits::NOT_ROOT | 1 if observed.uid != Some(0) => failure
                .why("this login is not root and cannot use sudo; setup needs root once, for its units and a sudo rule")
                .why("an app whose units belong to `systemctl --user` cannot be deployed")
                .next(config.host.as_root("setup")),
            exits::SWITCHING => {
                let unchanged = "the sudo rule, the guard and the owner of the files are unchanged";
                let why = "a running switch must be able to revert with the sudo lines that it began with";
                let request = Observed::parse(&answer.out).request.unwrap_or_default();
                failure = held(&request, unchanged).why(why);
                failure.next = vec![config.host.as_root("setup").remark("after the switch")];
                failure
            }
            exits::OBSTRUCTED => failure.next(config.host.as_root("setup").remark("after you fix that")),
            exits::SUDO_RULE_INVALID => failure.why("visudo rejected the rule; the rule was not installed"),
            exits::NAME_TAKEN => {
                failure.host = Some("nothing changed".into());
                failure
                    .why("another environment or another deploy.yml uses that name, and its deploys would stop working")
                    .next(Next::advice(format!(
                        "write `app: {}-2`, or any other name, in deploy.yml or under its environment",
                        config.app.as_str()
                    )))
            }
            exits::SETUP_LOCKED => failure.why("another setup, or an installation of units, is in progress"),
            exits::SETUP_FAILED => failure.why("a command failed on the host"),
            exits::FILES_CUT_OFF => failure.why("the upload was incomplete"),
            code => failure.why(format!("exit status {code}")),
        };
        Err(failure)
    }
}

/// What may keep the deploy user out, as root reads it. Fails when root's login does not work.
pub fn access(
    link: &mut dyn Link,
    config: &Config,
    interrupts: &Interrupts,
    report: &mut dyn Report,
) -> Result<Vec<Obstacle>, Failure> {
    let mut host = link.connect(report)?;
    let observed = observe::observe(host.as_mut(), config)?;
    let user = deploy_user(config, "")?;
    let group = group(config, &observed, &[], &user);
    let script = Script::access([config.root.as_str(), config.app.as_str(), &user, &group]);
    let login = (observed.uid, observed.user.as_str());
    let doing = "finding out why the deploy user cannot log in";
    let answer = as_root::run(host.as_mut(), script, b"", login, doing, interrupts, report)?;
    if answer.code != 0 {
        return Err(
            Failure::new(Exit::Untouched, "could not find out why the deploy user cannot log in")
                .whys(answer.errors())
                .why("the login given with --as must be root or able to use sudo")
                .host("nothing changed"),
        );
    }
    Ok(Access::parse(&answer.out).obstacles)
}

/// Logs in as the deploy user and checks what a deploy needs. Fails with what would stop it. Where nothing but a key on
/// this machine is missing, a warning says that nobody tried.
pub fn verify(
    layout: &Layout<'_>,
    access: Access,
    link: &mut dyn Link,
    report: &mut dyn Report,
) -> Result<(), Failure> {
    let Layout { config, user, .. } = layout;
    let again = || config.host.as_root("setup").remark("after you fix that");
    let failed = |what: String, exit: Exit, why: Vec<String>| {
        let mut failure = Failure::new(exit, what)
            .host("the files that setup installs are in place")
            .next(again());
        failure.why = why;
        failure.why.extend(access.obstacles.iter().map(|one| one.what.clone()));
        failure
    };
    if layout.guard.notify.is_none()
        && let Some(one) = layout.withheld.iter().find(|one| layout.notifies(one))
    {
        report.warn(format!(
            "nobody is notified of deploys: whoever could start {} at will could become root ({}); fix it, then run setup again",
            one.unit, one.why
        ));
    }
    let observed = link
        .connect(report)
        .and_then(|mut host| observe::observe(host.as_mut(), config));
    let observed = match observed {
        Ok(observed) => observed,
        Err(failure) if failure.exit == Exit::Unreachable && access.elsewhere && access.obstacles.is_empty() => {
            report.warn(format!(
                "not tried: {user} logs in with keys that this machine does not have; to try it, run `shipit doctor` \
                 where such a key is available, for example in CI"
            ));
            return Ok(());
        }
        Err(failure) => {
            let what = format!("{} is set up, but {user} cannot log in", config.host);
            return Err(failed(what, failure.exit, [vec![failure.what], failure.why].concat()));
        }
    };
    let mut why = match needs::host(config, &observed) {
        Ok(()) => Vec::new(),
        Err(failure) => failure.why,
    };
    let current = needs::current(config, &observed);
    why.extend(current.iter().map(|failure| failure.what.clone()));
    if observed.user != *user {
        why.push(format!(
            "the login is {}, not {user}",
            text::shown(observed.user.as_bytes())
        ));
    }
    // Units that get no sudo line are reported as what they are.
    if layout.refused().next().is_some() || (why.is_empty() && !access.is_blocked()) {
        return Ok(());
    }
    let what = format!("{} is set up, but a deploy would be refused", config.host);
    let mut failure = failed(what, Exit::Untouched, why);
    failure
        .next
        .splice(0..0, current.into_iter().flat_map(|current| current.next));
    Err(failure)
}

/// The user that deploys: the one of deploy.yml; where it names none, the one that logs in day by day.
/// Fails for a name that means more than one user where it is written down, above all in a sudo rule.
pub fn deploy_user(config: &Config, observed_user: &str) -> Result<String, Failure> {
    let user = match &config.host.user {
        Some(user) => user.as_str(),
        None if observed_user.is_empty() => "deploy",
        None => observed_user,
    };
    if is_one_user(user) {
        return Ok(user.to_owned());
    }
    let what = format!("the deploy user cannot be called `{user}`");
    Err(Failure::new(Exit::Usage, what)
        .why("sudo would read it as an alias, a group or all users; use a login such as `deploy`")
        .host("nothing changed"))
}

/// Whether sudoers(5) takes the word for one user: not `ALL`, an alias (capitals), `%group`, `+netgroup` or `#uid`; nor
/// digits alone, which chown(1) and others take for a number.
fn is_one_user(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '_')
        && name.chars().all(|c| c.is_ascii_alphanumeric() || "._-".contains(c))
        && name.contains(|c: char| c.is_ascii_lowercase())
}

/// The group that writes to shared/: that of the first service user in the order of deploy.yml, by the units that the
/// host is about to get (`coming`), and by its own where they stay. The answer is the same once they are there.
pub fn group(config: &Config, observed: &Observed, coming: &[&Unit], user: &str) -> String {
    let of = |one: Instance<'_>| {
        let name = UnitName::new(one.unit)?;
        let template = name.template();
        let is_it = |unit: &&&Unit| unit.name == name || Some(&unit.name) == template.as_ref();
        let service_user = match coming.iter().find(is_it) {
            Some(unit) => service_user(unit, &name),
            None => observed.unit(one.unit).text("User").to_owned(),
        };
        (!service_user.is_empty()).then_some(service_user)
    };
    let found = config.instances().find_map(of);
    found.unwrap_or_else(|| user.to_owned())
}

/// The user that systemd starts a service as, as `systemctl show` reports it. With `DynamicUser=` and no `User=` it is
/// named after the unit.
fn service_user(unit: &Unit, name: &UnitName) -> String {
    match unit.service("User") {
        "" if unit.yes("Service", "DynamicUser") == Some(true) => name.prefix().to_owned(),
        written => expand(written, name, &Place::system()).unwrap_or_default(),
    }
}

/// Who deployed the app until now, where that is another user: the one that the guard runs as.
pub fn former<'a>(config: &Config, observed: &'a Observed, user: &str) -> Option<&'a str> {
    let guard = format!("shipit-{}.service", config.app.as_str());
    let former = observed.unit(&guard).text("User");
    (!former.is_empty() && former != user).then_some(former)
}

pub fn lacking(observed: &Observed) -> Result<(), Failure> {
    let mut lacks: Vec<String> = observed
        .missing
        .iter()
        .map(|tool| format!("the host has no `{tool}`"))
        .collect();
    if observed.systemd.is_none_or(|v| v < needs::SYSTEMD) {
        lacks.push(format!("systemd {} or later is required", needs::SYSTEMD));
    }
    if lacks.is_empty() {
        return Ok(());
    }
    let mut failure =
        Failure::new(Exit::Untouched, "the host does not meet shipit's requirements").host("nothing changed");
    failure.why = lacks;
    Err(failure.next(Next::shell("apt-get install curl tar util-linux perl-base").remark("on the host, as root")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[allow(clippy::unwrap_used)]
    fn the_group_of_shared_is_the_same_before_the_units_are_installed_and_after() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("deploy.yml");
        let health = "health: {url: 'http://127.0.0.1:8080/'}";
        let yml = format!(
            "app: acme\nhost: deploy@h\nsource: .\nservices:\n  - unit: acme-web.service\n    strategy: restart\n    {health}\n  \
             - unit: acme-api.service\n    strategy: restart\n    {health}\n  \
             - unit: acme-w@.service\n    strategy: rolling\n    instances: [1, 2]\n    {health}\n"
        );
        std::fs::write(&file, yml).unwrap();
        let config = crate::config::load(&file, None).unwrap();
        let unit = |name: &str, text: &str| Unit::parse(name, format!("[Service]\n{text}\n").as_bytes()).unwrap();
        let of = |seen: &str, coming: &[Unit]| {
            let coming: Vec<&Unit> = coming.iter().collect();
            group(&config, &Observed::parse(seen.as_bytes()), &coming, "deploy")
        };
        let (web, api) = ("acme-web.service", "acme-api.service");
        // In the order of deploy.yml, not of the names of the files.
        assert_eq!(of("", &[unit(api, "User=api"), unit(web, "User=web")]), "web");
        assert_eq!(
            of("unit acme-api.service User=api\nunit acme-web.service User=web\n", &[]),
            "web"
        );
        // A unit that is replaced.
        assert_eq!(of("unit acme-web.service User=old\n", &[unit(web, "User=new")]), "new");
        assert_eq!(of("unit acme-web.service User=web\n", &[unit(api, "User=new")]), "web");
        // As systemd names them.
        assert_eq!(of("", &[unit(web, "DynamicUser=yes")]), "acme-web");
        assert_eq!(of("", &[unit(web, "DynamicUser=yes\nUser=x")]), "x");
        assert_eq!(of("", &[unit("acme-w@.service", "User=app%i")]), "app1");
        assert_eq!(of("unit acme-web.service User=\n", &[]), "deploy");
    }

    #[test]
    fn a_sudo_rule_is_for_one_user() {
        for name in ["deploy", "root", "_ci", "jane.doe-2", "Jane", "1st"] {
            assert!(is_one_user(name), "{name}");
        }
        for name in [
            "", "ALL", "ADMINS", "X_1", "1000", "%sudo", "+net", "#0", "-x", ".x", "a b", "a,b", "a\x1b[2J", "a\nb",
            "a:b", "a\\", "!a",
        ] {
            assert!(!is_one_user(name), "{name:?}");
        }
    }
}
