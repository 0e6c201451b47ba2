//! Puts the repository's units on the host, as root. What is written and why is `plan::unit_files::install`'s.

use super::as_root;
use super::held::held;
use crate::config::Config;
use crate::failure::{Exit, Failure, Next};
use crate::host::Host;
use crate::interrupt::Interrupts;
use crate::observed::Observed;
use crate::observed::lines::lines;
use crate::observed::sudo::rule_lines;
use crate::plan::unit_files::install::Installation;
use crate::remote::{Answer, Script, exits};
use crate::report::event::Report;

/// Installs; `verbs` are what follows, each with its names: `user`, `enable`, `reset-failed`, `start`. `login`: who is
/// logged in. Returns the lines of the app's sudo rule, none where there is no rule. Fails with the state that the host is in.
pub fn install_units(
    host: &mut dyn Host,
    config: &Config,
    installation: &Installation,
    verbs: &[(&'static str, &[String])],
    login: (Option<u32>, &str),
    interrupts: &Interrupts,
    report: &mut dyn Report,
) -> Result<Vec<String>, Failure> {
    let mut args = vec![config.root.as_str()];
    for (verb, names) in verbs {
        args.extend(names.iter().flat_map(|name| [*verb, name.as_str()]));
    }
    args.extend(["rule", config.app.as_str()]);
    let script = Script::install_units(args);
    let payload = installation.payload();
    let doing = "installing units";
    let answer = as_root::run(host, script, &payload, login, doing, interrupts, report)?;
    if answer.code == 0 {
        let lines = lines(&answer.out).filter(|(word, _)| word == "rule");
        return Ok(rule_lines(&lines.map(|(_, rest)| rest).collect::<Vec<_>>()));
    }
    Err(failure(config, &answer, login.0 == Some(0)))
}

fn failure(config: &Config, answer: &Answer, is_root: bool) -> Failure {
    let mut failure = Failure::new(Exit::Untouched, "the units were not installed")
        .host("the units on the host are unchanged")
        .whys(answer.errors());
    match answer.code {
        1 | exits::NOT_ROOT if !is_root => failure
            .why("this login is not root and cannot use sudo")
            .next(Next::shipit("unit install --as").arg(config.host.with_login("root"))),
        exits::SETUP_LOCKED => failure
            .why("a setup, or another installation of units, is in progress")
            .next(Next::shipit("unit diff")),
        exits::FILES_CUT_OFF => failure
            .why("the upload was incomplete")
            .next(Next::shipit("unit install")),
        exits::UNITS_FAILED => failure
            .why("a command failed on the host; the old files have been restored")
            .next(Next::shipit("unit install")),
        exits::UNITS_CHANGED => failure
            .why("the units on the host were changed in the meantime")
            .next(Next::shipit("unit diff")),
        exits::SWITCHING => {
            let why = "a running switch must be able to revert with the units it started with";
            match Observed::parse(&answer.out).request {
                Some(request) => held(&request, "the units on the host are unchanged").why(why),
                None => {
                    failure.exit = Exit::Locked;
                    failure.why("a switch is in progress").why(why)
                }
            }
        }
        exits::UNITS_INVALID => failure
            .why("systemd-analyze verify on the host rejects them")
            .next(Next::again("").remark("after the units are fixed")),
        exits::UNITS_NOT_STARTED => {
            failure.what = "the units are installed, but a later step failed".into();
            failure.host = Some("the new files are in place; running processes are unchanged".into());
            failure.next(Next::shipit("doctor"))
        }
        exits::OBSTRUCTED | exits::UNITS_NOT_LOADED => failure.next(Next::shipit("unit diff")),
        // Killed: at any point.
        code => {
            failure.what = "the installation of the units was cut short".into();
            failure.host = Some("the new units may be on the host, but not enabled".into());
            failure
                .why(format!("exit status {code}"))
                .next(Next::shipit("unit diff"))
        }
    }
}
