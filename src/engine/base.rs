//! The release on the host that a new one takes files over from: the live one, or else the newest verified one.

use super::manifests;
use super::session::{self, look};
use crate::config::{Config, Link};
use crate::failure::Failure;
use crate::host::Host;
use crate::observed::ledger::State;
use crate::observed::{CutUpload, HostBase, Observed};
use crate::plan::releases;
use crate::plan::units::{self, Purpose};
use crate::release::{Base, Delta, Digest, Manifest};
use crate::remote::Script;
use crate::source::Scanned;
use crate::text;

/// A release that files can be taken over from.
pub struct Found {
    pub base: Base,
    /// Files of it that were changed after it was published: sent again, and the person is told.
    pub edited: Vec<Vec<u8>>,
}

impl Found {
    /// The warning about files that were changed on the host.
    fn warning(&self) -> Option<String> {
        const MOST: usize = 5;
        let mut names: Vec<String> = self.edited.iter().take(MOST).map(|path| text::shown(path)).collect();
        let more = self.edited.len().saturating_sub(MOST);
        if more > 0 {
            names.push(format!("and {more} more"));
        }
        let id = &self.base.id;
        (!names.is_empty()).then(|| {
            let names = names.join(", ");
            format!(
                "files of {id} were changed or removed on the host after it was published: {names}; they are not reused"
            )
        })
    }
}

/// How files are taken over. By default copied where something could write into them: a file that two releases share
/// would change in both.
pub fn link(config: &Config, observed: &Observed) -> Link {
    let usual = if config.prepare.is_some() || writer(config, observed).is_some() {
        Link::Copy
    } else {
        Link::Hard
    };
    config.link.unwrap_or(usual)
}

/// How what `prepare` made is taken over: no command runs there after it.
pub fn link_outputs(config: &Config, observed: &Observed) -> Link {
    let usual = writer(config, observed).map_or(Link::Hard, |_| Link::Copy);
    config.link.unwrap_or(usual)
}

/// A unit that runs as root or as the user who owns the releases; also one whose user is not known.
fn writer<'a>(config: &'a Config, observed: &Observed) -> Option<&'a str> {
    let uid = observed.uid.map(|uid| uid.to_string());
    units::units(config, Purpose::Observe).into_iter().find(|unit| {
        let user = observed.unit(unit).text("User");
        let writes = ["", "root", "0", &observed.user].contains(&user) || uid.as_deref() == Some(user);
        unit.ends_with(".service") && writes
    })
}

/// What a person should know before files are taken over.
pub fn warnings(config: &Config, observed: &Observed, found: Option<&Found>) -> Vec<String> {
    let Some(found) = found else {
        return Vec::new();
    };
    let hard = config.link == Some(Link::Hard);
    let writer = writer(config, observed).filter(|_| hard).map(|unit| {
        format!(
            "`link: hard`: {unit} can write to the files of its release, which other releases share; remove `link`, \
             or run it as a user of its own"
        )
    });
    found.warning().into_iter().chain(writer).collect()
}

/// The script that observes the live release as a base, for a source with this digest.
pub fn script(config: &Config, digest: Digest) -> Script {
    asking(config, "", &digest.to_string())
}

fn asking(config: &Config, id: &str, own: &str) -> Script {
    let known = manifests::known().into_iter().map(|digest| digest.to_string());
    let first = [config.root.as_str().to_owned(), id.to_owned(), own.to_owned()];
    Script::base(first.into_iter().chain(known))
}

/// The base: the live release, if it was observed as one, else the newest verified release that can be one. `None` when
/// everything has to be sent.
/// Fails when the host cannot be read.
pub fn find(
    host: &mut dyn Host,
    config: &Config,
    observed: &Observed,
    scanned: &Scanned,
) -> Result<Option<Found>, Failure> {
    if let Some(found) = observed.base.as_ref().and_then(|seen| found(seen, scanned)) {
        return Ok(Some(found));
    }
    let id = match (&observed.base, observed.live()) {
        (Some(seen), _) => Some(seen.id.as_str()),
        // While another switch is in progress, nothing is sent, and `plan` asks.
        (None, Some(live)) if observed.request.is_some() => Some(live),
        // An adopted release, or one of an older version.
        (None, Some(_)) => None,
        (None, None) => releases::in_state(observed, State::Verified).into_iter().next(),
    };
    let Some(id) = id else {
        return Ok(None);
    };
    // Without a digest that is its own: it wants to send.
    let out = look(host, &[asking(config, id, "-")], "reading a release on the host")?;
    Ok(HostBase::parse(&out.concat()).and_then(|seen| found(&seen, scanned)))
}

/// What travels with this base.
pub fn delta(found: Option<&Found>, scanned: &Scanned) -> Delta {
    match found {
        Some(found) => Delta::against(&found.base, &scanned.manifest),
        None => Delta::whole(&scanned.manifest),
    }
}

/// The delta without what an upload that was cut has already, and a line that says so.
/// Fails when the connection is lost. A leftover that cannot be read, or that changes meanwhile, is sent again.
pub fn resume(
    host: &mut dyn Host,
    config: &Config,
    observed: &Observed,
    scanned: &Scanned,
    delta: Delta,
) -> Result<(Delta, Option<String>), Failure> {
    if observed.uploads.is_empty() || delta.sent == 0 {
        return Ok((delta, None));
    }
    let seen = session::one(host, Script::cut([config.root.as_str()]))
        .map_err(|lost| session::lost_while(&lost, "reading an interrupted upload", "nothing changed"))?;
    let Some(cut) = CutUpload::parse(&seen.out).filter(|_| seen.code == 0) else {
        return Ok((delta, None));
    };
    let delta = delta.resuming(&cut.name, &cut.files, &scanned.manifest);
    let (files, bytes) = delta.arrived(&scanned.manifest);
    let text = format!(
        "{files} files ({}) arrived with an interrupted upload",
        text::bytes(bytes)
    );
    Ok((delta, (files > 0).then_some(text)))
}

