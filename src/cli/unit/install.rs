//! `shipit unit install`: installs the repository's units on the host, as root. Prints first what root will do, refuses
//! units with errors, and prints what running units need to use the new files. Never starts or restarts a running unit.

use std::collections::BTreeMap;
use std::time::Instant;

use serde_json::json;

use super::{diff, repository};
use crate::cli;
use crate::cli::args::{Global, Install};
use crate::cli::paper::Paper;
use crate::cli::root;
use crate::config::Config;
use crate::engine::install_units::install_units;
use crate::engine::{self, session};
use crate::failure::{Exit, Failure, Next};
use crate::observed::installed::InstalledUnits;
use crate::observed::{self, Answers, Question};
use crate::plan::unit_files::install::{Installation, installation};
use crate::plan::unit_files::{self, PLACE};
use crate::plan::units::{When, sudo_lines};
use crate::text::shown;
use crate::unit::merge::Unit;
use crate::unit::rules::{self, Facts, Finding, Severity};

pub(super) fn run(global: &Global, options: &Install) -> Result<Exit, Failure> {
    let config = cli::configuration(global)?;
    let repository = repository::of(&config)?;
    unit_files::all_own(&config, &repository)?;
    check(&config, &repository, None)?;
    let interrupts = cli::interrupts()?;
    let mut link = root::link(global, &config, options.login.as_deref(), &interrupts)?;
    let mut report = cli::reporter(global);
    let mut host = session::Link::connect(&mut link, report.as_mut())?;
    let installed = engine::units::observe(host.as_mut(), &config, &repository)?;
    let installation = installation(&config, &repository, &installed, None)?;
    for text in &installation.notes {
        report.warn(text.clone());
    }
    if installation.is_nothing(options.now) {
        let mut out = remains(&installation, options);
        if out.is_empty() {
            out.push_str("nothing to do: the host already has these units\n");
        } else {
            let next = next(&config, &installation, options, &installed, &[]);
            out = format!(
                "the host already has these units\n{out}next: {}\n",
                cli::typed(global).line(&next)
            );
        }
        print(global, &installation, &out);
        return Ok(Exit::Done);
    }
    // Who can change the way to a path, only the host shows.
    let answers = engine::ask::ask(host.as_mut(), &observed::root_paths(&repository))?;
    check(&config, &repository, Some(&answers))?;
    let through = root::Through::new(&config, options.login.as_deref())?;
    let text = format!("{}{}", through.will(), actions(&installation, options.now));
    let is_seen = !global.json && (!global.quiet || options.print);
    if is_seen {
        cli::results(&Paper::new(global).prose(&text));
    }
    if options.print {
        if global.json {
            print(global, &installation, "");
        }
        return Ok(Exit::Done);
    }
    if !options.yes {
        let asked = Instant::now();
        root::agreed(&through, (!is_seen).then_some(&text), &interrupts)?;
        host = session::after_pause(&mut link, host, asked, report.as_mut())?;
    }
    let services = services(&installation);
    let before = engine::ask::ask(host.as_mut(), &services)?.exposure;
    let rule = install_units(
        host.as_mut(),
        &config,
        &installation,
        &verbs(&installation, options.now),
        (installed.uid, &installed.user),
        &interrupts,
        report.as_mut(),
    )?;
    // The units are installed even if the connection breaks now: then the scores are left out.
    let after = engine::ask::ask(host.as_mut(), &services).map_or_else(|_| BTreeMap::new(), |answers| answers.exposure);
    let app = config.app.as_str();
    let next = next(&config, &installation, options, &installed, &rule);
    let mut out = scores(&before, &after);
    out.push_str(&remains(&installation, options));
    out.push_str(&format!(
        "the units of {app} are installed; next: {}\n",
        cli::typed(global).line(&next)
    ));
    print(global, &installation, &out);
    Ok(Exit::Done)
}

/// What to type after this. `rule`: the lines of the sudo rule, where root could read it.
fn next(
    config: &Config,
    installation: &Installation,
    options: &Install,
    installed: &InstalledUnits,
    rule: &[String],
) -> Next {
    // Without the guard, or with a rule older than these units, no deploy can run.
    let guarded = installed.apps.iter().any(|app| app == config.app.as_str());
    let needed = sudo_lines(config, When::Deploy);
    let outdated = !rule.is_empty() && needed.iter().any(|line| !rule.contains(line));
    if let Some(stop) = installation.unblock(config) {
        return match outdated {
            true => stop.then("&&", config.host.as_root("setup")),
            false => stop,
        };
    }
    if !options.now && !installation.start.is_empty() {
        return config.host.as_root("unit install --now");
    }
    if outdated || !guarded {
        return config.host.as_root("setup");
    }
    Next::shipit("deploy")
}

