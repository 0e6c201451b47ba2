//! Work that root does on the host: who logs in for it, and the question before it.

use super::args::Global;
use super::connection::SshLink;
use crate::config::{Config, Target};
use crate::engine::as_root::{at_terminal, not_agreed};
use crate::failure::{Exit, Failure, Next};
use crate::host::ssh::{self, Reply};
use crate::interrupt::Interrupts;
use crate::text::shown;

/// The login that root's work goes through, as it is shown and asked: the one of `--as`, or that of deploy.yml.
pub(super) struct Through {
    login: String,
    /// Another machine's name, or another port: deploy.yml's login.
    elsewhere: Option<String>,
}

impl Through {
    pub(super) fn new(config: &Config, login: Option<&str>) -> Result<Self, Failure> {
        let of_config = config.host.to_string();
        let Some(login) = login else {
            return Ok(Self {
                login: of_config,
                elsewhere: None,
            });
        };
        let (_, target) = target(login)?;
        let port = |target: &Target| target.port.unwrap_or(22);
        let is_same = target.host == config.host.host && port(&target) == port(&config.host);
        Ok(Self {
            login: shown(login.as_bytes()),
            elsewhere: (!is_same).then_some(of_config),
        })
    }

    /// Whether `--as` names another machine than deploy.yml; the same one can have two names.
    pub(super) fn is_elsewhere(&self) -> bool {
        self.elsewhere.is_some()
    }

    fn not_named(&self) -> String {
        let named = self.elsewhere.as_ref();
        named.map_or_else(String::new, |named| format!(" (deploy.yml names {named})"))
    }

    /// Above the list of what root will do.
    pub(super) fn will(&self) -> String {
        format!(
            "As root, through the login {}{}, shipit will:\n",
            self.login,
            self.not_named()
        )
    }
}

/// The user of `--as`, where it names one, and where it leads.
fn target(login: &str) -> Result<(Option<String>, Target), Failure> {
    let (user, host) = login
        .split_once('@')
        .map_or((None, login), |(user, host)| (Some(user.to_owned()), host));
    let target =
        Target::parse(host).map_err(|wrong| Failure::new(Exit::Usage, format!("--as {login}: {}", wrong.0)))?;
    Ok((user, target))
}

/// The login that root's work is done through: the one of `--as`, or that of deploy.yml.
pub(super) fn link(
    global: &Global,
    config: &Config,
    login: Option<&str>,
    interrupts: &Interrupts,
) -> Result<SshLink, Failure> {
    let link = super::link(global, config, interrupts).first();
    let Some(login) = login else { return Ok(link) };
    let (user, target) = target(login)?;
    Ok(link.with(user.or(target.user), target.host, target.port))
}

/// Asks before root does anything. `unseen`: what root will do, where it was not printed; nobody agrees to what is not
/// on the screen. Fails when the answer is no or Ctrl-C, and where nobody can answer: then `--yes` has to be said.
pub(super) fn agreed(through: &Through, unseen: Option<&str>, interrupts: &Interrupts) -> Result<(), Failure> {
    if !at_terminal() {
        return Err(
            Failure::new(Exit::Usage, "cannot ask for confirmation: there is no terminal")
                .host("nothing changed")
                .next(Next::again("--print").remark("shows what root would do"))
                .next(Next::again("--yes").remark("confirms it")),
        );
    }
    unseen.into_iter().for_each(super::beside);
    let question = format!("Do this as root on {}{}?", through.login, through.not_named());
    match ssh::terminal(interrupts).yes(&question) {
        Reply::Given(true) => Ok(()),
        Reply::Given(false) | Reply::Cancelled | Reply::NoTerminal => Err(not_agreed()),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_login_on_another_machine_than_that_of_deploy_yml_is_said_in_the_text_and_in_the_question() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("deploy.yml");
        let yml = "app: acme\nhost: deploy@production\nsource: .\nservices:\n  - unit: acme.service\n    strategy: restart\n    \
                   health: {url: 'http://127.0.0.1:8080/'}\n";
        std::fs::write(&file, yml).unwrap();
        let config = crate::config::load(&file, None).unwrap();
        let through = |login| Through::new(&config, login).unwrap();
        for login in [None, Some("root@production"), Some("root@production:22")] {
            assert!(!through(login).is_elsewhere(), "{login:?}");
        }
        let other = through(Some("root@staging"));
        assert!(other.is_elsewhere());
        assert_eq!(
            other.will(),
            "As root, through the login root@staging (deploy.yml names deploy@production), shipit will:\n"
        );
        assert!(through(Some("root@production:2222")).is_elsewhere());
    }
}
