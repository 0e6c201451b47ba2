//! `shipit init`: writes deploy.yml for this directory, and systemd units if requested. Never overwrites a file. The kind
//! of project comes from `project`, the text of deploy.yml from `proposal`.

mod proposal;

use std::io::Write;
use std::path::Path;

use super::args::{self, Global};
use super::project::{self, Directory, Project, Serves};
use super::unit::generate;
use crate::config::{self, AppName, Config, FILE_NAME, Target};
use crate::failure::{Exit, Failure, Next};
use crate::host::ssh::{self, Reply};
use crate::text::shown;

pub(super) fn run(global: &Global, options: &args::Init) -> Result<Exit, Failure> {
    let path = global.config.clone().unwrap_or_else(|| FILE_NAME.into());
    let (app, host) = names(options)?;
    let dir = path
        .parent()
        .filter(|dir| !dir.as_os_str().is_empty())
        .unwrap_or(Path::new("."));
    let files =
        Directory::read(dir).map_err(|e| Failure::new(Exit::Usage, "cannot read this directory").why(e.to_string()))?;
    let project = project::detect(&files, app.as_str());
    if options.units && project.as_ref().is_none_or(|project| project.program.is_none()) {
        return Err(no_units(&app, project.as_ref()));
    }
    let text = proposal::text(&app, &host, project.as_ref());
    if options.print {
        super::results(&text);
        return Ok(Exit::Done);
    }
    write(&path, &text)?;
    let mut out = match &project {
        Some(project) => format!("detected {}\n", shown(project.what.as_bytes())),
        None => "no known kind of project in this directory: deploy.yml has only what is required\n".into(),
    };
    out.push_str(&format!("wrote {}\n", shown(path.as_os_str().as_encoded_bytes())));
    for note in project.iter().flat_map(|project| &project.notes) {
        out.push_str(&format!("note: {}\n", shown(note.as_bytes())));
    }
    let login = Target::parse(&host).map_or_else(|_| "root@HOST".into(), |target| target.with_login("root"));
    let units = if wanted(options, project.as_ref())? {
        units(&config::load(&path, None)?, &mut out)?
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
    out.push_str(&format!("review it, then run: {next}\n"));
    super::results(&out);
    Ok(Exit::Done)
}

fn no_units(app: &AppName, project: Option<&Project>) -> Failure {
    let failure = Failure::new(Exit::Usage, "cannot detect which units to write");
    match project.and_then(|project| project.unit) {
        Some(unit) => failure
            .why(format!("this app runs in {unit}, which the distribution provides"))
            .next(Next::offline("init")),
        None => failure
            .why("no file in this directory shows which program to run")
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
    /// The user installs them, or has done so.
    Yours,
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
    let host = options.host.clone().unwrap_or_else(|| "deploy@app.example.com".into());
    Target::parse(&host).map_err(|w| wrong("--host", w))?;
    Ok((app, host))
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
        .map_err(|e| {
            wrong(e)
                .next(Next::offline("init --print"))
                .next(Next::shipit("unit generate").remark("for the units only"))
        })?;
    file.write_all(text.as_bytes()).map_err(wrong)
}

/// Whether to write units: by the option, or by the answer on a terminal.
fn wanted(options: &args::Init, project: Option<&Project>) -> Result<bool, Failure> {
    if options.units {
        return Ok(true);
    }
    let writable = project.is_some_and(|p| p.program.is_some() && p.serves == Serves::Process);
    if !writable {
        return Ok(false);
    }
    let question = "Also write systemd units to deploy/units?";
    // Without a terminal the answer is no.
    let reply = ssh::terminal(&super::interrupts()?).yes(question);
    Ok(reply == Reply::Given(true))
}

fn units(config: &Config, out: &mut String) -> Result<Units, Failure> {
    let units = generate::proposed(config)
        .map_err(|failure| failure.host(format!("{FILE_NAME} was written; the units were not")))?;
    generate::write(&config.units.dir, &units)?;
    let dir = config.units.dir.strip_prefix(&config.dir).unwrap_or(&config.units.dir);
    for unit in &units {
        out.push_str(&format!("wrote {}\n", dir.join(&unit.name).display()));
    }
    Ok(Units::Written)
}
