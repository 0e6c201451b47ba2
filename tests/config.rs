//! What belongs here: files that a person (or an enemy) could write as `deploy.yml`, and what shipit says to
//! them. Each test loads a real file and looks at the words.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use std::sync::mpsc;
use std::time::{Duration, Instant};

use expect_test::{Expect, expect};
use shipit::config::{self, Config, Probe, StrategyName, VariableName};
use shipit::failure::{Exit, Failure};

const SMALL: &str =
    "app: acme\nhost: deploy@app.example.com\nsource: build\nservices:\n  - unit: acme.service\n    strategy: restart\n";

fn load_in(environment: Option<&str>, bytes: &[u8]) -> Result<Config, Failure> {
    let dir = tempfile::tempdir().expect("a directory");
    let file = dir.path().join("deploy.yml");
    fs::write(&file, bytes).expect("the file is written");
    config::load(&file, environment).map_err(|mut failure| {
        assert_eq!(failure.exit, Exit::Usage);
        let shown = format!("{}/", dir.path().display());
        failure.what = failure.what.replace(&shown, "");
        failure.why = failure.why.iter().map(|why| why.replace(&shown, "")).collect();
        failure
    })
}

fn load(text: &str) -> Result<Config, Failure> {
    load_in(None, text.as_bytes())
}

/// The small config with one key more, or with another value for one it has.
fn with(key: &str, value: &str) -> String {
    let rest: Vec<&str> = match key {
        "services" => SMALL.lines().take(3).collect(),
        _ => SMALL.lines().filter(|line| !line.starts_with(&format!("{key}:"))).collect(),
    };
    format!("{}\n{key}: {value}\n", rest.join("\n"))
}

fn taken(text: &str) -> Config {
    load(text).unwrap_or_else(|failure| panic!("refused:\n{text}\n{failure}"))
}

/// The problems of a file, without the file's name.
#[track_caller]
fn problems(text: &str) -> Vec<String> {
    match load(text) {
        Ok(_) => panic!("taken:\n{text}"),
        Err(failure) => failure.why.iter().map(|why| why.replace("deploy.yml:", "")).collect(),
    }
}

#[track_caller]
fn refused(text: &str, expected: Expect) {
    expected.assert_eq(&problems(text).join("\n"));
}

/// Refused, with these words somewhere.
#[track_caller]
fn refused_with(text: &str, words: &str) {
    let all = problems(text).join("\n");
    assert!(all.contains(words), "expected {words:?} in:\n{all}\nof:\n{text}");
}

/// Runs something that must not hang.
fn within<T: Send + 'static>(limit: Duration, work: impl FnOnce() -> T + Send + 'static) -> T {
    let (sender, receiver) = mpsc::channel();
    std::thread::spawn(move || sender.send(work()));
    receiver.recv_timeout(limit).expect("it ends in time")
}

#[test]
fn a_small_file_gets_every_default() {
    let config = taken(SMALL);
    assert_eq!(config.root.as_str(), "/opt/acme");
    assert_eq!(config.keep_releases, 5);
    assert!(config.dir.is_absolute() && config.source == config.dir.join("build"));
    let service = &config.services[0];
    assert_eq!((service.start_timeout, service.watch), (Duration::from_secs(30), Duration::from_secs(3)));
    assert_eq!((&service.socket, &service.health), (&None, &None));
    assert!(config.warnings.is_empty(), "{:?}", config.warnings);
}

#[test]
fn the_example_means_what_its_comments_say() {
    let config = taken(config::EXAMPLE);
    let service = &config.services[0];
    assert_eq!(service.strategy, StrategyName::Socket);
    assert_eq!(service.socket.as_ref().map(AsRef::as_ref), Some("acme.socket"));
    let health = service.health.as_ref().expect("a health check");
    assert_eq!(health.probe, Probe::Http { url: "http://127.0.0.1:8080/healthz".into() });
    assert_eq!((health.status, health.successes, health.contains.as_deref()), (200, 3, Some("ok")));
    let files: Vec<_> = config.shared.files.iter().map(|file| (file.path.as_str(), file.optional)).collect();
    assert_eq!(files, [("env", false), ("config/local.yml", true)]);
    assert_eq!(config.migrate.as_ref().map(|migrate| migrate.timeout), Some(Duration::from_secs(600)));

    let staging = load_in(Some("staging"), config::EXAMPLE.as_bytes()).expect("staging loads");
    assert_eq!(staging.host.to_string(), "deploy@staging.example.com");
    assert_eq!(staging.keep_releases, 2);
    assert_eq!(staging.hooks.before_switch.as_deref(), Some("./smoke.sh"), "hooks are merged key by key");
    assert_eq!(staging.hooks.on_failure.as_deref(), Some("./tell-the-team.sh"));
    assert_eq!(staging.environment.as_ref().map(AsRef::as_ref), Some("staging"));
}

