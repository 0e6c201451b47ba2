//! `units` and `units_drift`: where the repository keeps the app's unit files, and what a deploy does when the host's
//! differ. Nothing here checks whether they exist.

use std::path::{Component, Path, PathBuf};

use super::names::{Wrong, quoted};
use super::reader::Value;

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

/// What a deploy does when the host's units differ from the repository's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UnitsDrift {
    /// Stops before anything is sent.
    Refuse,
    /// Warns and continues.
    Warn,
    Ignore,
}

impl UnitsDrift {
    /// In the order in which they are listed.
    pub const ALL: [Self; 3] = [Self::Refuse, Self::Warn, Self::Ignore];

    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Refuse => "refuse",
            Self::Warn => "warn",
            Self::Ignore => "ignore",
        }
    }
}

impl Units {
    /// `units` and `units_drift` together.
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
            "{} is not a directory below the one of deploy.yml, like `deploy/units`",
            quoted(text)
        )));
    }
    let parts = parts.into_iter().filter(|part| matches!(part, Component::Normal(_)));
    Ok(dir.join(parts.collect::<PathBuf>()))
}

pub(super) fn drift(value: Value<'_>) -> Option<UnitsDrift> {
    value.name(|text| {
        let known = UnitsDrift::ALL.into_iter().find(|known| known.as_str() == text);
        let all = UnitsDrift::ALL.map(UnitsDrift::as_str).join(", ");
        known.ok_or_else(|| Wrong(format!("{} is not one of {all}", quoted(text))))
    })
}
