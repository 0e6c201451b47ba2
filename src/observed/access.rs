//! What `setup_access.sh` printed: what may keep the deploy user or the app's user out, as root reads it.

use super::lines::{self, lines};
use crate::text;

crate::text::words! {
    /// The kind of an obstacle, which decides what removes it.
    #[derive(Default)]
    pub enum Kind {
        /// A directory that one of the users cannot enter.
        Blocked = "blocked",
        /// nologin(5): only root can log in.
        Nologin = "nologin",
        /// The account has expired.
        Account = "account",
        /// The password has expired.
        Password = "password",
        /// The login shell runs nothing.
        Shell = "shell",
        /// A setting of sudo or of sshd.
        #[default]
        Setting = "setting",
    }
}

/// One thing that keeps a user out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Obstacle {
    pub kind: Kind,
    /// The sentence.
    pub what: String,
}

#[derive(Debug, Default)]
pub struct Access {
    pub obstacles: Vec<Obstacle>,
    /// The deploy user has keys, and none of those that log in here.
    pub elsewhere: bool,
}

impl Access {
    #[must_use]
    pub fn parse(out: &[u8]) -> Self {
        let mut access = Self::default();
        for (_, rest) in lines(out).filter(|(word, _)| word == "access") {
            let (kind, what) = lines::split(&rest);
            match kind {
                "elsewhere" => access.elsewhere = true,
                _ => access.obstacles.push(Obstacle {
                    kind: Kind::of(kind).unwrap_or_default(),
                    what: text::shown(what.as_bytes()),
                }),
            }
        }
        access
    }

    /// Whether one of the users cannot enter a directory.
    pub fn is_blocked(&self) -> bool {
        self.obstacles.iter().any(|one| one.kind == Kind::Blocked)
    }
}
