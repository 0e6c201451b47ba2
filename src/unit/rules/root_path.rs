//! Paths that systemd itself opens, binds, reads, mounts or changes as root, and who besides root can change the way
//! there. What programs do with paths is the work of other rules.

use super::facts::Way;
use super::{Severity, View, rules};
use crate::unit::merge::{Entry, Unit};
use crate::unit::quoting;
use crate::unit::specifier::{self, Place};

/// The rule's name: `setup` and `unit install` act on it.
pub const NAME: &str = "root-path";

/// Keys whose whole value is one path, behind marks such as `-` or `append:`. systemd.exec(5), systemd.socket(5),
/// systemd.service(5), systemd.mount(5), systemd.swap(5).
const WHOLE: &str = "ListenStream ListenDatagram ListenSequentialPacket ListenFIFO ListenSpecial ListenUSBFunction \
     USBFunctionDescriptors USBFunctionStrings StandardInput StandardOutput StandardError EnvironmentFile PIDFile \
     TTYPath RootDirectory RootImage RootHash RootHashSignature RootVerity NetworkNamespacePath IPCNamespacePath \
     UserNamespacePath IPIngressFilterPath IPEgressFilterPath What Where";
/// Keys whose values are words, some with paths between colons.
const PARTS: &str = "Symlinks BindPaths BindReadOnlyPaths MountImages ExtensionImages ExtensionDirectories LoadCredential \
     LoadCredentialEncrypted OpenFile BPFProgram";
/// Keys of a `.path` whose directories root creates, with `MakeDirectory=yes`.
const WATCHED: &str = "PathExists PathExistsGlob PathChanged PathModified DirectoryNotEmpty";

/// Directories in which every user can create files.
const OPEN: [&str; 6] = ["/tmp", "/var/tmp", "/dev/shm", "/dev/mqueue", "/run/lock", "/run/user"];
/// The directories of a deploy tree.
const TREE: [&str; 5] = ["current", "releases", "shared", "slots", "next"];

fn has(words: &str, word: &str) -> bool {
    words.split(' ').any(|one| one == word)
}

/// Every such path: as written, without marks; the place.
pub fn root_paths(unit: &Unit) -> Vec<(String, Entry<'_>)> {
    let makes = unit.yes("Path", "MakeDirectory") == Some(true);
    // systemd reads the PID file when a service has forked, and after these commands.
    let read = unit.service("Type") == "forking"
        || unit.sets("Service", "ExecStartPost")
        || unit.sets("Service", "ExecReload");
    let unused = |key: &str| key == "PIDFile" && !read;
    let takes = |key: &str| has(WHOLE, key) && !unused(key) || has(PARTS, key) || makes && has(WATCHED, key);
    let mut keys: Vec<(&str, &str)> = unit.entries().map(|entry| (entry.section, entry.key)).collect();
    keys.retain(|(_, key)| takes(key));
    keys.sort_unstable();
    keys.dedup();
    let mut paths = Vec::new();
    for entry in keys.into_iter().flat_map(|(section, key)| unit.all(section, key)) {
        let words: Vec<String> = match quoting::split(entry.value) {
            Ok(words) if has(PARTS, entry.key) => words.into_iter().map(|word| word.text).collect(),
            _ => vec![entry.value.trim_matches('"').to_owned()],
        };
        for word in &words {
            let word = word.trim_start_matches(['-', '+', '!']);
            let forms = ["file:", "append:", "truncate:"];
            let word = forms.iter().find_map(|form| word.strip_prefix(form)).unwrap_or(word);
            let parts: Vec<&str> = match has(PARTS, entry.key) {
                true => word.split(':').collect(),
                false => vec![word],
            };
            // A specifier may stand for an absolute path.
            let path = |part: &&str| part.starts_with(['/', '%']);
            paths.extend(parts.into_iter().filter(path).map(|part| (part.to_owned(), entry)));
        }
    }
    paths
}

/// The path that systemd makes of it: specifiers expanded, without `.`, `..` and `//`. As far as it is known here.
fn resolved(unit: &Unit, text: &str) -> String {
    let expanded = specifier::expand(text, &unit.name, &Place::system());
    let text = expanded.unwrap_or_else(|_| text.split('%').next().unwrap_or_default().to_owned());
    let mut parts: Vec<&str> = Vec::new();
    for part in text.split('/') {
        match part {
            "" | "." => {}
            ".." => _ = parts.pop(),
            part => parts.push(part),
        }
    }
    let path = format!("/{}", parts.join("/"));
    // Links of every host.
    match path.strip_prefix("/var/") {
        Some(rest) if rest.starts_with("run/") => format!("/{rest}"),
        Some(rest) if rest.starts_with("lock/") => format!("/run/{rest}"),
        _ => path,
    }
}

