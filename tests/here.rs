//! What runs on this machine before any host is asked. Builds are in `deploys::building`: a host is looked at before them.

use std::fs;
use std::process::{Child, Command, Stdio};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tempfile::TempDir;

use crate::bounds::{self, Ends as _};

/// A directory whose build is that line, if it is not empty, and whose host is a port that nothing listens on.
fn desk(build: &str) -> TempDir {
    let dir = tempfile::Builder::new().prefix("desk-").tempdir().unwrap();
    fs::create_dir(dir.path().join("source")).unwrap();
    fs::write(dir.path().join("source/file"), "x").unwrap();
    let build = match build {
        "" => String::new(),
        line => format!("build: {}\n", shipit::config::scalar(line)),
    };
    let yml = format!("app: acme\nhost: deploy@127.0.0.1:1\nsource: source\n{build}services: []\n");
    fs::write(dir.path().join("deploy.yml"), yml).unwrap();
    dir
}

fn deploy(desk: &TempDir) -> Child {
    Command::new(env!("CARGO_BIN_EXE_shipit"))
        .args(["deploy", "--json", "-F", "/dev/null"])
        .current_dir(desk.path())
        .env("HOME", desk.path())
        .env_remove("XDG_CACHE_HOME")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}

/// Two signals that are pending at the same time are one: the next can be sent once this one has been heard.
pub fn press(child: &Child, signal: Signal) {
    kill_process(Pid::from_child(child), signal).unwrap();
    bounds::wait_for("the signal to be heard", || {
        let status = fs::read_to_string(format!("/proc/{}/status", child.id())).unwrap_or_default();
        let pending = |line: &str| {
            let mask = line.strip_prefix("ShdPnd:").or_else(|| line.strip_prefix("SigPnd:"));
            mask.is_some_and(|mask| u64::from_str_radix(mask.trim(), 16).unwrap() & (1 << (signal.as_raw() - 1)) != 0)
        };
        status.contains("State:\tZ") || !status.lines().any(pending)
    });
}

/// The lines of a run and its exit code.
pub fn end(child: Child) -> (Vec<Value>, Option<i32>) {
    let output = child.ends();
    let lines = String::from_utf8(output.stdout).unwrap();
    let lines = lines.lines().map(|line| serde_json::from_str(line).unwrap());
    (lines.collect(), output.status.code())
}

#[test]
fn an_output_that_cannot_be_written_is_a_failure_and_a_reader_that_went_away_is_none() {
    let full = fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
    let shipit = || {
        let mut shipit = Command::new(env!("CARGO_BIN_EXE_shipit"));
        shipit.args(["config", "example"]);
        shipit
    };
    let output = shipit().stdout(full).stderr(Stdio::piped()).spawn().unwrap().ends();
    let why = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(1), "{why}");
    assert!(
        why.starts_with("error: the output could not be written: No space left on device"),
        "{why}"
    );
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let output = shipit().stdout(writer).stderr(Stdio::piped()).spawn().unwrap().ends();
    assert_eq!((output.status.code(), output.stderr.len()), (Some(0), 0));
}

#[test]
fn case_54_a_directory_that_is_gone_under_ones_feet_is_said_to_be() {
    let desk = desk("true");
    let inside = desk.path().join("inside");
    fs::create_dir(&inside).unwrap();
    // The shell stands in the directory when it goes; shipit is started there.
    let line = format!(
        "rmdir {} && exec {} plan",
        shipit::config::scalar(&inside.display().to_string()),
        env!("CARGO_BIN_EXE_shipit")
    );
    let output = Command::new("sh")
        .args(["-c", &line])
        .current_dir(&inside)
        .stdin(Stdio::null())
        .ends();
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert!(said.contains("cannot read"), "{said}");
}

#[test]
fn a_source_that_takes_long_to_read_is_left_at_the_first_interrupt() {
    let desk = desk("");
    // Holes, a quarter of an hour of them.
    let file = fs::File::create(desk.path().join("source/file")).unwrap();
    file.set_len(1 << 40).unwrap();
    let child = deploy(&desk);
    let open = || {
        let open = fs::read_dir(format!("/proc/{}/fd", child.id())).unwrap();
        let mut paths = open.filter_map(|fd| fs::read_link(fd.ok()?.path()).ok());
        paths.any(|path| path.ends_with("source/file"))
    };
    bounds::wait_for("reading", open);
    press(&child, Signal::INT);
    let (lines, code) = end(child);
    assert_eq!(code, Some(1));
    assert_eq!(lines.last().unwrap()["live_known"], false, "the host was not asked");
    let cause = &lines.last().unwrap()["cause"];
    let what = cause["what"].as_str().unwrap();
    assert!(what.starts_with("interrupted while reading "), "{what}");
    assert_eq!(cause["host"], "nothing was sent or changed");
}

