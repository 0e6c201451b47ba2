//! The scripts as values: constant text compiled in, arguments by position. No text is ever put together
//! from data; the only quoting is `quote`, and it never meets a login shell.

use sha2::{Digest, Sha256};

/// One script with its arguments.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Script {
    pub name: Name,
    text: &'static str,
    args: Vec<Vec<u8>>,
}

/// Whether a script's stdin begins with a line for sudo.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Password {
    /// The first line is the password; sudo takes it, or leaves it for the script to skip.
    OnStdin,
    /// Nobody was asked: sudo must do without.
    None,
}

/// What is kept of a script's output once its lines were told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Keep {
    /// All of it, to be read as a whole.
    All,
    /// Nothing: each line says all that it has to say, and there may be any number of them.
    Nothing,
}

macro_rules! scripts {
    ($($(#[$doc:meta])* $name:ident $value:ident = $($file:literal)+;)*) => {
        /// Which script it is.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Name {
            $($value,)*
        }

        impl Name {
            /// As a step of stage has it on screen.
            #[must_use]
            pub fn word(self) -> &'static str {
                match self {
                    $(Self::$value => stringify!($name),)*
                }
            }
        }

        impl Script {
            $($(#[$doc])*
            #[must_use]
            pub fn $name<A: AsRef<[u8]>>(args: impl IntoIterator<Item = A>) -> Self {
                Self {
                    name: Name::$value,
                    text: concat!($(include_str!($file)),+),
                    args: args.into_iter().map(|a| a.as_ref().to_vec()).collect(),
                }
            })*
        }
        /// Every script's name and text, for the tests.
        pub const ALL: &[(&str, &str)] = &[$((stringify!($name), concat!($(include_str!($file)),+))),*];
    };
}

scripts! {
    /// Looks at the host. Args: root, app, mode, units…, `--`, sudo lines….
    observe Observe = "lib/request_file.sh" "lib/unit_query.sh" "look/observe.sh";
    /// Opens the directory a release is received in. Args: root, id. Runs in the session's own shell.
    hold Hold = "stage/hold.sh";
    /// Unpacks stdin. Args: root, id.
    receive Receive = "stage/receive.sh";
    /// Compares the tree with its digest. Args: root, id, digest.
    verify Verify = "stage/verify.sh";
    /// Links shared paths. Args: root, id, (kind, path)….
    link Link = "stage/link.sh";
    /// Runs the app's prepare command. Args: root, id, command, previous.
    prepare Prepare = "stage/prepare.sh";
    /// Gives the release its name. Args: root, id, info.
    publish Publish = "stage/publish.sh";
    /// Puts the conductor in place. Args: root, sha256, [`crate::step::PROTOCOL`].
    conductor Conductor = "lib/request_file.sh" "switch/install_conductor.sh";
    /// Puts a request in place. Args: root, run, epoch, request.
    request Request = "lib/request_file.sh" "switch/request.sh";
    /// Tells a run's events. Args: root, run, skip.
    follow Follow = "lib/events.sh" "switch/follow.sh";
    /// Asks a run to go back. Args: root, run.
    cancel Cancel = "switch/cancel.sh";
    /// Takes an unbegun request away. Args: root, run.
    withdraw Withdraw = "lib/request_file.sh" "switch/withdraw.sh";
    /// Makes the host ready, as root. Args: see the file.
    setup Setup = "lib/request_file.sh" "root/setup_former_user.sh" "root/setup.sh" "root/setup_install.sh";
    /// Runs another script's text through sudo. Args: whether stdin begins with a password, text, args….
    as_root AsRoot = "root/as_root.sh";
    /// Tells the app's units and their files. Args: app, units….
    installed Installed = "lib/unit_query.sh" "look/installed.sh";
    /// Puts the app's units in place, as root. Args: root, (verb, unit)….
    install_units InstallUnits = "lib/request_file.sh" "lib/unit_query.sh" "root/install_units.sh";
    /// Prints a unit's journal as JSON lines. Args: access, unit, follow.
    logs Logs = "operate/logs.sh";
    /// Prints the app's units as the host has them. Args: app, units….
    units Units = "lib/unit_query.sh" "look/units.sh";
    /// Prints who listens. No args.
    listening Listening = "look/listening.sh";
    /// Prints the state and the files of routers. Args: (kind, value)….
    routers Routers = "look/routers.sh";
    /// Sends one health request. Args: root, seconds, release, the words of its check….
    ask Ask = "lib/arguments.sh" "conductor/1-marks.sh" "conductor/2-probe.sh" "look/ask.sh";
    /// Prints what may explain a failure. Args: root, access, run, units….
    evidence Evidence = "lib/events.sh" "lib/unit_journal.sh" "switch/evidence.sh";
    /// Answers questions about what units name. Args: (kind, value)….
    facts Facts = "look/facts.sh";
    /// Prints the journal that stdin asks for as JSON lines. Args: access, app, [`JOURNAL_HELPER`], units….
    journal Journal = "operate/journal.sh";
    /// Prints which invocations the runs saw. Args: root, run or `-`.
    invocations Invocations = "lib/events.sh" "look/invocations.sh";
    /// Changes the app's environment as stdin says. Args: access, app, [`ENV_HELPER`], units….
    env Env = "operate/env.sh";
    /// Runs one command in the live release. Args: root, command, its args….
    run Run = "operate/run.sh";
    /// Starts, stops, restarts or reloads one service. Args: see the file.
    service Service = "lib/arguments.sh" "lib/process_release.sh" "lib/unit_journal.sh" "lib/request_file.sh" "conductor/1-marks.sh"
        "conductor/2-probe.sh" "conductor/3-verdict.sh" "conductor/4-process.sh" "operate/service.sh";
    /// What `status` needs beside `observe`. Args: root, app, a line of words for each service….
    status Status = "lib/arguments.sh" "lib/process_release.sh" "lib/events.sh" "conductor/1-marks.sh" "conductor/2-probe.sh"
        "look/status.sh";
    /// Prints a release's manifest. Args: root, id.
    manifest Manifest = "look/manifest.sh";
}

/// The program that carries a switch out, as it stands on the host.
pub const CONDUCTOR: &str = concat!(
    include_str!("lib/arguments.sh"),
    include_str!("lib/process_release.sh"),
    include_str!("lib/unit_journal.sh"),
    include_str!("conductor/1-marks.sh"),
    include_str!("conductor/2-probe.sh"),
    include_str!("conductor/3-verdict.sh"),
    include_str!("conductor/4-process.sh"),
    include_str!("conductor/5-turnover.sh"),
    include_str!("conductor/6-migrate.sh"),
    include_str!("conductor/6-migration-end.sh"),
    include_str!("conductor/7-settle.sh"),
    include_str!("conductor/8-end.sh"),
    include_str!("conductor/9-conduct.sh"),
);

/// What `setup` installs as `/usr/local/lib/shipit/APP/env`.
pub const ENV_HELPER: &str = concat!(
    include_str!("root/env_helper.sh"),
    include_str!("root/env_helper_change.sh")
);

/// What `setup` installs as `/usr/local/lib/shipit/APP/journal`.
pub const JOURNAL_HELPER: &str = include_str!("root/journal_helper.sh");

/// The sha256 of [`CONDUCTOR`] in hex: how a host says which one it has.
#[must_use]
pub fn conductor_digest() -> String {
    Sha256::digest(CONDUCTOR.as_bytes())
        .iter()
        .map(|b| format!("{b:02x}"))
        .collect()
}

impl Script {
    /// What is kept of its output: of an app's own command and of a switch that is followed, nothing.
    #[must_use]
    pub fn keep(&self) -> Keep {
        match self.name {
            Name::Prepare | Name::Follow => Keep::Nothing,
            _ => Keep::All,
        }
    }

    /// The same script, run as root through sudo by a user who is not.
    #[must_use]
    pub fn through_sudo(self, password: Password) -> Self {
        let asked = match password {
            Password::OnStdin => "password",
            Password::None => "none",
        };
        let head = [asked.as_bytes().to_vec(), commands(self.text).into_bytes()];
        let args = head.into_iter().chain(self.args);
        Self {
            name: self.name,
            ..Self::as_root(args)
        }
    }

    /// The script as one subshell, `set --` and text.
    pub(super) fn body(&self) -> Vec<u8> {
        let mut out = b"set --".to_vec();
        for arg in &self.args {
            out.push(b' ');
            out.extend(quote(arg));
        }
        out.push(b'\n');
        out.extend(commands(self.text).as_bytes());
        out
    }
}

/// A script without the lines that only explain it: what is sent must fit into one command line.
fn commands(text: &str) -> String {
    let lines = text.split_inclusive('\n');
    lines.filter(|line| !line.trim_start().starts_with('#')).collect()
}

/// POSIX single quotes: what is inside means itself, in every sh.
fn quote(bytes: &[u8]) -> Vec<u8> {
    let mut out = vec![b'\''];
    for &b in bytes {
        if b == b'\'' {
            out.extend(b"'\\''");
        } else {
            out.push(b);
        }
    }
    out.push(b'\'');
    out
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::step::{decoded, encoded};
    use std::process::Command;

    #[test]
    fn an_encoded_value_comes_back_through_printf_byte_for_byte() {
        let nasty: Vec<u8> = (1..=255u8).collect();
        for shell in [&["dash"][..], &["busybox", "sh"]] {
            let Ok(out) = Command::new(shell[0])
                .args(&shell[1..])
                .args(["-c", "printf '%b' \"$1\"", "-", &encoded(&nasty)])
                .output()
            else {
                continue;
            };
            assert_eq!(out.stdout, nasty, "{shell:?}");
        }
        assert_eq!(decoded(&encoded(&nasty)), nasty);
        assert_eq!(decoded(&encoded(b"")), b"");
    }

    #[test]
    fn what_is_sent_has_every_command_and_no_line_that_only_explains() {
        let text = "# what\nset -eu\n  # why\n[ -n '#x' ] # here\n\necho '\n'#\n";
        assert_eq!(commands(text), "set -eu\n[ -n '#x' ] # here\n\necho '\n'#\n");
        for (name, text) in ALL {
            assert!(commands(text).len() < text.len(), "{name}");
        }
    }

    #[test]
    fn setup_through_sudo_fits_for_eight_services() {
        let rule: String = (1..=8)
            .flat_map(|n| ["--no-block restart", "reset-failed", "kill -s KILL", "stop"].map(|verb| (n, verb)))
            .map(|(n, verb)| format!("deploy ALL=(root) NOPASSWD: /usr/bin/systemctl {verb} acme-web{n}.service\n"))
            .collect();
        // Beside the rule: three guard units and both helpers, as setup installs them.
        let units = "x".repeat(2500);
        let args = [
            "/opt/acme",
            "acme",
            "deploy",
            "",
            &units,
            ENV_HELPER,
            JOURNAL_HELPER,
            &rule,
        ];
        let setup = Script::setup(args).through_sudo(Password::None);
        assert!(
            crate::remote::fits(&[setup]),
            "a host with eight services cannot be set up"
        );
    }

    #[test]
    fn every_script_is_short_opens_with_what_it_does_and_parses() {
        for (name, text) in ALL.iter().chain(&[
            ("conductor", CONDUCTOR),
            ("env helper", ENV_HELPER),
            ("journal helper", JOURNAL_HELPER),
        ]) {
            assert!(text.starts_with('#'), "{name}");
            for shell in [&["dash", "-n"][..], &["busybox", "sh", "-n"]] {
                let file = tempfile::NamedTempFile::new().unwrap();
                std::fs::write(file.path(), commands(text)).unwrap();
                let Ok(out) = Command::new(shell[0]).args(&shell[1..]).arg(file.path()).output() else {
                    continue;
                };
                assert!(
                    out.status.success(),
                    "{name} under {shell:?}: {}",
                    String::from_utf8_lossy(&out.stderr)
                );
            }
        }
    }
}
