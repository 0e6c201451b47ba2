//! The apps of docs/apps/: files taken from the fenced blocks of each page, built where they have to be, and what
//! `shipit unit generate` is asked for each. Nothing here knows what a test wants of them.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;
use std::sync::{Mutex, PoisonError};

use tempfile::TempDir;

use crate::bounds::Ends as _;
use crate::deploys::desk::Desk;
use crate::lab::Host;

/// An app; each but the last is the one that its page shows, and answers every request with the name of its
/// release.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum App {
    Node,
    Python,
    Ruby,
    Rust,
    Go,
    /// A file, served by caddy.
    Static,
}

impl App {
    /// Every app, for loops.
    pub(super) const ALL: [Self; 6] = [Self::Node, Self::Python, Self::Ruby, Self::Rust, Self::Go, Self::Static];

    /// The page in docs/apps/.
    pub(super) fn page(self) -> &'static str {
        match self {
            Self::Node => "node",
            Self::Python => "python",
            Self::Ruby => "ruby",
            Self::Rust => "rust",
            Self::Go => "go",
            Self::Static => "static",
        }
    }

    /// What `shipit unit generate` is asked.
    pub(super) fn answers(self) -> &'static [&'static str] {
        match self {
            Self::Node => &["--program", "node", "--notify"],
            Self::Python => &["--program", "gunicorn"],
            Self::Ruby => &["--program", "puma", "--notify"],
            Self::Rust | Self::Go => &["--program", "binary", "--notify"],
            Self::Static => &["--program", "static"],
        }
    }

    /// How many requests to `/hang` take away everybody who could answer; of several workers, chance decides who gets one.
    pub(super) fn hangs_after(self) -> usize {
        match self {
            Self::Node | Self::Rust | Self::Go | Self::Static => 1,
            Self::Ruby => 6, // puma's threads, and one that waits
            Self::Python => usize::MAX,
        }
    }

    /// The file that loads first, and a line of code for its top that takes a while and leaves `/run/acme/loaded`.
    /// Of a compiled app there is none.
    pub(super) fn slow_start(self) -> Option<(&'static str, &'static str)> {
        match self {
            Self::Node => Some((
                "server.js",
                "Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1500); require('fs').writeFileSync('/run/acme/loaded', '');",
            )),
            Self::Python => Some((
                "app.py",
                "import pathlib, time; time.sleep(1.5); pathlib.Path('/run/acme/loaded').touch()",
            )),
            Self::Ruby => Some((
                "config.ru",
                "sleep 1.5; require 'fileutils'; FileUtils.touch '/run/acme/loaded'",
            )),
            Self::Rust | Self::Go | Self::Static => None,
        }
    }

    /// A release of it. `version` makes it another one; the file that is served says it.
    pub(super) fn release(self, host: &Host, version: &str) -> TempDir {
        let tree = tempfile::Builder::new().prefix("release-").tempdir().unwrap();
        let at = tree.path();
        fs::set_permissions(at, fs::Permissions::from_mode(0o755)).unwrap();
        fs::write(at.join("version"), version).unwrap();
        match self {
            Self::Static => fs::write(at.join("index.html"), version).unwrap(),
            Self::Rust | Self::Go => {
                let program = at.join("acme");
                fs::write(&program, self.built(host)).unwrap();
                fs::set_permissions(program, fs::Permissions::from_mode(0o755)).unwrap();
            }
            Self::Node | Self::Python | Self::Ruby => self.lay_out(at),
        }
        tree
    }

    /// Writes the files of the page.
    fn lay_out(self, at: &Path) {
        let page = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("docs/apps/{}.md", self.page()));
        let files = named_blocks(&fs::read_to_string(page).unwrap());
        assert!(files.len() > 1, "{self:?}: {files:?}");
        for (name, text) in files {
            let path = at.join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
    }

    /// The program, built once a test run: Rust here, and so that it needs nothing of the host; Go on the host.
    fn built(self, host: &Host) -> Vec<u8> {
        static RUST: Mutex<Option<Vec<u8>>> = Mutex::new(None);
        static GO: Mutex<Option<Vec<u8>>> = Mutex::new(None);
        let kept = if self == Self::Go { &GO } else { &RUST };
        let mut kept = kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.get_or_insert_with(|| {
            let dir = tempfile::tempdir().unwrap();
            self.lay_out(dir.path());
            if self == Self::Go {
                build_go(host, dir.path())
            } else {
                build_rust(dir.path())
            }
        })
        .clone()
    }
}

fn build_rust(dir: &Path) -> Vec<u8> {
    let rustc = Path::new(env!("CARGO")).with_file_name("rustc");
    let built = Command::new(rustc)
        .args([
            "--edition",
            "2024",
            "-D",
            "warnings",
            "-C",
            "target-feature=+crt-static",
        ])
        .args(["-o", "acme", "src/main.rs"])
        .current_dir(dir)
        .ends();
    assert!(built.status.success(), "{}", String::from_utf8_lossy(&built.stderr));
    fs::read(dir.join("acme")).unwrap()
}

fn build_go(host: &Host, dir: &Path) -> Vec<u8> {
    host.copy_in(dir, "/var/tmp/go");
    host.root("cd /var/tmp/go && export HOME=/root CGO_ENABLED=0 GO111MODULE=off && go vet . && go build -o acme .")
        .ok();
    // Its file system can be seen from here; what a command prints is text.
    fs::read(host.dir().join("root/var/tmp/go/acme")).unwrap()
}

/// The fenced blocks that have a file's name behind their language: name and text.
pub(super) fn named_blocks(page: &str) -> Vec<(String, String)> {
    let (mut all, mut inside) = (Vec::new(), None::<(Option<String>, String)>);
    for line in page.lines() {
        match (&mut inside, line.strip_prefix("```")) {
            (None, Some(tag)) => {
                let name = tag.split_once(' ').map(|(_, name)| name.to_owned());
                inside = Some((name, String::new()));
            }
            (Some(_), Some("")) => {
                if let Some((Some(name), text)) = inside.take() {
                    all.push((name, text));
                }
            }
            (Some((_, text)), _) => {
                text.push_str(line);
                text.push('\n');
            }
            (None, None) => {}
        }
    }
    all
}

/// Lets the generated socket listen on all addresses: the clients of these tests are on another machine, and no router
/// stands in front.
pub fn open(desk: &Desk) {
    let path = desk.path("deploy/units/acme.socket");
    let Ok(text) = fs::read_to_string(&path) else {
        return; // a strategy without a socket
    };
    assert!(text.contains("ListenStream=127.0.0.1:8080"), "{text}");
    fs::write(path, text.replace("ListenStream=127.0.0.1:8080", "ListenStream=8080")).unwrap();
}
