//! What `-e` chooses, and what is checked though nobody chose it.

use super::{SMALL, load_in, refused, taken, with};

#[test]
fn an_environment_lies_over_the_top() {
    let text = format!(
        "{SMALL}shared: {{dirs: [logs], files: [env]}}\nexclude: ['*.map']\nenvironments:\n  staging:\n    \
         host: s.example.com\n    shared: {{files: []}}\n    exclude: []\n  production: {{keep_releases: 9}}\n"
    );
    let staging = load_in(Some("staging"), text.as_bytes()).expect("staging");
    assert_eq!(staging.host.host, "s.example.com");
    assert_eq!(
        (
            staging.shared.dirs.len(),
            staging.shared.files.len(),
            staging.exclude.len()
        ),
        (1, 0, 0)
    );
    let production = load_in(Some("production"), text.as_bytes()).expect("production");
    assert_eq!((production.keep_releases, production.shared.files.len()), (9, 1));
    assert_eq!(taken(&text).keep_releases, 5, "without -e the top holds");

    // The mistake is on the command line, and so is what to type.
    let unknown = |name, text: &str| load_in(Some(name), text.as_bytes()).expect_err("unknown").to_string();
    expect_test::expect![[r#"
        error: deploy.yml has no environment `stagign`
          why   did you mean `staging`? Available: staging, production
          next  shipit -e staging"#]]
    .assert_eq(&unknown("stagign", &text));
    expect_test::expect![[r#"
        error: deploy.yml has no environment `qa`
          why   available: staging, production"#]]
    .assert_eq(&unknown("qa", &text));
    expect_test::expect![[r#"
        error: deploy.yml has no environment `qa`
          why   it has no `environments`
          next  leave out -e, or add `environments` to deploy.yml"#]]
    .assert_eq(&unknown("qa", SMALL));
}

#[test]
fn what_stands_in_every_environment_need_not_stand_at_the_top() {
    let text = format!(
        "{}environments:\n  a: {{host: a.example.com}}\n  b: {{host: b.example.com}}\n",
        SMALL.replace("host: deploy@app.example.com\n", "")
    );
    assert_eq!(
        load_in(Some("b"), text.as_bytes()).expect("b").host.host,
        "b.example.com"
    );
    refused(
        &text,
        &[
            "1:1: `host` is missing; for example `host: deploy@app.example.com`",
            "1:1: some keys are set only under `environments`; choose an environment with -e: a, b",
        ],
    );
    let half = text.replace("{host: b.example.com}", "{keep_releases: 3}");
    let failure = load_in(Some("a"), half.as_bytes()).expect_err("b lacks a host");
    assert_eq!(
        failure.why,
        ["deploy.yml:8:6: `host` is missing; for example `host: deploy@app.example.com`"]
    );
}

#[test]
fn an_environment_that_is_not_asked_for_is_checked_as_well() {
    let text = with(
        "environments",
        "{staging: {root: /etc, keep_releases: 0}, prod: {environments: {}}, 'A b': {}, c: 5}",
    );
    refused(
        &text,
        &[
            "7:32: `root`: `/etc` is in the host's own `/etc`; give the app its own directory, such as `/opt/acme`",
            "7:53: `keep_releases` must be a whole number from 1 to 1000, not `0`; for example `keep_releases: 5`",
            "7:78: `environments` inside an environment; environments cannot be nested",
            "7:83: `A b` is not a valid environment name; use 1 to 31 characters from a-z, 0-9, `-` and `_`, with no `-` at the start",
            "7:97: environment `c` must be a map with keys (app, host, host_key, root, source, build, exclude, allow_secrets, shared, prepare, link, migrate, routers, services, units, units_drift, run_as, keep_releases, verify, max_gap, max_failed, notify, hooks, environments), not `5`",
        ],
    );
}
