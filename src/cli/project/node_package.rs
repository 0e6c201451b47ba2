//! package.json: scripts, dependencies, versions. Never decides what they mean for a proposal.

use serde_json::Value;

use super::directory::{Directory, lists};
use super::evidence;
use super::{About, Project, version};

pub(super) struct Package(pub(super) Value);

impl Package {
    pub(super) fn read(dir: &Directory, project: &mut Project) -> Self {
        Self(serde_json::from_str(dir.text("package.json")).unwrap_or_else(|_| {
            project.check(About::Command, "package.json is not valid JSON and was ignored");
            Value::Null
        }))
    }

    pub(super) fn script(&self, name: &str) -> Option<&str> {
        self.0["scripts"][name].as_str().filter(|line| !line.trim().is_empty())
    }

    /// The script that starts the app: the one for production, if there is one.
    pub(super) fn start(&self) -> Option<(&'static str, &str)> {
        const NAMES: [&str; 7] = [
            "start:prod",
            "start:production",
            "prod",
            "production",
            "serve:prod",
            "start",
            "serve",
        ];
        NAMES
            .into_iter()
            .find_map(|name| Some((name, self.script(name)?)))
            .filter(|(_, line)| !is_for_development(line))
    }

    pub(super) fn depends(&self, name: &str) -> bool {
        self.0["dependencies"][name].is_string()
    }

    pub(super) fn develops(&self, name: &str) -> bool {
        self.0["devDependencies"][name].is_string()
    }

    /// Whether only a developer gets this package.
    pub(super) fn only_develops(&self, name: &str) -> bool {
        self.develops(name) && !self.depends(name)
    }

    /// The version of a package that package.json asks for, without a range.
    pub(super) fn version_of(&self, name: &str) -> Option<&str> {
        let of = |list: &str| self.0[list][name].as_str();
        let version = of("dependencies").or_else(|| of("devDependencies"))?;
        Some(version.trim_start_matches(['^', '~', '>', '=', 'v', ' ']))
    }

    pub(super) fn version(&self, dir: &Directory) -> Option<(String, String)> {
        let files = version::of_files(dir, &[".nvmrc", ".node-version"], "nodejs");
        files.or_else(|| {
            Some((
                evidence::json(&self.0, "/engines/node")?.to_owned(),
                "package.json".into(),
            ))
        })
    }

    /// The file that `main` names, if it needs no quoting in a unit.
    pub(super) fn main_file(&self, dir: &Directory) -> Option<&str> {
        let main = self.0["main"].as_str().filter(|_| !dir.has("server.js"));
        main.map(|file| file.trim_start_matches("./"))
            .filter(|file| is_plain(file))
    }
}

/// Development servers, and tools that serve what a build made.
pub(super) fn is_for_development(line: &str) -> bool {
    let first = line
        .split_whitespace()
        .find(|word| !word.contains('=') && !lists("cross-env npx", word))
        .unwrap_or_default();
    lists(
        "vite react-scripts ng vue-cli-service gatsby webpack webpack-dev-server parcel nodemon eleventy docusaurus vuepress \
        vitepress hexo nx serve http-server live-server concurrently expo electron gulp grunt",
        first,
    ) || line.contains("@11ty/eleventy")
        || first == "astro"
        || line.contains("--watch")
}

/// A path that needs no quoting in a unit.
pub(super) fn is_plain(file: &str) -> bool {
    !file.is_empty()
        && !file.starts_with(['/', '-'])
        && file.split('/').all(|part| part != "..")
        && file.chars().all(|c| c.is_ascii_alphanumeric() || "/._-@".contains(c))
}
