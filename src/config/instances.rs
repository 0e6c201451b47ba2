//! Which instances a service has, and what is asked of each: `instances`, `ports`, and the places `{instance}` and `{port}`
//! in its health check. Nothing here knows what a strategy does with them.

use super::names::{InstanceName, UnitName, quoted};
use super::reader::{Map, Shape, Value};
use super::tree::{Entry, Kind, Mark, Node};
use crate::unit::strategy::Strategy;

/// The most instances of one service.
const MOST: u32 = 64;

/// `instances`, for editors: names, which may look like numbers, or how many.
pub(super) const SHAPE: Shape = Shape::Either(&[
    Shape::List(&Shape::Like("^[A-Za-z0-9][A-Za-z0-9_.]{0,31}$")),
    Shape::Whole(1, MOST),
]);
/// `ports`, for editors.
pub(super) const PORTS: Shape = Shape::List(&Shape::Whole(1, 65535));

/// One unit of a service, before it is named.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct One {
    /// `None`: the service is a plain unit.
    pub instance: Option<InstanceName>,
    pub port: Option<u16>,
}

impl One {
    pub(super) const PLAIN: Self = Self {
        instance: None,
        port: None,
    };
}

/// The unit of a service: a template for the strategies that run instances, else none.
pub(super) fn fits(map: &Map<'_>, unit: Option<&UnitName>, strategy: Option<Strategy>) -> Option<()> {
    let (Some(value), Some(unit), Some(strategy)) = (map.get("unit"), unit, strategy) else {
        return Some(());
    };
    let name = quoted(unit.as_str());
    let (prefix, suffix) = (unit.stem().split('@').next().unwrap_or_default(), "service");
    match (unit.is_template(), strategy.needs_instances()) {
        (true, true) | (false, false) => return Some(()),
        (true, false) => value.is_wrong(&format!(
            "{name} is a template; write the name of an instance, such as {}: only strategies such as `handover` run instances",
            quoted(&format!("{prefix}@1.{suffix}"))
        )),
        (false, true) => value.is_wrong(&format!(
            "{name} is not a template; `{strategy}` runs instances of one: write {}",
            quoted(&format!("{prefix}@.{suffix}"))
        )),
    }
    None
}

/// Reads `instances` and `ports`.
pub(super) fn instances(map: &Map<'_>, strategy: Option<Strategy>) -> Option<Vec<One>> {
    let strategy = strategy?;
    let (names, ports) = (map.get("instances"), map.get("ports"));
    if !strategy.needs_instances() {
        let given: Vec<_> = names.into_iter().chain(ports).collect();
        for value in &given {
            value.is_wrong(&format!("`{strategy}` does not run instances"));
        }
        return given.is_empty().then(|| vec![One::PLAIN]);
    }
    let names = match names {
        Some(value) => listed(value, strategy)?,
        None if strategy.instances() == Some(2) => ["blue", "green"].into_iter().filter_map(name).collect(),
        None => {
            let text = format!("`instances` is missing; `{strategy}` needs their number, for example `instances: 3`");
            map.problems.note(map.at, text);
            return None;
        }
    };
    let ports = match ports {
        Some(value) => listed_ports(value, names.len())?.into_iter().map(Some).collect(),
        None => vec![None; names.len()],
    };
    let one = |(name, port)| One {
        instance: Some(name),
        port,
    };
    Some(names.into_iter().zip(ports).map(one).collect())
}

fn name(text: &str) -> Option<InstanceName> {
    InstanceName::parse(text).ok()
}

/// Names, or how many: then they are `1`, `2`, ….
fn listed(value: Value<'_>, strategy: Strategy) -> Option<Vec<InstanceName>> {
    let names: Vec<InstanceName> = match &value.node.kind {
        Kind::List(_) => value.list(|value| value.name(InstanceName::parse))?,
        _ => (1..=value.number(1..=MOST)?)
            .filter_map(|n| name(&n.to_string()))
            .collect(),
    };
    let twice = names.iter().enumerate().find(|(at, name)| names[..*at].contains(name));
    let wrong = match (twice, strategy.instances()) {
        (Some((_, name)), _) => format!("{} is listed twice", quoted(name.as_str())),
        (None, Some(count)) if names.len() != count => format!(
            "`{strategy}` runs {count} instances, not {}: one serves, the other starts the next release",
            names.len()
        ),
        _ if names.is_empty() || names.len() > MOST as usize => format!("list 1 to {MOST} instances"),
        _ => return Some(names),
    };
    value.is_wrong(&wrong);
    None
}

/// One port for each instance, in their order.
fn listed_ports(value: Value<'_>, count: usize) -> Option<Vec<u16>> {
    let ports = value.list(|value| value.number(1..=65535).and_then(|port| u16::try_from(port).ok()))?;
    let twice = ports.iter().enumerate().find(|(at, port)| ports[..*at].contains(port));
    let wrong = match twice {
        Some((_, port)) => format!("{port} is listed twice; each instance listens on its own port"),
        None if ports.len() != count => format!(
            "{} ports for {count} instances; list one for each, in the order of `instances`",
            ports.len()
        ),
        None => return Some(ports),
    };
    value.is_wrong(&wrong);
    None
}

/// The value with `{instance}` and `{port}` filled in for one instance; notes a place that nothing fills.
pub(super) fn filled(value: Value<'_>, one: &One) -> Node {
    let mut node = value.node.clone();
    fill(&mut node, one, &mut |at, wrong| value.problems.note(at, wrong));
    node
}

fn fill(node: &mut Node, one: &One, wrong: &mut dyn FnMut(Mark, String)) {
    match &mut node.kind {
        Kind::Text { text, .. } => {
            let Some(instance) = &one.instance else { return };
            *text = text.replace("{instance}", instance.as_str());
            match one.port {
                Some(port) => *text = text.replace("{port}", &port.to_string()),
                None if text.contains("{port}") => wrong(
                    node.at,
                    "`{port}` needs the key `ports`: one port for each instance, for example `ports: [8081, 8082]`"
                        .to_owned(),
                ),
                None => {}
            }
        }
        Kind::List(nodes) => nodes.iter_mut().for_each(|node| fill(node, one, wrong)),
        Kind::Map(entries) => entries
            .iter_mut()
            .for_each(|Entry { value, .. }| fill(value, one, wrong)),
    }
}

/// A unit of the service.
pub(super) fn unit(of: &UnitName, one: &One) -> UnitName {
    match &one.instance {
        Some(name) => of.instance(name),
        None => of.clone(),
    }
}
