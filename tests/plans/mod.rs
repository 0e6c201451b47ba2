//! Plans as text: a deploy.yml and the facts of a host in, the plan that `shipit plan` shows out. No host.

mod blue_green;
mod first;
mod instances;
mod rolling;
mod rules;
mod trials;

use std::process::Command;

use expect_test::{Expect, expect};
use shipit::config;
use shipit::observed::Observed;
use shipit::plan::{Baseline, Goal, Migration, Plan, explain::explain, plan};
use shipit::step::Step;

const BASE: &str = "app: acme\nhost: deploy@example.org\nsource: .\n";
const SERVICE: &str =
    "services:\n  - unit: acme.service\n    strategy: socket\n    health: {url: 'http://127.0.0.1:8080/'}\n";

fn facts(more: &str) -> Observed {
    let mut text = String::from(
        "systemd 252\nuid 1000\nuser deploy\nroot ready\nfree_kb 9000000\nunit shipit-acme.path ActiveState=active\n\
         unit acme.service LoadState=loaded\nunit acme.service ActiveState=active\nunit acme.service TriggeredBy=acme.socket\n\
         unit acme.service CanReload=no\nunit acme.socket LoadState=loaded\nunit acme.socket ActiveState=active\n",
    );
    text.push_str(more);
    Observed::parse(text.as_bytes())
}

/// Three verified releases, the newest of them live.
const THREE: &str = "current link releases/c\nrelease a\nrelease b\nrelease c\n\
    ledger t 1 r staged a\nledger t 1 r verified a\nledger t 2 r staged b\nledger t 2 r verified b\n\
    ledger t 3 r staged c\nledger t 3 r begin c\nledger t 3 r verified c\n";

fn check(yml: &str, observed: &Observed, goal: &Goal, expected: &Expect) {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("deploy.yml");
    std::fs::write(&file, yml).unwrap();
    let config = config::load(&file, None).unwrap();
    let said = match plan(&config, observed, goal) {
        Ok(plan) => explain(&plan),
        Err(failure) => failure.to_string(),
    };
    expected.assert_eq(&said);
}

fn deploy(release: &str) -> Goal {
    Goal::Deploy {
        release: release.into(),
        migration: Migration::Ask,
        baseline: Baseline::Required,
    }
}

