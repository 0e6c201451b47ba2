//! `shipit init`: writes deploy.yml for this directory, and systemd units if requested. Never overwrites a file. The kind
//! of project comes from `project`, the text of deploy.yml from `proposal`.

mod host;
mod proposal;

use std::io::Write;
use std::path::Path;

use super::args::{self, Global};
use super::paper::Paper;
use super::project::{self, About, Directory, Project, Serves};
use super::unit::{self, generate};
use crate::config::{self, AppName, Config, FILE_NAME, SCHEMA_NAME, Target};
use crate::failure::{Exit, Failure, Next};
use crate::host::ssh::{self, Reply};
use crate::text::shown;

pub(super) fn run(global: &Global, options: &args::Init) -> Result<Exit, Failure> {
    let path = global.config.clone().unwrap_or_else(|| FILE_NAME.into());
    // Before the first question.
    if !options.print && path.symlink_metadata().is_ok() {
        return Err(exists(&path));
    }
    let (app, host) = names(options)?;
    let dir = path
        .parent()
        .filter(|dir| !dir.as_os_str().is_empty())
        .unwrap_or(Path::new("."));
    let files =
        Directory::read(dir).map_err(|e| Failure::new(Exit::Usage, "cannot read this directory").why(e.to_string()))?;
    let mut project = project::detect(&files, app.as_str());
    let own_unit = dir.join("deploy/units").join(format!("{app}.service"));
    // A unit with the app's name shows that a process serves what looks like files alone.
    if let Some(project) = project.as_mut().filter(|_| own_unit.is_file()) {
        project.serves = Serves::Process;
    }
    let provided = project.as_ref().and_then(|project| project.unit);
    let has_units = project
        .as_ref()
        .is_some_and(|project| project.program.is_some() || migrates_only(project));
    if options.units && !has_units && provided.is_none() {
        return Err(no_units(&app, options));
    }
    let mut notes = String::new();
    if let Some(unit) = provided.filter(|_| options.units && !has_units) {
        notes.push_str(&format!(
            "no unit was written: this app runs in {unit}, which the distribution provides\n"
        ));
    }
    // Before the new one is written: what commands in this directory use until now.
    if let Some(other) = unit::nearest(dir)?.filter(|_| !path.exists()) {
        let other = shown(other.as_os_str().as_encoded_bytes());
        notes.push_str(&format!(
            "{other} is in a directory above this one: commands that you run here now use the new file instead\n"
        ));
    }
    let port = match options.port {
        Some(port) => port,
        None => port(global, &app, &host, project.as_mut(), own_unit.is_file(), &mut notes)?,
    };
    if let Some(project) = project.as_mut().filter(|project| project.port != port) {
        project.ask_port(port);
    }
    let hosted = project.as_ref().is_some_and(migrates_only);
    let text = proposal::text(&app, &host, project.as_ref(), &files, port);
    if options.print {
        let mut texts = vec![text];
        if options.units && has_units {
            let units = generate::proposed(&config::of_text(&texts[0], &path)?, hosted)?;
            texts.extend(units.into_iter().map(|unit| unit.text));
        }
        super::results(&texts.join("\n"));
        return Ok(Exit::Done);
    }
    write(&path, &text)?;
    let mut out = format!("wrote {}\n", shown(path.as_os_str().as_encoded_bytes()));
    let schema = path.with_file_name(SCHEMA_NAME);
    if !schema.exists() {
        write(&schema, &config::schema())?;
        out.push_str(&format!("wrote {}\n", shown(schema.as_os_str().as_encoded_bytes())));
    }
    let own = Target::parse(&host).ok().filter(|_| host != EXAMPLE_HOST);
    let login = own.map_or_else(|| "root@HOST".into(), |target| target.with_login("root"));
    if has_units && wanted(options, project.as_ref(), &own_unit)? {
        units(&config::load(&path, None)?, hosted, &mut out)?;
    }
    let next = super::typed(global).line(&Next::shipit("up --as").arg(&login));
    if host == EXAMPLE_HOST {
        out.push_str(&format!(
            "the host in deploy.yml is an example: {EXAMPLE_HOST}; replace it with yours\n"
        ));
    }
    super::results(&Paper::new(global).prose(&summary(project.as_ref(), &out, &notes, &next)));
    Ok(Exit::Done)
}

