//! How a file is answered: every problem, its place, the nearest key, an example.

use expect_test::expect;

use super::{SMALL, load, refused, refused_with, taken, with};

#[test]
fn all_problems_are_said_at_once_each_with_its_place() {
    let text = "app: acme\nhost: deploy@app.example.com\nsource: build\nkepe_releases: 5\nservices:\n  \
                - unit: acme.service\n    strategy: restrt\n  - unit: web\n    strategy: reload\n    \
                health: {url: 'http://127.0.0.1/', timeout: 30}\nprepare: ~\n";
    let failure = load(text).expect_err("it is refused");
    expect![[r#"
        error: deploy.yml has 5 problems
          why   deploy.yml:4:1: unknown key `kepe_releases`; did you mean `keep_releases`?
          in    4 | kepe_releases: 5
                  | ^
          why   deploy.yml:7:15: `strategy`: unknown strategy `restrt`; did you mean `restart`? Available: restart, reload, socket, handover, blue-green, rolling, canary, recreate
          in    7 |     strategy: restrt
                  |               ^
          why   deploy.yml:8:11: `unit`: `web` does not end in `.service` or `.socket`; write `web.service`
          in    8 |   - unit: web
                  |           ^
          why   deploy.yml:10:49: `timeout` must be a duration with a unit (ms, s, m, h), from 1s to 1h, not `30`; for example `timeout: 30s`
          in    10 |     health: {url: 'http://127.0.0.1/', timeout: 30}
                   |                                                 ^
          why   deploy.yml:11:10: `prepare` must be text, not nothing; for example `prepare: npm ci --omit=dev`, or omit the key
          in    11 | prepare: ~
                   |          ^
          next  shipit config example    # an example with every key"#]]
    .assert_eq(&failure.to_string());
}

#[test]
fn case_1_an_unknown_key_is_named_with_the_nearest_one() {
    refused(
        &format!("{SMALL}kepe: 5\n"),
        &["7:1: unknown key `kepe`; did you mean `keep_releases`?"],
    );
    refused(
        &format!("{SMALL}keep: 5\n"),
        &["7:1: unknown key `keep`; did you mean `keep_releases`?"],
    );
    refused(
        &format!("{SMALL}keep-releases: 5\n"),
        &["7:1: unknown key `keep-releases`; did you mean `keep_releases`?"],
    );
    refused(
        &format!("{SMALL}frobnicate: 5\n"),
        &[
            "7:1: unknown key `frobnicate`; deploy.yml accepts only app, host, host_key, root, source, build, exclude, allow_secrets, shared, prepare, link, migrate, routers, services, units, units_drift, run_as, keep_releases, verify, max_gap, max_failed, notify, hooks, environments",
        ],
    );
    refused(
        &format!("{SMALL}environments: {{a: {{hst: x}}}}\n"),
        &["7:20: unknown key `hst`; did you mean `host`?"],
    );
}

#[test]
fn case_2_a_wrong_type_is_answered_with_an_example() {
    refused(
        &with("keep_releases", "five"),
        &["7:16: `keep_releases` must be a whole number from 1 to 1000, not `five`; for example `keep_releases: 5`"],
    );
    refused(
        &with("services", "acme.service"),
        &[
            "4:11: `services` must be a list, not `acme.service`; for example `services: [{unit: acme.service, strategy: restart}]`",
        ],
    );
    refused(
        &with("services", "[acme.service]"),
        &[
            "4:12: a service must be a map with keys (unit, strategy, instances, ports, socket, router, bake, steps, hold, min_requests, start_timeout, health, trial), not `acme.service`",
        ],
    );
    refused(
        &with("build", "[make, all]"),
        &["7:8: `build` must be text, not a list; for example `build: make release`"],
    );
    refused(
        &with("hooks", "./x.sh"),
        &["7:8: `hooks` must be a map with keys (before_switch, after_switch, on_failure), not `./x.sh`"],
    );
    refused(
        "[app, acme]\n",
        &[
            "1:1: deploy.yml must be a map with keys (app, host, host_key, root, source, build, exclude, allow_secrets, shared, prepare, link, migrate, routers, services, units, units_drift, run_as, keep_releases, verify, max_gap, max_failed, notify, hooks, environments), not a list",
        ],
    );
    refused(
        "acme\n",
        &[
            "1:1: deploy.yml must be a map with keys (app, host, host_key, root, source, build, exclude, allow_secrets, shared, prepare, link, migrate, routers, services, units, units_drift, run_as, keep_releases, verify, max_gap, max_failed, notify, hooks, environments), not `acme`",
        ],
    );
}

#[test]
fn many_problems_are_cut_short() {
    let failure = load(&(0..500).map(|n| format!("x{n}: 1\n")).collect::<String>()).expect_err("refused");
    assert_eq!(failure.why.len(), 21);
    assert_eq!(failure.why[20], "… and 484 more");
}

#[test]
fn units_lie_below_the_file_and_have_a_usual_place() {
    use shipit::config::{UnitsDrift, UnitsNeed};
    let usual = taken(&with("keep_releases", "5")).units;
    assert!(usual.dir.ends_with("deploy/units"));
    assert_eq!((usual.need, usual.drift), (UnitsNeed::Usual, UnitsDrift::Warn));
    let text = with("units", "./ops/systemd/") + "units_drift: refuse\n";
    let written = taken(&text).units;
    assert!(written.dir.ends_with("ops/systemd"), "{:?}", written.dir);
    assert_eq!((written.need, written.drift), (UnitsNeed::Written, UnitsDrift::Refuse));
    for outside in ["../units", "/etc/systemd/system", ".", "~/units", "a/../../b"] {
        refused_with(
            &with("units", outside),
            &format!(
                "7:8: `units`: `{outside}` is not below the directory that contains deploy.yml; write one such as `deploy/units`"
            ),
        );
    }
    refused(
        &with("units_drift", "stop"),
        &["7:14: `units_drift`: `stop` is not one of refuse, warn, ignore"],
    );
}
