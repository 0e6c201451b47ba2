//! A service as the units that systemd runs for it. Whoever means "every unit of this service" asks here: a service
//! without instances is the case of one. Nothing here reads the file.

use std::time::Duration;

use super::names::UnitName;
use super::{Config, Health};
use crate::unit::name;
use crate::unit::strategy::Strategy;

/// One service of the app and how it goes from the old release to the new one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Service {
    /// The unit as deploy.yml names it.
    pub(super) name: UnitName,
    /// Never empty; in the order in which they change hands. Each a `.service`, with what is asked before a release
    /// counts as verified; systemd's own facts count in any case.
    pub(super) units: Vec<(UnitName, Option<Health>)>,
    pub strategy: Strategy,
    /// The socket unit that holds the port. Only strategies that need one have it; by default the unit of the same
    /// stem.
    pub socket: Option<UnitName>,
    /// How long systemd may take to start a unit: 30 s by default.
    pub start_timeout: Duration,
    /// How long a unit must stay healthy after it first was: `health.watch`, 3 s by default.
    pub watch: Duration,
}

/// One unit of a service.
#[derive(Clone, Copy, Debug)]
pub struct Instance<'a> {
    pub service: &'a Service,
    /// The unit's name.
    pub unit: &'a str,
    pub health: Option<&'a Health>,
}

impl Service {
    /// Its units: one, or the instances.
    pub fn instances(&self) -> impl Iterator<Item = Instance<'_>> {
        self.units.iter().map(|(unit, health)| Instance {
            service: self,
            unit: unit.as_str(),
            health: health.as_ref(),
        })
    }

    /// The names of its units.
    pub fn units(&self) -> impl Iterator<Item = &str> {
        self.units.iter().map(|(unit, _)| unit.as_str())
    }

    /// What people call it: the unit as deploy.yml names it.
    #[must_use]
    pub fn name(&self) -> &str {
        self.name.as_str()
    }

    /// Its health check, as the first unit is asked.
    #[must_use]
    pub fn health(&self) -> Option<&Health> {
        self.instances().next()?.health
    }

    /// Whether this is the file of one of its units, or the template of one.
    #[must_use]
    pub fn is_made_from(&self, file: &name::UnitName) -> bool {
        self.units().any(|unit| {
            let unit = name::UnitName::new(unit);
            let template = unit.as_ref().and_then(name::UnitName::template);
            unit.as_ref() == Some(file) || template.as_ref() == Some(file)
        })
    }

    /// The socket unit that systemd pairs with it by name (systemd.socket(5)).
    #[must_use]
    pub fn paired_socket(&self) -> UnitName {
        self.name.socket()
    }
}

impl Config {
    /// Every unit of every service.
    pub fn instances(&self) -> impl Iterator<Item = Instance<'_>> {
        self.services.iter().flat_map(Service::instances)
    }

    /// The service that has this unit.
    #[must_use]
    pub fn service_of(&self, unit: &str) -> Option<&Service> {
        let mut services = self.services.iter();
        services.find(|service| service.units().any(|own| own == unit))
    }
}
