//! Tests of the frame. No host: a shell of this machine, or bytes as they come.
#![allow(clippy::unwrap_used)]

use super::super::exec_line::{Way, unpacked};
use super::*;
use crate::host::{Ended, Then};
use crate::remote::Input;

/// A host whose stderr arrives after all of its stdout, as sshd is free to do.
struct LateStderr;
impl Host for LateStderr {
    fn exec(&mut self, exec: Exec<'_>, on_event: &mut dyn FnMut(ExecEvent<'_>) -> Then) -> Result<Ended, Lost> {
        let output = std::process::Command::new("sh")
            .args(["-c", exec.line])
            .output()
            .unwrap();
        on_event(ExecEvent::Out(&output.stdout));
        on_event(ExecEvent::Err(&output.stderr));
        Ok(Ended::Code(0))
    }
    fn traffic(&self) -> (u64, u64) {
        (0, 0)
    }
}

/// A shell of this machine that reads what it is sent.
struct Shell;
impl Host for Shell {
    fn exec(&mut self, exec: Exec<'_>, on_event: &mut dyn FnMut(ExecEvent<'_>) -> Then) -> Result<Ended, Lost> {
        let mut file = tempfile::tempfile().unwrap();
        if let Some(stdin) = exec.stdin {
            std::io::copy(stdin, &mut file).unwrap();
            std::io::Seek::rewind(&mut file).unwrap();
        }
        // A pipe, as sshd gives: what `read` takes too much of it is lost.
        let mut cat = std::process::Command::new("cat");
        let mut cat = cat.stdin(file).stdout(std::process::Stdio::piped()).spawn().unwrap();
        let mut sh = std::process::Command::new("sh");
        let output = sh
            .args(["-c", exec.line])
            .stdin(cat.stdout.take().unwrap())
            .output()
            .unwrap();
        cat.wait().unwrap();
        assert!(exec.line.len() < 34_000, "{} bytes as a command line", exec.line.len());
        on_event(ExecEvent::Out(&output.stdout));
        on_event(ExecEvent::Err(&output.stderr));
        Ok(Ended::Code(0))
    }
    fn traffic(&self) -> (u64, u64) {
        (0, 0)
    }
}

/// A word that does not become much shorter.
fn noise(length: usize) -> String {
    let mut state = 1u64;
    let mut next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        char::from(b'a' + (state >> 59) as u8 % 26)
    };
    (0..length).map(|_| next()).collect()
}

#[test]
fn a_script_of_any_length_arrives_whole_and_leaves_the_payload_alone() {
    for length in [0, 10_000, 30_000, 200_000] {
        let long = noise(length);
        let facts = Script::facts(["none", long.as_str()]);
        let payload: Vec<u8> = (0..70_000u32).map(|n| (n % 251) as u8).collect();
        let root = tempfile::tempdir().unwrap();
        std::fs::create_dir(root.path().join("current")).unwrap();
        let steps = [Script::run([root.path().to_str().unwrap(), "cat"]), facts.clone()];
        let mut stdin = payload.as_slice();
        let batch = Batch {
            stdin: Some(&mut stdin),
            ..Batch::new(&steps)
        };
        let answers = batch.quiet(&mut Shell).unwrap();
        assert!(answers[0].out == payload, "{length}: {:?}", answers[0].code);
        let quiet = Batch::new(std::slice::from_ref(&facts)).quiet(&mut Shell).unwrap();
        assert_eq!(quiet.len(), 1, "{length}");
    }
    // One that was cut off runs nothing.
    let text = format!("echo ran\n: {}\n", noise(100_000));
    let cut = super::super::exec_line::packed(text.as_bytes(), false, Way::Line);
    let before = &cut.before[..cut.before.len() - 1];
    let mut stdin = before;
    let mut heard = Vec::new();
    let exec = Exec {
        stdin: Some(&mut stdin),
        ..Exec::of(&cut.line)
    };
    let hear = &mut |event: ExecEvent<'_>| {
        if let ExecEvent::Out(bytes) = event {
            heard.extend(bytes.to_vec());
        }
        Then::Listen
    };
    Shell.exec(exec, hear).unwrap();
    assert_eq!(heard, format!("{}\n", super::super::exec_line::EATEN).as_bytes());
}

