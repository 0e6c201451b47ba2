//! What a service's user meets on the host: directories that it may not enter, paths that its sandbox makes read-only,
//! scripts that no kernel can start. Shared files are in `files`.

use super::remedy::{can_act, only_root};
use super::{Area, Depth, Evidence, Finding, packages};
use crate::config::Config;
use crate::failure::Next;
use crate::observed::Live;
use crate::text::shown;
use crate::unit::merge::Unit;
use crate::unit::rules::{Facts, FileFact, Severity};
use crate::unit::specifier::{self, Place};

pub(super) fn findings(config: &Config, live: &Live, evidence: &Evidence) -> Vec<Finding> {
    let mut found = Vec::new();
    for one in config.instances() {
        let Some((unit, facts)) = live.unit(one.unit) else {
            continue;
        };
        found.extend(not_entered(config, unit, facts, live));
        if let Some(script) = live.answers.windows_scripts.get(one.unit) {
            found.push(windows(unit, facts, script));
        }
        // What is only read, by an interpreter that is there, needs none of its own.
        let starts = |script: &str| {
            let mut commands = unit.commands("ExecStart").into_iter();
            commands.any(|(command, _)| command.program == script || command.program.contains('%'))
        };
        let missing = live.answers.missing_interpreters.get(one.unit);
        if let Some((script, program)) = missing.filter(|(script, _)| starts(script)) {
            found.push(uninterpreted(config, unit, facts, script, program));
        }
        found.extend(not_executable(unit, facts, live));
        if let Some(file) = evidence.ignored_lines.get(one.unit) {
            found.push(ignored(config, unit, file));
        }
        if let Some(line) = evidence.read_only.get(one.unit) {
            found.push(read_only(config, unit, facts, line));
        }
    }
    found
}

/// The groups of a user whose rights are known. `None` for root, and for a user that cannot be looked up.
pub(super) fn groups<'a>(user: &str, live: &'a Live) -> Option<&'a [String]> {
    if matches!(user, "" | "root" | "0") || user.contains('%') {
        return None;
    }
    live.answers.memberships.get(user).map(Vec::as_slice)
}

/// Whether owner, group and mode give a user these rights: 4 to read, 1 to enter.
pub(super) fn allows(fact: &FileFact, user: &str, groups: &[String], rights: u32) -> bool {
    let bits = if fact.owner == user {
        fact.mode >> 6
    } else if groups.contains(&fact.group) {
        fact.mode >> 3
    } else {
        fact.mode
    };
    bits & rights == rights
}

/// The first directory above a path that a user may not enter.
pub(super) fn closed(path: &str, user: &str, root: &str, live: &Live) -> Option<(String, FileFact)> {
    let groups = groups(user, live)?;
    let mut above: Vec<&str> = std::path::Path::new(path)
        .ancestors()
        .skip(1)
        .filter_map(|dir| dir.to_str())
        .collect();
    above.reverse();
    // The way through `current` leads through the directory of releases, which its path does not name.
    let [current, releases] = ["current", "releases"].map(|part| format!("{root}/{part}"));
    if let Some(at) = above.iter().position(|dir| *dir == current) {
        above.insert(at, &releases);
    }
    let known = above.into_iter().filter(|dir| !dir.is_empty());
    let mut facts = known.filter_map(|dir| Some((dir.to_owned(), live.answers.file(dir)?)));
    facts.find(|(_, fact)| fact.exists && !allows(fact, user, groups, 1))
}

