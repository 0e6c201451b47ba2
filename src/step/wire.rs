//! Steps as lines of the request: `NAME KEY=VALUE …`, each value encoded. The conductor has one function `step_NAME` a
//! step, and each begins with the names that it takes; a test in `remote` compares the two sides.

use std::time::Duration;

use super::{Check, Step, Turn, Verdict, encoded};

/// The version of the request and its steps, on its first line. The conductor carries out no other one: a request that
/// an older or newer client left is moved aside, and nothing of it is carried out.
pub const PROTOCOL: u32 = 2;

/// Named arguments: the name, and the value not yet encoded.
type Named = Vec<(&'static str, String)>;

/// Arguments as words: `unit=acme.service`.
#[must_use]
pub fn words(named: &[(&str, String)]) -> Vec<String> {
    let word = |(name, value): &(&str, String)| format!("{name}={}", encoded(value.as_bytes()));
    named.iter().map(word).collect()
}

fn seconds(duration: Duration) -> String {
    duration.as_secs().to_string()
}

impl Verdict {
    #[must_use]
    pub fn arguments(&self) -> Named {
        let turn = match self.turn {
            Turn::Restart => "restart",
            Turn::Reload => "reload",
        };
        let mut named = vec![
            ("unit", self.unit.clone()),
            ("turn", turn.to_owned()),
            ("start", seconds(self.start)),
            ("successes", self.successes.to_string()),
            ("timeout", seconds(self.timeout)),
            ("watch", seconds(self.watch)),
        ];
        named.extend(Check::arguments(self.check.as_ref()));
        named
    }
}

macro_rules! kinds {
    ($($kind:ident $word:literal,)*) => {
        /// A step without its arguments.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Kind {
            $($kind,)*
        }

        impl Kind {
            pub const ALL: &[Self] = &[$(Self::$kind),*];

            /// The name in requests and events; the conductor's function is `step_` and this.
            #[must_use]
            pub fn word(self) -> &'static str {
                match self {
                    $(Self::$kind => $word,)*
                }
            }
        }
    };
}

kinds! {
    Migrate "migrate",
    Baseline "baseline",
    Measure "measure",
    Flip "flip",
    Restart "restart",
    Socket "socket",
    Reload "reload",
    Stop "stop",
    Await "await",
    Confirm "confirm",
    Bad "bad",
    Prune "prune",
    Spare "spare",
}

impl Kind {
    #[must_use]
    pub fn of(word: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|kind| kind.word() == word)
    }
}

impl Step {
    #[must_use]
    pub fn kind(&self) -> Kind {
        match self {
            Self::Migrate { .. } => Kind::Migrate,
            Self::Baseline { .. } => Kind::Baseline,
            Self::Measure(_) => Kind::Measure,
            Self::Flip(_) => Kind::Flip,
            Self::Restart(_) => Kind::Restart,
            Self::Socket { .. } => Kind::Socket,
            Self::Reload(_) => Kind::Reload,
            Self::Stop(_) => Kind::Stop,
            Self::Await(_) => Kind::Await,
            Self::Confirm => Kind::Confirm,
            Self::Bad(_) => Kind::Bad,
            Self::Prune(_) => Kind::Prune,
            Self::Spare => Kind::Spare,
        }
    }

    /// What it takes. The first is what the step is about: events name it.
    #[must_use]
    pub fn arguments(&self) -> Named {
        match self {
            Self::Migrate { unit, timeout } => {
                vec![("unit", unit.clone()), ("timeout", seconds(*timeout))]
            }
            Self::Baseline { unit, timeout, check } => {
                let mut named = vec![("unit", unit.clone()), ("timeout", seconds(*timeout))];
                named.extend(Check::arguments(Some(check)));
                named
            }
            Self::Measure(check) => Check::arguments(Some(check)),
            Self::Flip(to) => vec![("to", to.clone().unwrap_or_else(|| "-".into()))],
            Self::Restart(unit) | Self::Reload(unit) | Self::Stop(unit) => {
                vec![("unit", unit.clone())]
            }
            Self::Socket { unit, socket } => {
                vec![("unit", unit.clone()), ("socket", socket.clone())]
            }
            Self::Await(verdict) => verdict.arguments(),
            Self::Confirm | Self::Spare => Vec::new(),
            Self::Bad(id) => vec![("release", id.clone())],
            Self::Prune(ids) => vec![("releases", ids.join(","))],
        }
    }

    /// The step as a line of the request, without the list's name.
    #[must_use]
    pub fn line(&self) -> String {
        let mut line = vec![self.kind().word().to_owned()];
        line.extend(words(&self.arguments()));
        line.join(" ")
    }
}
