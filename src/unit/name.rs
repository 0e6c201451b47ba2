//! Unit names: prefix, instance, type, templates, escaping, and where systemd searches for a unit's drop-ins. Never reads
//! a directory. Source: systemd.unit(5), "String escaping" and "Unit file load path".

use std::fmt;

/// The types of units that have files.
const TYPES: &str = "service socket target device mount automount swap timer path slice scope";

/// A valid unit name: `prefix[@[instance]].type`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UnitName {
    full: String,
    at: Option<usize>,
    dot: usize,
}

impl UnitName {
    /// `None` when systemd would not accept the name.
    pub fn new(name: &str) -> Option<Self> {
        let dot = name.rfind('.')?;
        let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, ':' | '-' | '_' | '.' | '\\' | '@');
        let at = name[..dot].find('@');
        let valid = name.len() <= 255
            && TYPES.split(' ').any(|kind| kind == &name[dot + 1..])
            && at.unwrap_or(dot) > 0
            && name.chars().all(allowed);
        valid.then(|| Self {
            full: name.to_owned(),
            at,
            dot,
        })
    }

    /// The last component of a path.
    pub fn of_path(path: &str) -> Option<Self> {
        Self::new(path.rsplit('/').next().unwrap_or(path))
    }

    /// `acme@blue.service`.
    pub fn as_str(&self) -> &str {
        &self.full
    }

    /// The name without its type: `acme@blue`.
    pub fn stem(&self) -> &str {
        &self.full[..self.dot]
    }

    /// The part before the `@`, or the stem: `acme`.
    pub fn prefix(&self) -> &str {
        &self.full[..self.at.unwrap_or(self.dot)]
    }

    /// The part between `@` and the type; empty for templates and plain units.
    pub fn instance(&self) -> &str {
        self.at.map_or("", |at| &self.full[at + 1..self.dot])
    }

    /// `service`, `socket`, …
    pub fn kind(&self) -> &str {
        &self.full[self.dot + 1..]
    }

    /// Whether it is `acme@.service`.
    pub fn is_template(&self) -> bool {
        self.at.is_some_and(|at| at + 1 == self.dot)
    }

    /// The template of an instance; `None` for every other unit.
    pub fn template(&self) -> Option<Self> {
        let at = self.at.filter(|_| !self.is_template())?;
        Self::new(&format!("{}@.{}", &self.full[..at], self.kind()))
    }

    /// An instance of this template; `None` when this is not a template or the instance is not valid.
    pub fn instantiate(&self, instance: &str) -> Option<Self> {
        self.is_template()
            .then(|| Self::new(&format!("{}@{instance}.{}", self.prefix(), self.kind())))?
    }

    /// The same name with another type: `acme.service` to `acme.socket`.
    pub fn with_kind(&self, kind: &str) -> Option<Self> {
        Self::new(&format!("{}.{kind}", self.stem()))
    }

    /// The names whose `.d` directories systemd searches for this unit, highest priority first: the unit, its template, both
    /// cut at each dash. Without the type-wide `service.d`. The order was measured on systemd 252; the man page does not
    /// define that of instances.
    pub fn dropin_names(&self) -> Vec<String> {
        let cuts = |prefix: &str| {
            let mut cuts = Vec::new();
            let mut prefix = prefix.to_owned();
            while let Some(dash) = prefix.trim_end_matches('-').rfind('-') {
                prefix.truncate(dash + 1);
                cuts.push(prefix.clone());
            }
            cuts
        };
        let kind = self.kind();
        let plain = cuts(self.prefix()).into_iter().map(|cut| format!("{cut}.{kind}"));
        let mut names = vec![self.full.clone()];
        if let Some(template) = self.template() {
            names.push(template.full);
            names.extend(plain);
            for cut in cuts(self.prefix()) {
                names.push(format!("{cut}@{}.{kind}", self.instance()));
                names.push(format!("{cut}@.{kind}"));
            }
        } else {
            names.extend(plain);
        }
        names
    }
}

impl fmt::Display for UnitName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.full)
    }
}

/// Escapes text for use in a unit name, as `systemd-escape` does.
pub fn escape(text: &str) -> String {
    let mut out = String::new();
    for (at, byte) in text.bytes().enumerate() {
        match byte {
            b'/' => out.push('-'),
            b'.' if at == 0 => out.push_str("\\x2e"),
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b':' | b'_' | b'.' => out.push(char::from(byte)),
            _ => out.push_str(&format!("\\x{byte:02x}")),
        }
    }
    out
}

/// Undoes [`escape`]: `-` becomes `/`, `\x2d` a dash. `None` when an escape is broken.
pub fn unescape(text: &str) -> Option<String> {
    let mut out = Vec::new();
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        match byte {
            b'-' => out.push(b'/'),
            b'\\' => {
                let hex = [bytes.next()?, bytes.next()?, bytes.next()?];
                let digits = std::str::from_utf8(&hex[1..]).ok()?;
                if hex[0] != b'x' || digits.contains('+') {
                    return None;
                }
                out.push(u8::from_str_radix(digits, 16).ok()?);
            }
            other => out.push(other),
        }
    }
    String::from_utf8(out).ok()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_name_has_prefix_instance_and_type() {
        let name = UnitName::new("acme-web@blue-1.service").unwrap();
        assert_eq!(
            (name.prefix(), name.instance(), name.kind()),
            ("acme-web", "blue-1", "service")
        );
        assert_eq!(name.template().unwrap().as_str(), "acme-web@.service");
        assert_eq!(
            name.template().unwrap().instantiate("x").unwrap().as_str(),
            "acme-web@x.service"
        );
        assert!(
            ["", "x", "x.conf", ".service", "@.service", "a b.service", "a/b.service"]
                .iter()
                .all(|n| UnitName::new(n).is_none())
        );
    }

    #[test]
    fn drop_ins_are_searched_at_every_dash() {
        assert_eq!(
            UnitName::new("foo-bar-baz.service").unwrap().dropin_names(),
            ["foo-bar-baz.service", "foo-bar-.service", "foo-.service"]
        );
        let instance = UnitName::new("a-b-c@x-y.service").unwrap().dropin_names();
        let stems: Vec<_> = instance.iter().map(|n| n.trim_end_matches(".service")).collect();
        assert_eq!(
            stems,
            [
                "a-b-c@x-y",
                "a-b-c@",
                "a-b-",
                "a-",
                "a-b-@x-y",
                "a-b-@",
                "a-@x-y",
                "a-@"
            ]
        );
        assert_eq!(
            UnitName::new("a@b.service").unwrap().dropin_names(),
            ["a@b.service", "a@.service"]
        );
    }

    #[test]
    fn escaping_equals_that_of_systemd_escape() {
        assert_eq!(escape("a-b/c d.é"), "a\\x2db-c\\x20d.\\xc3\\xa9");
        assert_eq!(unescape("a\\x2db-c").as_deref(), Some("a-b/c"));
        assert_eq!(unescape("a\\x+1"), None);
    }
}