/// systemd changes to `User=` before it enters `WorkingDirectory=` and runs the program.
fn not_entered(config: &Config, unit: &Unit, facts: &Facts, live: &Live) -> Option<Finding> {
    let user = unit.service("User");
    let place = Place {
        fragment: unit.files.first().map(|file| file.path.clone()),
        ..Place::system()
    };
    let mut paths = vec![unit.service("WorkingDirectory").trim_start_matches('-').to_owned()];
    for (command, _) in unit.commands("ExecStart") {
        if !command.is_privileged() {
            paths.extend(command.words().find(|word| word.starts_with('/')).map(str::to_owned));
            paths.push(command.program);
        }
    }
    let paths = paths
        .iter()
        .filter_map(|path| specifier::expand(path, &unit.name, &place).ok());
    // The working directory itself has to be entered too.
    let directory = unit.service("WorkingDirectory").trim_start_matches('-');
    let (dir, fact) = paths
        .map(|path| if path == directory { format!("{path}/*") } else { path })
        .find_map(|path| closed(&path, user, config.root.as_str(), live))?;
    let what = format!(
        "{}: {user} cannot enter {dir} (owner {}, group {}, mode {:04o})",
        unit.name, fact.owner, fact.group, fact.mode
    );
    let finding = Finding::new(severity(facts), Area::Unit, Depth::Readable, what)
        .of(unit.name.as_str())
        .why("the program and its working directory are below it, so the start fails (200/CHDIR or 203/EXEC)");
    // On a way that others can change, root could be led to any directory; the owner only to one of its own.
    // The first of owner, group and others that fits decides (path_resolution(7)).
    let of_group = groups(user, live).is_some_and(|groups| groups.contains(&fact.group));
    let (who, they) = match fact.owner == user {
        true => ('u', "its owner"),
        false if of_group => ('g', "its group"),
        false => ('o', "others"),
    };
    let chmod = match fact.owner.as_str() {
        _ if only_root(&dir, config, live) => Next::shell(format!("sudo chmod {who}+x")).arg(&dir),
        owner if can_act(owner) => Next::shell(format!("sudo -u {owner} chmod {who}+x")).arg(&dir),
        _ => {
            return Some(finding.next(Next::advice(format!(
                "use a directory that {user} can enter; do not run chmod as root, because other users can change the path to {dir}"
            ))));
        }
    };
    Some(finding.next(chmod.remark(format!("{they} can then pass through it, but not list it"))))
}

fn severity(facts: &Facts) -> Severity {
    if facts.properties.is_active() {
        Severity::Warning
    } else {
        Severity::Error
    }
}

fn windows(unit: &Unit, facts: &Facts, script: &str) -> Finding {
    let script = shown(script.as_bytes());
    Finding::new(
        severity(facts),
        Area::Unit,
        Depth::Readable,
        format!("{}: {script} has Windows line endings", unit.name),
    )
    .of(unit.name.as_str())
    .why("the carriage return becomes part of the interpreter's name, so the start fails with \"No such file or directory\"")
    .next(
        Next::advice("convert the file to Unix line endings in the repository, then deploy")
            .remark("`*.sh text eol=lf` in .gitattributes keeps them"),
    )
}

fn uninterpreted(config: &Config, unit: &Unit, facts: &Facts, script: &str, program: &str) -> Finding {
    let (script, program) = (shown(script.as_bytes()), shown(program.as_bytes()));
    let what = format!("{}: {script} needs {program}, which does not exist", unit.name);
    Finding::new(severity(facts), Area::Unit, Depth::Readable, what)
        .of(unit.name.as_str())
        .why("its first line names this interpreter, so the start fails with \"No such file or directory\"")
        .next(match packages::package(&program) {
            Some(package) => packages::install(config, package),
            None => Next::advice(format!(
                "install it as {program} on the host, or change the first line of the script"
            )),
        })
}

/// The program itself: what an interpreter reads need not be executable.
fn not_executable(unit: &Unit, facts: &Facts, live: &Live) -> Option<Finding> {
    let paths = live.answers.not_executable.get(unit.name.as_str())?;
    let mut commands = unit.commands("ExecStart").into_iter();
    let program = commands.find_map(|(command, _)| paths.contains(&command.program).then_some(command.program))?;
    let program = shown(program.as_bytes());
    let what = format!(
        "{}: {program} is on a file system that is mounted with noexec",
        unit.name
    );
    let mount = Next::shell("findmnt --target").arg(&program);
    Some(
        Finding::new(severity(facts), Area::Unit, Depth::Readable, what)
            .of(unit.name.as_str())
            .why("no program there can be started, so the start fails with 203/EXEC \"Permission denied\"")
            .next(
                mount
                    .remark("shows the mount: remove noexec in /etc/fstab, then sudo mount -o remount,exec MOUNTPOINT"),
            ),
    )
}