#[test]
fn a_deploy_turns_first_and_judges_after() {
    check(
        &format!("{BASE}migrate: acme-migrate.service\nkeep_releases: 2\n{SERVICE}"),
        &facts(THREE),
        &deploy("d"),
        &expect![[r#"
            deploy c -> d

            switch (the host runs it by itself)
              baseline  acme.service: http://127.0.0.1:8080/ healthy within 5s before anything changes, if it is running
              migrate   acme-migrate.service, at most 600s, run from `next`
              measure   http://127.0.0.1:8080/ every 50 ms
              flip      current -> releases/d
              socket    restart acme.service while acme.socket holds the port
              await     acme.service: active within 30s, http://127.0.0.1:8080/ healthy 3 times in a row within 30s, stable for 3s
              confirm   no automatic revert after this

            revert (if a step fails after the flip began)
              flip      current -> releases/c
              socket    restart acme.service while acme.socket holds the port
              await     acme.service: active within 30s, http://127.0.0.1:8080/ healthy 3 times in a row within 30s, stable for 3s

            settle (after the confirmation)
              prune     a b
              spare     reserve disk space for the next rollback
        "#]],
    );
}

#[test]
fn a_first_deploy_has_a_way_back_to_nothing() {
    check(
        &format!("{BASE}{SERVICE}"),
        &facts("current absent\n"),
        &deploy("a"),
        &expect![[r#"
            deploy (nothing) -> a

            switch (the host runs it by itself)
              flip      current -> releases/a
              socket    restart acme.service while acme.socket holds the port
              await     acme.service: active within 30s, http://127.0.0.1:8080/ healthy 3 times in a row within 30s, stable for 3s
              confirm   no automatic revert after this

            revert (if a step fails after the flip began)
              flip      remove `current`: it did not exist before
              stop      acme.service

            settle (after the confirmation)
              spare     reserve disk space for the next rollback

            warning: first deploy: there is no release to revert to; if it fails, `current` is removed and the services are stopped
        "#]],
    );
}

#[test]
fn a_rollback_goes_to_the_newest_verified_one_before_and_remembers_what_it_left() {
    check(
        &format!("{BASE}{SERVICE}"),
        &facts(THREE),
        &Goal::Rollback { to: None },
        &expect![[r#"
            rollback c -> b

            switch (the host runs it by itself)
              measure   http://127.0.0.1:8080/ every 50 ms
              flip      current -> releases/b
              socket    restart acme.service while acme.socket holds the port
              await     acme.service: active within 30s, http://127.0.0.1:8080/ healthy 3 times in a row within 30s, stable for 3s
              confirm   no automatic revert after this

            revert (if a step fails after the flip began)
              flip      current -> releases/c
              socket    restart acme.service while acme.socket holds the port
              await     acme.service: active within 30s, http://127.0.0.1:8080/ healthy 3 times in a row within 30s, stable for 3s

            settle (after the confirmation)
              left      record that a user rolled back from c
              spare     reserve disk space for the next rollback
        "#]],
    );
}

#[test]
fn a_rollback_across_a_migration_says_so() {
    let observed = facts(&format!("{THREE}migration c ok r\nbackup c /dumps/\u{1b}[1m of c\n"));
    check(
        &format!("{BASE}{SERVICE}"),
        &observed,
        &Goal::Rollback { to: None },
        &expect![[r#"
            rollback c -> b

            switch (the host runs it by itself)
              measure   http://127.0.0.1:8080/ every 50 ms
              flip      current -> releases/b
              socket    restart acme.service while acme.socket holds the port
              await     acme.service: active within 30s, http://127.0.0.1:8080/ healthy 3 times in a row within 30s, stable for 3s
              confirm   no automatic revert after this

            revert (if a step fails after the flip began)
              flip      current -> releases/c
              socket    restart acme.service while acme.socket holds the port
              await     acme.service: active within 30s, http://127.0.0.1:8080/ healthy 3 times in a row within 30s, stable for 3s

            settle (after the confirmation)
              left      record that a user rolled back from c
              spare     reserve disk space for the next rollback

            warning: c migrated the database after b; a rollback does not undo migrations: the schema stays

            warning: the backup from before the migration of c: /dumps/\x1b[1m of c
        "#]],
    );
}

#[test]
fn a_second_rollback_goes_further_back() {
    let observed = facts(&format!(
        "{THREE}current link releases/b\nledger t 4 r left c\nledger t 4 r verified b\n"
    ));
    check(
        &format!("{BASE}{SERVICE}"),
        &observed,
        &Goal::Rollback { to: None },
        &expect![[r#"
            rollback b -> a

            switch (the host runs it by itself)
              measure   http://127.0.0.1:8080/ every 50 ms
              flip      current -> releases/a
              socket    restart acme.service while acme.socket holds the port
              await     acme.service: active within 30s, http://127.0.0.1:8080/ healthy 3 times in a row within 30s, stable for 3s
              confirm   no automatic revert after this

            revert (if a step fails after the flip began)
              flip      current -> releases/b
              socket    restart acme.service while acme.socket holds the port
              await     acme.service: active within 30s, http://127.0.0.1:8080/ healthy 3 times in a row within 30s, stable for 3s

            settle (after the confirmation)
              left      record that a user rolled back from b
              spare     reserve disk space for the next rollback
        "#]],
    );
}

#[test]
fn a_rollback_without_an_older_verified_release_lists_what_there_is() {
    let observed =
        facts("current link releases/a\nrelease a\nledger t 1 r verified a\nrelease b\nledger t 1 r failed b\n");
    check(
        &format!("{BASE}{SERVICE}"),
        &observed,
        &Goal::Rollback { to: None },
        &expect![[r#"
            error: there is no verified release older than a to roll back to
              host  acme runs a; nothing changed
              next  shipit releases"#]],
    );
}

#[test]
fn all_that_a_host_lacks_is_named_at_once() {
    let observed = Observed::parse(b"missing flock\nmissing curl\nsystemd 240\nuser deploy\nuid 1\nroot absent\nsudo_tried 1 0\nsudo_output sudo: a password is required\nsudo_entry\nsudo_as ALL\nsudo_command ALL\n");
    check(
        &format!("{BASE}{SERVICE}"),
        &observed,
        &deploy("a"),
        &expect![[r#"
            error: the host is not ready for acme
              why   the host has no `flock`
              why   the host has no `curl`
              why   systemd 240 is too old: 247 or later is required
              why   /opt/acme does not exist
              why   the guard shipit-acme.path is not active: nothing would run the switch
              why   sudo does not let deploy run shipit's lines without a password: the rule `(ALL) ALL` takes precedence
              host  nothing changed
              next  shipit setup --as root@example.org"#]],
    );
}

#[test]
fn a_strategy_that_the_units_cannot_carry_is_refused_with_the_line_to_add() {
    let observed = facts("current link releases/c\nunit acme.socket ActiveState=inactive\n");
    check(
        &format!("{BASE}{SERVICE}"),
        &observed,
        &deploy("d"),
        &expect![[r#"
            error: the host's units do not allow this deploy
              why   acme.socket is not listening: `sudo systemctl enable --now acme.socket`
              host  nothing changed
              next  shipit unit install --now --as root@example.org    # if this repository has the missing units
              next  shipit doctor"#]],
    );
    let reload = SERVICE.replace("socket", "reload");
    check(
        &format!("{BASE}{reload}"),
        &facts(THREE),
        &deploy("d"),
        &expect![[r#"
            error: the host's units do not allow this deploy
              why   acme.service cannot reload: add `ExecReload=/bin/kill -HUP $MAINPID` under [Service] (and a handler in the app), then `sudo systemctl daemon-reload`
              host  nothing changed
              next  shipit unit install --now --as root@example.org    # if this repository has the missing units
              next  shipit doctor"#]],
    );
}

#[test]
fn an_interrupted_migration_is_a_question() {
    let observed = facts(&format!(
        "{THREE}ledger t 4 r staged d\nledger t 4 r migrating d\nledger t 4 r interrupted d\n"
    ));
    check(
        &format!("{BASE}migrate: acme-migrate.service\n{SERVICE}"),
        &observed,
        &deploy("e"),
        &expect![[r#"
            error: the migration of d was interrupted; how far it got is unknown
              why   check the database and `journalctl -u acme-migrate.service`, then choose one
              host  this command changed nothing; changes that the migration made before it ended remain
              next  shipit deploy --migration done     # if it had finished
              next  shipit deploy --migration again    # if it is safe to run again"#]],
    );
}

#[test]
fn a_migration_that_the_host_does_not_have_is_refused_before_anything_is_sent() {
    let observed = facts(&format!("{THREE}unit acme-migrate.service LoadState=not-found\n"));
    check(
        &format!("{BASE}migrate: acme-migrate.service\n{SERVICE}"),
        &observed,
        &deploy("e"),
        &expect![[r#"
            error: the host's units do not allow this deploy
              why   acme-migrate.service does not exist on the host: write it to /etc/systemd/system, then `sudo systemctl daemon-reload`
              host  nothing changed
              next  shipit unit install --now --as root@example.org    # if this repository has the missing units
              next  shipit doctor"#]],
    );
}

#[test]
fn a_current_that_is_not_ours_is_shown_and_never_touched() {
    check(
        &format!("{BASE}{SERVICE}"),
        &facts("current directory\n"),
        &deploy("a"),
        &expect![[r#"
            error: /opt/acme/current is a directory
              why   shipit replaces `current` only if it is a symlink to `releases/RELEASE`, the form that shipit creates
              host  nothing changed
              next  ssh deploy@example.org mv -nT /opt/acme/current /opt/acme/current.old && shipit deploy    # keeps it as current.old; then runs a first deploy"#]],
    );
    check(
        &format!("{BASE}{SERVICE}"),
        &facts("current link /opt/acme/releases/a\nrelease a\n"),
        &deploy("a"),
        &expect![[r#"
            error: /opt/acme/current is a symlink to /opt/acme/releases/a
              why   shipit replaces `current` only if it is a symlink to `releases/RELEASE`, the form that shipit creates
              host  nothing changed
              next  ssh deploy@example.org ln -sfnT releases/a /opt/acme/current    # as shipit writes it; then `shipit restart`, if the app still runs another release"#]],
    );
}

#[test]
fn a_whole_name_that_is_gone_is_not_the_beginning_of_its_neighbour() {
    let observed = facts(
        "current link releases/20260503-094503\nrelease 20260503-094502-2\nrelease 20260503-094503\n\
         ledger t 1 r verified 20260503-094502-2\nledger t 2 r verified 20260503-094503\n",
    );
    check(
        &format!("{BASE}{SERVICE}"),
        &observed,
        &Goal::Rollback {
            to: Some("20260503-094502".into()),
        },
        &expect![[r#"
            error: release 20260503-094502 does not exist on the host
              why   verified releases on the host: 20260503-094502-2
              host  acme runs 20260503-094503; nothing changed
              next  shipit releases"#]],
    );
}

fn prunes(plan: &Plan) -> &[String] {
    let list = plan.settle.iter().find_map(|step| match step {
        Step::Prune(ids) => Some(ids.as_slice()),
        _ => None,
    });
    list.unwrap_or_default()
}

/// Three staged releases after the live one, and room for two.
#[test]
fn staged_releases_stay_as_long_as_verified_ones_and_do_not_go_without_a_word() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("deploy.yml");
    std::fs::write(&file, format!("{BASE}keep_releases: 2\n{SERVICE}")).unwrap();
    let config = config::load(&file, None).unwrap();
    let staged = "release d\nrelease e\nledger t 4 r staged d\nledger t 5 r staged e\n";
    let planned = |more: &str, goal: &Goal| {
        let observed = facts(&format!("{THREE}{staged}{more}"));
        plan(&config, &observed, goal).unwrap()
    };
    let told = |plan: &Plan| plan.warnings.iter().any(|text| text.contains("never live"));
    let two = planned("", &Goal::Prune);
    assert_eq!(prunes(&two), ["a"]);
    assert!(!told(&two));
    let three = "release f\nledger t 6 r staged f\n";
    // One of them goes live: it is no longer one that waits.
    assert_eq!(prunes(&planned(three, &deploy("d"))), ["a", "b"]);
    for goal in [Goal::Prune, deploy("g")] {
        let plan = planned(three, &goal);
        assert!(prunes(&plan).contains(&"d".to_owned()), "{:?}", prunes(&plan));
        assert!(told(&plan), "{:?}", plan.warnings);
    }
}
