//! `link`: how a release gets the files that it has in common with the one before.

use super::names::{Wrong, quoted};
use super::reader::{Shape, Value};

crate::text::words! {
    /// How a release gets the files that it has in common with the one before.
    pub enum Link {
        /// The same file under a second name.
        Hard = "hard",
        /// A file of its own.
        Copy = "copy",
    }
}

/// `link`, for editors.
pub(super) const SHAPE: Shape = Shape::OneOf(words);

fn words() -> Vec<&'static str> {
    Link::ALL.iter().map(|known| known.word()).collect()
}

pub(super) fn link(value: Value<'_>) -> Option<Link> {
    value.name(|text| {
        Link::of(text).ok_or_else(|| Wrong(format!("{} is not one of {}", quoted(text), words().join(", "))))
    })
}
