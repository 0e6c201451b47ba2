//! What is here to be shipped: a directory or an archive becomes a manifest, its warnings, or everything that is
//! wrong with it. Nothing here knows of a host.

mod archive; // an archive that CI made, unpacked and from then on a directory
mod content; // what is in the files: hashes, keys, pointers
mod exclude; // what stays at home: patterns, matched against paths
mod file_system; // where the stat of a file tells each change to it
pub mod git_ignored; // files that git ignores and that would be shipped
mod hashes; // what this machine remembers of files that were read before
mod links; // where a symlink leads, worked out without following it
mod problem; // what cannot be shipped, in words
mod reread; // one file read once more, as it was scanned or not at all
mod scan; // a source -> its manifest, its warnings, or everything that is wrong with it
mod secrets; // files that must not be shipped unless somebody said so
mod spool; // a private directory for an archive's content
mod tar_read; // a tar stream read member by member, as GNU tar reads it or not at all
mod tree; // directories opened one component at a time, so that no symlink is ever followed
mod tree_writer; // members written into a tree of our own
mod unpack; // the members of an archive, checked and written one after another
mod walk; // every path that belongs to the release
mod warnings; // what a person should know about a tree that can be shipped

pub use exclude::{BadPattern, Exclude};
pub use hashes::Hashes;
pub use reread::Content;
pub use scan::{Scanned, Source, scan};
pub(crate) use tree::{Parents, Stamp, Tree, unchanged};
