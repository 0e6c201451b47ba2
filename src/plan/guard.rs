//! What `setup` installs, as text: the guard units and the sudo rule. Pure; checked by snapshots and, on
//! the host, by `visudo -cf`.

use super::units::{When, sudo_lines};
use crate::config::Config;

/// The files that make a host carry switches out by itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Guard {
    /// `shipit-APP.path`: starts the conductor while a request is there.
    pub path_unit: String,
    /// `shipit-APP.service`: the conductor.
    pub service_unit: String,
    /// `shipit-APP-boot.service`: points `current` back before the app starts.
    pub boot_unit: String,
    /// The sudoers file; empty for root.
    pub sudo_rule: String,
}

/// The guard of one app, run as `user`.
#[must_use]
pub fn guard(config: &Config, user: &str) -> Guard {
    let (app, root) = (config.app.as_str(), config.root.as_str());
    // Not their sockets: a root on a remote mount would close a cycle around basic.target again. A connection that
    // wakes a service early waits for this unit all the same.
    let services: Vec<&str> = config.instances().map(|one| one.unit).collect();
    let services = services.join(" ");
    let boot = format!("shipit-{app}-boot.service");
    Guard {
        path_unit: format!(
            "# Written by shipit setup. Starts the conductor while a request exists, even if the conductor was killed.\n\
             [Unit]\nDescription=shipit: watches for switch requests of {app}\nStartLimitIntervalSec=0\n\n\
             [Path]\nPathExists={root}/.shipit/request\nUnit=shipit-{app}.service\n\n\
             [Install]\nWantedBy=paths.target"
        ),
        service_unit: format!(
            "# Written by shipit setup. Carries a switch out, or undoes it. Runs as the deploy user.\n\
             [Unit]\nDescription=shipit: carries out a switch of {app}\nStartLimitIntervalSec=0\nAfter={boot}\n\n\
             [Service]\nType=oneshot\nUser={user}\nUMask=0022\nTimeoutStartSec=infinity\nOOMScoreAdjust=-500\n\
             ExecStart=/bin/sh {root}/.shipit/conductor {root}\n\
             # A path unit starts again at once, without a pause: a conductor that cannot run must not spin.\n\
             ExecStopPost=/bin/sh -c 'test ! -e {root}/.shipit/request || sleep 1'"
        ),
        boot_unit: format!(
            "# Written by shipit setup. After a power cut in the middle of a switch: `current` goes back before\n\
             # the app starts, so that it never starts from a release that was not confirmed.\n\
             [Unit]\nDescription=shipit: reverts a switch of {app} that a power cut interrupted\n\
             ConditionPathExists={root}/.shipit/request\nRequiresMountsFor={root}\n\
             # Sockets come before basic.target, so this may not wait for it, as it would by default: systemd\n\
             # breaks such a cycle by leaving one of its units out of the boot.\n\
             DefaultDependencies=no\nRequires=sysinit.target\nAfter=sysinit.target\n\
             Conflicts=shutdown.target\nBefore=shutdown.target {services}\n\n\
             [Service]\nType=oneshot\nUser={user}\nTimeoutStartSec=30s\n\
             ExecStart=/bin/sh {root}/.shipit/conductor {root} boot\n\n\
             [Install]\nWantedBy=multi-user.target"
        ),
        sudo_rule: if user == "root" {
            String::new()
        } else {
            sudo_rule(config, user)
        },
    }
}

/// Every file of root's that `setup` writes for this app. Who can change one of them, or a directory above it, is root.
#[must_use]
pub fn files(config: &Config) -> Vec<String> {
    let app = config.app.as_str();
    let units = [".path", ".service", "-boot.service"];
    let mut files: Vec<String> = units
        .iter()
        .map(|end| format!("/etc/systemd/system/shipit-{app}{end}"))
        .collect();
    files.push(format!("/etc/sudoers.d/shipit-{app}"));
    files.extend(["env", "journal"].map(|name| format!("/usr/local/lib/shipit/{app}/{name}")));
    files
}

/// Exact words, full paths, no wildcard (`*` matches spaces: a measured hole).
fn sudo_rule(config: &Config, user: &str) -> String {
    let alias = format!("SHIPIT_{}", config.app.as_str().to_uppercase().replace('-', "_"));
    let lines = [When::Deploy, When::DayToDay]
        .map(|when| sudo_lines(config, when))
        .concat();
    // In sudoers `=`, `:` and `,` in arguments are escaped (sudoers(5), "Other special characters").
    let lines: Vec<String> = lines
        .iter()
        .map(|line| {
            line.replace('\\', "\\\\")
                .replace(':', "\\:")
                .replace('=', "\\=")
                .replace(',', "\\,")
        })
        .collect();
    format!(
        "# Written by shipit setup: what the deploy user may do as root, word for word.\n\
         Cmnd_Alias {alias} = {}\n\
         # No variable from the caller's environment, not even those that the host's own rules keep.\n\
         Defaults!{alias} env_reset, !env_keep, !env_check, !setenv, !requiretty\n\
         Defaults!{alias} secure_path=\"/usr/sbin:/usr/bin:/sbin:/bin\"\n\
         {user} ALL=(root) NOPASSWD: {alias}",
        lines.join(", \\\n    ")
    )
}
