//! Which of two units waits for the other at start, as far as the units that are checked together show it. Judges nothing.

use super::View;
use crate::unit::merge::Unit;
use crate::unit::name::UnitName;

/// Targets that no app is part of: they wait for no app, unless its unit has `Before=` or `WantedBy=` with them.
const EARLY: &str = " network.target network-pre.target network-online.target basic.target sysinit.target local-fs.target \
     local-fs-pre.target remote-fs.target remote-fs-pre.target nss-lookup.target nss-user-lookup.target time-set.target \
     time-sync.target slices.target ";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sequence {
    /// One waits for the other.
    Ordered,
    /// Neither waits for the other.
    Free,
    /// A unit that could order them is not among those that are checked.
    Unknown,
}

/// Whether two names are of one unit, or of a template and its instance.
fn same(one: &str, other: &str) -> bool {
    let template = |name: &str| UnitName::new(name).and_then(|name| name.template());
    one == other
        || template(one).is_some_and(|it| it.as_str() == other)
        || template(other).is_some_and(|it| it.as_str() == one)
}

/// All that a unit waits for, directly and through others, itself included.
fn waits_for(view: &View<'_>, name: &str) -> Vec<String> {
    let units = || view.peers().chain([view.unit]);
    let mut reached = vec![name.to_owned()];
    let mut at = 0;
    while let Some(name) = reached.get(at).cloned() {
        let after = |unit: &Unit| {
            unit.words("Unit", "After")
                .into_iter()
                .map(|(word, _)| word)
                .collect::<Vec<_>>()
        };
        let own = units().filter(|unit| same(unit.name.as_str(), &name)).flat_map(after);
        // A target orders itself after the units that it wants (systemd.target(5), "Default Dependencies").
        let wanted = |unit: &&Unit| {
            let by = unit.words("Install", ["WantedBy", "RequiredBy", "UpheldBy"]);
            name.ends_with(".target") && by.iter().any(|(word, _)| word == &name)
        };
        let before = |unit: &&Unit| unit.words("Unit", "Before").iter().any(|(word, _)| same(word, &name));
        let first = units().filter(|unit| before(unit) || wanted(unit));
        let wants = |unit: &Unit| {
            let words = unit.words("Unit", ["Wants", "Requires", "BindsTo", "Requisite", "Upholds"]);
            words.into_iter().map(|(word, _)| word).collect::<Vec<_>>()
        };
        let target = units().filter(|unit| name.ends_with(".target") && unit.name.as_str() == name);
        let own = own.chain(target.flat_map(wants));
        let next: Vec<String> = own.chain(first.map(|unit| unit.name.to_string())).collect();
        for name in next {
            if !reached.contains(&name) {
                reached.push(name);
            }
        }
        at += 1;
    }
    reached
}

/// How the start of this unit stands to that of another one.
pub fn sequence(view: &View<'_>, other: &str) -> Sequence {
    let own = view.unit.name.as_str();
    let theirs = waits_for(view, other);
    if theirs.iter().any(|name| same(name, own)) || waits_for(view, own).iter().any(|name| same(name, other)) {
        return Sequence::Ordered;
    }
    let known =
        |name: &String| EARLY.contains(&format!(" {name} ")) || view.peers().any(|peer| same(peer.name.as_str(), name));
    if theirs.iter().all(known) {
        Sequence::Free
    } else {
        Sequence::Unknown
    }
}
