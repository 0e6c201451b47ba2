//! What the command of `prepare` makes, and from which files, where that is certain: then it need not run again. A command
//! that may write elsewhere, or that reads the app's own code, has none.

use serde_json::Value;

use super::directory::Directory;

/// Paths of the release.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::cli) struct Products {
    pub(in crate::cli) inputs: Vec<&'static str>,
    pub(in crate::cli) outputs: &'static [&'static str],
}

/// pnpm's command line, so that its programs contain no path where only packages are installed.
pub(super) fn lean(dir: &Directory, command: &'static str) -> &'static str {
    match command {
        "pnpm install --frozen-lockfile --prod" if installs_only(dir) => PNPM,
        other => other,
    }
}

/// uv's command line: the same, where the environment does not contain the app itself or a package beside it.
pub(super) fn uv(dir: &Directory) -> &'static str {
    let text = dir.text("pyproject.toml");
    let more = [
        "[build-system]",
        "package = true",
        "tool.uv.sources",
        "tool.uv.workspace",
        "file:",
    ];
    if more.iter().any(|word| text.contains(word)) {
        "uv sync --frozen --no-dev"
    } else {
        UV
    }
}

// Environments and programs without paths can be taken over.
const UV: &str = "uv venv --relocatable && uv sync --frozen --no-dev";
const PNPM: &str = "pnpm install --frozen-lockfile --prod --config.extend-node-path=false";
pub(super) const BUNDLE: &str = "bundle config set --local path vendor/bundle && bundle config set --local without development:test && bundle install";

/// By the whole command: one that something was added to makes more.
pub(super) fn of(dir: &Directory, prepare: &str) -> Option<Products> {
    let (must, may, outputs): (&[_], &[_], &'static [&'static str]) = match prepare {
        "npm ci --omit=dev" if installs_only(dir) => (
            &["package.json", "package-lock.json"],
            &[".npmrc", ".nvmrc", ".node-version", ".tool-versions"],
            &["node_modules"],
        ),
        PNPM => (
            &["package.json", "pnpm-lock.yaml"],
            &[
                ".npmrc",
                ".nvmrc",
                ".node-version",
                ".tool-versions",
                ".pnpmfile.cjs",
                "patches/",
            ],
            &["node_modules"],
        ),
        UV => (
            &["pyproject.toml", "uv.lock"],
            &[".python-version", ".tool-versions", "uv.toml"],
            &[".venv"],
        ),
        BUNDLE => (
            &["Gemfile", "Gemfile.lock"],
            &[".ruby-version", ".tool-versions"],
            &["vendor/bundle", ".bundle"],
        ),
        _ => return None,
    };
    if !must.iter().all(|path| dir.has(path)) {
        return None;
    }
    let may = may.iter().filter(|path| dir.has(path));
    let inputs = must.iter().chain(may).map(|path| path.trim_end_matches('/')).collect();
    Some(Products { inputs, outputs })
}

/// Whether only packages are installed: scripts of the app, and packages that generate code from its files, do more.
fn installs_only(dir: &Directory) -> bool {
    let package: Value = serde_json::from_str(dir.text("package.json")).unwrap_or_default();
    let runs = |name: &str| package["scripts"][name].is_string();
    let generates =
        |name: &str| package["dependencies"][name].is_string() || package["devDependencies"][name].is_string();
    let scripts = [
        "preinstall",
        "install",
        "postinstall",
        "prepublish",
        "preprepare",
        "prepare",
        "postprepare",
    ];
    let maps = [
        "dependencies",
        "devDependencies",
        "optionalDependencies",
        "overrides",
        "resolutions",
        "pnpm",
    ];
    let generators = ["prisma", "@prisma/client", "patch-package"];
    let several = !package["workspaces"].is_null() || dir.has("pnpm-workspace.yaml");
    !several
        && !maps.into_iter().any(|name| local(&package[name]))
        && !scripts.into_iter().any(runs)
        && !generators.into_iter().any(generates)
}

/// Whether a package comes from a directory: what is installed is then made from the app's own code.
fn local(versions: &Value) -> bool {
    match versions {
        Value::String(version) => ["file:", "link:", "portal:", ".", "/", "~/"]
            .into_iter()
            .any(|start| version.starts_with(start)),
        Value::Object(versions) => versions.values().any(local),
        _ => false,
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::super::tests::project;

    fn products(files: &[(&str, &str)]) -> Option<(Vec<&'static str>, &'static [&'static str])> {
        project(files)
            .products
            .map(|products| (products.inputs, products.outputs))
    }

    #[test]
    fn what_is_installed_from_a_lock_file_is_made_from_it_and_the_files_beside_it() {
        let package = ("package.json", r#"{"dependencies":{"express":"4"}}"#);
        for (files, inputs, outputs) in [
            (
                &[package, ("package-lock.json", ""), (".nvmrc", "20")][..],
                &["package.json", "package-lock.json", ".nvmrc"][..],
                &["node_modules"][..],
            ),
            (
                &[package, ("pnpm-lock.yaml", "")],
                &["package.json", "pnpm-lock.yaml"],
                &["node_modules"],
            ),
            (
                &[
                    ("pyproject.toml", "[project]\ndependencies = ['flask']"),
                    ("uv.lock", ""),
                ],
                &["pyproject.toml", "uv.lock"],
                &[".venv"],
            ),
            (
                &[("Gemfile", "gem 'sinatra'"), ("Gemfile.lock", ""), ("config.ru", "")],
                &["Gemfile", "Gemfile.lock"],
                &["vendor/bundle", ".bundle"],
            ),
        ] {
            assert_eq!(products(files), Some((inputs.to_vec(), outputs)), "{files:?}");
        }
    }

    #[test]
    fn a_command_that_may_make_more_or_read_more_has_no_products() {
        let lock = ("package-lock.json", "");
        for files in [
            &[("package.json", r#"{"dependencies":{"express":"4"}}"#)][..],
            &[
                (
                    "package.json",
                    r#"{"scripts":{"postinstall":"node make.js"},"dependencies":{"express":"4"}}"#,
                ),
                lock,
            ],
            &[
                ("package.json", r#"{"workspaces":["a"],"dependencies":{"express":"4"}}"#),
                lock,
            ],
            &[
                ("package.json", r#"{"dependencies":{"express":"4","prisma":"6"}}"#),
                lock,
            ],
            &[
                ("package.json", r#"{"dependencies":{"express":"4","lib":"file:lib"}}"#),
                lock,
            ],
            &[
                (
                    "package.json",
                    r#"{"dependencies":{"express":"4"},"optionalDependencies":{"lib":"./lib"}}"#,
                ),
                ("pnpm-lock.yaml", ""),
            ],
            &[
                (
                    "package.json",
                    r#"{"dependencies":{"express":"4"},"pnpm":{"overrides":{"lib":"link:../lib"}}}"#,
                ),
                ("pnpm-lock.yaml", ""),
            ],
            &[
                (
                    "pyproject.toml",
                    "[project]\ndependencies = ['flask', 'lib @ file:lib']",
                ),
                ("uv.lock", ""),
            ],
            &[
                ("pyproject.toml", "[build-system]\n[project]\ndependencies = ['flask']"),
                ("uv.lock", ""),
            ],
            &[("requirements.txt", "flask")],
            &[("composer.json", "{}"), ("composer.lock", ""), ("index.php", "")],
        ] {
            assert_eq!(products(files), None, "{files:?}");
        }
    }
}
