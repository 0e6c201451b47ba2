//! How others start this app: Procfile, Dockerfile, unit files; and readers of manifests. Every answer names where it was
//! found. Never decides; the kinds of projects do.

use serde_json::Value;

use super::container::{self, instructions, words};
use super::directory::{Directory, lists};

/// A command line that starts the app, split into words, without a shell.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Start {
    pub(super) words: Vec<String>,
    /// Commands that come before it, as in `migrate && serve`, or `migrate; serve`.
    pub(super) before: Vec<String>,
    /// `Procfile`
    pub(super) from: String,
}

/// A command line of another tool, or why it cannot be one of a unit.
pub(super) type Found = Result<Start, String>;

/// The line that starts the web process: of the Procfile, the Dockerfile, or a unit file.
pub(super) fn web(dir: &Directory) -> Option<Found> {
    let procfile = process(dir, "web").map(|line| start(&line, "Procfile"));
    procfile.or_else(|| docker(dir)).or_else(|| unit_files(dir))
}

/// A line of the Procfile: `web`, `release`, `worker`.
pub(super) fn process(dir: &Directory, name: &str) -> Option<String> {
    dir.text("Procfile").lines().find_map(|line| {
        let (key, value) = line.split_once(':')?;
        (key.trim() == name && !value.trim().is_empty()).then(|| value.trim().to_owned())
    })
}

/// Names of the other processes of the Procfile, each of which would be a service of its own.
pub(super) fn workers(dir: &Directory) -> Vec<&str> {
    let names = dir.text("Procfile").lines().filter(|line| !line.starts_with('#'));
    let names = names.filter_map(|line| Some(line.split_once(':')?.0.trim()));
    names.filter(|name| !lists("web release", name)).collect()
}

/// A package for bots among the dependencies: such a program connects to others, and nobody connects to it.
pub(super) fn bot(dir: &Directory) -> Option<&'static str> {
    const LISTS: [&str; 4] = ["package.json", "pyproject.toml", "requirements.txt", "Pipfile"];
    const PACKAGES: [&str; 12] = [
        "discord.py",
        "py-cord",
        "nextcord",
        "pydis-core",
        "python-telegram-bot",
        "aiogram",
        "pyTelegramBotAPI",
        "discord.js",
        "eris",
        "telegraf",
        "grammy",
        "slixmpp",
    ];
    PACKAGES.into_iter().find(|package| dir.depends(&LISTS, package))
}

/// ENTRYPOINT and CMD of the last stage.
fn docker(dir: &Directory) -> Option<Found> {
    let file = container::dockerfile(dir)?;
    let (mut entry, mut command) = (None, None);
    for line in instructions(dir.text(file)) {
        // The last line of a text within the file, `EOF`, has one word.
        let Some((word, rest)) = line.split_once(char::is_whitespace) else {
            continue;
        };
        match word.to_ascii_uppercase().as_str() {
            "FROM" => (entry, command) = (None, None),
            "ENTRYPOINT" => (entry, command) = (Some(rest.trim().to_owned()), None),
            "CMD" => command = Some(rest.trim().to_owned()),
            _ => {}
        }
    }
    let list = |text: &str| -> Option<Vec<String>> { serde_json::from_str(text).ok() };
    // An entry point that is a script prepares the container, and then runs the command.
    let script = entry
        .as_deref()
        .is_some_and(|entry| entry.contains(".sh") || entry.contains("entrypoint"));
    let parts = if script && command.is_some() {
        vec![command.clone()]
    } else {
        vec![entry.clone(), command.clone()]
    };
    let parts: Vec<String> = parts.into_iter().flatten().collect();
    if let [one] = parts.as_slice()
        && list(one).is_none()
    {
        return Some(start(one, file));
    }
    let words: Option<Vec<Vec<String>>> = parts.iter().map(|part| list(part)).collect();
    let words = without_init(words?.concat());
    match words.as_slice() {
        [] => None,
        // `CMD ["server"]`: a word that the script knows.
        [word] if script && command.is_some() && word.chars().all(|c| c.is_ascii_lowercase() || c == '_') => {
            let entry = entry.unwrap_or_default();
            let path = entry.trim_matches(['[', ']', '"', ' ']);
            Some(Err(format!(
                "{file} starts {path} with `{word}`: look there to see how the app is started"
            )))
        }
        [shell, flag, script]
            if lists("sh bash /bin/sh /bin/bash", shell) && flag.starts_with('-') && flag.ends_with('c') =>
        {
            Some(start(script, file))
        }
        _ => Some(Ok(Start {
            words,
            before: Vec::new(),
            from: file.into(),
        })),
    }
}