/// What was observed, with its manifest.
fn found(seen: &HostBase, scanned: &Scanned) -> Option<Found> {
    let digest = Digest::parse(seen.digest.as_bytes())?;
    let manifest = manifest(seen, digest, scanned)?;
    let changed = seen.edited.iter().chain(&seen.prepared).cloned().collect();
    let base = Base {
        id: seen.id.clone(),
        manifest,
        changed,
    };
    seen.compared.then(|| Found {
        base,
        edited: seen.edited.clone(),
    })
}

fn manifest(seen: &HostBase, digest: Digest, scanned: &Scanned) -> Option<Manifest> {
    if digest == scanned.digest {
        return Some(Manifest::clone(&scanned.manifest));
    }
    if seen.manifest.is_empty() {
        return manifests::recall(digest);
    }
    let manifest = manifests::read(&seen.manifest, digest)?;
    manifests::remember(&manifest, digest);
    Some(manifest)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::engine::preview::Reading;
    use crate::host::{Ended, Exec, ExecEvent, Lost, Then};

    /// Answers a session's one script with this, or loses it.
    struct Answers(Option<String>);
    impl Host for Answers {
        fn exec(&mut self, exec: Exec<'_>, on_event: &mut dyn FnMut(ExecEvent<'_>) -> Then) -> Result<Ended, Lost> {
            let answer = self.0.as_ref().ok_or_else(|| Lost::Cut("it is gone".into()))?;
            let text = crate::remote::unpacked(exec.line);
            let nonce = text.split("; n=").nth(1).unwrap().lines().next().unwrap();
            on_event(ExecEvent::Out(answer.replace("NONCE", nonce).as_bytes()));
            Ok(Ended::Code(0))
        }
        fn traffic(&self) -> (u64, u64) {
            (0, 0)
        }
    }

    #[test]
    fn a_leftover_that_cannot_be_read_is_sent_again_and_only_a_lost_connection_fails() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir(dir.path().join("source")).unwrap();
        std::fs::write(dir.path().join("source/a"), "a").unwrap();
        let file = dir.path().join("deploy.yml");
        std::fs::write(&file, "app: a\nhost: h\nsource: source\nservices: []\n").unwrap();
        let config = crate::config::load(&file, None).unwrap();
        let interrupts = crate::interrupt::Interrupts::never().unwrap();
        let scanned = crate::engine::preview::read_source(&config, Reading::All, &interrupts).unwrap();
        let observed = Observed::parse(b"release .in-1\n");
        let sent = |answer: Option<String>| {
            let delta = Delta::whole(&scanned.manifest);
            resume(&mut Answers(answer), &config, &observed, &scanned, delta).map(|(delta, _)| delta.sent)
        };
        let left = "cut .in-1\nca978112ca1bbdcafac231b39a23dc4da786eff8147c4e72b9807785afee48bb  ./a\0";
        let answer = |end: &str| Some(format!("NONCE pid 7\nNONCE begin 0\n{left}{end}\nNONCE over\n"));
        assert_eq!(sent(answer("whole\n\nNONCE end 0 0")).unwrap(), 0);
        // A file went while it was read, or the script died.
        assert_eq!(sent(answer("\nNONCE end 0 123")).unwrap(), 1);
        assert_eq!(sent(answer("\nNONCE end 0 0")).unwrap(), 1);
        assert_eq!(
            sent(None).unwrap_err().what,
            "the connection was lost while reading an interrupted upload"
        );
    }

    #[test]
    fn files_are_copied_where_a_unit_could_write_into_them_and_a_written_link_hard_is_warned_about() {
        let dir = tempfile::tempdir().unwrap();
        let load = |more: &str| {
            let file = dir.path().join("deploy.yml");
            let text =
                format!("app: a\nhost: h\nsource: s\nservices: [{{unit: a.service, strategy: restart}}]\n{more}");
            std::fs::write(&file, text).unwrap();
            crate::config::load(&file, None).unwrap()
        };
        let (usual, hard) = (load(""), load("link: hard"));
        let mut observed = Observed {
            user: "deploy".into(),
            uid: Some(1000),
            ..Observed::default()
        };
        let found = Found {
            base: Base {
                id: "b".into(),
                manifest: Manifest::default(),
                changed: std::collections::HashSet::new(),
            },
            edited: Vec::new(),
        };
        assert_eq!(link(&usual, &observed), Link::Copy, "not known");
        for (user, expected) in [
            ("", Link::Copy),
            ("root", Link::Copy),
            ("0", Link::Copy),
            ("deploy", Link::Copy),
            ("1000", Link::Copy),
            ("app", Link::Hard),
        ] {
            let unit = observed.units.entry("a.service".into()).or_default();
            unit.take(&format!("User={user}"));
            assert_eq!(link(&usual, &observed), expected, "{user}");
            assert_eq!(link(&hard, &observed), Link::Hard, "{user}");
            let warned = warnings(&hard, &observed, Some(&found));
            assert_eq!(warned.len(), usize::from(expected == Link::Copy), "{user}: {warned:?}");
            assert!(
                warnings(&usual, &observed, Some(&found)).is_empty() && warnings(&hard, &observed, None).is_empty()
            );
        }
    }
}
