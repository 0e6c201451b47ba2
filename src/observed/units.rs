//! The app's units as `units.sh` printed them: properties, files, listeners. Takes words in; asks nothing further.

use super::lines::{self, lines};
use super::listening::{Family, Listening};
use crate::unit::merge::Unit;
use crate::unit::name::UnitName;
use crate::unit::parse::File;
use crate::unit::properties::Properties;

/// One unit of the host.
#[derive(Clone, Debug)]
pub struct HostUnit {
    /// The files that systemd has loaded it from, as they are on disk now. Without a file, systemd has none.
    pub unit: Unit,
    /// What systemd has loaded, which may be older than the files.
    pub properties: Properties,
}

/// What `units.sh` saw.
#[derive(Clone, Debug, Default)]
pub struct HostUnits {
    /// The units, in the order in which they were found.
    pub units: Vec<HostUnit>,
    pub systemd: Option<u32>,
    pub processors: Option<u32>,
    pub uptime: Option<f64>,
    /// Who listens; `None` when `ss` could not be asked.
    pub listening: Option<Vec<Listening>>,
    /// What could not be read, in words.
    pub unreadable: Vec<String>,
}

impl HostUnits {
    /// Takes in what the script printed. A line that is not one of its own is dropped.
    #[must_use]
    pub fn parse(out: &[u8]) -> Self {
        let mut host_units = Self::default();
        let mut listening = Vec::new();
        let mut asked = false;
        for (word, rest) in lines(out) {
            match word.as_str() {
                "systemd" => host_units.systemd = rest.parse().ok(),
                "processors" => host_units.processors = rest.parse().ok(),
                "uptime" => host_units.uptime = rest.parse().ok(),
                "unit" => host_units.units.extend(UnitName::new(&rest).map(|name| HostUnit {
                    unit: Unit {
                        name,
                        files: Vec::new(),
                    },
                    properties: Properties::default(),
                })),
                "show" => {
                    if let Some(unit) = host_units.units.last_mut() {
                        unit.properties.take(&rest);
                    }
                }
                "file" => host_units.take_file(&rest),
                "tcp" => listening.extend(Listening::parse(Family::Tcp, &rest)),
                "unix" => listening.extend(Listening::parse(Family::Unix, &rest)),
                "listening" => asked = true,
                "unreadable" => host_units.unreadable.push(rest),
                _ => {}
            }
        }
        host_units.listening = asked.then_some(listening);
        host_units
    }

    fn take_file(&mut self, rest: &str) {
        let Some((packed, path)) = rest.split_once(' ') else {
            return;
        };
        let Some(unit) = self.units.last_mut() else {
            return;
        };
        match lines::file(packed) {
            Some(bytes) => unit.unit.files.push(File::parse(path, &bytes)),
            None => self.unreadable.push(format!("file {path}")),
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_unit_is_its_files_in_order_and_what_systemd_loaded() {
        let host_units = HostUnits::parse(
            b"unit a.service\nshow LoadState=loaded\nshow Environment=A=1 B=2\nfile W1NlcnZpY2VdCk5pY2U9MQo= /etc/a.service\n\
              file W1NlcnZpY2VdCk5pY2U9Mgo= /etc/a.service.d/x y.conf\nunreadable file /etc/secret.conf\n\
              unit b.service\nshow LoadState=masked\nfile  /etc/b.service\nunit ../c\nshow A=b\n",
        );
        let [a, b] = &host_units.units[..] else {
            panic!("{host_units:?}")
        };
        assert_eq!(a.unit.service("Nice"), "2");
        assert_eq!(a.unit.files[1].path, "/etc/a.service.d/x y.conf");
        assert_eq!(a.properties.get("Environment"), Some("A=1 B=2"));
        assert!(b.unit.is_masked());
        assert_eq!(host_units.unreadable, ["file /etc/secret.conf"]);
        assert!(host_units.listening.is_none(), "not asked is not nobody");
    }
}
