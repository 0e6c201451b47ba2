//! An sshd of the test's own, the keys that go with it, and what most tests do with a connection to it.

use std::io::{BufRead, BufReader, Read};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};

use shipit::failure::Failure;
use shipit::host::ssh::{Ask, Login, Notice, Ssh, Trust, Unattended, connect};
use shipit::host::{Ended, Exec, ExecEvent, Host, Lost, Then};
use shipit::interrupt::Interrupts;

use crate::bounds::{Ends as _, Patient};
use crate::lab;

/// A running sshd in a directory of its own; it ends with the value.
pub struct Sshd {
    pub dir: tempfile::TempDir,
    pub port: u16,
    child: Child,
    log: Arc<Mutex<String>>,
}

/// Starts one, or says why the test cannot run.
pub fn sshd(extra: &str) -> Option<Sshd> {
    let program = ["/usr/sbin/sshd", "/usr/bin/sshd"]
        .iter()
        .find(|p| Path::new(p).exists());
    let (Some(program), true) = (
        program,
        Command::new("ssh-keygen")
            .arg("-?")
            .stderr(Stdio::null())
            .status()
            .is_ok(),
    ) else {
        lab::leave_out("no sshd or no ssh-keygen on this machine");
        return None;
    };
    // sshd insists on its empty directory; without root it does not use it.
    let _ = std::fs::create_dir_all("/run/sshd");
    let dir = tempfile::tempdir().unwrap();
    keygen(dir.path(), "host", &["-t", "ed25519", "-N", ""]);
    keygen(dir.path(), "key", &["-t", "ed25519", "-N", ""]);
    std::fs::copy(dir.path().join("key.pub"), dir.path().join("authorized")).unwrap();
    for _ in 0..5 {
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let at = dir.path().display();
        // The first value of a keyword wins, so what the test wants comes first. The home is an empty one: what a
        // person's .bashrc does is not what is tested here.
        let text = format!(
            "{extra}\nListenAddress 127.0.0.1:{port}\nHostKey {at}/host\nAuthorizedKeysFile {at}/authorized\n\
             PidFile none\nUsePAM no\nStrictModes no\nPasswordAuthentication no\nKbdInteractiveAuthentication no\n\
             LogLevel VERBOSE\nMaxStartups 100\nSetEnv HOME={at}\n"
        );
        std::fs::write(dir.path().join("sshd_config"), text).unwrap();
        let mut child = Command::new(program)
            .args(["-D", "-e", "-f"])
            .arg(dir.path().join("sshd_config"))
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(Patient(child.stderr.take().unwrap()));
        let mut head = String::new();
        while lines.read_line(&mut head).unwrap() > 0 && !head.contains("Server listening") {}
        if !head.contains("Server listening") {
            let _ = child.wait();
            assert!(head.contains("in use"), "sshd did not start: {head}");
            continue;
        }
        let log = Arc::new(Mutex::new(head));
        let kept = Arc::clone(&log);
        std::thread::spawn(move || {
            for line in lines.lines().map_while(Result::ok) {
                let mut log = kept.lock().unwrap();
                log.push_str(&line);
                log.push('\n');
            }
        });
        return Some(Sshd { dir, port, child, log });
    }
    panic!("no free port");
}

impl Drop for Sshd {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Sshd {
    /// A file of the test.
    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub fn write(&self, name: &str, text: &str) -> PathBuf {
        std::fs::write(self.path(name), text).unwrap();
        self.path(name)
    }