#[test]
fn what_prepare_prints_is_told_and_not_kept_and_what_is_read_as_a_whole_never_a_part() {
    let long = [b"x".repeat(LINE - 1), b"\n".to_vec()].concat();
    let fed = |keep: Keep, lines: usize| {
        let mut frame = Frame::new("@".into(), vec![("step", keep, PAUSE)]);
        frame.limit = 4 << 20;
        let mut events = 0;
        let mut count = |event: BatchEvent<'_>| events += usize::from(matches!(event, BatchEvent::Line { .. }));
        frame.out(b"@ begin 0\n", &mut count);
        for _ in 0..lines {
            frame.out(&long, &mut count);
        }
        frame.out(b"\n@ end 0 0\n@ over\n", &mut count);
        (
            events,
            frame.answers.first().map(|answer| answer.out.len()),
            frame.breach,
        )
    };
    assert_eq!(fed(Keep::Nothing, 3), (3, Some(0), None));
    assert_eq!(fed(Keep::All, 3), (3, Some(3 * LINE), None));
    assert_eq!(
        fed(Keep::All, 5),
        (4, None, Some("`step` printed more than 4.2 MB".into()))
    );
}

#[test]
fn what_a_failed_step_said_on_stderr_is_its_own_however_late_it_comes() {
    let steps = [
        Script::follow(["/nowhere", "run", "0"]),
        Script::verify(["/nowhere", "id", "", ""]),
    ];
    let answers = Batch::new(&steps).quiet(&mut LateStderr).unwrap();
    assert_eq!(answers.len(), 1, "the first failure ends the batch");
    let said = String::from_utf8_lossy(&answers[0].err.concat()).into_owned();
    assert!(answers[0].code != 0 && said.contains("/nowhere"), "{said:?}");
}

/// A host that prints what it likes for as long as it is heard, and sees the nonce; what begins with `2>` on stderr.
struct Hostile(fn(&str, u64) -> String);
impl Host for Hostile {
    fn exec(&mut self, exec: Exec<'_>, on_event: &mut dyn FnMut(ExecEvent<'_>) -> Then) -> Result<Ended, Lost> {
        let text = unpacked(exec.line);
        let nonce = text.split("n=").nth(1).unwrap().lines().next().unwrap();
        for round in 0..10_000 {
            let text = self.0(nonce, round);
            match on_event(match text.strip_prefix("2>") {
                Some(text) => ExecEvent::Err(text.as_bytes()),
                None => ExecEvent::Out(text.as_bytes()),
            }) {
                Then::Abandon(why) => return Err(Lost::Breach(why)),
                Then::Finish => return Ok(Ended::Code(0)),
                _ => {}
            }
        }
        panic!("it is still heard after 10,000 rounds");
    }
    fn traffic(&self) -> (u64, u64) {
        (0, 0)
    }
}

#[test]
fn the_first_breach_of_a_hostile_host_ends_the_session() {
    let step = [Script::base(["/x", "id"])];
    let heard = |host: fn(&str, u64) -> String| match Batch::new(&step).quiet(&mut Hostile(host)) {
        Err(Lost::Breach(why)) => why,
        other => panic!("{other:?}"),
    };
    let no_token = heard(|_, _| "x".repeat(65_536) + "\n");
    assert_eq!(no_token, "more than 262.1 kB of output outside the steps");
    assert!(
        heard(|_, _| "x".repeat(65_536)).contains("outside the steps"),
        "a line without an end"
    );
    for forged in [
        |n: &str, _: u64| format!("{n} begin 0\nx\n\n{n} end 0 0\n"),
        |n: &str, _: u64| format!("{n} begin 7\n"),
        |n: &str, _: u64| format!("{n} end 0 0\n"),
        |n: &str, _: u64| format!("{n} over\n"),
        |n: &str, _: u64| format!("{n} pid 1\n"),
        |n: &str, _: u64| format!("{n} pid 99\n"),
        |n: &str, _: u64| format!("{n} begin 0\n{n} end 0 x\n"),
        |n: &str, _: u64| format!("{n}\x1b[2J\n"),
    ] {
        assert!(heard(forged).starts_with("a forged line: "), "{}", forged("@", 0));
    }
    let flood = heard(|n, round| match round {
        0 => format!("{n} begin 0\n"),
        _ => "x".repeat(1 << 20) + "\n",
    });
    assert_eq!(flood, "`base` printed more than 134.2 MB");
    for flood in [
        |_: &str, _: u64| format!("2>{}\n", "x".repeat(1 << 20)),
        |_: &str, _: u64| format!("2>{}", "x".repeat(1 << 20)),
        |n: &str, round: u64| match round {
            0 => format!("{n} begin 0\n"),
            _ => format!("2>{}", format!("{n} end 0 0\n{n} over\n").repeat(20_000)),
        },
    ] {
        assert_eq!(heard(flood), "more than 268.4 MB of messages");
    }
    // What comes after the last token is not read: the transport closes the session a moment later.
    let after = |n: &str, _: u64| format!("{n} begin 0\nkept\n\n{n} end 0 0\n{n} over\nx\n{n} begin 0\n");
    let answers = Batch::new(&step).quiet(&mut Hostile(after)).unwrap();
    assert_eq!(answers[0].out, b"kept\n");
    // A host that drips: each line is short, and there is no end of them.
    let mut frame = Frame::new("@".into(), vec![("observe", Keep::All, Duration::ZERO)]);
    frame.out(b"@ begin 0\nx\n", &mut |_| {});
    assert_eq!(frame.breach.take().unwrap(), "`observe` printed for more than 0s");
    frame.err(b"x", &mut |_| {});
    assert_eq!(frame.breach.unwrap(), "`observe` printed for more than 0s", "on stderr");
}

