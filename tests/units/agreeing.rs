//! The systemd of real hosts, an old and a new one, reads every unit of its image as we do.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use shipit::unit::merge::Unit;
use shipit::unit::name::UnitName;
use shipit::unit::specifier::{self, Place};
use shipit::unit::{command, keys, search, value};

use super::{distribution, valuing};
use crate::lab::{self, Host, Suite};

fn version(host: &Host) -> u32 {
    host.root("systemctl --version")
        .ok()
        .split_whitespace()
        .nth(1)
        .unwrap()
        .parse()
        .unwrap()
}

/// Every unit file of the host, copied to a directory here.
fn fetch(host: &Host, to: &Path) {
    let dirs = "etc/systemd/system run/systemd usr/lib/systemd/system";
    let mut tar = host
        .enter()
        .args(["tar", "-C", "/", "-c"])
        .args(dirs.split(' '))
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let out = tar.stdout.take().unwrap();
    let unpacked = Command::new("tar")
        .arg("-C")
        .arg(to)
        .arg("-x")
        .stdin(out)
        .stderr(Stdio::null())
        .status();
    let _ = tar.wait(); // sockets in /run make it complain
    assert!(unpacked.unwrap().success());
}

/// `systemctl show` of one unit: a key may come several times.
fn shown(text: &str) -> BTreeMap<String, Vec<String>> {
    let mut shown: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (key, value) in text.lines().filter_map(|line| line.split_once('=')) {
        shown.entry(key.to_owned()).or_default().push(value.to_owned());
    }
    shown
}

const PLAIN: [(&str, &str); 14] = [
    ("Unit", "Description"),
    ("Service", "Type"),
    ("Service", "Restart"),
    ("Service", "User"),
    ("Service", "KillMode"),
    ("Service", "NotifyAccess"),
    ("Service", "OOMPolicy"),
    ("Service", "StandardInput"),
    ("Service", "ProtectProc"),
    ("Service", "PIDFile"),
    ("Socket", "SocketUser"),
    ("Socket", "FileDescriptorName"),
    ("Timer", "Unit"),
    ("Path", "Unit"),
];
const FLAGS: [(&str, &str); 13] = [
    ("Unit", "DefaultDependencies"),
    ("Unit", "RefuseManualStart"),
    ("Service", "RemainAfterExit"),
    ("Service", "NoNewPrivileges"),
    ("Service", "PrivateDevices"),
    ("Service", "ProtectClock"),
    ("Service", "ProtectHostname"),
    ("Service", "RestrictRealtime"),
    ("Service", "MemoryDenyWriteExecute"),
    ("Service", "LockPersonality"),
    ("Service", "SendSIGHUP"),
    ("Socket", "Accept"),
    ("Timer", "Persistent"),
];
const SPANS: [(&str, &str, &str); 6] = [
    ("Service", "RestartSec", "RestartUSec"),
    ("Service", "TimeoutStartSec", "TimeoutStartUSec"),
    ("Service", "TimeoutStopSec", "TimeoutStopUSec"),
    ("Timer", "AccuracySec", "AccuracyUSec"),
    ("Timer", "RandomizedDelaySec", "RandomizedDelayUSec"),
    ("Unit", "StartLimitIntervalSec", "StartLimitIntervalUSec"),
];

