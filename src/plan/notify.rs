//! What a host lacks to start the app's notify unit. Pure. Nothing here can refuse a deploy.

use super::guard::notify_path;
use super::units::notify_helper;
use crate::config::Config;
use crate::observed::Observed;
use crate::observed::sudo::Refusal;
use crate::plan::needs;

/// One thing that keeps the host from starting it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Lack {
    /// The host does not have the template.
    Template(String),
    /// `setup` did not install what starts it, or no longer grants it.
    Setup(String),
}

/// What a host is asked about beside other units: an instance of the template, as systemd does not show templates, and
/// what starts it.
pub fn observed_units(config: &Config) -> Vec<String> {
    let notify = config.notify.as_ref();
    notify.map_or_else(Vec::new, |_| vec![instance(config), notify_path(config)])
}

fn instance(config: &Config) -> String {
    let template = config.notify.as_ref().map_or("", |template| template.as_str());
    template.replacen("@.", "@shipit.", 1)
}

/// What is missing; nothing without `notify` in deploy.yml.
pub fn lacks(config: &Config, observed: &Observed) -> Vec<Lack> {
    let Some(template) = &config.notify else {
        return Vec::new();
    };
    let mut lacks = Vec::new();
    if observed.unit(&instance(config)).is_not_found() {
        lacks.push(Lack::Template(format!("{template} does not exist on the host")));
    }
    let guard = notify_path(config);
    let helper = notify_helper(config);
    let refused = observed.sudo.as_ref().is_some_and(|sudo| {
        let refused = sudo.refused(helper.as_slice(), &super::units::harmless(config));
        refused.iter().any(|(_, refusal)| *refusal == Refusal::Missing)
    });
    if observed.could_read(&guard) && !observed.unit(&guard).is_active() {
        lacks.push(Lack::Setup(format!("{guard} is not active: nothing starts {template}")));
    } else if refused {
        lacks.push(Lack::Setup(format!("the sudo rule has no line that starts {template}")));
    }
    lacks
}

impl Lack {
    pub fn what(&self) -> &str {
        match self {
            Self::Template(what) | Self::Setup(what) => what,
        }
    }
}

/// As a deploy warns.
pub fn warnings(config: &Config, observed: &Observed) -> Vec<String> {
    let warning = |lack: Lack| format!("nobody is notified of this deploy: {}", lack.what());
    let wants_setup = needs::host(config, observed).is_err();
    lacks(config, observed)
        .into_iter()
        .filter(|_| !wants_setup)
        .map(warning)
        .collect()
}
