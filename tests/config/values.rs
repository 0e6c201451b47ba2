//! Values that are dangerous on a host or mean nothing there.

use std::time::Duration;

use shipit::config::{self, Probe, Strategy};
use shipit::unit::environment;

use super::{SMALL, load_in, refused, refused_with, taken, with};

#[test]
fn a_small_file_gets_every_default() {
    let config = taken(SMALL);
    assert_eq!(config.root.as_str(), "/opt/acme");
    assert_eq!(config.keep_releases, 5);
    assert!(config.dir.is_absolute() && config.source == config.dir.join("build"));
    let service = &config.services[0];
    assert_eq!(
        (service.start_timeout, service.watch),
        (Duration::from_secs(30), Duration::from_secs(3))
    );
    assert_eq!((&service.socket, service.health()), (&None, None));
    assert!(config.warnings.is_empty(), "{:?}", config.warnings);
}

#[test]
fn the_example_means_what_its_comments_say() {
    let config = taken(config::EXAMPLE);
    let service = &config.services[0];
    assert_eq!(service.strategy, Strategy::Socket);
    assert_eq!(service.socket.as_ref().map(|name| name.as_str()), Some("acme.socket"));
    let health = service.health().expect("a health check");
    assert_eq!(
        health.check.probe,
        Probe::Http {
            url: "http://127.0.0.1:8080/healthz".into()
        }
    );
    assert_eq!(
        (health.check.status, health.successes, health.check.contains.as_deref()),
        (200, 3, Some("ok"))
    );
    let files: Vec<_> = config
        .shared
        .files
        .iter()
        .map(|file| (file.path.as_str(), file.optional))
        .collect();
    assert_eq!(files, [("env", false), ("config/local.yml", true)]);
    assert_eq!(
        config.migrate.as_ref().map(|migrate| migrate.timeout),
        Some(Duration::from_secs(600))
    );

    let staging = load_in(Some("staging"), config::EXAMPLE.as_bytes()).expect("staging loads");
    assert_eq!(staging.host.to_string(), "deploy@staging.example.com");
    assert_eq!(staging.keep_releases, 2);
    assert_eq!(
        staging.hooks.before_switch.as_deref(),
        Some("./smoke.sh"),
        "hooks are merged key by key"
    );
    assert_eq!(staging.hooks.on_failure.as_deref(), Some("./tell-the-team.sh"));
    assert_eq!(staging.environment.as_ref().map(|name| name.as_str()), Some("staging"));
}

#[test]
fn case_16_a_dangerous_root_is_refused() {
    let long = format!("/{}", "x".repeat(5000));
    for (root, words) in [
        ("/", "is the host's root directory"),
        ("//", "is the host's root directory"),
        ("/etc", "is in the host's own `/etc`"),
        ("/etc/acme", "is in the host's own `/etc`"),
        ("/usr/local/acme", "is in the host's own `/usr`"),
        ("/tmp/acme", "is in the host's own `/tmp`"),
        ("/run/acme", "is in the host's own `/run`"),
        ("/root/acme", "is in the host's own `/root`"),
        ("/var/tmp/acme", "empties automatically"),
        ("/opt", "use a directory under it, such as `/opt/acme`"),
        ("/var/lib", "use a directory under it"),
        (
            "/home/deploy",
            "is a user's home directory; use a directory under it, such as `/home/deploy/acme`",
        ),
        ("relative", "is relative; write an absolute path"),
        ("../acme", "is relative"),
        ("~/acme", "begins with `~`"),
        ("/srv/../etc", "contains a `.` or `..` component"),
        ("/srv/./acme", "contains a `.` or `..` component"),
        ("/srv//acme", "contains `//`"),
        ("//srv/acme", "contains `//`"),
        ("/opt/acme/", "ends in `/`; write `/opt/acme`"),
        ("/opt/a b", "contains a space"),
        ("/opt/$HOME", "contains `$`"),
        ("/opt/%i", "contains `%`"),
        ("/opt/a'b", "contains `'`"),
        ("/opt/a;b", "contains `;`"),
        ("/opt/größe", "contains `ö`"),
        (&long, "is 5001 bytes long; the limit is 200"),
    ] {
        refused_with(&with("root", &format!("\"{root}\"")), words);
    }
    for root in [
        "/opt/acme",
        "/srv/www/acme.example.com",
        "/home/deploy/acme",
        "/var/www/acme",
        "/data",
        "/var/lib/acme_2",
    ] {
        assert_eq!(taken(&with("root", root)).root.as_str(), root);
    }
}