/// What was found and written, what to check, and what to type.
pub(super) fn summary(project: Option<&Project>, wrote: &str, notes: &str, next: &str) -> String {
    let mut out = match project {
        Some(project) => format!("detected {}\n", shown(project.what.as_bytes())),
        None => "no known project type found in this directory; deploy.yml contains only the required keys\n".into(),
    };
    out.push_str(wrote);
    let checks: Vec<_> = project.iter().flat_map(|project| &project.checks).collect();
    if !checks.is_empty() {
        out.push_str("check before the first deploy (marked `# check:` in deploy.yml):\n");
    }
    for check in checks {
        let (about, why) = (check.about.as_str(), shown(check.why.as_bytes()));
        out.push_str(&format!("  {about}  {why}\n"));
    }
    out.push_str(notes);
    out.push_str(&format!("review it, then run: {next}\n"));
    out
}

/// The host of a deploy.yml for which nobody named one.
const EXAMPLE_HOST: &str = "deploy@app.example.com";

/// Whether the app runs in a unit of the distribution, and only its migration needs one.
fn migrates_only(project: &Project) -> bool {
    project.unit.is_some() && project.migrate.is_some()
}

fn no_units(app: &AppName, options: &args::Init) -> Failure {
    let mut init = Next::offline("init");
    let port = options.port.map(|port| port.to_string());
    for (name, value) in [("--host", &options.host), ("--app", &options.app), ("--port", &port)] {
        if let Some(value) = value {
            init = init.arg(name).arg(value);
        }
    }
    Failure::new(Exit::Usage, "cannot detect which units to write")
        .why("no file in this directory shows which program to run")
        .next(init.then(
            "&&",
            Next::shipit(format!(
                "unit generate --app {app} --program binary --command '/opt/{app}/current/{app}'"
            )),
        ))
}

/// The app's name and the host: from the options, or from the name of this directory and an example.
fn names(options: &args::Init) -> Result<(AppName, String), Failure> {
    let here = Path::new(".")
        .canonicalize()
        .map_err(|e| Failure::new(Exit::Usage, "cannot read this directory").why(e.to_string()))?;
    let name = options.app.clone().unwrap_or_else(|| {
        here.file_name()
            .map(|name| name.to_string_lossy().into_owned())
            .unwrap_or_default()
    });
    let app: String = name
        .to_lowercase()
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() { c } else { '-' })
        .collect();
    let app = app.trim_matches('-');
    let app = if app.is_empty() { "app" } else { app };
    let wrong = |what: &str, wrong: config::names::Wrong| Failure::new(Exit::Usage, format!("{what}: {}", wrong.0));
    let app = AppName::parse(app).map_err(|w| wrong("--app", w))?;
    let host = match &options.host {
        Some(host) => host.clone(),
        None => asked(options)?.unwrap_or_else(|| EXAMPLE_HOST.into()),
    };
    Target::parse(&host).map_err(|w| wrong("--host", w))?;
    Ok((app, host))
}

/// The host, as a user on a terminal types it. Nothing typed means the example.
fn asked(options: &args::Init) -> Result<Option<String>, Failure> {
    if options.print {
        return Ok(None);
    }
    let mut terminal = ssh::terminal(&super::interrupts()?);
    let question = "Which host do you deploy to? USER@HOST (press Enter to set it later): ";
    loop {
        match terminal.line(question) {
            Reply::NoTerminal => return Ok(None),
            Reply::Cancelled => {
                return Err(Failure::new(Exit::Untouched, "no host was given").host("nothing was written"));
            }
            Reply::Given(typed) if typed.trim().is_empty() => return Ok(None),
            Reply::Given(typed) => match Target::parse(typed.trim()) {
                Ok(_) => return Ok(Some(typed.trim().to_owned())),
                Err(wrong) => super::note(&wrong.0),
            },
        }
    }
}

