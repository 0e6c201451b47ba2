//! The app's unit files: those of the repository against those of the host. Pure: files were read before, nothing is
//! written here. What `installed.sh` printed is `installed`; what an install would do is `install`.

mod drift;
pub mod install;

pub use drift::{drift, drift_since, drift_warnings_since, fingerprints};

use crate::config::Config;
use crate::failure::{Exit, Failure, Next};
use crate::observed::installed::{Content, InstalledUnit, InstalledUnits};
use crate::plan::units::{Purpose, units};
use crate::text;
use crate::unit::compare;
use crate::unit::merge::Unit;
use crate::unit::name::UnitName;
use crate::unit::parse::File;

/// Where an administrator's units lie, and where shipit installs the app's. systemd.unit(5).
pub const PLACE: &str = "/etc/systemd/system";

/// One way in which the host's unit is not the repository's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Difference {
    /// The host does not have it.
    Missing,
    /// The file has other settings: these keys.
    Settings(Vec<String>),
    /// The file differs only in comments and layout.
    Comments,
    /// A drop-in of the host changes these keys.
    DropIn {
        path: String,
        keys: Vec<String>,
    },
    /// The host's file is a link to this.
    Link(String),
    Masked,
    /// systemd takes it from another place.
    Elsewhere(String),
    /// systemd has not read it since it changed.
    Stale,
    /// systemd refuses it: its `LoadState`.
    Refused(String),
    /// It has an `[Install]` section that nobody made use of.
    Disabled,
    /// What could not be read.
    Unreadable(String),
}

impl Difference {
    /// Whether the host does, or would do, something else than the repository says. A comment does nothing; whether
    /// a unit starts at boot is the host's own affair.
    pub fn counts(&self) -> bool {
        !matches!(self, Self::Comments | Self::Disabled)
    }

    /// What it is, as the end of a sentence that begins with the unit's name.
    pub fn words(&self) -> String {
        let shown = |text: &str| text::shown(text.as_bytes());
        match self {
            Self::Missing => "does not exist on the host".into(),
            Self::Settings(keys) => format!("differs in {}", shown(&keys.join(", "))),
            Self::Comments => "differs only in comments and layout".into(),
            Self::DropIn { path, keys } => format!(
                "is overridden on the host by {} in {}",
                shown(path),
                shown(&keys.join(", "))
            ),
            Self::Link(to) => format!("is a symlink on the host, to {}", shown(to)),
            Self::Masked => "is masked on the host: it cannot be started".into(),
            Self::Elsewhere(path) => format!("is loaded from {} on the host", shown(path)),
            Self::Stale => "changed on the host after systemd loaded it: systemctl daemon-reload".into(),
            Self::Refused(state) => format!("is refused by systemd ({})", shown(state)),
            Self::Disabled => "is not enabled: it does not start at boot".into(),
            Self::Unreadable(what) => format!("cannot be read on the host: {}", shown(what)),
        }
    }

    pub fn word(&self) -> &'static str {
        match self {
            Self::Missing => "missing",
            Self::Settings(_) => "settings",
            Self::Comments => "comments",
            Self::DropIn { .. } => "drop_in",
            Self::Link(_) => "link",
            Self::Masked => "masked",
            Self::Elsewhere(_) => "elsewhere",
            Self::Stale => "stale",
            Self::Refused(_) => "refused",
            Self::Disabled => "disabled",
            Self::Unreadable(_) => "unreadable",
        }
    }
}

/// How the host's unit stands to the repository's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Standing {
    pub name: UnitName,
    /// Where the repository has it.
    pub path: String,
    pub wanted: Vec<u8>,
    /// The text of the host's own file; nothing where there is none.
    pub there: Option<Vec<u8>>,
    /// Every way in which they differ; empty: the host's is the repository's.
    pub differences: Vec<Difference>,
}

impl Standing {
    /// The lines that differ, as `diff -u` writes them, the host's first; empty when the texts are equal.
    pub fn diff(&self) -> Vec<Vec<u8>> {
        compare::unified(self.there.as_deref().unwrap_or_default(), &self.wanted)
    }
}

/// Each unit of the repository against the host's.
pub fn compare(repository: &[Unit], installed: &InstalledUnits) -> Vec<Standing> {
    repository
        .iter()
        .map(|unit| {
            let installed = installed.units.get(unit.name.as_str());
            Standing {
                name: unit.name.clone(),
                path: unit.files.first().map(|f| f.path.clone()).unwrap_or_default(),
                wanted: unit.files.first().map(File::bytes).unwrap_or_default(),
                there: installed.and_then(|there| match &there.own {
                    Content::Text(text) => Some(text.clone()),
                    _ => None,
                }),
                differences: installed.map_or_else(
                    || vec![Difference::Unreadable("the host did not report it".into())],
                    |there| differences(unit, there),
                ),
            }
        })
        .collect()
}

