//! `shipit logs`: the journal of the app's services. Changes nothing.

use super::args::{self, Global};
use crate::engine::switch::journal_line;
use crate::failure::{Exit, Failure};
use crate::host::Lost;
use crate::plan::needs;
use crate::remote::{self, Script, Told};
use crate::{engine::session, words};

pub(super) fn run(global: &Global, wish: &args::Logs) -> Result<Exit, Failure> {
    let config = super::configuration(global)?;
    let mut link = super::link(global, &config, &super::interrupts()?);
    let mut host = session::Link::connect(&mut link, super::reporter(global).as_mut())?;
    let known = needs::journal_units(&config);
    let units: Vec<&str> = match &wish.unit {
        Some(unit) => match known.iter().find(|u| *u == unit) {
            Some(unit) => vec![unit],
            None => {
                return Err(Failure::new(
                    Exit::Usage,
                    format!(
                        "{} is not a unit of this app",
                        words::shown(unit.as_bytes())
                    ),
                )
                .next(format!(
                    "shipit logs --unit {}",
                    known.first().unwrap_or(&"UNIT")
                )));
            }
        },
        // Only one unit can be followed on one session; the first service is the app.
        None if wish.follow => known.into_iter().take(1).collect(),
        None => known,
    };
    let seen = session::observe(host.as_mut(), &config)?;
    let access = needs::access(&seen);
    let follow = if wish.follow { "yes" } else { "no" };
    for unit in units {
        let script = Script::logs([access, unit, follow]);
        let answers = remote::run(host.as_mut(), None, &[script], None, None, &mut |told| {
            if let Told::Line {
                line, err: false, ..
            } = told
            {
                if global.json {
                    super::results(&format!("{}\n", String::from_utf8_lossy(line)));
                } else if let Some(text) = journal_line(line) {
                    super::results(&format!("{}\n", words::shown(text.as_bytes())));
                }
            }
        });
        match answers {
            Ok(answers) => {
                if let Some(answer) = answers.first().filter(|a| a.code != 0 && !wish.follow) {
                    let mut failure = Failure::new(
                        Exit::Untouched,
                        format!("the journal of {unit} could not be read"),
                    );
                    failure.why = answer.err.iter().map(|l| words::shown(l)).collect();
                    return Err(failure.next("shipit setup"));
                }
            }
            Err(Lost::Left) => return Ok(Exit::Done),
            Err(lost) => {
                return Err(session::lost_while(
                    &lost,
                    "reading the journal",
                    "nothing changed",
                ));
            }
        }
    }
    Ok(Exit::Done)
}
