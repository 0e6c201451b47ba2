//! What a release is, as values: its id, its manifest, and the manifest in the bytes that a host can print. Nothing here
//! reads a directory or knows of a host.

mod delta; // what has to travel when the host has another release
mod id; // names of releases
mod listing; // the manifest in the bytes that a host can print with find, sort and sha256sum
mod manifest; // every path of a release and what is there; the digest
mod patch; // which files travel as a patch against a file of the base

pub use delta::{Base, Delta, Encoding, Way};
pub use id::Id;
pub use listing::Mismatch;
pub use manifest::{Difference, Digest, Entry, Kind, Manifest};
pub use patch::{PATCHABLE, Pair};
