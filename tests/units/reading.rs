//! The parser loses no byte, survives anything, and understands what systemd understands.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use shipit::unit::merge::Unit;
use shipit::unit::name::UnitName;
use shipit::unit::parse::{File, Kind};
use shipit::unit::render;
use shipit::unit::rules::{self, Context};
use shipit::unit::specifier::{self, Place};
use shipit::unit::{command, keys, quoting, search, value};

use super::oracle;
use crate::bounds;

/// Every unit file and drop-in installed on this machine.
pub fn installed() -> Vec<PathBuf> {
    let mut files = Vec::new();
    let mut dirs: Vec<PathBuf> = [
        "/usr/lib/systemd/system",
        "/usr/lib/systemd/user",
        "/etc/systemd/system",
    ]
    .map(PathBuf::from)
    .into();
    while let Some(dir) = dirs.pop() {
        for entry in fs::read_dir(&dir).into_iter().flatten().flatten() {
            let path = entry.path();
            let name = entry.file_name().to_string_lossy().into_owned();
            if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                dirs.push(path);
            } else if path.is_file() && (name.ends_with(".conf") || UnitName::new(&name).is_some()) {
                files.push(path);
            }
        }
    }
    files
}

pub const HARD: &str = include_str!("hard.service");

#[test]
fn every_installed_unit_comes_back_byte_for_byte_and_has_no_wrong_line() {
    for path in installed() {
        let bytes = fs::read(&path).unwrap();
        let file = File::parse(path.to_string_lossy(), &bytes);
        assert_eq!(file.bytes(), bytes, "{}", path.display());
        let wrong = file.lines.iter().find(|line| matches!(line.kind, Kind::Wrong(_)));
        assert_eq!(wrong, None, "{}", path.display());
    }
}

/// A small generator of numbers (xorshift), so that a failure can be repeated from its seed.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % sides as u64).unwrap()
    }
}

fn mutate(dice: &mut Dice, bytes: &mut Vec<u8>) {
    const PIECES: [&[u8]; 22] = [
        b"\\",
        b"\n",
        b"\r",
        b"\0",
        b"=",
        b"[",
        b"]",
        b"'",
        b"\"",
        b";",
        b"#",
        b"%",
        b"$",
        b"\\x",
        b"\\U0001",
        b"\xff",
        b" ; ",
        b"\\\n#x\n",
        b"[Service]\n",
        b"ExecStart=",
        b"\xef\xbb\xbf",
        b"\xc3",
    ];
    for _ in 0..=dice.roll(8) {
        let at = dice.roll(bytes.len() + 1);
        match dice.roll(4) {
            0 if at < bytes.len() => drop(bytes.remove(at)),
            1 if at < bytes.len() => bytes[at] = u8::try_from(dice.roll(256)).unwrap(),
            2 => {
                let end = (at + dice.roll(40)).min(bytes.len());
                let copy = bytes[at..end].to_vec();
                let to = dice.roll(bytes.len() + 1);
                bytes.splice(to..to, copy);
            }
            _ => drop(bytes.splice(at..at, PIECES[dice.roll(PIECES.len())].iter().copied())),
        }
    }
}

