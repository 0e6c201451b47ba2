//! What stands between clients and the app: nginx, haproxy, caddy; whether they run, and where their files say that they
//! forward to. Pure: what to ask the host, and what `routers.sh` printed. Never reaches a host, never judges.

mod address; // where a connection goes
mod caddy; // Caddyfile
mod caddy_json; // caddy's other form
mod command_line;
mod haproxy; // haproxy.cfg
mod nginx; // nginx.conf and what it includes // which files a router was told to read

pub use address::Address;

use std::collections::{BTreeMap, BTreeSet};

use base64::Engine as _;

use command_line::{Form, Start};

/// A file on the host, and a line of it.
pub type Place = (String, u32);

crate::text::words! {
    /// The routers that are known. The word is the name of its unit without `.service`.
    pub enum Kind {
        Nginx = "nginx",
        Haproxy = "haproxy",
        Caddy = "caddy",
    }
}

impl Kind {
    /// The file that it begins with unless its command line names another, as Debian's units have it.
    pub fn file(self) -> &'static str {
        match self {
            Self::Nginx => "/etc/nginx/nginx.conf",
            Self::Haproxy => "/etc/haproxy/haproxy.cfg",
            Self::Caddy => "/etc/caddy/Caddyfile",
        }
    }

    fn read(self, form: Form, path: &str, text: &str) -> Reading {
        match self {
            Self::Caddy if form == Form::Json => caddy_json::read(path, text),
            Self::Nginx => nginx::read(path, text),
            Self::Haproxy => haproxy::read(path, text),
            Self::Caddy => caddy::read(path, text),
        }
    }
}

/// One address that a router forwards to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Forward {
    pub address: Address,
    /// The same as the file has it.
    pub written: String,
    pub place: Place,
    /// What else is said of it, if it is a server of nginx's upstream.
    pub peer: Option<Peer>,
}

/// A server of an upstream of nginx.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Peer {
    /// Where the upstream begins, which tells it from others.
    pub upstream: Place,
    pub name: String,
    /// Whether failures are not counted: `max_fails=0`.
    pub forgiven: bool,
    /// Whether it is out of use: `down`.
    pub down: bool,
}

