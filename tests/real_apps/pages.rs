//! Pages that take a project to a server and back, typed line by line as they stand: with `init`, with the real package
//! managers on the host, and without anything that the page does not say.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use super::app::named_blocks;
use super::registry;
use crate::bounds::Ends as _;
use crate::deploys::desk::{Desk, Ran};
use crate::lab::{self, Host, Suite};

fn page(name: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/apps").join(name)).unwrap()
}

/// What a reader has who followed a page so far.
struct Reader<'a> {
    host: &'a Host,
    desk: Desk,
    /// Where the app answers, on the host.
    port: u16,
    /// What the app answers after each command that may have changed it.
    answers: Vec<String>,
    typed: usize,
    /// Whether the page says that connections are refused while the app restarts.
    gap: bool,
}

impl<'a> Reader<'a> {
    fn at(host: &'a Host) -> Self {
        Self {
            host,
            desk: Desk::at(host, "ann"),
            port: 8080,
            answers: Vec::new(),
            typed: 0,
            gap: false,
        }
    }

    /// Follows a page: writes its files, and those of `others` that it asks for; types its lines.
    fn follow(&mut self, name: &str, others: &[(&str, &str)]) {
        for (other, file) in others {
            let blocks = named_blocks(&page(other));
            let (_, text) = blocks.iter().find(|(name, _)| name == file).unwrap();
            self.file(file, text);
        }
        self.blocks(&page(name), false);
    }

    /// Prepares the host as this page says; nothing on the reader's machine.
    fn prepare(&mut self, name: &str) {
        self.blocks(&page(name), true);
    }

    fn blocks(&mut self, page: &str, only_host: bool) {
        for block in page.split("```").skip(1).step_by(2) {
            let (tag, text) = block.split_once('\n').unwrap();
            match tag.split_once(' ') {
                Some((_, "root")) => self.by_root(text),
                Some((_, file)) if file.starts_with('/') => self.host.write_file(file, text.as_bytes()),
                _ if only_host => {}
                Some((_, file)) => self.file(file, &self.here(text)),
                None if tag == "sh" => text.lines().for_each(|line| self.line(line)),
                // An excerpt.
                None => {}
            }
        }
    }

    /// Writes a file of the project, which is in a directory of the app's name.
    fn file(&self, name: &str, text: &str) {
        self.desk.file(&format!("shop/{name}"), text);
    }

    /// The page names another host.
    fn here(&self, text: &str) -> String {
        text.replace("app.example.com", &self.host.address().to_string())
    }

    /// What root does on the host. Nothing is installed: no host has the internet, so what the page installs has to be there.
    fn by_root(&self, text: &str) {
        for line in text.lines() {
            let Some(packages) = line.strip_prefix("apt-get install -y ") else {
                self.host.root(line).ok();
                continue;
            };
            for package in packages.split(' ') {
                let there = match package {
                    "npm" => "cd / && npm --version".to_owned(),
                    package => format!("dpkg --status {package}"),
                };
                self.host.root(&format!("{there} >/dev/null")).ok();
            }
        }
    }

    fn line(&mut self, line: &str) {
        let line = self.here(line);
        eprintln!("$ {line}");
        let is_shipit = |part: &str| part.trim_start().starts_with("shipit ");
        if line == "npm install" {
            return self.lock();
        }
        self.typed += line.matches("shipit ").count();
        // Root's part asks once: the reader answers yes.
        let yes = if line.contains(" --as ") { " --yes" } else { "" };
        // The program, as the shell finds it; the rest of the line is the shell's.
        let run = self.desk.command(&[]);
        let words: Vec<String> = run
            .get_args()
            .map(|word| format!("'{}'", word.to_string_lossy()))
            .collect();
        let program = format!("'{}' {}", run.get_program().to_string_lossy(), words.join(" "));
        let line_run = line.replacen("shipit ", &format!("{program} "), usize::from(line.contains("shipit "))) + yes;
        let mut shell = Command::new("sh");
        for (name, value) in run.get_envs() {
            shell.env(name, value.unwrap_or_default());
        }
        // The reader's home has no toolchain: what builds the program is the toolchain itself.
        let sysroot = Command::new("rustc").args(["--print", "sysroot"]).ends().stdout;
        let path = format!(
            "{}/bin:{}",
            String::from_utf8(sysroot).unwrap().trim(),
            std::env::var("PATH").unwrap()
        );
        shell.env("PATH", path);
        let ran = shell
            .args(["-c", &line_run])
            .current_dir(self.desk.path("shop"))
            .stdin(Stdio::null())
            .ends();
        let mut ran = Ran::new(&line, &ran).leaves(0);
        if line.contains("shipit doctor --drain") {
            ran = ran.says(" drains: the request in progress was answered");
        }
        if line.split('|').any(is_shipit)
            && ["up", "deploy", "rollback"]
                .iter()
                .any(|verb| line.contains(&format!("shipit {verb}")))
        {
            if !self.gap {
                ran.never_says("probes failed");
            }
            let url = format!("http://127.0.0.1:{}/", self.port);
            self.answers
                .push(self.host.root(&format!("curl -sS --max-time 60 {url}")).ok());
        }
    }

