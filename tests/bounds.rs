//! How long tests wait: for conditions, never for a time. The bounds are minutes, so that a machine ten times as slow as
//! this one passes; they only turn a hang into a failure that says what hung, and what ran there.

use std::fs;
use std::io::{self, Read, Write};
use std::os::fd::AsFd;
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, Signal, kill_process};

use crate::lab;

/// What an idle machine does at once may take so long.
pub const PATIENCE: Duration = Duration::from_secs(300);

/// A command that takes so long hangs.
pub const HANG: Duration = Duration::from_secs(600);

/// What does not wait for something else, which takes much longer, ends within this.
pub const AT_ONCE: Duration = Duration::from_secs(200);

/// How long this thread has computed, as the kernel counts it: on a busy machine less than the time that passed.
pub fn cpu_time() -> Duration {
    let stat = fs::read_to_string("/proc/thread-self/schedstat").unwrap();
    Duration::from_nanos(stat.split(' ').next().unwrap().parse().unwrap())
}

/// How long that computed.
pub fn cpu(work: impl FnOnce()) -> Duration {
    let began = cpu_time();
    work();
    cpu_time() - began
}

/// Waits until that holds; panics with the name of what did not come.
#[track_caller]
pub fn wait_for(what: &str, mut holds: impl FnMut() -> bool) {
    let until = Instant::now() + PATIENCE;
    while !holds() {
        assert!(Instant::now() < until, "not within {PATIENCE:?}: {what}");
        thread::sleep(Duration::from_millis(10));
    }
}

/// Commands and children that are waited for with a bound. One that hangs is killed with all its children, and the test
/// panics with what it printed, what ran below it, and what runs on the hosts of this test.
pub trait Ends {
    /// All that it prints, and how it ends.
    #[track_caller]
    fn ends(self) -> Output;
}

impl Ends for &mut Command {
    #[track_caller]
    fn ends(self) -> Output {
        reading(self, Stdio::null())
    }
}

/// Runs a command with that as its stdin.
#[track_caller]
pub fn reading(command: &mut Command, stdin: impl Into<Stdio>) -> Output {
    command.stdin(stdin).stdout(Stdio::piped()).stderr(Stdio::piped());
    let child = command.spawn().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    given(child, &format!("{command:?}"), Vec::new())
}

impl Ends for Child {
    #[track_caller]
    fn ends(self) -> Output {
        let said = fs::read(format!("/proc/{}/cmdline", self.id())).unwrap_or_default();
        let said = String::from_utf8_lossy(&said).replace('\0', " ");
        given(self, &said, Vec::new())
    }
}

/// The same for one that reads these bytes, if its stdin is piped. One that does not want them is no failure.
#[track_caller]
pub fn given(mut child: Child, said: &str, stdin: Vec<u8>) -> Output {
    if let Some(mut to) = child.stdin.take() {
        // Beside the reading: a child that answers before it has read all would block us both.
        thread::spawn(move || drop(to.write_all(&stdin)));
    }
    let until = Instant::now() + HANG;
    let (out, err) = (Kept::of(child.stdout.take()), Kept::of(child.stderr.take()));
    let status = (out.whole(until) && err.whole(until)).then(|| exits(&mut child, until));
    let Some(status) = status.flatten() else {
        let below = killed(child.id());
        drop(child.wait());
        let [out, err] = [out, err].map(|kept| String::from_utf8_lossy(&kept.bytes()).into_owned());
        hung(&format!(
            "{said}\nstdout so far: {out}\nstderr so far: {err}\nran below it:\n{below}"
        ));
    };
    Output {
        status,
        stdout: out.bytes(),
        stderr: err.bytes(),
    }
}

/// How it ended, unless it goes on.
fn exits(child: &mut Child, until: Instant) -> Option<ExitStatus> {
    let mut pause = Duration::from_millis(1);
    loop {
        match child.try_wait().unwrap() {
            None if Instant::now() < until => thread::sleep(pause),
            status => return status,
        }
        pause = (pause * 2).min(Duration::from_millis(50));
    }
}

