//! How a Node.js app is started: the line of a script, a Procfile or a Dockerfile, followed to the file that node runs. Never
//! starts it.

use serde_json::Value;

use super::directory::{Directory, lists};
use super::evidence::{self, Start};
use super::node_package::{Package, is_plain};
use super::{About, Project};

/// Takes over a command line; scripts that call scripts are followed.
pub(super) fn run(start: &Start, dir: &Directory, package: &Package, project: &mut Project, depth: usize) {
    let words = evidence::with_port(&start.words, project.port);
    let (program, rest) = words
        .split_first()
        .map_or(("", &[][..]), |(first, rest)| (first.as_str(), rest));
    let program = program.rsplit('/').next().unwrap_or(program);
    let script = match (program, rest) {
        ("npm" | "yarn" | "pnpm", [run, name, ..]) if run == "run" => Some(name.as_str()),
        // `bun run` takes a script, or else a file.
        ("bun", rest) => bun_target(rest)
            .map(String::as_str)
            .filter(|name| package.script(name).is_some()),
        ("npm" | "yarn" | "pnpm", [name, ..]) if package.script(name).is_some() => Some(name.as_str()),
        _ => None,
    };
    for command in &start.before {
        // It ran where the release was built.
        if ends_in(command, "build") && project.build.is_some() {
            continue;
        }
        project.check(
            About::Migrate,
            format!("{} also runs `{command}` before it starts the app", start.from),
        );
    }
    if let Some(name) = script {
        match package
            .script(name)
            .map(|line| evidence::start(line, &format!("the script `{name}`")))
        {
            Some(Ok(inner)) if depth < 5 => run(&inner, dir, package, project, depth + 1),
            Some(Err(why)) => project.check(About::Command, why),
            _ => project.check(
                About::Command,
                format!("{} calls `{name}`, which package.json does not define", start.from),
            ),
        }
        return;
    }
    let rest = if lists("npx bunx", program) || program == "node" {
        rest
    } else {
        &words
    };
    let local = |word: &String| {
        let file = word.trim_start_matches("./");
        let file = file
            .strip_prefix("/app/")
            .or_else(|| file.strip_prefix("/usr/src/app/"))
            .unwrap_or(file);
        if is_plain(file) {
            format!("{{root}}/current/{file}")
        } else {
            word.clone()
        }
    };
    if lists("pm2 pm2-runtime", program) {
        return managed(start, dir, package, project, depth);
    }
    // `bun FILE` starts a file, and so has more than one word.
    let picks = |word: &String| word.starts_with("--filter") || word.starts_with("--cwd");
    let of_part = program != "bun" || words.iter().any(picks);
    if of_part && lists("npm yarn pnpm bun nx turbo lerna", program) && rest.len() > 1 {
        return project.check(
            About::Command,
            format!(
                "{} starts a part of this workspace with `{}`: run `shipit init` in the directory of that part, or write ExecStart= yourself",
                start.from,
                words.join(" ")
            ),
        );
    }
    if program == "node" {
        // The environment comes from systemd: a file of settings is not shipped, and node ends without it.
        // The file is the first word that is no option, nor the value of one.
        let settings = |word: &str| lists("--env-file --env-file-if-exists", word);
        let takes = |word: &str| settings(word) || lists("-r --require --import --loader --experimental-loader", word);
        let first = |rest: &[String]| {
            (0..rest.len()).find(|at| !rest[*at].starts_with('-') && (*at == 0 || !takes(&rest[at - 1])))
        };
        let end = first(rest).unwrap_or(rest.len());
        let kept = rest.iter().enumerate().filter(|(at, word)| {
            let of_settings = *at > 0 && *at < end && settings(&rest[at - 1]);
            *at >= end || !of_settings && !word.starts_with("--env-file")
        });
        let rest: Vec<String> = kept.map(|(_, word)| word.clone()).collect();
        let rest = rest.as_slice();
        let at = first(rest);
        let Some(at) = at else {
            return project.check(About::Command, format!("{} starts node without a file", start.from));
        };
        let mut words = rest.to_vec();
        words[at] = local(&rest[at]);
        project.command = Some(format!("/usr/bin/node {}", evidence::line(&words)));
        return;
    }
    if program == "bun" {
        let words: Vec<String> = words[1..].iter().filter(|word| *word != "run").cloned().collect();
        let Some(target) = bun_target(&words).cloned() else {
            return project.check(About::Command, format!("{} starts bun without a file", start.from));
        };
        // What has neither a directory nor an ending is a program of a package.
        let file = if target.contains(['/', '.']) {
            local(&target)
        } else {
            format!("{{root}}/current/node_modules/.bin/{target}")
        };
        let words: Vec<String> = words
            .into_iter()
            .map(|word| if word == target { file.clone() } else { word })
            .collect();
        project.command = Some(format!("/usr/local/bin/bun {}", evidence::line(&words)));
        project.check(About::Command, "bun is expected in /usr/local/bin");
        return;
    }
    if evidence::is_foreign(program) {
        return project.check(
            About::Command,
            format!(
                "{} starts {program}, which is not a program of this app: look there to see how the app is started",
                start.from
            ),
        );
    }
    let Some((tool, rest)) = rest.split_first() else { return };
    if lists("sh bash", program) || tool.ends_with(".sh") || !is_plain(tool) {
        return project.check(
            About::Command,
            format!("{} starts {tool}: look there to see how the app is started", start.from),
        );
    }
    let words = [format!("{{root}}/current/node_modules/.bin/{tool}")]
        .into_iter()
        .chain(rest.iter().cloned());
    project.command = Some(evidence::line(&words.collect::<Vec<_>>()));
    let lean = package.develops(tool) && !package.depends(tool);
    let why = if lean {
        "a devDependency, which is not installed on the host"
    } else {
        "a tool from node_modules"
    };
    project.check(About::Command, format!("{} starts {tool}, {why}", start.from));
}

