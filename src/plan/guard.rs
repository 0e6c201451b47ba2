//! What `setup` installs, as text: the guard units and the sudo rule. Pure; checked by snapshots and, on
//! the host, by `visudo -cf`.

use super::units::{HELPERS, When, notify_helper, run_helper, runnable, sudo_lines};
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
    /// Whether the rule has a line for `shipit run`.
    pub lends_units: bool,
    /// What starts the app's notify unit, where deploy.yml names one that may be started.
    pub notify: Option<NotifyGuard>,
}

/// Starts the app's notify unit when a switch has left an entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NotifyGuard {
    /// `shipit-APP.notify.path`
    pub path_unit: String,
    /// `shipit-APP.notify.service`
    pub service_unit: String,
}

/// The name of the unit that notices the end of a switch. No app's name has a dot.
pub fn notify_path(config: &Config) -> String {
    format!("shipit-{}.notify.path", config.app.as_str())
}

/// The guard of one app, run as `user`. The sudo rule has no line that starts or stops a unit that is `withheld`.
pub fn guard(config: &Config, user: &str, withheld: &[&str]) -> Guard {
    let (app, root) = (config.app.as_str(), config.root.as_str());
    // Not their sockets: a root on a remote mount would close a cycle around basic.target again. A connection that
    // wakes a service early waits for this unit all the same.
    let services: Vec<&str> = config.instances().map(|one| one.unit).collect();
    let services = services.join(" ");
    let boot = format!("shipit-{app}-boot.service");
    Guard {
        path_unit: format!(
            "# Written by shipit setup. Starts the conductor while a request exists, even if the conductor was killed.\n\
             [Unit]\nDescription=shipit: watches for switch requests for {app}\nStartLimitIntervalSec=0\n\n\
             [Path]\nPathExists={root}/.shipit/request\nUnit=shipit-{app}.service\n\n\
             [Install]\nWantedBy=paths.target"
        ),
        service_unit: format!(
            "# Written by shipit setup. Carries out a switch or undoes it. Runs as the deploy user.\n\
             [Unit]\nDescription=shipit: carries out a switch of {app}\nStartLimitIntervalSec=0\nAfter={boot}\n\n\
             [Service]\nType=simple\nUser={user}\nUMask=0022\nOOMScoreAdjust=-500\n\
             # No command of the conductor may hang forever: systemd, as root, kills what the conductor cannot end itself.\n\
             WatchdogSec=5min\nWatchdogSignal=SIGKILL\nNotifyAccess=all\n\
             ExecStart=/bin/sh {root}/.shipit/conductor {root}\n\
             # A path unit restarts its service immediately: the pause prevents a loop if the conductor cannot run.\n\
             ExecStopPost=/bin/sh -c 'test ! -e {root}/.shipit/request || sleep 1'"
        ),
        boot_unit: format!(
            "# Written by shipit setup. After a power failure during a switch: points `current` to the previous\n\
             # release before the app starts, so that the app never starts from an unconfirmed release.\n\
             [Unit]\nDescription=shipit: reverts a switch of {app} that a power failure interrupted\n\
             ConditionPathExists={root}/.shipit/request\nRequiresMountsFor={root}\n\
             # Sockets start before basic.target, so this unit must not wait for it, as it would by default:\n\
             # the wait would be an ordering cycle, which systemd breaks by not starting one of the units.\n\
             DefaultDependencies=no\nRequires=sysinit.target\nAfter=sysinit.target\n\
             Conflicts=shutdown.target\nBefore=shutdown.target {services}\n\n\
             [Service]\nType=oneshot\nUser={user}\nTimeoutStartSec=30s\n\
             ExecStart=/bin/sh {root}/.shipit/conductor {root} boot\n\n\
             [Install]\nWantedBy=multi-user.target"
        ),
        sudo_rule: if user == "root" {
            String::new()
        } else {
            sudo_rule(config, user, withheld)
        },
        lends_units: user != "root" && runnable(config).any(|unit| !withheld.contains(&unit)),
        notify: notify(config, user, withheld),
    }
}