    /// `npm install`, where the reader's machine would reach a registry: on the host.
    fn lock(&self) {
        let manifest = fs::read_to_string(self.desk.path("shop/package.json")).unwrap();
        self.host.write_file("/var/tmp/lock/package.json", manifest.as_bytes());
        self.host
            .root("cd /var/tmp/lock && npm install --package-lock-only >&2")
            .ok();
        self.file(
            "package-lock.json",
            &self.host.read_file("/var/tmp/lock/package-lock.json"),
        );
    }
}

#[test]
fn an_express_app_goes_live_in_two_commands_and_back_again() {
    let host = lab::host!(Suite::Bookworm.with_apps());
    if !registry::install(&host) {
        return;
    }
    let mut reader = Reader::at(&host);
    reader.follow("express.md", &[("node.md", "systemd.js")]);
    assert_eq!(
        reader.answers,
        ["hello from Express", "hello again", "hello from Express"]
    );
    assert_eq!(reader.typed, 4);
    // `systemd.js` keeps the queue as long as the socket unit sets it, and `doctor` finds nothing wrong with it.
    let queue = host.root("ss -Hltn 'sport = :8080'").ok();
    assert_eq!(queue.split_whitespace().nth(2), Some("4096"), "{queue}");
    reader
        .desk
        .shipit(&["--config", "shop/deploy.yml", "doctor", "-v"])
        .leaves(0)
        .never_says("the queue of");
    let yml = fs::read_to_string(reader.desk.path("shop/deploy.yml")).unwrap();
    assert!(
        yml.contains("strategy: socket") && yml.contains("run: npm ci --omit=dev"),
        "{yml}"
    );
}

#[test]
fn a_static_site_goes_live_behind_nginx_and_back_again() {
    let host = lab::host!(Suite::Bookworm.with_apps());
    let mut reader = Reader::at(&host);
    reader.follow("site.md", &[]);
    let page = |words: &str| format!("<title>Site</title>{words}");
    let (first, again) = (page("hello from nginx"), page("hello again"));
    assert_eq!(reader.answers, [first.clone(), again, first]);
    assert_eq!(reader.typed, 3);
}

#[test]
fn a_django_project_goes_live_with_its_database_and_its_secret_and_back_again() {
    let host = lab::host!(Suite::Bookworm.with_apps());
    if !registry::install(&host) {
        return;
    }
    let mut reader = Reader::at(&host);
    reader.follow("django.md", &[("python.md", "gunicorn.conf.py")]);
    assert_eq!(
        reader.answers,
        [
            "hello from Django, 0 users",
            "hello again, 1 users",
            "hello from Django, 1 users",
            "hello again, 1 users"
        ]
    );
    assert_eq!(host.unit("shop-worker.service", "ActiveState"), "active");
    host.wait_for("the worker", |host| {
        host.journal(Some("shop-worker.service")).contains("1 users")
    });
    let secret = host.root("grep -c '^SECRET_KEY=' /etc/shop/env").ok();
    assert_eq!(secret.trim(), "1");
    assert!(
        !host.journal(Some("shop.service")).contains("ERROR"),
        "{}",
        host.journal(Some("shop.service"))
    );
}