/// The script or the file that bun starts: the first word that is neither `run` nor an option.
fn bun_target(words: &[String]) -> Option<&String> {
    words.iter().find(|word| *word != "run" && !word.starts_with('-'))
}

/// Whether a command runs the script of this name: `npm run build`, `yarn build`.
fn ends_in(command: &str, script: &str) -> bool {
    let mut words = command.split_whitespace();
    let manager = words.next().is_some_and(|word| lists("npm yarn pnpm bun", word));
    manager && words.next_back() == Some(script)
}

/// What pm2 starts: systemd starts it itself.
fn managed(start: &Start, dir: &Directory, package: &Package, project: &mut Project, depth: usize) {
    const FILES: [&str; 5] = [
        "ecosystem.config.js",
        "ecosystem.config.cjs",
        "ecosystem.config.json",
        "process.json",
        "pm2.json",
    ];
    let named = start.words.iter().find(|word| is_program(word)).cloned();
    let (script, from) = match (named, dir.first(&FILES)) {
        (Some(script), _) => (vec![script], start.from.clone()),
        (None, Some(file)) => (scripts_of(dir.text(file)), file.to_owned()),
        (None, None) => (Vec::new(), start.from.clone()),
    };
    let Some(script) = script.first().filter(|script| is_program(script)).filter(|_| depth < 5) else {
        return project.check(
            About::Command,
            format!("{from} starts pm2, which does what systemd does: write ExecStart= for the file that it starts"),
        );
    };
    let words = vec!["node".to_owned(), script.clone()];
    let inner = Start {
        words,
        before: start.before.clone(),
        from: from.clone(),
    };
    run(&inner, dir, package, project, depth + 1);
    project.check(
        About::Command,
        format!("{from} starts {script} with pm2; systemd does that here, with one process for each service"),
    );
}

/// `script` of each app in a configuration of pm2.
fn scripts_of(text: &str) -> Vec<String> {
    if let Ok(value) = serde_json::from_str::<Value>(text) {
        let apps = value["apps"].as_array().cloned().unwrap_or_else(|| vec![value]);
        return apps
            .iter()
            .filter_map(|app| Some(app["script"].as_str()?.to_owned()))
            .collect();
    }
    let lines = text.lines().filter_map(|line| {
        let (key, value) = line.split_once(':')?;
        let key = key.trim_matches(|c: char| c.is_whitespace() || "\"'{".contains(c));
        (key == "script").then(|| value.split(['"', '\'', '`']).nth(1).map(str::to_owned))?
    });
    lines.collect()
}

