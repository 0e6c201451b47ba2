//! The version of a language that a project asks for, against what Debian's current releases bring. Pure.

use super::directory::Directory;
use super::evidence;
use super::{About, Project};

/// Versions in Debian 12 (bookworm) and 13 (trixie). Source: packages.debian.org.
const DEBIAN: [(&str, &str, &str); 5] = [
    ("Ruby", "3.1", "3.3"),
    ("Python", "3.11", "3.13"),
    ("Node.js", "18", "20"),
    ("PHP", "8.2", "8.4"),
    ("Java", "17", "21"),
];

/// A check when the project names a version that Debian 12 or 13 does not have.
pub(super) fn check(project: &mut Project, language: &str, wanted: Option<(String, String)>) {
    let Some((wanted, from)) = wanted else { return };
    let Some((_, twelve, thirteen)) = DEBIAN.iter().find(|(name, _, _)| *name == language) else {
        return;
    };
    let Some(number) = number(&wanted) else { return };
    // `>=3.9`, `^20`, `>18`: a newer one is fine too.
    let least = wanted.starts_with(['>', '^']) || language == "Java";
    let suits = |version: &str| {
        let version = self::number(version).unwrap_or_default();
        let length = number.len().min(version.len());
        version[..length] == number[..length] || least && version > number
    };
    if suits(twelve) && suits(thirteen) {
        return;
    }
    project.check(
        About::Prepare,
        format!("{from} asks for {language} {wanted}; Debian 12 has {twelve}, Debian 13 has {thirteen}"),
    );
}

/// The version in one of these files, each of which holds nothing else but comments, or in `.tool-versions`.
pub(super) fn of_files(dir: &Directory, files: &[&str], tool: &str) -> Option<(String, String)> {
    let named = files.iter().find_map(|file| {
        let mut lines = dir
            .text(file)
            .lines()
            .map(|line| line.split('#').next().unwrap_or_default().trim());
        let line = lines.find(|line| !line.is_empty())?;
        (line.len() < 40).then(|| (line.to_owned(), (*file).to_owned()))
    });
    named.or_else(|| {
        let lines = dir.text(".tool-versions").lines();
        let mut versions = lines.filter_map(|line| line.trim().strip_prefix(tool)?.strip_prefix(' '));
        Some((versions.next()?.trim().to_owned(), ".tool-versions".into()))
    })
}

/// `requires-python` of pyproject.toml.
pub(super) fn of_pyproject(dir: &Directory) -> Option<(String, String)> {
    let text = evidence::toml(dir.text("pyproject.toml"), "project", "requires-python")?;
    Some((text.to_owned(), "pyproject.toml".into()))
}

/// The first number of a text, in at most two parts: `3.3` of `ruby-3.3.0`.
fn number(text: &str) -> Option<Vec<u32>> {
    let digits = &text[text.find(|c: char| c.is_ascii_digit())?..];
    let digits = digits.split(|c: char| !(c.is_ascii_digit() || c == '.')).next()?;
    let parts: Vec<u32> = digits.split('.').take(2).map_while(|part| part.parse().ok()).collect();
    (!parts.is_empty()).then_some(parts)
}

#[cfg(test)]
mod tests {
    use super::super::tests::{checks, project};

    #[test]
    fn a_comment_in_a_version_file_is_no_version() {
        for (list, file, language) in [
            (("Gemfile", "gem 'puma'"), ".ruby-version", "Ruby"),
            (("requirements.txt", "flask"), ".python-version", "Python"),
            (("package.json", r#"{"main":"a.js"}"#), ".nvmrc", "Node.js"),
        ] {
            let app = project(&[list, (file, "# since 2.1 of 2020\n\n99.1 # ours\n")]);
            let named = format!("{file} asks for {language} 99.1;");
            assert!(checks(&app, &named), "{app:?}");
        }
    }
}
