//! One command in the live release, as a service's user or as the deploy user, and a shell there: what is sent, and how
//! its end is read. Prints nothing.

use std::ffi::OsString;
use std::os::unix::ffi::OsStrExt;

use super::metadata;
use super::session::{self, Link};
use crate::config::Config;
use crate::failure::{Exit, Failure, Next};
use crate::host::stdin::Live;
use crate::host::terminal::Terminal;
use crate::host::{Host, Lost};
use crate::observed::Observed;
use crate::plan::needs;
use crate::remote::{self, Input, RUN_HELPER, Script, StreamEvent, exits};
use crate::text;

/// The longest command, in bytes of base64: the kernel's limit for one argument, less what stands beside it.
const LONGEST: usize = 120_000;

/// What is run.
pub enum Task<'a> {
    /// A command, with the settings of this service's unit.
    Service(&'a str, &'a [OsString]),
    /// A command, as the deploy user.
    Deploy(&'a [OsString]),
    /// The deploy user's shell.
    Shell,
}

/// What goes there while it runs.
pub struct Keyboard<'a> {
    /// `None`: its stdin is empty.
    pub source: Option<std::os::fd::BorrowedFd<'a>>,
    /// The user's terminal, if the command gets one.
    pub terminal: Option<&'a mut Terminal>,
}

/// The end of a command that ran.
pub struct CommandEnd {
    pub release: String,
    /// 128 and the number of the signal when one killed it, as shells report it.
    pub code: i32,
}

/// A host with the app on it.
pub struct Place<'a> {
    pub link: &'a mut dyn Link,
    pub host: &'a mut dyn Host,
    pub config: &'a Config,
    pub observed: &'a Observed,
}