/// A command without the init of a container in front of it: systemd is that.
fn without_init(words: Vec<String>) -> Vec<String> {
    let base = |word: &String| word.rsplit('/').next().unwrap_or(word).to_owned();
    if words
        .first()
        .is_some_and(|word| lists("tini dumb-init catatonit", &base(word)))
    {
        return words
            .into_iter()
            .skip(1)
            .skip_while(|word| word.starts_with('-'))
            .collect();
    }
    words
}

/// Whether a program of this name is none of the app: a web server in front of it, or what starts processes in a container.
pub(super) fn is_foreign(program: &str) -> bool {
    serves_files(program) || lists("init supervisord s6-svscan runsvdir runit gosu su-exec", program)
}

/// Whether it is a web server, which serves the files that a build made.
pub(super) fn serves_files(program: &str) -> bool {
    const SERVERS: &str =
        "nginx caddy httpd httpd-foreground apache2 apache2-foreground apachectl lighttpd static-web-server";
    lists(SERVERS, program.rsplit('/').next().unwrap_or(program))
}

/// The only unit file of the repository that is a service that stays: its path and text.
pub(super) fn only_unit(dir: &Directory) -> Option<(&str, &str)> {
    let mut found = units(dir).into_iter();
    let one = found.next()?;
    found.next().is_none().then_some(one)
}

/// The unit files of the repository that are services that stay. What shipit wrote is no evidence.
pub(super) fn units(dir: &Directory) -> Vec<(&str, &str)> {
    let stays = |text: &str| text.contains("ExecStart=") && !text.contains("Type=oneshot");
    dir.all()
        .filter(|(path, text)| path.ends_with(".service") && !path.contains('@') && stays(text))
        .filter(|(path, _)| !path.starts_with("deploy/units/"))
        .collect()
}

/// `ExecStart=` of that unit file.
pub(super) fn unit_files(dir: &Directory) -> Option<Found> {
    let (path, text) = only_unit(dir)?;
    let line = text.lines().find_map(|line| line.trim().strip_prefix("ExecStart="))?;
    Some(start(line.trim_start_matches(['-', '@', ':', '+', '!']), path))
}

/// Splits a line of a shell into words. Assignments in front, `exec`, and commands before `&&` are taken off; what
/// only a shell can do is refused.
pub(super) fn start(line: &str, from: &str) -> Found {
    let parts = line.split("&&").flat_map(|part| part.split(';')).map(str::trim);
    let mut parts: Vec<&str> = parts.filter(|part| !part.is_empty()).collect();
    let last = parts.pop().unwrap_or_default();
    let shell = |part: &str| part.contains(['|', '<', '>', '`', '&', '*']) || part.contains("$(");
    if shell(last) || parts.iter().any(|part| shell(part)) {
        return Err(format!("the command in {from} needs a shell: {line}"));
    }
    let words = words(last).ok_or_else(|| format!("the command in {from} has unbalanced quotes: {line}"))?;
    let assigned = |word: &String| word.split_once('=').is_some_and(|(name, _)| is_variable(name));
    let skipped = |word: &String| lists("exec env cross-env cross-env-shell dotenv --", word) || assigned(word);
    let words: Vec<String> = words.into_iter().skip_while(skipped).collect();
    if words.is_empty() {
        return Err(format!("the command in {from} is empty"));
    }
    let before = parts.into_iter().map(str::to_owned).collect();
    Ok(Start {
        words,
        before,
        from: from.into(),
    })
}