/// Its own service, so that no switch waits for it.
fn notify(config: &Config, user: &str, withheld: &[&str]) -> Option<NotifyGuard> {
    let helper = notify_helper(config).filter(|_| user == "root" || !is_withheld(config, withheld))?;
    let (app, root) = (config.app.as_str(), config.root.as_str());
    Some(NotifyGuard {
        path_unit: format!(
            "# Written by shipit setup. Notices that a switch ended.\n\
             [Unit]\nDescription=shipit: notices the end of a switch of {app}\nStartLimitIntervalSec=0\n\n\
             [Path]\nDirectoryNotEmpty={root}/.shipit/notify\nUnit=shipit-{app}.notify.service\n\n\
             [Install]\nWantedBy=paths.target"
        ),
        service_unit: format!(
            "# Written by shipit setup. Starts the app's notify unit for each switch that ended. Runs as the deploy user.\n\
             [Unit]\nDescription=shipit: sends notifications about switches of {app}\nStartLimitIntervalSec=0\n\n\
             [Service]\nType=oneshot\nUser={user}\nTimeoutStartSec=10min\n\
             ExecStart=/bin/sh {root}/.shipit/conductor {root} notify {helper}\n\
             # A path unit restarts its service immediately: the pause prevents a loop if it cannot run.\n\
             ExecStopPost=/bin/sleep 1"
        ),
    })
}

/// Whether the template that notifies may not be started at will.
fn is_withheld(config: &Config, withheld: &[&str]) -> bool {
    let template = config.notify.as_ref();
    template.is_some_and(|template| withheld.contains(&template.as_str()))
}

/// Exact words, full paths, no wildcard (`*` matches spaces: a measured hole). sudo compares the words joined by
/// spaces,
/// so `'--no-pager --follow'` as one word passes too: without NOEXEC, journalctl would then start a pager as root.
fn sudo_rule(config: &Config, user: &str, withheld: &[&str]) -> String {
    let name = config.app.as_str().to_uppercase().replace('-', "_");
    let mut lines = [When::Deploy, When::DayToDay]
        .map(|when| sudo_lines(config, when))
        .concat();
    // A unit that may not be started at will is not to lend its settings either.
    lines.retain(|line| withheld.iter().all(|unit| *line != run_helper(config, unit)));
    lines.retain(|line| !is_withheld(config, withheld) || Some(line) != notify_helper(config).as_ref());
    let controls = |line: &str| {
        let unit = line
            .strip_prefix("/usr/bin/systemctl ")
            .and_then(|line| line.split(' ').next_back());
        unit.is_some_and(|unit| withheld.contains(&unit))
    };
    let allowed = lines.iter().filter(|line| !controls(line));
    let (helpers, programs): (Vec<_>, Vec<_>) = allowed.partition(|line| line.starts_with(HELPERS));
    // In sudoers `=`, `:` and `,` in arguments are escaped (sudoers(5), "Other special characters").
    let list = |lines: Vec<&String>| {
        let escaped = |line: &&String| {
            let line = line.replace('\\', "\\\\").replace(':', "\\:");
            line.replace('=', "\\=").replace(',', "\\,")
        };
        lines.iter().map(escaped).collect::<Vec<_>>().join(", \\\n    ")
    };
    format!(
        "# Written by shipit setup: what the deploy user may do as root, word for word.\n\
         Cmnd_Alias SHIPIT_{name} = {}\n\
         Cmnd_Alias SHIPITHELPERS_{name} = {}\n\
         # Passes no variable from the caller's environment, not even those that the host's own rules keep.\n\
         Defaults!SHIPIT_{name},SHIPITHELPERS_{name} env_reset, !env_keep, !env_check, !setenv, !requiretty\n\
         Defaults!SHIPIT_{name},SHIPITHELPERS_{name} secure_path=\"/usr/sbin:/usr/bin:/sbin:/bin\"\n\
         # NOEXEC: these programs cannot start others, such as a pager. The helpers are scripts.\n\
         {user} ALL=(root) NOPASSWD: NOEXEC: SHIPIT_{name}, EXEC: SHIPITHELPERS_{name}",
        list(programs),
        list(helpers)
    )
}