#[test]
fn case_17_a_name_that_is_more_than_a_name_is_refused() {
    let long = "a".repeat(300);
    for (name, words) in [
        ("a/b", "contains `/`"),
        ("..", "contains `.`"),
        ("a b", "contains a space"),
        ("-rf", "begins with `-`"),
        ("%i", "contains `%`"),
        ("a@b", "contains `@`"),
        ("Acme", "contains `A`"),
        ("acme-boot", "ends in `-boot`"),
        (&long, "has 300 characters; an app name may have at most 31"),
    ] {
        refused_with(&with("app", &format!("\"{name}\"")), words);
    }
}

#[test]
fn case_18_a_unit_is_one_exact_name() {
    for (unit, words) in [
        ("app.service; reboot", "contains `;`"),
        ("../../x", "contains `/`"),
        ("app*", "is a pattern"),
        ("app@[12].service", "is a pattern"),
        ("acme", "write `acme.service`"),
        ("acme.timer", "does not end in `.service` or `.socket`"),
        (".service", "begins with a character"),
        ("-x.service", "begins with a character"),
        ("@1.service", "begins with a character"),
        (
            "acme@.service",
            "is a template; write the name of an instance, such as `acme@1.service`",
        ),
        ("a@b@c.service", "contains two `@`"),
        ("acme.socket", "is a socket; name the service"),
        ("shipit-acme.service", "is reserved for shipit's own units"),
        ("ssh.service", "is part of the host"),
        ("systemd-networkd.service", "is part of the host"),
        ("a%i.service", "contains `%`"),
        ("a\\\\x2db.service", "contains `\\`"),
    ] {
        refused_with(
            &with("services", &format!("[{{unit: \"{unit}\", strategy: restart}}]")),
            words,
        );
    }
    let instance = taken(&with("services", "[{unit: acme@1.service, strategy: socket}]"));
    assert_eq!(
        instance.services[0].socket.as_ref().map(|name| name.as_str()),
        Some("acme@1.socket")
    );
    refused_with(&with("migrate", "acme.socket"), "name the service");
    refused_with(
        &with("migrate", "acme.service"),
        "is the migration; it cannot also be a service",
    );
    refused_with(
        &with("migrate", "{unit: m.service, before: acme.service}"),
        "is `migrate.before`; it cannot also be a service",
    );
    refused_with(
        &with("migrate", "{unit: m.service, before: m.service}"),
        "`m.service` is the migration itself",
    );
    refused_with(
        &with("migrate", "{unit: m.service, before: acme.socket}"),
        "name the service",
    );
    let dump = |value: &str| {
        taken(&with("migrate", value))
            .migrate
            .and_then(|migrate| migrate.before)
    };
    assert_eq!(dump("m.service"), None);
    assert_eq!(dump("{unit: m.service}"), None);
    let before = dump("{unit: m.service, before: dump.service}");
    assert_eq!(before.as_ref().map(|unit| unit.as_str()), Some("dump.service"));
    let twice = "[{unit: a.service, strategy: reload}, {unit: a.service, strategy: restart}]";
    refused(&with("services", twice), &["4:56: `a.service` is listed twice"]);
}

#[test]
fn case_19_a_shared_path_stays_below_the_release_and_alone() {
    for (dirs, files, words) in [
        ("/var/log", "", "is absolute"),
        ("../logs", "", "contains a `.` or `..`"),
        ("a/../b", "", "contains a `.` or `..`"),
        (".", "", "contains a `.` or `..`"),
        ("logs/", "", "ends in `/`; write `logs`"),
        ("a//b", "", "contains `//`"),
        (".shipit/x", "", "is reserved for shipit"),
        ("''", "", "must be text"),
        ("logs?", "", "ends in `?`, which is only for files"),
        ("", "'?'", "is empty"),
        ("logs, logs", "", "`logs` is shared twice; the other is `logs` at"),
        ("logs", "logs", "is shared twice"),
        ("logs", "logs/app.log", "overlap"),
        ("a/b/c", "a/b", "overlap"),
        ("", "env, 'env?'", "is shared twice"),
    ] {
        refused_with(&with("shared", &format!("{{dirs: [{dirs}], files: [{files}]}}")), words);
    }
    let config = taken(&with("shared", "{dirs: [log, logs, a b], files: [log.txt, 'größe?']}"));
    assert_eq!(config.shared.paths().count(), 5);
}