impl Place<'_> {
    /// Runs it, and passes on what it prints.
    /// Fails when no release is live, the unit cannot run commands, the user stopped it, or the connection is lost.
    pub fn run(
        &mut self,
        task: &Task<'_>,
        keyboard: Keyboard<'_>,
        on_event: &mut dyn FnMut(StreamEvent<'_>),
    ) -> Result<CommandEnd, Failure> {
        let is_shell = matches!(task, Task::Shell);
        let Some(release) = self.observed.live().or(is_shell.then_some("")) else {
            return Err(
                Failure::new(Exit::Untouched, "no release is live: there is nothing to run it in")
                    .host("nothing was run")
                    .next(Next::shipit("deploy")),
            );
        };
        let root = self.config.root.as_str().as_bytes();
        let words = |command: &[OsString]| {
            let words = command.iter().map(|word| word.as_bytes().to_vec());
            [root.to_vec()].into_iter().chain(words).collect::<Vec<_>>()
        };
        let name = task.name();
        let kind = keyboard.terminal.as_ref().map_or("dumb", |terminal| &terminal.kind);
        let (script, stop, first) = match task {
            Task::Shell => (Script::shell([root]), None, Vec::new()),
            Task::Deploy(command) => (Script::run(words(command)), None, Vec::new()),
            Task::Service(unit, command) => {
                let packed = Script::command(words(command)).packed();
                if packed.len() > LONGEST {
                    return Err(Failure::new(Exit::Usage, format!("{name} was not run"))
                        .why("the command is longer than 90 kB; pass its data on stdin, with --stdin"));
                }
                let id = id()?;
                let line = |verb: &str, text: &str| {
                    let by: String = metadata::who().split_whitespace().collect();
                    format!("1 {verb} {by} {id} {unit} {kind} {text}\n")
                };
                self.check(unit, &line("check", ""))?;
                let args = self.helper_args(unit);
                (
                    Script::run_service(&args),
                    Some(Script::run_stop(
                        [line("stop", "").trim_end()]
                            .into_iter()
                            .chain(args.iter().map(String::as_str)),
                    )),
                    line("run", &packed).into_bytes(),
                )
            }
        };
        let live = Live::new(first, keyboard.source);
        let mut terminal = keyboard.terminal;
        if let Some(terminal) = &mut terminal {
            terminal.give_all_keys().map_err(|e| {
                Failure::new(Exit::Untouched, "this terminal cannot be used")
                    .why(e.to_string())
                    .host("nothing was run")
            })?;
        }
        let input = Input {
            live: Some(&live),
            terminal: terminal.as_deref(),
            stop: stop.as_ref(),
            stdin: None,
            ends: true,
        };
        let link = &mut self.link;
        let mut again = || link.connect(&mut session::Quiet).ok();
        match remote::stream(self.host, &script, input, Some(&mut again), on_event) {
            Ok(code) => Ok(CommandEnd {
                release: release.to_owned(),
                code,
            }),
            Err(Lost::Interrupted) => Err(Failure::new(Exit::Untouched, format!("{name} was interrupted"))
                .host("it received SIGTERM; any changes that it made remain")),
            Err(lost @ (Lost::Refused(_) | Lost::Unbegun(_))) => {
                Err(session::lost_while(&lost, "running a command", "nothing was run"))
            }
            Err(Lost::Source(why)) => Err(Failure::new(Exit::Usage, format!("{name} was not run")).why(why)),
            Err(lost) => {
                let mut failure = session::lost_while(
                    &lost,
                    &format!("running {name}"),
                    "the command may be running on the host, or have ended; if it reads stdin, it received only part of its input",
                );
                failure.exit = Exit::Unknown;
                Err(failure.next(
                    Next::shipit("status")
                        .remark("shows what the app is doing now; check this before you run the command again"),
                ))
            }
        }
    }

    /// Before anything runs: whether the helper is there, and can run a command with the settings of the unit.
    fn check(&mut self, unit: &str, line: &str) -> Result<(), Failure> {
        let script = Script::run_check(self.helper_args(unit));
        let answer = session::fed(self.host, &script, line.as_bytes())
            .map_err(|lost| session::lost_while(&lost, "asking whether commands can run", "nothing was run"))?;
        if answer.code == 0 {
            return Ok(());
        }
        let setup = self.config.host.as_root("setup");
        let failure = match answer.code {
            exits::NO_HELPER => {
                let what = "the host has no helper for `shipit run` yet";
                let user = &self.observed.user;
                let why = format!("setup installs the helper that lets {user} run commands as the app's user");
                let failure = Failure::new(Exit::Untouched, what).why(why);
                failure.next(setup.remark("run it again to install the helper"))
            }
            exits::NOT_UNDERSTOOD => {
                let what = "the helper on the host has a different version";
                Failure::new(Exit::Untouched, what).next(setup.remark("run it again to install the helper"))
            }
            code => {
                let failure = Failure::new(Exit::Untouched, format!("no command can run as {unit}"));
                match answer.errors() {
                    why if why.is_empty() => failure.why(format!("the helper exited with status {code}")),
                    why => failure.whys(why),
                }
            }
        };
        let failure = failure.host("nothing was run");
        Err(failure.next(Next::again("--as-deploy").remark("as the deploy user, without the app's environment")))
    }

    fn helper_args(&self, unit: &str) -> [String; 4] {
        let access = needs::access(self.observed);
        [access, self.config.app.as_str(), RUN_HELPER, unit].map(str::to_owned)
    }
}

impl Task<'_> {
    /// The program's name, safe to print.
    pub fn name(&self) -> String {
        match self {
            Self::Service(_, command) | Self::Deploy(command) => {
                text::shown(command.first().map_or(&b""[..], |word| word.as_bytes()))
            }
            Self::Shell => "the shell".into(),
        }
    }
}

/// A number that nobody can guess: of the unit in which the command runs.
fn id() -> Result<String, Failure> {
    let mut bytes = [0; 8];
    getrandom::fill(&mut bytes).map_err(|e| Failure::new(Exit::Untouched, "no random bytes").why(e.to_string()))?;
    Ok(bytes.iter().map(|b| format!("{b:02x}")).collect())
}
