//! Asks a host about the app's units: first what they are, then about what they name. Read-only; judges nothing.

use crate::config::Config;
use crate::facts::{Answers, Live, Question, Seen, questions};
use crate::failure::{Exit, Failure};
use crate::host::Host;
use crate::plan::needs;
use crate::remote::{Answer, Script};

use super::session::{lost_while, one};

/// The most bytes of questions in one script: a session's command line takes three times as many, and the script is
/// in it too.
const MOST: usize = 12_000;
/// The file systems that a service needs, beside that of the app's root.
const SPACES: [&str; 4] = ["/var/log", "/var/lib", "/tmp", "/run"];

/// The app's units with all that the host says of them. Two or three round trips.
///
/// # Errors
/// When the line is lost, or a script does not end well.
pub fn collect(host: &mut dyn Host, config: &Config) -> Result<Live, Failure> {
    let mut args = vec![config.app.as_str()];
    args.extend(needs::units(config));
    let seen = Seen::parse(&run(host, Script::units(args), "looking at the units")?.out);
    let mut asked = questions(&seen);
    let root = config.root.as_str();
    asked.push(Question::File(root.to_owned()));
    asked.push(Question::File(format!("{root}/current")));
    asked.push(Question::Space(root.to_owned()));
    asked.extend(SPACES.map(|path| Question::Space(path.to_owned())));
    let answers = ask(host, &asked)?;
    Ok(Live::new(seen, answers, root))
}

/// Asks, in as many scripts as it takes.
///
/// # Errors
/// When the line is lost, or a script does not end well.
pub fn ask(host: &mut dyn Host, questions: &[Question]) -> Result<Answers, Failure> {
    let mut answers = Answers::default();
    let mut rest = questions;
    while !rest.is_empty() {
        let mut size = 0;
        let fits = rest.iter().take_while(|question| {
            size += question
                .args()
                .iter()
                .map(|arg| arg.len() + 4)
                .sum::<usize>();
            size <= MOST
        });
        let (now, later) = rest.split_at(fits.count().max(1));
        let args = now.iter().flat_map(Question::args);
        let answer = run(host, Script::facts(args), "asking about the units")?;
        answers.extend(Answers::parse(now, &answer.out));
        rest = later;
    }
    Ok(answers)
}

fn run(host: &mut dyn Host, script: Script, doing: &str) -> Result<Answer, Failure> {
    let answer = one(host, script).map_err(|lost| lost_while(&lost, doing, "nothing changed"))?;
    if answer.code == 0 {
        return Ok(answer);
    }
    let mut failure = Failure::new(Exit::Untouched, format!("{doing} failed on the host"));
    failure.why = answer
        .err
        .iter()
        .map(|line| crate::words::shown(line))
        .collect();
    Err(failure.host("nothing changed"))
}
