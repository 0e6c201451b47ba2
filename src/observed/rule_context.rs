//! What rules are told beside a unit's own text: its peers, and what deploy.yml says of it.

use crate::config::{Config, StrategyName};
use crate::unit::merge::Unit;
use crate::unit::name::UnitName;
use crate::unit::rules::Context;
use crate::unit::strategy::Strategy;

/// The context of one unit among its peers, by this configuration.
#[must_use]
pub fn context(unit: &Unit, peers: &[Unit], config: Option<&Config>) -> Context {
    let mut context = Context {
        peers: peers.to_vec(),
        ..Context::default()
    };
    let Some(config) = config else { return context };
    context.root = Some(config.root.as_str().to_owned());
    context.deploy_user.clone_from(&config.host.user);
    let migrate = config.migrate.as_ref().map(|migrate| migrate.unit.as_str());
    context.migrate = migrate.and_then(UnitName::new);
    let service = config.services.iter().find(|service| {
        let name = UnitName::new(service.unit.as_str());
        let template = name.as_ref().and_then(UnitName::template);
        name.as_ref() == Some(&unit.name) || template.as_ref() == Some(&unit.name)
    });
    context.strategy = service.map(|service| strategy(service.strategy));
    context
}

/// A strategy of deploy.yml as rules know it.
#[must_use]
pub fn strategy(name: StrategyName) -> Strategy {
    match name {
        StrategyName::Restart => Strategy::Restart,
        StrategyName::Reload => Strategy::Reload,
        StrategyName::Socket => Strategy::Socket,
    }
}
