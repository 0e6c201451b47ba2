//! Who listens on the host, from the lines of `ss`; and whether an address that somebody wrote means one of them.
//! Source: ss(8); systemd.socket(5), `ListenStream=`.

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Family {
    Tcp,
    /// A path, or an abstract name.
    Unix,
}

/// Whose cgroup opened a socket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Owner {
    /// systemd itself: a `.socket` unit.
    Systemd,
    Unit(String),
    /// The kernel or `ss` did not say.
    Unknown,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listening {
    pub family: Family,
    /// `0.0.0.0:8080`, `[::1]:8080`, `*:8080`, `/run/acme.sock`, `@acme`.
    pub address: String,
    /// Connections that wait to be accepted.
    pub waiting: u32,
    pub backlog: u32,
    pub inode: Option<u64>,
    pub owner: Owner,
    /// The number of the user who opened it, where said: root is not.
    pub uid: Option<u32>,
}

impl Listening {
    /// Takes a line of `ss -lne`, from the Recv-Q on.
    pub(super) fn parse(family: Family, line: &str) -> Option<Self> {
        let mut words = line.split_ascii_whitespace();
        let waiting = words.next()?.parse().ok()?;
        let backlog = words.next()?.parse().ok()?;
        let rest: Vec<&str> = words.collect();
        let after = |key: &str| {
            rest.iter()
                .find_map(|word| word.strip_prefix(key))
                .filter(|value| !value.is_empty())
        };
        // A unix socket's line has its inode where a port would be, behind a path that may hold spaces.
        let (address, inode) = match family {
            Family::Tcp => (
                (*rest.first()?).to_owned(),
                after("ino:").and_then(|ino| ino.parse().ok()),
            ),
            Family::Unix => {
                let star = rest.iter().position(|word| *word == "*")?;
                let (inode, path) = rest[..star].split_last()?;
                (path.join(" "), inode.parse().ok())
            }
        };
        let owner = match after("cgroup:").and_then(|group| group.rsplit('/').next()) {
            Some("init.scope") => Owner::Systemd,
            Some(unit) if unit.contains('.') => Owner::Unit(unit.to_owned()),
            _ => Owner::Unknown,
        };
        Some(Self {
            family,
            address,
            waiting,
            backlog,
            inode,
            owner,
            uid: after("uid:").and_then(|uid| uid.parse().ok()),
        })
    }

    pub fn port(&self) -> Option<u16> {
        (self.family == Family::Tcp).then(|| self.address.rsplit_once(':')?.1.parse().ok())?
    }

    /// Whether a connection to this address would reach it. `host` is an address, or `localhost`.
    pub fn takes(&self, host: &str, port: u16) -> bool {
        let Some(own) = self.host() else { return false };
        let local = |name: &str| matches!(name, "localhost" | "127.0.0.1" | "::1" | "0.0.0.0" | "::");
        let wild = matches!(own, "*" | "0.0.0.0" | "::");
        let host = host.trim_matches(['[', ']']);
        self.port() == Some(port)
            && (own == host || wild || host == "localhost" && local(own))
            && !(own == "0.0.0.0" && host.contains(':'))
    }

    fn host(&self) -> Option<&str> {
        let host = self.address.rsplit_once(':')?.0;
        let host = host.trim_matches(['[', ']']);
        // `127.0.0.53%lo`: bound to an interface.
        Some(host.split('%').next().unwrap_or(host))
    }
}

/// Whether `ListenStream=` as written is this socket.
pub fn same_address(written: &str, listening: &Listening) -> bool {
    if listening.family == Family::Unix {
        return listening.address == written;
    }
    if let Ok(port) = written.parse::<u16>() {
        return listening.port() == Some(port) && listening.takes("::", port);
    }
    listening.address == written
        || written.rsplit_once(':').is_some_and(|(host, port)| {
            port.parse().ok() == listening.port() && listening.host() == Some(host.trim_matches(['[', ']']))
        })
}

/// Whether this socket keeps another one from `ListenStream=` as written: the same port, at an address that both mean.
pub fn in_the_way(written: &str, listening: &Listening) -> bool {
    let (host, port) = written.rsplit_once(':').unwrap_or(("*", written));
    let host = host.trim_matches(['[', ']']);
    let Ok(port) = port.parse() else {
        return same_address(written, listening);
    };
    let wild = matches!(host, "*" | "0.0.0.0" | "::");
    listening.port() == Some(port) && (wild || listening.takes(host, port))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn the_lines_of_ss_say_address_queue_and_owner() {
        let tcp = |line| Listening::parse(Family::Tcp, line).unwrap();
        let one = tcp("2      4096         *:8090       *:* ino:77 sk:19 cgroup:/init.scope v6only:0 <->");
        assert_eq!((one.waiting, one.backlog, one.port()), (2, 4096, Some(8090)));
        assert_eq!((one.inode, &one.owner), (Some(77), &Owner::Systemd));
        let one = tcp("0 5 0.0.0.0:8080 0.0.0.0:* uid:65534 ino:8 sk:1005 cgroup:/system.slice/beta.service <->");
        assert_eq!(one.owner, Owner::Unit("beta.service".into()));
        assert_eq!(one.uid, Some(65534));
        let line = "0 4096 /run/a b.sock 7857742 * 0 <-> ino:231 dev:0/120 peers:";
        let one = Listening::parse(Family::Unix, line).unwrap();
        assert_eq!((one.address.as_str(), one.inode), ("/run/a b.sock", Some(7_857_742)));
        assert_eq!(Listening::parse(Family::Tcp, "garbage"), None);
    }

    #[test]
    fn an_address_that_was_written_means_the_socket_that_systemd_made_of_it() {
        let at = |address: &str| Listening::parse(Family::Tcp, &format!("0 1 {address} *:*")).unwrap();
        assert!(same_address("8080", &at("*:8080")));
        assert!(same_address("127.0.0.1:8080", &at("127.0.0.1:8080")));
        assert!(same_address("[::1]:80", &at("[::1]:80")));
        assert!(!same_address("8080", &at("127.0.0.1:8080")));
        assert!(!same_address("127.0.0.1:8080", &at("0.0.0.0:8081")));
        assert!(at("0.0.0.0:80").takes("127.0.0.1", 80) && at("*:80").takes("[::1]", 80));
        assert!(!at("0.0.0.0:80").takes("::1", 80) && !at("127.0.0.1:80").takes("10.0.0.1", 80));
        assert!(at("127.0.0.1:80").takes("localhost", 80));
    }

    #[test]
    fn a_port_is_taken_where_both_mean_the_same_address() {
        let at = |address: &str| Listening::parse(Family::Tcp, &format!("0 1 {address} *:*")).unwrap();
        for (written, there) in [
            ("8080", "*:8080"),
            ("8080", "127.0.0.1:8080"),
            ("127.0.0.1:8080", "*:8080"),
            ("[::1]:8080", "[::1]:8080"),
        ] {
            assert!(in_the_way(written, &at(there)), "{written} {there}");
        }
        for (written, there) in [
            ("8080", "*:8081"),
            ("127.0.0.1:8080", "10.0.0.1:8080"),
            ("[::1]:8080", "0.0.0.0:8080"),
        ] {
            assert!(!in_the_way(written, &at(there)), "{written} {there}");
        }
    }
}
