//! What runs on the host: constant script files, arguments that travel as data, and the frame that tells a
//! step that ended from a line that was lost. Nothing here knows the order of a deploy.
//! Start reading at [`Batch`]; every `*.sh` here is meant to be audited as it stands.

mod answer; // what is heard of a batch
mod exec_line; // scripts as one command line
pub mod exits;
pub mod frame;
mod helpers; // what setup installs
pub mod script;
pub mod stream;

pub use answer::{Answer, Asked, BatchEvent};
pub use exec_line::Again;
#[cfg(test)]
pub(crate) use exec_line::unpacked;
pub(crate) use exec_line::waiting;
pub use frame::Batch;
pub use helpers::{ENV_HELPER, JOURNAL_HELPER, NOTIFY_HELPER, RUN_HELPER};
pub use script::{CONDUCTOR, NOT_FOUND, Name, Password, Script, conductor_digest};
pub use stream::{Input, Stream, StreamEvent, stream};

#[cfg(test)]
mod protocol_tests;
