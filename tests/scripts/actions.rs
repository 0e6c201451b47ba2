//! The record of what is done beside switches: bounded, whole after a torn line, and printed with the runs by `history`.

use super::*;

use shipit::observed::Observed;
use shipit::observed::history::History;

const RECORD: &str = concat!(
    "cd \"$1/.shipit\" && shift || exit 9\n",
    include_str!("../../src/remote/lib/actions.sh"),
    "record \"$@\"\n"
);

fn record(world: &World, words: &[&str]) {
    let root = world.root().display().to_string();
    let out = world.run(RECORD, &[&[root.as_str()], words].concat(), NO_FAULT);
    assert!(out.status.success(), "{out:?}");
}

#[test]
fn a_line_after_a_torn_one_is_whole_and_the_record_stays_short() {
    under_each_shell(|world| {
        let (now, before) = (world.state("actions"), world.state("actions.1"));
        fs::write(&now, "2026-05-03T10:00:00Z begin 1-1 ann restart acme.serv").unwrap();
        record(&world, &["did", "ann", "env", "set", "A"]);
        record(&world, &["begin", "2-2", "ann", "stop", "acme.service"]);
        record(&world, &["end", "2-2", "done"]);
        let history = |count: &str| {
            let out = world.script("history", &[count], NO_FAULT);
            assert!(said(&out).ends_with("whole\n"), "{out:?}");
            let deeds = History::parse(&out.stdout).deeds(&Observed::default());
            deeds.into_iter().map(|deed| deed.what).collect::<Vec<_>>()
        };
        assert_eq!(history("5"), ["stop", "env set"]);

        // The number of the last switch gives actions and switches in the same second an order.
        let ledger = world.state("ledger");
        fs::write(
            &ledger,
            "2026-05-03T10:00:00Z 7 r begin a command=deploy\n2026-05-03T10:00:00Z 7 r verified a\n2026-05-03T10:0",
        )
        .unwrap();
        record(&world, &["did", "ann", "env", "unset", "A"]);
        let out = world.script("history", &["5"], NO_FAULT);
        let deeds = History::parse(&out.stdout).deeds(&Observed::default());
        let epochs: Vec<_> = deeds
            .iter()
            .map(|deed| (deed.what.as_str(), deed.epoch, deed.names.len()))
            .collect();
        assert_eq!(epochs, [("env unset", 7, 1), ("stop", 1, 0), ("env set", 1, 1)]);

        fs::write(&now, "x".repeat(65_536)).unwrap();
        record(&world, &["did", "ann", "env", "set", "B"]);
        assert_eq!(fs::metadata(&before).unwrap().len(), 65_536);
        assert!(fs::metadata(&now).unwrap().len() < 100);
        assert_eq!(history("5"), ["env set"]);
        fs::write(&now, "y".repeat(70_000)).unwrap();
        record(&world, &["did", "ann", "env", "set", "C"]);
        assert_eq!(fs::metadata(&before).unwrap().len(), 70_000);
        let files = fs::read_dir(world.state("")).unwrap();
        let names = files.map(|file| file.unwrap().file_name().into_string().unwrap());
        assert_eq!(names.filter(|name| name.starts_with("actions")).count(), 2);
    });
}

/// Two at once: after the question how long the record is, and before the move, the other has moved it.
#[test]
fn a_record_that_another_has_moved_at_the_same_moment_is_not_replaced() {
    under_each_shell(|world| {
        let (now, before) = (world.state("actions"), world.state("actions.1"));
        fs::write(&now, "x".repeat(65_536)).unwrap();
        let wc = world.dir.path().join("real/wc");
        fs::remove_file(&wc).unwrap();
        let text =
            "#!/bin/sh\n/usr/bin/wc \"$@\"\n[ -e actions.1 ] || { mv actions actions.1; echo other >actions; }\n";
        fs::write(&wc, text).unwrap();
        fs::set_permissions(&wc, PermissionsExt::from_mode(0o755)).unwrap();
        record(&world, &["did", "ann", "env", "set", "A"]);
        assert_eq!(fs::metadata(&before).unwrap().len(), 65_536);
        let kept = fs::read_to_string(&now).unwrap();
        assert!(
            kept.starts_with("other\n") && kept.contains("did ann env set A"),
            "{kept}"
        );
    });
}
