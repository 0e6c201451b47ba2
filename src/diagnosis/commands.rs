//! What `build` and `prepare` run: a deploy that does not find it ends there. Only what is certain: a line that a shell
//! has to interpret first is not judged.

use super::{Area, Depth, Finding, packages};
use crate::config::Config;
use crate::failure::Next;
use crate::unit::merge::Unit;

/// Something that a command line runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Need {
    Program(String),
    /// `python3 -m venv` needs the module ensurepip, which Debian packages apart; `run` is what the line has.
    Module {
        python: String,
        module: &'static str,
        run: String,
    },
}

/// A need that was looked for and not found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Missing {
    /// What runs it: `build` or `prepare` of deploy.yml, or a unit by its name.
    pub by: String,
    pub need: Need,
    /// The `PATH` in which it was looked for.
    pub path: String,
}

/// What a shell runs by itself, or every host has.
const COMMON: [&str; 16] = [
    ".", ":", "[", "cd", "cp", "echo", "export", "ln", "mkdir", "mv", "printf", "rm", "set", "test", "umask", "unset",
];
const RESERVED: [&str; 8] = ["if", "for", "while", "until", "case", "function", "time", "select"];
/// What changes where programs are found, or brings some.
const CHANGES: [&str; 7] = [".", "export", "source", "corepack", "asdf", "mise", "nvm"];
/// Modules that Debian packages apart: what `-m` names, the module to look for, and the package.
const MODULES: [(&str, &str, &str); 2] = [("venv", "ensurepip", "python3-venv"), ("pip", "pip", "python3-pip")];

/// What a command line for `sh -c` runs, in this order, as far as that is certain.
pub fn needs(line: &str) -> Vec<Need> {
    let plain = |c: char| c.is_ascii_alphanumeric() || "._+-/=:,@%".contains(c);
    let mut found: Vec<Need> = Vec::new();
    let mut before = Vec::new();
    for command in line.split(['\n', ';']).flat_map(|part| part.split("&&")) {
        if command.trim_start().starts_with('#') {
            continue;
        }
        let words: Vec<&str> = command.split_ascii_whitespace().collect();
        let sets = |word: &&str| *word == "exec" || (word.contains('=') && word.chars().all(plain));
        let at = words.iter().position(|word| !sets(word));
        let Some(at) = at else { continue };
        let (word, rest) = (words[at], &words[at + 1..]);
        // What stands in quotes may hold the `;` at which this was split.
        let is_whole = !rest
            .iter()
            .any(|word| word.contains(['\'', '"', '`', '$', '(', '\\', '<']));
        let is_alone = !rest.iter().any(|word| word.contains(['|', '&']));
        if !COMMON.contains(&word) {
            // An assignment with a quote, a variable, a block: a shell's to read.
            let is_name = word.starts_with(|c: char| c.is_ascii_alphanumeric() || "/_.:[".contains(c));
            let is_path = word.contains('/') && !word.starts_with('/');
            let certain = is_name && word.chars().all(plain) && !word.contains('=');
            if !certain || RESERVED.contains(&word) {
                break;
            }
            // A path in the release comes with it; a program that was named before may be installed by that line.
            if !is_path && !before.contains(&word) {
                found.extend(needed(word, rest));
            }
        } else if !is_alone {
            break;
        }
        if !is_whole || CHANGES.contains(&word) || words.iter().any(|word| word.starts_with("PATH=")) {
            break;
        }
        before.push(word);
        before.extend(rest);
    }
    found
}

/// The programs of a unit that come with no release. One whose failure counts for nothing may be missing.
pub fn of_unit(unit: &Unit, root: &str) -> Vec<Need> {
    let commands = unit.every_command().into_iter().map(|(command, _)| command);
    let commands = commands.filter(|command| !command.ignores_failure());
    let mut programs: Vec<String> = commands.map(|command| command.program).collect();
    let plain = |path: &str| path.starts_with('/') && !path.contains(['%', '$']);
    programs.retain(|path| plain(path) && !path.starts_with(&format!("{root}/")));
    programs.sort();
    programs.dedup();
    programs.into_iter().map(Need::Program).collect()
}

