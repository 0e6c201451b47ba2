//! Reads the state of the host: what a plan needs, with the app's unit files, or with what `status` shows beside it.
//! Changes nothing.

use super::session::{lost_while, one};
use super::units;
use crate::config::Config;
use crate::failure::{Exit, Failure, Next};
use crate::host::{Host, Lost};
use crate::observed::Observed;
use crate::observed::installed::InstalledUnits;
use crate::observed::status::StatusReport;
use crate::plan::units::{Purpose, When, sudo_lines};
use crate::remote::{self, Answer, Batch, Script};
use crate::step::{self, Check};
use crate::text;
use crate::unit::merge::Unit;

/// Looks at the host, with all that this configuration asks about.
///
/// # Errors
/// When the line is lost or the script does not end well.
pub fn observe(host: &mut dyn Host, config: &Config) -> Result<Observed, Failure> {
    let answer =
        one(host, looking(config)).map_err(|lost| lost_while(&lost, "reading the host's state", "nothing changed"))?;
    Ok(Observed::parse(&answer.out))
}

/// The same, and in the same session the files of the app's units.
///
/// # Errors
/// When the line is lost or a script does not end well.
pub fn observe_with_units(host: &mut dyn Host, config: &Config, repository: &[Unit]) -> Result<Observed, Failure> {
    let scripts = [looking(config), units::script(config, repository)];
    let answers =
        together(host, scripts).map_err(|lost| lost_while(&lost, "reading the host's state", "nothing changed"))?;
    let mut answers = answers.into_iter();
    let mut observed = Observed::parse(&answers.next().unwrap_or_default().out);
    observed.installed = answers.next().map(|answer| InstalledUnits::parse(&answer.out));
    Ok(observed)
}

/// The same, and in the same session what `status` asks beside it.
///
/// # Errors
/// When the line is lost, or the second script says nothing.
pub fn observe_with_status(host: &mut dyn Host, config: &Config) -> Result<(Observed, StatusReport), Failure> {
    let mut args = vec![config.root.as_str().to_owned(), config.app.as_str().to_owned()];
    for one in config.instances() {
        let socket = one.service.socket.as_ref();
        let socket = socket.map_or("-", |socket| socket.as_str());
        let mut named = vec![("unit", one.unit.to_owned()), ("socket", socket.to_owned())];
        named.extend(Check::arguments(one.health.map(|health| &health.check)));
        args.push(step::words(&named).join(" "));
    }
    let scripts = [looking(config), Script::status(args)];
    let answers =
        together(host, scripts).map_err(|lost| lost_while(&lost, "reading the host's state", "nothing changed"))?;
    match answers.as_slice() {
        [first, second] if second.code == 0 => Ok((Observed::parse(&first.out), StatusReport::parse(&second.out))),
        _ => {
            let mut failure = Failure::new(Exit::Untouched, "cannot read the host's state");
            let last = answers.last().map(|a| a.err.as_slice()).unwrap_or_default();
            failure.why = last.iter().map(|line| text::shown(line)).collect();
            Err(failure.host("nothing changed").next(Next::shipit("doctor")))
        }
    }
}

/// Runs quiet scripts in one session. Those of an app with a dozen services are too much for one line: then each has
/// a session of its own, for one more round trip.
fn together(host: &mut dyn Host, scripts: [Script; 2]) -> Result<Vec<Answer>, Lost> {
    if remote::fits(&scripts) {
        return Batch::new(&scripts).quiet(host);
    }
    scripts.into_iter().map(|script| one(host, script)).collect()
}

fn looking(config: &Config) -> Script {
    let mut args: Vec<String> = vec![config.root.as_str().into(), config.app.as_str().into(), "auto".into()];
    let wanted = crate::plan::units::units(config, Purpose::Observe);
    args.extend(wanted.into_iter().map(String::from));
    args.push("--".into());
    args.extend(sudo_lines(config, When::Deploy));
    Script::observe(args)
}
