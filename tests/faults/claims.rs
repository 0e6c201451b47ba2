//! What the last line of a run claims, compared with its host: outcome, live release, record. Returns what is false, so that
//! a campaign can collect it. Never here: a fault, or what follows one.

use shipit::observed::ledger::{Ledger, State};

use super::as_sent;
use crate::apps::ACME;
use crate::deploys::backups;
use crate::deploys::desk::{Ran, current};
use crate::lab::Host;

/// The first claim that the host contradicts. `good` is the outcome of exit 0, `before` the release that was live before,
/// and `struck` what was struck meanwhile. For a host without a request.
pub(super) fn contradicted(host: &Host, ran: &Ran, good: &str, before: &str, struck: &str) -> Result<(), String> {
    let ended = ran.last().ok_or("no last event")?;
    let word = |key: &str| ended[key].as_str().unwrap_or("").to_owned();
    let (release, live) = (word("release"), current(host));
    let record = record(host);
    let state = record.state(&release);
    let code = ran.code().ok_or("no exit code")?;
    let outcome = match code {
        0 => good,
        1 => "failed",
        3 => "reverted",
        4 => "degraded",
        5 => "locked",
        6 => "unreachable",
        7 => "unknown",
        _ => "an exit code that no switch has",
    };
    // The host's own word, unless it could not read the symlink.
    let unread = word("live").is_empty() && (![0, 3].contains(&code) || struck.contains(" readlink "));
    let (went_live, went_back) = (code == 0 && ["deployed", "rolled_back"].contains(&good), code == 3);
    let published = || host.root(&format!("test -d /opt/acme/releases/{release}")).success();
    for (holds, what) in [
        (ended["exit"] == code, "exit"),
        (word("outcome") == outcome, "outcome"),
        (ended["cause"].is_null() == (code == 0), "cause"),
        ([6, 7].contains(&code) || unread || word("live") == live, "live"),
        (!(went_live || went_back) || word("previous") == before, "previous"),
        (!went_live || release == live, "the release is not live"),
        (
            !went_back || state == Some(State::Failed),
            "what was reverted is not recorded as failed",
        ),
        (
            live.is_empty() || record.state(&live) == Some(State::Verified),
            "what is live is not recorded as verified",
        ),
        (
            outcome != "staged" || state == Some(State::Staged) && published(),
            "the release is not staged",
        ),
    ] {
        if !holds {
            let ledger: Vec<_> = record.entries.iter().rev().take(12).collect();
            return Err(format!(
                "{what}: {before:?} was live, {live:?} is, {ended}, in reverse {ledger:?}"
            ));
        }
    }
    let files = as_sent(host);
    if !files.success() {
        return Err(format!("a release is not as it was sent: {}", files.stdout));
    }
    Ok(())
}

/// The migration of that version ran at least and at most so often, and after a whole dump of the database before it.
pub(super) fn migrated(host: &Host, version: &str, (least, most): (usize, usize)) -> Result<(), String> {
    let ran = ACME.migrations(host);
    let times = ran.iter().filter(|noted| *noted == version).count();
    if times > most || times < least {
        return Err(format!("the migration of {version} ran {times} times"));
    }
    let before = ran.iter().rposition(|noted| noted == version);
    let dump = backups::notes(host).into_iter().rfind(|note| note.starts_with("whole"));
    match (before, dump) {
        (Some(before), dump) if dump != Some(format!("whole {before}")) => Err(format!(
            "{before} migrations came before the one of {version}, and the dump is {dump:?}"
        )),
        _ => Ok(()),
    }
}

/// What the host recorded.
fn record(host: &Host) -> Ledger {
    let mut ledger = Ledger::default();
    let text = host.root("cat /opt/acme/.shipit/ledger").stdout;
    text.lines().for_each(|line| ledger.push(line));
    ledger
}
