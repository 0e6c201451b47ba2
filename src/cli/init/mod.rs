//! `shipit init`: looks at this directory and writes deploy.yml, and systemd units where they are wanted. Never
//! overwrites. What the directory is, is `project`'s to say; how the file reads is `proposal`'s.

mod proposal;

use std::io::Write;
use std::path::Path;

use super::args::{self, Global};
use super::project::{self, Project, Seen, Serves};
use super::unit::generate;
use crate::config::{self, AppName, Config, FILE_NAME, Target};
use crate::failure::{Exit, Failure, Next};
use crate::host::ssh::{self, Reply};
use crate::text::shown;

pub(super) fn run(global: &Global, wish: &args::Init) -> Result<Exit, Failure> {
    let path = global.config.clone().unwrap_or_else(|| FILE_NAME.into());
    let (app, host) = names(wish)?;
    let dir = path
        .parent()
        .filter(|dir| !dir.as_os_str().is_empty())
        .unwrap_or(Path::new("."));
    let seen = Seen::read(dir).map_err(|e| {
        Failure::new(Exit::Usage, "this directory could not be looked at").why(e.to_string())
    })?;
    let project = project::recognise(&seen, app.as_str());
    if wish.units
        && project
            .as_ref()
            .is_none_or(|project| project.program.is_none())
    {
        return Err(no_units(&app, project.as_ref()));
    }
    let text = proposal::text(&app, &host, project.as_ref());
    if wish.print {
        super::results(&text);
        return Ok(Exit::Done);
    }
    write(&path, &text)?;
    let mut said = match &project {
        Some(project) => format!("this is {}\n", shown(project.what.as_bytes())),
        None => {
            "no file here tells what kind of project this is: the proposal is the smallest one\n"
                .into()
        }
    };
    said.push_str(&format!(
        "wrote {}\n",
        shown(path.as_os_str().as_encoded_bytes())
    ));
    for note in project.iter().flat_map(|project| &project.notes) {
        said.push_str(&format!("look at this: {}\n", shown(note.as_bytes())));
    }
    let login = Target::parse(&host)
        .map_or_else(|_| "root@HOST".into(), |target| target.with_login("root"));
    let units = if wanted(wish, project.as_ref())? {
        units(&config::load(&path, None)?, &mut said)?
    } else {
        Units::Yours
    };
    let unit = dir.join("deploy/units").join(format!("{app}.service"));
    let setup = Next::shipit("setup --as").arg(&login);
    let install = |words: &str| Next::shipit(words).arg(&login).then("&&", setup.clone());
    let next = match units {
        Units::Written => install("unit install --now --as"),
        Units::Yours if unit.is_file() => install("unit install --as"),
        Units::Yours => setup,
    };
    let next = super::typed(global).line(&next);
    said.push_str(&format!("look it over, then: {next}\n"));
    super::results(&said);
    Ok(Exit::Done)
}

/// Units were asked for, and which is not known.
fn no_units(app: &AppName, project: Option<&Project>) -> Failure {
    let failure = Failure::new(Exit::Usage, "which units to write is not known");
    match project.and_then(|project| project.unit) {
        Some(unit) => failure
            .why(format!(
                "what serves here is {unit}, which the distribution brings"
            ))
            .next(Next::offline("init")),
        None => failure
            .why("this directory does not tell what serves")
            .next(Next::offline("init").then(
            "&&",
            Next::shipit(format!(
                "unit generate --app {app} --program binary --command '/opt/{app}/current/{app}'"
            )),
        )),
    }
}

/// Who wrote the units of the app.
enum Units {
    Written,
    /// Whoever put them on the host, or will.
    Yours,
}

/// The app's name and the host, as they were given, or as this directory is called.
fn names(wish: &args::Init) -> Result<(AppName, String), Failure> {
    let here = Path::new(".").canonicalize().map_err(|e| {
        Failure::new(Exit::Usage, "this directory could not be looked at").why(e.to_string())
    })?;
    let name = wish.app.clone().unwrap_or_else(|| {
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
    let wrong = |what: &str, wrong: config::names::Wrong| {
        Failure::new(Exit::Usage, format!("{what}: {}", wrong.0))
    };
    let app = AppName::parse(app).map_err(|w| wrong("--app", w))?;
    let host = wish
        .host
        .clone()
        .unwrap_or_else(|| "deploy@app.example.com".into());
    Target::parse(&host).map_err(|w| wrong("--host", w))?;
    Ok((app, host))
}

fn write(path: &Path, text: &str) -> Result<(), Failure> {
    let wrong = |e: std::io::Error| {
        let path = shown(path.as_os_str().as_encoded_bytes());
        Failure::new(Exit::Usage, format!("{path} could not be written")).why(e.to_string())
    };
    let mut file = std::fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .open(path)
        .map_err(|e| {
            wrong(e)
                .next(Next::offline("init --print"))
                .next(Next::shipit("unit generate").remark("for the units alone"))
        })?;
    file.write_all(text.as_bytes()).map_err(wrong)
}

/// Whether units are written: as it was said, or asked where somebody can answer.
fn wanted(wish: &args::Init, project: Option<&Project>) -> Result<bool, Failure> {
    if wish.units {
        return Ok(true);
    }
    let writable = project.is_some_and(|p| p.program.is_some() && p.serves == Serves::Process);
    // Asked of nobody where there is no terminal: the answer is no.
    if !writable {
        return Ok(false);
    }
    let question = "Write systemd units for it too, to deploy/units?";
    let reply = ssh::terminal(&super::interrupts()?).yes(question);
    Ok(reply == Reply::Given(true))
}

/// Writes the units beside the new deploy.yml.
fn units(config: &Config, said: &mut String) -> Result<Units, Failure> {
    let units = generate::proposed(config)
        .map_err(|failure| failure.host(format!("{FILE_NAME} is written; the units are not")))?;
    generate::write(&config.units.dir, &units)?;
    let dir = config
        .units
        .dir
        .strip_prefix(&config.dir)
        .unwrap_or(&config.units.dir);
    for unit in &units {
        said.push_str(&format!("wrote {}\n", dir.join(&unit.name).display()));
    }
    Ok(Units::Written)
}
