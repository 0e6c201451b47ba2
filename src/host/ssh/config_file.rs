//! The built-in reader of ssh_config(5), for machines without the ssh program: Host, Include and first-value-wins.
//! A `Match` block is skipped to its end, with a notice; nothing of it leaks into the block before.

use std::io;
use std::path::{Path, PathBuf};

use super::config::{Settings, words};
use super::tokens::{home, local_user};
use super::{Login, Notice, known_hosts};
use crate::failure::{Exit, Failure};
use crate::text::shown;

/// How deep Include may nest, as in OpenSSH.
const DEEPEST: usize = 16;

/// Keywords of which every value counts.
const MANY: [&str; 2] = ["identityfile", "certificatefile"];

/// The key files that OpenSSH tries when none is named.
const DEFAULT_KEYS: [&str; 3] = ["~/.ssh/id_rsa", "~/.ssh/id_ecdsa", "~/.ssh/id_ed25519"];

/// Reads the person's and the machine's files, or the one file that the login names.
///
/// # Errors
/// A file that exists and cannot be read.
pub fn read(login: &Login, notice: &mut dyn FnMut(Notice)) -> Result<Settings, Failure> {
    let mut reader = Reader {
        host: &login.host,
        settings: Settings::new(),
        notice,
    };
    let result = match &login.config_file {
        Some(file) => reader.file(file, &home().join(".ssh"), Active::Yes, 0),
        None => reader
            .file(
                &home().join(".ssh/config"),
                &home().join(".ssh"),
                Active::Yes,
                0,
            )
            .and_then(|()| {
                reader.file(
                    Path::new("/etc/ssh/ssh_config"),
                    Path::new("/etc/ssh"),
                    Active::Yes,
                    0,
                )
            }),
    };
    result.map_err(|(file, e)| {
        Failure::new(
            Exit::Unreachable,
            format!("cannot read the ssh configuration {}", file.display()),
        )
        .why(e.to_string())
    })?;
    let mut settings = reader.settings;
    if let Some((_, name)) = settings.iter_mut().find(|(key, _)| key == "hostname") {
        *name = name.replace("%h", &login.host).replace("%%", "%");
    }
    settings.extend(local_user().map(|user| ("user".to_owned(), user)));
    if !settings.iter().any(|(key, _)| key == "identityfile") {
        settings.extend(DEFAULT_KEYS.map(|path| ("identityfile".to_owned(), path.to_owned())));
    }
    Ok(settings)
}

/// Whether the lines that are read now are about our host.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Active {
    Yes,
    No,
}

struct Reader<'a> {
    host: &'a str,
    settings: Settings,
    notice: &'a mut dyn FnMut(Notice),
}

impl Reader<'_> {
    fn file(
        &mut self,
        file: &Path,
        base: &Path,
        outer: Active,
        depth: usize,
    ) -> Result<(), (PathBuf, io::Error)> {
        let text = match std::fs::read(file) {
            Ok(text) => text,
            // A file that the person named must be there; the usual places may be empty.
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
            let split = line
                .find(|c: char| c.is_whitespace() || c == '=')
                .unwrap_or(line.len());
            let keyword = line[..split].to_ascii_lowercase();
            let value = line[split..].trim_start();
            let value = value.strip_prefix('=').unwrap_or(value).trim();
            match keyword.as_str() {
                "host" => {
                    let patterns = words(value);
                    let host = self.host.to_ascii_lowercase();
                    let ours = known_hosts::listed(patterns.iter().map(String::as_str), &host);
                    active = if ours && outer == Active::Yes {
                        Active::Yes
                    } else {
                        Active::No
                    };
                }
                "match" => {
                    active = Active::No;
                    (self.notice)(Notice::ConfigIgnored {
                        file: file.to_path_buf(),
                        line: index + 1,
                        what: format!("the block `Match {}`", shown(value.as_bytes())),
                    });
                }
                "include" if active == Active::Yes && depth < DEEPEST => {
                    for pattern in words(value) {
                        for included in files_like(&pattern, base) {
                            self.file(&included, base, active, depth + 1)?;
                        }
                    }
                }
                "include" => {}
                _ if active == Active::Yes => self.set(keyword, value),
                _ => {}
            }
        }
        Ok(())
    }

    fn set(&mut self, keyword: String, value: &str) {
        let known = self.settings.iter().any(|(key, _)| *key == keyword);
        if !known || MANY.contains(&keyword.as_str()) {
            // A list keeps its quotes, they group its words; a single value loses them.
            let value = match keyword.as_str() {
                "userknownhostsfile" | "globalknownhostsfile" | "proxycommand" => value,
                _ => value
                    .strip_prefix('"')
                    .and_then(|v| v.strip_suffix('"'))
                    .unwrap_or(value),
            };
            self.settings.push((keyword, value.to_owned()));
        }
    }
}

/// The files that an Include names: `~/`, absolute, or beside the configuration; wildcards in the last part.
fn files_like(pattern: &str, base: &Path) -> Vec<PathBuf> {
    let path = match pattern.strip_prefix("~/") {
        Some(rest) => home().join(rest),
        None => base.join(pattern),
    };
    let (Some(directory), Some(name)) = (path.parent(), path.file_name().and_then(|n| n.to_str()))
    else {
        return Vec::new();
    };
    if !name.contains(['*', '?']) {
        return if path.exists() {
            vec![path]
        } else {
            Vec::new()
        };
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