fn is_variable(name: &str) -> bool {
    !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

/// Where the port is a variable, the port that the unit passes.
pub(super) fn with_port(words: &[String], port: u16) -> Vec<String> {
    let port = port.to_string();
    let value = |word: &String| {
        let mut word = word.clone();
        while let Some(at) = word.find("${PORT") {
            let Some(end) = word[at..].find('}') else { break };
            word.replace_range(at..=at + end, &port);
        }
        word.replace("$PORT", &port)
    };
    words.iter().map(value).collect()
}

/// Words as a line of a unit: quoted where systemd would split or expand them.
pub(super) fn line(words: &[String]) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-=:@,+{}[]()".contains(c);
    let word = |word: &String| {
        let text = word.replace('%', "%%").replace('$', "$$");
        if !word.is_empty() && word.chars().all(|c| plain(c) || c == '%' || c == '$') {
            text
        } else {
            format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
        }
    };
    words.iter().map(word).collect::<Vec<_>>().join(" ")
}

/// `name` of a TOML table: `name` of `[package]`. Only for values on one line.
pub(super) fn toml<'a>(text: &'a str, table: &str, key: &str) -> Option<&'a str> {
    let header = format!("[{table}]");
    let mut lines = text.lines().map(str::trim).skip_while(|line| *line != header).skip(1);
    let line = lines.by_ref().take_while(|line| !line.starts_with('[')).find(|line| {
        line.split_once('=')
            .is_some_and(|(name, _)| name.trim().trim_matches('"') == key)
    })?;
    let value = line.split_once('=')?.1.trim();
    Some(
        value
            .split(" #")
            .next()
            .unwrap_or(value)
            .trim()
            .trim_matches(['"', '\'']),
    )
}

/// The texts of a TOML list, which can go over several lines: `dependencies` of `[project]`.
pub(super) fn toml_list(text: &str, table: &str, key: &str) -> Vec<String> {
    let header = format!("[{table}]");
    let lines = text.lines().skip_while(|line| line.trim() != header).skip(1);
    let lines = lines.take_while(|line| !line.starts_with('['));
    let table: Vec<&str> = lines.filter(|line| !line.trim_start().starts_with('#')).collect();
    let names = |line: &&&str| line.split_once('=').is_some_and(|(name, _)| name.trim() == key);
    let Some(at) = table.iter().position(|line| names(&line)) else {
        return Vec::new();
    };
    let mut all = Vec::new();
    let (mut quote, mut word) = (None, String::new());
    let rest = table[at..].join("\n");
    for c in rest[rest.find('[').unwrap_or(rest.len())..].chars().skip(1) {
        match quote {
            Some(q) if c == q => {
                all.push(std::mem::take(&mut word));
                quote = None;
            }
            Some(_) => word.push(c),
            None if c == '"' || c == '\'' => quote = Some(c),
            None if c == ']' => break,
            None => {}
        }
    }
    all
}

/// A text of a JSON value: `json(package, "/engines/node")`.
pub(super) fn json<'a>(value: &'a Value, pointer: &str) -> Option<&'a str> {
    value.pointer(pointer).and_then(Value::as_str)
}

#[cfg(test)]
mod tests {
    use super::super::tests::project;

    #[test]
    fn a_unit_file_of_the_repository_shows_how_the_app_is_started() {
        let unit = "[Service]\nType=exec\nExecStart=-/srv/shop/.venv/bin/gunicorn shop.web:create --bind :8000\n";
        let list = ("requirements.txt", "flask\ngunicorn");
        let ends = |files: &[(&str, &str)], ending: &str| {
            let command = project(files).command.unwrap_or_default();
            assert!(command.ends_with(ending), "{command}");
        };
        ends(&[list, ("contrib/shop.service", unit)], " shop.web:create");
        // A job does not serve, and of several services none is chosen.
        let job = (
            "contrib/backup.service",
            "[Service]\nType=oneshot\nExecStart=/bin/backup\n",
        );
        ends(&[list, ("contrib/shop.service", unit), job], " shop.web:create");
        let other = ("contrib/mail.service", "[Service]\nExecStart=/bin/mail\n");
        ends(&[list, ("contrib/shop.service", unit), other], " app:app");
        // A Procfile comes first; units that shipit wrote are no evidence.
        ends(
            &[
                list,
                ("contrib/shop.service", unit),
                ("Procfile", "web: gunicorn a:b\n"),
            ],
            " a:b",
        );
        ends(&[list, ("deploy/units/shop.service", unit)], " app:app");
    }
}
