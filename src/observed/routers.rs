//! What `router_state.sh` printed of the routers in front of instances: who gets the requests, and who can change that.
//! What it means for a deploy is for the strategy.

use std::collections::BTreeMap;

use super::lines::split;
use crate::text;

/// One router, by [`Lever::key`](crate::step::Lever::key). What was not printed is not known.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RouterState {
    /// Where the symlink leads.
    pub link: Option<String>,
    /// What stands in the place of the symlink and is none, as stat(1) calls it.
    pub odd: Option<String>,
    /// Who can change the symlink, or the file for a port.
    pub place: Option<Place>,
    /// Where the symlink of each part leads, by the weight of the part.
    pub parts: BTreeMap<String, String>,
    /// What nginx's configuration has of the parts: the parameters of the server of each weight, or each port whose files
    /// it looks for.
    pub splits: BTreeMap<String, String>,
    /// Some of nginx's configuration could not be read.
    pub unread: bool,
    /// HAProxy's socket.
    pub socket: Option<Socket>,
    /// Why HAProxy did not answer.
    pub refused: Option<String>,
    /// The algorithm of HAProxy's backend, where it cannot change the weights of servers.
    pub fixed_weights: Option<String>,
    /// The servers of the backend, by name.
    pub servers: BTreeMap<String, Server>,
}

/// A directory, by who can change what is in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// Only root and the deploy user.
    Closed,
    /// Others too, at this path: its owner, group and mode.
    Open {
        path: String,
        owner: String,
    },
    /// Users that are neither in its group nor its owner cannot enter this one.
    Hidden {
        path: String,
        owner: String,
    },
    Absent,
    /// It contains a symlink.
    Symlink,
    /// The deploy user cannot write there.
    ReadOnly,
    Unreadable,
}

/// A unix socket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Socket {
    Absent,
    /// Whether every user of the host can write to it.
    There {
        open: bool,
    },
    /// Another kind of file, or one that cannot be read.
    Odd(String),
}

/// A server of a backend.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Server {
    /// Whether HAProxy itself checks it.
    pub tested: bool,
    /// Whether an operator put it into maintenance, over the runtime API or with `disabled`.
    pub maintenance: bool,
    /// Its port; 0 for a unix socket.
    pub port: u16,
}

impl RouterState {
    pub(super) fn take(&mut self, said: &str) {
        let (word, rest) = split(said);
        match word {
            "link" => self.link = Some(rest.to_owned()),
            "part" => {
                let (weight, to) = split(rest);
                self.parts.insert(weight.to_owned(), to.to_owned());
            }
            "splits" => {
                let (what, how) = split(rest);
                self.splits.insert(what.to_owned(), how.to_owned());
            }
            "unread" => self.unread = true,
            "odd" => self.odd = Some(text::shown(rest.as_bytes())),
            "place" => self.place = Some(place(rest)),
            "socket" => self.socket = Some(socket(rest)),
            "refused" => self.refused = Some(text::shown(rest.as_bytes())),
            // HAProxy's configuration manual, 4.2 `balance`. Whether a hash can is not shown: the canary finds out.
            "algorithm" if matches!(rest, "static-rr" | "first") => {
                self.fixed_weights = Some(text::shown(rest.as_bytes()));
            }
            "server" => {
                let words: Vec<&str> = rest.split(' ').collect();
                if let [name, _, admin, _, tested, port] = words[..] {
                    let server = Server {
                        tested: tested == "1",
                        maintenance: admin.parse::<u32>().is_ok_and(|bits| bits & 1 != 0),
                        port: port.parse().unwrap_or(0),
                    };
                    self.servers.insert(name.to_owned(), server);
                }
            }
            _ => {}
        }
    }
}

fn place(text: &str) -> Place {
    let (word, rest) = split(text);
    match word {
        "closed" => Place::Closed,
        "absent" => Place::Absent,
        "symlink" => Place::Symlink,
        "readonly" => Place::ReadOnly,
        "open" | "hidden" => {
            let words: Vec<&str> = rest.splitn(4, ' ').collect();
            let [user, group, mode, path] = words[..] else {
                return Place::Unreadable;
            };
            let path = text::shown(path.as_bytes());
            let owner = text::shown(format!("{user}:{group}, mode {mode}").as_bytes());
            if word == "open" {
                Place::Open { path, owner }
            } else {
                Place::Hidden { path, owner }
            }
        }
        _ => Place::Unreadable,
    }
}

fn socket(said: &str) -> Socket {
    let words: Vec<&str> = said.splitn(5, ' ').collect();
    match words[..] {
        ["absent"] => Socket::Absent,
        ["there", _, _, mode, "socket"] => Socket::There {
            open: mode.ends_with(['2', '3', '6', '7']),
        },
        ["there", _, _, _, kind] => Socket::Odd(text::shown(kind.as_bytes())),
        _ => Socket::Odd("not readable".into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_understood_is_never_safe() {
        assert_eq!(place("closed"), Place::Closed);
        let open = place("open app app 775 /run/acme dir");
        assert!(matches!(open, Place::Open { path, .. } if path == "/run/acme dir"));
        let hidden = place("hidden app app 750 /opt/acme");
        assert!(matches!(hidden, Place::Hidden { path, .. } if path == "/opt/acme"));
        assert_eq!(place("open app"), Place::Unreadable);
        assert_eq!(socket("there deploy haproxy 600 socket"), Socket::There { open: false });
        assert_eq!(socket("there root root 666 socket"), Socket::There { open: true });
        assert!(matches!(socket("there root root 600 regular file"), Socket::Odd(_)));
        assert!(matches!(socket("unreadable"), Socket::Odd(_)));
    }
}
