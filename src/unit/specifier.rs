//! Specifiers (`%i`, `%n`, `%h`, …) and their values. The parser keeps them as written; they are expanded only here, from
//! what the caller passes. Never asks a host. Source: systemd.unit(5), "Specifiers".

use super::name::{UnitName, unescape};

/// What specifiers depend on beside the unit's name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// `%t`: `/run`, or the user's runtime directory.
    pub runtime: String,
    /// `%S`: `/var/lib`.
    pub state: String,
    /// `%C`: `/var/cache`.
    pub cache: String,
    /// `%L`: `/var/log`.
    pub logs: String,
    /// `%E`: `/etc`.
    pub configuration: String,
    /// `%h`: the home of the manager's user, not of `User=`.
    pub home: String,
    /// `%u` and `%g`: the manager's user and group.
    pub user: String,
    /// `%U` and `%G`.
    pub uid: u32,
    /// `%s`: the shell of the manager's user.
    pub shell: String,
    /// `%H`; known on the host only.
    pub host: Option<String>,
    /// `%y`: the path of the unit's own file, when known.
    pub fragment: Option<String>,
}

impl Place {
    /// The system manager of an unknown host.
    #[must_use]
    pub fn system() -> Self {
        Self {
            runtime: "/run".into(),
            state: "/var/lib".into(),
            cache: "/var/cache".into(),
            logs: "/var/log".into(),
            configuration: "/etc".into(),
            home: "/root".into(),
            user: "root".into(),
            uid: 0,
            shell: "/bin/sh".into(),
            host: None,
            fragment: None,
        }
    }
}

/// Why a text cannot be expanded. systemd then ignores the assignment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unexpanded {
    /// Known to systemd, but its value is not known here (boot id, machine id, host name, …).
    NotKnownHere(char),
    /// Not a specifier: systemd keeps `%` and the letter as they are.
    NoSuch(char),
    /// The instance or prefix has a broken escape.
    BrokenEscape(char),
}

/// The specifiers whose values depend on the host.
const OF_THE_HOST: &str = "aAbBdHlmMoqvwWyY";

/// Expands every specifier in `text` for the unit `name`.
/// Fails with [`Unexpanded`], for the first specifier that has no value.
pub fn expand(text: &str, name: &UnitName, place: &Place) -> Result<String, Unexpanded> {
    let mut out = String::new();
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        if c != '%' {
            out.push(c);
            continue;
        }
        let Some(letter) = chars.next() else {
            out.push('%');
            break;
        };
        out.push_str(&value(letter, name, place)?);
    }
    Ok(out)
}

fn value(letter: char, name: &UnitName, place: &Place) -> Result<String, Unexpanded> {
    let plain = |text: &str| Ok(text.to_owned());
    let unescaped = |text: &str| unescape(text).ok_or(Unexpanded::BrokenEscape(letter));
    let last = |prefix: &str| prefix.rsplit('-').next().unwrap_or(prefix).to_owned();
    let on_host = |known: &Option<String>| known.clone().ok_or(Unexpanded::NotKnownHere(letter));
    match letter {
        '%' => plain("%"),
        'n' => plain(name.as_str()),
        'N' => plain(name.stem()),
        'p' => plain(name.prefix()),
        'P' => unescaped(name.prefix()),
        'i' => plain(name.instance()),
        'I' => unescaped(name.instance()),
        'j' => Ok(last(name.prefix())),
        'J' => unescaped(&last(name.prefix())),
        'f' => {
            let from = if name.instance().is_empty() {
                name.prefix()
            } else {
                name.instance()
            };
            Ok(format!("/{}", unescaped(from)?.trim_start_matches('/')))
        }
        't' => plain(&place.runtime),
        'S' => plain(&place.state),
        'C' => plain(&place.cache),
        'L' => plain(&place.logs),
        'E' => plain(&place.configuration),
        'h' => plain(&place.home),
        'u' | 'g' => plain(&place.user),
        'U' | 'G' => Ok(place.uid.to_string()),
        's' => plain(&place.shell),
        'T' => plain("/tmp"),
        'V' => plain("/var/tmp"),
        'H' => on_host(&place.host),
        'l' => on_host(&place.host).map(|host| host.split('.').next().unwrap_or_default().to_owned()),
        'y' => on_host(&place.fragment),
        'Y' => on_host(&place.fragment).map(|path| {
            path.rsplit_once('/')
                .map_or_else(String::new, |(dir, _)| dir.to_owned())
        }),
        other if OF_THE_HOST.contains(other) => Err(Unexpanded::NotKnownHere(other)),
        other => Err(Unexpanded::NoSuch(other)),
    }
}

/// The first letter behind a `%` that is no specifier, for which systemd drops the line or refuses the unit. It keeps a
/// `%` before anything but a letter or digit.
pub fn unknown(text: &str) -> Option<char> {
    const KNOWN: &str = "aAbBCdDEfgGhHiIjJlLmMnNopPqsStTuUvVwWyY";
    let odd = |letter: &char| letter.is_ascii_alphanumeric() && !KNOWN.contains(*letter);
    used(text).into_iter().find(odd)
}

/// The letters of all specifiers in `text`, in order, without `%%`.
pub fn used(text: &str) -> Vec<char> {
    let mut letters = Vec::new();
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        if c == '%' {
            letters.extend(chars.next().filter(|letter| *letter != '%'));
        }
    }
    letters
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn specifiers_expand_to_parts_of_the_name_and_the_place() {
        let name = UnitName::new("acme-web@a\\x2db-c.service").unwrap();
        let place = Place {
            fragment: Some("/etc/systemd/system/acme-web@.service".into()),
            ..Place::system()
        };
        let expanded = expand("%n|%N|%p|%i|%I|%j|%f|%t|%S|%h|%u|%%|%Y", &name, &place).unwrap();
        let want = "acme-web@a\\x2db-c.service|acme-web@a\\x2db-c|acme-web|a\\x2db-c|a-b/c|web|/a-b/c|/run|/var/lib|/root|root|%|/etc/systemd/system";
        assert_eq!(expanded, want);
        assert_eq!(expand("%m", &name, &place), Err(Unexpanded::NotKnownHere('m')));
        assert_eq!(expand("50%!", &name, &place), Err(Unexpanded::NoSuch('!')));
        assert_eq!(used("%i %% %h"), ['i', 'h']);
    }
}