/// A program, and what it needs to do what it is asked.
fn needed(program: &str, rest: &[&str]) -> Vec<Need> {
    let mut found = vec![Need::Program(program.to_owned())];
    if let ("python" | "python3", ["-m", run, ..]) = (program, rest) {
        let module = MODULES.iter().find(|(name, ..)| name == run);
        found.extend(module.map(|(name, module, _)| Need::Module {
            python: program.to_owned(),
            module,
            run: format!("{program} -m {name}"),
        }));
    }
    found
}

pub(super) fn findings(config: &Config, missing: &[Missing]) -> Vec<Finding> {
    let of = |one: &Missing| {
        let Missing { by, need, path } = one;
        let (area, depth, place) = match by.as_str() {
            "build" => (Area::Laptop, Depth::Laptop, "this machine"),
            _ => (Area::Host, Depth::Host, "the host"),
        };
        let is_key = matches!(by.as_str(), "build" | "prepare");
        let who = if is_key { format!("`{by}`") } else { by.clone() };
        let (name, what, package) = match need {
            Need::Program(name) => (
                name.as_str(),
                format!("{who} runs {name}, which {place} does not have"),
                packages::package(name),
            ),
            Need::Module { module, run, .. } => (
                *module,
                format!("{who} runs {run}, which needs the module {module}, and {place} does not have it"),
                MODULES
                    .iter()
                    .find(|(_, name, _)| name == module)
                    .map(|(.., package)| *package),
            ),
        };
        let finding = Finding::error(area, depth, what).why(match is_key {
            true => format!(
                "a deploy of {} ends there, and nothing live changes; PATH is {path}",
                config.app.as_str()
            ),
            false => "systemd refuses the unit, or cannot start it (203/EXEC)".into(),
        });
        match package.filter(|_| area == Area::Host) {
            Some(package) => finding.next(packages::install(config, package)),
            None if is_key => finding.next(Next::advice(format!(
                "install {name} on {place}, or write its full path under {by} in deploy.yml"
            ))),
            None => finding.next(Next::advice(format!("install {name} on {place}, or correct {by}"))),
        }
    };
    missing.iter().map(of).collect()
}

#[cfg(test)]
mod tests {
    use super::{Need, needs};

    #[test]
    fn what_a_line_runs_is_what_a_shell_would_look_for() {
        for (line, programs) in [
            ("npm ci --omit=dev && npm run build", "npm"),
            ("NODE_ENV=production npm ci", "npm"),
            ("exec make -j4", "make"),
            ("cd web && pnpm install", "pnpm"),
            ("set -eu; mkdir -p a b\nbundle install", "bundle"),
            ("# the assets\nyarn build | tee log", "yarn"),
            ("/opt/node/bin/npm ci", "/opt/node/bin/npm"),
            ("npm ci && composer install; php artisan optimize", "npm composer php"),
            (
                "python3 -m venv .venv && .venv/bin/pip install . && npm ci",
                "python3 ensurepip npm",
            ),
            ("python3 -m pip install .", "python3 pip"),
            ("./gradlew build && make", "make"),
            // A line that brings a program itself.
            ("npm install -g pnpm && pnpm install", "npm"),
            ("corepack enable && yarn install", "corepack"),
            (". ~/.nvm/nvm.sh && nvm use", ""),
            ("export PATH=$HOME/bin:$PATH && tool", ""),
            ("PATH=/opt/x/bin tool && other", "tool"),
            ("sh -c 'a && b' && c", "sh"),
            ("echo 'a; b' && npm ci", ""),
            ("NAME='a b' npm ci", ""),
            ("$NPM ci", ""),
            ("\"my tool\" x", ""),
            ("(npm ci)", ""),
            ("if test -e x; then npm ci; fi", ""),
            ("test -e node_modules || npm ci", ""),
            ("-x", ""),
            ("", ""),
        ] {
            let found = needs(line);
            let names = found.iter().map(|need| match need {
                Need::Program(name) => name,
                Need::Module { module, .. } => *module,
            });
            assert_eq!(names.collect::<Vec<_>>().join(" "), programs, "{line}");
        }
    }
}
