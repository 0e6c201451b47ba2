//! The host's scripts as they stand, run here without a host: real shells and real tools in a directory of our
//! own, with a systemd of files. What needs a real systemd belongs to `faults` and `deploys`.

mod actions;
mod commands; // those of the conductor: each has a deadline
pub(crate) mod dice; // random names and contents
mod drain; // the clients of a drain trial, and what puts its instance back
mod ends; // of a run
mod environment;
mod evidence;
mod faulty;
mod following;
mod guarded;
mod in_use;
mod killed;
mod ledger;
mod meter; // the downtime meter
mod notices;
mod parts; // of nginx, in a canary
mod reasons;
mod refused;
mod routers;
mod run_helper;
mod staging; // a release that takes files over from another one
mod verdict;
mod ways; // who can change the way to a path
mod whole;

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::os::unix::process::{CommandExt, ExitStatusExt as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use shipit::remote::CONDUCTOR;
use shipit::step::PROTOCOL;

use crate::bounds::{self, Ends as _};

/// The shells that hosts have as sh.
const SHELLS: [&[&str]; 2] = [&["dash"], &["busybox", "sh"]];

/// The external commands that a fault can stand in front of.
const TOOLS: &[&str] = &[
    "awk",
    "cat",
    "chmod",
    "cmp",
    "comm",
    "cp",
    "chown",
    "cut",
    "dd",
    "date",
    "fallocate",
    "find",
    "flock",
    "getent",
    "grep",
    "head",
    "id",
    "ln",
    "mkdir",
    "mv",
    "readlink",
    "rm",
    "runuser",
    "sed",
    "sleep",
    "sort",
    "stat",
    "sync",
    "systemctl",
    "tail",
    "tr",
    "visudo",
    "wc",
    "xargs",
    "touch",
    "uniq",
    "timeout",
    "curl",
    "df",
    "tar",
    "gzip",
    "zstd",
    "uname",
    "ls",
    "useradd",
    "base64",
    "sha256sum",
    "ss",
    "nproc",
    "journalctl",
    "systemd-analyze",
];

/// What systemd logs of a process that crashed.
const CRASHED: &str =
    r#"{"__REALTIME_TIMESTAMP":"9999999999999999","EXIT_CODE":"exited","EXIT_STATUS":"7","INVOCATION_ID":"c0de"}"#;

/// When a fault strikes: at which external command, before it or after it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Fault {
    at: usize,
    when: &'static str,
}

const NO_FAULT: Fault = Fault { at: 0, when: "never" };

/// A directory with an app's root in it: `old` is live and verified, `new` is staged.
struct World {
    dir: tempfile::TempDir,
    shell: &'static [&'static str],
}

/// What setup is to write, as it travels on stdin.
const SETUP_FILES: &[u8] =
    b"shipit-files\npath cA==\nservice cA==\nboot cA==\nnotify-path \nnotify-service \nenv cA==\njournal cA==\nrun cA==\nnotify \nrule cA==\n";