/// What is read from a pipe, as it comes.
struct Kept {
    bytes: Arc<Mutex<Vec<u8>>>,
    end: Option<Receiver<()>>,
}

impl Kept {
    fn of(pipe: Option<impl Read + Send + 'static>) -> Self {
        let bytes = Arc::new(Mutex::new(Vec::new()));
        let end = pipe.map(|mut pipe| {
            let (sender, end) = channel();
            let kept = Arc::clone(&bytes);
            thread::spawn(move || {
                let mut some = vec![0; 65536];
                // An error is an end, too: nobody has this pipe but us.
                while let Ok(n @ 1..) = pipe.read(&mut some) {
                    kept.lock().unwrap_or_else(PoisonError::into_inner).extend(&some[..n]);
                }
                let _ = sender.send(());
            });
            end
        });
        Self { bytes, end }
    }

    /// Waits for its end.
    fn whole(&self, until: Instant) -> bool {
        let left = until.saturating_duration_since(Instant::now());
        self.end.as_ref().is_none_or(|end| end.recv_timeout(left).is_ok())
    }

    fn bytes(&self) -> Vec<u8> {
        std::mem::take(&mut self.bytes.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// A reader that panics when nothing comes for long: of a pipe, a terminal, a socket.
pub struct Patient<R>(pub R);

impl<R: Read + AsFd> Read for Patient<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let until = Instant::now() + HANG;
        loop {
            let mut fds = [PollFd::new(&self.0, PollFlags::IN)];
            let second = Timespec { tv_sec: 1, tv_nsec: 0 };
            match poll(&mut fds, Some(&second)) {
                Ok(0) if Instant::now() < until => {}
                Ok(0) => hung("what is read here, and is silent\n"),
                Ok(_) => return self.0.read(buffer),
                Err(rustix::io::Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
        }
    }
}

/// Fails this test.
#[track_caller]
fn hung(what: &str) -> ! {
    panic!("HUNG for {HANG:?}: {what}{}", lab::processes());
}

/// What `/proc` has of a process behind its name: its state, its parent, its group.
fn stat(pid: u32) -> Option<(String, u32, u32)> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let mut words = stat.rsplit_once(") ")?.1.split(' ');
    let state = words.next()?.to_owned();
    Some((state, words.next()?.parse().ok()?, words.next()?.parse().ok()?))
}

fn all() -> impl Iterator<Item = u32> {
    let entries = fs::read_dir("/proc").unwrap().flatten();
    entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok())
}

/// Waits until no process of that group is left: SIGKILL is sent in a moment, and carried out when each is scheduled.
/// Until then it holds its locks.
#[track_caller]
pub fn wait_for_end_of_group(group: u32) {
    wait_for("the end of what was killed", || {
        !all().any(|pid| stat(pid).is_some_and(|(state, _, of)| of == group && state != "Z" && state != "X"))
    });
}

/// Kills a process and all below it. What they were.
fn killed(pid: u32) -> String {
    let mut tree = vec![pid];
    let parents: Vec<(u32, u32)> = all().filter_map(|pid| Some((pid, stat(pid)?.1))).collect();
    let mut at = 0;
    while let Some(parent) = tree.get(at).copied() {
        tree.extend(parents.iter().filter(|(_, of)| *of == parent).map(|(pid, _)| pid));
        at += 1;
    }
    let line = |pid: &u32| {
        let words = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        let words: String = String::from_utf8_lossy(&words)
            .replace('\0', " ")
            .chars()
            .take(300)
            .collect();
        format!("{pid} {words}\n")
    };
    let lines: String = tree.iter().map(line).collect();
    for pid in tree {
        let pid = i32::try_from(pid).ok().and_then(Pid::from_raw);
        let _ = kill_process(pid.expect("a process"), Signal::KILL);
    }
    lines
}
