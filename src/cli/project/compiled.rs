//! What compiled programs have in common. Never builds them itself.

use super::directory::lists;
use super::evidence::{self, Start};
use super::{About, Directory, Project};
use crate::unit::generate::Program;

pub(super) fn binary(what: &str) -> Project {
    let mut project = Project::new(what);
    project.source = "build".into();
    project.program = Some(Program::Binary);
    project
}

/// Directories that programs read while they run. They are copied beside the program unless the source embeds them.
const DATA: [&str; 13] = [
    "templates",
    "static",
    "public",
    "assets",
    "views",
    "migrations",
    "web",
    "locales",
    "config",
    "configuration",
    "configs",
    "conf",
    "i18n",
];

/// Whether a text contains this path, alone or as the beginning of another: `"web"`, `"web/x"`, but not `"website"`.
pub(super) fn names_path(text: &str, path: &str) -> bool {
    let ends = |rest: &str| rest.starts_with(['/', '"', '`', '*']);
    text.match_indices(path).any(|(at, _)| ends(&text[at + path.len()..]))
}

/// Ships the directories that the program reads at run time.
pub(super) fn data(dir: &Directory, embeds: impl Fn(&str) -> bool, project: &mut Project) {
    let has = |name: &&&str| dir.has(&format!("{name}/"));
    let front = DATA
        .iter()
        .chain(&["frontend", "ui", "client"])
        .find(|name| dir.has(&format!("{name}/package.json")));
    if let Some(name) = front {
        project.check(
            About::Build,
            format!("{name}/ looks like a front end: must it be built first?"),
        );
    }
    let ours = |name: &&str| Some(name) != front && !embeds(name);
    let names: Vec<&str> = DATA.iter().filter(has).copied().filter(ours).collect();
    if names.is_empty() {
        return;
    }
    let names = names.join(" ");
    Project::append(&mut project.build, &format!("cp -R {names} build/"));
    project.check(
        About::Build,
        format!("{names}: does the program read them while it runs? If not, do not copy them"),
    );
}

/// The arguments of a program, as the Dockerfile or the Procfile has them, or the subcommand that serves.
pub(super) fn arguments(dir: &Directory, app: &str, subcommand: Option<&str>, project: &mut Project) {
    let found = match evidence::web(dir) {
        Some(Ok(start)) => taken(&start, project.port),
        Some(Err(why)) => {
            project.check(About::Command, why);
            None
        }
        None => None,
    };
    // An entry point alone leaves the arguments to whoever starts the container: a unit file has them.
    let bare = found.as_ref().is_some_and(|(rest, _)| rest.is_empty());
    let by_unit = || {
        evidence::unit_files(dir)?
            .ok()
            .and_then(|start| taken(&start, project.port))
    };
    let found = if bare { by_unit().or(found) } else { found };
    let (rest, from) = match (found, subcommand) {
        (Some((rest, from)), _) if !rest.is_empty() => (rest, from),
        (Some((_, from)), Some(name)) => {
            let why = format!(
                "{from} starts it without arguments, and the source has a subcommand `{name}`: does the program serve requests without it?"
            );
            return project.check(About::Command, why);
        }
        (None, Some(name)) => (vec![name.to_owned()], "the source".into()),
        _ => return,
    };
    let words: Vec<String> = [format!("{{root}}/current/{app}")].into_iter().chain(rest).collect();
    project.command = Some(evidence::line(&words));
    project.check(
        About::Command,
        format!("the arguments come from {from}: do the paths in them exist on the host?"),
    );
}

fn taken(start: &Start, port: u16) -> Option<(Vec<String>, String)> {
    let (program, rest) = start.words.split_first()?;
    let name = program.rsplit('/').next().unwrap_or(program);
    // A shell, an init of containers, or a build tool: what it starts is not an argument of the program.
    let other = lists("sh bash tini dumb-init go cargo make java dotnet air", name)
        || evidence::is_foreign(name)
        || name.ends_with(".sh");
    (!other).then(|| (evidence::with_port(rest, port), start.from.clone()))
}
