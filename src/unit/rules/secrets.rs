//! How a service gets its secrets, and who else can read them. No message ever contains a value.

use super::{Cause, FileFact, Finding, On, Severity, rules};
use crate::unit::quoting;

/// Whether the name of a variable suggests that its value is a secret.
fn secret_name(name: &str) -> bool {
    const PARTS: &str = "SECRET PASSWORD PASSWD TOKEN API_KEY APIKEY PRIVATE_KEY ACCESS_KEY CREDENTIAL PASSPHRASE";
    let upper = name.to_ascii_uppercase();
    // A name that ends like this holds the place of the secret, not the secret.
    let place = ["_FILE", "_PATH", "_DIR", "_DIRECTORY"]
        .iter()
        .any(|end| upper.ends_with(end));
    !place && PARTS.split(' ').any(|part| upper.contains(part))
}

/// Whether a word sets a variable to a secret, as for `env`, a shell or `docker run -e`: `DB_PASSWORD=x`.
fn sets_secret(word: &str) -> bool {
    let word = word.trim_start_matches("--env=").trim_start_matches("-e");
    word.split_once('=').is_some_and(|(name, value)| {
        let is_variable = |c: char| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_';
        let held = !value.is_empty() && !value.starts_with(['$', '%', '/']);
        held && name.chars().all(is_variable) && secret_name(name)
    })
}

/// Whether a value is a URL that contains a password.
fn secret_address(value: &str) -> bool {
    let Some((_, rest)) = value.split_once("://") else {
        return false;
    };
    let authority = rest.split('/').next().unwrap_or_default();
    authority.rsplit_once('@').is_some_and(|(who, _)| {
        who.split_once(':')
            .is_some_and(|(_, password)| !password.is_empty() && !password.starts_with('$'))
    })
}

/// Directories that only root can write to, on a well-kept host.
pub(super) fn of_the_system(path: &str) -> bool {
    const DIRS: [&str; 5] = ["/etc/", "/usr/", "/run/", "/lib/", "%"];
    DIRS.iter().any(|dir| path.starts_with(dir))
}

/// Who besides root can replace the file, in words.
fn foreign(file: &FileFact) -> Option<String> {
    let owned = |(owner, mode): (&str, u32), what: &str| {
        if owner != "root" {
            Some(format!("{owner} owns {what}"))
        } else if mode & 0o022 != 0 {
            Some(format!("users other than root can write to {what}"))
        } else {
            None
        }
    };
    let own = file.exists.then(|| owned((&file.owner, file.mode), "it"));
    own.flatten().or_else(|| {
        file.above
            .iter()
            .find_map(|(owner, mode)| owned((owner, *mode), "a directory above it"))
    })
}