/// A pipeline that writes its key into the checkout, and ships that.
#[test]
fn the_key_that_logs_in_is_refused_in_the_source_unless_it_is_allowed() {
    let desk = desk("");
    fs::write(desk.path().join("source/ci"), "no key by its name or its first bytes\n").unwrap();
    let deploy = || {
        let child = Command::new(env!("CARGO_BIN_EXE_shipit"))
            .args(["deploy", "--json", "-F", "/dev/null", "-i", "source/ci"])
            .current_dir(desk.path())
            .env("HOME", desk.path())
            .env_remove("XDG_CACHE_HOME")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn();
        end(child.unwrap())
    };
    let (lines, code) = deploy();
    assert_eq!(code, Some(1), "before a connection: nothing listens there");
    let cause = &lines.last().unwrap()["cause"];
    assert_eq!(
        cause["why"][0],
        "ci is the key of --identity, with which you log in, and every user of the host can read a release"
    );
    assert!(
        cause["next"].to_string().contains("under `allow_secrets:`, list"),
        "{cause}"
    );
    let yml = desk.path().join("deploy.yml");
    let text = fs::read_to_string(&yml).unwrap();
    fs::write(&yml, text + "allow_secrets: [ci]\n").unwrap();
    let (lines, code) = deploy();
    assert_eq!(code, Some(6), "{lines:?}");
}

/// A deploy would end at its build, so doctor looks for the first word of each command, whether or not the host answers.
#[test]
fn doctor_looks_for_the_programs_of_the_build_on_this_machine() {
    let desk = desk("sh -c true && npm-of-nowhere ci");
    let run = Command::new(env!("CARGO_BIN_EXE_shipit"))
        .args(["doctor", "--json", "-F", "/dev/null"])
        .current_dir(desk.path())
        .env("HOME", desk.path())
        .ends();
    assert_eq!(run.status.code(), Some(6), "nothing listens there");
    let told: Value = serde_json::from_slice(&run.stdout).unwrap();
    let findings = told["findings"].as_array().unwrap().iter();
    let mut of_build = findings.filter(|one| one["what"].to_string().contains("`build` runs "));
    let first = of_build.next().unwrap_or_else(|| panic!("{told:#}"));
    assert_eq!(
        first["what"],
        "`build` runs npm-of-nowhere, which this machine does not have"
    );
    assert_eq!(
        (&first["severity"], &first["area"]),
        (&"error".into(), &"laptop".into())
    );
    assert!(
        first["next"][0].to_string().contains("under build in deploy.yml"),
        "{first:#}"
    );
    assert!(of_build.next().is_none(), "{told:#}");
}

/// `-i "$KEY"` instead of `-i FILE`, and every form in which the text can arrive.
#[test]
fn a_key_in_the_place_of_its_path_is_not_printed() {
    let desk = desk("true");
    for key in [
        "-----BEGIN OPENSSH PRIVATE KEY-----\nsesamesesame\n-----END OPENSSH PRIVATE KEY-----",
        "-----BEGIN OPENSSH PRIVATE KEY----- sesamesesame -----END OPENSSH PRIVATE KEY-----",
        "LS0tLS1CRUdJTiBPUEVOU1NIIFBSSVZBVEUgsesamesesame",
    ] {
        for more in [&["status"][..], &["doctor", "--json"], &["deploy"]] {
            let given = format!("--identity={key}");
            let run = Command::new(env!("CARGO_BIN_EXE_shipit"))
                .args(more)
                .args(["-F", "/dev/null", &given])
                .current_dir(desk.path())
                .env("HOME", desk.path())
                .ends();
            let text = [run.stdout, run.stderr].concat();
            let text = String::from_utf8_lossy(&text);
            assert_eq!(run.status.code(), Some(2), "{text}");
            assert!(
                text.contains("not the path of its file") && !text.contains("sesame"),
                "{text}"
            );
        }
    }
}

#[test]
fn a_file_that_was_named_and_does_not_exist_is_refused_before_anything_connects() {
    let desk = desk("true");
    let refused = |args: &[&str]| {
        let mut shipit = Command::new(env!("CARGO_BIN_EXE_shipit"));
        let ran = shipit.args(args).current_dir(desk.path()).stderr(Stdio::piped());
        let ran = ran.spawn().unwrap().ends();
        (ran.status.code().unwrap(), String::from_utf8(ran.stderr).unwrap())
    };
    let key = "error: cannot read the key nokey\n  why   file not found\n";
    assert_eq!(refused(&["status", "-i", "nokey"]), (2, key.into()));
    let other = "error: cannot read prod.yml\n  why   file not found\n";
    let next = "  next  shipit status -c deploy.yml\n";
    assert_eq!(refused(&["status", "-c", "prod.yml"]), (2, format!("{other}{next}")));
    let (yml, source) = (desk.path().join("deploy.yml"), desk.path().join("source"));
    fs::remove_dir_all(&source).unwrap();
    let error = "error: source does not exist\n  why   it is the `source:` of deploy.yml";
    let text = fs::read_to_string(&yml).unwrap();
    fs::write(&yml, text.replace("build:", "# ")).unwrap();
    let never = "\n  next  correct `source` in deploy.yml:3, or add `build` if a command makes it\n";
    assert_eq!(refused(&["deploy", "-q"]), (1, format!("{error}{never}")));
    fs::remove_file(yml).unwrap();
    assert_eq!(refused(&["status", "-c", "prod.yml"]), (2, other.into()));
}
