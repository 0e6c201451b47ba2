//! What rules are told beside a unit's own text: its peers, and what deploy.yml says of it.

use crate::config::{self, Config};
use crate::unit::merge::Unit;
use crate::unit::name::UnitName;
use crate::unit::rules::Context;

/// The context of one unit among its peers, by this configuration.
pub fn context(unit: &Unit, peers: &[Unit], config: Option<&Config>) -> Context {
    let mut context = Context {
        peers: peers.to_vec(),
        ..Context::default()
    };
    let Some(config) = config else { return context };
    context.root = Some(config.root.as_str().to_owned());
    context.deploy_user.clone_from(&config.host.user);
    let name = |unit: &config::UnitName| UnitName::new(unit.as_str());
    let migrate = config.migrate.as_ref();
    context.migrate = migrate.and_then(|migrate| name(&migrate.unit));
    context.before = migrate.and_then(|migrate| name(migrate.before.as_ref()?));
    let mut tried = config.services.iter().filter_map(|service| service.trial.as_ref());
    context.is_trial = tried.any(|trial| {
        let socket = trial.unit.socket();
        [trial.unit.as_str(), socket.as_str()].contains(&unit.name.as_str())
    });
    let mut services = config.services.iter();
    let service = services.find(|service| service.is_made_from(&unit.name));
    context.strategy = service.map(|service| service.strategy);
    context
}