/// Whether a path lies in a directory, at any depth.
fn below(path: &str, dir: &str) -> bool {
    path.strip_prefix(dir.trim_end_matches('/'))
        .is_some_and(|rest| rest.len() > 1 && rest.starts_with('/'))
}

/// Directories that only root can write to, on a well-kept host.
fn of_the_system(path: &str) -> bool {
    const DIRS: [&str; 10] = [
        "/etc",
        "/usr",
        "/run",
        "/lib",
        "/dev",
        "/proc",
        "/sys",
        "/root",
        "/boot",
        "/nix/store",
    ];
    DIRS.iter().any(|dir| below(path, dir)) || path.split('/').count() == 2
}

/// The root of a deploy tree that a path leads into: `/opt/acme` of `/opt/acme/shared/x`.
fn tree_of(path: &str) -> Option<&str> {
    if of_the_system(path) {
        return None;
    }
    let mut at = 0;
    for part in path.split('/') {
        if TREE.contains(&part) && at > 1 {
            return path.get(..at - 1);
        }
        at += part.len() + 1;
    }
    None
}

/// The deploy trees that are known: the app's root, and those in which the units work.
fn trees(view: &View<'_>) -> Vec<String> {
    let mut trees: Vec<String> = view.context.root.iter().cloned().collect();
    for unit in std::iter::once(view.unit).chain(view.peers()) {
        let programs = unit.every_command().into_iter();
        let programs = programs.flat_map(|(command, _)| {
            command
                .words()
                .map(str::to_owned)
                .chain([command.program.clone()])
                .collect::<Vec<_>>()
        });
        let texts = programs.chain([unit.service("WorkingDirectory").trim_start_matches('-').to_owned()]);
        trees.extend(
            texts
                .filter(|text| text.starts_with('/'))
                .filter_map(|text| tree_of(&text).map(str::to_owned)),
        );
    }
    trees
}

/// The directories that systemd gives to users other than root: `RuntimeDirectory=` and similar of this unit and of its
/// peers. With the unit that names it, and the key.
fn given_away(view: &View<'_>) -> Vec<(String, String)> {
    let mut dirs = Vec::new();
    for unit in std::iter::once(view.unit).chain(view.peers()) {
        let user = unit.service("User");
        if matches!(user, "" | "root" | "0") && unit.yes("Service", "DynamicUser") != Some(true) {
            continue;
        }
        let places = [
            ("RuntimeDirectory", "/run"),
            ("StateDirectory", "/var/lib"),
            ("CacheDirectory", "/var/cache"),
            ("LogsDirectory", "/var/log"),
        ];
        for (key, base) in places {
            for (word, _) in unit.words("Service", key) {
                let name = word.split(':').next().unwrap_or_default();
                dirs.push((
                    resolved(unit, &format!("{base}/{name}")),
                    format!(
                        "{key}= of {} gives the directory to {}",
                        unit.name,
                        if user.is_empty() { "the service's user" } else { user }
                    ),
                ));
                dirs.push((
                    resolved(unit, &format!("{base}/private/{name}")),
                    format!("{key}= of {} gives the directory to its user", unit.name),
                ));
            }
        }
    }
    dirs
}

