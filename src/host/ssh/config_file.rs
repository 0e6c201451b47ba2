//! The built-in reader of ssh_config(5), for machines without the ssh program: Host, Include, and the first value wins.
//! A `Match` block is skipped to its end, with a notice; none of it leaks into the block before.

use std::io;
use std::path::{Path, PathBuf};

use super::settings::{Settings, words};
use super::tokens::{home, local_user};
use super::{Login, Notice, known_hosts};
use crate::failure::{Exit, Failure};
use crate::text::shown;

/// How deep Include may nest, as in OpenSSH.
const DEEPEST: usize = 16;

/// Keywords whose every value counts.
const MANY: [&str; 2] = ["identityfile", "certificatefile"];

/// The key files that OpenSSH tries by default.
const DEFAULT_KEYS: [&str; 3] = ["~/.ssh/id_rsa", "~/.ssh/id_ecdsa", "~/.ssh/id_ed25519"];

/// Reads the user's and the system's files, or the one file that the login names.
/// Fails on a file that exists and cannot be read.
pub fn read(login: &Login, notice: &mut dyn FnMut(Notice)) -> Result<Settings, Failure> {
    let mut reader = Reader {
        host: &login.host,
        settings: Settings::default(),
        notice,
    };
    let (own, system) = (home().join(".ssh"), Path::new("/etc/ssh"));
    let result = match &login.config_file {
        Some(file) => reader.file(file, &own, true, 0),
        None => reader
            .file(&own.join("config"), &own, true, 0)
            .and_then(|()| reader.file(&system.join("ssh_config"), system, true, 0)),
    };
    result.map_err(|(file, e)| {
        Failure::new(
            Exit::Unreachable,
            format!("cannot read the ssh configuration {}", file.display()),
        )
        .why(e.to_string())
    })?;
    let mut settings = reader.settings;
    let mut all = settings.0.iter_mut();
    if let Some((_, name)) = all.find(|(key, _)| key == "hostname") {
        *name = name.replace("%h", &login.host).replace("%%", "%");
    }
    settings.0.extend(local_user().map(|user| ("user".to_owned(), user)));
    if settings.first("identityfile").is_none() {
        let keys = DEFAULT_KEYS.map(|path| ("identityfile".to_owned(), path.to_owned()));
        settings.0.extend(keys);
    }
    Ok(settings)
}

struct Reader<'a> {
    host: &'a str,
    settings: Settings,
    notice: &'a mut dyn FnMut(Notice),
}

impl Reader<'_> {
    /// Reads one file. `outer` and `active`: whether the lines are about this host.
    fn file(&mut self, file: &Path, base: &Path, outer: bool, depth: usize) -> Result<(), (PathBuf, io::Error)> {
        let text = match std::fs::read(file) {
            Ok(text) => text,
            // A file that the user named must exist; those in the usual places need not.
            Err(e) if e.kind() == io::ErrorKind::NotFound && file.starts_with(base) => {
                return Ok(());
            }
            Err(e) => return Err((file.to_path_buf(), e)),
        };
        let mut active = outer;
        for (index, line) in String::from_utf8_lossy(&text).lines().enumerate() {
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let split = line.find(|c: char| c.is_whitespace() || c == '=').unwrap_or(line.len());
            let keyword = line[..split].to_ascii_lowercase();
            let value = line[split..].trim_start();
            let value = value.strip_prefix('=').unwrap_or(value).trim();
            match keyword.as_str() {
                "host" => {
                    let patterns = words(value);
                    let host = self.host.to_ascii_lowercase();
                    let patterns = patterns.iter().map(String::as_str);
                    active = outer && known_hosts::listed(patterns, &host);
                }
                "match" => {
                    active = false;
                    (self.notice)(Notice::ConfigIgnored {
                        file: file.to_path_buf(),
                        line: index + 1,
                        what: format!("the block `Match {}`", shown(value.as_bytes())),
                    });
                }
                "include" if active && depth < DEEPEST => {
                    for pattern in words(value) {
                        for included in files_like(&pattern, base) {
                            self.file(&included, base, active, depth + 1)?;
                        }
                    }
                }
                "include" => {}
                _ if active => self.set(keyword, value),
                _ => {}
            }
        }
        Ok(())
    }

    fn set(&mut self, keyword: String, value: &str) {
        if self.settings.first(&keyword).is_none() || MANY.contains(&keyword.as_str()) {
            // A list keeps its quotes, which group its words; a single value loses them.
            let value = match keyword.as_str() {
                "userknownhostsfile" | "globalknownhostsfile" | "proxycommand" => value,
                _ => value
                    .strip_prefix('"')
                    .and_then(|v| v.strip_suffix('"'))
                    .unwrap_or(value),
            };
            self.settings.0.push((keyword, value.to_owned()));
        }
    }
}

/// The files that an Include names: below `~/`, absolute, or in the directory of the configuration, with wildcards in
/// the last part.
fn files_like(pattern: &str, base: &Path) -> Vec<PathBuf> {
    let path = match pattern.strip_prefix("~/") {
        Some(rest) => home().join(rest),
        None => base.join(pattern),
    };
    let (Some(directory), Some(name)) = (path.parent(), path.file_name().and_then(|n| n.to_str())) else {
        return Vec::new();
    };
    if !name.contains(['*', '?']) {
        return Vec::from_iter(path.exists().then_some(path));
    }
    let Ok(entries) = std::fs::read_dir(directory) else {
        return Vec::new();
    };
    let mut found: Vec<PathBuf> = entries
        .flatten()
        .filter(|entry| {
            let entry = entry.file_name();
            !entry.as_encoded_bytes().starts_with(b".")
                && known_hosts::wildcard(name.as_bytes(), entry.as_encoded_bytes())
        })
        .map(|entry| entry.path())
        .collect();
    found.sort();
    found
}
