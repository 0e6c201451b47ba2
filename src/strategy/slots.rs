//! What every strategy with instances shares: which instance serves and which one starts the next release, and what their
//! template must have. Which steps follow is each strategy's own.

use crate::config::{Config, Instance, Service};
use crate::observed::installed::Content;
use crate::observed::{Observed, Slot};
use crate::step::Step;
use crate::text;
use crate::unit::merge::Unit;
use crate::unit::name::UnitName;
use crate::unit::parse::File;
use crate::unit::value;

/// How long a stop may take, in seconds: it must end before the conductor's own deadline for it.
const STOP: f64 = 200.0;

/// The instances of a service that takes turns.
pub(super) struct Pair<'a> {
    /// The one that serves; `None` before the first release.
    pub active: Option<Instance<'a>>,
    /// The one that starts the next release.
    pub idle: Instance<'a>,
}

/// Which of its instances serves, also where both run or none does: one that runs comes before one that does not, then one
/// whose slot names the live release, then one that has a slot at all.
pub(super) fn pair<'a>(service: &'a Service, observed: &Observed) -> Option<Pair<'a>> {
    let rank = |one: &Instance<'_>| {
        let slot = observed.slot(one);
        let runs = observed.unit(one.unit).is_active();
        (runs, slot.is_some() && slot == observed.live(), slot.is_some())
    };
    let serves = |one: &Instance<'_>| rank(one) != (false, false, false);
    // Of equals the first, in the order of deploy.yml.
    let all: Vec<_> = service.instances().collect();
    let active = all.iter().rev().copied().filter(serves).max_by_key(rank);
    let idle = all
        .into_iter()
        .find(|one| active.is_none_or(|active| active.unit != one.unit))?;
    Some(Pair { active, idle })
}

/// What the template and its instances lack to run from slots.
pub(super) fn needs(service: &Service, observed: &Observed, root: &str) -> Vec<String> {
    let template = service.name();
    let mut needs = Vec::new();
    let slots: Vec<_> = service.instances().filter_map(|one| Some((one, one.slot?))).collect();
    for (one, slot) in &slots {
        if let Some(Slot::Odd(what)) = observed.slots.get(*slot) {
            needs.push(format!(
                "{root}/slots/{slot} is {what}: shipit only replaces a symlink to one of its own releases"
            ));
        }
        let unit = one.unit;
        if matches!(observed.unit(unit).unit_file_state(), Some("disabled" | "indirect")) {
            needs.push(format!(
                "{unit} is not enabled, so a reboot would not start it: `sudo systemctl enable {unit}`"
            ));
        }
    }
    let first = service.units().next().map(|unit| observed.unit(unit));
    if first.is_some_and(|unit| unit.unit_file_state() == Some("static")) {
        needs.push(format!(
            "{template} cannot be enabled, so a reboot would not start its instances: add `WantedBy=multi-user.target` under [Install], \
             then `sudo systemctl daemon-reload`, and enable them"
        ));
    }
    let missing = |line: &str, section: &str| {
        format!(
            "{template} does not run from its slot: add `{line}` under [{section}], then `sudo systemctl daemon-reload`"
        )
    };
    let mut directories = slots.iter().filter_map(|(one, slot)| {
        let directory = observed.unit(one.unit).get("WorkingDirectory")?;
        Some((directory.trim_start_matches(['!', '-']), format!("{root}/slots/{slot}")))
    });
    // A program that is started through the slot may have any working directory.
    let through = |text: &Unit| text.service("ExecStart").contains(&format!("{root}/slots/%i/"));
    let text = text(template, observed);
    let current = format!("{root}/current");
    let names_current = |value: &str| {
        let mut words = value.split(|c: char| c.is_whitespace() || "\"'=:".contains(c));
        words.any(|word| {
            let word = word.trim_start_matches(['-', '@', '+', '!', '|']);
            word.strip_prefix(&current)
                .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        })
    };
    if text.as_ref().is_some_and(|text| {
        let mut commands = text.every_command().into_iter().map(|(_, entry)| entry.value);
        commands.any(names_current) || names_current(text.service("WorkingDirectory"))
    }) {
        needs.push(format!(
            "{template} uses {current}, which names the old release while the new one starts: write {root}/slots/%i instead, \
             then `sudo systemctl daemon-reload`"
        ));
    }
    if directories.any(|(is, wanted)| is != wanted) && !text.as_ref().is_some_and(through) {
        needs.push(missing(&format!("WorkingDirectory={root}/slots/%i"), "Service"));
    }
    let condition = format!("{root}/slots/%i");
    if text.is_some_and(|text| !text.has("Unit", "ConditionPathExists", &condition)) {
        needs.push(format!(
            "{template} would start without a release: add `ConditionPathExists={condition}` under [Unit], then `sudo systemctl daemon-reload`"
        ));
    }
    needs
}

/// That a switch could not wait for the stop of an old instance.
pub(super) fn stops_late(service: &Service, observed: &Observed) -> Option<String> {
    let template = service.name();
    let unit = service.units().next().unwrap_or(template);
    let stop = observed.unit(unit).get("TimeoutStopUSec")?;
    let late = value::span(stop).is_none_or(|span| span.seconds() > STOP);
    late.then(|| {
        format!(
            "{template} may take longer than 200 s to stop, and a switch waits for it: add `TimeoutStopSec=30s` under [Service], \
             then `sudo systemctl daemon-reload`"
        )
    })
}

/// Slots of instances that deploy.yml does not have (renamed ones, or those of another strategy): they may still serve an
/// old release, and no step would look at them.
pub fn unknown(config: &Config, observed: &Observed) -> Vec<String> {
    let known = |name: &str| config.instances().any(|one| one.slot == Some(name));
    let root = config.root.as_str();
    let mut templates = config.services.iter().filter(|service| service.name().contains('@'));
    let template = templates.next().filter(|_| templates.next().is_none());
    let told = |(name, slot): (&String, &Slot)| {
        let is = match slot {
            Slot::Release(id) => format!("a slot of {id}"),
            Slot::Odd(what) => what.clone(),
        };
        let plain = !name.starts_with('.') && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"_.".contains(&b));
        let fix = match template {
            Some(service) if plain => format!(
                ": `sudo systemctl disable --now {}`, then `rm {root}/slots/{name}`",
                service.name().replacen('@', &format!("@{name}"), 1)
            ),
            _ => ": stop and disable its unit, then remove the slot".to_owned(),
        };
        format!(
            "{root}/slots/{} is {is}, but deploy.yml has no such instance, and it may still serve{fix}",
            text::shown(name.as_bytes())
        )
    };
    observed
        .slots
        .iter()
        .filter(|(name, _)| !known(name))
        .map(told)
        .collect()
}

/// A unit with its drop-ins, where all of it was read.
pub fn text(name: &str, observed: &Observed) -> Option<Unit> {
    let there = observed.installed.as_ref()?.units.get(name)?;
    let file = |path: &str, content: &Content| match content {
        Content::Text(text) => Some(File::parse(path, text)),
        _ => None,
    };
    let own = std::iter::once(file(name, &there.own));
    let drop_ins = there.drop_ins.iter().map(|(path, content)| file(path, content));
    Some(Unit {
        name: UnitName::new(name)?,
        files: own.chain(drop_ins).collect::<Option<_>>()?,
    })
}

/// The slot of an instance points at a release, or goes.
pub(super) fn slot(one: &Instance<'_>, to: Option<&str>) -> Option<Step> {
    Some(Step::Slot {
        slot: one.slot?.to_owned(),
        to: to.map(str::to_owned),
    })
}