#[test]
fn all_problems_are_said_at_once_each_with_its_place() {
    let text = "app: acme\nhost: deploy@app.example.com\nsource: build\nkepe_releases: 5\nservices:\n  \
                - unit: acme.service\n    strategy: restrt\n  - unit: web\n    strategy: reload\n    \
                health: {url: 'http://127.0.0.1/', timeout: 30}\nprepare: ~\n";
    let failure = load(text).expect_err("it is refused");
    expect![[r#"
        error: deploy.yml has 5 problems
          why   deploy.yml:4:1: unknown key `kepe_releases`; did you mean `keep_releases`?
          why   deploy.yml:7:15: `strategy`: no strategy `restrt`; did you mean `restart`? There are: restart, reload, socket
          why   deploy.yml:8:11: `unit`: `web` has no `.service` or `.socket` at its end; write `web.service`
          why   deploy.yml:10:49: `timeout` wants a time with its unit (ms, s, m, h), from 1s to 1h, not `30`; for example `timeout: 30s`
          why   deploy.yml:11:10: `prepare` wants a text, not nothing; for example `prepare: npm ci --omit=dev`, or leave the key out
          next  shipit init --print     (or see deploy.example.yml)"#]]
    .assert_eq(&failure.to_string());
}

#[test]
fn case_1_an_unknown_key_is_named_with_the_nearest_one() {
    refused(&format!("{SMALL}kepe: 5\n"), expect![[r#""#]]);
    refused(&format!("{SMALL}keep: 5\n"), expect![[r#""#]]);
    refused(&format!("{SMALL}keep-releases: 5\n"), expect![[r#""#]]);
    refused(&format!("{SMALL}frobnicate: 5\n"), expect![[r#""#]]);
    refused(&format!("{SMALL}environments: {{a: {{hst: x}}}}\n"), expect![[r#""#]]);
}

#[test]
fn case_2_a_wrong_type_is_answered_with_an_example() {
    refused(&with("keep_releases", "five"), expect![[r#""#]]);
    refused(&with("services", "acme.service"), expect![[r#""#]]);
    refused(&with("services", "[acme.service]"), expect![[r#""#]]);
    refused(&with("build", "[make, all]"), expect![[r#""#]]);
    refused(&with("hooks", "./x.sh"), expect![[r#""#]]);
    refused("[app, acme]\n", expect![[r#""#]]);
    refused("acme\n", expect![[r#""#]]);
}

#[test]
fn case_3_a_tab_is_called_a_tab() {
    refused(&SMALL.replace("    strategy", "\tstrategy"), expect![[r#""#]]);
    refused(&SMALL.replace("    strategy", "    \tstrategy"), expect![[r#""#]]);
}

#[test]
fn case_4_and_5_a_duplicate_key_is_refused_at_any_depth() {
    refused(&format!("{SMALL}app: other\n"), expect![[r#""#]]);
    refused(&with("hooks", "{on_failure: a, on_failure: b}"), expect![[r#""#]]);
    refused(&with("hooks", "{on_failure: a, \"on_failure\": b}"), expect![[r#""#]]);
    let nested = "\n  staging: {host: a}\n  staging: {host: b}";
    refused(&with("environments", nested), expect![[r#""#]]);
}

#[test]
fn case_6_an_alias_bomb_is_refused_at_once() {
    let bomb = format!("{SMALL}build: &a {}\nexclude: [{}]\n", "x".repeat(100_000), "*a, ".repeat(20_000));
    let began = Instant::now();
    refused_with(&bomb, "an anchor (`&name`)");
    assert!(began.elapsed() < Duration::from_millis(500), "{:?}", began.elapsed());
}

#[test]
fn case_7_deep_nesting_is_refused_at_once() {
    for (open, words) in [
        ("[", "nested more than 16 deep"),
        ("{a: ", "nested more than 16 deep"),
        ("- ", "nested more than 16 deep"),
        ("? ", "as a key"),
        ("[? ", "as a key"),
        ("a: [{", ""),
    ] {
        let text = format!("exclude:\n  {}", open.repeat(100_000));
        let took = within(Duration::from_secs(20), move || {
            let began = Instant::now();
            refused_with(&text, words);
            began.elapsed()
        });
        assert!(took < Duration::from_millis(500), "{open:?} took {took:?}");
    }
    let stairs: String = (0..1000).map(|depth| format!("{}a:\n", " ".repeat(depth))).collect();
    refused_with(&stairs, "nested more than 16 deep");
}

#[test]
fn case_8_aliases_and_merge_keys_are_refused() {
    refused(&with("exclude", "&a [*a]"), expect![[r#""#]]);
    refused(&with("exclude", "[*a]"), expect![[r#""#]]);
    refused(&with("hooks", "{<<: {on_failure: a}}"), expect![[r#""#]]);
    refused(&format!("{SMALL}<<: {{build: make}}\n"), expect![[r#""#]]);
}

#[test]
fn case_9_a_second_document_is_refused() {
    refused(&format!("{SMALL}---\napp: other\n"), expect![[r#""#]]);
    assert_eq!(taken(&format!("---\n{SMALL}...\n")).app.as_str(), "acme");
}

#[test]
fn case_10_an_empty_file_lacks_what_is_needed() {
    for text in ["", "\n\n", "# nothing yet\n", "---\n"] {
        refused(text, expect![[r#""#]]);
    }
}

#[test]
fn case_11_a_byte_order_mark_and_crlf_are_taken() {
    let text = format!("\u{feff}{}", SMALL.replace('\n', "\r\n"));
    let config = taken(&text);
    assert_eq!((config.app.as_str(), config.services.len()), ("acme", 1));
    refused(&format!("\u{feff}{}kepe: 1\r\n", SMALL.replace('\n', "\r\n")), expect![[r#""#]]);
}

#[test]
fn case_12_what_cannot_be_seen_is_refused() {
    refused(&with("build", r#""a\0b""#), expect![[r#""#]]);
    refused(&with("build", r#""a\nb""#), expect![[r#""#]]);
    refused(&with("build", "|\n  make\n  make install\n"), expect![[r#""#]]);
    refused(&with("build", r#""a\eb""#), expect![[r#""#]]);
    refused(&with("build", "\"a\u{202e}b\""), expect![[r#""#]]);
    refused(&with("build", "\"a\u{200b}b\""), expect![[r#""#]]);
    refused(&with("build", "a\tb"), expect![[r#""#]]);
    refused(&format!("{SMALL}\"bu\\u0007ild\": x\n"), expect![[r#""#]]);
    for raw in ["\0", "\x1b", "\x7f", "\u{9b}"] {
        assert!(load(&with("build", &format!("a{raw}b"))).is_err(), "{raw:?} was taken");
    }
    assert_eq!(taken(&with("build", ">-\n  make\n  install\n")).build.as_deref(), Some("make install"));
}

#[test]
fn case_13_nothing_is_coerced() {
    for text in ["no", "yes", "on", "1.10", "010", "0x1f", "1e3", "true", "2026-05-03", "12:30:45", "NaN", ".inf"] {
        assert_eq!(taken(&with("build", text)).build.as_deref(), Some(text));
    }
    refused(&with("app", "NO"), expect![[r#""#]]);
    refused(&with("keep_releases", "010"), expect![[r#""#]]);
    refused(&with("keep_releases", "\"5\""), expect![[r#""#]]);
    for number in ["5.0", "0x5", "+5", "1_000", "5e0"] {
        refused_with(&with("keep_releases", number), "a whole number from 1 to 1000");
    }
    let health = |release: &str| {
        with("services", &format!("[{{unit: a.service, strategy: restart, health: {{tcp: 'a:1', release: {release}}}}}]"))
    };
    refused_with(&health("yes"), "`release` wants `true` or `false`, not `yes`");
}

#[test]
fn case_14_nothing_is_not_a_text() {
    for nothing in ["~", "", "null", "Null", "NULL", "''", "\"  \""] {
        refused_with(&with("app", nothing), "`app` wants a text, not");
    }
    refused(&with("app", "~"), expect![[r#""#]]);
    assert_eq!(taken(&with("build", "\"null\"")).build.as_deref(), Some("null"));
}

#[test]
fn case_15_tags_are_refused() {
    refused(&with("build", "!!python/object/apply:os.system [id]"), expect![[r#""#]]);
    refused(&with("keep_releases", "!!int 5"), expect![[r#""#]]);
    refused(&with("build", "! x"), expect![[r#""#]]);
    refused_with(&with("build", "!e!x y"), "not readable as YAML");
}

#[test]
fn case_16_a_dangerous_root_is_refused() {
    let long = format!("/{}", "x".repeat(5000));
    for (root, words) in [
        ("/", "is the whole host"),
        ("//", "is the whole host"),
        ("/etc", "is in the host's own `/etc`"),
        ("/etc/acme", "is in the host's own `/etc`"),
        ("/usr/local/acme", "is in the host's own `/usr`"),
        ("/tmp/acme", "is in the host's own `/tmp`"),
        ("/run/acme", "is in the host's own `/run`"),
        ("/root/acme", "is in the host's own `/root`"),
        ("/var/tmp/acme", "empties by itself"),
        ("/opt", "take a directory below it, like `/opt/acme`"),
        ("/var/lib", "take a directory below it"),
        ("/home/deploy", "is somebody's home directory; take a directory below it, like `/home/deploy/acme`"),
        ("relative", "is relative; a root begins with `/`"),
        ("../acme", "is relative"),
        ("~/acme", "begins with `~`"),
        ("/srv/../etc", "has `.` or `..` as a part"),
        ("/srv/./acme", "has `.` or `..` as a part"),
        ("/srv//acme", "has `//` in it"),
        ("//srv/acme", "has `//` in it"),
        ("/opt/acme/", "ends in `/`; write `/opt/acme`"),
        ("/opt/a b", "has a space in it"),
        ("/opt/$HOME", "has `$` in it"),
        ("/opt/%i", "has `%` in it"),
        ("/opt/a'b", "has `'` in it"),
        ("/opt/a;b", "has `;` in it"),
        ("/opt/größe", "has `ö` in it"),
        (&long, "has 5001 bytes; a root has at most 200"),
    ] {
        refused_with(&with("root", &format!("\"{root}\"")), words);
    }
    for root in ["/opt/acme", "/srv/www/acme.example.com", "/home/deploy/acme", "/var/www/acme", "/data", "/var/lib/acme_2"] {
        assert_eq!(taken(&with("root", root)).root.as_str(), root);
    }
}

#[test]
fn case_17_a_name_that_is_more_than_a_name_is_refused() {
    let long = "a".repeat(300);
    for (name, words) in [
        ("a/b", "has `/` in it"),
        ("..", "has `.` in it"),
        ("a b", "has a space in it"),
        ("-rf", "begins with `-`"),
        ("%i", "has `%` in it"),
        ("a@b", "has `@` in it"),
        ("Acme", "has `A` in it"),
        ("acme-boot", "ends in `-boot`"),
        (&long, "has 300 characters; an app's name has at most 31"),
    ] {
        refused_with(&with("app", &format!("\"{name}\"")), words);
    }
}

#[test]
fn case_18_a_unit_is_one_exact_name() {
    for (unit, words) in [
        ("app.service; reboot", "has `;` in it"),
        ("../../x", "has `/` in it"),
        ("app*", "is a pattern"),
        ("app@[12].service", "is a pattern"),
        ("acme", "write `acme.service`"),
        ("acme.timer", "has no `.service` or `.socket` at its end"),
        (".service", "begins with a character"),
        ("-x.service", "begins with a character"),
        ("@1.service", "begins with a character"),
        ("acme@.service", "is a template; name an instance of it, like `acme@1.service`"),
        ("a@b@c.service", "has two `@`"),
        ("acme.socket", "is a socket; name the service"),
        ("shipit-acme.service", "keeps for its own units"),
        ("ssh.service", "belongs to the host"),
        ("systemd-networkd.service", "belongs to the host"),
        ("a%i.service", "has `%` in it"),
        ("a\\\\x2db.service", "has `\\` in it"),
    ] {
        refused_with(&with("services", &format!("[{{unit: \"{unit}\", strategy: restart}}]")), words);
    }
    let instance = taken(&with("services", "[{unit: acme@1.service, strategy: socket}]"));
    assert_eq!(instance.services[0].socket.as_ref().map(AsRef::as_ref), Some("acme@1.socket"));
    refused_with(&with("migrate", "acme.socket"), "name the service");
    refused_with(&with("migrate", "acme.service"), "is the migration; it is no service");
    let twice = "[{unit: a.service, strategy: reload}, {unit: a.service, strategy: restart}]";
    refused(&with("services", twice), expect![[r#""#]]);
}

#[test]
fn case_19_a_shared_path_stays_below_the_release_and_alone() {
    for (dirs, files, words) in [
        ("/var/log", "", "is absolute"),
        ("../logs", "", "has `.` or `..`"),
        ("a/../b", "", "has `.` or `..`"),
        (".", "", "has `.` or `..`"),
        ("logs/", "", "ends in `/`; write `logs`"),
        ("a//b", "", "has `//`"),
        (".shipit/x", "", "is shipit's own"),
        ("''", "", "wants a text"),
        ("logs?", "", "ends in `?`, which is for files"),
        ("", "'?'", "is empty"),
        ("logs, logs", "", "`logs` is shared twice; the other is `logs` at"),
        ("logs", "logs", "is shared twice"),
        ("logs", "logs/app.log", "lie in one another"),
        ("a/b/c", "a/b", "lie in one another"),
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
    assert_eq!(hit("var").as_deref(), Some("var/logs"), "a file where the way should be");
    assert_eq!((hit("environment"), hit("var/logs2"), hit("src/env")), (None, None, None));
}

#[test]
fn case_21_keep_releases_is_from_1_to_1000() {
    for number in ["0", "-1", "1001", "1000000000000", "99999999999999999999999"] {
        refused_with(&with("keep_releases", number), &format!("a whole number from 1 to 1000, not `{number}`"));
    }
    assert_eq!(taken(&with("keep_releases", "1")).keep_releases, 1);
    assert_eq!(taken(&with("keep_releases", "1000")).keep_releases, 1000);
}

#[test]
fn case_22_a_host_is_never_an_option_or_a_command() {
    refused(&with("host", "\"-oProxyCommand=touch x\""), expect![[r#""#]]);
    refused(&with("host", "\"a`id`b\""), expect![[r#""#]]);
    refused(&with("host", "user@host@x"), expect![[r#""#]]);
    refused(&with("host", "\"deploy@2001:db8::1:99999\""), expect![[r#""#]]);
    let zone = taken(&with("host", "\"deploy@[fe80::1%eth0]:2222\"")).host;
    assert_eq!((zone.host.as_str(), zone.port), ("fe80::1%eth0", Some(2222)));
    refused_with(&with("host_key", "SHA256:short"), "is not a fingerprint");
    refused_with(&with("host_key", "\"MD5:aa:bb\""), "is not a fingerprint");
}

fn health(inner: &str) -> String {
    with("services", &format!("\n  - unit: a.service\n    strategy: restart\n    health: {{{inner}}}"))
}

#[test]
fn case_23_a_health_check_asks_the_app_and_nobody_else() {
    for (url, words) in [
        ("file:///etc/passwd", "is neither http nor https"),
        ("gopher://127.0.0.1/", "is neither http nor https"),
        ("http://169.254.169.254/latest", "instance data"),
        ("http://2852039166/", "instance data"),
        ("http://0xa9fea9fe/", "instance data"),
        ("http://[::ffff:169.254.169.254]/", "instance data"),
        ("http://[fe80::1]/", "instance data"),
        ("http://metadata.google.internal/", "instance data"),
        ("http://user:secret@127.0.0.1/", "has a login in it"),
        ("http://user@127.0.0.1/", "has a login in it"),
        ("http://@127.0.0.1/", "has a login in it"),
        ("http:127.0.0.1", "has no `//`"),
        ("http://", "is not a URL"),
        ("127.0.0.1:8080/healthz", "is not a URL"),
        ("http://127.0.0.1/{a,b}", "percent-encoded"),
        ("http://127.0.0.1/[1-9]", "percent-encoded"),
        ("http://127.0.0.1/a b", "percent-encoded"),
        ("http://127.0.0.1/$(id)'", "percent-encoded"),
        ("http://127.0.0.1/#x", "never sent"),
    ] {
        refused_with(&health(&format!("url: \"{url}\"")), words);
    }
    for url in ["http://127.0.0.1:8080/healthz?full=1", "https://app.example.com/", "http://[::1]:80/a", "http://localhost"] {
        let config = taken(&health(&format!("url: \"{url}\"")));
        let health = config.services[0].health.as_ref().expect("a health check");
        assert_eq!(health.probe, Probe::Http { url: url.into() });
    }
}

#[test]
fn a_health_check_asks_in_exactly_one_way() {
    refused_with(&health("status: 200"), "`health` has nothing to ask");
    refused_with(&health("url: http://a/, tcp: 'a:1'"), "`health` has url and tcp at once");
    refused_with(&health("tcp: 127.0.0.1"), "has no port");
    refused_with(&health("tcp: '169.254.169.254:80'"), "instance data");
    refused_with(&health("tcp: 'a:1', status: 200"), "only an HTTP answer");
    refused_with(&health("tcp: 'a:1', contains: x"), "there is no answer to look at");
    refused_with(&health("command: ./x, status: 200"), "only an HTTP answer");
    refused_with(&health("unix: {socket: run/x, path: /}"), "is not an absolute path");
    refused_with(&health("unix: {socket: /run/x}"), "no `path`");
    refused_with(&health("unix: {socket: /run/x, path: 'a'}"), "does not begin with `/`");
    refused_with(&health("command: ./x, status: 99"), "a whole number from 100 to 599");
    let config = taken(&health("unix: {socket: /run/a.sock, path: /h}, watch: 0s, timeout: 1m, successes: 1"));
    assert_eq!(config.services[0].watch, Duration::ZERO);
    let health = config.services[0].health.as_ref().expect("a health check");
    assert_eq!(health.probe, Probe::Unix { socket: "/run/a.sock".into(), path: "/h".into() });
    assert_eq!((health.timeout, health.successes), (Duration::from_secs(60), 1));
}

#[test]
fn case_24_a_variable_has_a_name_and_a_dangerous_one_is_known() {
    for name in ["", "A-B", "a=b", "1A", "A B", "A\n", "Ä"] {
        assert!(VariableName::parse(name).is_err(), "{name:?} was taken");
    }
    for (name, dangerous) in [("LD_PRELOAD", true), ("PATH", true), ("DATABASE_URL", false), ("_x1", false)] {
        let name = VariableName::parse(name).expect("a legal name");
        assert_eq!(name.changes_how_programs_start(), dangerous, "{name}");
    }
}

#[test]
fn case_25_what_is_not_a_plain_file_is_said_and_never_waited_for() {
    let dir = tempfile::tempdir().expect("a directory");
    let path = |name: &str| dir.path().join(name);
    let large = fs::File::create(path("large")).expect("a file");
    large.set_len(10 * 1024 * 1024).expect("it is made large");
    fs::create_dir(path("dir")).expect("a directory");
    rustix::fs::mknodat(rustix::fs::CWD, path("fifo"), rustix::fs::FileType::Fifo, 0o600.into(), 0).expect("a FIFO");
    symlink("loop", path("loop")).expect("a loop");
    fs::write(path("latin"), b"app: acme\nhost: b\xfccher\n").expect("a file");
    for (name, words) in [
        ("large", "larger than 1 MiB"),
        ("dir", "it is a directory"),
        ("fifo", "it is a FIFO"),
        ("loop", "ymbolic link"),
        ("latin", "latin:2:8: a byte that is not UTF-8"),
        ("none", "there is no such file"),
    ] {
        let file = path(name);
        let failure = within(Duration::from_secs(5), move || config::load(&file, None).expect_err("it is refused"));
        assert_eq!(failure.exit, Exit::Usage);
        assert!(failure.why[0].contains(words), "{name}: {failure}");
    }
    let device = config::load(Path::new("/dev/zero"), None).expect_err("a device is refused");
    assert_eq!(device.why, ["it is a device, not a file"]);

    fs::write(path("secret"), SMALL).expect("a file");
    fs::set_permissions(path("secret"), fs::Permissions::from_mode(0)).expect("it is closed");
    if rustix::process::geteuid().is_root() {
        return; // root reads what nobody may read
    }
    let closed = config::load(&path("secret"), None).expect_err("it cannot be read");
    assert!(closed.why[0].contains("ermission denied"), "{closed}");
}

#[test]
fn case_26_a_file_of_another_user_is_used_with_a_warning() {
    let dir = tempfile::tempdir().expect("a directory");
    let inner = dir.path().join("a/b");
    fs::create_dir_all(&inner).expect("directories");
    let file = dir.path().join("deploy.yml");
    fs::write(&file, SMALL).expect("a file");
    fs::create_dir(dir.path().join(".git")).expect("a repository");

    let found = config::find(&inner).expect("it is found above");
    assert_eq!(found, file);
    assert!(config::load(&found, None).expect("it loads").warnings.is_empty());

    fs::set_permissions(&file, fs::Permissions::from_mode(0o666)).expect("it is opened");
    let warnings = config::load(&found, None).expect("it loads").warnings;
    assert!(warnings[0].contains("everybody may write to"), "{warnings:?}");

    if rustix::process::geteuid().is_root() {
        std::os::unix::fs::chown(&file, Some(12_345), None).expect("it is given away");
        let warnings = config::load(&found, None).expect("it loads").warnings;
        assert!(warnings[0].contains("belongs to another user (uid 12345)"), "{warnings:?}");
    }
}

#[test]
fn the_search_ends_at_the_repository() {
    let dir = tempfile::tempdir().expect("a directory");
    let inner = dir.path().join("repository/src");
    fs::create_dir_all(&inner).expect("directories");
    fs::create_dir(dir.path().join("repository/.git")).expect("a repository");
    fs::write(dir.path().join("deploy.yml"), SMALL).expect("a file outside");
    let failure = config::find(&inner).expect_err("nothing is found");
    assert!(failure.what.starts_with("no deploy.yml in"), "{failure}");
    assert_eq!((failure.exit, failure.next), (Exit::Usage, vec!["shipit init".to_owned()]));

    fs::write(inner.join("deploy.yaml"), SMALL).expect("a file with another name");
    let failure = config::find(&inner).expect_err("nothing is found");
    assert!(failure.why[0].contains("shipit's file is called deploy.yml"), "{failure}");
}

#[test]
fn an_environment_lies_over_the_top() {
    let text = format!(
        "{SMALL}shared: {{dirs: [logs], files: [env]}}\nexclude: ['*.map']\nenvironments:\n  staging:\n    \
         host: s.example.com\n    shared: {{files: []}}\n    exclude: []\n  production: {{keep_releases: 9}}\n"
    );
    let staging = load_in(Some("staging"), text.as_bytes()).expect("staging");
    assert_eq!(staging.host.host, "s.example.com");
    assert_eq!((staging.shared.dirs.len(), staging.shared.files.len(), staging.exclude.len()), (1, 0, 0));
    let production = load_in(Some("production"), text.as_bytes()).expect("production");
    assert_eq!((production.keep_releases, production.shared.files.len()), (9, 1));
    assert_eq!(taken(&text).keep_releases, 5, "without -e the top holds");

    let unknown = |name| load_in(Some(name), text.as_bytes()).expect_err("unknown").why;
    assert_eq!(unknown("stagign"), ["deploy.yml:1:1: no environment `stagign`; did you mean `staging`? There are: staging, production"]);
    assert_eq!(unknown("qa"), ["deploy.yml:1:1: no environment `qa`; there are: staging, production"]);
    let none = load_in(Some("qa"), SMALL.as_bytes()).expect_err("none").why;
    assert_eq!(none, ["deploy.yml:1:1: no environment `qa`; it has no `environments`"]);
}

#[test]
fn what_stands_in_every_environment_need_not_stand_at_the_top() {
    let text = format!("{}environments:\n  a: {{host: a.example.com}}\n  b: {{host: b.example.com}}\n", SMALL.replace("host: deploy@app.example.com\n", ""));
    assert_eq!(load_in(Some("b"), text.as_bytes()).expect("b").host.host, "b.example.com");
    refused(&text, expect![[r#""#]]);
    let half = text.replace("{host: b.example.com}", "{keep_releases: 3}");
    let failure = load_in(Some("a"), half.as_bytes()).expect_err("b lacks a host");
    expect![[r#""#]].assert_eq(&failure.why.join("\n"));
}

#[test]
fn an_environment_that_is_not_asked_for_is_checked_as_well() {
    let text = with("environments", "{staging: {root: /etc, keep_releases: 0}, prod: {environments: {}}, 'A b': {}, c: 5}");
    refused(&text, expect![[r#""#]]);
}

#[test]
fn strategies_that_come_later_say_so() {
    refused(&with("services", "[{unit: a.service, strategy: blue-green}]"), expect![[r#""#]]);
    refused_with(&with("services", "[{unit: a.service, strategy: restart, socket: a.socket}]"), "only `strategy: socket`");
    refused(&with("services", "[{unit: a.service}]"), expect![[r#""#]]);
    assert!(taken(&with("services", "[]")).services.is_empty(), "static files need no service");
}

#[test]
fn an_exclusion_is_a_glob() {
    refused_with(&with("exclude", "['a[']"), "is not a glob");
    refused_with(&with("exclude", "['!keep']"), "take an exclusion back");
    refused_with(&with("exclude", "['']"), "`exclude` wants a text");
}

#[test]
fn many_problems_are_cut_short() {
    let failure = load(&(0..500).map(|n| format!("x{n}: 1\n")).collect::<String>()).expect_err("refused");
    assert_eq!(failure.why.len(), 21);
    assert_eq!(failure.why[20], "… and 484 more");
}

#[test]
fn a_written_scalar_reads_back_as_itself() {
    for text in [
        "plain", "no", "~", "null", "1.10", "a: b", "a #b", "- x", "'", "\"", "it's \"so\"", "*a", "&a", "!x", "%x", "@x", "{a", " a ",
        "größe", "\\n", "C:\\x", "? x", ">", "|", "010", "true", "=", "a:",
    ] {
        let config = taken(&with("build", &config::scalar(text)));
        assert_eq!(config.build.as_deref(), Some(text));
    }
}

/// A small generator (Knuth's MMIX constants), so that a failing run can be had again.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        ((self.0 >> 33) as usize) % limit.max(1)
    }
}

/// The example with a few bytes changed, doubled, moved or taken out.
fn mutated(numbers: &mut Numbers) -> Vec<u8> {
    const SPICE: [&str; 24] = [
        "\t", "- ", ": ", "? ", "[", "]", "{", "}", "&a ", "*a", "!!x ", "|", ">", "'", "\"", "\n", "\r", "#", "%", "---\n", "\0", "\u{feff}",
        "\u{85}", "  ",
    ];
    let mut bytes = config::EXAMPLE.as_bytes().to_vec();
    for _ in 0..=numbers.below(4) {
        let at = numbers.below(bytes.len());
        let end = (at + numbers.below(60)).min(bytes.len());
        match numbers.below(6) {
            0 => drop(bytes.drain(at..end)),
            1 => drop(bytes.splice(at..at, SPICE[numbers.below(SPICE.len())].bytes())),
            2 => bytes[at] = u8::try_from(numbers.below(256)).expect("a byte"),
            3 => {
                let part = bytes[at..end].to_vec();
                let to = numbers.below(bytes.len());
                bytes.splice(to..to, part);
            }
            4 => bytes.truncate(at),
            _ => {
                let many = SPICE[numbers.below(SPICE.len())].repeat(numbers.below(200));
                bytes.splice(at..at, many.bytes());
            }
        }
    }
    bytes
}

#[test]
fn twenty_thousand_broken_examples_neither_panic_nor_dawdle() {
    let dir = tempfile::tempdir().expect("a directory");
    let file = dir.path().join("deploy.yml");
    let mut numbers = Numbers(20_260_503);
    let mut taken = 0;
    for round in 0..20_000 {
        let bytes = mutated(&mut numbers);
        fs::write(&file, &bytes).expect("the file is written");
        let began = Instant::now();
        match config::load(&file, None) {
            Ok(_) => taken += 1,
            Err(failure) => assert!(!failure.why.is_empty(), "round {round}: refused without a word"),
        }
        assert!(began.elapsed() < Duration::from_secs(1), "round {round} took {:?}", began.elapsed());
    }
    assert!((100..19_900).contains(&taken), "{taken} of 20000 were taken: the mutations are too wild or too tame");
}

#[test]
fn the_largest_files_are_read_quickly() {
    let size = 1024 * 1024 - 200;
    for unit in ["a: b\n", "- a\n", "x", "'", "\"", "# \n", "[a, ", "a: [b]\n", "  a: >\n", "\n", "{", "- - - a\n", "a\n", "a:\n", "? a\n", "%a\n", "&a", "!a "] {
        let text = unit.repeat(size / unit.len());
        let took = within(Duration::from_secs(60), move || {
            let began = Instant::now();
            assert!(load(&text).is_err(), "{unit:?} was taken");
            began.elapsed()
        });
        assert!(took < Duration::from_secs(3), "{unit:?} took {took:?}");
    }
}
