//! Which release is meant and which may go. Order comes from the ledger; only verified releases and
//! those that a user left count for `keep_releases`; `rollback` chooses among the verified ones; the newest failed one is
//! kept for the autopsy.

use crate::config::Config;
use crate::failure::{Exit, Failure, Next};
use crate::observed::Observed;
use crate::observed::ledger::State;
use crate::release::Id;
use crate::text::shown;

/// The place of a release in the order in which releases came; one the ledger does not know is oldest.
fn rank(observed: &Observed, id: &str) -> usize {
    observed.ledger.rank(id).map_or(0, |at| at + 1)
}

/// True when `a` came before `b`.
pub fn older(observed: &Observed, a: &str, b: &str) -> bool {
    rank(observed, a) < rank(observed, b)
}

/// Releases in one state that are still there, newest first.
pub fn in_state(observed: &Observed, state: State) -> Vec<&str> {
    let mut ids: Vec<&str> = observed
        .releases
        .iter()
        .map(String::as_str)
        .filter(|id| observed.ledger.state(id) == Some(state))
        .collect();
    ids.sort_by_key(|id| std::cmp::Reverse(rank(observed, id)));
    ids
}

/// Whether these words mean this release: its beginning, its time of day, or the beginning of its commit.
pub fn means(observed: &Observed, named: &str, id: &str) -> bool {
    /// The fewest digits of a commit; git shows 7.
    const COMMIT: usize = 4;
    /// `HHMMSS`
    const TIME: usize = 6;
    // Two of the same second differ in a number at the end.
    let time = || {
        let rest = id.split_once('-').and_then(|(_, time)| time.strip_prefix(named));
        rest.is_some_and(|rest| rest.is_empty() || named.len() == TIME && rest.starts_with('-'))
    };
    let commit = || {
        observed
            .commit(id)
            .is_some_and(|commit| commit.revision.starts_with(named))
    };
    // A variable that is not set names nothing.
    !named.is_empty() && (id.starts_with(named) || time() || named.len() >= COMMIT && commit())
}

/// The release that `rollback` goes to: the newest verified one that came before the live one, or the one
/// that was named: whole, or by words that mean only one release.
/// Fails when there is none, with the list of those that can be named.
pub fn rollback_target(config: &Config, observed: &Observed, named: Option<&str>) -> Result<String, Failure> {
    let live = observed.live();
    let refuse = |what: String| {
        let mut failure = Failure::new(Exit::Untouched, what).host(match live {
            Some(id) => format!("{} runs {id}; nothing changed", config.app.as_str()),
            None => "no release is live; nothing changed".into(),
        });
        for (state, text) in [
            (State::Verified, "verified releases on the host"),
            (State::Left, "releases that a user rolled back from"),
        ] {
            let offered: Vec<&str> = in_state(observed, state)
                .into_iter()
                .filter(|id| Some(*id) != live)
                .collect();
            if !offered.is_empty() {
                failure = failure.why(format!("{text}: {}", offered.join(", ")));
            }
        }
        failure.next(Next::shipit("releases"))
    };
    match named {
        Some(named) => {
            let matches: Vec<&String> = match observed.releases.iter().find(|id| *id == named) {
                Some(whole) => vec![whole],
                // A whole name that is gone is not the beginning of its neighbour of the same second.
                None if Id::parse(named).is_some() => Vec::new(),
                None => observed
                    .releases
                    .iter()
                    .filter(|id| means(observed, named, id))
                    .collect(),
            };
            match matches.as_slice() {
                [] if observed.ledger.state(named).is_some() => {
                    Err(refuse(format!("release {named} was removed from the host")))
                }
                [] => Err(refuse(format!("release {named} does not exist on the host"))),
                [id] if observed.ledger.state(id).is_none() => {
                    Err(refuse(format!("{id} is not a release known to shipit")))
                }
                [id] => Ok((*id).clone()),
                many => Err(refuse(format!(
                    "{named} matches {} releases: {}",
                    many.len(),
                    many.iter().map(|s| s.as_str()).collect::<Vec<_>>().join(", ")
                ))),
            }
        }
        None => {
            let Some(live) = live else {
                return Err(refuse("there is nothing to roll back: no release is live".into()));
            };
            in_state(observed, State::Verified)
                .into_iter()
                .find(|id| older(observed, id, live))
                .map(str::to_owned)
                .ok_or_else(|| {
                    refuse(format!(
                        "there is no verified release older than {live} to roll back to"
                    ))
                })
        }
    }
}

/// A rollback to a release that failed: allowed, because the reason may have been outside of it.
pub fn failure_warning(observed: &Observed, id: &str) -> Option<String> {
    let failed = observed.ledger.state(id) == Some(State::Failed);
    failed.then(|| {
        format!("{id} failed in an earlier switch; if it fails again, the release that is live now stays live or becomes live again")
    })
}

/// What a rollback to `id` leaves as it is: the schema of the releases that migrated since. The backups from before their
/// migrations are named, the oldest first: that one is nearest to what `id` ran with.
pub fn migration_warnings(observed: &Observed, id: &str) -> Vec<String> {
    let since = migrated_since(observed, id);
    if since.is_empty() {
        return Vec::new();
    }
    let mut warnings = vec![format!(
        "{} migrated the database after {id}; a rollback does not undo migrations: the schema stays",
        since.join(", ")
    )];
    let place = |id: &str| observed.meta.get(id)?.backup.as_deref();
    warnings.extend(since.iter().filter_map(|other| {
        let own = place(other)?;
        // A later dump of the same name has replaced it, also one whose migration failed.
        let mut later = observed
            .ledger
            .order()
            .into_iter()
            .filter(|one| older(observed, other, one));
        let replaced = later.any(|later| place(later) == Some(own));
        (!replaced).then(|| {
            format!(
                "the backup from before the migration of {other}: {}",
                shown(own.as_bytes())
            )
        })
    }));
    warnings
}

