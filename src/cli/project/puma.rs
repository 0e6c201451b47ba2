//! puma, and the servers that an app has in its place: by the gems of production and by config/puma.rb. Never runs bundler.

use super::directory::Directory;
use super::{About, Project};

/// Whether the Gemfile has this gem outside of the groups for development and tests.
pub(super) fn in_production(dir: &Directory, gem: &str) -> bool {
    let outside = |text: &str| text.contains("development") || text.contains("test");
    // Each block, and whether it is one of those groups.
    let mut open: Vec<bool> = Vec::new();
    for line in dir.text("Gemfile").lines().map(str::trim) {
        let line = line.split(" #").next().unwrap_or_default().trim();
        if line == "end" {
            open.pop();
        } else if line.ends_with(" do") || line.starts_with("if ") || line.starts_with("unless ") {
            open.push(line.starts_with("group ") && outside(line) && !line.contains("production"));
        } else if let Some(rest) = line.strip_prefix("gem") {
            let mut words = rest.split(['"', '\'']);
            let named = words.nth(1) == Some(gem);
            let options = rest.split_once("group").map_or("", |(_, options)| options);
            if named && (!outside(options) || options.contains("production")) && !open.contains(&true) {
                return true;
            }
        }
    }
    false
}

/// The lines of config/puma.rb that production reads, without those of a branch for another environment.
fn lines(dir: &Directory) -> Vec<&str> {
    // For each open block: whether production reads it, and whether its condition is about the environment.
    let mut open: Vec<(bool, bool)> = Vec::new();
    let mut found = Vec::new();
    let of = |line: &str| -> Option<bool> {
        let other = line.contains("development") || line.contains("\"test\"") || line.contains("'test'");
        let live = line.contains("production");
        let differs = line.contains("!=") || line.contains("unless ");
        (other != live && line.contains("env") | line.contains("ENV")).then_some(live != differs)
    };
    for line in dir.text("config/puma.rb").lines().map(str::trim) {
        let line = line.split(" #").next().unwrap_or_default().trim_end();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let first = line.split([' ', '(']).next().unwrap_or_default();
        match first {
            "end" => _ = open.pop(),
            "else" | "elsif" => {
                if let Some((live, known)) = open.last_mut() {
                    *live = !*live || !*known;
                }
            }
            "if" | "unless" => {
                let read = of(line);
                open.push((read.unwrap_or(true), read.is_some()));
            }
            _ => {
                let modifier = line.split_once(" if ").or(line.split_once(" unless "));
                let unread = modifier.is_some_and(|(before, _)| of(&line[before.len()..]) == Some(false));
                if !unread && open.iter().all(|(live, _)| *live) {
                    found.push(line);
                }
                let opens = ["case", "def", "begin", "while"].contains(&first)
                    || line.ends_with(" do")
                    || line.ends_with('|') && line.contains(" do ");
                if opens {
                    open.push((true, false));
                }
            }
        }
    }
    found
}

/// The server in the Gemfile, and what config/puma.rb opens and writes.
pub(super) fn checks(dir: &Directory, project: &mut Project) {
    if !in_production(dir, "puma") {
        let others = [
            "pitchfork",
            "unicorn",
            "passenger",
            "falcon",
            "thin",
            "webrick",
            "iodine",
        ];
        let other = others.iter().find(|gem| in_production(dir, gem));
        let only = if dir.depends(&["Gemfile"], "puma") {
            "has puma only for development and tests"
        } else {
            "does not have puma"
        };
        project.check(
            About::Command,
            match other {
                Some(other) => format!(
                    "the Gemfile has {other} and {only}: add puma, or change ExecStart= to {other} and the strategy to `restart`"
                ),
                None if only.starts_with("has") => {
                    format!("the Gemfile {only}: move it, or change ExecStart= and the strategy")
                }
                None => "puma is not in the Gemfile: add it, or change ExecStart= and the strategy".into(),
            },
        );
    }
    let lines = lines(dir);
    let word = |line: &str| line.split([' ', '(']).next().unwrap_or_default().to_owned();
    let opens = |line: &&&str| ["port", "bind", "ssl_bind"].contains(&word(line).as_str());
    if let Some(line) = lines.iter().find(opens) {
        project.check(
            About::Command,
            format!(
                "config/puma.rb has `{line}`, which opens a second port in addition to the socket that systemd holds: remove it"
            ),
        );
    }
    let paths = lines.iter().flat_map(|line| line.split(['"', '\'']).skip(1).step_by(2));
    let mut paths: Vec<&str> = paths
        .map(|text| text.trim_start_matches("unix://"))
        .filter(|text| text.starts_with('/') && text.len() > 1 && !text.starts_with("/dev/"))
        .collect();
    paths.dedup();
    if !paths.is_empty() {
        project.check(
            About::Command,
            format!(
                "config/puma.rb names {}: does it exist on the host? The app can write only below shared/ and /run/APP",
                paths.join(", ")
            ),
        );
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{checks, project};

    #[test]
    fn puma_counts_where_production_has_it() {
        let with = |gemfile: &str| project(&[("Gemfile", gemfile), ("config.ru", "")]);
        for gemfile in [
            "gem 'pitchfork'\ngroup :development, :test do\n  gem 'puma'\nend\n",
            "gem 'pitchfork'\ngem 'puma', group: :development\n",
        ] {
            let forked = with(gemfile);
            assert!(
                checks(&forked, "has pitchfork and has puma only for development and tests"),
                "{forked:?}"
            );
        }
        for gemfile in [
            "group :development do\n  gem 'x'\nend\ngem \"puma\", \"~> 6\" # test\n",
            "group :production do\n  gem 'puma'\nend\n",
        ] {
            assert!(!checks(&with(gemfile), "puma"), "{gemfile}");
        }
    }

    #[test]
    fn only_what_production_reads_of_the_configuration_counts() {
        let with = |config: &str| project(&[("Gemfile", "gem 'puma'"), ("config.ru", ""), ("config/puma.rb", config)]);
        for (config, opens) in [
            ("port ENV.fetch('PORT', 3000)\n", true),
            (
                "if rails_env == 'production'\n  workers :auto\n  before_fork do\n    x\n  end\nelse\n  port 3000\nend\n",
                false,
            ),
            ("if ENV['RAILS_ENV'] == 'production'\n  port 3000\nend\n", true),
            ("unless env == 'production'\n  port 3000\nend\nworkers 2\n", false),
            ("port 3000 if ENV['RAILS_ENV'] == 'development'\n", false),
            ("# port 3000\nport(ENV.fetch(\"PORT\") { 3000 }, host)\n", true),
            ("if ENV['X']\n  bind 'unix:///srv/a.sock'\nend\n", true),
        ] {
            assert_eq!(checks(&with(config), "opens a second port"), opens, "{config}");
        }
        let paths = with(
            "pidfile ENV.fetch('PIDFILE') {\n  if ENV.fetch('RAILS_ENV') == 'production'\n    '/home/x/puma.pid'\n  else\n    'tmp/puma.pid'\n  end\n}\nstdout_redirect '/srv/a.log', '/dev/null'\n",
        );
        assert!(
            checks(
                &paths,
                "config/puma.rb names /home/x/puma.pid, /srv/a.log: does it exist"
            ),
            "{paths:?}"
        );
        assert!(!checks(&with("pidfile 'tmp/a.pid'\n"), "config/puma.rb names"));
    }
}