/// Compares one unit; returns how many values agreed.
fn compare(ours: &Unit, theirs: &BTreeMap<String, Vec<String>>, place: &Place, search: &[PathBuf]) -> usize {
    let name = &ours.name;
    let full = |text: &str| specifier::expand(text, name, place).ok();
    let their = |key: &str| theirs.get(key).cloned().unwrap_or_default();
    let mut agreed = 0;
    let kind_section = match name.kind() {
        "service" => "Service",
        "socket" => "Socket",
        "timer" => "Timer",
        "path" => "Path",
        _ => "Unit",
    };
    let here = |section: &str| section == "Unit" || section == kind_section;
    for (section, key) in PLAIN.into_iter().filter(|(section, _)| here(section)) {
        if let Some(mine) = ours.get(section, key).and_then(|entry| full(entry.value)) {
            let mine = if key == "PIDFile" {
                mine.replace("/var/run/", "/run/")
            } else {
                mine
            };
            assert_eq!([mine], *their(key), "{name} {key}");
            agreed += 1;
        }
    }
    for (section, key) in FLAGS.into_iter().filter(|(section, _)| here(section)) {
        if let Some(mine) = ours.yes(section, key) {
            assert_eq!([if mine { "yes" } else { "no" }], *their(key), "{name} {key}");
            agreed += 1;
        }
    }
    for (section, key, shown) in SPANS.into_iter().filter(|(section, _, _)| here(section)) {
        let mine = if section == "Service" {
            ours.timeout(key)
        } else {
            ours.span(section, key)
        };
        if let Some(mine) = mine {
            let their: Vec<_> = their(shown).iter().map(|text| value::span(text).unwrap()).collect();
            assert_eq!([mine], *their, "{name} {key}");
            agreed += 1;
        }
    }
    for key in command::KEYS.iter().filter(|_| kind_section == "Service") {
        let mine: Vec<String> = ours
            .commands(key)
            .iter()
            .filter_map(|(command, _)| {
                let first = command.zeroth.as_ref().unwrap_or(&command.program);
                std::iter::once(first.as_str())
                    .chain(command.words())
                    .map(full)
                    .collect::<Option<Vec<_>>>()
                    .map(|argv| argv.join(" "))
            })
            .collect();
        let their: Vec<String> = their(key)
            .iter()
            .map(|line| {
                let argv = line.split(" ; argv[]=").nth(1).unwrap_or_default();
                argv.split(" ; ignore_errors=").next().unwrap_or_default().to_owned()
            })
            .collect();
        let base = |argv: &String| argv.rsplit_once('/').map_or(argv.clone(), |(_, base)| base.to_owned());
        let same = mine.len() == their.len()
            && mine
                .iter()
                .zip(&their)
                .all(|(a, b)| a == b || !a.starts_with('/') && base(b).starts_with(base(a).as_str()));
        assert!(same, "{name} {key}: {mine:?} and {their:?}");
        agreed += mine.len();
    }
    for key in ["After", "Before", "Wants", "Requires", "Conflicts", "WantedBy"] {
        let section = if key == "WantedBy" { continue } else { "Unit" };
        let listed = their(key).join(" ");
        for (mine, entry) in ours.words(section, key) {
            let Some(mine) = full(&mine) else { continue };
            let mine = listed_as(&mine, name, search);
            let there = listed.split(' ').any(|word| word == mine);
            assert!(there, "{name} {key}={}: no {mine} in {listed}", entry.value);
            agreed += 1;
        }
    }
    for (key, kind) in [
        ("ListenStream", "Stream"),
        ("ListenDatagram", "Datagram"),
        ("ListenSequentialPacket", "SequentialPacket"),
        ("ListenFIFO", "FIFO"),
    ] {
        for entry in ours.all("Socket", key) {
            let mine = full(entry.value).unwrap();
            let their = their("Listen");
            assert!(
                their
                    .iter()
                    .any(|line| line.ends_with(&format!("({kind})")) && line.contains(mine.trim_start_matches('@'))),
                "{name} {key}={mine}: {their:?}"
            );
            agreed += 1;
        }
    }
    agreed
}

/// The name by which systemd lists a unit: that of the file an alias is a link to, a template's instance.
fn listed_as(name: &str, of: &UnitName, search: &[PathBuf]) -> String {
    let link = search.iter().find_map(|dir| fs::read_link(dir.join(name)).ok());
    let target = link.and_then(|to| Some(to.file_name()?.to_string_lossy().into_owned()));
    let name = target.filter(|to| to != "null").unwrap_or_else(|| name.to_owned());
    let instance = if of.instance().is_empty() {
        of.prefix()
    } else {
        of.instance()
    };
    name.replace("@.", &format!("@{instance}."))
}

