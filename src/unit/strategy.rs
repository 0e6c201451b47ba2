//! The one list of strategies: how a service goes from one release to the next, and what each needs. Carrying a strategy
//! out is the work of the crate's `strategy` module, never of this file.

use std::fmt;

/// The weights of the parts into which nginx splits the requests of a canary. They add up to 100, and any percentage is the
/// sum of some of them.
pub const PARTS: [u8; 7] = [1, 2, 4, 8, 16, 32, 37];

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Strategy {
    Restart,
    Reload,
    Socket,
    Handover,
    BlueGreen,
    Rolling,
    Canary,
}

impl Strategy {
    /// In the order in which they are listed, the plainest first.
    pub const ALL: [Self; 7] = [
        Self::Restart,
        Self::Reload,
        Self::Socket,
        Self::Handover,
        Self::BlueGreen,
        Self::Rolling,
        Self::Canary,
    ];

    /// Other names, as other tools have them.
    pub const ALSO: [(&'static str, Self); 1] = [("recreate", Self::Restart)];

    /// Every name that [`named`](Self::named) takes.
    pub fn names() -> impl Iterator<Item = &'static str> {
        let also = Self::ALSO.into_iter().map(|(name, _)| name);
        Self::ALL.into_iter().map(Self::as_str).chain(also)
    }

    pub fn named(name: &str) -> Option<Self> {
        let also = Self::ALSO.into_iter().find(|(other, _)| *other == name);
        let own = Self::ALL.into_iter().find(|known| known.as_str() == name);
        own.or(also.map(|(_, strategy)| strategy))
    }

    /// The name, as in deploy.yml.
    pub fn as_str(self) -> &'static str {
        self.words().0
    }

    /// One line of help.
    pub fn summary(self) -> &'static str {
        self.words().1
    }

    fn words(self) -> (&'static str, &'static str) {
        match self {
            Self::Restart => ("restart", "Stop the service, then start it"),
            Self::Reload => ("reload", "Reload the service with its ExecReload="),
            Self::Socket => ("socket", "Restart the service while a .socket unit holds the port"),
            Self::Handover => ("handover", "Two instances that share one .socket unit"),
            Self::BlueGreen => ("blue-green", "Two instances behind a router"),
            Self::Rolling => ("rolling", "Several instances, replaced one at a time"),
            Self::Canary => (
                "canary",
                "Two instances behind HAProxy or nginx, which splits the requests",
            ),
        }
    }

    /// Whether a `.socket` unit holds the port while the service changes.
    pub fn needs_socket(self) -> bool {
        matches!(self, Self::Socket | Self::Handover)
    }

    /// Whether a `.socket` unit may hold the port.
    pub fn takes_socket(self) -> bool {
        self.needs_socket() || self == Self::Rolling
    }

    /// How many instances it runs, where that is not for the user to say.
    pub fn instances(self) -> Option<usize> {
        matches!(self, Self::Handover | Self::BlueGreen | Self::Canary).then_some(2)
    }

    /// Whether it runs instances of a template unit.
    pub fn needs_instances(self) -> bool {
        matches!(self, Self::Handover | Self::Rolling) || self.needs_router()
    }

    /// Whether a router in front of the instances decides which of them gets requests.
    pub fn needs_router(self) -> bool {
        matches!(self, Self::BlueGreen | Self::Canary)
    }

    /// Whether a router may stand in front of the instances.
    pub fn takes_router(self) -> bool {
        self.needs_router() || self == Self::Rolling
    }
}

impl fmt::Display for Strategy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}