/// Who besides root can change the way to a path, and how certain that is.
fn exposed(view: &View<'_>, text: &str, entry: Entry<'_>) -> Option<(Severity, String)> {
    let path = resolved(view.unit, text);
    if let Some(tree) = trees(view).iter().find(|tree| below(&path, tree)) {
        return Some((
            Severity::Error,
            format!("the deploy user and the app can change {tree}"),
        ));
    }
    if let Some(dir) = OPEN
        .iter()
        .find(|dir| below(&path, dir))
        .filter(|_| path != "/tmp/.X11-unix")
    {
        return Some((Severity::Error, format!("every user can create files in {dir}")));
    }
    // systemd takes the number of a process of the unit only, and goes through no symlink of another user's.
    let guarded = entry.key == "PIDFile";
    if let Some((dir, why)) = given_away(view).into_iter().find(|(dir, _)| below(&path, dir)) {
        return (!guarded).then(|| (Severity::Error, format!("{why}: {dir}")));
    }
    match view.file(text).and_then(|file| file.way.as_ref()) {
        Some(Way::Open(who)) => return Some((Severity::Error, who.clone())),
        Some(Way::Closed) => {
            let file = view.file(text)?;
            let read = matches!(
                entry.key,
                "EnvironmentFile"
                    | "RootImage"
                    | "RootDirectory"
                    | "MountImages"
                    | "ExtensionImages"
                    | "ExtensionDirectories"
                    | "What"
            );
            let open = file.exists && (file.owner != "root" || file.mode & 0o022 != 0) && !path.starts_with("/dev/");
            return (read && open).then(|| {
                (
                    Severity::Error,
                    format!("{} owns it, mode {:04o}", file.owner, file.mode),
                )
            });
        }
        None => {}
    }
    if let Some(tree) = tree_of(&path) {
        return Some((
            Severity::Error,
            format!("the deploy user and the app can change {tree}"),
        ));
    }
    if let Some(user) = path.strip_prefix("/home/").and_then(|rest| rest.split_once('/')) {
        return Some((Severity::Error, format!("{} can change /home/{}", user.0, user.0)));
    }
    let directly_in = |dir: &str| path.rsplit_once('/').is_some_and(|(parent, _)| parent == dir);
    let roots = ["/var/log", "/var/lib", "/var/cache", "/opt", "/srv", "/var"]
        .iter()
        .any(|dir| directly_in(dir));
    let writes = entry.key.starts_with("Standard");
    (view.is_app() && !of_the_system(&path) && !roots).then(|| {
        let severity = if writes { Severity::Error } else { Severity::Warning };
        (
            severity,
            "others can change it if users other than root can change any directory above it".to_owned(),
        )
    })
}

rules! {
    /// A path that root opens in a place where others can change it
    ///
    /// systemd itself uses some paths, as root, whatever `User=` is: it binds sockets and gives them to `SocketUser=`,
    /// opens log files, reads environment files and credentials, mounts images. It follows symlinks. Anyone who can
    /// change a directory along the path can put a symlink there, and root then writes, reads or gives away any file.
    /// The app's tree
    /// is such a place; so are `/tmp`, `/home/…`, and what `RuntimeDirectory=` gives to a user.
    ///
    /// In production: a symlink in place of a socket made the app's user the owner of a root-owned file, at the first
    /// restart of the socket; one in `shared/` wrote lines into `/etc/cron.d` (measured).
    ///
    /// ```ini
    /// [Socket]
    /// ListenStream=/run/acme.sock
    /// [Service]
    /// EnvironmentFile=-/etc/acme/env
    /// StandardOutput=journal
    /// ```
    ///
    /// See systemd.socket(5), `SocketUser=`; systemd.exec(5); shipit's docs/security.md.
    "root-path" Error Any root_path(view, found) {
        let of_a_user = view.unit.files.first().is_some_and(|file| file.path.contains("/systemd/user/"));
        if of_a_user || view.unit.is_masked() {
            return;
        }
        let paths = root_paths(view.unit);
        for (text, entry) in &paths {
            let Some((severity, why)) = exposed(view, text, *entry) else { continue };
            let act = match entry.key {
                key if key.starts_with("Listen") || key == "Symlinks" => "creates it and sets its owner",
                key if key.starts_with("Standard") => "opens it",
                "EnvironmentFile" | "PIDFile" | "LoadCredential" | "LoadCredentialEncrypted" => "reads it",
                _ => "uses it",
            };
            let message = format!("{}= {text}: root {act}, and {why}; a symlink there can point root at any file", entry.key);
            let only = paths.iter().filter(|(_, other)| other.key == entry.key).count() == 1;
            let finding = found.at(*entry, message).severity(severity);
            let suggestion = match entry.key {
                "ListenStream" | "ListenDatagram" | "ListenSequentialPacket" | "ListenFIFO" => {
                    let name = text.rsplit('/').next().unwrap_or_default();
                    Some(format!("/run/{}", if name.is_empty() { "app.sock" } else { name }))
                }
                "EnvironmentFile" => Some(format!("-/etc/{}/env", view.app())),
                "StandardOutput" | "StandardError" => Some("journal".into()),
                "StandardInput" => Some("null".into()),
                _ => None,
            };
            if let Some(value) = suggestion.filter(|_| only) {
                finding.suggest(entry.section, entry.key, value);
            }
        }
    }
}
