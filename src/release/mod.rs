//! A release: its id, its manifest, and how a directory or an archive is packed. Local work only; no host.
//!
//! [`scan()`] walks a [`Source`] and refuses what a host must not get; the [`Manifest`] it makes is the identity
//! of the release; [`Scanned::pack`] streams exactly that manifest, or fails and names the file that changed.

mod archive; // an archive that CI made, unpacked and from then on a directory
mod exclude; // what stays at home: patterns, matched against paths
mod id; // names of releases
mod links; // where a symlink leads, worked out without following it
mod listing; // the manifest in the bytes that a host can print with find, sort and sha256sum
mod manifest; // every path of a release and what is there; the digest
mod pack; // a scanned source -> a gzip-compressed tar stream
mod problem; // what cannot be shipped, in words
mod scan; // a source -> its manifest, its warnings, or everything that is wrong with it
mod spool; // a private directory for an archive's content
mod tar_read; // a tar stream read member by member, as GNU tar reads it or not at all
mod tar_write; // one member of a tar stream, as bytes
mod unpacking; // members written into a spool, one after another
mod walk; // directories opened one component at a time, so that no symlink is ever followed
mod warnings; // what a person should know about a tree that can be shipped

pub use exclude::{BadPattern, Exclude};
pub use id::Id;
pub use listing::Mismatch;
pub use manifest::{Difference, Digest, Entry, Kind, Manifest};
pub use pack::{Changed, Pack};
pub use scan::{Scanned, Source, scan};