#[test]
fn case_20_a_shipped_file_where_a_shared_path_is_can_be_told() {
    let shared = taken(&with("shared", "{dirs: [var/logs], files: [env]}")).shared;
    let hit = |path: &str| shared.collision(path.as_bytes()).map(|path| path.to_string());
    assert_eq!(hit("env").as_deref(), Some("env"));
    assert_eq!(hit("var/logs/today").as_deref(), Some("var/logs"));
    assert_eq!(
        hit("var").as_deref(),
        Some("var/logs"),
        "a file where the way should be"
    );
    assert_eq!(
        (hit("environment"), hit("var/logs2"), hit("src/env")),
        (None, None, None)
    );
}

#[test]
fn case_21_keep_releases_is_from_1_to_1000() {
    for number in ["0", "-1", "1001", "1000000000000", "99999999999999999999999"] {
        refused_with(
            &with("keep_releases", number),
            &format!("a whole number from 1 to 1000, not `{number}`"),
        );
    }
    assert_eq!(taken(&with("keep_releases", "1")).keep_releases, 1);
    assert_eq!(taken(&with("keep_releases", "1000")).keep_releases, 1000);
}

#[test]
fn case_22_a_host_is_never_an_option_or_a_command() {
    refused(
        &with("host", "\"-oProxyCommand=touch x\""),
        &[
            "6:7: `host`: `-oProxyCommand=touch x` begins with `-`, like an option; write a host such as `deploy@app.example.com`",
        ],
    );
    refused(
        &with("host", "\"a`id`b\""),
        &["6:7: `host`: `a`id`b` has a host with characters other than letters, digits and `. _ -`"],
    );
    refused(
        &with("host", "user@host@x"),
        &["6:7: `host`: `user@host@x` contains two `@`; write a host such as `deploy@app.example.com`"],
    );
    refused(
        &with("host", "\"deploy@2001:db8::1:99999\""),
        &["6:7: `host`: `deploy@2001:db8::1:99999` is not an IPv6 address; with a port, write `[2001:db8::1]:22`"],
    );
    let zone = taken(&with("host", "\"deploy@[fe80::1%eth0]:2222\"")).host;
    assert_eq!((zone.host.as_str(), zone.port), ("fe80::1%eth0", Some(2222)));
    refused_with(&with("host_key", "SHA256:short"), "is not a fingerprint");
    refused_with(&with("host_key", "\"MD5:aa:bb\""), "is not a fingerprint");
}

/// Which of them change how every program starts, and are refused for it, `days::env` shows on a host.
#[test]
fn case_24_a_variable_has_a_name() {
    for name in ["", "A-B", "a=b", "1A", "A B", "A\n", "Ä"] {
        assert!(!environment::is_name(name), "{name:?} was taken");
    }
    for name in ["LD_PRELOAD", "DATABASE_URL", "_x1"] {
        assert!(environment::is_name(name), "{name}");
    }
}

#[test]
fn recreate_is_another_name_for_restart() {
    let config = taken(&with("services", "[{unit: a.service, strategy: recreate}]"));
    assert_eq!(config.services[0].strategy, Strategy::Restart);
}

#[test]
fn unknown_strategies_and_keys_of_other_strategies_are_refused() {
    refused_with(
        &with("services", "[{unit: a@.service, strategy: canery}]"),
        "unknown strategy `canery`; did you mean `canary`? Available: restart, reload, socket, handover, blue-green, rolling, canary, recreate",
    );
    refused_with(
        &with("services", "[{unit: a.service, strategy: restart, socket: a.socket}]"),
        "only `strategy: socket`",
    );
    refused(
        &with("services", "[{unit: a.service}]"),
        &["4:12: `strategy` is missing; for example `strategy: restart`"],
    );
    assert!(
        taken(&with("services", "[]")).services.is_empty(),
        "static files need no service"
    );
}

#[test]
fn an_exclusion_is_a_glob() {
    refused_with(&with("exclude", "['a[']"), "is not a glob");
    refused_with(&with("exclude", "['!keep']"), "undo an exclusion");
    refused_with(&with("exclude", "['']"), "`exclude` must be text");
    for pattern in ["../x", "a//b", "/", "./", "a/./b"] {
        refused_with(
            &with("exclude", &format!("[{pattern}]")),
            "has an empty, `.` or `..` component",
        );
    }
    assert_eq!(taken(&with("exclude", "[/a, ./b/, 'c/**', '\\!d']")).exclude.len(), 4);
}
