//! What happened while a connection was made that is no failure: values, and the line for each.

use std::fmt;
use std::path::PathBuf;

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Notice {
    /// A host key was added to known_hosts, as the policy allows.
    Recorded {
        /// The name in known_hosts.
        host: String,
        /// `SHA256:…`.
        fingerprint: String,
        file: PathBuf,
    },
    /// A part of the ssh configuration that the built-in reader does not support.
    ConfigIgnored {
        file: PathBuf,
        /// The line, from 1.
        line: usize,
        what: String,
    },
    /// A key or agent that cannot be used; the next one is tried.
    Skipped { what: String, why: String },
}

impl fmt::Display for Notice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Recorded {
                host,
                fingerprint,
                file,
            } => {
                write!(f, "added the host key of {host} to {}: {fingerprint}", file.display())
            }
            Self::ConfigIgnored { file, line, what } => {
                write!(
                    f,
                    "{}:{line}: {what} is ignored without the ssh program",
                    file.display()
                )
            }
            Self::Skipped { what, why } => write!(f, "{what}: {why}"),
        }
    }
}
