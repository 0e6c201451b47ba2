//! `units` and `units_drift`: where the repository keeps the app's unit files, and what a deploy says when the host
//! has other ones. Nothing here looks whether they are there.

use std::path::{Component, Path, PathBuf};

use super::names::{Wrong, quoted};
use super::reader::Value;

/// The directory of unit files when none is written.
const USUAL: &str = "deploy/units";

/// The app's unit files in the repository.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Units {
    pub dir: PathBuf,
    /// Whether it must be there.
    pub need: UnitsNeed,
    /// What a deploy says when the host's units are other ones.
    pub drift: UnitsDrift,
}

/// Whether the directory of units must be there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UnitsNeed {
    /// `deploy.yml` names it: it must.
    Written,
    /// Nobody named it: without it, the app's units are no business of shipit.
    Usual,
}

/// What a deploy does when the host's units differ from the repository's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UnitsDrift {
    /// Stops before anything is sent.
    Refuse,
    /// Says so and goes on.
    Warn,
    Ignore,
}

impl UnitsDrift {
    /// All of them, in the order in which they are listed to a person.
    pub const ALL: [Self; 3] = [Self::Refuse, Self::Warn, Self::Ignore];

    /// The word in the file.
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
    let named = parts
        .iter()
        .any(|part| matches!(part, Component::Normal(_)));
    if !below || !named || text.starts_with('~') {
        return Err(Wrong(format!(
            "{} is not a directory below deploy.yml, like `deploy/units`",
            quoted(text)
        )));
    }
    let parts = parts
        .into_iter()
        .filter(|part| matches!(part, Component::Normal(_)));
    Ok(dir.join(parts.collect::<PathBuf>()))
}

pub(super) fn drift(value: Value<'_>) -> Option<UnitsDrift> {
    value.name(|text| {
        let known = UnitsDrift::ALL
            .into_iter()
            .find(|known| known.as_str() == text);
        let all = UnitsDrift::ALL.map(UnitsDrift::as_str).join(", ");
        known.ok_or_else(|| Wrong(format!("{} is not one of {all}", quoted(text))))
    })
}
