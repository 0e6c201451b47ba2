//! `shipit unit install`: puts the repository's units on the host, as root. Shows first what root will do, refuses what
//! would hurt, and says what running units need to take it up. Starts and restarts nothing.

use std::collections::BTreeMap;

use serde_json::json;

use super::super::args::{Global, Install};
use super::super::root;
use super::{diff, repository};
use crate::config::Config;
use crate::engine::held::held;
use crate::engine::{self, session};
use crate::failure::{Exit, Failure, Next};
use crate::observed::Observed;
use crate::observed::{self, Question};
use crate::plan::unit_files::install::{Installation, installation};
use crate::plan::unit_files::{self, PLACE};
use crate::remote::{Answer, Script, exits};
use crate::report::event::Event;
use crate::text::shown;
use crate::unit::merge::Unit;
use crate::unit::rules::{self, Severity};

pub(super) fn run(global: &Global, wish: &Install) -> Result<Exit, Failure> {
    let config = super::super::configuration(global)?;
    let repository = repository::of(&config)?;
    unit_files::all_own(&config, &repository)?;
    judged(&config, &repository)?;
    let interrupts = super::super::interrupts()?;
    let mut link = root::link(global, &config, wish.login.as_deref(), &interrupts)?;
    let mut report = super::super::reporter(global);
    let mut host = session::Link::connect(&mut link, report.as_mut())?;
    let seen = engine::units::look(host.as_mut(), &config, &repository)?;
    let installation = installation(&config, &repository, &seen)?;
    for text in &installation.notes {
        report.event(&Event::Warning { text: text.clone() });
    }
    if installation.is_nothing() {
        tell(
            global,
            &installation,
            "nothing to do: the host has these units\n",
        );
        return Ok(Exit::Done);
    }
    if !global.json && (!global.quiet || wish.print) {
        super::super::results(&preview(&installation, wish));
    }
    if wish.print {
        if global.json {
            tell(global, &installation, "");
        }
        return Ok(Exit::Done);
    }
    if !wish.yes {
        root::agreed(&interrupts)?;
    }
    let mut args = vec![config.root.as_str()];
    for (verb, names) in verbs(&installation, wish) {
        args.extend(names.iter().flat_map(|name| [verb, name.as_str()]));
    }
    let services = services(&installation);
    let before = engine::ask::ask(host.as_mut(), &services)?.exposure;
    let script = Script::install_units(args);
    let login = (seen.uid, seen.user.as_str());
    let answer = root::run(
        host.as_mut(),
        script,
        &installation.payload(),
        login,
        "installing units",
        &interrupts,
        report.as_mut(),
    )?;
    if answer.code != 0 {
        return Err(failure(&config, &answer, seen.uid == Some(0)));
    }
    // They are installed, whatever becomes of the line now: a score that cannot be asked for is left out.
    let after = engine::ask::ask(host.as_mut(), &services)
        .map_or_else(|_| BTreeMap::new(), |answers| answers.exposure);
    // Without the guard no deploy would be carried out.
    let app = config.app.as_str();
    let next = if seen.apps.iter().any(|guarded| guarded == app) {
        Next::shipit("deploy")
    } else {
        config.host.as_root("setup")
    };
    let mut said = scores(&before, &after);
    said.push_str(&remains(&installation, wish));
    said.push_str(&format!(
        "the units of {app} are installed; next: {}\n",
        super::super::typed(global).line(&next)
    ));
    tell(global, &installation, &said);
    Ok(Exit::Done)
}

/// What is left to do before the installed units are what runs.
fn remains(installation: &Installation, wish: &Install) -> String {
    let mut said = String::new();
    if !wish.now {
        for name in &installation.start {
            said.push_str(&format!(
                "{name} is new and not started: systemctl start {name}\n"
            ));
        }
    }
    for sentence in &installation.after {
        said.push_str(&format!("{sentence}\n"));
    }
    said
}

/// What the services that change are asked, before and after: how exposed they are.
fn services(installation: &Installation) -> Vec<Question> {
    let services = installation.write.iter().map(|file| &file.name);
    services
        .filter(|name| name.kind() == "service" && !name.is_template())
        .map(|name| Question::Security(name.to_string()))
        .collect()
}

/// What `systemd-analyze security` says now, beside what it said before.
fn scores(before: &BTreeMap<String, f32>, after: &BTreeMap<String, f32>) -> String {
    let line = |(unit, now): (&String, &f32)| {
        let was = before.get(unit);
        let was = was.map_or(String::new(), |was| format!(", before {was:.1}"));
        format!(
            "{}: exposure {now:.1} of 10{was} (systemd-analyze security; 0 is safe)\n",
            shown(unit.as_bytes())
        )
    };
    after.iter().map(line).collect()
}