/// Releases after `id` whose migration succeeded.
fn migrated_since<'a>(observed: &'a Observed, id: &str) -> Vec<&'a str> {
    let ran = |other: &&str| {
        observed
            .meta
            .get(*other)
            .is_some_and(|meta| meta.migration.as_deref() == Some("ok"))
    };
    observed
        .ledger
        .order()
        .into_iter()
        .filter(|other| older(observed, id, other))
        .filter(ran)
        .collect()
}

/// What may be removed once `next` is confirmed: beyond the newest `keep_releases` that are verified or were left (with
/// `next` among them, and always with a verified one to roll back to), beyond as many staged ones (somebody may have asked
/// for each of them), and all failed ones but the newest. Never the live one or `next`, nor anything the ledger does not
/// know. The host checks again, with what is in use there.
pub fn to_prune(config: &Config, observed: &Observed, next: &str) -> Vec<String> {
    let live = observed.live();
    let (mut sound, mut verified, mut failed, mut staged) = (1, 0, 0, 0);
    let mut ids: Vec<&String> = observed
        .releases
        .iter()
        .filter(|id| observed.ledger.state(id).is_some())
        .collect();
    ids.sort_by_key(|id| std::cmp::Reverse(rank(observed, id)));
    let mut gone = Vec::new();
    for id in ids {
        if id == next {
            continue;
        }
        let keep = match observed.ledger.state(id) {
            Some(state @ (State::Verified | State::Left)) => {
                sound += 1;
                verified += usize::from(state == State::Verified);
                sound <= config.keep_releases as usize || state == State::Verified && verified == 1
            }
            Some(State::Staged) => {
                staged += 1;
                staged <= config.keep_releases as usize
            }
            _ => {
                failed += 1;
                failed <= 1
            }
        };
        if !keep && Some(id.as_str()) != live && !in_use(config, observed, id) {
            gone.push(id.clone());
        }
    }
    gone.reverse();
    gone
}

/// The warning that releases go which were staged and never live: nobody misses them without a word.
pub fn unused(observed: &Observed, gone: &[String]) -> Option<String> {
    let staged: Vec<&str> = gone
        .iter()
        .map(String::as_str)
        .filter(|id| observed.ledger.state(id) == Some(State::Staged))
        .collect();
    (!staged.is_empty()).then(|| format!("removing staged releases that were never live: {}", staged.join(", ")))
}

/// True when a service's process may still run from this release: it was live when the process started.
/// A process of another user cannot be looked into from here, and a reload keeps the process.
fn in_use(config: &Config, observed: &Observed, id: &str) -> bool {
    config.instances().any(|one| {
        if one.slot.is_some() {
            return observed.slot(&one) == Some(id);
        }
        let since = observed.unit(one.unit).main_process_started();
        let Some(since) = moment(since) else {
            return false;
        };
        let live_then = observed
            .ledger
            .entries
            .iter()
            .rev()
            .find(|e| matches!(e.event.as_str(), "live" | "adopted") && e.at.as_str() <= since.as_str())
            .map(|e| e.release.as_str());
        live_then == Some(id)
    })
}

/// systemd's `Sat 2026-11-21 04:06:38 UTC` as the ledger's `2026-11-21T04:06:38Z`.
fn moment(shown: &str) -> Option<String> {
    let mut words = shown.split(' ');
    let (_, day, time) = (words.next()?, words.next()?, words.next()?);
    Some(format!("{day}T{time}Z"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_release_is_named_by_its_id_its_time_or_its_commit() {
        let mut observed = Observed::parse(
            b"current link releases/20261103-101500\nrelease 20261103-091000\nrelease 20261103-101500\n\
              info 20261103-091000 revision=91a2b3c4d5e6f\ninfo 20261103-101500 revision=8888888888888\n",
        );
        for id in ["20261103-080000", "20261103-091000", "20261103-101500"] {
            observed.ledger.push(&format!("2026-11-03T10:00:01Z 1 r verified {id}"));
        }
        let text = "app: acme\nhost: deploy@h\nsource: .\nservices:\n  - unit: acme.service\n    strategy: restart\n    health: {url: 'http://127.0.0.1:80/'}\n";
        let config = crate::config::of_text(text, std::path::Path::new("deploy.yml")).ok();
        let config = config.expect("a config");
        let target = |named| rollback_target(&config, &observed, Some(named)).map_err(|failure| failure.what);
        let first = Ok("20261103-091000".to_owned());
        for named in ["20261103-091000", "20261103-09", "091000", "91a2", "91a2b3c4d5e6f"] {
            assert_eq!(target(named), first, "{named}");
        }
        for (named, why) in [
            ("91a", "release 91a does not exist on the host"),
            ("91a3", "release 91a3 does not exist on the host"),
            ("20261103-080000", "release 20261103-080000 was removed from the host"),
        ] {
            assert_eq!(target(named), Err(why.to_owned()), "{named}");
        }
        assert_eq!(target(""), Err("release  does not exist on the host".into()));
        // Two of the same second have the same time of day.
        observed.releases.push("20261103-091000-2".into());
        observed
            .ledger
            .push("2026-11-03T10:00:01Z 1 r verified 20261103-091000-2");
        let target = |named| rollback_target(&config, &observed, Some(named)).map_err(|failure| failure.what);
        assert!(target("091000").is_err_and(|what| what.contains("matches 2 releases")));
        assert_eq!(target("20261103-091000"), first);
        assert!(target("20261103").is_err_and(|what| what.contains("matches 3 releases")));
    }
}
