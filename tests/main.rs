//! x
#![allow(clippy::unwrap_used, clippy::print_stderr, missing_docs)]
mod tree; // trees and archives as they come from people: packed, refused, compared
