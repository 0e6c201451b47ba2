//! A service as the units that systemd runs for it. Whoever means "every unit of this service" asks here: a service
//! without instances is the case of one. Nothing here reads the file.

use std::time::Duration;

use super::names::{InstanceName, UnitName};
use super::{Canary, Config, Health, Router, Trial};
use crate::step::{Address, Lever};
use crate::unit::name;
use crate::unit::strategy::Strategy;

/// One service of the app and how it goes from the old release to the new one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Service {
    /// The unit as deploy.yml names it: a template where the strategy runs instances of one.
    pub(super) name: UnitName,
    /// Never empty; in the order in which they change hands.
    pub(super) members: Vec<Member>,
    pub strategy: Strategy,
    /// The socket unit that holds the port. Only strategies that need one have it; by default the unit of the same
    /// stem.
    pub socket: Option<UnitName>,
    /// What stands in front of its instances. Only strategies that need one have it.
    pub router: Option<Router>,
    /// How long the old instance stays ready after the router sends requests to the new one: 30 s by default.
    pub bake: Duration,
    /// How a new release gets more and more requests. Only `canary` has it.
    pub canary: Option<Canary>,
    /// How long systemd may take to start a unit: 30 s by default.
    pub start_timeout: Duration,
    /// How long a unit must stay healthy after it first was: `health.watch`, 3 s by default.
    pub watch: Duration,
    /// What runs a new release before it serves.
    pub trial: Option<Trial>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Member {
    /// A `.service`.
    pub unit: UnitName,
    pub slot: Option<InstanceName>,
    pub port: Option<u16>,
    /// What is asked before a release counts as verified; systemd's own facts count in any case.
    pub health: Option<Health>,
}

/// One unit of a service.
#[derive(Clone, Copy, Debug)]
pub struct Instance<'a> {
    pub service: &'a Service,
    pub unit: &'a str,
    /// The name of the instance, `blue`: it runs from the release that the symlink `slots/blue` names, and only while that
    /// exists. `None` for a plain unit, which runs from `current`.
    pub slot: Option<&'a str>,
    /// Where the instance listens, if `ports` tells.
    pub port: Option<u16>,
    pub health: Option<&'a Health>,
}

impl Service {
    /// Its units: one, or the instances.
    pub fn instances(&self) -> impl Iterator<Item = Instance<'_>> {
        self.members.iter().map(|member| Instance {
            service: self,
            unit: member.unit.as_str(),
            slot: member.slot.as_ref().map(InstanceName::as_str),
            port: member.port,
            health: member.health.as_ref(),
        })
    }

    pub fn units(&self) -> impl Iterator<Item = &str> {
        self.members.iter().map(|member| member.unit.as_str())
    }

    /// Whether all instances are asked at the same address, so that an answer does not show which of them gave it.
    pub fn shares_health(&self) -> bool {
        let mut checks = self.instances().map(|one| one.health.map(|health| &health.check.probe));
        let first = checks.next();
        checks.all(|other| first == Some(other))
    }

    /// What its router calls an instance: the path of its socket, HOST:PORT, or BACKEND/SERVER.
    pub fn place(&self, one: &Instance<'_>) -> Option<String> {
        let lever = &self.router.as_ref()?.lever;
        let lever = match lever {
            Lever::Parts(one) => one,
            own => own,
        };
        match (lever, one.health?.check.probe.address()) {
            (Lever::Link { .. }, Some(Address::Unix(socket))) => Some(socket),
            (Lever::Port { .. }, Some(Address::Tcp(host, port))) => Some(format!("{host}:{port}")),
            (Lever::Link { .. } | Lever::Port { .. } | Lever::Parts(_), _) => None,
            (Lever::Haproxy { backend, .. }, _) => Some(format!("{backend}/{}", one.slot?)),
        }
    }

    /// What turns its router for an instance. Behind nginx each of the instances of a rolling service has a symlink of its
    /// own: `live.1.sock` beside `live.sock`.
    pub fn lever(&self, one: &Instance<'_>) -> Option<Lever> {
        let own = &self.router.as_ref()?.lever;
        Some(match (self.strategy, own, one.slot) {
            (Strategy::Rolling, Lever::Link { .. }, Some(slot)) => own.part(slot),
            _ => own.clone(),
        })
    }

    /// Every way to turn its router, each once; that of the service first.
    pub fn levers(&self) -> Vec<Lever> {
        let own = self.router.iter().map(|router| router.lever.clone());
        let mut levers: Vec<Lever> = Vec::new();
        for lever in own.chain(self.instances().filter_map(|one| self.lever(&one))) {
            if !levers.contains(&lever) {
                levers.push(lever);
            }
        }
        levers
    }

    /// What people call it: the unit as deploy.yml names it.
    pub fn name(&self) -> &str {
        self.name.as_str()
    }

    /// Its health check, as the first unit is asked.
    pub fn health(&self) -> Option<&Health> {
        self.instances().next()?.health
    }

    /// Whether this is the file of one of its units, or the template of one.
    pub fn is_made_from(&self, file: &name::UnitName) -> bool {
        self.units().any(|unit| {
            let unit = name::UnitName::new(unit);
            let template = unit.as_ref().and_then(name::UnitName::template);
            unit.as_ref() == Some(file) || template.as_ref() == Some(file)
        })
    }

    /// The socket unit that systemd pairs with it by name (systemd.socket(5)).
    pub fn paired_socket(&self) -> UnitName {
        self.name.socket()
    }
}

impl Config {
    /// Every unit of every service.
    pub fn instances(&self) -> impl Iterator<Item = Instance<'_>> {
        self.services.iter().flat_map(Service::instances)
    }

    pub fn service_of(&self, unit: &str) -> Option<&Service> {
        let mut services = self.services.iter();
        services.find(|service| service.units().any(|own| own == unit))
    }
}
