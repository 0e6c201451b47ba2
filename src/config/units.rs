//! `units` and `units_drift`: where the repository keeps the app's unit files, and what a deploy does when the host's
//! differ. Nothing here checks whether they exist.

use std::path::{Component, Path, PathBuf};

use super::names::{Wrong, quoted};
use super::reader::{Shape, Value};

/// The directory of unit files when none is written.
const USUAL: &str = "deploy/units";

/// The app's unit files in the repository.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Units {
    pub dir: PathBuf,
    pub need: UnitsNeed,
    pub drift: UnitsDrift,
}

/// Whether the directory of units must exist.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UnitsNeed {
    /// `deploy.yml` names it: it must exist.
    Written,
    /// The default: without it, shipit leaves the app's units alone.
    Usual,
}

crate::text::words! {
    /// What a deploy does when the host's units differ from the repository's.
    pub enum UnitsDrift {
        /// Stops before anything is sent.
        Refuse = "refuse",
        Warn = "warn",
        Ignore = "ignore",
    }
}

impl Units {
    pub(super) fn new(dir: &Path, written: Option<PathBuf>, drift: UnitsDrift) -> Self {
        let need = match written {
            Some(_) => UnitsNeed::Written,
            None => UnitsNeed::Usual,
        };
        Self {
            dir: written.unwrap_or_else(|| dir.join(USUAL)),
            need,
            drift,
        }
    }
}

/// A directory of the repository: below deploy.yml's own, never outside.
pub(super) fn folder(dir: &Path, text: &str) -> Result<PathBuf, Wrong> {
    let parts: Vec<Component<'_>> = Path::new(text).components().collect();
    let below = parts
        .iter()
        .all(|part| matches!(part, Component::Normal(_) | Component::CurDir));
    let named = parts.iter().any(|part| matches!(part, Component::Normal(_)));
    if !below || !named || text.starts_with('~') {
        return Err(Wrong(format!(
            "{} is not below the directory that contains deploy.yml; write one such as `deploy/units`",
            quoted(text)
        )));
    }
    let parts = parts.into_iter().filter(|part| matches!(part, Component::Normal(_)));
    Ok(dir.join(parts.collect::<PathBuf>()))
}

/// `units_drift`, for editors.
pub(super) const DRIFT: Shape = Shape::OneOf(drifts);

fn drifts() -> Vec<&'static str> {
    UnitsDrift::ALL.iter().map(|known| known.word()).collect()
}

pub(super) fn drift(value: Value<'_>) -> Option<UnitsDrift> {
    value.name(|text| {
        let all = drifts().join(", ");
        UnitsDrift::of(text).ok_or_else(|| Wrong(format!("{} is not one of {all}", quoted(text))))
    })
}
