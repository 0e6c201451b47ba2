//! What base.sh printed: a release that a new one can take files over from. Foreign bytes until the manifest's digest
//! was compared.

/// A release on the host, as it is there now.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct HostBase {
    pub id: String,
    /// The digest that the host keeps beside it.
    pub digest: String,
    /// What follows was printed: it is not the source's own digest.
    pub compared: bool,
    /// Paths of files that are not as they were published.
    pub edited: Vec<Vec<u8>>,
    /// Paths of files that its `prepare` changed before it was published.
    pub prepared: Vec<Vec<u8>>,
    /// The manifest, compressed by gzip; empty when the client said that it knows it.
    pub manifest: Vec<u8>,
}

impl HostBase {
    /// Reads what base.sh printed, without its last line; `None` when there is no base, or this is something else.
    pub fn parse(out: &[u8]) -> Option<Self> {
        let end = out.iter().position(|&byte| byte == b'\n')?;
        let mut words = std::str::from_utf8(&out[..end]).ok()?.split(' ');
        let (Some("base"), Some(id), Some(digest), None) = (words.next(), words.next(), words.next(), words.next())
        else {
            return None;
        };
        let plain = |id: &str| id.bytes().all(|b| b.is_ascii_alphanumeric() || b"._-".contains(&b));
        if id.starts_with(['.', '-']) || !plain(id) {
            return None;
        }
        let mut base = Self {
            id: id.into(),
            digest: digest.into(),
            ..Self::default()
        };
        let mut rest = &out[end + 1..];
        if rest.is_empty() {
            return Some(base);
        }
        while rest.first()? != &b'\n' {
            let end = rest.iter().position(|&byte| byte == 0)?;
            let mut fields = rest[..end].splitn(5, |&byte| byte == b' ');
            let inode = fields.next()?;
            let path = fields.nth(3)?.strip_prefix(b"./")?.to_vec();
            let list = if inode == b"0" {
                &mut base.prepared
            } else {
                &mut base.edited
            };
            list.push(path);
            rest = &rest[end + 1..];
        }
        base.compared = true;
        base.manifest = rest[1..].to_vec();
        Some(base)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn what_differs_from_a_release_is_told_from_what_prepare_changed() {
        let base = HostBase::parse(b"base 2026-1 ab\n7 1.5 3 644 ./a b\n\x000 0 0 0 ./made\0\n\x1f\x8b").unwrap();
        assert_eq!((base.id.as_str(), base.digest.as_str()), ("2026-1", "ab"));
        assert_eq!(base.edited, [b"a b\n".to_vec()]);
        assert_eq!(base.prepared, [b"made".to_vec()]);
        assert!(base.compared && base.manifest == b"\x1f\x8b");
    }

    #[test]
    fn what_is_cut_or_no_release_is_no_base() {
        let whole = b"base i d\n7 1 3 644 ./a\0\n";
        for end in 0..whole.len() {
            let compared = HostBase::parse(&whole[..end]).is_some_and(|base| base.compared);
            assert!(!compared, "cut at {end}");
        }
        for other in [
            "",
            "base ../x d\n\n",
            "base a/b d\n\n",
            "base .in-1 d\n\n",
            "base i\n\n",
        ] {
            assert_eq!(HostBase::parse(other.as_bytes()), None, "{other}");
        }
        let own = HostBase::parse(b"base i d\n").unwrap();
        assert!(!own.compared);
    }
}
