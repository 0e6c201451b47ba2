//! The ledger at any length: of each release that is on the host, what became of it is known, and little else is sent.

use super::*;

use shipit::observed::Observed;
use shipit::observed::ledger::Ledger;

fn observed(world: &World) -> Observed {
    let out = world.script("observe", &["acme", "auto", "acme.service"], NO_FAULT);
    assert!(said(&out).ends_with("whole\n"), "{out:?}");
    Observed::parse(&out.stdout)
}

/// All of it, as it would be understood if it were sent.
fn all(text: &str) -> Ledger {
    let mut ledger = Ledger::default();
    text.lines().for_each(|line| ledger.push(line));
    ledger
}

fn assert_known(world: &World, text: &str) {
    fs::write(world.state("ledger"), text).unwrap();
    let seen = observed(world).ledger;
    let all = all(text);
    assert!(seen.entries.len() < 1000 + 7 * 40, "{}", seen.entries.len());
    assert_eq!(seen.epoch(), all.epoch());
    assert_eq!(seen.interrupted(), all.interrupted());
    let here: Vec<String> = fs::read_dir(world.root().join("releases"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    let order = |ledger: &Ledger| -> Vec<String> {
        let order = ledger.order().into_iter().map(str::to_owned);
        order.filter(|id| here.contains(id)).collect()
    };
    assert_eq!(order(&seen), order(&all));
    for id in &here {
        assert_eq!(seen.state(id), all.state(id), "{id}");
        assert_eq!(seen.verified_at(id), all.verified_at(id), "{id}");
    }
    let flip = |ledger: &Ledger, before: &str| {
        let flips = ledger.entries.iter().rev();
        let mut flips = flips.filter(|e| matches!(e.event.as_str(), "live" | "adopted") && e.at.as_str() <= before);
        flips.next().map(|e| e.release.clone())
    };
    for before in [STARTED, "9"] {
        assert_eq!(flip(&seen, before), flip(&all, before), "before {before}");
    }
}

/// When the service's process began: within the part of the ledger that is not sent.
const STARTED: &str = "2026-01-01T05:00:00Z";

#[test]
fn what_became_of_a_release_is_known_however_much_came_after_it() {
    under_each_shell(|world| {
        let shown = "ExecMainStartTimestamp=Thu 2026-01-01 05:00:00 UTC\n";
        fs::write(world.dir.path().join("units/acme.service/shown"), shown).unwrap();
        let ids: Vec<String> = (0..30).map(|n| format!("r{n}")).collect();
        for id in &ids {
            fs::create_dir(world.root().join("releases").join(id)).unwrap();
        }
        // No two ledgers alike, and each the same every time.
        let mut seed = 7_u64;
        let mut next = |below: u64| {
            seed = seed
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            (seed >> 33) % below
        };
        let events = [
            "staged",
            "begin",
            "migrating",
            "migrated",
            "interrupted",
            "live",
            "verified",
            "failed",
            "bad",
            "left",
            "reverted",
            "unswitched",
            "adopted",
        ];
        for lines in [0, 5, 900, 6000] {
            let mut text = String::new();
            for n in 0..lines {
                // Most of them belong to releases that are gone.
                let id = if next(4) == 0 {
                    ids[next(30) as usize].clone()
                } else {
                    format!("gone{n}")
                };
                let event = if id.starts_with("gone") && next(2) == 0 {
                    "gone"
                } else {
                    events[next(13) as usize]
                };
                let (hour, minute) = (n * 10 / lines.max(1), n % 60);
                let back = if event == "begin" && next(2) == 0 {
                    " command=rollback"
                } else {
                    ""
                };
                text += &format!(
                    "2026-01-01T{hour:02}:{minute:02}:00Z {} run{n} {event} {id}{back}\n",
                    n + 1
                );
            }
            assert_known(&world, &text);
            assert_known(&world, &(text + "2026-01-01T11:00:0"));
        }
    });
}

#[test]
fn of_twelve_hundred_adopted_releases_none_is_unknown() {
    let world = World::new(SHELLS[0]);
    let mut ledger = String::new();
    for n in 0..1200 {
        let id = format!("2025010112{n:04}");
        fs::create_dir(world.root().join("releases").join(&id)).unwrap();
        ledger += &format!("2026-01-01T00:00:00Z - - adopted {id}\n");
    }
    for n in 0..1195 {
        ledger += &format!("2026-01-02T00:00:00Z 1 run gone 2024010112{n:04}\n");
    }
    fs::write(world.state("ledger"), ledger).unwrap();
    let seen = observed(&world);
    let known = seen.releases.iter().filter(|id| seen.ledger.state(id).is_some());
    assert_eq!(known.count(), 1200);
    assert_eq!(seen.ledger.order().len(), 1200);
}

/// A ledger many times longer than the memory that awk may take: what is kept grows with the releases that are there,
/// not with those that were.
#[test]
fn a_long_ledger_is_read_in_constant_memory() {
    let world = World::new(SHELLS[0]);
    let mut ledger = String::from("2025-01-01T00:00:00Z 1 run0 verified old\n");
    for n in 0..200_000 {
        let run = format!("2025-01-02T00:00:00Z {n} 20250102-000000-{n:08x}");
        ledger += &format!("{run} begin gone{n} command=deploy\n{run} verified gone{n}\n{run} gone gone{n}\n");
    }
    assert!(ledger.len() > 30_000_000, "{}", ledger.len());
    fs::write(world.state("ledger"), ledger).unwrap();
    // KiB of address space; awk alone takes about 6,000 of them.
    let awk = fs::read_link(world.dir.path().join("real/awk")).unwrap();
    fs::remove_file(world.dir.path().join("real/awk")).unwrap();
    let bounded = format!("#!/bin/sh\nulimit -v 16000\nexec {} \"$@\"\n", awk.display());
    fs::write(world.dir.path().join("real/awk"), bounded).unwrap();
    fs::set_permissions(world.dir.path().join("real/awk"), PermissionsExt::from_mode(0o755)).unwrap();
    let seen = observed(&world);
    assert_eq!(seen.ledger.epoch(), 199_999);
    assert_eq!(seen.ledger.verified_at("old"), Some("2025-01-01T00:00:00Z"));
    // The bound bites: with each line kept, awk finds no room.
    let hoarder = Command::new(world.dir.path().join("real/awk"))
        .args(["{ kept[NR] = $0 }", world.state("ledger").to_str().unwrap()])
        .stderr(Stdio::null())
        .ends();
    assert!(!hoarder.status.success(), "{hoarder:?}");
}