impl World {
    fn new(shell: &'static [&'static str]) -> Self {
        let world = Self {
            dir: tempfile::tempdir().unwrap(),
            shell,
        };
        for path in ["releases", "links", "runs"] {
            fs::create_dir_all(world.root().join(".shipit").join(path)).unwrap();
        }
        for id in ["old", "new"] {
            fs::create_dir_all(world.root().join("releases").join(id)).unwrap();
            fs::create_dir_all(world.state("releases").join(id)).unwrap();
            symlink(format!("releases/{id}"), world.state("links").join(id)).unwrap();
        }
        symlink("releases/old", world.root().join("current")).unwrap();
        fs::write(
            world.state("ledger"),
            "t 0 - staged old\nt 1 r0 begin old\nt 1 r0 live old\nt 1 r0 verified old\nt 0 - staged new\n",
        )
        .unwrap();
        world.tools();
        world.unit("acme.service");
        world.process(1, "S", 4_194_560, Some("/"));
        world
    }

    /// A process, as /proc shows it to this user: with its state, its flags, and where it is, unless that is closed.
    fn process(&self, pid: u32, state: &str, flags: u32, cwd: Option<&str>) {
        let dir = self.dir.path().join("proc").join(pid.to_string());
        drop(fs::remove_dir_all(&dir));
        fs::create_dir_all(&dir).unwrap();
        fs::write(
            dir.join("stat"),
            format!("{pid} (a) b) {state} 1 1 1 0 -1 {flags} 7 0\n"),
        )
        .unwrap();
        match cwd {
            Some(cwd) => symlink(cwd, dir.join("cwd")).unwrap(),
            // What is there and is no link: nothing is read from it.
            None => fs::write(dir.join("cwd"), "").unwrap(),
        }
    }

    /// The real tools with our systemctl among them, and the same names with a fault in front of each.
    fn tools(&self) {
        let fakes = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/scripts/fakes");
        for dir in [
            "real",
            "faulty",
            "etc",
            "etc/sudoers.d",
            "etc/systemd/system",
            "usr/local/lib",
        ] {
            fs::create_dir_all(self.dir.path().join(dir)).unwrap();
        }
        // Few: a world is made for each fault.
        for tool in TOOLS
            .iter()
            .chain(&["dash", "busybox", "sh", "bash", "sudo", "printf", "env", "test"])
        {
            let found = ["/usr/bin", "/usr/sbin", "/bin", "/sbin"]
                .iter()
                .map(|folder| Path::new(folder).join(tool))
                .find(|path| path.exists());
            if let Some(found) = found {
                symlink(found, self.dir.path().join("real").join(tool)).unwrap();
            }
        }
        let real = self.dir.path().join("real");
        for (name, text) in [
            ("systemctl", fs::read_to_string(fakes.join("systemctl")).unwrap()),
            ("visudo", "#!/bin/sh\n".into()),
            ("chown", "#!/bin/sh\n".into()),
            ("runuser", "#!/bin/sh\nshift 3\nexec \"$@\"\n".into()),
            ("id", "#!/bin/sh\necho 0\n".into()),
            ("journalctl", format!("#!/bin/sh\necho '{CRASHED}'\n")),
        ] {
            drop(fs::remove_file(real.join(name)));
            fs::write(real.join(name), text).unwrap();
            fs::set_permissions(real.join(name), PermissionsExt::from_mode(0o755)).unwrap();
        }
        drop(symlink(real.join("sh"), self.dir.path().join("faulty/sh")));
        for name in TOOLS {
            symlink(fakes.join("fault"), self.dir.path().join("faulty").join(name)).unwrap();
        }
    }

    fn unit(&self, name: &str) {
        let unit = self.dir.path().join("units").join(name);
        fs::create_dir_all(&unit).unwrap();
        fs::write(unit.join("life"), "1").unwrap();
        fs::write(unit.join("runs"), "releases/old\n").unwrap();
    }

    fn root(&self) -> PathBuf {
        self.dir.path().join("root")
    }

    fn state(&self, path: &str) -> PathBuf {
        self.root().join(".shipit").join(path)
    }

    fn read(&self, path: &str) -> String {
        String::from_utf8_lossy(&fs::read(self.state(path)).unwrap_or_default()).into_owned()
    }

    fn current(&self) -> String {
        let to = fs::read_link(self.root().join("current")).unwrap();
        assert!(self.root().join("current/").is_dir(), "current leads nowhere: {to:?}");
        to.file_name().unwrap().to_string_lossy().into_owned()
    }

    /// Where the unit's process was started from.
    fn runs(&self, unit: &str) -> String {
        let runs = fs::read_to_string(self.dir.path().join("units").join(unit).join("runs"));
        runs.unwrap_or_default()
            .trim()
            .trim_start_matches("releases/")
            .to_owned()
    }

    /// Runs a script with its arguments; true calls only, or up to that fault.
    fn run(&self, text: &str, args: &[&str], fault: Fault) -> Output {
        ran(&mut self.command(text, args, fault), Stdio::null())
    }

    /// The same without a fault, with something on its stdin.
    fn given(&self, text: &str, args: &[&str], stdin: &[u8]) -> Output {
        self.given_with(text, args, stdin, NO_FAULT)
    }

    fn given_with(&self, text: &str, args: &[&str], stdin: &[u8], fault: Fault) -> Output {
        let file = self.dir.path().join("stdin");
        fs::write(&file, stdin).unwrap();
        ran(&mut self.command(text, args, fault), fs::File::open(&file).unwrap())
    }

    fn command(&self, text: &str, args: &[&str], fault: Fault) -> Command {
        let inside = self.dir.path();
        drop(fs::remove_dir_all(inside.join("calls")));
        fs::create_dir(inside.join("calls")).unwrap();
        let tools = if fault == NO_FAULT { "real" } else { "faulty" };
        let text = text
            .replace(
                "PATH=/usr/local/sbin",
                &format!("PATH={}:/usr/local/sbin", inside.join(tools).display()),
            )
            .replace("proc=/proc", &format!("proc={}/proc", inside.display()))
            .replace("/etc/", &format!("{}/etc/", inside.display()))
            .replace("/run/shipit-setup", &format!("{}/setup", inside.display()))
            .replace("/usr/local/lib/", &format!("{}/usr/local/lib/", inside.display()));
        let mut command = Command::new(inside.join("real").join(self.shell[0]));
        command.args(&self.shell[1..]);
        // As an argument, the conductor would be longer than Linux takes one.
        if text.len() > 100_000 {
            let file = tempfile::Builder::new().prefix("script-").tempfile_in(inside).unwrap();
            let (mut open, path) = file.keep().unwrap();
            open.write_all(text.as_bytes()).unwrap();
            command.arg(path);
        } else {
            command.args(["-c", &text, "shipit"]);
        }
        command
            .args(args)
            .process_group(0)
            .env("PATH", inside.join(tools))
            .env("REAL", inside.join("real"))
            .env("FAKE", inside)
            .env("ROOT", self.root())
            .env("AT", fault.at.to_string())
            .env("WHEN", fault.when);
        command
    }

    /// One of the scripts by its name; the app's root is its first argument.
    fn script(&self, name: &str, args: &[&str], fault: Fault) -> Output {
        let (_, text) = shipit::remote::script::ALL
            .iter()
            .find(|(known, _)| *known == name)
            .unwrap();
        let root = self.root();
        let args: Vec<&str> = std::iter::once(root.to_str().unwrap())
            .chain(args.iter().copied())
            .collect();
        // A request travels on stdin, with its length as the argument.
        if name == "request" {
            let length = args[3].len().to_string();
            let file = self.dir.path().join("stdin");
            fs::write(&file, args[3]).unwrap();
            let mut command = self.command(text, &[args[0], args[1], args[2], &length], fault);
            return ran(&mut command, fs::File::open(&file).unwrap());
        }
        self.run(text, &args, fault)
    }

    /// The conductor, as its guard starts it.
    fn conductor(&self, fault: Fault) -> Output {
        self.run(CONDUCTOR, &[self.root().to_str().unwrap()], fault)
    }

    /// Places a request: these lists, on top of the usual head.
    fn request(&self, run: &str, lists: &str) {
        let out = self.script("request", &[run, "1", &request(run, lists)], NO_FAULT);
        assert_eq!(said(&out), "placed\n", "{out:?}");
    }
}