#[test]
fn mutated_files_never_panic_never_hang_and_never_lose_a_byte() {
    let name = UnitName::new("a-b@c.service").unwrap();
    let place = Place::system();
    for seed in 1..=3000u64 {
        let mut dice = Dice(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        let mut bytes = HARD.as_bytes().to_vec();
        mutate(&mut dice, &mut bytes);
        let began = bounds::cpu_time();
        let file = File::parse("a-b@c.service", &bytes);
        assert_eq!(file.bytes(), bytes, "seed {seed}");
        let unit = Unit {
            name: name.clone(),
            files: vec![file.clone(), file],
        };
        for entry in unit.entries() {
            let _ = quoting::split(entry.value);
            let _ = command::parse(entry.value);
            let _ = specifier::expand(entry.value, &name, &place);
            let _ = (
                value::span(entry.value),
                value::size(entry.value),
                value::boolean(entry.value),
            );
            assert!(unit.all(entry.section, entry.key).len() <= unit.written(entry.section, entry.key).len());
        }
        if seed % 10 == 0 {
            let _ = render::text(&rules::lint(&unit, &Context::default()));
        }
        let _ = rules::environment_file("env", &String::from_utf8_lossy(&bytes));
        assert!(bounds::cpu_time() - began < Duration::from_secs(5), "seed {seed}");
    }
}

#[test]
fn a_very_long_line_is_refused_quickly() {
    let began = bounds::cpu_time();
    let text = format!("[Service]\nExecStart=/bin/x {}", "y\\\n".repeat(1_500_000));
    let file = File::parse("x.service", text.as_bytes());
    assert!(file.refused().is_some());
    assert_eq!(file.bytes(), text.as_bytes());
    assert!(bounds::cpu_time() - began < Duration::from_secs(10));
}

/// Writes files into a directory that anybody may read, loads the unit ourselves and by systemd, and compares.
fn agree(units: &[&str], files: &[(&str, &str)]) {
    if oracle::present().is_none() {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o755)).unwrap();
    for (path, text) in files {
        let path = dir.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    let theirs = oracle::understood(dir.path(), units);
    for name in units {
        let name = UnitName::new(name).unwrap();
        let ours = search::load(&name, &[dir.path().to_owned()]).unwrap().unwrap();
        compare(&ours, &theirs[name.as_str()]);
    }
}

const PLAIN: [&str; 11] = [
    "Type",
    "Restart",
    "User",
    "WorkingDirectory",
    "KillMode",
    "NotifyAccess",
    "ProtectSystem",
    "UMask",
    "KillSignal",
    "OOMPolicy",
    "Description",
];
const SPANS: [&str; 5] = [
    "RestartSec",
    "TimeoutStartSec",
    "TimeoutStopSec",
    "RuntimeMaxSec",
    "WatchdogSec",
];
const UNITS: [&str; 4] = ["Wants", "After", "Before", "Requires"];

/// A value as systemd's dump shows it.
fn shown(key: &str, value: &str) -> String {
    match (key, value) {
        (_, "true" | "on" | "1") => "yes".into(),
        ("WorkingDirectory", "~") => "/".into(),
        ("WorkingDirectory", path) => path.trim_start_matches('-').into(),
        _ => value.into(),
    }
}

fn compare(ours: &Unit, theirs: &oracle::Understood) {
    let name = &ours.name;
    let place = Place::system();
    let full = |text: &str| specifier::expand(text, name, &place).unwrap();
    for key in PLAIN {
        let section = if key == "Description" { "Unit" } else { "Service" };
        if let Some(entry) = ours.get(section, key) {
            let known = keys::find(section, key).is_some();
            assert!(
                known && theirs.values[key].contains(&shown(key, &full(entry.value))),
                "{name} {key}={}: {:?}",
                entry.value,
                theirs.values.get(key)
            );
        }
    }
    for key in SPANS {
        if let Some(span) = ours.timeout(key) {
            let their = theirs.values[key]
                .iter()
                .map(|text| value::span(text).unwrap())
                .collect::<Vec<_>>();
            assert_eq!(their, [span], "{name} {key}");
        }
    }
    for key in command::KEYS {
        let mine: Vec<Vec<String>> = ours
            .commands(key)
            .into_iter()
            .map(|(command, _)| {
                let argv0 = full(command.zeroth.as_ref().unwrap_or(&command.program));
                std::iter::once(argv0).chain(command.words().map(full)).collect()
            })
            .collect();
        let mut their = theirs.commands.get(key).cloned().unwrap_or_default();
        for (mine, their) in mine.iter().zip(&mut their) {
            if !mine[0].starts_with('/') && their[0].ends_with(&format!("/{}", mine[0])) {
                their[0].clone_from(&mine[0]); // systemd shows the program where it found it
            }
        }
        assert_eq!(mine, their, "{name} {key}");
    }
    let environment: Vec<String> = ours
        .words("Service", "Environment")
        .iter()
        .map(|(word, _)| full(word))
        .collect();
    let last: Vec<&String> = environment
        .iter()
        .enumerate()
        .filter(|(at, word)| {
            let key = word.split('=').next().unwrap();
            !environment[at + 1..]
                .iter()
                .any(|later| later.split('=').next().unwrap() == key)
        })
        .map(|(_, word)| word)
        .collect();
    let none = Vec::new();
    let mut their: Vec<&String> = theirs.values.get("Environment").unwrap_or(&none).iter().collect();
    let mut mine = last;
    their.sort_unstable();
    mine.sort_unstable();
    assert_eq!(mine, their, "{name} Environment");
    for key in UNITS {
        for (word, entry) in ours.words("Unit", key) {
            let their = theirs.values.get(key).cloned().unwrap_or_default();
            assert!(
                their.contains(&full(&word)),
                "{name} {key}={} is not in {their:?}",
                entry.value
            );
        }
    }
}

#[test]
fn systemd_understands_the_hard_cases_as_we_do() {
    agree(
        &["hard-one@a\\x2db-c.service", "plain.service"],
        &[
            ("hard-one@.service", HARD),
            (
                "plain.service",
                "[Service]\nType=oneshot\nExecStart=/bin/echo one ; /bin/echo 'two  two'\nTimeoutStopSec=5min 3\n",
            ),
            (
                "plain.service.d/20-b.conf",
                "[Service]\nEnvironment=A=drop\nTimeoutStopSec=\nTimeoutStopSec=1.5h\n",
            ),
            (
                "plain.service.d/10-a.conf",
                "[Service]\nEnvironment=A=first B=1\nExecStart=\nExecStart=/bin/true x\n",
            ),
            ("service.d/20-b.conf", "[Service]\nEnvironment=NEVER=1\n"),
            ("service.d/05-wide.conf", "[Service]\nEnvironment=WIDE=1\n"),
            ("hard-.service.d/50-dash.conf", "[Service]\nEnvironment=DASH=prefix\n"),
            (
                "hard-@.service.d/50-dash.conf",
                "[Service]\nEnvironment=DASH=template\n",
            ),
        ],
    );
}

#[test]
fn systemd_understands_every_installed_service_as_we_do() {
    if oracle::present().is_none() {
        return;
    }
    let dir = Path::new("/usr/lib/systemd/system");
    let mut names = Vec::new();
    let mut files = Vec::new();
    for path in installed().into_iter().filter(|path| path.starts_with(dir)) {
        let inner = path.strip_prefix(dir).unwrap().to_string_lossy().into_owned();
        let text = fs::read_to_string(&path).unwrap();
        let name = UnitName::new(&inner);
        let linked = fs::symlink_metadata(&path).unwrap().file_type().is_symlink();
        if linked || text.is_empty() || inner.contains("specifiers of the host") {
            continue;
        }
        let only_on_host = ["%H", "%m", "%b", "%v", "%l"]
            .iter()
            .any(|specifier| text.contains(specifier));
        if let Some(name) = name.filter(|name| name.kind() == "service" && !only_on_host) {
            let shown = if name.is_template() {
                name.instantiate("tty1").unwrap()
            } else {
                name
            };
            names.push(shown.as_str().to_owned());
        }
        files.push((inner, text));
    }
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let files: Vec<(&str, &str)> = files
        .iter()
        .map(|(path, text)| (path.as_str(), text.as_str()))
        .collect();
    assert!(names.len() > 20 || files.is_empty(), "{names:?}");
    agree(&names, &files);
}
