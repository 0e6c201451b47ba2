//! Asks a host about the app's units: first what they are, then about what they name. Read-only; judges nothing.

use std::path::Path;

use crate::config::Config;
use crate::failure::Failure;
use crate::host::Host;
use crate::observed::{Answers, HostUnits, Live, Question, questions, root_paths};
use crate::plan::root_files;
use crate::plan::units::{Purpose, units};
use crate::remote::Script;
use crate::unit::merge::Unit;

use super::session::look;

/// The most bytes of questions in one script: a session's command line takes three times as many, and the script is
/// in it too.
const MOST: usize = 12_000;
/// The file systems that a service needs, beside that of the app's root.
const SPACES: [&str; 4] = ["/var/log", "/var/lib", "/tmp", "/run"];

/// The app's units with all that the host says of them, and those of the repository beside them. Two or three round
/// trips.
pub fn collect(host: &mut dyn Host, config: &Config, repository: &[Unit]) -> Result<Live, Failure> {
    let mut wanted = units(config, Purpose::Observe);
    wanted.extend(repository.iter().map(|unit| unit.name.as_str()));
    let mut args = vec![config.app.to_string()];
    args.extend(wanted.iter().map(|unit| (*unit).to_owned()));
    args.extend(config.notify.iter().map(ToString::to_string));
    // A service without its socket may want one: that it is not there must be known.
    args.extend(config.services.iter().map(|s| s.paired_socket().to_string()));
    let steps = [Script::units(args), Script::listening([""; 0])];
    let host_units = HostUnits::parse(&run(host, &steps, "reading the units")?);
    let mut asked = questions(&host_units);
    let root = config.root.as_str();
    let parts = ["", "/current", "/releases", "/shared", "/.shipit"];
    asked.extend(parts.map(|part| Question::File(format!("{root}{part}"))));
    let roots = root_files::paths(config);
    for path in &roots {
        asked.extend(Question::about(path));
        asked.push(Question::Content(path.clone()));
    }
    asked.extend(
        units(config, Purpose::Grant)
            .into_iter()
            .map(|unit| Question::Claimed(unit.to_owned())),
    );
    asked.push(Question::Space(root.to_owned()));
    asked.extend(SPACES.map(|path| Question::Space(path.to_owned())));
    if let Some(user) = &config.host.user {
        asked.extend([Question::User(user.clone()), Question::Keys(user.clone())]);
    }
    for file in &config.shared.files {
        asked.extend(Question::about(&format!("{root}/shared/{}", file.path.as_str())));
    }
    let mut coming = root_paths(repository);
    coming.retain(|question| !asked.contains(question));
    asked.extend(coming.iter().cloned());
    let answers = ask(host, &asked)?;
    let mut live = Live::new(host_units, answers, root, &wanted);
    // The rule is nobody's to read but root's; what it allows was asked of sudo. And no unit of the host needs what only
    // those of the repository name.
    let others: Vec<String> = coming.iter().map(Question::subject).collect();
    live.unreadable
        .retain(|what| !roots.contains(what) && !others.contains(what));
    // A deploy creates these, and the directories above them, before anything starts.
    let coming = |path: &String| {
        let mut shared = config.shared.dirs.iter();
        shared.any(|dir| Path::new(&format!("{root}/shared/{}", dir.as_str())).starts_with(path))
    };
    for (unit, facts) in &mut live.units {
        facts.files.retain(|path, file| file.exists || !coming(path));
        facts.repository = repository.iter().find(|own| own.name == unit.name).cloned();
    }
    Ok(live)
}

/// Asks, in as many scripts as it takes.
pub fn ask(host: &mut dyn Host, questions: &[Question]) -> Result<Answers, Failure> {
    let mut answers = Answers::default();
    let mut rest = questions;
    while !rest.is_empty() {
        let mut size = 0;
        let fits = rest.iter().take_while(|question| {
            size += question.args().iter().map(|arg| arg.len() + 4).sum::<usize>();
            size <= MOST
        });
        let (now, later) = rest.split_at(fits.count().max(1));
        let args = now.iter().flat_map(Question::args);
        let out = run(host, &[Script::facts(args)], "querying the units")?;
        answers.extend(Answers::parse(now, &out));
        rest = later;
    }
    Ok(answers)
}

/// Runs quiet scripts in one session; what they printed, one after the other.
pub fn run(host: &mut dyn Host, scripts: &[Script], doing: &str) -> Result<Vec<u8>, Failure> {
    Ok(look(host, scripts, doing)?.join(&b'\n'))
}