/// A file that node runs.
fn is_program(word: &str) -> bool {
    let file = word.trim_start_matches("./");
    is_plain(file) && [".js", ".mjs", ".cjs"].iter().any(|end| file.ends_with(end)) && !file.contains("config")
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::super::tests::{checks, project};

    #[test]
    fn what_pm2_starts_is_started_by_systemd() {
        let package = |start: &str| format!(r#"{{"scripts":{{"start":"{start}"}},"dependencies":{{"express":"4"}}}}"#);
        let json = r#"{"apps":[{"name":"app","script":"src/index.js"}]}"#;
        for (start, file, text) in [
            (
                "pm2 start ecosystem.config.json --no-daemon",
                "ecosystem.config.json",
                json,
            ),
            (
                "pm2-runtime ecosystem.config.js",
                "ecosystem.config.js",
                "module.exports = {\n apps: [{\n  script: './src/index.js',\n }]\n}",
            ),
            ("pm2 start src/index.js -i max", "x.js", ""),
        ] {
            let project = project(&[("package.json", &package(start)), (file, text)]);
            let command = project.command.as_deref();
            assert_eq!(command, Some("/usr/bin/node {root}/current/src/index.js"), "{start}");
            assert!(checks(&project, "with pm2"), "{start}");
        }
        let unknown = project(&[("package.json", &package("pm2 resurrect"))]);
        assert!(checks(&unknown, "write ExecStart= for the file"), "{unknown:?}");
    }

    #[test]
    fn a_command_for_a_part_of_a_workspace_is_no_program() {
        for start in [
            "yarn --cwd ./app start",
            "turbo run start",
            "pnpm --filter web start",
            "nx serve",
        ] {
            let package = format!(r#"{{"scripts":{{"start":"{start}"}},"dependencies":{{"express":"4"}}}}"#);
            let project = project(&[("package.json", &package)]);
            assert_eq!(project.command, None, "{start}");
        }
    }

    #[test]
    fn node_is_started_without_a_file_of_settings_that_is_not_shipped() {
        let package = r#"{"scripts":{"start":"npm run build && node --env-file=.env app.js","build":"tsc"}}"#;
        let project = project(&[("package.json", package), ("app.js", "")]);
        assert_eq!(project.command.as_deref(), Some("/usr/bin/node {root}/current/app.js"));
        assert!(!checks(&project, "also runs `npm run build`"));
        let package = r#"{"scripts":{"start":"node --env-file .env -r x app.js --env-file=y"}}"#;
        let two_words = self::project(&[("package.json", package), ("app.js", "")]);
        assert_eq!(
            two_words.command.as_deref(),
            Some("/usr/bin/node -r x {root}/current/app.js --env-file=y")
        );
    }

    #[test]
    fn bun_starts_a_file() {
        let package = r#"{"scripts":{"start":"bun src/index.ts"},"dependencies":{"elysia":"1"}}"#;
        let project = project(&[("package.json", package), ("bun.lock", ""), ("src/index.ts", "")]);
        assert_eq!(
            project.command.as_deref(),
            Some("/usr/local/bin/bun {root}/current/src/index.ts")
        );
    }

    #[test]
    fn bun_run_takes_a_script_or_else_a_file() {
        let bun = |start: &str| {
            let package =
                format!(r#"{{"scripts":{{"start":"{start}","web":"bun web.ts"}},"dependencies":{{"elysia":"1"}}}}"#);
            let project = project(&[("package.json", &package), ("bun.lock", ""), ("src/index.ts", "")]);
            project.command.unwrap_or_default()
        };
        for (start, command) in [
            ("bun run src/index.ts", "{root}/current/src/index.ts"),
            ("bun run web", "{root}/current/web.ts"),
            ("bun --bun run web", "{root}/current/web.ts"),
            (
                "bun run --smol src/index.ts web",
                "--smol {root}/current/src/index.ts web",
            ),
            (
                "bun run remix-serve b",
                "{root}/current/node_modules/.bin/remix-serve b",
            ),
        ] {
            assert_eq!(bun(start), format!("/usr/local/bin/bun {command}"), "{start}");
        }
        let docker =
            "FROM x AS base\nRUN <<EOF\n  a\nEOF\nFROM base\nENTRYPOINT [ \"bun\", \"run\", \"dist/src/index.js\" ]\n";
        let package = r#"{"scripts":{"build":"tsc"},"dependencies":{"elysia":"1"}}"#;
        let built = project(&[("package.json", package), ("bun.lock", ""), ("Dockerfile", docker)]);
        assert_eq!(
            built.command.as_deref(),
            Some("/usr/local/bin/bun {root}/current/dist/src/index.js")
        );
    }
}