rules! {
    /// A secret in Environment=
    ///
    /// Every user on the host can read it with `systemctl show` or `systemctl cat`. The unit file also ends up in
    /// repositories and backups.
    ///
    /// In production: every account and every app on the host can read the password.
    ///
    /// ```ini
    /// [Service]
    /// LoadCredential=db-password:/etc/acme/db-password
    /// # the program reads $CREDENTIALS_DIRECTORY/db-password
    /// # or: EnvironmentFile=/etc/acme/env    (root, 0600)
    /// ```
    ///
    /// See systemd.exec(5), `Environment=` and "Credentials".
    "secret-in-environment" Warning Service secret_in_environment(view, found) {
        for (word, entry) in view.unit.words("Service", "Environment") {
            let (name, value) = word.split_once('=').unwrap_or((&word, ""));
            if !value.is_empty() && !value.starts_with(['$', '%']) && secret_name(name) || secret_address(value) {
                let message = format!("{name} looks like a secret, and every user on the host can read Environment=");
                found.at(entry, message);
            }
        }
    }

    /// A secret on a command line
    ///
    /// Every user on the host can read the arguments in `ps` and `/proc`, including the values that replace `${VAR}`.
    ///
    /// In production: every account on the host can read the password.
    ///
    /// ```ini
    /// [Service]
    /// LoadCredential=db-password:/etc/acme/db-password
    /// ExecStart=/opt/acme/current/server --password-file=${CREDENTIALS_DIRECTORY}/db-password
    /// ```
    ///
    /// See systemd.exec(5), "Credentials"; proc(5), `hidepid`.
    "secret-in-command" Warning Service secret_in_command(view, found) {
        for (command, entry) in view.unit.every_command() {
            let mut words = command.words().peekable();
            while let Some(word) = words.next() {
                let (name, value) = match word.split_once('=') {
                    Some((name, value)) => (name, Some(value)),
                    None => (word, words.peek().copied().filter(|next| !next.starts_with('-'))),
                };
                let option = (name.starts_with("--") || name.starts_with("-D") && word.contains('='))
                    && secret_name(&name.replace(['-', '.'], "_"))
                    && value.is_some_and(|value| !value.is_empty() && !value.starts_with('/'));
                let variables = word.split("${").skip(1).filter_map(|rest| rest.split('}').next());
                if option
                    || variables.into_iter().any(secret_name)
                    || secret_address(word)
                    || word.split_whitespace().any(sets_secret)
                {
                    let name: String = name.chars().take(24).collect();
                    let message = "passes a secret as an argument";
                    found.at(entry, format!("{}= {message} ({name}…): every user can see it in ps", entry.key));
                    break;
                }
            }
        }
    }

    /// An environment file that may be missing
    ///
    /// Without a `-` before the path, a missing file keeps the service from starting. Files in `/etc/default` are
    /// optional by convention.
    ///
    /// In production: a package's configuration is purged, and after the next boot the service is down.
    ///
    /// ```ini
    /// [Service]
    /// EnvironmentFile=-/etc/default/acme
    /// ```
    ///
    /// See systemd.exec(5), `EnvironmentFile=`.
    "environment-file-optional" Warning(Named) Service environment_file_optional(view, found) {
        for entry in view.unit.all("Service", "EnvironmentFile") {
            let path = entry.value.trim_start_matches('-');
            let optional = entry.value.starts_with('-');
            let cause = Cause::EnvironmentFileMissing(path.to_owned());
            if !optional && (path.starts_with("/etc/default/") || path.starts_with("/etc/sysconfig/")) {
                let message = "is optional by convention, but without `-` before it a missing file prevents the start";
                found
                    .at(entry, format!("{path} {message}"))
                    .suggest("Service", "EnvironmentFile", format!("-{path}"))
                    .cause(cause.clone());
            }
            let broken = match view.file(path) {
                Some(file) if !file.exists && !optional => "does not exist on the host",
                Some(file) if file.directory => "is a directory",
                _ => continue,
            };
            found
                .at(entry, format!("{path} {broken}: the start fails"))
                .severity(Severity::Error)
                .cause(cause);
        }
    }

    /// An environment file that a less trusted user can replace
    ///
    /// PID 1 reads the file as root. A user who can replace it can put a symlink in its place, and root then reads any
    /// file: lines of the form KEY=VALUE end up in the environment of a process that this user controls. An app's
    /// `shared/` is such a place.
    ///
    /// In production: a symlink that the deploy user created exposed a file that only root could read (measured).
    ///
    /// ```ini
    /// # root owns /etc/acme and /etc/acme/env, mode 0600
    /// [Service]
    /// EnvironmentFile=-/etc/acme/env
    /// ```
    ///
    /// See systemd.exec(5), `EnvironmentFile=`; shipit's docs/security.md.
    "environment-file-place" Warning Service environment_file_place(view, found) {
        for key in ["EnvironmentFile", "LoadCredential"] {
            let entries = view.unit.all("Service", key);
            for entry in &entries {
                let value = entry.value.trim_start_matches('-');
                let path = match key {
                    "LoadCredential" => value.split_once(':').map_or("", |(_, path)| path),
                    _ => value,
                };
                if path.starts_with("/run/") {
                    continue;
                }
                let file = view.file(path);
                let risk = match file.map(foreign) {
                    Some(Some(who)) => format!("{who}; a symlink there makes root read any file"),
                    None if path.starts_with('/') && !of_the_system(path) && view.is_app() => {
                        "the deploy user can replace it with a symlink to any file; keep it under /etc".to_owned()
                    }
                    Some(None) | None => continue,
                };
                let finding = found.at(*entry, format!("{path}: root reads it, and {risk}"));
                if file.is_some() {
                    finding.severity(Severity::Error);
                }
                if key == "EnvironmentFile" && entries.len() == 1 && !of_the_system(path) {
                    finding.suggest("Service", key, format!("-/etc/{}/env", view.app()));
                }
            }
        }
    }

    /// An environment file that every user can read
    ///
    /// The file holds secrets, and root reads it: no other user needs access.
    ///
    /// In production: every account on the host can read the database password.
    ///
    /// ```ini
    /// # chmod 0600 /etc/acme/env; chown root: /etc/acme/env
    /// [Service]
    /// EnvironmentFile=-/etc/acme/env
    /// ```
    ///
    /// See systemd.exec(5), `EnvironmentFile=`.
    "environment-file-mode" Warning Service environment_file_mode(view, found) {
        for entry in view.unit.all("Service", "EnvironmentFile") {
            let path = entry.value.trim_start_matches('-');
            let open = view.file(path).filter(|file| file.exists && file.mode & 0o004 != 0);
            if let Some(file) = open.filter(|_| !path.starts_with("/etc/default/")) {
                let message = format!("{path} has mode {:04o}: every user can read it (chmod 0600 {path})", file.mode);
                found.at(entry, message);
            }
        }
    }

    /// A line in an environment file that only a shell understands
    ///
    /// `shipit unit lint FILE.env` checks such a file. No shell reads it: systemd keeps `export`, `$VAR`, `$(command)`
    /// and backquotes as literal text, and ignores a line that is not NAME=VALUE.
    ///
    /// In production: the program gets `$HOME/data` with the dollar sign, or no value at all. systemd logs it once in
    /// the journal.
    ///
    /// ```ini
    /// # instead of: export DATA=$HOME/data
    /// DATA=/home/acme/data
    /// ```
    ///
    /// See systemd.exec(5), `EnvironmentFile=`.
    "environment-file-syntax" Warning EnvironmentFile environment_file_syntax(_look, _found) {
        // `environment_file` checks these files: they are not units.
    }

    /// Secrets that are safer as credentials
    ///
    /// A credential is a file in memory that only this service can read and that disappears when it stops. Environment
    /// variables are passed to every child process, and end up in crash reports.
    ///
    /// In production: a debug page or an error report prints the environment, with the password in it.
    ///
    /// ```ini
    /// [Service]
    /// LoadCredential=db-password:/etc/acme/db-password
    /// ```
    ///
    /// See systemd.exec(5), "Credentials".
    "secret-as-credential" Info Service secret_as_credential(view, found) {
        for entry in view.unit.all("Service", "EnvironmentFile") {
            let name = entry.value.rsplit('/').next().unwrap_or_default().to_ascii_lowercase();
            if ["secret", "password", "credential", "token"].iter().any(|part| name.contains(part)) {
                let message = "every child process gets the secrets in the environment; LoadCredential= keeps them in \
                               a file that only this service can read";
                found.at(entry, message);
            }
        }
    }
}