/// systemd starts a service without the lines that it cannot read. Their values may be secret: only the file is named.
fn ignored(config: &Config, unit: &Unit, file: &str) -> Finding {
    let file = shown(file.as_bytes());
    let what = format!("{}: systemd ignores lines of {file}", unit.name);
    let finding = Finding::warning(Area::Unit, Depth::Later, what)
        .of(unit.name.as_str())
        .why("each line must be NAME=value, without `export`; the service runs without these variables");
    let lines = Next::shell(format!("sudo journalctl -u {} --grep='invalid environment'", unit.name));
    let finding = finding.next(lines.remark("prints the lines, with their values"));
    if file == format!("/etc/{}/env", config.app.as_str()) {
        finding.next(Next::shipit("env set NAME").remark("writes a line that systemd can read"))
    } else {
        finding
    }
}

/// Where the line has a relative path, the service wrote below its working directory.
fn read_only(config: &Config, unit: &Unit, facts: &Facts, line: &str) -> Finding {
    let directory = unit.service("WorkingDirectory").trim_start_matches(['-', '~']);
    let path = path_in(line, directory);
    let what = format!("{} tried to write to a read-only path", unit.name);
    // One that does not run may have ended for that; one that runs goes on without.
    let depth = match severity(facts) {
        Severity::Error => Depth::Readable,
        _ => Depth::Later,
    };
    let finding = Finding::new(severity(facts), Area::Unit, depth, what).of(unit.name.as_str());
    let root = config.root.as_str();
    let below = |part: &str| {
        let part = format!("{root}/{part}");
        path.as_ref()
            .is_some_and(|path| std::path::Path::new(path).starts_with(part))
    };
    let mut finding = if below("current") || below("releases") {
        finding
            .why("releases are read-only for the app, and each deploy replaces them")
            .next(Next::advice(format!(
                "let the app write below {root}/shared, or add the directory to shared.dirs"
            )))
    } else {
        let directory = path.as_ref().and_then(|path| path.rsplit_once('/'));
        // The whole system is no directory to open.
        let directory = directory.map_or("", |(dir, _)| dir);
        let directory = if directory.is_empty() {
            "/path/to/directory"
        } else {
            directory
        };
        finding
            .why("the unit's sandbox (ProtectSystem=, ReadOnlyPaths=) allows writing only to the paths in ReadWritePaths= and StateDirectory=")
            .next(Next::shell(format!("sudo systemctl edit {}", unit.name)).remark(format!("add [Service] ReadWritePaths={directory}")))
    };
    finding.log.push(line.to_owned());
    finding
}

/// The first path of a message: an absolute one, or a quoted one below that directory. GNU's tools quote as the locale
/// has it.
fn path_in(line: &str, directory: &str) -> Option<String> {
    const QUOTES: &str = "'\"`‘’“”«»";
    let ends = |c: char| c.is_whitespace() || QUOTES.contains(c) || ":,;)=[]".contains(c);
    let mut words = line.split(ends).filter(|word| word.len() > 1 && word.starts_with('/'));
    if let Some(path) = words.next() {
        return Some(path.to_owned());
    }
    let mut parts = line.split(|c: char| QUOTES.contains(c)).skip(1).step_by(2);
    let quoted = parts.find(|part| !part.is_empty() && !part.contains(char::is_whitespace))?;
    let is_known = directory.starts_with('/') && !quoted.contains("..");
    is_known.then(|| format!("{directory}/{quoted}"))
}

#[cfg(test)]
mod tests {
    use super::path_in;

    #[test]
    fn the_path_of_a_message_is_found_in_any_quotes() {
        let at = "/opt/acme/current";
        for (line, path) in [
            (
                "mkdir: cannot create directory ‘/opt/acme/current/logs’: Read-only file system",
                Some("/opt/acme/current/logs"),
            ),
            (
                "mkdir: cannot create directory 'logs': Read-only file system",
                Some("/opt/acme/current/logs"),
            ),
            (
                "OSError: [Errno 30] Read-only file system: '/srv/data/x'",
                Some("/srv/data/x"),
            ),
            (
                "OSError: [Errno 30] Read-only file system: 'tmp/x.db'",
                Some("/opt/acme/current/tmp/x.db"),
            ),
            (
                "Error: EROFS: read-only file system, open '/var/cache/a b'",
                Some("/var/cache/a"),
            ),
            ("open log/production.log: read-only file system", None),
            ("it's read-only", None),
        ] {
            assert_eq!(path_in(line, at).as_deref(), path, "{line}");
        }
    }
}