/// The port for the app: the usual one, or the next that is free on the host. What the user should know goes to `notes`.
fn port(
    global: &Global,
    app: &AppName,
    host: &str,
    project: Option<&mut Project>,
    has_unit: bool,
    notes: &mut String,
) -> Result<u16, Failure> {
    let unknown = Project::unknown();
    let usual = project.as_ref().map_or(unknown.port, |project| project.port);
    let listens = project
        .as_ref()
        .is_none_or(|project| project.serves == Serves::Process && project.unit.is_none());
    // Nobody named the host, or the app does not listen.
    let target = Target::parse(host).ok().filter(|_| host != EXAMPLE_HOST && listens);
    let Some(target) = target else { return Ok(usual) };
    let interrupts = super::interrupts()?;
    let taken = match host::ask(global, &target, &interrupts) {
        Ok(taken) => taken,
        Err(_) if interrupts.count() > 0 => {
            return Err(Failure::new(Exit::Untouched, "interrupted").host("nothing was written"));
        }
        Err(failure) => {
            notes.push_str(&format!(
                "port {usual} is a guess: the host was not asked which ports are free ({})\n",
                shown(failure.what.as_bytes())
            ));
            return Ok(usual);
        }
    };
    if taken.has(app) {
        notes.push_str(&format!(
            "{app} is already set up on this host; if that is another app, remove these files and run `shipit init --app NAME`\n"
        ));
    }
    let Some(holder) = taken.holder(usual, app).map(|unit| shown(unit.as_bytes())) else {
        return Ok(usual);
    };
    // The source or the user's own unit decides: what they say is no proposal.
    let fixed = has_unit || usual != unknown.port;
    let free = taken.free(usual, app).filter(|_| !fixed);
    let why = match free {
        Some(free) => {
            // A socket unit has the port, and the app needs not know it.
            let question = match &project {
                Some(project) if project.strategy.needs_socket() => String::new(),
                _ => format!("; the generated unit sets PORT={free}: does the app use it?"),
            };
            format!("port {usual} is taken on the host by {holder}, so this is {free}{question}")
        }
        None => format!("port {usual} is taken on the host by {holder}: choose another one, here and in the app"),
    };
    match project {
        Some(project) if free.is_none() || !project.strategy.needs_socket() => project.check(About::Health, why),
        _ => notes.push_str(&format!("{why}\n")),
    }
    Ok(free.unwrap_or(usual))
}

fn write(path: &Path, text: &str) -> Result<(), Failure> {
    let wrong = |e: std::io::Error| {
        let path = shown(path.as_os_str().as_encoded_bytes());
        Failure::new(Exit::Usage, format!("cannot write {path}")).why(e.to_string())
    };
    let mut file = std::fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .open(path)
        .map_err(|e| match e.kind() {
            std::io::ErrorKind::AlreadyExists => exists(path),
            _ => wrong(e).next(Next::again("--print")),
        })?;
    file.write_all(text.as_bytes()).map_err(wrong)
}

fn exists(path: &Path) -> Failure {
    let name = shown(path.as_os_str().as_encoded_bytes());
    Failure::new(Exit::Usage, format!("{name} exists already"))
        .why("init never overwrites a file")
        .next(Next::again("--print"))
        .next(Next::shipit("unit generate").remark("writes only the units"))
}

/// Whether to write units: by the option, or by the answer on a terminal.
fn wanted(options: &args::Init, project: Option<&Project>, unit: &Path) -> Result<bool, Failure> {
    if options.units {
        return Ok(true);
    }
    let writable = project.is_some_and(|p| (p.program.is_some() || migrates_only(p)) && p.serves == Serves::Process);
    if !writable || unit.is_file() {
        return Ok(false);
    }
    let question = "Also write systemd units to deploy/units?";
    // Without a terminal the answer is no.
    let reply = ssh::terminal(&super::interrupts()?).yes(question);
    Ok(reply == Reply::Given(true))
}

fn units(config: &Config, hosted: bool, out: &mut String) -> Result<(), Failure> {
    let units = generate::proposed(config, hosted)
        .map_err(|failure| failure.host(format!("{FILE_NAME} was written; the units were not")))?;
    generate::write(&config.units.dir, &units, Next::shipit("unit generate"))?;
    let dir = config.units.dir.strip_prefix(&config.dir).unwrap_or(&config.units.dir);
    for unit in &units {
        out.push_str(&format!("wrote {}\n", dir.join(&unit.name).display()));
    }
    Ok(())
}