/// Judges the text of an `EnvironmentFile=` by the rule `environment-file-syntax`. Messages name variables, never
/// values.
#[must_use]
pub fn environment_file(path: &str, text: &str) -> Vec<Finding> {
    let Some(rule) = RULES.iter().find(|rule| rule.on == On::EnvironmentFile) else {
        return Vec::new();
    };
    let mut findings = Vec::new();
    for (line, text) in (1..).zip(text.lines()) {
        let text = text.trim();
        if !text.is_empty()
            && !text.starts_with(['#', ';'])
            && let Some(message) = misread(text)
        {
            findings.push(Finding::new(rule, path, line, message));
        }
    }
    findings
}

/// What systemd does not take from a line of an environment file as a shell would.
fn misread(line: &str) -> Option<String> {
    let Some((name, value)) = line.split_once('=') else {
        return Some("no `=` in this line: systemd ignores it".into());
    };
    if name.starts_with("export ") {
        return Some("`export` is shell syntax: systemd ignores the line".into());
    }
    if name.contains(char::is_whitespace) {
        let name = name.trim();
        return Some(format!("a space before `=`, or in the name: systemd ignores {name}"));
    }
    let variable = |(at, _)| value[at + 1..].starts_with(|c: char| c.is_ascii_uppercase());
    let expands = ["$(", "${", "`"].iter().any(|mark| value.contains(mark)) || value.match_indices('$').any(variable);
    if value.trim_start().starts_with('\'') {
        None
    } else if quoting::split(value).is_err() {
        Some(format!("{name}: a quote is never closed"))
    } else {
        expands.then(|| {
            format!(
                "{name}: systemd expands nothing in this file; the program receives the dollar sign or the backquote \
                 literally"
            )
        })
    }
}