    pub fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.path(name)).unwrap()
    }

    pub fn log(&self) -> String {
        self.log.lock().unwrap().clone()
    }

    /// A key beside the server's; its public half goes to `authorized` when the server shall take it.
    pub fn key(&self, name: &str, arguments: &[&str]) -> PathBuf {
        keygen(self.dir.path(), name, arguments);
        self.path(name)
    }

    pub fn authorize(&self, name: &str) {
        let all = self.read("authorized") + &self.read(&format!("{name}.pub"));
        self.write("authorized", &all);
    }

    /// The fingerprint that ssh-keygen gives of a public key.
    pub fn fingerprint(&self, name: &str) -> String {
        let output = Command::new("ssh-keygen")
            .arg("-lf")
            .arg(self.path(&format!("{name}.pub")))
            .ends();
        String::from_utf8(output.stdout)
            .unwrap()
            .split(' ')
            .nth(1)
            .unwrap()
            .to_owned()
    }

    /// The line of known_hosts for this server on another port (a proxy's), or its own.
    pub fn known(&self, port: u16) -> PathBuf {
        let key = self.read("host.pub");
        self.write("known_hosts", &format!("[127.0.0.1]:{port} {key}"))
    }

    /// A login that works: the key that is authorised, the host key that is known, nothing of the machine's own
    /// configuration.
    pub fn login(&self) -> Login {
        Login {
            user: Some(me()),
            host: "127.0.0.1".into(),
            port: Some(self.port),
            pin: None,
            trust: Trust::Strict,
            config_file: Some(self.write("ssh_config", "IdentityAgent none\n")),
            identity: Some(self.path("key")),
            known_hosts: Some(self.known(self.port)),
        }
    }

    /// The login without its key, with these lines as its whole configuration.
    pub fn login_with(&self, config: &str) -> Login {
        let login = self.login();
        self.write("ssh_config", config);
        Login {
            identity: None,
            ..login
        }
    }

    pub fn connected(&self) -> Ssh {
        open(&self.login()).unwrap_or_else(|failure| panic!("{failure}\n{}", self.log()))
    }
}

/// Makes a key pair.
fn keygen(dir: &Path, name: &str, arguments: &[&str]) {
    let made = Command::new("ssh-keygen")
        .arg("-q")
        .args(arguments)
        .arg("-f")
        .arg(dir.join(name))
        .ends();
    assert!(made.status.success(), "{made:?}");
}

/// Who runs the tests, and so logs in.
pub fn me() -> String {
    let output = Command::new("id").arg("-un").ends();
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

/// Connects with nobody there.
pub fn open(login: &Login) -> Result<Ssh, Failure> {
    open_asking(login, &mut Unattended).0
}

/// Connects with a person; gives what was noticed too.
pub fn open_asking(login: &Login, ask: &mut dyn Ask) -> (Result<Ssh, Failure>, Vec<Notice>) {
    let mut notices = Vec::new();
    let result = connect(login, &Interrupts::never().unwrap(), ask, &mut |notice| {
        notices.push(notice)
    });
    (result, notices)
}

/// The failure of a connection that must fail.
pub fn refused(login: &Login) -> Failure {
    match open(login) {
        Ok(_) => panic!("it was let in"),
        Err(failure) => failure,
    }
}

/// What a command gave.
#[derive(Debug, Default, PartialEq)]
pub struct Gave {
    pub out: Vec<u8>,
    pub err: Vec<u8>,
    pub sent: u64,
}

/// Runs a line to its end, with a test that listens.
pub fn listen<'a>(
    ssh: &mut Ssh,
    line: &'a str,
    stdin: Option<&'a mut dyn Read>,
    on_event: &mut dyn FnMut(ExecEvent<'_>),
) -> Result<Ended, Lost> {
    let exec = Exec {
        stdin,
        ..Exec::of(line)
    };
    ssh.exec(exec, &mut |event| {
        on_event(event);
        Then::Listen
    })
}

/// Runs a line to its end.
pub fn run<'a>(ssh: &mut Ssh, line: &'a str, stdin: Option<&'a mut dyn Read>) -> (Result<Ended, Lost>, Gave) {
    let mut gave = Gave::default();
    let result = listen(ssh, line, stdin, &mut |heard| match heard {
        ExecEvent::Out(bytes) => gave.out.extend_from_slice(bytes),
        ExecEvent::Err(bytes) => gave.err.extend_from_slice(bytes),
        ExecEvent::Sent(sent) => gave.sent = sent,
        ExecEvent::Interrupted | ExecEvent::Asked(_) => {}
    });
    (result, gave)
}

/// Runs a line that must succeed; gives its output.
pub fn says(ssh: &mut Ssh, line: &str) -> String {
    let (ended, gave) = run(ssh, line, None);
    assert_eq!(
        ended,
        Ok(Ended::Code(0)),
        "{line}: {}",
        String::from_utf8_lossy(&gave.err)
    );
    String::from_utf8(gave.out).unwrap()
}