/// Runs a script that leads a group of its own. One that was killed is over when the last of its commands is: until then
/// they hold its locks.
fn ran(command: &mut Command, stdin: impl Into<Stdio>) -> Output {
    command.stdin(stdin).stdout(Stdio::piped()).stderr(Stdio::piped());
    let child = command.spawn().unwrap();
    let group = child.id();
    let out = child.ends();
    if out.status.signal().is_some() {
        bounds::wait_for_end_of_group(group);
    }
    out
}

fn request(run: &str, lists: &str) -> String {
    format!(
        "shipit {PROTOCOL}\nrun {run}\nepoch 2\ncommand deploy\nby me\nsince now\naccess root\nprevious old\nnext new\n\
         unit acme.service\n{lists}end\n"
    )
}

/// A whole switch of one service.
const SWITCH: &str = "switch flip to=new\nswitch restart unit=acme.service\n\
    switch await unit=acme.service turn=restart start=1 successes=1 timeout=1 watch=0 wrongs=5 kind=none target=\\c status=0 contains=\\c release=-\nswitch confirm\n\
    revert flip to=old\nrevert restart unit=acme.service\n\
    revert await unit=acme.service turn=restart start=1 successes=1 timeout=1 watch=0 wrongs=5 kind=none target=\\c status=0 contains=\\c release=-\n\
    settle spare\n";

/// The same with time for a busy machine: what is slow has not failed.
fn patient() -> String {
    SWITCH
        .replace("start=1 ", "start=60 ")
        .replace("timeout=1 ", "timeout=60 ")
}

fn said(out: &Output) -> String {
    String::from_utf8_lossy(&out.stdout).into_owned()
}

/// Runs a test under each shell that is here.
fn under_each_shell(test: impl Fn(World)) {
    for shell in SHELLS {
        if Command::new(shell[0])
            .args(&shell[1..])
            .args(["-c", ":"])
            .status()
            .is_ok()
        {
            test(World::new(shell));
        }
    }
}
