//! Front ends of npm beside an app in another language, and the packages of npm that a site of Hugo starts. Never decides
//! for an app of Node.js itself.

use serde_json::Value;

use super::directory::{Directory, LOCKS};
use super::node_install::{Manager, build};
use super::node_package::Package;
use super::{About, Project};

/// The front end beside an app in another language: built here, or in a directory of its own.
pub(super) fn beside(dir: &Directory, project: &mut Project) {
    let builds = |text: &str| {
        let package = Package(serde_json::from_str(text).unwrap_or(Value::Null));
        package.script("build").is_some()
    };
    if builds(dir.text("package.json")) && LOCKS.iter().any(|lock| dir.has(lock)) {
        project.build = Some(build(dir));
        project.exclude.push("node_modules/");
        project.check(
            About::Build,
            "package.json has a script `build`: does it make files that the app serves? If not, remove `build`",
        );
        return;
    }
    if builds(dir.text("package.json")) {
        let why = "package.json has a script `build`, and no lock file: must it run before a deploy?";
        project.check(About::Build, why);
        return;
    }
    let below = dir
        .named("package.json")
        .filter(|(path, text)| path.matches('/').count() == 1 && builds(text));
    let names: Vec<&str> = below
        .filter_map(|(path, _)| path.strip_suffix("/package.json"))
        .collect();
    if !names.is_empty() {
        project.check(
            About::Build,
            format!("{}/ looks like a front end: must it be built first?", names.join("/, ")),
        );
    }
}

/// The packages of npm that a site of Hugo needs when it is built.
pub(super) fn styles(dir: &Directory, site: &mut Project) {
    let package = Package(serde_json::from_str(dir.text("package.json")).unwrap_or(Value::Null));
    let has = |name: &str| package.depends(name) || package.develops(name);
    let tools = [
        "@tailwindcss/cli",
        "tailwindcss",
        "postcss",
        "postcss-cli",
        "autoprefixer",
    ];
    let manager = Manager::of(dir, &package);
    let hugo = site.build.clone().unwrap_or_default();
    match (package.script("build"), tools.iter().find(|name| has(name))) {
        (Some(line), _) if line.contains("hugo") => {
            site.build = Some(format!("{} && {} build", manager.all, manager.run));
        }
        (Some(_), _) => {
            site.build = Some(format!("{} && {} build && {hugo}", manager.all, manager.run));
            let why =
                "package.json has a script `build`: does it create files that Hugo reads, so that it must run first?";
            site.check(About::Build, why);
        }
        (None, Some(tool)) => {
            site.build = Some(format!("{} && {hugo}", manager.all));
            let why = format!("package.json has {tool}, which Hugo starts when it builds the site");
            site.check(About::Build, why);
        }
        (None, None) => return,
    }
    manager.locked(dir, site);
}

#[cfg(test)]
mod tests {
    use super::super::tests::{checks, project};

    #[test]
    fn a_front_end_beside_another_language_is_built_or_asked_for() {
        let package = ("package.json", r#"{"scripts":{"build":"webpack"}}"#);
        let flask = [("requirements.txt", "flask\ngunicorn"), ("app.py", "app = Flask(1)")];
        let beside = project(&[&flask[..], &[package, ("yarn.lock", "")]].concat());
        assert_eq!(
            beside.build.as_deref(),
            Some("yarn install --frozen-lockfile && yarn run build")
        );
        assert!(beside.exclude.contains(&"node_modules/") && checks(&beside, "a script `build`"));
        let below = project(&[&flask[..], &[("src-ui/package.json", package.1)]].concat());
        assert!(below.build.is_none() && checks(&below, "src-ui/ looks like a front end"));
        let none = project(&[&flask[..], &[("package.json", "{}")]].concat());
        assert!(none.build.is_none() && !checks(&none, "build"));
    }

    #[test]
    fn hugo_gets_the_packages_that_it_starts() {
        let hugo = ("hugo.toml", "");
        for (package, build) in [
            (r#"{"devDependencies":{"tailwindcss":"4"}}"#, "npm ci && hugo --minify"),
            (r#"{"scripts":{"build":"hugo --gc"}}"#, "npm ci && npm run build"),
            (
                r#"{"scripts":{"build":"esbuild x"}}"#,
                "npm ci && npm run build && hugo --minify",
            ),
            (r#"{"devDependencies":{"prettier":"3"}}"#, "hugo --minify"),
        ] {
            let site = project(&[hugo, ("package.json", package)]);
            assert_eq!(site.build.as_deref(), Some(build), "{package}");
            assert_eq!(
                checks(&site, "no lock file found"),
                build.contains("npm ci"),
                "{package}"
            );
        }
    }
}
