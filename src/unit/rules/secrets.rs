//! How a service gets its secrets, and who else does. No message ever holds a value.

use super::{Cause, FileFact, Finding, On, Severity, rules};
use crate::unit::quoting;

/// Whether a variable's name says that its value is a secret.
fn secret_name(name: &str) -> bool {
    const PARTS: [&str; 10] = [
        "SECRET",
        "PASSWORD",
        "PASSWD",
        "TOKEN",
        "API_KEY",
        "APIKEY",
        "PRIVATE_KEY",
        "ACCESS_KEY",
        "CREDENTIAL",
        "PASSPHRASE",
    ];
    let upper = name.to_ascii_uppercase();
    // A name that ends like this holds where the secret is, not the secret.
    let place = ["_FILE", "_PATH", "_DIR", "_DIRECTORY"]
        .iter()
        .any(|end| upper.ends_with(end));
    !place && PARTS.iter().any(|part| upper.contains(part))
}

/// Whether a word gives a variable a secret, as `env`, a shell and `docker run -e` take it: `DB_PASSWORD=x`.
fn sets_secret(word: &str) -> bool {
    let word = word.trim_start_matches("--env=").trim_start_matches("-e");
    word.split_once('=').is_some_and(|(name, value)| {
        let is_variable = |c: char| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_';
        let held = !value.is_empty() && !value.starts_with(['$', '%', '/']);
        held && name.chars().all(is_variable) && secret_name(name)
    })
}

/// Whether a value is an address with a password in it.
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

/// Directories that only root writes, on a well-kept host.
pub(super) fn of_the_system(path: &str) -> bool {
    ["/etc/", "/usr/", "/run/", "/lib/"]
        .iter()
        .any(|dir| path.starts_with(dir))
        || path.starts_with('%')
}

/// Who beside root may put another file there, in words.
fn foreign(file: &FileFact) -> Option<String> {
    let owned = |(owner, mode): (&str, u32), what: &str| {
        if owner != "root" {
            Some(format!("{owner} owns {what}"))
        } else if mode & 0o022 != 0 {
            Some(format!("others than root may write to {what}"))
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
    /// Every user of the host reads it by `systemctl show` or `systemctl cat`; the file lies in a repository or in backups.
    ///
    /// In production: the password is known to every account and every app on the host.
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
            if !value.is_empty() && !value.starts_with(['$', '%']) && secret_name(name)
                || secret_address(value)
            {
                found.at(entry, format!("{name} looks like a secret, and every user of the host can read Environment="));
            }
        }
    }

    /// A secret on a command line
    ///
    /// Arguments are in `ps` and `/proc` for every user of the host, also after `${VAR}` was filled in.
    ///
    /// In production: the password is known to every account on the host.
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
                    None => (
                        word,
                        words.peek().copied().filter(|next| !next.starts_with('-')),
                    ),
                };
                let option = name.starts_with("--") || name.starts_with("-D") && word.contains('=');
                let option = option
                    && secret_name(&name.replace(['-', '.'], "_"))
                    && value.is_some_and(|v| !v.is_empty() && !v.starts_with('/'));
                let variable = word
                    .split("${")
                    .skip(1)
                    .filter_map(|rest| rest.split('}').next())
                    .any(secret_name);
                if option || variable || secret_address(word) || word.split_whitespace().any(sets_secret) {
                    found.at(entry, format!("{}= passes a secret as an argument ({}…): every user sees it in ps", entry.key, name.chars().take(24).collect::<String>()));
                    break;
                }
            }
        }
    }

    /// An environment file that may be missing
    ///
    /// Without `-` before the path a missing file keeps the service from starting. Files in `/etc/default` are optional by
    /// custom.
    ///
    /// In production: somebody purges a package's configuration, and the service is down after the next boot.
    ///
    /// ```ini
    /// [Service]
    /// EnvironmentFile=-/etc/default/acme
    /// ```
    ///
    /// See systemd.exec(5), `EnvironmentFile=`.
    "environment-file-optional" Warning(Named) Service environment_file_optional(view, found) {
        for entry in view.unit.all("Service", "EnvironmentFile") {
            let optional = entry.value.starts_with('-');
            let path = entry.value.trim_start_matches('-');
            if !optional
                && (path.starts_with("/etc/default/") || path.starts_with("/etc/sysconfig/"))
            {
                found.at(entry, format!("{path} is optional by custom, but without `-` its absence keeps the service down")).suggest("Service", "EnvironmentFile", format!("-{path}")).cause(Cause::EnvironmentFileMissing(path.to_owned()));
            }
            let broken = match view.file(path) {
                Some(file) if !file.exists && !optional => "is not on the host",
                Some(file) if file.directory => "is a directory",
                _ => continue,
            };
            found
                .at(entry, format!("{path} {broken}: the start fails"))
                .severity(Severity::Error)
                .cause(Cause::EnvironmentFileMissing(path.to_owned()));
        }
    }

    /// An environment file where a less trusted user can change it
    ///
    /// PID 1 reads it as root. Whoever may replace it puts a symlink there, and root reads any file for him: the lines of
    /// the form KEY=VALUE end up in the environment of a process that he controls. `shared/` of an app is such a place.
    ///
    /// In production: measured: a file that only root could read came out through a deploy user's symlink.
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
                let proof = view.file(path).map(foreign);
                let message = match proof {
                    Some(None) => continue,
                    Some(Some(who)) => format!("{path}: root reads it, and {who}: a symlink there leads root to any file"),
                    None if path.starts_with('/') && !of_the_system(path) && view.is_app() => {
                        format!("{path}: root reads it, and who deploys may replace it (by a symlink to any file); keep it under /etc")
                    }
                    None => continue,
                };
                let finding = found.at(*entry, message);
                if view.file(path).is_some() {
                    finding.severity(Severity::Error);
                }
                if key == "EnvironmentFile" && entries.len() == 1 && !of_the_system(path) {
                    finding.suggest("Service", key, format!("-/etc/{}/env", view.app()));
                }
            }
        }
    }

    /// An environment file that everybody can read
    ///
    /// It is there for secrets, and root reads it: nobody else needs to.
    ///
    /// In production: every account on the host has the database password.
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
            let open = view
                .file(path)
                .filter(|file| file.exists && file.mode & 0o004 != 0);
            if let Some(file) = open.filter(|_| !path.starts_with("/etc/default/")) {
                found.at(
                    entry,
                    format!(
                        "{path} has mode {:04o}: everybody can read it (chmod 0600 {path})",
                        file.mode
                    ),
                );
            }
        }
    }

    /// A line in an environment file that only a shell understands
    ///
    /// `shipit unit lint FILE.env` looks into the file. No shell reads it: `export`, `$VAR`, `$(command)` and backquotes are taken
    /// as they stand, and a line that is not NAME=VALUE is ignored.
    ///
    /// In production: the program gets `$HOME/data` with the dollar sign, or nothing at all; systemd says so in the journal, once.
    ///
    /// ```ini
    /// # instead of: export DATA=$HOME/data
    /// DATA=/home/acme/data
    /// ```
    ///
    /// See systemd.exec(5), `EnvironmentFile=`.
    "environment-file-syntax" Warning EnvironmentFile environment_file_syntax(_look, _found) {
        // It is about another kind of file than units: `environment_file` judges these.
    }

    /// Secrets would be better as credentials
    ///
    /// A credential is a file that only this service sees, in memory, gone when it stops. An environment variable goes to every
    /// child, and into crash reports.
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
            let name = entry
                .value
                .rsplit('/')
                .next()
                .unwrap_or_default()
                .to_ascii_lowercase();
            if ["secret", "password", "credential", "token"]
                .iter()
                .any(|part| name.contains(part))
            {
                found.at(entry, "secrets in the environment go to every child process: LoadCredential= keeps them in a file of this service alone");
            }
        }
    }
}

