//! The scripts as values: constant text compiled in, arguments by position. No text is ever put together
//! from data; the only quoting is `quote`, and it never meets a login shell.

use std::time::Duration;

use base64::Engine as _;
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
    /// The same, of a script that looks: only with its last line, [`WHOLE`].
    Whole,
    /// Nothing: each line says all that it has to say, and there may be any number of them.
    Nothing,
}

/// The last line of a script that looks. Without it nothing is concluded: what is not there may not have been read.
pub const WHOLE: &[u8] = b"whole\n";

macro_rules! scripts {
    ($($(#[$doc:meta])* $name:ident $value:ident = $(perl $program:literal)? $($file:literal)+;)*) => {
        /// Which script it is.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Name {
            $($value,)*
        }

        impl Name {
            /// As a step of stage has it on screen.
            pub fn word(self) -> &'static str {
                match self {
                    $(Self::$value => stringify!($name),)*
                }
            }

            /// Whether its arguments are not for everybody's eyes: the prepare command, or a health URL with its query.
            pub(super) fn is_private(self) -> bool {
                matches!(self, Self::Prepare | Self::Status | Self::Service | Self::Ask | Self::Drain)
            }

            /// How long it may keep printing. Those that only look are done long before.
            pub(super) fn within(self) -> Duration {
                Duration::from_secs(match self {
                    Self::Prepare | Self::Follow | Self::Run | Self::RunService | Self::Command | Self::Shell | Self::Logs
                    | Self::Journal => u64::MAX,
                    Self::Observe | Self::Installed | Self::Units | Self::Listening | Self::Routers | Self::Ask | Self::Program
                    | Self::Evidence | Self::History | Self::Facts | Self::Invocations | Self::Record | Self::Status | Self::Base => 300,
                    _ => 3600,
                })
            }
        }

        impl Script {
            $($(#[$doc])*
            #[must_use]
            pub fn $name<A: AsRef<[u8]>>(args: impl IntoIterator<Item = A>) -> Self {
                Self {
                    name: Name::$value,
                    text: text!($($program)? ; $($file)+),
                    args: args.into_iter().map(|a| a.as_ref().to_vec()).collect(),
                }
            })*
        }
        /// Every script's name and text, for the tests.
        pub const ALL: &[(&str, &str)] = &[$((stringify!($name), text!($($program)? ; $($file)+))),*];
    };
}

macro_rules! text { // of these files, which find the text of the program in `$program`
    ($($program:literal)? ; $($file:literal)+) => {
        concat!($("# A program for perl.\nprogram='", include_str!($program), "'\n",)? $(include_str!($file)),+)
    };
}

scripts! {
    /// Looks at the host. Args: root, app, mode, units….
    observe Observe = "lib/request_file.sh" "lib/read_only.sh" "lib/unit_query.sh" "lib/lines.sh" "lib/sudo.sh" "lib/ledger.sh"
        "lib/paths.sh" "lib/router.sh" "look/router_state.sh" "look/show_units.sh" "look/show_room.sh" "look/observe.sh";
    /// Opens the directory a release is received in. Args: root, id, a cut upload to take files from. Runs in the session's own shell. Without
    /// an id it only removes what cut uploads left.
    hold Hold = "stage/hold.sh";
    /// Takes over what the base has, and unpacks stdin. Args: root, id, base, `hard` or `copy`, length of the list, cut upload, `gzip` or `zstd`, what to do.
    receive Receive = "stage/reuse.sh" "stage/ahead.sh" "stage/receive.sh";
    /// Compares the tree with its digest. Args: root, id, digest, base.
    verify Verify = "stage/verify.sh";
    /// Links shared paths. Args: root, id, (kind, path)….
    link Link = "stage/link.sh";
    /// Runs the app's prepare command, or takes over what it would make. Args: root, id, command, previous, base, `hard`
    /// or `copy`, recipe, outputs….
    prepare Prepare = "lib/not_found.sh" "stage/outputs.sh" "stage/made.sh" "stage/prepare.sh";
    /// Gives the release its name. Args: root, id, info, whether `prepare` ran.
    publish Publish = "stage/publish.sh";
    /// Puts the conductor in place. Args: root, sha256, [`crate::step::PROTOCOL`], bytes.
    conductor Conductor = "lib/request_file.sh" "switch/install_conductor.sh";
    /// Puts the request on stdin in place. Args: root, run, epoch, bytes.
    request Request = "lib/request_file.sh" "switch/request.sh";
    /// Tells a run's events. Args: root, run, skip, `verify` or `watch`.
    follow Follow = "lib/events.sh" "lib/read_only.sh" "switch/follow.sh";
    /// Gives a run a word: `cancel`, `passed` or `refused`. Args: root, run, word.
    word Word = "lib/read_only.sh" "lib/request_file.sh" "switch/word.sh";
    /// Takes an unbegun request away. Args: root, run.
    withdraw Withdraw = "lib/request_file.sh" "switch/withdraw.sh";
    /// Makes the host ready, as root. Args: see the file.
    setup Setup = "lib/request_file.sh" "root/setup_former_user.sh" "root/setup_root.sh" "root/setup.sh" "root/setup_install.sh" "root/setup_access.sh";
    /// Prints what may keep the deploy user out, as root. Args: root, app, user, group.
    access Access = "root/setup_root.sh" "root/access.sh" "root/setup_access.sh";
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
    /// Prints the ports that units name, and the apps. No args.
    ports Ports = "look/ports.sh";
    /// Prints the state and the files of routers. Args: (kind, value)….
    routers Routers = "look/routers.sh";
    /// Sends one health request. Args: root, seconds, release, the words of its check….
    ask Ask = "lib/arguments.sh" "conductor/1-marks.sh" "conductor/2-probe.sh" "look/ask.sh";
    /// Prints what may explain a failure. Args: root, access, run, units….
    evidence Evidence = "lib/events.sh" "lib/unit_journal.sh" "switch/evidence.sh";
    /// Looks for programs and modules as `prepare` would. Args: (program NAME - | module PYTHON NAME)….
    program Program = "look/program.sh";
    /// Answers questions about what units name. Args: (kind, value)….
    facts Facts = "lib/paths.sh" "look/standing.sh" "look/facts.sh";
    /// Prints the journal that stdin asks for as JSON lines. Args: access, app, [`super::JOURNAL_HELPER`], units….
    journal Journal = "lib/sudo.sh" "operate/journal.sh";
    /// Prints which invocations the runs saw. Args: root, run or `-`.
    invocations Invocations = "lib/events.sh" "look/invocations.sh";
    /// Changes the app's environment as stdin says. Args: access, root, verb, by, app, [`super::ENV_HELPER`], units….
    env Env = "lib/sudo.sh" "lib/actions.sh" "operate/env.sh";
    /// Prints the record of one run. Args: root, run.
    record Record = "look/record.sh";
    /// Runs one command in the live release. Args: root, command, its args….
    run Run = "operate/run.sh";
    /// Asks whether a service can run commands. Args: access, app, [`super::RUN_HELPER`], units….
    run_check RunCheck = "lib/sudo.sh" "operate/run_service.sh" "operate/run_check.sh";
    /// Runs what stdin says as a service. Args: access, app, [`super::RUN_HELPER`], units….
    run_service RunService = "operate/run_service.sh" "operate/run_pass.sh";
    /// Stops that. Args: what the helper reads, and the same.
    run_stop RunStop = "operate/run_stop.sh" "operate/run_service.sh" "operate/run_pass.sh";
    /// Beside a command without a terminal: ends it when the connection is lost. Calls `stop`.
    run_watch RunWatch = "operate/run_watch.sh";
    run_end RunEnd = "operate/run_end.sh"; // such a `stop`, for what runs as the deploy user
    /// What stdin says there. Args: root, command, its args….
    command Command = "operate/command.sh";
    /// A shell in the live release. Args: root.
    shell Shell = "operate/shell.sh";
    /// Starts, stops, restarts or reloads one service. Args: see the file.
    service Service = "lib/arguments.sh" "lib/process_release.sh" "lib/unit_journal.sh" "lib/request_file.sh" "lib/sudo.sh" "lib/actions.sh"
        "lib/systemctl.sh" "conductor/1-marks.sh" "conductor/2-probe.sh" "conductor/3-verdict.sh" "conductor/4-await.sh" "conductor/4-explain.sh" "conductor/4-listening.sh"
        "conductor/4-process.sh" "conductor/4-workers.sh" "operate/by_hand.sh" "operate/service.sh";
    /// Tries how one instance stops. Args: see the file.
    drain Drain = perl "operate/drain.pl" "lib/arguments.sh" "lib/process_release.sh" "lib/unit_journal.sh" "lib/request_file.sh" "lib/sudo.sh" "lib/actions.sh"
        "lib/systemctl.sh" "lib/router.sh" "conductor/1-marks.sh" "conductor/2-probe.sh" "conductor/3-verdict.sh" "conductor/4-await.sh" "conductor/4-explain.sh" "conductor/4-listening.sh"
        "conductor/4-process.sh" "conductor/4-workers.sh" "conductor/5-slots.sh" "conductor/5-turnover.sh" "conductor/5-routers.sh" "operate/by_hand.sh" "operate/drain_facts.sh" "operate/drain_back.sh" "operate/drain_begin.sh" "operate/drain.sh";
    /// What `history` needs beside `observe`. Args: root, number of runs.
    history History = "look/history.sh";
    /// What `status` needs beside `observe`. Args: root, app, a line of words for each service….
    status Status = "lib/arguments.sh" "lib/process_release.sh" "conductor/1-marks.sh" "conductor/2-probe.sh" "look/status.sh";
    /// Prints what a new release can take over from one on the host. Args: see the file.
    base Base = "look/base.sh";
    /// Prints what an upload that was cut left. Args: root.
    cut Cut = "look/cut.sh";
}

/// Finds out which command of a text cannot be started; `prepare` has it too.
pub const NOT_FOUND: &str = include_str!("lib/not_found.sh");

/// The program that carries a switch out, as it stands on the host.
pub const CONDUCTOR: &str = concat!(
    include_str!("lib/arguments.sh"),
    include_str!("lib/process_release.sh"),
    include_str!("lib/in_use.sh"),
    include_str!("lib/unit_journal.sh"),
    include_str!("lib/read_only.sh"),
    include_str!("lib/router.sh"),
    include_str!("lib/systemctl.sh"),
    include_str!("conductor/0-deadlines.sh"),
    include_str!("conductor/1-marks.sh"),
    include_str!("conductor/2-probe.sh"),
    "meter_program='",
    include_str!("conductor/meter.pl"),
    "'\n",
    include_str!("conductor/2-meter.sh"),
    include_str!("conductor/2-measured.sh"),
    include_str!("conductor/3-limits.sh"),
    include_str!("conductor/3-verdict.sh"),
    include_str!("conductor/4-await.sh"),
    include_str!("conductor/4-explain.sh"),
    include_str!("conductor/4-listening.sh"),
    include_str!("conductor/4-process.sh"),
    include_str!("conductor/4-workers.sh"),
    include_str!("conductor/5-canary.sh"),
    include_str!("conductor/5-compare.sh"),
    include_str!("conductor/5-slots.sh"),
    include_str!("conductor/5-turnover.sh"),
    include_str!("conductor/5-trial.sh"),
    include_str!("conductor/5-route.sh"),
    include_str!("conductor/5-routers.sh"),
    include_str!("conductor/5-parts.sh"),
    include_str!("conductor/6-job.sh"),
    include_str!("conductor/6-job-end.sh"),
    include_str!("conductor/6-backup.sh"),
    include_str!("conductor/6-migrate.sh"),
    include_str!("conductor/7-orphans.sh"),
    include_str!("conductor/7-settle.sh"),
    include_str!("conductor/8-end.sh"),
    include_str!("conductor/8-notify.sh"),
    include_str!("conductor/8-outside.sh"),
    include_str!("conductor/8-request.sh"),
    include_str!("conductor/9-conduct.sh"),
);

/// The sha256 of [`CONDUCTOR`] in hex: how a host says which one it has.
pub fn conductor_digest() -> String {
    Sha256::digest(CONDUCTOR.as_bytes())
        .iter()
        .map(|b| format!("{b:02x}"))
        .collect()
}

impl Script {
    /// What is kept of its output: of an app's own command and of a switch that is followed, nothing.
    pub fn keep(&self) -> Keep {
        match self.name {
            Name::Prepare | Name::Follow => Keep::Nothing,
            Name::Observe | Name::Status | Name::Installed | Name::Units | Name::Facts => Keep::Whole,
            Name::Routers
            | Name::Listening
            | Name::Program
            | Name::Ask
            | Name::Evidence
            | Name::History
            | Name::Invocations
            | Name::Record
            | Name::Base
            | Name::Cut => Keep::Whole,
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

    /// The whole script as one word that no program reads as anything else: base64.
    pub fn packed(&self) -> String {
        base64::engine::general_purpose::STANDARD.encode(self.body())
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
    use crate::remote::helpers;
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

    /// The shell finds a missing function only where it calls it. Names of one word are also words of awk and sed.
    #[test]
    fn every_script_comes_with_the_functions_that_it_calls() {
        let defined = |text: &str| -> Vec<String> {
            let names = text.lines().filter_map(|line| Some(line.split_once("() {")?.0));
            let own = names.filter(|name| name.contains('_') && !name.contains(' '));
            own.map(str::to_owned).collect()
        };
        let texts = ALL.iter().copied().chain([("conductor", CONDUCTOR)]);
        let known: std::collections::BTreeSet<String> = texts.clone().flat_map(|(_, text)| defined(text)).collect();
        for (name, text) in texts {
            let (own, text) = (defined(text), commands(text));
            let split = |c: char| !(c.is_ascii_alphanumeric() || "_-$".contains(c));
            let words: Vec<&str> = text.split(split).collect();
            let called = |name: &str| words.contains(&name) && !text.contains(&format!("{name}="));
            let missing = |name: &&String| called(name) && !own.contains(name);
            assert_eq!(known.iter().filter(missing).collect::<Vec<_>>(), [""; 0], "{name}");
        }
    }

    #[test]
    fn every_script_is_short_opens_with_what_it_does_and_parses() {
        for (name, text) in ALL.iter().chain(&[
            ("conductor", CONDUCTOR),
            ("env helper", helpers::ENV_HELPER),
            ("journal helper", helpers::JOURNAL_HELPER),
            ("run helper", helpers::RUN_HELPER),
            ("notify helper", helpers::NOTIFY_HELPER),
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
