//! The app's units as the host has them, parsed from what `installed.sh` prints. What could not be read is kept as
//! unreadable: it is never taken for absence.

use std::collections::BTreeMap;

use super::lines::{self, lines};
use crate::unit::properties::Properties;

#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub enum Content {
    Text(Vec<u8>),
    Link(String),
    Absent,
    #[default]
    Unreadable,
}

#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct InstalledUnit {
    /// As `systemctl show` reports it; a template as one of its instances.
    pub properties: Properties,
    /// Its file in `/etc/systemd/system`.
    pub own: Content,
    /// Its drop-ins, in the order in which systemd applies them.
    pub drop_ins: Vec<(String, Content)>,
}

#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct InstalledUnits {
    /// The number of the user that looked.
    pub uid: Option<u32>,
    pub user: String,
    pub systemd: Option<u32>,
    /// The apps that shipit deploys to this host.
    pub apps: Vec<String>,
    /// Whether all units in `/etc` that are named after the app are among them.
    pub listed: bool,
    /// All unit files in `/etc/systemd/system`, whatever they belong to.
    pub names: Vec<String>,
    /// Whether the users that were asked for are there.
    pub accounts: BTreeMap<String, bool>,
    pub units: BTreeMap<String, InstalledUnit>,
}

impl InstalledUnits {
    #[must_use]
    pub fn parse(out: &[u8]) -> Self {
        let mut installed = Self::default();
        for (word, rest) in lines(out) {
            match word.as_str() {
                "uid" => installed.uid = rest.parse().ok(),
                "user" => installed.user = rest,
                "systemd" => installed.systemd = rest.parse().ok(),
                "guard" => {
                    let app = rest.strip_prefix("shipit-").and_then(|rest| rest.strip_suffix(".path"));
                    installed.apps.extend(app.map(str::to_owned));
                }
                "show" => {
                    let (unit, property) = lines::split(&rest);
                    let unit = installed.units.entry(unit.into()).or_default();
                    unit.properties.take(property);
                }
                "account" => {
                    if let Some((user, there)) = rest.split_once(' ') {
                        installed.accounts.insert(user.into(), there == "yes");
                    }
                }
                "listed" => installed.listed = true,
                "named" => installed.names.push(rest),
                "file" => installed.file(&rest),
                _ => {}
            }
        }
        installed
    }

    fn file(&mut self, rest: &str) {
        let mut words = rest.split(' ');
        let (Some(unit), Some(role), Some(path)) = (words.next(), words.next(), words.next()) else {
            return;
        };
        let decoded = |text: Option<&str>| lines::file(text.unwrap_or_default());
        let content = match words.next() {
            Some("absent") => Content::Absent,
            Some("text") => decoded(words.next()).map_or(Content::Unreadable, Content::Text),
            Some("link") => decoded(words.next()).map_or(Content::Unreadable, |to| {
                Content::Link(String::from_utf8_lossy(&to).trim_end().to_owned())
            }),
            _ => Content::Unreadable,
        };
        let unit = self.units.entry(unit.into()).or_default();
        match role {
            "own" => unit.own = content,
            "dropin" => unit.drop_ins.push((path.into(), content)),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_not_said_of_a_file_is_unreadable_and_never_absent() {
        let installed = InstalledUnits::parse(
            b"uid 1001\nuser deploy\nguard shipit-acme.path\nshow a.service LoadState=loaded\n\
              file a.service own /etc/systemd/system/a.service text W1VuaXRdCg==\n\
              file a.service dropin /etc/x.conf absent\nfile b.service own /x \nfile c.service own /x text *\n\
              file d.service own /x link L2Rldi9udWxsCg==\nshow e.service LoadState=loaded\n",
        );
        assert_eq!(installed.apps, ["acme"]);
        assert_eq!(installed.units["a.service"].own, Content::Text(b"[Unit]\n".to_vec()));
        assert_eq!(installed.units["a.service"].drop_ins[0].1, Content::Absent);
        for unit in ["b.service", "c.service", "e.service"] {
            assert_eq!(installed.units[unit].own, Content::Unreadable, "{unit}");
        }
        assert_eq!(installed.units["d.service"].own, Content::Link("/dev/null".into()));
    }
}