#[test]
fn a_fastapi_app_goes_live_in_two_commands_and_back_again() {
    let host = lab::host!(Suite::Bookworm.with_apps());
    if !registry::install(&host) {
        return;
    }
    let mut reader = Reader::at(&host);
    reader.follow("fastapi.md", &[]);
    assert_eq!(
        reader.answers,
        ["hello from FastAPI", "hello again", "hello from FastAPI"]
    );
    assert_eq!(reader.typed, 5);
    let yml = fs::read_to_string(reader.desk.path("shop/deploy.yml")).unwrap();
    assert!(yml.contains("strategy: socket") && yml.contains("/healthz"), "{yml}");
}

#[test]
fn a_sinatra_app_goes_live_with_the_gems_of_debian_and_back_again() {
    let host = lab::host!(Suite::Bookworm.with_apps());
    let mut reader = Reader::at(&host);
    reader.follow("sinatra.md", &[("ruby.md", "config/puma.rb")]);
    assert_eq!(
        reader.answers,
        ["hello from Sinatra", "hello again", "hello from Sinatra"]
    );
    assert_eq!(reader.typed, 5);
}

#[test]
fn a_plain_php_app_goes_live_without_a_unit_and_back_again() {
    let host = lab::host!(Suite::Bookworm.with_apps());
    let mut reader = Reader {
        port: 80,
        ..Reader::at(&host)
    };
    reader.follow("php.md", &[]);
    let (first, again) = ("hello from PHP", "hello again");
    assert_eq!(reader.answers, [first, again, first, again, again]);
    assert_eq!(reader.typed, 6);
    assert!(!reader.desk.path("shop/deploy").exists());
}

#[test]
fn a_php_app_goes_live_with_its_database_and_its_worker_and_back_again() {
    let host = lab::host!(Suite::Bookworm.with_apps());
    let mut reader = Reader {
        port: 80,
        ..Reader::at(&host)
    };
    reader.prepare("php.md");
    reader.follow("php-sqlite.md", &[]);
    assert_eq!(
        reader.answers,
        [
            "hello from PHP, 0 orders",
            "hello again, 1 orders",
            "hello from PHP, 1 orders"
        ]
    );
    host.wait_for("the worker", |host| {
        host.journal(Some("shop-worker.service"))
            .contains("order 1 is on its way")
    });
    let migrated = host.journal(Some("shop-migrate.service"));
    assert!(
        migrated.contains("migrated to 1") && migrated.contains("migrated to 2"),
        "{migrated}"
    );
}

#[test]
fn a_rust_program_goes_live_in_two_commands_and_back_again() {
    let host = lab::host!(Suite::Bookworm);
    let mut reader = Reader::at(&host);
    reader.follow("rust.md", &[]);
    let [first, second, back] = reader.answers.as_slice() else {
        panic!("{:?}", reader.answers)
    };
    assert!(
        first == back && first != second && !first.is_empty(),
        "{:?}",
        reader.answers
    );
    assert_eq!(reader.typed, 4);
    assert_eq!(host.unit("shop.service", "Type"), "notify");
    let queue = host.root("ss -Hltn 'sport = :8080'").ok();
    assert_eq!(queue.split_whitespace().nth(2), Some("4096"), "{queue}");
}

/// Next.js and its build: 330 MB from the registry and a minute of CPU.
#[test]
#[ignore = "minutes, and 330 MB of packages: docs/CONTRIBUTING.md"]
fn a_next_js_app_goes_live_as_its_standalone_output_and_back_again() {
    let host = lab::host!(Suite::Bookworm.with_apps());
    let mut reader = Reader {
        gap: true,
        ..Reader::at(&host)
    };
    reader.follow("next.md", &[]);
    let said: Vec<bool> = reader
        .answers
        .iter()
        .zip(["hello from Next.js", "hello again", "hello from Next.js"])
        .map(|(page, words)| page.contains(words))
        .collect();
    assert_eq!(said, [true; 3], "{:?}", reader.answers);
    assert_eq!(reader.typed, 4);
    let journal = host.journal(Some("shop.service"));
    assert!(!journal.contains("rror"), "{journal}");
}
