//! The forms of values that one key or two have: networks, images, credentials, patterns. What many keys take is `forms`.

use super::forms::{absolute, is_credential, without, words};
use super::{quoting, specifier, value};

/// The forms of this file.
pub const NAMES: [&str; 15] = [
    "Nanoseconds",
    "Hash",
    "Open",
    "Import",
    "Interface",
    "Interfaces",
    "Netlink",
    "Images",
    "Extensions",
    "Policy",
    "Program",
    "NftSets",
    "Pattern",
    "Escaped",
    "Bus",
];

fn is_interface(name: &str) -> bool {
    let odd = |c: char| c.is_whitespace() || c.is_control() || matches!(c, ':' | '/' | '%');
    let digits = name.chars().all(|c| c.is_ascii_digit());
    !name.contains(odd) && !digits && name.len() < 128 && !matches!(name, "." | ".." | "all" | "default")
}

/// Whether every group and set of characters of a regular expression is closed.
fn is_closed(pattern: &str) -> bool {
    let (mut depth, mut set, mut escaped) = (0, None, false);
    for (at, c) in pattern.char_indices() {
        match (c, set) {
            _ if escaped => escaped = false,
            ('\\', _) => escaped = true,
            ('[', None) => set = Some(at),
            // In `[]a]` and `[^]a]` the first bracket is a character.
            (']', Some(from)) if !matches!(&pattern[from..at], "[" | "[^") => set = None,
            ('(', None) => depth += 1,
            (')', None) => depth -= 1,
            _ => {}
        }
        if depth < 0 {
            return false;
        }
    }
    depth == 0 && set.is_none() && !escaped
}

/// The name of a service on the bus. D-Bus specification, "Bus names".
fn is_bus_name(name: &str) -> bool {
    let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-');
    let part =
        |part: &str| !part.is_empty() && part.chars().all(fits) && !part.starts_with(|c: char| c.is_ascii_digit());
    name.contains('.') && name.len() < 256 && name.split('.').all(part)
}

/// Whether a text has one of these forms; one with a specifier is not judged.
pub fn fits(form: &str, text: &str) -> bool {
    if !specifier::used(text).is_empty() {
        return true;
    }
    let lists = |names: &str, name: &str| names.split(' ').any(|known| known == name);
    match form {
        "Nanoseconds" => value::span(&text.replace("nsec", "us").replace("ns", "us")).is_some(),
        "Hash" => {
            let hex = text.chars().all(|c| c.is_ascii_hexdigit());
            absolute(text) || hex && text.len() >= 32 && text.len().is_multiple_of(2)
        }
        "Open" => {
            let mut parts = text.trim_matches('"').splitn(3, ':');
            let path = parts.next().is_some_and(absolute);
            let options = parts.nth(1).unwrap_or_default();
            let known = |option: &str| option.is_empty() || lists("read-only append truncate graceful", option);
            path && options.split(',').all(known)
        }
        "Import" => {
            let name = text.split(':').next().unwrap_or_default();
            let name = if name == "*" {
                "x"
            } else {
                name.strip_suffix('*').unwrap_or(name)
            };
            is_credential(name) && !name.contains(['*', '?', '['])
        }
        "Interface" => is_interface(text),
        "Interfaces" => words(without(text, '~'), is_interface),
        "Netlink" => {
            let mut words = text.split_whitespace();
            let family = words.next().unwrap_or_default();
            let group = words.next().is_none_or(|group| group.parse::<u32>().is_ok());
            (lists(FAMILIES, family) || family.parse::<u32>().is_ok()) && group && words.next().is_none()
        }
        "Images" => words(text, |word| {
            let mut parts = without(word, '-').splitn(3, ':');
            parts.next().is_some_and(absolute) && parts.next().is_some_and(absolute)
        }),
        "Extensions" => words(text, |word| without(word, '-').split(':').next().is_some_and(absolute)),
        "Policy" => {
            let use_of = |part: &str| {
                let (_, flags) = part.split_once('=')?;
                Some(flags.is_empty() || flags.split('+').all(|flag| lists(IMAGE_FLAGS, flag)))
            };
            matches!(text, "*" | "-" | "~") || text.split(':').all(|part| use_of(part) == Some(true))
        }
        "Program" => text
            .split_once(':')
            .is_some_and(|(kind, path)| lists(BPF, kind) && absolute(path)),
        "NftSets" => words(text, |word| match word.split(':').collect::<Vec<_>>()[..] {
            [source, family, table, set] => {
                lists("cgroup user group", source)
                    && lists("arp bridge inet ip ip6 netdev", family)
                    && !table.is_empty()
                    && !set.is_empty()
            }
            _ => false,
        }),
        "Pattern" => is_closed(without(text, '~')),
        "Escaped" => quoting::escapes(text),
        "Bus" => is_bus_name(text),
        _ => true,
    }
}

/// What a form is, for "is not …".
pub fn described(form: &str) -> Option<&'static str> {
    Some(match form {
        "Nanoseconds" => "a time span such as 50us or 1ms",
        "Hash" => "at least 32 hexadecimal digits, or an absolute path",
        "Open" => {
            "PATH:NAME:OPTIONS with an absolute path, and any of the options read-only, append, truncate and graceful"
        }
        "Import" => "the name of a credential, with * allowed only at the end",
        "Interface" => "the name of a network interface",
        "Interfaces" => "names of network interfaces, separated by spaces",
        "Netlink" => "a netlink family such as audit or kobject-uevent, and a group",
        "Images" => "SOURCE:TARGET with absolute paths, separated by spaces",
        "Extensions" => "absolute paths with options after a colon, separated by spaces",
        "Policy" => "an image policy such as root=verity+signed:swap=absent",
        "Program" => "TYPE:PATH, such as egress:/sys/fs/bpf/acme",
        "NftSets" => "SOURCE:FAMILY:TABLE:SET, such as cgroup:inet:filter:acme",
        "Pattern" => "a regular expression whose brackets are closed",
        "Escaped" => "text with C escapes such as \\n; write a backslash as \\\\",
        "Bus" => "a name on the bus, such as org.example.Acme",
        _ => return None,
    })
}

/// netlink(7).
const FAMILIES: &str = "route firewall inet-diag nflog xfrm selinux iscsi audit fib-lookup connector netfilter ip6-fw \
    dnrtmsg kobject-uevent generic scsitransport ecryptfs rdma crypto";

/// systemd.resource-control(5), `BPFProgram=`.
const BPF: &str = "egress ingress sock_create sock_ops device bind4 bind6 connect4 connect6 post_bind4 post_bind6 sendmsg4 \
    sendmsg6 sysctl recvmsg4 recvmsg6 getsockopt setsockopt";

/// systemd.image-policy(7).
const IMAGE_FLAGS: &str = "unprotected verity signed encrypted encryptedwithintegrity unused absent open ignore read-only-on \
    read-only-off growfs-on growfs-off";
