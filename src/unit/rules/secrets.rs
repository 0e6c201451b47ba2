//! How a service gets its secrets, and who else can read them. No message ever contains a value.

use super::{Cause, Finding, On, Severity, rules};
use crate::unit::{quoting, value};

/// What a name's last part says when the value is not the secret itself: its place, its age, its kind.
const ABOUT: &str = " FILE FILES PATH DIR DIRECTORY LOCATION URL URI ENDPOINT HOST NAME ID USER USERNAME TTL TIMEOUT \
    EXPIRY EXPIRES EXPIRATION LIFETIME AGE DURATION INTERVAL LENGTH LEN SIZE LIMIT MAX MIN COUNT BUDGET RATE ENABLED \
    DISABLED REQUIRED POLICY TYPE KIND FORMAT MODE METHOD ALGORITHM ALG HEADER FIELD ISSUER AUDIENCE SCOPE VERSION \
    PARALLELISM ROTATION PROVIDER STORE BACKEND COMMAND CMD HELPER PREFIX SUFFIX REGION ";
/// What its first part says when it is a switch or a number.
const SETTING: &str = " MAX MIN NUM ENABLE DISABLE USE ALLOW REQUIRE NO SKIP VALIDATE ";
const KEYS: &str = " API PRIVATE ACCESS SECRET MASTER SIGNING ENCRYPTION AUTH ";

/// Whether the name of a variable or an option suggests that its value is a secret.
pub(super) fn secret_name(name: &str) -> bool {
    let upper = name.to_ascii_uppercase();
    let parts: Vec<&str> = upper.split(['_', '-', '.']).filter(|part| !part.is_empty()).collect();
    let listed = |list: &str, part: Option<&&str>| part.is_some_and(|part| list.contains(&format!(" {part} ")));
    if listed(ABOUT, parts.last()) || listed(SETTING, parts.first()) {
        return false;
    }
    let whole = |part: &&str| {
        ["SECRET", "PASSWORD", "PASSWD", "PASSPHRASE", "APIKEY", "CREDENTIAL"]
            .iter()
            .any(|known| part.contains(known))
            || part.ends_with("TOKEN")
            || *part == "TOKENS"
    };
    let short = parts.len() > 1 && matches!(parts.last(), Some(&("PASS" | "PWD")));
    short
        || parts.iter().any(whole)
        || parts
            .windows(2)
            .any(|pair| pair[1] == "KEY" && listed(KEYS, pair.first()))
}

/// Whether a value that such a name has can be the secret: not a switch, a number, a duration, or the place of one.
fn secret_value(name: &str, value: &str) -> bool {
    const WORDS: [&str; 9] = [
        "none", "null", "nil", "auto", "default", "enabled", "disabled", "required", "optional",
    ];
    const PLACES: [&str; 11] = [
        "$", "%", "/", "<", "@", "~", "http:", "https:", "file:", "env:", "vault:",
    ];
    let lower = value.to_ascii_lowercase();
    let number = value::span(value).is_some() && !name.to_ascii_uppercase().contains("PASS");
    let masked = value.len() > 2 && value.chars().all(|c| matches!(c, 'x' | 'X' | '*' | '.'));
    let letters = value.parse::<f64>().is_err() && value::boolean(value).is_some();
    !(value.is_empty()
        || number
        || letters
        || masked
        || WORDS.contains(&lower.as_str())
        || PLACES.iter().any(|start| value.starts_with(start)))
}

/// Whether a word sets a variable to a secret, as for `env`, a shell or `docker run -e`: `DB_PASSWORD=x`.
fn sets_secret(word: &str) -> bool {
    let word = word.trim_start_matches("--env=").trim_start_matches("-e");
    word.split_once('=').is_some_and(|(name, value)| {
        let is_variable = |c: char| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_';
        name.chars().all(is_variable) && secret_name(name) && secret_value(name, value)
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
            if secret_name(name) && secret_value(name, value) || secret_address(value) {
                let message = format!("{name} looks like a secret, and every user on the host can read Environment=");
                found.at(entry, message);
            }
        }
    }

    /// A variable in Environment= that nothing expands
    ///
    /// No shell reads `Environment=`: `$PATH` and `${HOME}` stay as they are written.
    ///
    /// In production: `PATH=/opt/acme/venv/bin:$PATH` hides every program of the system, and the app cannot start any.
    ///
    /// ```ini
    /// [Service]
    /// Environment=PATH=/opt/acme/venv/bin:/usr/local/bin:/usr/bin:/bin
    /// ```
    ///
    /// See systemd.exec(5), `Environment=`.
    "environment-dollar" Error Service environment_dollar(view, found) {
        for (word, entry) in view.unit.words("Service", "Environment") {
            let Some((name, value)) = word.split_once('=') else { continue };
            let variable = |rest: &str| {
                let rest = rest.trim_start_matches('{');
                let end = rest.find(|c: char| !c.is_ascii_uppercase() && c != '_').unwrap_or(rest.len());
                end > 1 && (rest.len() == end || !rest[end..].starts_with(|c: char| c.is_ascii_alphanumeric()))
            };
            if value.split('$').skip(1).any(variable) {
                let message = format!("{name}: Environment= expands no variables; the program gets the dollar sign");
                let finding = found.at(entry, message);
                if !name.ends_with("PATH") && !value.contains("${") {
                    finding.severity(Severity::Warning);
                }
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
            let mut before = "";
            while let Some(word) = words.next() {
                let (name, value) = match word.split_once('=') {
                    Some((name, value)) => (name, Some(value)),
                    None => (word, words.peek().copied().filter(|next| !next.starts_with('-'))),
                };
                let option = (name.starts_with("--") || name.starts_with("-D") && word.contains('='))
                    && secret_name(name)
                    && value.is_some_and(|value| secret_value(name, value));
                let variables = word.split("${").skip(1).filter_map(|rest| rest.split('}').next());
                if option
                    || variables.into_iter().any(secret_name)
                    || secret_address(word)
                    || word.split_whitespace().any(sets_secret)
                {
                    // The option only: the rest may be the secret, or a part of it.
                    let plain = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
                    let is_option = |word: &str| {
                        (word.starts_with("--") || word.starts_with('-') && word.len() == 2) && word.chars().all(plain)
                    };
                    let option = [name, before].into_iter().find(|word| is_option(word));
                    let option = option.map_or(String::new(), |name| format!(" (`{name}`)"));
                    let message = "passes a secret as an argument";
                    found.at(entry, format!("{}= {message}{option}: every user can see it in ps", entry.key));
                    break;
                }
                before = word;
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
