//! The laptop and the link: what a login would use, and why the host was not reached.

use super::{Area, Depth, Evidence, Finding};
use crate::config::Config;
use crate::failure::Next;
use crate::host::ssh::{AgentState, LoginPreview};

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
        found.extend(evidence.access.iter().map(|what| {
            Finding::error(Area::Link, Depth::Link, format!("{user} may be kept out by: {what}"))
                .why("root read this on the host, where the deploy user could not log in")
                .next(let_in(what, user))
        }));
    }
    found
}

/// The line to type for something that keeps the deploy user out.
fn let_in(what: &str, user: &str) -> Next {
    let by_root = |line: &str| Next::shell(line).arg(user);
    match () {
        () if what.contains("nologin exists") => {
            Next::shell("sudo rm -f /etc/nologin /run/nologin").remark("on the host, once its maintenance is over")
        }
        () if what.starts_with("the account of") => by_root("sudo usermod --expiredate ''").remark("on the host"),
        () if what.starts_with("the password of") => {
            by_root("sudo chage --maxdays -1 --lastday \"$(date +%F)\"").remark("on the host")
        }
        () if what.starts_with("the login shell of") => by_root("sudo usermod --shell /bin/sh").remark("on the host"),
        () => Next::advice(format!(
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

    #[test]
    fn what_keeps_a_user_out_has_a_line_that_lets_it_in() {
        for (what, line) in [
            ("/etc/nologin exists: only root can log in", "sudo rm -f /etc/nologin"),
            ("the account of ann has expired", "sudo usermod --expiredate ''"),
            ("the password of ann has expired: x", "sudo chage --maxdays -1"),
            (
                "the login shell of ann refuses every command",
                "sudo usermod --shell /bin/sh",
            ),
            ("sshd: allowusers root", "/etc/ssh/sshd_config"),
        ] {
            let next = format!("{:?}", let_in(what, "ann"));
            assert!(next.contains(line), "{what}: {next}");
        }
    }
}
