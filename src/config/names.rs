//! Names that cannot be wrong: each is made by one constructor that checks it. They end up in unit files, sudo rules,
//! paths and scripts, so each allows only what all of those take literally. Paths are in `paths`. Nothing here knows
//! where in a file a name stood; `reader` adds that.

use std::fmt;

use crate::text;

/// Why a text is not such a name: the end of a sentence that quotes it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Wrong(pub String);

/// A foreign text as it is quoted in a message: in backquotes, escaped, at most 60 characters of it.
pub fn quoted(text: &str) -> String {
    const MOST: usize = 60;
    let mut head: String = text.chars().take(MOST).collect();
    if head.len() < text.len() {
        head.push('…');
    }
    format!("`{}`", text::shown(head.as_bytes()))
}

macro_rules! checked_name {
    ($(#[$doc:meta])* $name:ident, $check:ident) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(String);

        impl $name {
            /// Fails with [`Wrong`] with the rule that it breaks.
            pub fn parse(text: &str) -> Result<Self, Wrong> {
                match $check(text) {
                    Ok(()) => Ok(Self(text.to_owned())),
                    Err(why) => Err(Wrong(format!("{} {why}", quoted(text)))),
                }
            }
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

pub(super) use checked_name;

checked_name! {
    /// The app's name: 1 to 31 of `a-z 0-9 -`, beginning with a letter or digit. It names the guard units
    /// (`shipit-<app>.path`), the sudo rule file and the default root.
    AppName, check_app
}
checked_name! {
    /// The exact name of one `.service` or `.socket` unit, instance included (`acme@1.service`), at most 255
    /// bytes (systemd's own limit): no glob, no template, no missing suffix. Of the characters that
    /// systemd.unit(5) allows, `:` and `\` are left out, because sudoers(5) gives them a meaning.
    UnitName, check_unit
}
checked_name! {
    /// The name of an instance of a template unit: 1 to 32 letters, digits, `_` and `.`, beginning with a letter or a
    /// digit. It is a word of unit names, of paths (`slots/blue`) and of addresses, so each takes it literally; of the
    /// characters that systemd.unit(5) allows, `-` is left out, because `%I` would read it as `/`.
    InstanceName, check_instance
}
checked_name! {
    /// The name of a router in `deploy.yml`: 1 to 31 of `a-z 0-9 - _`.
    RouterName, check_router
}
checked_name! {
    /// The name of an environment in `deploy.yml`: 1 to 31 of `a-z 0-9 - _`.
    EnvironmentName, check_environment
}

impl UnitName {
    /// The name without its suffix: `acme` of `acme.service`, `acme@1` of `acme@1.service`.
    pub fn stem(&self) -> &str {
        self.0.rsplit_once('.').map_or(&self.0, |(stem, _)| stem)
    }
    /// Whether it ends in `.socket`; else it ends in `.service`.
    pub fn is_socket(&self) -> bool {
        self.0.ends_with(".socket")
    }
    /// The `.socket` unit that systemd pairs with it by name (systemd.socket(5)): same stem. All instances of a template
    /// share one: `acme.socket` of `acme@.service`.
    #[must_use]
    pub fn socket(&self) -> Self {
        Self(format!("{}.socket", self.stem().trim_end_matches('@')))
    }
    /// Reads the name of a template: `acme@.service`.
    pub fn parse_template(text: &str) -> Result<Self, Wrong> {
        match text.split_once("@.") {
            // Any instance of it is a valid name, so it is valid itself.
            Some((prefix, suffix)) => Self::parse(&format!("{prefix}@1.{suffix}")).map(|_| Self(text.to_owned())),
            None => Self::parse(text),
        }
    }
    /// Whether it is `acme@.service`.
    pub fn is_template(&self) -> bool {
        self.0.contains("@.")
    }
    /// An instance of this template.
    #[must_use]
    pub fn instance(&self, name: &InstanceName) -> Self {
        Self(self.0.replacen("@.", &format!("@{}.", name.as_str()), 1))
    }
}

pub(super) type Check = Result<(), String>;

pub(super) fn say(why: &str) -> Check {
    Err(why.to_owned())
}

/// The first character of `text` that is not allowed, as it is named in a message.
pub(super) fn stranger(text: &str, allowed: impl Fn(char) -> bool) -> Option<String> {
    text.chars().find(|&c| !allowed(c)).map(|c| match c {
        ' ' => "a space".to_owned(),
        c => quoted(&c.to_string()),
    })
}

fn check_app(text: &str) -> Check {
    let legal = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    if text.is_empty() {
        return say("is empty; write a name such as `acme`");
    }
    if let Some(c) = stranger(text, legal) {
        return Err(format!("contains {c}; an app name may contain only a-z, 0-9 and `-`"));
    }
    if text.starts_with('-') {
        return say("begins with `-`; an app name must begin with a letter or a digit");
    }
    if text.len() > 31 {
        return Err(format!(
            "has {} characters; an app name may have at most 31",
            text.len()
        ));
    }
    // shipit-<app>-boot.service is the boot unit of <app>.
    if text.ends_with("-boot") {
        return say("ends in `-boot`; shipit uses that ending for its own boot units");
    }
    Ok(())
}

fn check_instance(text: &str) -> Check {
    let legal = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '.';
    if text.is_empty() || text.len() > 32 || !text.starts_with(|c: char| c.is_ascii_alphanumeric()) {
        return say(
            "is not an instance name; write 1 to 32 characters such as `blue`, beginning with a letter or a digit",
        );
    }
    if let Some(c) = stranger(text, legal) {
        return Err(format!(
            "contains {c}; the name of an instance may contain only letters, digits, `_` and `.`"
        ));
    }
    Ok(())
}

fn check_environment(text: &str) -> Check {
    check_short(text, "environment")
}

fn check_router(text: &str) -> Check {
    check_short(text, "router")
}

fn check_short(text: &str, whose: &str) -> Check {
    let legal = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-' || c == '_';
    if text.is_empty() || text.len() > 31 || text.starts_with('-') || !text.chars().all(legal) {
        return Err(format!(
            "is not a valid {whose} name; use 1 to 31 characters from a-z, 0-9, `-` and `_`, with no `-` at the start"
        ));
    }
    Ok(())
}

fn check_unit(text: &str) -> Check {
    if text.is_empty() {
        return say("is empty; write a name such as `acme.service`");
    }
    if text.contains(['*', '?', '[', ']']) {
        return say("is a pattern; write the exact name of one unit, such as `acme.service`");
    }
    if let Some(c) = stranger(text, |c| c.is_ascii_alphanumeric() || "_.-@".contains(c)) {
        return Err(format!(
            "contains {c}; a unit name may contain only letters, digits, `_`, `.`, `-` and `@`"
        ));
    }
    if text.starts_with(['-', '.', '@']) {
        return say("begins with a character that is not allowed at the start of a unit name");
    }
    if text.len() > 255 {
        return Err(format!("has {} characters; systemd accepts at most 255", text.len()));
    }
    let Some((stem, suffix)) = text
        .rsplit_once('.')
        .filter(|(_, suffix)| matches!(*suffix, "service" | "socket"))
    else {
        return Err(format!(
            "does not end in `.service` or `.socket`; write {}",
            quoted(&format!("{text}.service"))
        ));
    };
    if let Some((prefix, instance)) = stem.split_once('@') {
        if instance.is_empty() {
            return Err(format!(
                "is a template; write the name of an instance, such as {}",
                quoted(&format!("{prefix}@1.{suffix}"))
            ));
        }
        if instance.contains('@') {
            return say("contains two `@`");
        }
    }
    if stem.starts_with("shipit-") {
        return say("is reserved for shipit's own units");
    }
    let of_the_host = ["dbus", "dbus-broker", "ssh", "sshd"];
    if stem.starts_with("systemd-") || of_the_host.contains(&stem) {
        return say("is part of the host; a deploy never restarts or reloads it");
    }
    Ok(())
}

pub(super) fn socket_unit(text: &str) -> Result<UnitName, Wrong> {
    let unit = UnitName::parse(text)?;
    if !unit.is_socket() {
        return Err(Wrong(format!(
            "{} is not a socket; write one such as {}",
            quoted(text),
            quoted(unit.socket().as_str())
        )));
    }
    Ok(unit)
}

/// A unit that can be started: a `.service`.
pub(super) fn service_unit(text: &str) -> Result<UnitName, Wrong> {
    is_service(text, UnitName::parse(text)?)
}

/// The same, or the template of such units.
pub(super) fn service_or_template(text: &str) -> Result<UnitName, Wrong> {
    is_service(text, UnitName::parse_template(text)?)
}

/// A template of such units.
pub(super) fn template(text: &str) -> Result<UnitName, Wrong> {
    let unit = service_or_template(text)?;
    if !unit.is_template() {
        return Err(Wrong(format!(
            "{} is not a template; write a name such as `acme-notify@.service`",
            quoted(text)
        )));
    }
    Ok(unit)
}

fn is_service(text: &str, unit: UnitName) -> Result<UnitName, Wrong> {
    if unit.is_socket() {
        return Err(Wrong(format!("{} is a socket; name the service", quoted(text))));
    }
    Ok(unit)
}
