//! The laptop and the link: what a login would use, and why the host was not reached.

use super::{Area, Depth, Evidence, Finding};
use crate::config::Config;
use crate::failure::Next;
use crate::host::ssh::{AgentState, LoginPreview};
use crate::observed::access::{Kind, Obstacle};

pub(super) fn findings(config: &Config, evidence: &Evidence) -> Vec<Finding> {
    let mut found: Vec<Finding> = config
        .warnings
        .iter()
        .map(|text| {
            Finding::warning(Area::Laptop, Depth::Laptop, text)
                .why("deploy.yml is valid, but this is probably a mistake")
        })
        .collect();
    if let Some(login) = &evidence.login {
        found.extend(login_findings(login, evidence.link.is_some()));
    }
    if let Some(failure) = &evidence.repository {
        found.push(Finding::of_failure(Area::Laptop, Depth::Laptop, failure));
    }
    if let Some(failure) = &evidence.link {
        found.push(Finding::of_failure(Area::Link, Depth::Link, failure));
        let user = config.host.user.as_deref().unwrap_or("the deploy user");
        found.extend(evidence.access.iter().map(|Obstacle { kind, what }| {
            Finding::error(Area::Link, Depth::Link, format!("this may keep {user} out: {what}"))
                .why("read as root on the host, because the deploy user could not log in")
                .next(let_in(*kind, user))
        }));
    }
    found
}

/// The line to type for something that keeps the deploy user out.
fn let_in(kind: Kind, user: &str) -> Next {
    let by_root = |line: &str| Next::shell(line).arg(user).remark("on the host");
    match kind {
        Kind::Nologin => {
            Next::shell("sudo rm -f /etc/nologin /run/nologin").remark("on the host, once its maintenance is over")
        }
        Kind::Account => by_root("sudo usermod --expiredate ''"),
        Kind::Password => by_root("sudo chage --maxdays -1 --lastday \"$(date +%F)\""),
        Kind::Shell => by_root("sudo usermod --shell /bin/sh"),
        Kind::Blocked | Kind::Setting => Next::advice(format!(
            "let {user} in: for sshd, change /etc/ssh/sshd_config and then: sudo systemctl reload ssh"
        )),
    }
}

/// What may be missing here matters when the login fails; otherwise it is only good to know.
fn login_findings(login: &LoginPreview, lost: bool) -> Vec<Finding> {
    let told = |what: String| {
        if lost {
            Finding::warning(Area::Laptop, Depth::Laptop, what)
        } else {
            Finding::info(Area::Laptop, Depth::Laptop, what)
        }
    };
    let mut found = Vec::new();
    if let AgentState::Broken(why) = &login.agent {
        found.push(
            told(why.clone())
                .why("keys that only the agent holds cannot be used")
                .next(Next::shell("ssh-add -l")),
        );
    }
    let holds = matches!(login.agent, AgentState::Holds(n) if n > 0);
    if !holds && !login.keys.iter().any(|(_, there)| *there) {
        let keys = login.keys.iter();
        let files: Vec<String> = keys.map(|(path, _)| path.display().to_string()).collect();
        found.push(
            told(format!(
                "no ssh key found: the agent holds none, and none of {} exists",
                files.join(", ")
            ))
            .why("without a key, only a password login is possible, and CI cannot enter a password")
            .next(Next::shell("ssh-keygen -t ed25519").then("&&", Next::ssh_copy_id(login.ssh_to.clone()))),
        );
    }
    if !login.known {
        found.push(
            told(format!("the host key of {} is unknown", login.destination))
                .why("an unknown host key can belong to anyone; shipit refuses it unless you accept it once")
                .next(Next::shipit("doctor --accept-new").remark("after comparing the fingerprint")),
        );
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::observed::access::Access;

    #[test]
    fn what_keeps_a_user_out_has_a_line_that_lets_it_in() {
        let said =
            b"access nologin /etc/nologin exists\naccess account it has expired\naccess password it has expired\n\
                     access shell it runs nothing\naccess setting sshd: allowusers root\naccess elsewhere keys\n";
        let lines = [
            "sudo rm -f /etc/nologin",
            "sudo usermod --expiredate ''",
            "sudo chage --maxdays -1",
            "sudo usermod --shell /bin/sh",
            "/etc/ssh/sshd_config",
        ];
        let access = Access::parse(said);
        assert_eq!(access.obstacles.len(), lines.len());
        for (Obstacle { kind, what }, line) in access.obstacles.iter().zip(lines) {
            let next = format!("{:?}", let_in(*kind, "ann"));
            assert!(next.contains(line), "{what}: {next}");
        }
    }
}
