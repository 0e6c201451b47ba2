//! Units that systemd refuses as a whole although it accepts each line, and units that name themselves.

use super::rules;
use crate::unit::forms;
use crate::unit::merge::Unit;
use crate::unit::name::{UnitName, escape};

const PATHS: [&str; 5] = [
    "PathExists",
    "PathExistsGlob",
    "PathChanged",
    "PathModified",
    "DirectoryNotEmpty",
];

/// The dependencies that systemd drops if a unit has them on itself.
const DEPENDENCIES: [&str; 14] = [
    "After",
    "Before",
    "Wants",
    "Requires",
    "Requisite",
    "BindsTo",
    "PartOf",
    "Upholds",
    "Conflicts",
    "OnFailure",
    "OnSuccess",
    "PropagatesReloadTo",
    "PropagatesStopTo",
    "JoinsNamespaceOf",
];

/// How many nodes in the file system a socket creates.
fn nodes(unit: &Unit) -> usize {
    let keys = ["ListenStream", "ListenDatagram", "ListenSequentialPacket", "ListenFIFO"];
    let entries = unit.all("Socket", keys).into_iter();
    entries.filter(|entry| entry.value.starts_with(['/', '%'])).count()
}

/// The name of the unit that mounts a directory, without its ending. systemd.unit(5), "String escaping".
fn mount_name(path: &str) -> String {
    let parts: Vec<&str> = path
        .split('/')
        .filter(|part| !part.is_empty() && *part != ".")
        .collect();
    if parts.is_empty() {
        "-".to_owned()
    } else {
        escape(&parts.join("/"))
    }
}

rules! {
    /// A unit that systemd refuses although each line is valid
    ///
    /// A `.path` needs a path to watch. A `.mount` has the name of its directory: `srv-data.mount` for `/srv/data`. In the
    /// name of a slice, dashes separate the names of the slices above it. `Symlinks=` needs exactly one path that the
    /// socket listens on.
    ///
    /// In production: `bad-setting`: the unit cannot be started, and what it should start never runs.
    ///
    /// ```ini
    /// # srv-data.mount
    /// [Mount]
    /// What=/dev/disk/by-label/data
    /// Where=/srv/data
    /// ```
    ///
    /// See systemd.path(5), systemd.mount(5), systemd.slice(5), systemd.socket(5).
    "unit-refused" Error(Start) Any unit_refused(view, found) {
        let unit = view.unit;
        if unit.is_masked() {
            return;
        }
        let stem = unit.name.stem();
        match unit.name.kind() {
            "path" if !unit.sets("Path", PATHS) => {
                found.missing("Path", "no path to watch: systemd refuses the unit");
            }
            "mount" | "automount" => {
                let section = if unit.name.kind() == "mount" { "Mount" } else { "Automount" };
                if let Some(entry) = unit.get(section, "Where").filter(|entry| entry.value.starts_with('/')) {
                    let own = mount_name(entry.value);
                    if own != stem && !entry.value.contains('%') {
                        let kind = unit.name.kind();
                        let message = format!("Where={}: systemd refuses the unit unless its name is {own}.{kind}", entry.value);
                        found.at(entry, message);
                    }
                }
            }
            "slice" if stem != "-" && !unit.name.is_template() && !forms::is_below(stem) => {
                found.missing("Slice", "a dash in the name of a slice must stand between two names: systemd refuses the unit");
            }
            "socket" => {
                if let Some(entry) = unit.get("Socket", "Symlinks").filter(|_| nodes(unit) != 1) {
                    let message = format!("Symlinks= needs one path that the socket listens on, and it has {}: systemd refuses the unit", nodes(unit));
                    found.at(entry, message);
                }
            }
            _ => {}
        }
    }

    /// A unit that names itself as a dependency
    ///
    /// A unit cannot wait for itself, or start itself when it fails. systemd drops the dependency and logs a warning.
    ///
    /// In production: `OnFailure=acme.service` in acme.service starts nothing after a failure.
    ///
    /// ```ini
    /// [Unit]
    /// OnFailure=acme-alarm.service
    /// ```
    ///
    /// See systemd.unit(5), `OnFailure=`.
    "depends-on-itself" Warning Any depends_on_itself(view, found) {
        for (word, entry) in view.unit.words("Unit", DEPENDENCIES) {
            let resolved = UnitName::new(&word).is_some_and(|name| name == view.unit.name);
            if resolved || word == "%n" {
                found.at(entry, format!("{}={word} names this unit itself: systemd ignores it", entry.key));
            }
        }
    }
}