#[test]
fn a_command_that_is_passed_through_has_one_beginning_and_one_end() {
    let run = |host: fn(&str, u64) -> String| {
        let script = Script::run(["/x", "true"]);
        let mut passed = 0;
        let status = super::super::stream(&mut Hostile(host), &script, Input::default(), None, &mut |event| {
            if let super::super::StreamEvent::Bytes(_, bytes) = event {
                passed += bytes.len();
            }
        });
        (status, passed)
    };
    let breach = |host| matches!(run(host), (Err(Lost::Breach(_)), 0));
    assert!(breach(|_, _| "x".repeat(65_536)), "no token at all");
    let shell = run(|_, _| format!("2>{}", "x".repeat(65_536)));
    assert!(
        matches!(&shell.0, Err(Lost::Breach(why)) if why.contains("before the first line")),
        "{shell:?}"
    );
    let forged = |n: &str, _: u64| format!("{n} pid 9\n{n}{}", "x".repeat(65_536));
    assert!(breach(forged), "a forged end");
}

/// Ctrl-C comes before the host has printed the number of its process group.
struct Early;
impl Host for Early {
    fn exec(&mut self, exec: Exec<'_>, on_event: &mut dyn FnMut(ExecEvent<'_>) -> Then) -> Result<Ended, Lost> {
        let mut pressed = Hostile(|nonce, _| format!("{nonce} pid 77\n"));
        assert_eq!(on_event(ExecEvent::Interrupted), Then::Listen);
        pressed.exec(exec, &mut |event| {
            on_event(event);
            assert_eq!(
                on_event(ExecEvent::Interrupted),
                Then::Run("exec kill -TERM -- -77".into())
            );
            on_event(ExecEvent::Asked(Some(b"")));
            Then::Finish
        })
    }
    fn traffic(&self) -> (u64, u64) {
        (0, 0)
    }
}

#[test]
fn ctrl_c_before_the_first_line_of_the_host_stops_the_command_as_soon_as_it_came() {
    let mut told = 0;
    let mut count = |event: BatchEvent<'_>| told += usize::from(matches!(event, BatchEvent::Interrupted));
    let step = [Script::base(["/x", "id"])];
    let ended = Batch::new(&step).run(&mut Early, &mut count);
    assert_eq!(ended.map(|_| ()), Err(Lost::Interrupted));
    assert_eq!(told, 1, "printed once");
    let script = Script::run(["/x", "true"]);
    let ended = super::super::stream(&mut Early, &script, Input::default(), None, &mut |_| {});
    assert_eq!(ended, Err(Lost::Interrupted));
}

/// A server that allows one session only: Ctrl-C has to travel over another connection.
struct OneSession;
impl Host for OneSession {
    fn exec(&mut self, exec: Exec<'_>, on_event: &mut dyn FnMut(ExecEvent<'_>) -> Then) -> Result<Ended, Lost> {
        let mut answers = Hostile(|n, _| format!("{n} pid 77\n{n} begin 0\n\n{n} end 0 0\n{n} over\n"));
        assert!(matches!(on_event(ExecEvent::Interrupted), Then::Run(_)));
        assert_eq!(on_event(ExecEvent::Asked(None)), Then::Listen);
        answers.exec(exec, on_event)
    }
    fn traffic(&self) -> (u64, u64) {
        (0, 0)
    }
}

