//! Whether the host has room for a release, and what is removed to make some: what cut uploads left. Never here: releases.

use super::base::{self, Found};
use super::{observe, session};
use crate::config::{Config, Link};
use crate::failure::{Exit, Failure, Next};
use crate::host::Host;
use crate::observed::Observed;
use crate::release::{Delta, Manifest};
use crate::remote::Script;
use crate::source::Scanned;
use crate::text;

/// What must stay free on the host beyond the release itself, in KiB: room for journals and a rollback.
const RESERVE_KB: u64 = 64 * 1024;

/// Refuses a release that the host has no room for, before anything is sent.
/// Fails with a [`Failure`] that names what is needed and what there is.
pub fn check(manifest: &Manifest, delta: &Delta, link: Link, observed: &Observed) -> Result<(), Failure> {
    let (bytes, inodes) = match link {
        Link::Hard => (delta.taken(), delta.inodes(manifest)),
        Link::Copy => (manifest.bytes(), manifest.inodes()),
    };
    let need_kb = bytes / 1024 * 11 / 10 + inodes * 4 + RESERVE_KB.min(manifest.bytes() / 1024 + 1024);
    let no_room = |what: &str, need: String, free: String| {
        Failure::new(Exit::Untouched, what)
            .why(format!("needed {need}, free {free}"))
            .host("nothing was sent or changed; a rollback still works")
            .next(Next::shipit("prune"))
    };
    let Some(free_kb) = observed.free_kb else {
        return Err(no_room(
            "cannot determine the free disk space of the host",
            text::bytes(need_kb * 1024),
            "unknown".into(),
        ));
    };
    if free_kb < need_kb {
        return Err(no_room(
            "not enough free disk space on the host",
            text::bytes(need_kb * 1024),
            text::bytes(free_kb * 1024),
        ));
    }
    let need = inodes + 64;
    match observed.free_inodes {
        // Some file systems have no fixed number and say 0 of 0; df prints `-` then, which reads as None.
        Some(free) if free < need => Err(no_room(
            "not enough free inodes on the host",
            need.to_string(),
            free.to_string(),
        )),
        _ => Ok(()),
    }
}

/// What is sent: without what a cut upload has, where all such had to be removed to make room.
/// Fails as [`check`] does, or when the connection is lost.
pub fn make(
    host: &mut dyn Host,
    config: &Config,
    observed: &Observed,
    scanned: &Scanned,
    delta: Delta,
    found: Option<&Found>,
) -> Result<Delta, Failure> {
    let link = base::link(config, observed);
    let Err(refused) = check(&scanned.manifest, &delta, link, observed) else {
        return Ok(delta);
    };
    if observed.uploads.is_empty() {
        return Err(refused);
    }
    let removed = session::one(host, Script::hold([config.root.as_str(), "", ""]))
        .map_err(|lost| session::lost_while(&lost, "removing interrupted uploads", "nothing live changed"))?;
    if removed.code != 0 {
        return Err(refused);
    }
    let delta = base::delta(found, scanned).encoded(delta.encoding);
    check(&scanned.manifest, &delta, link, &observe::observe(host, config)?)?;
    Ok(delta)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::engine::preview::Reading;
    use crate::host::{Ended, Exec, ExecEvent, Lost, Then};

    /// Answers each session's one script with the next of these.
    struct Answers(Vec<String>);
    impl Host for Answers {
        fn exec(&mut self, exec: Exec<'_>, on_event: &mut dyn FnMut(ExecEvent<'_>) -> Then) -> Result<Ended, Lost> {
            let text = crate::remote::unpacked(exec.line);
            let nonce = text.split("; n=").nth(1).unwrap().lines().next().unwrap();
            let (code, out) = self
                .0
                .remove(0)
                .split_once(' ')
                .map(|(a, b)| (a.to_owned(), b.to_owned()))
                .unwrap();
            let said = format!("{nonce} pid 7\n{nonce} begin 0\n{out}\n{nonce} end 0 {code}\n{nonce} over\n");
            on_event(ExecEvent::Out(said.as_bytes()));
            Ok(Ended::Code(0))
        }
        fn traffic(&self) -> (u64, u64) {
            (0, 0)
        }
    }

    #[test]
    fn what_cut_uploads_left_is_removed_before_a_deploy_is_refused_for_room() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir(dir.path().join("source")).unwrap();
        std::fs::write(dir.path().join("source/a"), "a").unwrap();
        let file = dir.path().join("deploy.yml");
        std::fs::write(&file, "app: a\nhost: h\nsource: source\nservices: []\n").unwrap();
        let config = crate::config::load(&file, None).unwrap();
        let interrupts = crate::interrupt::Interrupts::never().unwrap();
        let scanned = crate::engine::preview::read_source(&config, Reading::All, &interrupts).unwrap();
        let facts = |kb: u64, upload: &str| format!("free_kb {kb}\nfree_inodes 9000\n{upload}");
        let made = |kb: u64, upload: &str, answers: &[String]| {
            let observed = Observed::parse(facts(kb, upload).as_bytes());
            let mut delta = Delta::whole(&scanned.manifest);
            delta.cut = Some(".in-1".into());
            let host = &mut Answers(answers.to_vec());
            let made = make(host, &config, &observed, &scanned, delta, None);
            assert!(host.0.is_empty(), "{:?}", host.0);
            made.map(|delta| delta.cut).map_err(|failure| failure.why.join("; "))
        };
        let (left, removed) = ("release .in-1\n", "0 \n".to_owned());
        let seen = |kb: u64| format!("0 {}whole\n", facts(kb, ""));
        assert_eq!(made(9000, left, &[]), Ok(Some(".in-1".into())), "there is room");
        assert_eq!(made(1, left, &[removed.clone(), seen(9000)]), Ok(None), "all is sent");
        let why = made(1, left, &[removed, seen(2)]).unwrap_err();
        assert!(why.ends_with("free 2.0 kB"), "{why}");
        assert!(made(1, left, &["20 \n".to_owned()]).is_err(), "it could not be removed");
        assert!(made(1, "", &[]).is_err(), "there is none");
    }
}