fn differences(unit: &Unit, there: &InstalledUnit) -> Vec<Difference> {
    let own = format!("{PLACE}/{}", unit.name);
    let Some(state) = there.properties.get("LoadState") else {
        return vec![Difference::Unreadable("systemctl show".into())];
    };
    let mut found = Vec::new();
    let fragment = there.properties.text("FragmentPath");
    match &there.own {
        Content::Link(to) if to == "/dev/null" => return vec![Difference::Masked],
        Content::Link(to) => return vec![Difference::Link(to.clone())],
        Content::Unreadable => return vec![Difference::Unreadable(own)],
        _ if state == "masked" => return vec![Difference::Masked],
        Content::Absent if fragment.is_empty() || fragment == own => {
            return vec![Difference::Missing];
        }
        Content::Absent => return vec![Difference::Elsewhere(fragment.into())],
        Content::Text(text) => {
            let file = Unit {
                name: unit.name.clone(),
                files: vec![File::parse(own.clone(), text)],
            };
            let keys = compare::differing(&file, unit);
            if !keys.is_empty() {
                found.push(Difference::Settings(keys));
            } else if unit.files.first().map(File::bytes).as_ref() != Some(text) {
                found.push(Difference::Comments);
            }
            found.extend(drop_ins(&file, there));
        }
    }
    if !fragment.is_empty() && fragment != own {
        found.push(Difference::Elsewhere(fragment.into()));
    }
    if there.properties.needs_daemon_reload() || state == "not-found" {
        if !found.contains(&Difference::Stale) {
            found.push(Difference::Stale);
        }
    } else if state != "loaded" {
        found.push(Difference::Refused(state.into()));
    }
    // Of a template its instances are enabled; the one that was asked for here is nobody's.
    let enabled = unit.name.is_template() || there.properties.unit_file_state() != Some("disabled");
    if unit.has_section("Install") && !enabled {
        found.push(Difference::Disabled);
    }
    found
}

/// What each drop-in of the host changes. Those of the distribution (`/usr/lib/…/service.d`) are its own affair.
fn drop_ins(file: &Unit, there: &InstalledUnit) -> Vec<Difference> {
    let mut found = Vec::new();
    let mut merged = file.clone();
    for (path, content) in &there.drop_ins {
        let text = match content {
            Content::Text(text) => text,
            // Removed since systemd loaded it.
            Content::Absent => {
                if !found.contains(&Difference::Stale) {
                    found.push(Difference::Stale);
                }
                continue;
            }
            Content::Link(_) | Content::Unreadable => {
                found.push(Difference::Unreadable(path.clone()));
                continue;
            }
        };
        let before = merged.clone();
        merged.files.push(File::parse(path.clone(), text));
        let keys = compare::differing(&before, &merged);
        if !keys.is_empty() && !path.starts_with("/usr/lib/") && !path.starts_with("/lib/") {
            found.push(Difference::DropIn {
                path: path.clone(),
                keys,
            });
        }
    }
    found
}

/// Whether a unit is this app's: named in deploy.yml (as a service, its socket, the migration, the unit before it, or the
/// template of one), or after the app. Fails with the end of a sentence that begins with the unit's name.
pub fn own(config: &Config, name: &UnitName) -> Result<(), &'static str> {
    let odd = |c: char| !(c.is_ascii_alphanumeric() || "@._-".contains(c));
    if name.as_str().chars().any(odd) {
        return Err("contains a character that shipit does not accept in unit names");
    }
    if name.as_str().starts_with("shipit-") {
        return Err("has the name of one of shipit's guard units, which `shipit setup` writes");
    }
    if name.template().is_some() {
        return Err("is an instance: use its template instead");
    }
    if named(config, name) {
        return Ok(());
    }
    if !matches!(name.kind(), "service" | "socket" | "timer" | "path" | "target") {
        return Err("is of a type that shipit does not install");
    }
    let app = config.app.as_str();
    let rest = name.prefix().strip_prefix(app);
    if rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('-')) {
        return Ok(());
    }
    Err("is neither in deploy.yml nor named after the app")
}

/// Whether deploy.yml names the unit, or an instance of it.
fn named(config: &Config, name: &UnitName) -> bool {
    units(config, Purpose::Observe).into_iter().any(|unit| {
        let unit = UnitName::new(unit);
        let template = unit.as_ref().and_then(UnitName::template);
        unit.as_ref() == Some(name) || template.as_ref() == Some(name)
    })
}