/// Judges the text of an `EnvironmentFile=`: no shell reads it, so `export`, `$VAR` and commands are taken as they
/// stand. Messages name variables, never values. This is the rule `environment-file-syntax`; systemd.exec(5).
#[must_use]
pub fn environment_file(path: &str, text: &str) -> Vec<Finding> {
    let Some(rule) = RULES.iter().find(|rule| rule.on == On::EnvironmentFile) else {
        return Vec::new();
    };
    let mut findings = Vec::new();
    for (at, line) in text.lines().enumerate() {
        let line = line.trim();
        if line.is_empty() || line.starts_with(['#', ';']) {
            continue;
        }
        let message = match line.split_once('=') {
            None => "a line without `=`: systemd ignores it".to_owned(),
            Some((name, _)) if name.starts_with("export ") => {
                "`export` is shell: systemd ignores the line".to_owned()
            }
            Some((name, _)) if name.contains(char::is_whitespace) => format!(
                "a space before the `=`, or in the name: systemd ignores {}",
                name.trim()
            ),
            Some((name, value)) => {
                let single = value.trim_start().starts_with('\'');
                let expands = ["$(", "${", "`"].iter().any(|mark| value.contains(mark))
                    || value.match_indices('$').any(|(at, _)| {
                        value[at + 1..].starts_with(|c: char| c.is_ascii_uppercase())
                    });
                if quoting::split(value).is_err() && !single {
                    format!("{name}: a quote is never closed")
                } else if expands && !single {
                    format!(
                        "{name}: nothing is expanded in this file; the program gets the dollar sign or the backquote itself"
                    )
                } else {
                    continue;
                }
            }
        };
        let line = u32::try_from(at + 1).unwrap_or(u32::MAX);
        findings.push(Finding::new(rule, path, line, message));
    }
    findings
}
