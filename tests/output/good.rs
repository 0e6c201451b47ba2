//! A deploy that goes well, on screens of several widths and in files. Never here: one that fails.

use super::*;

#[test]
fn a_good_deploy_is_a_line_for_each_part_and_ends_with_what_is_live() {
    people(
        &good(),
        Loudness::Normal,
        false,
        &expect![[r#"
            deploy acme on deploy@example.org
              commit     1a2b3c4 Greet twice\x1b[2J (main, with uncommitted changes in app.js and 2 other files)
              built      0.42s
              sent       1.26s  100 B of 39.9 MB
              prepared   0.84s
              warning: acme.service differs in TimeoutStopSec from the unit in the repository
              migrated   0.42s  acme-migrate.service
              switched   1.68s  acme.service
              healthy    0.84s  acme.service
              downtime    none  no request failed; the longest wait was 0.04s (70 probes)
              pruned     0.42s  20260401-120000, 20260402-120000
              host              prune 20260301-120000 is in use by process 12, of ann: kept
              ran        0.42s  after_switch
            deployed 20260503-094502: live and verified in 4.20s (live after 0.90s)
            next: shipit rollback
        "#]],
    );
}

#[test]
fn verbose_is_a_line_a_step_and_every_line_of_output() {
    people(
        &good(),
        Loudness::Verbose,
        false,
        &expect![[r#"
            deploy acme on deploy@example.org
              commit     1a2b3c4 Greet twice\x1b[2J (main, with uncommitted changes in app.js and 2 other files)
                build: compiling \x1b[31mred\x1b[0m
              ok         0.42s  build
              ok         0.42s  send
              ok         0.42s  verify
              ok         0.42s  link
              ok         0.42s  prepare
              ok         0.42s  publish
              warning: acme.service differs in TimeoutStopSec from the unit in the repository
              ok         0.42s  baseline acme.service
              ok         0.42s  migrate acme-migrate.service
              ok         0.42s  measure
              ok         0.42s  flip 20260503-094502
              ok         0.42s  restart acme.service
              ok         0.42s  await acme.service
              ok         0.42s  confirm
                host: prune 20260301-120000 is in use by process 12, of ann: kept
              ok         0.42s  prune: 20260401-120000, 20260402-120000
              ok         0.42s  spare
              ok         0.42s  after_switch
            deployed 20260503-094502: live and verified in 4.20s (live after 0.90s), sent 100 B of 39.9 MB
            downtime: no request failed; the longest wait was 0.04s (70 probes)
            next: shipit rollback
        "#]],
    );
}

#[test]
fn a_good_deploy_fits_narrow_and_wide_screens() {
    on(
        &good(),
        columns(40),
        Loudness::Normal,
        false,
        &expect![[r#"
            deploy acme on deploy@example.org
              commit     1a2b3c4 Greet twice\x1b[2J
                         (main, with uncommitted
                         changes in app.js and 2
                         other files)
              built      0.42s
              sent       1.26s  100 B of 39.9 MB
              prepared   0.84s
              warning: acme.service differs in
                       TimeoutStopSec from the unit
                       in the repository
              migrated   0.42s  acme-migrate.service
              switched   1.68s  acme.service
              healthy    0.84s  acme.service
              downtime    none  no request failed;
                                the longest wait was
                                0.04s (70 probes)
              pruned     0.42s  20260401-120000,
                                20260402-120000
              host              prune
                                20260301-120000 is
                                in use by process
                                12, of ann: kept
              ran        0.42s  after_switch
            deployed 20260503-094502: live and
              verified in 4.20s (live after 0.90s)
            next: shipit rollback
        "#]],
    );
    on(
        &good(),
        columns(80),
        Loudness::Normal,
        true,
        &expect![[r#"
            <ESC>[1mdeploy acme on deploy@example.org<ESC>[0m
              commit     1a2b3c4 Greet twice\x1b[2J (main, with uncommitted changes in
                         app.js and 2 other files)
              <ESC>[32mbuilt    <ESC>[0m  0.42s
              <ESC>[32msent     <ESC>[0m  1.26s  100 B of 39.9 MB
              <ESC>[32mprepared <ESC>[0m  0.84s
              <ESC>[33mwarning<ESC>[0m: acme.service differs in TimeoutStopSec from the unit in the
                       repository
              <ESC>[32mmigrated <ESC>[0m  0.42s  acme-migrate.service
              <ESC>[32mswitched <ESC>[0m  1.68s  acme.service
              <ESC>[32mhealthy  <ESC>[0m  0.84s  acme.service
              <ESC>[32mdowntime <ESC>[0m   none  no request failed; the longest wait was 0.04s (70 probes)
              <ESC>[32mpruned   <ESC>[0m  0.42s  20260401-120000, 20260402-120000
              host              prune 20260301-120000 is in use by process 12, of ann: kept
              <ESC>[32mran      <ESC>[0m  0.42s  after_switch
            <ESC>[1mdeployed 20260503-094502: live and verified in 4.20s (live after 0.90s)<ESC>[0m
            next: shipit rollback
        "#]],
    );
    on(
        &good(),
        columns(120),
        Loudness::Normal,
        false,
        &expect![[r#"
            deploy acme on deploy@example.org
              commit     1a2b3c4 Greet twice\x1b[2J (main, with uncommitted changes in app.js and 2 other files)
              built      0.42s
              sent       1.26s  100 B of 39.9 MB
              prepared   0.84s
              warning: acme.service differs in TimeoutStopSec from the unit in the repository
              migrated   0.42s  acme-migrate.service
              switched   1.68s  acme.service
              healthy    0.84s  acme.service
              downtime    none  no request failed; the longest wait was 0.04s (70 probes)
              pruned     0.42s  20260401-120000, 20260402-120000
              host              prune 20260301-120000 is in use by process 12, of ann: kept
              ran        0.42s  after_switch
            deployed 20260503-094502: live and verified in 4.20s (live after 0.90s)
            next: shipit rollback
        "#]],
    );
}

#[test]
fn quiet_says_only_what_went_wrong_and_the_end() {
    people(
        &good(),
        Loudness::Quiet,
        false,
        &expect![[r#"
              warning: acme.service differs in TimeoutStopSec from the unit in the repository
            deployed 20260503-094502: live and verified in 4.20s (live after 0.90s)
        "#]],
    );
    people(
        &bad(),
        Loudness::Quiet,
        false,
        &expect![[r#"
              failed     0.42s  await acme.service: acme.service stopped running
                held back until it fails
            downtime: no request failed; the longest wait was 0.04s (70 probes)
            error: 20260503-094502 failed and was reverted
              why   acme.service stopped running\x1b]0;title\x07
              host  acme runs 20260501-120000, verified again
              next  shipit logs
        "#]],
    );
}
