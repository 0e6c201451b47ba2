//! The forms of values that `types.txt` names: whether a text has one. Which key takes which form is `accepts`.

use std::collections::HashSet;
use std::net::IpAddr;
use std::sync::OnceLock;

use super::name::UnitName;
use super::value::{self, Size, Span};
use super::{calendar, quoting, specifier};

/// Whether every word fits, and there is one; quotes are those of systemd.
pub(super) fn words(text: &str, fits: impl Fn(&str) -> bool) -> bool {
    quoting::split(text).is_ok_and(|words| words.iter().all(|word| fits(&word.text)))
}

fn words_of(text: &str) -> Option<Vec<String>> {
    Some(quoting::split(text).ok()?.into_iter().map(|word| word.text).collect())
}

/// The value that belongs to a device.
fn alternative(form: &str, value: &str) -> bool {
    match form {
        "Weight" => fits("Int(1..10000)", value),
        form => fits(form, value),
    }
}

fn is_unit(name: &str, ending: &str) -> bool {
    expands(name) || UnitName::new(name).is_some() && name.ends_with(ending)
}

/// Whether dashes separate the names of slices, of which none is empty.
pub(super) fn is_below(name: &str) -> bool {
    expands(name) || name.split('-').all(|part| !part.is_empty())
}

/// Without one mark in front.
pub(super) fn without(text: &str, mark: char) -> &str {
    text.strip_prefix(mark).unwrap_or(text)
}

pub(super) fn is_credential(name: &str) -> bool {
    !name.is_empty() && !name.contains(['/', ':']) && !matches!(name, "." | "..")
}

fn expands(text: &str) -> bool {
    !specifier::used(text).is_empty()
}

/// `$NAME` or `${NAME}`: no path and no name has one, and systemd expands them only in command lines.
pub(super) fn variable(text: &str) -> bool {
    let mut after = text.split('$').skip(1);
    after.any(|rest| rest.starts_with(|c: char| c.is_ascii_alphabetic() || matches!(c, '_' | '{')))
}

/// One path: no second one behind it, which systemd would take for a part of the name.
pub(super) fn absolute(text: &str) -> bool {
    let second = |mark: char| matches!(mark, ' ' | ',' | ';' | ':');
    let several = text.match_indices('/').any(|(at, _)| text[..at].ends_with(second));
    text.starts_with(['/', '%']) && !several && normal(text)
}

fn normal(text: &str) -> bool {
    !text.split('/').any(|part| part == "..") && !variable(text) && !text.contains("\\ ")
}