/// Nobody is told that the host was asked, unless it answered.
#[test]
fn a_word_that_did_not_reach_the_host_is_reported_as_that() {
    type Connect = fn() -> Option<Box<dyn Host>>;
    let ways: [(Connect, Asked); 3] = [
        (|| None, Asked::Unheard),
        (|| Some(Box::new(Closed)), Asked::Unheard),
        (|| Some(Box::new(Shell)), Asked::Unheard),
    ];
    for (mut connect, expected) in ways {
        let mut told = Vec::new();
        let (step, stop) = (
            [Script::base(["/x", "id"])],
            Script::word(["/nowhere", "run", "cancel"]),
        );
        let batch = Batch::new(&step).stop(&stop).again(&mut connect);
        let answers = batch.run(&mut OneSession, &mut |event| {
            if let BatchEvent::Asked(asked) = event {
                told.push(asked);
            }
        });
        assert!(answers.is_ok(), "{answers:?}");
        assert_eq!(told, [expected]);
    }
}

/// Without its last line nothing is concluded from what a script that looks has printed.
#[test]
fn an_observation_without_its_last_line_is_a_failure() {
    let step = [Script::observe(["/x"])];
    let code = |host: fn(&str, u64) -> String| {
        let answers = Batch::new(&step).quiet(&mut Hostile(host)).unwrap();
        (answers[0].code, answers[0].out.clone())
    };
    let part = |n: &str, _: u64| format!("{n} begin 0\nroot ready\n\n{n} end 0 0\n{n} over\n");
    assert_eq!(code(part).0, exits::NOT_WHOLE);
    let whole = |n: &str, _: u64| format!("{n} begin 0\nroot ready\nwhole\n\n{n} end 0 0\n{n} over\n");
    assert_eq!(code(whole), (0, b"root ready\n".to_vec()));
}

/// An account that runs nothing.
struct Closed;
impl Host for Closed {
    fn exec(&mut self, _: Exec<'_>, on_event: &mut dyn FnMut(ExecEvent<'_>) -> Then) -> Result<Ended, Lost> {
        on_event(ExecEvent::Out(b"This account is not available.\n"));
        Ok(Ended::Code(1))
    }
    fn traffic(&self) -> (u64, u64) {
        (0, 0)
    }
}

#[test]
fn a_command_that_the_account_did_not_run_is_refused_and_not_lost() {
    let script = Script::run(["/x", "true"]);
    let ended = super::super::stream(&mut Closed, &script, Input::default(), None, &mut |_| {});
    let printed = "This account is not available.";
    assert!(
        matches!(&ended, Err(Lost::Refused(said)) if said.trim() == printed),
        "{ended:?}"
    );
}

/// A login whose environment steers shells and tools.
fn steering(command: &mut std::process::Command) -> &mut std::process::Command {
    command.env_clear().envs([
        ("PATH", "/usr/bin:/bin"),
        ("HOME", "/tmp"),
        ("CDPATH", "/usr"),
        ("http_proxy", "http://127.0.0.1:9"),
        ("ALL_PROXY", "http://127.0.0.1:9"),
        ("TAR_OPTIONS", "--checkpoint-action=exec=id"),
        ("GREP_OPTIONS", "-v"),
        ("POSIXLY_CORRECT", "1"),
        ("IFS", "x/"),
        ("ENV", "/nowhere"),
        ("BASH_ENV", "/nowhere"),
        ("LC_ALL", "tr_TR.UTF-8"),
        ("TMPDIR", "/nowhere"),
        ("LD_BIND_NOW", "1"),
        ("ODD", "'one' \"two\" $(id) `id`\n\\ n=3\texport CDPATH=/x"),
    ])
}

#[test]
fn nothing_of_the_logins_environment_steers_a_script_and_the_apps_own_command_gets_it_back() {
    let run = |shell: &str, text: &[u8], with_login: bool| {
        let line = super::super::exec_line::packed(text, with_login, Way::Line).line;
        let output = steering(std::process::Command::new(shell).args(["-c", &line])).output();
        output.ok().map(|output| String::from_utf8(output.stdout).unwrap())
    };
    for shell in ["sh", "dash", "bash", "zsh", "fish", "tcsh"] {
        let Some(seen) = run(shell, b"env", false) else {
            continue;
        };
        let let_in = ["PATH", "HOME", "LANG", "LC_ALL", "PWD", "OLDPWD", "SHLVL", "_"];
        for line in seen.lines() {
            let name = line.split('=').next().unwrap();
            assert!(let_in.contains(&name), "{shell}: {line}");
        }
        assert!(
            seen.contains("LC_ALL=C\n") && seen.contains("HOME=/tmp\n"),
            "{shell}: {seen}"
        );
        let text = b"eval \"$SHIPIT_LOGIN\"; printf '%s' \"$ODD|$CDPATH|$http_proxy\"";
        let odd = "'one' \"two\" $(id) `id`\n\\ n=3\texport CDPATH=/x|/usr|http://127.0.0.1:9";
        assert_eq!(run(shell, text, true).unwrap(), odd, "{shell}");
    }
}
