//! The keys that systemd knows: their sections, since which version, and how repeated assignments combine. The list is
//! data: `keys.txt`, from systemd's own dump. Whether a value is good is never decided here.

use std::collections::HashMap;
use std::sync::OnceLock;

/// What kind of value a key takes, as far as it can be checked without the host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Takes {
    /// `yes` or `no`.
    Bool,
    Span,
    Number,
    /// An octal mode.
    Mode,
    Command,
    Units,
    Words,
    /// A signal's name or number.
    Signal,
    Text,
}

/// One key in one section.
#[derive(Clone, Copy, Debug)]
pub struct Key {
    pub takes: Takes,
    /// The systemd version that introduced it; 0 for those that 252 knows.
    pub since: u32,
}

/// How several assignments of one key combine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Adds {
    /// The last one counts; an empty one restores the default.
    Last,
    /// All count; an empty one discards those before it.
    List,
    /// All count; an empty one changes nothing (dependencies).
    Always,
}

const EXEC: &str = "Service,Socket,Mount,Swap";
const CGROUP: &str = "Service,Socket,Mount,Swap,Slice,Scope";
const KILL: &str = "Service,Socket,Mount,Swap,Scope";

fn all() -> &'static HashMap<(&'static str, &'static str), Key> {
    static KEYS: OnceLock<HashMap<(&str, &str), Key>> = OnceLock::new();
    KEYS.get_or_init(|| {
        let mut keys = HashMap::new();
        for line in include_str!("keys.txt").lines() {
            let Some((head, names)) = line.strip_prefix('@').and_then(|line| line.split_once(": ")) else {
                continue;
            };
            let mut head = head.split(' ');
            let since = head.next().and_then(|n| n.parse().ok()).unwrap_or(0);
            let sections = match head.next().unwrap_or_default() {
                "EXEC" => EXEC,
                "CGROUP" => CGROUP,
                "KILL" => KILL,
                other => other,
            };
            let takes = match head.next().unwrap_or_default() {
                "bool" => Takes::Bool,
                "span" => Takes::Span,
                "number" => Takes::Number,
                "mode" => Takes::Mode,
                "command" => Takes::Command,
                "units" => Takes::Units,
                "words" => Takes::Words,
                "signal" => Takes::Signal,
                _ => Takes::Text,
            };
            for section in sections.split(',') {
                keys.extend(names.split(' ').map(|name| ((section, name), Key { takes, since })));
            }
        }
        keys
    })
}

/// `None`: systemd ignores the key in this section.
pub fn find(section: &str, key: &str) -> Option<Key> {
    all().get(&(section, key)).copied()
}

pub fn is_section(section: &str) -> bool {
    matches!(
        section,
        "Unit"
            | "Install"
            | "Service"
            | "Socket"
            | "Timer"
            | "Path"
            | "Mount"
            | "Automount"
            | "Swap"
            | "Slice"
            | "Scope"
            | "Target"
            | "Device"
    )
}

/// The sections in which systemd knows a key, sorted.
pub fn sections_of(key: &str) -> Vec<&'static str> {
    sorted(|(section, name)| (name == key).then_some(section))
}

/// Sorted.
pub fn keys_of(section: &str) -> Vec<&'static str> {
    sorted(|(known, key)| (known == section).then_some(key))
}

/// Every key, sorted.
pub fn names() -> Vec<&'static str> {
    let mut names = sorted(|(_, key)| Some(key));
    names.dedup();
    names
}

fn sorted(pick: impl Fn((&'static str, &'static str)) -> Option<&'static str>) -> Vec<&'static str> {
    let mut names: Vec<_> = all().keys().filter_map(|key| pick(*key)).collect();
    names.sort_unstable();
    names
}

/// Keys of kind [`Adds::List`], beside those that take commands or words, and every `Condition…=`, `Assert…=` and
/// `Listen…=`. Source: the man page of each.
const LISTS: &str = " Documentation Environment EnvironmentFile PassEnvironment UnsetEnvironment SupplementaryGroups \
    ReadWritePaths ReadOnlyPaths InaccessiblePaths ExecPaths NoExecPaths BindPaths BindReadOnlyPaths \
    TemporaryFileSystem CapabilityBoundingSet AmbientCapabilities SystemCallFilter SystemCallArchitectures \
    RestrictAddressFamilies RestrictFileSystems RestrictNetworkInterfaces RuntimeDirectory StateDirectory \
    CacheDirectory LogsDirectory ConfigurationDirectory LoadCredential LoadCredentialEncrypted SetCredential \
    SetCredentialEncrypted ImportCredential DeviceAllow IPAddressAllow IPAddressDeny SocketBindAllow SocketBindDeny \
    OnCalendar OnActiveSec OnBootSec OnStartupSec OnUnitActiveSec OnUnitInactiveSec PathExists PathExistsGlob \
    PathChanged PathModified DirectoryNotEmpty SuccessExitStatus RestartPreventExitStatus RestartForceExitStatus \
    Symlinks ExtensionDirectories ExtensionImages MountImages LogExtraFields LogFilterPatterns OpenFile \
    StandardInputText StandardInputData Sockets BPFProgram IPIngressFilterPath IPEgressFilterPath CPUAffinity \
    RequiresMountsFor WantsMountsFor SystemCallLog RestrictNamespaces SecureBits Delegate DisableControllers NUMAMask \
    AllowedCPUs StartupAllowedCPUs AllowedMemoryNodes StartupAllowedMemoryNodes CoredumpFilter ExecSearchPath NFTSet \
    RootImageOptions IODeviceWeight IOReadBandwidthMax IOWriteBandwidthMax IOReadIOPSMax IOWriteIOPSMax \
    IODeviceLatencyTargetSec BlockIODeviceWeight BlockIOReadBandwidth BlockIOWriteBandwidth ReadWriteDirectories \
    ReadOnlyDirectories InaccessibleDirectories ";

pub fn adds(section: &str, key: &str) -> Adds {
    match find(section, key).map(|key| key.takes) {
        Some(Takes::Units) => Adds::Always,
        _ if section == "Install" && key != "DefaultInstance" => Adds::Always,
        Some(Takes::Command | Takes::Words) => Adds::List,
        _ if LISTS.contains(&format!(" {key} ")) => Adds::List,
        _ if ["Condition", "Assert", "Listen"]
            .iter()
            .any(|start| key.starts_with(start)) =>
        {
            Adds::List
        }
        _ => Adds::Last,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_belong_to_their_sections() {
        assert_eq!(find("Service", "NoNewPrivileges").map(|k| k.takes), Some(Takes::Bool));
        assert!(find("Unit", "ExecStart").is_none());
        assert_eq!(sections_of("OnCalendar"), ["Timer"]);
        assert!(is_section("Install") && !is_section("service"));
        assert_eq!(find("Service", "ReloadSignal").map(|k| k.since), Some(253));
    }

    #[test]
    fn dependencies_cannot_be_reset_and_lists_can() {
        assert_eq!(adds("Unit", "After"), Adds::Always);
        assert_eq!(adds("Service", "ExecStart"), Adds::List);
        assert_eq!(adds("Unit", "ConditionPathExists"), Adds::List);
        assert_eq!(adds("Service", "RestrictNamespaces"), Adds::List);
        assert_eq!(adds("Service", "Restart"), Adds::Last);
    }

    #[test]
    fn every_list_is_a_key() {
        for key in LISTS.split_whitespace() {
            assert!(!sections_of(key).is_empty(), "{key}");
        }
    }
}
