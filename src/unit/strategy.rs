//! The one list of strategies: how a service goes from one release to the next, and what each needs. How a strategy is
//! carried out never stands here.

/// How the app's service goes from one release to the next, where that is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Strategy {
    /// Stop and start.
    Restart,
    /// `systemctl reload`.
    Reload,
    /// Restart behind a `.socket`.
    Socket,
    /// Two instances on one `.socket`.
    Handover,
    /// Two instances behind a router.
    BlueGreen,
    /// Several instances, one by one.
    Rolling,
    /// Two instances, weighted.
    Canary,
}

impl Strategy {
    /// All of them, from the plainest to the best.
    pub const ALL: [Self; 7] = [
        Self::Restart,
        Self::Reload,
        Self::Socket,
        Self::Handover,
        Self::BlueGreen,
        Self::Rolling,
        Self::Canary,
    ];

    /// The word for it.
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

    /// Whether a `.socket` holds the port meanwhile.
    #[must_use]
    pub fn needs_socket(self) -> bool {
        matches!(self, Self::Socket | Self::Handover)
    }
}
