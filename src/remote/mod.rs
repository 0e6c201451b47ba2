//! What runs on the host: constant script files, arguments that travel as data, and the frame that tells a
//! step that ended from a line that was lost. Nothing here knows the order of a deploy.
//! Start reading at [`Batch`]; every `*.sh` here is meant to be audited as it stands.

pub mod exits;
pub mod frame;
pub mod script;
pub mod stream;

pub use frame::{Answer, Batch, BatchEvent, fits};
pub use script::{CONDUCTOR, ENV_HELPER, JOURNAL_HELPER, Name, Password, Script, conductor_digest};
pub use stream::{Stream, StreamEvent, stream};

#[cfg(test)]
mod protocol_tests;