/// The app's units that are on the host alone.
pub fn strays(config: &Config, repository: &[Unit], installed: &InstalledUnits) -> Vec<String> {
    let is_stray = |name: &&String| {
        UnitName::new(name).is_some_and(|name| {
            own(config, &name).is_ok()
                && install::other_app(config, &name, installed).is_none()
                && repository.iter().all(|unit| unit.name != name)
        })
    };
    installed
        .units
        .iter()
        .filter(|(_, there)| matches!(there.own, Content::Text(_) | Content::Link(_)))
        .map(|(name, _)| name)
        .filter(is_stray)
        .cloned()
        .collect()
}

/// Refuses a repository with units that are not the app's. Fails with a [`Failure`] that names each.
pub fn all_own(config: &Config, repository: &[Unit]) -> Result<(), Failure> {
    let mut failure = Failure::new(Exit::Usage, "some units here do not belong to this app");
    for unit in repository {
        if let Err(why) = own(config, &unit.name) {
            let path = unit.files.first().map_or("", |file| &file.path);
            failure = failure.why(format!("{} {why}", text::shown(path.as_bytes())));
        }
    }
    if failure.why.is_empty() {
        return Ok(());
    }
    Err(failure.host("nothing changed").next(Next::advice(format!(
        "name it {}-….service, or list it under `services` in deploy.yml",
        config.app
    ))))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use base64::Engine as _;

    const TEXT: &str = "[Service]\nExecStart=/bin/a\n[Install]\nWantedBy=multi-user.target\n";

    /// How a host with this text stands to a repository with [`TEXT`].
    fn found(name: &str, there: &str, more: &str) -> Vec<Difference> {
        let text = base64::engine::general_purpose::STANDARD.encode(there);
        let installed = InstalledUnits::parse(
            format!(
                "show {name} LoadState=loaded\nshow {name} FragmentPath={PLACE}/{name}\n\
                 file {name} own {PLACE}/{name} text {text}\n{more}"
            )
            .as_bytes(),
        );
        let unit = Unit::parse(&format!("deploy/units/{name}"), TEXT.as_bytes()).unwrap();
        compare(&[unit], &installed).remove(0).differences
    }

    #[test]
    fn each_difference_is_told_as_what_it_is() {
        let name = "a.service";
        assert_eq!(found(name, TEXT, ""), []);
        assert_eq!(found(name, &format!("# x\n{TEXT}"), ""), [Difference::Comments]);
        let keys = vec!["ExecStart".to_owned()];
        assert_eq!(
            found(name, &TEXT.replace("/bin/a", "/bin/b"), ""),
            [Difference::Settings(keys)]
        );
        let disabled = |name: &str| format!("show {name} UnitFileState=disabled\n");
        assert_eq!(found(name, TEXT, &disabled(name)), [Difference::Disabled]);
        assert_eq!(found("a@.service", TEXT, &disabled("a@.service")), []);
        assert_eq!(
            found(name, TEXT, "show a.service LoadState=bad-setting\n"),
            [Difference::Refused("bad-setting".into())]
        );
        assert_eq!(
            found(name, TEXT, "file a.service dropin /etc/x.conf unreadable\n"),
            [Difference::Unreadable("/etc/x.conf".into())]
        );
        // One that was removed after systemd loaded it can be read by nobody; systemd has to load the unit again.
        let removed = "file a.service dropin /etc/x.conf absent\nfile a.service dropin /etc/y.conf absent\n";
        assert_eq!(found(name, TEXT, removed), [Difference::Stale]);
        let stale = format!("{removed}show a.service NeedDaemonReload=yes\n");
        assert_eq!(found(name, TEXT, &stale), [Difference::Stale]);
        // A drop-in that changes nothing, and one of the distribution, are no difference.
        for (path, text) in [
            ("/etc/x.conf", "W1NlcnZpY2VdCg=="),
            ("/usr/lib/x.conf", "W1NlcnZpY2VdClVzZXI9eAo="),
        ] {
            assert_eq!(
                found(name, TEXT, &format!("file a.service dropin {path} text {text}\n")),
                []
            );
        }
        assert_eq!(
            found(
                name,
                TEXT,
                "file a.service dropin /etc/x.conf text W1NlcnZpY2VdClVzZXI9eAo=\n"
            ),
            [Difference::DropIn {
                path: "/etc/x.conf".into(),
                keys: vec!["User".into()]
            }]
        );
    }

    #[test]
    fn what_systemctl_did_not_say_is_not_known() {
        let unit = Unit::parse("a.service", TEXT.as_bytes()).unwrap();
        for out in [
            "",
            "file a.service own /x absent\n",
            "show a.service LoadState=loaded\n",
        ] {
            let differences = compare(std::slice::from_ref(&unit), &InstalledUnits::parse(out.as_bytes()))
                .remove(0)
                .differences;
            assert!(
                matches!(differences[..], [Difference::Unreadable(_)]),
                "{out:?}: {differences:?}"
            );
        }
    }
}
