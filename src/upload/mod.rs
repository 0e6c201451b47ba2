//! How a release travels: a scanned source becomes a compressed tar stream. Nothing here knows of a host.

mod chunks; // the stream on its way to the thread that sends it
mod compress; // compression that fits the data and the connection
mod list; // what differs from the base, for the host
mod pack; // a scanned source -> a compressed tar stream
mod patch; // a patch that makes a new file from an old one
mod tar_write; // one member of a tar stream, as bytes

pub use list::{list, to_do};
pub use pack::{Changed, How, Pack};
pub use patch::patch;
