//! What `prepare` made is taken over only where the same would be made again, and arrives as it was. The real scripts and
//! tools, and programs of our own before them in PATH.

use std::os::unix::fs::MetadataExt;

use super::*;

/// Two releases with the same command; the second from the first.
struct Twice {
    staging: Staging,
    tools: PathBuf,
}

const FIRST: &str = "20260101-000000";
const SECOND: &str = "20260102-000000";

impl Twice {
    fn new(shell: &'static [&'static str]) -> Self {
        let staging = Staging::new(shell, 1);
        let tools = staging.at("tools");
        fs::create_dir(&tools).unwrap();
        let twice = Self { staging, tools };
        twice.tool("sync", "");
        twice
    }

    fn tool(&self, name: &str, text: &str) {
        let path = self.tools.join(name);
        fs::write(&path, format!("#!/bin/sh\n{text}\n")).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    }

    /// The first line of the step.
    fn deploy(&self, id: &str, base: &str, command: &str, how: &str) -> String {
        let next = self.staging.next(None, id);
        assert!(self.staging.receive(&next, "copy").ends().status.success());
        assert!(self.staging.verify(&next).status.success());
        let with_tools = |mut script: Command| {
            let path = std::env::var("PATH").unwrap();
            script.env("PATH", format!("{}:{path}", self.tools.display()));
            Staging::done(script)
        };
        let args = [id, command, "", base, how, "recipe", "./made", "./deep/[x]"];
        let out = with_tools(self.staging.script("prepare", &args));
        with_tools(self.staging.script("publish", &[id, "by=me", "prepared"]));
        String::from_utf8(out).unwrap().lines().next().unwrap().to_owned()
    }

    /// What the second one says.
    fn second(&self, command: &str, how: &str) -> String {
        let command = format!("mkdir -p made 'deep/[x]' && echo 1 >made/a && {command}");
        self.deploy(FIRST, "", &command, "hard");
        self.deploy(SECOND, FIRST, &command, how)
    }

    fn made(&self, id: &str) -> fs::Metadata {
        fs::metadata(self.staging.release(id).join("made/a")).unwrap()
    }
}

#[test]
fn what_prepare_made_is_taken_over_where_it_is_all_that_it_changed_and_names_no_release() {
    let cases = [
        ("true", format!("taken {FIRST}")),
        (
            "mkdir -p __pycache__ && echo 1 >__pycache__/a.pyc",
            format!("taken {FIRST}"),
        ),
        // Its own path and id.
        ("pwd >made/b", format!("ran path {FIRST} ./made/b")),
        (
            r#"echo "$SHIPIT_RELEASE" >made/b"#,
            format!("ran path {FIRST} ./made/b"),
        ),
        (
            r#"ln -s "v-$SHIPIT_RELEASE" 'deep/[x]/b'"#,
            format!("ran path {FIRST} ./deep/[x]/b"),
        ),
        (
            r#"mkdir "made/v$SHIPIT_RELEASE""#,
            format!("ran path {FIRST} ./made/v{FIRST}"),
        ),
        // Beside its outputs.
        ("mkdir dist && echo 1 >dist/a", format!("ran beside {FIRST} ./dist")),
        ("echo 1 >deep/x", format!("ran beside {FIRST} ./deep/x")),
        ("echo 2 >first", format!("ran beside {FIRST} ./first")),
        ("chmod 600 first", format!("ran beside {FIRST} ./first")),
        ("rm first", format!("ran beside {FIRST} ./first")),
        ("ln -sf made/a first", format!("ran beside {FIRST} ./first")),
    ];
    for ((command, expected), shell) in cases.into_iter().zip(SHELLS.into_iter().cycle()) {
        let twice = Twice::new(shell);
        assert_eq!(twice.second(command, "hard"), expected, "{shell:?} {command}");
    }
}

#[test]
fn outputs_that_could_not_all_be_read_are_not_taken_over() {
    for shell in SHELLS {
        for (tool, text) in [
            ("grep", "echo \"$0: memory exhausted\" >&2; exit 2"),
            ("grep", "kill -KILL $$"),
            ("comm", "exit 1"),
        ] {
            let twice = Twice::new(shell);
            // Only where made.sh calls it.
            twice.tool(
                tool,
                &format!("case $* in -lF* | '-z -3'*) {text} ;; esac\nexec /usr/bin/{tool} \"$@\""),
            );
            let said = twice.second("true", "hard");
            assert_eq!(said, format!("ran unrecorded {FIRST}"), "{shell:?} {tool}: {text}");
        }
    }
}

#[test]
fn no_two_releases_share_a_file_that_another_user_can_write_to() {
    for shell in SHELLS {
        for (mode, shared) in [("755", true), ("664", false), ("646", false)] {
            let twice = Twice::new(shell);
            let said = twice.second(&format!("chmod {mode} made/a"), "hard");
            assert_eq!(said, format!("taken {FIRST}"), "{shell:?} {mode}");
            let (first, second) = (twice.made(FIRST), twice.made(SECOND));
            assert_eq!(first.ino() == second.ino(), shared, "{shell:?} {mode}");
            assert_eq!(first.mode(), second.mode());
            // What is recorded of a copy is its own.
            let command = format!("mkdir -p made 'deep/[x]' && echo 1 >made/a && chmod {mode} made/a");
            assert_eq!(
                twice.deploy("20260103-000000", SECOND, &command, "hard"),
                format!("taken {SECOND}"),
                "{shell:?} {mode}"
            );
        }
    }
}

#[test]
fn a_copy_that_would_lose_a_mode_or_a_capability_is_not_made() {
    for shell in SHELLS {
        for (tool, text, how, expected) in [
            ("getcap", "echo ./made/a cap_net_bind_service=ep", "copy", "ran failed"),
            ("getcap", "echo ./made/a cap_net_bind_service=ep", "hard", "taken"),
            (
                "cp",
                r#"/bin/cp "$@" && case $* in *--parents*) chmod 600 "$5/made/a" ;; esac"#,
                "copy",
                "ran failed",
            ),
        ] {
            let twice = Twice::new(shell);
            twice.tool(tool, text);
            let said = twice.second("true", how);
            assert_eq!(said, format!("{expected} {FIRST}"), "{shell:?} {tool} {how}");
            assert_eq!(twice.made(SECOND).mode() & 0o777, 0o644, "{shell:?} {tool} {how}");
        }
    }
}

#[test]
fn a_command_that_finds_its_programs_itself_runs() {
    let cases = [
        (": npm ci", format!("taken {FIRST}")),
        (": uv sync", format!("taken {FIRST}")),
        // Not in PATH before it runs.
        (": python9 make.py", "ran unknown".into()),
        ("PATH=$PATH:/opt/node; : npm ci", "ran unknown".into()),
        (": . ~/.nvm/nvm.sh; : npm ci", "ran unknown".into()),
        (": mise exec -- npm ci", "ran unknown".into()),
    ];
    for ((command, expected), shell) in cases.into_iter().zip(SHELLS.into_iter().cycle()) {
        let twice = Twice::new(shell);
        for name in ["npm", "node", "uv"] {
            twice.tool(name, "echo 1");
        }
        assert_eq!(twice.second(command, "hard"), expected, "{shell:?} {command}");
    }
}