fn agrees(suite: Suite) {
    let host = lab::host!(suite);
    let dir = tempfile::tempdir().unwrap();
    fetch(&host, dir.path());
    let search: Vec<PathBuf> = search::SYSTEM
        .iter()
        .map(|path| dir.path().join(path.trim_start_matches('/')))
        .collect();
    let list = host.root("systemctl list-unit-files --plain --no-legend").ok();
    let mut names = Vec::new();
    for line in list.lines() {
        let mut words = line.split_whitespace();
        let (name, state) = (words.next().unwrap(), words.next().unwrap());
        let name =
            UnitName::new(name).filter(|_| !matches!(state, "masked" | "alias" | "bad" | "generated" | "transient"));
        names.extend(name.map(|name| name.instantiate("lab").unwrap_or(name)));
    }
    let quoted: Vec<String> = names.iter().map(|name| format!("'{name}'")).collect();
    let all = host.root(&format!("systemctl show -- {}", quoted.join(" "))).ok();
    let blocks: Vec<&str> = all.split("\n\n").collect();
    assert_eq!(blocks.len(), names.len());
    let place = Place {
        host: Some(host.root("uname -n").ok().trim().to_owned()),
        ..Place::system()
    };
    let (mut units, mut values) = (0, 0);
    let mut loaded = Vec::new();
    for (name, text) in names.into_iter().zip(blocks) {
        let theirs = shown(text);
        let Some(ours) = search::load(&name, &search).unwrap() else {
            panic!("{name} is not found")
        };
        let at = |path: &str| {
            dir.path()
                .join(path.trim_start_matches('/'))
                .to_string_lossy()
                .into_owned()
        };
        let dropins: Vec<String> = theirs
            .get("DropInPaths")
            .unwrap_or(&Vec::new())
            .iter()
            .flat_map(|paths| paths.split_whitespace())
            .map(at)
            .collect();
        let mine: Vec<String> = ours.files[1..].iter().map(|file| file.path.clone()).collect();
        assert_eq!(mine, dropins, "{name}: drop-ins");
        values += compare(&ours, &theirs, &place, &search);
        units += 1;
        loaded.push((ours, theirs));
    }
    assert!(units > 100 && values > 500, "{units} units, {values} values");
    distribution::judged(&loaded, dir.path(), version(&host));
    valuing::agrees(&host);
}

#[test]
fn systemd_252_reads_every_unit_of_its_image_as_we_do() {
    agrees(Suite::Bookworm);
}

#[test]
fn systemd_257_reads_every_unit_of_its_image_as_we_do() {
    agrees(Suite::Trixie);
}

#[test]
fn we_know_exactly_the_keys_that_systemd_knows() {
    let mut wrong = Vec::new();
    for suite in Suite::ALL {
        let host = lab::host!(suite);
        let version = version(&host);
        let dump = host.root("/usr/lib/systemd/systemd --dump-configuration-items").ok();
        let mut section = "";
        for line in dump.lines() {
            if let Some(name) = line.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
                section = name;
            } else if let Some((key, _)) = line.split_once('=') {
                match keys::find(section, key) {
                    None => wrong.push(format!("{version}: [{section}] {key} is not known to us")),
                    Some(known) if known.since > version => {
                        wrong.push(format!("{version}: [{section}] {key} is not new in {}", known.since))
                    }
                    Some(_) => {}
                }
            }
        }
        for section in ["Unit", "Service", "Socket", "Timer", "Path", "Install"] {
            for key in keys::keys_of(section) {
                let known = keys::find(section, key).unwrap();
                if known.since <= version && version >= 257 && !dump.contains(&format!("\n{key}=")) && known.since > 0 {
                    wrong.push(format!("{version}: [{section}] {key} is not known to it"));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
