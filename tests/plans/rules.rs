//! The rules that decide between two plans, each at the edge where it would be missed: what is asked first, what is
//! remembered, what is kept. No whole plan is compared here.

use super::*;
use shipit::engine::setup::Layout;
use shipit::engine::withheld::Withheld;
use shipit::failure::Failure;

fn planned(yml: &str, more: &str, goal: &Goal) -> Result<Plan, Failure> {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("deploy.yml");
    std::fs::write(&file, format!("{BASE}{yml}")).unwrap();
    let config = config::load(&file, None).unwrap();
    plan(&config, &facts(&format!("{THREE}{more}")), goal)
}

fn names(steps: &[Step]) -> Vec<&'static str> {
    steps.iter().map(|step| step.kind().word()).collect()
}

fn back_to(release: &str) -> Goal {
    Goal::Rollback {
        to: Some(release.into()),
    }
}

#[test]
fn the_live_release_is_asked_first_only_while_its_word_counts() {
    let asked = |more: &str, goal: &Goal| {
        let plan = planned(SERVICE, more, goal).unwrap();
        names(&plan.switch).contains(&"baseline")
    };
    assert!(asked("", &deploy("d")));
    // It is the one that is to be restarted: it may be down for that very reason.
    assert!(!asked("", &deploy("c")));
    // Nobody has confirmed it, or the host could not revert to it whole.
    assert!(!asked("ledger t 4 r failed c\n", &deploy("d")));
    assert!(!asked("degraded r\n", &deploy("d")));
    let waived = Goal::Deploy {
        release: "d".into(),
        migration: Migration::Ask,
        baseline: Baseline::Waived,
    };
    assert!(!asked("", &waived) && !asked("", &back_to("b")));
}

#[test]
fn a_sound_release_is_left_when_it_was_rolled_back_from_and_not_when_the_way_led_forward() {
    let left = |more: &str, goal: &Goal| {
        let plan = planned(SERVICE, more, goal).unwrap();
        names(&plan.settle).contains(&"left")
    };
    assert!(left("", &back_to("a")));
    assert!(!left("current link releases/a\n", &back_to("c")));
    assert!(!left("current link releases/a\n", &deploy("c")));
    // What failed stays failed, and what is unknown to shipit stays unknown.
    assert!(!left("ledger t 4 r failed c\n", &back_to("b")));
    assert!(!left("current link releases/x\nrelease x\n", &back_to("b")));
}

#[test]
fn services_turn_together_and_are_judged_when_all_have_turned() {
    let two = "services:\n  - {unit: acme.service, strategy: restart}\n  - {unit: work.service, strategy: restart}\n";
    let more = "unit work.service LoadState=loaded\nunit work.service ActiveState=active\n";
    let plan = planned(two, more, &deploy("d")).unwrap();
    let turns = ["flip", "restart", "restart", "await", "await"];
    assert_eq!(names(&plan.switch)[..5], turns);
    assert_eq!(names(&plan.revert), turns);
}

#[test]
fn a_migration_that_did_not_succeed_never_runs_again_for_its_release() {
    let yml = format!("migrate: acme-migrate.service\n{SERVICE}");
    let again = |state: &str| {
        let more = format!("release d\nledger t 4 r staged d\nmigration d {state} r\n");
        planned(&yml, &more, &deploy("d"))
    };
    for state in ["failed", "interrupted", "started"] {
        let failure = again(state).unwrap_err();
        assert!(failure.what.contains("ran and failed"), "{state}: {failure}");
    }
    // One that did is the conductor's to skip, by its own record.
    assert!(names(&again("ok").unwrap().switch).contains(&"migrate"));
}