/// What the user still has to do so that the installed units are the running ones.
fn remains(installation: &Installation, options: &Install) -> String {
    let mut out = String::new();
    if !options.now {
        for name in &installation.start {
            let failed = installation.reset.contains(name);
            let state = if failed { "has failed" } else { "is not started" };
            out.push_str(&format!("{name} {state}: `unit install --now` starts it\n"));
        }
    }
    for (socket, service) in &installation.blocked {
        out.push_str(&format!("{socket} cannot listen while {service} runs without it\n"));
    }
    for sentence in &installation.after {
        out.push_str(&format!("{sentence}\n"));
    }
    out
}

/// Asks for the exposure of the services that change.
fn services(installation: &Installation) -> Vec<Question> {
    let services = installation.write.iter().map(|file| &file.name);
    services
        .filter(|name| name.kind() == "service" && !name.is_template())
        .map(|name| Question::Security(name.to_string()))
        .collect()
}

/// The scores of `systemd-analyze security`, before and after.
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

/// Fails with the findings of shipit's own rules that are errors. With the host's answers, those of `root-path`: nothing
/// else was asked.
pub(in crate::cli) fn check(config: &Config, repository: &[Unit], host: Option<&Answers>) -> Result<(), Failure> {
    let judged = |unit: &Unit| {
        let mut context = observed::context(unit, repository, Some(config));
        context.host = host.map(|answers| Facts::of_files(observed::files(unit, answers)));
        rules::lint(unit, &context)
    };
    let is_known = |finding: &Finding| host.is_none() || finding.rule == rules::ROOT_PATH;
    let mut errors = repository
        .iter()
        .flat_map(judged)
        .filter(|finding| finding.severity == Severity::Error && is_known(finding))
        .peekable();
    if errors.peek().is_none() {
        return Ok(());
    }
    let mut failure = Failure::new(Exit::Untouched, "these units have errors");
    for error in errors {
        failure = failure.why(format!(
            "{}:{}: {} [{}]",
            shown(error.file.as_bytes()),
            error.line,
            shown(error.message.as_bytes()),
            error.rule
        ));
    }
    if host.is_some() {
        let again = config.host.as_root("unit install");
        let next = again.remark("after you fix the paths, or their directories on the host");
        return Err(failure.host("nothing changed").next(next));
    }
    let dir = config.units.dir.strip_prefix(&config.dir).unwrap_or(&config.units.dir);
    Err(failure.host("nothing changed").next(Next::shipit("unit lint").arg(dir)))
}

/// What root will do, a line for each act, and every line of the files: root starts what a unit says.
pub(in crate::cli) fn actions(installation: &Installation, now: bool) -> String {
    let mut out = String::new();
    for unit in &installation.write {
        let verb = if unit.there.is_some() { "replace" } else { "write" };
        out.push_str(&format!("  {verb} {PLACE}/{} (root, 0644)\n", unit.name));
        out.push_str(&diff::lines(unit));
    }
    out.push_str("  systemctl daemon-reload\n");
    for (verb, names) in verbs(installation, now) {
        for name in names {
            out.push_str(&match verb {
                "user" => {
                    format!("  create the user {name} (system user, no home directory, no login)\n")
                }
                _ => format!("  systemctl {verb} {name}\n"),
            });
        }
    }
    out
}

/// What is done after the files are in place.
pub(in crate::cli) fn verbs(installation: &Installation, now: bool) -> Vec<(&'static str, &[String])> {
    let mut verbs = vec![
        ("user", installation.users.as_slice()),
        ("enable", &installation.enable),
    ];
    if now {
        verbs.push(("reset-failed", &installation.reset));
        verbs.push(("start", &installation.start));
    }
    verbs
}

fn print(global: &Global, installation: &Installation, text: &str) {
    if !global.json {
        return cli::results(&Paper::new(global).prose(text));
    }
    let names: Vec<&str> = installation.write.iter().map(|unit| unit.name.as_str()).collect();
    let object = json!({
        "v": 1, "write": names, "users": installation.users, "enable": installation.enable, "start": installation.start,
        "reload": !installation.is_nothing(false), "notes": installation.notes, "after": installation.after,
    });
    cli::results(&cli::object(&object));
}
