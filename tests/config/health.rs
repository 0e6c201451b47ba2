//! Whom a health check may ask, and how.

use std::time::Duration;

use shipit::config::Probe;

use super::{refused_with, taken, with};

fn health(inner: &str) -> String {
    with(
        "services",
        &format!("\n  - unit: a.service\n    strategy: restart\n    health: {{{inner}}}"),
    )
}

#[test]
fn case_23_a_health_check_asks_the_app_and_nobody_else() {
    for (url, words) in [
        ("file:///etc/passwd", "is neither http nor https"),
        ("gopher://127.0.0.1/", "is neither http nor https"),
        ("http://169.254.169.254/latest", "metadata service"),
        ("http://2852039166/", "metadata service"),
        ("http://0xa9fea9fe/", "metadata service"),
        ("http://[::ffff:169.254.169.254]/", "metadata service"),
        ("http://[fe80::1]/", "metadata service"),
        ("http://metadata.google.internal/", "metadata service"),
        ("http://user:secret@127.0.0.1/", "contains a login"),
        ("http://user@127.0.0.1/", "contains a login"),
        ("http://@127.0.0.1/", "contains a login"),
        ("http:127.0.0.1", "has no `//`"),
        ("http://", "is not a URL"),
        ("127.0.0.1:8080/healthz", "is not a URL"),
        ("http://127.0.0.1/{a,b}", "percent-encode"),
        ("http://127.0.0.1/[1-9]", "percent-encode"),
        ("http://127.0.0.1/a b", "percent-encode"),
        ("http://127.0.0.1/$(id)'", "percent-encode"),
        ("http://127.0.0.1/#x", "would not be sent"),
    ] {
        refused_with(&health(&format!("url: \"{url}\"")), words);
    }
    for url in [
        "http://127.0.0.1:8080/healthz?full=1",
        "https://app.example.com/",
        "http://[::1]:80/a",
        "http://localhost",
    ] {
        let config = taken(&health(&format!("url: \"{url}\"")));
        let health = config.services[0].health().expect("a health check");
        assert_eq!(health.check.probe, Probe::Http { url: url.into() });
    }
}

#[test]
fn a_health_check_asks_in_exactly_one_way() {
    refused_with(&health("status: 200"), "`health` has no probe");
    refused_with(
        &health("url: http://a/, tcp: 'a:1'"),
        "`health` has url and tcp at once",
    );
    refused_with(&health("tcp: 127.0.0.1"), "has no port");
    refused_with(&health("tcp: '169.254.169.254:80'"), "metadata service");
    refused_with(&health("tcp: 'a:1', status: 200"), "only an HTTP response");
    refused_with(&health("tcp: 'a:1', contains: x"), "there is no response to inspect");
    refused_with(&health("command: ./x, status: 200"), "only an HTTP response");
    refused_with(&health("unix: {socket: run/x, path: /}"), "is not an absolute path");
    refused_with(&health("unix: {socket: /run/x}"), "`path` is missing");
    refused_with(&health("unix: {socket: /run/x, path: 'a'}"), "must begin with `/`");
    refused_with(&health("command: ./x, status: 99"), "a whole number from 100 to 599");
    let config = taken(&health(
        "unix: {socket: /run/a.sock, path: /h}, watch: 0s, timeout: 1m, successes: 1",
    ));
    assert_eq!(config.services[0].watch, Duration::ZERO);
    let health = config.services[0].health().expect("a health check");
    assert_eq!(
        health.check.probe,
        Probe::Unix {
            socket: "/run/a.sock".into(),
            path: "/h".into()
        }
    );
    assert_eq!((health.timeout, health.successes), (Duration::from_secs(60), 1));
}