#[derive(Debug, Default)]
struct Reading {
    forwards: Vec<Forward>,
    names: Vec<String>,
    /// Forwards to a name alone.
    named: Vec<(String, Place)>,
    /// Patterns of further files: absolute, or from where the router's first file lies.
    includes: Vec<String>,
    /// Lines that may forward somewhere that cannot be told from here.
    unclear: Vec<Place>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Router {
    pub kind: Kind,
    /// systemd's `ActiveState`.
    pub active: String,
    /// systemd's `UnitFileState`.
    pub enabled: String,
    /// Where it forwards to, in the order of its files.
    pub forwards: Vec<Forward>,
    /// Lines that may forward somewhere that cannot be told from here: variables, braces that do not close.
    pub unclear: Vec<Place>,
    /// What of it could not be read.
    pub unreadable: Vec<String>,
    /// Why its configuration was not checked at all.
    pub unknown: Option<String>,
    /// The files that it begins with.
    pub files: Vec<String>,
    form: Form,
    /// Whether its command line was seen.
    told: bool,
    names: BTreeSet<String>,
    named: Vec<(String, Place)>,
}

impl Router {
    /// Whether it is about its configuration: the usual file is asked for before it is known that another was named.
    fn means(&self, path: &str) -> bool {
        path != self.kind.file() || self.files.iter().any(|file| file == path)
    }
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Routers {
    pub all: Vec<Router>,
    /// What the paths of unix sockets are in the end: `None` when nothing is there.
    pub links: BTreeMap<String, Option<String>>,
    asked: BTreeSet<(&'static str, String)>,
    wanted: Vec<(Kind, String)>,
    rounds: usize,
}

/// The most patterns that are asked for at once, and the longest (bytes).
const MOST: (usize, usize) = (64, 1024);
/// The most times that the host is asked: files include files, and links may lead in a circle.
const ROUNDS: usize = 12;

impl Routers {
    /// The arguments of the first `routers.sh`.
    pub fn begin() -> (Self, Vec<String>) {
        let mut routers = Self {
            wanted: Kind::ALL.iter().map(|kind| (*kind, kind.file().to_owned())).collect(),
            ..Self::default()
        };
        let args = routers.next();
        (routers, args)
    }

    /// Takes in what the script printed; the arguments of the next one, empty when everything was asked.
    pub fn take(&mut self, out: &[u8]) -> Vec<String> {
        let mut now: Option<Kind> = None;
        let mut whole = false;
        for line in out.split(|&b| b == b'\n') {
            let line = String::from_utf8_lossy(line);
            let words: Vec<&str> = line.split(' ').collect();
            match words[..] {
                ["router", name, load, active, enabled] => {
                    let kind = Kind::of(name);
                    // Without an answer it is kept, for what could not be read to be said.
                    now = kind.filter(|_| matches!(load, "loaded" | ""));
                    if let Some(kind) = now {
                        self.state(kind, active, enabled);
                    }
                }
                ["runs", line] => {
                    if let (Some(kind), Some(line)) = (now, unpacked(line)) {
                        self.started(kind, command_line::of_process(kind, &line));
                    }
                }
                ["starts", line] => {
                    let line = name(line).unwrap_or_default();
                    if let Some(kind) = now
                        && let Some(start) = command_line::of_unit(kind, &line)
                    {
                        self.started(kind, start);
                    }
                }
                // haproxy takes a directory for all its files of that ending, and no other router does.
                ["directory", path] => {
                    let own = now.filter(|kind| *kind == Kind::Haproxy).zip(name(path));
                    if let Some((kind, path)) = own {
                        self.asked.insert((kind.word(), format!("read {path}")));
                        let path = path.trim_end_matches('/');
                        self.wanted.push((kind, format!("{path}/*.cfg")));
                    }
                }
                ["file", path, text] => {
                    if let (Some(kind), Some(path), Some(text)) = (now, name(path), unpacked(text)) {
                        self.file(kind, &path, &text);
                    }
                }
                ["unreadable", path] => {
                    if let (Some(one), Some(path)) = (self.of(now), name(path))
                        && one.means(&path)
                    {
                        one.unreadable.push(path);
                    }
                }
                ["link", path, target] => {
                    let link = name(path).zip(name(target));
                    self.links.extend(link.map(|(path, to)| (path, Some(to))));
                }
                ["nothing", path] => self.links.extend(name(path).map(|path| (path, None))),
                ["asked"] => whole = true,
                _ => {}
            }
        }
        if !whole {
            for one in &mut self.all {
                one.unreadable.push(one.kind.file().to_owned());
            }
        }
        self.next()
    }

    fn of(&mut self, kind: Option<Kind>) -> Option<&mut Router> {
        self.all.iter_mut().find(|one| Some(one.kind) == kind)
    }

    fn state(&mut self, kind: Kind, active: &str, enabled: &str) {
        if self.of(Some(kind)).is_none() {
            self.all.push(Router {
                kind,
                active: active.to_owned(),
                enabled: enabled.to_owned(),
                forwards: Vec::new(),
                unclear: Vec::new(),
                unreadable: Vec::new(),
                unknown: None,
                files: vec![kind.file().to_owned()],
                form: Form::Own,
                told: false,
                names: BTreeSet::new(),
                named: Vec::new(),
            });
        }
    }

    /// Takes the first answer about how it was started.
    fn started(&mut self, kind: Kind, start: Start) {
        let Some(one) = self.of(Some(kind)).filter(|one| !one.told) else {
            return;
        };
        one.told = true;
        (one.files, one.form) = match start {
            Start::Files(files, form) => (files, form),
            Start::Unknown(why) => {
                one.unknown = Some(why.to_owned());
                (Vec::new(), Form::Own)
            }
        };
        let files = one.files.clone().into_iter();
        self.wanted.extend(files.map(|file| (kind, file)));
    }

    fn file(&mut self, kind: Kind, path: &str, text: &[u8]) {
        let Some(one) = self.of(Some(kind)).filter(|one| one.means(path)) else {
            return;
        };
        let first = one.files.first().cloned().unwrap_or_default();
        let dir = first.rsplit_once('/').map_or("", |(dir, _)| dir).to_owned();
        let form = one.form;
        if !self.asked.insert((kind.word(), format!("read {path}"))) {
            return;
        }
        let reading = kind.read(form, path, &String::from_utf8_lossy(text));
        let wanted = reading.includes.into_iter().map(|pattern| {
            if pattern.starts_with('/') {
                pattern
            } else {
                format!("{dir}/{pattern}")
            }
        });
        self.wanted.extend(wanted.map(|pattern| (kind, pattern)));
        if let Some(one) = self.of(Some(kind)) {
            one.forwards.extend(reading.forwards);
            one.unclear.extend(reading.unclear);
            one.names.extend(reading.names);
            one.named.extend(reading.named);
        }
    }

    /// What to ask next; a pattern that is too much to ask for is unreadable.
    fn next(&mut self) -> Vec<String> {
        let mut args: Vec<String> = Vec::new();
        let mut count = 0;
        self.rounds += 1;
        for (kind, pattern) in std::mem::take(&mut self.wanted) {
            if !self.asked.insert((kind.word(), pattern.clone())) {
                continue;
            }
            count += 1;
            if count > MOST.0 || self.rounds > ROUNDS || pattern.len() > MOST.1 || pattern.contains(['\0', '\n']) {
                if let Some(one) = self.of(Some(kind)) {
                    one.unreadable.push(pattern);
                }
                continue;
            }
            let unit = ["unit", kind.word(), "file"].map(str::to_owned);
            args.extend(unit.into_iter().chain([pattern]));
        }
        if args.is_empty() {
            self.settle();
            let forwards = self.all.iter().flat_map(|one| &one.forwards);
            let paths: BTreeSet<String> = forwards
                .filter_map(|one| match &one.address {
                    Address::Unix(path) => Some(path.clone()),
                    Address::Tcp(..) => None,
                })
                .collect();
            for path in paths.into_iter().take(MOST.0) {
                if path.len() <= 107 && self.asked.insert(("link", path.clone())) {
                    args.extend(["link".to_owned(), path]);
                }
            }
        }
        args
    }

    /// Once all files are read: a name that is an upstream's is no address, and one that is nobody's is not known; nor is
    /// what a router reads that was started with a file which is gone.
    fn settle(&mut self) {
        for one in &mut self.all {
            let read = |file: &String| {
                self.asked.contains(&(one.kind.word(), format!("read {file}"))) || one.unreadable.contains(file)
            };
            if let Some(gone) = one.files.iter().find(|file| one.told && !read(file)) {
                one.unknown = Some(format!("{gone}, its configuration file, does not exist"));
            }
            let names = &one.names;
            one.forwards
                .retain(|forward| forward.peer.is_some() || !names.contains(&forward.written));
            for (name, place) in std::mem::take(&mut one.named) {
                if !names.contains(&name) {
                    one.unclear.push(place);
                }
            }
        }
    }

    /// Everything that could not be read, in words.
    pub fn unreadable(&self) -> impl Iterator<Item = String> {
        self.all.iter().flat_map(|one| one.unreadable.iter().cloned())
    }
}

fn unpacked(text: &str) -> Option<Vec<u8>> {
    base64::engine::general_purpose::STANDARD.decode(text).ok()
}

fn name(text: &str) -> Option<String> {
    String::from_utf8(unpacked(text)?).ok()
}

#[cfg(test)]
mod tests;
