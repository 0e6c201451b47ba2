//! The one list of strategies: how a service goes from one release to the next, and what each needs. Carrying a strategy
//! out is the work of the crate's `strategy` module, never of this file.

use std::fmt;

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

    /// The strategy of this name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|known| known.as_str() == name)
    }

    /// The name, as in deploy.yml.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Restart => "restart",
            Self::Reload => "reload",
            Self::Socket => "socket",
            Self::Handover => "handover",
            Self::BlueGreen => "blue-green",
            Self::Rolling => "rolling",
            Self::Canary => "canary",
        }
    }

    /// One line of help.
    #[must_use]
    pub fn summary(self) -> &'static str {
        match self {
            Self::Restart => "Stop the service, then start it",
            Self::Reload => "Reload the service with its ExecReload=",
            Self::Socket => "Restart the service while a .socket unit holds the port",
            Self::Handover => "Two instances that share one .socket unit",
            Self::BlueGreen => "Two instances behind a router",
            Self::Rolling => "Several instances behind a router, replaced one at a time",
            Self::Canary => "Two instances behind a router that splits the traffic by weight",
        }
    }

    /// Whether a deploy can carry it out today; units can be written and checked for every strategy.
    #[must_use]
    pub fn works_today(self) -> bool {
        matches!(self, Self::Restart | Self::Reload | Self::Socket)
    }

    /// Whether a `.socket` unit holds the port while the service changes.
    #[must_use]
    pub fn needs_socket(self) -> bool {
        matches!(self, Self::Socket | Self::Handover)
    }

    /// Whether it runs instances of a template unit.
    #[must_use]
    pub fn needs_instances(self) -> bool {
        self == Self::Handover || self.needs_router()
    }

    /// Whether a router in front of the instances decides which of them gets requests.
    #[must_use]
    pub fn needs_router(self) -> bool {
        matches!(self, Self::BlueGreen | Self::Rolling | Self::Canary)
    }
}

impl fmt::Display for Strategy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}