/// shipit's own rules, before anything is looked at on a host: errors end it.
fn judged(config: &Config, repository: &[Unit]) -> Result<(), Failure> {
    let mut errors = repository
        .iter()
        .flat_map(|unit| rules::lint(unit, &observed::context(unit, repository, Some(config))))
        .filter(|finding| finding.severity == Severity::Error)
        .peekable();
    if errors.peek().is_none() {
        return Ok(());
    }
    let mut failure = Failure::new(Exit::Untouched, "these units would not work");
    for error in errors {
        failure = failure.why(format!(
            "{}:{}: {} [{}]",
            shown(error.file.as_bytes()),
            error.line,
            shown(error.message.as_bytes()),
            error.rule
        ));
    }
    let dir = config
        .units
        .dir
        .strip_prefix(&config.dir)
        .unwrap_or(&config.units.dir);
    Err(failure
        .host("nothing changed")
        .next(Next::shipit("unit lint").arg(dir)))
}

/// What root will do, as a person reads it before.
fn preview(installation: &Installation, wish: &Install) -> String {
    let mut out = String::from("As root, shipit will:\n");
    for unit in &installation.write {
        let verb = if unit.there.is_some() {
            "replace"
        } else {
            "write"
        };
        out.push_str(&format!("  {verb} {PLACE}/{} (root, 0644)\n", unit.name));
        out.push_str(&diff::lines(unit));
    }
    out.push_str("  systemctl daemon-reload\n");
    for (verb, names) in verbs(installation, wish) {
        for name in names {
            out.push_str(&match verb {
                "user" => format!("  make the user {name} (system, no home, no login)\n"),
                _ => format!("  systemctl {verb} {name}\n"),
            });
        }
    }
    out
}

/// What is done once the files are in place.
fn verbs<'a>(installation: &'a Installation, wish: &Install) -> Vec<(&'static str, &'a [String])> {
    let mut verbs = vec![
        ("user", installation.users.as_slice()),
        ("enable", &installation.enable),
    ];
    if wish.now {
        verbs.push(("start", &installation.start));
    }
    verbs
}

fn tell(global: &Global, installation: &Installation, words: &str) {
    if !global.json {
        return super::super::results(words);
    }
    let names: Vec<&str> = installation
        .write
        .iter()
        .map(|unit| unit.name.as_str())
        .collect();
    let object = json!({
        "v": 1, "write": names, "users": installation.users, "enable": installation.enable, "start": installation.start,
        "reload": !installation.is_nothing(), "notes": installation.notes, "after": installation.after,
    });
    super::super::results(&super::super::object(&object));
}

fn failure(config: &Config, answer: &Answer, is_root: bool) -> Failure {
    let mut failure = Failure::new(Exit::Untouched, "the units were not installed")
        .host("the host has the units it had");
    failure.why = answer.err.iter().map(|line| shown(line)).collect();
    match answer.code {
        1 | exits::NOT_ROOT if !is_root => failure
            .why("this login has neither root nor sudo")
            .next(Next::shipit("unit install --as").arg(config.host.with_login("root"))),
        exits::UNITS_CUT_OFF => failure
            .why("they did not arrive whole")
            .next(Next::shipit("unit install")),
        exits::UNITS_FAILED => failure
            .why("a command failed on the host; the old files are back")
            .next(Next::shipit("unit install")),
        exits::UNITS_CHANGED => failure
            .why("somebody else changes units on the host")
            .next(Next::shipit("unit diff")),
        exits::SWITCHING => {
            let why = "a switch could not go back to the units that it began with";
            match Observed::parse(&answer.out).request {
                Some(request) => held(&request, "the host has the units it had").why(why),
                None => {
                    failure.exit = Exit::Locked;
                    failure.why("the host is busy with a request").why(why)
                }
            }
        }
        exits::UNITS_INVALID => failure
            .why("systemd-analyze verify, run on the host, refuses them")
            .next(Next::again("").remark("once that is mended")),
        exits::UNITS_NOT_STARTED => {
            failure.what = "the units are installed, and what was to follow was not done".into();
            failure.host = Some("the new files are in place; what ran still runs".into());
            failure.next(Next::shipit("doctor"))
        }
        code => failure
            .why(format!("it left with {code}"))
            .next(Next::shipit("unit diff")),
    }
}