#[test]
fn the_unit_before_a_migration_runs_only_with_it() {
    let yml =
        format!("{BASE}migrate: {{unit: acme-migrate.service, before: acme-dump.service, timeout: 5s}}\n{SERVICE}");
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("deploy.yml");
    std::fs::write(&file, &yml).unwrap();
    let config = config::load(&file, None).unwrap();
    let steps = |more: &str, goal: &Goal| -> Vec<String> {
        let plan = plan(&config, &facts(&format!("{THREE}{more}")), goal).unwrap();
        let jobs = plan.switch.iter().map(Step::to_string);
        jobs.filter(|step| step.contains("acme-")).collect()
    };
    let (dump, migrate) = (
        "backup    acme-dump.service, at most 5s, before the migration",
        "migrate   acme-migrate.service, at most 5s, run from `next`",
    );
    assert_eq!(steps("", &deploy("d")), [dump, migrate]);
    let ran = "release d\nledger t 4 r staged d\nmigration d ok r\n";
    assert_eq!(steps(ran, &deploy("d")), [migrate], "it has migrated");
    let done = Goal::Deploy {
        release: "d".into(),
        migration: Migration::Done,
        baseline: Baseline::Required,
    };
    assert!(steps("", &done).is_empty());
    assert!(steps("", &Goal::Rollback { to: None }).is_empty());
    check(
        &yml,
        &facts(&format!("{THREE}unit acme-dump.service LoadState=not-found\n")),
        &deploy("d"),
        &expect![[r#"
            error: the host's units do not allow this deploy
              why   acme-dump.service does not exist on the host: write it to /etc/systemd/system, then `sudo systemctl daemon-reload`
              host  nothing changed
              next  shipit unit install --now --as root@example.org    # if this repository has the missing units
              next  shipit doctor"#]],
    );
}

#[test]
fn a_rollback_names_each_backup_since_and_none_that_a_later_one_replaced() {
    let since = |places: [&str; 2]| {
        let more = format!(
            "migration b ok r\nbackup b {}\nmigration c ok r\nbackup c {}\nmigration a ok r\nbackup a /of/a\n",
            places[0], places[1]
        );
        planned(SERVICE, &more, &back_to("a")).unwrap().warnings
    };
    let of = |id: &str, place: &str| format!("the backup from before the migration of {id}: {place}");
    assert_eq!(since(["/one", "/two"])[1..], [of("b", "/one"), of("c", "/two")]);
    assert_eq!(since(["/one", "/one"])[1..], [of("c", "/one")]);
}

#[test]
fn what_is_live_or_may_still_run_is_never_pruned() {
    let yml = format!("keep_releases: 1\n{SERVICE}");
    let pruned = |more: &str, goal: &Goal| prunes(&planned(&yml, more, goal).unwrap()).to_vec();
    // With `next` there is always one to go back to.
    assert_eq!(pruned("", &deploy("d")), ["a", "b"]);
    // The oldest is live: it has left the newest ones, and is what a failed switch goes back to.
    assert_eq!(pruned("current link releases/a\n", &deploy("d")), ["b"]);
    assert_eq!(pruned("current link releases/a\n", &Goal::Prune), ["b"]);
    // A process that began while `a` was live, and was only reloaded since, still runs from it.
    let reloaded = "ledger 2026-01-01T10:00:00Z 1 r live a\nledger 2026-01-02T10:00:00Z 3 r live c\n\
        unit acme.service ExecMainStartTimestamp=Thu 2026-01-01 10:00:01 UTC\n";
    assert_eq!(pruned(reloaded, &deploy("d")), ["b"]);
    // What the ledger has never heard of is somebody else's.
    assert_eq!(pruned("release strange\n", &deploy("d")), ["a", "b"]);
}

#[test]
fn what_a_user_left_stays_like_a_verified_release_and_never_instead_of_the_one_to_go_back_to() {
    // An earlier conductor wrote `bad`.
    for word in ["left", "bad"] {
        let left =
            format!("release d\nrelease e\nledger t 4 r verified d\nledger t 5 r {word} d\nledger t 6 r failed e\n");
        let pruned = |keep: u32| {
            let yml = format!("keep_releases: {keep}\n{SERVICE}");
            prunes(&planned(&yml, &left, &deploy("f")).unwrap()).to_vec()
        };
        // `e` failed last, and is kept beside the others.
        assert_eq!(pruned(4), ["a"], "{word}");
        assert_eq!(pruned(2), ["a", "b"], "{word}");
        assert_eq!(pruned(1), ["a", "b", "d"], "{word}");
    }
}

/// Nobody's deploy depends on who is notified of it.
#[test]
fn a_template_that_may_not_be_started_at_will_refuses_no_deploy_and_root_needs_no_permission() {
    const TEMPLATE: &str = "acme-notify@.service";
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("deploy.yml");
    std::fs::write(&file, format!("{BASE}{SERVICE}notify: {TEMPLATE}\n")).unwrap();
    let config = config::load(&file, None).unwrap();
    let layout = |user: &str, units: &[&str]| {
        let withheld = |unit: &&str| Withheld {
            unit: (*unit).to_owned(),
            why: "a reason".into(),
        };
        Layout::new(
            &config,
            user.into(),
            "acme".into(),
            units.iter().map(withheld).collect(),
        )
    };
    let alone = layout("deploy", &[TEMPLATE]);
    assert!(alone.guard.notify.is_none() && !alone.guard.sudo_rule.contains(TEMPLATE));
    assert_eq!(alone.refused().count(), 0);
    let both = layout("deploy", &[TEMPLATE, "acme.service"]);
    let refused: Vec<_> = both.refused().map(|one| one.unit.as_str()).collect();
    assert_eq!(refused, ["acme.service"]);
    let root = layout("root", &[TEMPLATE, "acme.service"]);
    assert!(root.guard.notify.is_some() && root.refused().next().is_none());
}
