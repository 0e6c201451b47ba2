//! `Condition…=` and `Assert…=` values that systemd takes without a word and that can never match. Source:
//! `systemd-analyze condition`. Paths are forms of `types.txt`.

use super::{accepts, forms, quoting, specifier, value};

/// What the condition compares, if the value is not that.
pub fn expected(key: &str, text: &str) -> Option<&'static str> {
    let name = key.strip_prefix("Condition").or_else(|| key.strip_prefix("Assert"))?;
    let text = forms::without(text, '|').trim_start();
    let text = forms::without(text, '!').trim_start();
    if text.is_empty() || !specifier::used(text).is_empty() {
        return None;
    }
    let lists = |names: &str| names.split_whitespace().any(|known| known == text);
    let after_operator = text.trim_start_matches(['<', '>', '=', '!']).trim_start();
    let (fits, what) = match name {
        "Architecture" => (lists(ARCHITECTURES), "an architecture such as x86-64 or arm64"),
        "Virtualization" => (
            value::boolean(text).is_some() || lists(VIRTUALIZATIONS),
            "vm, container, yes, no or a technology such as kvm or docker",
        ),
        "Memory" => (
            matches!(value::size(after_operator), Some(value::Size::Bytes(_))),
            "a size such as >=1G (K, M, G or T, without B)",
        ),
        "CPUs" => (after_operator.parse::<u32>().is_ok(), "a number such as >=4"),
        "Capability" => (
            accepts::check("Service", "CapabilityBoundingSet", text, None).is_ok(),
            "a capability such as CAP_NET_ADMIN",
        ),
        "ControlGroupController" => (
            lists("v1 v2") || accepts::check("Service", "DisableControllers", text, None).is_ok(),
            "controllers such as memory, or v2",
        ),
        "OSRelease" => (
            quoting::split(text).is_ok_and(|words| words.iter().all(|word| word.text.contains(['=', '<', '>']))),
            "fields such as ID=debian",
        ),
        "FirstBoot" | "ACPower" => (value::boolean(text).is_some(), "yes or no"),
        "MemoryPressure" | "CPUPressure" | "IOPressure" => {
            let level = text.rsplit(':').next().unwrap_or(text).split('/').next();
            (
                level.is_some_and(|level| forms::fits("Percent", level.trim())),
                "a percentage such as 30% or 30%/1min",
            )
        }
        _ => return None,
    };
    (!fits).then_some(what)
}

/// systemd.unit(5), `ConditionArchitecture=`.
const ARCHITECTURES: &str = "native x86 x86-64 ppc ppc-le ppc64 ppc64-le ia64 parisc parisc64 s390 s390x sparc sparc64 mips \
    mips-le mips64 mips64-le alpha arm arm-be arm64 arm64-be sh sh64 m68k tilegx cris arc arc-be loongarch64 riscv32 riscv64 nios2";

/// systemd-detect-virt(1).
const VIRTUALIZATIONS: &str = "vm container private-users none qemu kvm amazon zvm vmware microsoft oracle powervm xen bochs uml \
    parallels bhyve qnx acrn apple sre google vm-other systemd-nspawn lxc-libvirt lxc openvz docker podman rkt wsl proot pouch \
    container-other";