fn is_variable(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

fn is_signal(text: &str) -> bool {
    const NAMES: &str = " HUP INT QUIT ILL TRAP ABRT BUS FPE KILL USR1 SEGV USR2 PIPE ALRM TERM STKFLT CHLD CONT \
        STOP TSTP TTIN TTOU URG XCPU XFSZ VTALRM PROF WINCH IO PWR SYS ";
    let name = text.strip_prefix("SIG").unwrap_or(text);
    let realtime = ["RTMIN", "RTMAX"].iter().find_map(|start| name.strip_prefix(start));
    let number = |n: &str| n.starts_with(|c: char| c.is_ascii_digit()) && n.parse::<u8>().is_ok_and(|n| n <= 30);
    let offset = |rest: &str| rest.is_empty() || rest.strip_prefix(['+', '-']).is_some_and(number);
    NAMES.contains(&format!(" {name} "))
        || realtime.is_some_and(offset)
        || text.parse::<u8>().is_ok_and(|n| (1..=64).contains(&n))
}

fn is_account(text: &str) -> bool {
    let odd = |c: char| c.is_whitespace() || matches!(c, '"' | '\'' | '/' | ':' | ',');
    let digits = text.chars().all(|c| c.is_ascii_digit());
    // As the kernel writes it; two numbers mean nobody.
    let is_id = || {
        text.parse::<u32>()
            .is_ok_and(|id| id.to_string() == text && !matches!(id, 65_535 | u32::MAX))
    };
    !text.starts_with(['-', '~', '+'])
        && !text.contains(odd)
        && !variable(text)
        && !matches!(text, "." | "..")
        && (!digits || is_id())
}

/// Whether systemd accepts the name of a user or group without a warning. systemd.io, "User/Group Name Syntax".
pub(super) fn is_strict_account(text: &str) -> bool {
    let letter = |c: char| c.is_ascii_alphabetic() || c == '_';
    text.len() <= 31 && text.starts_with(letter) && text.chars().all(|c| letter(c) || c.is_ascii_digit() || c == '-')
        || text.chars().all(|c| c.is_ascii_digit())
        || expands(text)
}

/// `SOFT` or `SOFT:HARD`, where the soft limit is not the higher one.
fn limit(text: &str, one: impl Fn(&str) -> Option<f64>) -> bool {
    let one = |text: &str| {
        if text == "infinity" {
            Some(f64::INFINITY)
        } else {
            one(text)
        }
    };
    match text.split_once(':') {
        Some((soft, hard)) => one(soft).zip(one(hard)).is_some_and(|(soft, hard)| soft <= hard),
        None => one(text).is_some(),
    }
}

fn bytes(text: &str) -> Option<u64> {
    match value::size(text) {
        Some(Size::Bytes(bytes)) => Some(bytes),
        _ => None,
    }
}

fn range(text: &str) -> bool {
    let number = |text: &str| text.parse::<u32>().is_ok_and(|n| n < 8192);
    text.split_once('-').map_or(number(text), |(from, to)| {
        number(from) && number(to) && is_ascending(from, to)
    })
}

fn is_ascending(from: &str, to: &str) -> bool {
    from.parse::<u32>().ok() <= to.parse::<u32>().ok()
}

fn is_port(text: &str) -> bool {
    text.parse::<u16>().is_ok_and(|port| port > 0)
}

fn listens(text: &str) -> bool {
    let address = || {
        let (host, port) = text.rsplit_once(':')?;
        let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
        let bare = bare.map_or(host, |host| host.split('%').next().unwrap_or(host));
        let ip: IpAddr = bare.parse().ok()?;
        Some(is_port(port) && ip.is_ipv6() == host.starts_with('['))
    };
    // The interface may follow: [fe80::1]:80%eth0
    text.starts_with(['/', '@']) && text.len() < 108 && !variable(text)
        || text.starts_with("vsock:")
        || is_port(text)
        || address() == Some(true)
        || text.starts_with('[') && text.contains("]:") && text.contains('%')
}

fn binding(text: &str) -> bool {
    let rest = ["ipv4:", "ipv6:"]
        .iter()
        .find_map(|family| text.strip_prefix(family))
        .unwrap_or(text);
    let rest = ["tcp:", "udp:"]
        .iter()
        .find_map(|protocol| rest.strip_prefix(protocol))
        .unwrap_or(rest);
    let ports = rest.split_once('-').map_or(is_port(rest), |(from, to)| {
        is_port(from) && is_port(to) && is_ascending(from, to)
    });
    ports || matches!(text, "any" | "ipv4" | "ipv6" | "tcp" | "udp") || matches!(rest, "any" | "tcp" | "udp")
}

fn is_network(text: &str) -> bool {
    let named = matches!(text, "any" | "localhost" | "link-local" | "multicast");
    let (address, bits) = text.split_once('/').unwrap_or((text, "0"));
    let bits = bits.parse::<u8>().ok();
    let most = |ip: IpAddr| if ip.is_ipv4() { 32 } else { 128 };
    named
        || address
            .parse()
            .ok()
            .zip(bits)
            .is_some_and(|(ip, bits)| bits <= most(ip))
}

fn is_call(name: &str) -> bool {
    static CALLS: OnceLock<HashSet<&str>> = OnceLock::new();
    let lines = || include_str!("calls.txt").lines().filter(|line| !line.starts_with('#'));
    CALLS
        .get_or_init(|| lines().flat_map(str::split_whitespace).collect())
        .contains(name)
}

/// The name or the number of an error.
fn is_error(text: &str) -> bool {
    let name = text.to_ascii_uppercase();
    name.starts_with('E') && ERRORS.contains(&format!(" {name} ")) || text.parse::<u16>().is_ok_and(|n| n < 4096)
}

pub(super) fn fits(form: &str, text: &str) -> bool {
    let (name, inner) = form.split_once('(').unwrap_or((form, ""));
    let inner = inner.trim_end_matches(')');
    match name {
        "Bool" => value::boolean(text).is_some(),
        "Span" => value::span(text).is_some(),
        "Mode" => u32::from_str_radix(text, 8).is_ok_and(|mode| mode <= 0o7777),
        "Signal" => is_signal(text),
        "Int" => {
            let (least, most) = inner.split_once("..").unwrap_or_default();
            let (least, most) = (least.parse::<i128>(), most.parse::<i128>());
            let number = text.parse::<i128>();
            matches!((least, most, number), (Ok(least), Ok(most), Ok(number)) if (least..=most).contains(&number))
        }
        "Percent" | "Share" | "Quota" => {
            // With at most as many decimals as make one part in 10000.
            let signs = [('%', 1.0, 2), ('‰', 10.0, 1), ('‱', 100.0, 0)];
            let of = |(sign, part, most): (char, f64, usize)| {
                let number = text.strip_suffix(sign)?;
                let (whole, decimals) = number.split_once('.').unwrap_or((number, "0"));
                let precise = !whole.is_empty() && (1..=most.max(1)).contains(&decimals.len());
                Some(number.parse::<f64>().ok().filter(|_| precise)? / part)
            };
            let percent = signs.into_iter().find_map(of);
            percent.is_some_and(|percent| match name {
                "Quota" => percent > 0.0,
                "Share" => percent > 0.0 && percent <= 100.0,
                _ => (0.0..=100.0).contains(&percent),
            })
        }
        "Size" => bytes(text).is_some(),
        "Amount" => bytes(text).is_some_and(|bytes| bytes > 0),
        "Limit" => limit(text, |one| match inner {
            "Size" => bytes(one).map(|bytes| bytes as f64),
            "Span" => value::span(one).map(Span::seconds),
            "Nice" => one.parse::<f64>().ok().filter(|nice| (-20.0..=40.0).contains(nice)),
            _ => one.parse::<u64>().ok().map(|count| count as f64),
        }),
        "Starts" => text.starts_with(inner),
        "Path" => absolute(text),
        "Unquoted" => !text.starts_with(['"', '\'']) && normal(text),
        "Condition" => absolute(without(without(text, '|'), '!')),
        "Paths" => words(text, |word| {
            absolute(without(without(word, '-'), '+')) && !word.ends_with([',', ';'])
        }),
        "Binds" => words(text, |word| {
            let mut parts = without(word, '-').splitn(3, ':');
            let paths = parts.by_ref().take(2).all(absolute);
            paths
                && parts
                    .next()
                    .is_none_or(|option| matches!(option, "" | "rbind" | "norbind" | "idmap" | "noidmap"))
        }),
        "Mounts" => words(text, |word| word.split(':').next().is_some_and(absolute)),
        "Colons" => text.split(':').all(absolute),
        "Below" => words(text, |word| {
            let parts = word.splitn(3, ':').take(2).filter(|part| !part.is_empty());
            let odd = |piece: &str| matches!(piece, "." | "..");
            let bad = |part: &str| part.split('/').any(odd) || part.split('/').next() == Some("private");
            let fits = |part: &str| !part.starts_with('/') && !bad(part) && !variable(part);
            !word.starts_with(':') && parts.into_iter().all(fits)
        }),
        "Account" => expands(text) || is_account(text),
        "Accounts" => words(text, |word| expands(word) || is_account(word)),
        "Assignments" => {
            quoting::escapes(text)
                && words(text, |word| {
                    word.split_once('=')
                        .is_some_and(|(name, _)| expands(name) || is_variable(name))
                })
        }
        "Names" => words(text, |word| expands(word) || is_variable(word)),
        "Unset" => words(text, |word| is_variable(word.split('=').next().unwrap_or(word))),
        "List" => words(text.trim_start_matches('~'), |word| {
            inner.split(' ').any(|known| known.eq_ignore_ascii_case(word)) || word.parse::<u8>().is_ok_and(|n| n < 64)
        }),
        "Calls" => words(text.trim_start_matches('~'), |word| {
            let (call, error) = word.split_once(':').unwrap_or((word, ""));
            // Only what is denied has an error.
            let answers = error.is_empty() || text.starts_with('~') && (is_error(error) || error == "kill");
            answers
                && match call.strip_prefix('@') {
                    Some(group) => CALL_GROUPS.contains(&format!(" {group} ")),
                    None => is_call(call),
                }
        }),
        "Errno" => is_error(text) && text.parse::<u16>().is_err(),
        "Statuses" => words(text, |word| {
            word.parse::<u8>().is_ok() || is_signal(word) || STATUSES.contains(&format!(" {word} "))
        }),
        "Credential" => {
            text.trim_matches('"')
                .split_once(':')
                .is_none_or(|(name, from)| is_credential(name) && (absolute(from) || is_credential(from)))
                && (text.contains(':') || is_credential(text))
        }
        "Value" => {
            let (name, data) = text.trim_matches('"').split_once(':').unwrap_or(("", ""));
            is_credential(name) && (inner.is_empty() || fits(inner, data))
        }
        "Fields" => words(text, |word| {
            let field = |c: char| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_';
            word.split_once('=').is_some_and(|(name, _)| {
                expands(name) || name.starts_with(|c: char| c.is_ascii_uppercase()) && name.chars().all(field)
            })
        }),
        "Base64" => {
            let data: String = text.split_whitespace().collect();
            let letter = |c: char| c.is_ascii_alphanumeric() || matches!(c, '+' | '/' | '=');
            data.len().is_multiple_of(4) && data.chars().all(letter)
        }
        "Word" => !text.contains(['/', ' ', '"']),
        "Descriptor" => !text.contains(':'),
        "Dumps" => words(text, |word| {
            let hex = word.trim_start_matches("0x");
            inner.split(' ').any(|known| known == word) || u64::from_str_radix(hex, 16).is_ok()
        }),
        "Pair" => words_of(text).is_some_and(|words| match &words[..] {
            [_, value] => value == "infinity" && inner == "Size" || alternative(inner, value),
            _ => false,
        }),
        "Cpus" => text.split([' ', ',', '\t']).filter(|part| !part.is_empty()).all(range),
        "Addresses" => words(text, is_network),
        "Binding" => binding(text),
        "Device" => {
            let mut words = text.split_whitespace();
            let node = words.next().unwrap_or_default();
            let rights = words.next().unwrap_or("rwm");
            let known = ["/dev/", "/run/systemd/inaccessible/", "char-", "block-", "%"];
            known.iter().any(|start| node.starts_with(start)) && rights.chars().all(|c| "rwm".contains(c))
        }
        // Only [Install] has quotes.
        "Unit" => words(text, |word| is_unit(word, inner)),
        "Units" => text.split_whitespace().all(|word| is_unit(word, inner)),
        "One" => is_unit(text, inner),
        "Slice" => is_unit(text, ".slice") && (text == "-.slice" || is_below(text.trim_end_matches(".slice"))),
        "Listen" => expands(text) || listens(text),
        "Calendar" => calendar::is_valid(text),
        "Urls" => words(text, |word| {
            ["http://", "https://", "file:/", "info:", "man:"]
                .iter()
                .any(|start| word.starts_with(start))
        }),
        "File" => {
            let kinds = ["file:", "append:", "truncate:"];
            kinds
                .iter()
                .find_map(|kind| text.strip_prefix(kind))
                .is_some_and(absolute)
        }
        "Fd" => text == "fd" || text.starts_with("fd:"),
        _ => true,
    }
}

/// systemd.exec(5), "System call filtering".
const CALL_GROUPS: &str = " aio basic-io chown clock cpu-emulation debug default file-system io-event ipc keyring known \
    memlock module mount network-io obsolete pkey privileged process raw-io reboot resources sandbox setuid signal swap \
    sync system-service timer ";

/// `systemd-analyze exit-status`.
const STATUSES: &str = " SUCCESS FAILURE INVALIDARGUMENT NOTIMPLEMENTED NOPERMISSION NOTINSTALLED NOTCONFIGURED NOTRUNNING USAGE \
    DATAERR NOINPUT NOUSER NOHOST UNAVAILABLE SOFTWARE OSERR OSFILE CANTCREAT IOERR TEMPFAIL PROTOCOL NOPERM \
    CONFIG CHDIR NICE FDS EXEC MEMORY LIMITS OOM_ADJUST SIGNAL_MASK STDIN STDOUT CHROOT IOPRIO TIMERSLACK \
    SECUREBITS SETSCHEDULER CPUAFFINITY GROUP USER CAPABILITIES CGROUP SETSID CONFIRM STDERR PAM NETWORK \
    NAMESPACE NO_NEW_PRIVILEGES SECCOMP SELINUX_CONTEXT PERSONALITY APPARMOR ADDRESS_FAMILIES \
    RUNTIME_DIRECTORY CHOWN SMACK_PROCESS_LABEL KEYRING STATE_DIRECTORY CACHE_DIRECTORY LOGS_DIRECTORY \
    CONFIGURATION_DIRECTORY NUMA_POLICY CREDENTIALS BPF KSM EXCEPTION ";

/// errno(3).
const ERRORS: &str = " E2BIG EACCES EADDRINUSE EADDRNOTAVAIL EADV EAFNOSUPPORT EAGAIN EALREADY EBADE EBADF EBADFD EBADMSG EBADR \
    EBADRQC EBADSLT EBFONT EBUSY ECANCELED ECHILD ECHRNG ECOMM ECONNABORTED ECONNREFUSED ECONNRESET EDEADLK \
    EDEADLOCK EDESTADDRREQ EDOM EDOTDOT EDQUOT EEXIST EFAULT EFBIG EHOSTDOWN EHOSTUNREACH EHWPOISON EIDRM EILSEQ \
    EINPROGRESS EINTR EINVAL EIO EISCONN EISDIR EISNAM EKEYEXPIRED EKEYREJECTED EKEYREVOKED EL2HLT EL2NSYNC EL3HLT \
    EL3RST ELIBACC ELIBBAD ELIBEXEC ELIBMAX ELIBSCN ELNRNG ELOOP EMEDIUMTYPE EMFILE EMLINK EMSGSIZE EMULTIHOP \
    ENAMETOOLONG ENAVAIL ENETDOWN ENETRESET ENETUNREACH ENFILE ENOANO ENOBUFS ENOCSI ENODATA ENODEV ENOENT ENOEXEC \
    ENOKEY ENOLCK ENOLINK ENOMEDIUM ENOMEM ENOMSG ENONET ENOPKG ENOPROTOOPT ENOSPC ENOSR ENOSTR ENOSYS ENOTBLK \
    ENOTCONN ENOTDIR ENOTEMPTY ENOTNAM ENOTRECOVERABLE ENOTSOCK ENOTSUP ENOTTY ENOTUNIQ ENXIO EOPNOTSUPP EOVERFLOW \
    EOWNERDEAD EPERM EPFNOSUPPORT EPIPE EPROTO EPROTONOSUPPORT EPROTOTYPE ERANGE EREMCHG EREMOTE EREMOTEIO \
    ERESTART ERFKILL EROFS ESHUTDOWN ESOCKTNOSUPPORT ESPIPE ESRCH ESRMNT ESTALE ESTRPIPE ETIME ETIMEDOUT \
    ETOOMANYREFS ETXTBSY EUCLEAN EUNATCH EUSERS EWOULDBLOCK EXDEV EXFULL ";
