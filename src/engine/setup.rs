//! Makes a host ready, as root: who deploys, whose group writes to shared/, which files root writes. What is printed
//! before is the command's.

use super::as_root;
use super::held::held;
use crate::config::Config;
use crate::failure::{Exit, Failure, Next};
use crate::host::Host;
use crate::interrupt::Interrupts;
use crate::observed::Observed;
use crate::plan::guard::{Guard, guard};
use crate::plan::needs;
use crate::remote::{self, Script, exits};
use crate::report::event::Report;
use crate::text;

/// What the host is to have: who deploys, whose group writes to shared/, and what root lends them.
pub struct Layout<'a> {
    pub config: &'a Config,
    pub user: String,
    pub group: String,
    pub guard: Guard,
}

impl<'a> Layout<'a> {
    #[must_use]
    pub fn new(config: &'a Config, user: String, group: String) -> Self {
        let guard = guard(config, &user);
        Self {
            config,
            user,
            group,
            guard,
        }
    }

    /// Does it, as root.
    ///
    /// # Errors
    /// With the state that the host is in.
    pub fn put(
        &self,
        host: &mut dyn Host,
        observed: &Observed,
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
        let login = (observed.uid, observed.user.as_str());
        let script = Script::setup(args);
        let doing = "setting the host up";
        let answer = as_root::run(host, script, b"", login, doing, interrupts, report)?;
        if answer.code == 0 {
            return Ok(());
        }
        let mut failure = Failure::new(Exit::Untouched, "setup failed on the host").host("you can run setup again");
        let said = answer.err.iter().filter(|line| !line.trim_ascii().is_empty());
        failure.why = said.map(|line| text::shown(line)).collect();
        failure = match answer.code {
            exits::NOT_ROOT | 1 if observed.uid != Some(0) => failure
                .why("this login is not root and cannot use sudo; setup needs root once, for three units and a sudo rule")
                .why("an app whose units belong to `systemctl --user` cannot be deployed")
                .next(config.host.as_root("setup")),
            exits::SWITCHING => {
                let request = Observed::parse(&answer.out).request.unwrap_or_default();
                failure = held(&request, "the app still belongs to the former deploy user");
                failure.next = vec![Next::shipit("setup").remark("after the switch")];
                failure
            }
            exits::OBSTRUCTED => failure.next(config.host.as_root("setup").remark("after you fix that")),
            exits::SUDO_RULE_INVALID => failure.why("visudo rejected the rule; the rule was not installed"),
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

/// The user that deploys: the one of deploy.yml; where it names none, the one that logs in day by day.
///
/// # Errors
/// For a name that means more than one user where it is written down, above all in a sudo rule.
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
        .why("sudo would read it as an alias, a group or all users; a login is like `deploy`")
        .host("nothing changed"))
}

/// Whether sudoers(5) takes the word for one user: not `ALL`, an alias (capitals), `%group`, `+netgroup` or `#uid`; nor
/// digits alone, which chown(1) and others take for a number.
fn is_one_user(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '_')
        && name.chars().all(|c| c.is_ascii_alphanumeric() || "._-".contains(c))
        && name.contains(|c: char| c.is_ascii_lowercase())
}

/// The group that writes to shared/: that of the app's service user.
pub fn group(config: &Config, observed: &Observed, user: &str) -> String {
    let of_app = config
        .instances()
        .map(|one| observed.unit(one.unit).text("User"))
        .find(|u| !u.is_empty());
    of_app.unwrap_or(user).to_owned()
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
        lacks.push(format!("systemd {} or newer is needed", needs::SYSTEMD));
    }
    if lacks.is_empty() {
        return Ok(());
    }
    let mut failure = Failure::new(Exit::Untouched, "the host lacks what shipit needs").host("nothing changed");
    failure.why = lacks;
    Err(failure.next(Next::shell("apt-get install curl tar util-linux").remark("on the host, as root")))
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
            "", "ALL", "ADMINS", "X_1", "1000", "%sudo", "+net", "#0", "-x", ".x", "a b", "a,b", "a\x1b[2J", "a\nb",
            "a:b", "a\\", "!a",
        ] {
            assert!(!is_one_user(name), "{name:?}");
        }
    }
}
