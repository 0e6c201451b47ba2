//! The recipes of docs/notify.md, each run as it stands there against one small receiver: what it sends, and that no value
//! can leave its quotes.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::process::Command;
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::Duration;

use serde_json::Value;

use crate::bounds::Ends as _;

const PAGE: &str = include_str!("../docs/notify.md");

/// Every script of the page by its name.
fn recipes() -> BTreeMap<&'static str, &'static str> {
    let fences = PAGE
        .split("```sh\n")
        .skip(1)
        .map(|rest| rest.split("```").next().unwrap());
    let named = fences.map(|text| {
        let name = text.lines().nth(1).and_then(|line| line.strip_prefix("# notify/"));
        (name.unwrap().split(".sh").next().unwrap(), text)
    });
    named.collect()
}

/// What was sent: the path, the headers in small letters, the body.
type Request = (String, String, String);

/// Answers every request, as GitHub answers one for a deployment.
fn receiver() -> (String, Receiver<Request>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let (sender, requests) = channel();
    thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = BufReader::new(stream.unwrap());
            let mut head = String::new();
            while !head.ends_with("\r\n\r\n") {
                assert!(stream.read_line(&mut head).unwrap() > 0, "{head}");
            }
            let path = head.split(' ').nth(1).unwrap().to_owned();
            let head = head.to_lowercase();
            let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
            let mut body = vec![0; length.unwrap().parse().unwrap()];
            stream.read_exact(&mut body).unwrap();
            let answer = "{\"url\": \"https://x/9\", \"id\": 4711, \"node_id\": \"5\", \"creator\": {\"id\": 6}}";
            let answer = format!(
                "HTTP/1.1 201 Created\r\nConnection: close\r\nContent-Length: {}\r\n\r\n{answer}",
                answer.len()
            );
            stream.get_mut().write_all(answer.as_bytes()).unwrap();
            if sender.send((path, head, String::from_utf8(body).unwrap())).is_err() {
                return;
            }
        }
    });
    (address, requests)
}

#[test]
fn each_recipe_sends_what_its_service_takes() {
    let (address, requests) = receiver();
    let dir = tempfile::tempdir().unwrap();
    let event = dir.path().join("event.json");
    let last = r#"{"event":"ended","outcome":"reverted","v":1}"#;
    std::fs::write(&event, format!("{last}\n")).unwrap();
    let cause = r#"v2 failed: GET "/" answered <b>500</b> & `id` $(id) C:\x"#;
    let next = || requests.recv_timeout(Duration::from_secs(60)).unwrap();
    let run = |name: &str, outcome: &str| {
        let script = dir.path().join(name);
        std::fs::write(&script, recipes()[name]).unwrap();
        let done = ["deployed", "rolled_back"].contains(&outcome);
        let out = Command::new("sh")
            .arg(&script)
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap())
            .envs([
                ("SHIPIT_APP", "acme"),
                ("SHIPIT_COMMAND", "deploy"),
                ("SHIPIT_RELEASE", "20260503-094502"),
                ("SHIPIT_ENVIRONMENT", ""),
                ("SHIPIT_AUTHOR", "Ann \"A\" O'Hara"),
                ("SHIPIT_REVISION", "0a1b2c3d"),
                ("SHIPIT_OUTCOME", outcome),
                ("SHIPIT_SECONDS", "12.3"),
                ("SHIPIT_DOWNTIME", "0.36"),
                ("SHIPIT_CAUSE", if done { "" } else { cause }),
            ])
            .env("SHIPIT_EVENT", &event)
            .env("WEBHOOK_URL", format!("{address}/hook?token=a"))
            .env("SLACK_WEBHOOK", format!("{address}/services/T0/B0/x"))
            .env("DISCORD_WEBHOOK", format!("{address}/api/webhooks/1/x"))
            .env("GITHUB_API_URL", &address)
            .env("GITHUB_REPOSITORY", "ann/acme")
            .env("GITHUB_TOKEN", "sesame")
            .env("TEXTFILE_DIR", dir.path())
            .env("GRAFANA_URL", &address)
            .env("GRAFANA_TOKEN", "sesame")
            .env("SENTRY_URL", &address)
            .envs([
                ("SENTRY_ORG", "ann"),
                ("SENTRY_PROJECT", "shop"),
                ("SENTRY_AUTH_TOKEN", "sesame"),
            ])
            .env("OTEL_EXPORTER_OTLP_ENDPOINT", &address)
            .env("OTEL_TOKEN", "sesame")
            .ends();
        assert!(out.status.success(), "{name}: {out:?}");
    };
    let json = |body: &str| -> Value { serde_json::from_str(body).unwrap_or_else(|e| panic!("{e}: {body}")) };
    let mut tried = Vec::new();
    let mut run = |name: &'static str, outcome: &str| {
        tried.push(name);
        run(name, outcome);
    };

    run("webhook", "reverted");
    let (path, _, body) = next();
    assert_eq!((path.as_str(), body.trim_end()), ("/hook?token=a", last));

    run("slack", "reverted");
    let (path, head, body) = next();
    assert!(
        path == "/services/T0/B0/x" && head.contains("content-type: application/json"),
        "{head}"
    );
    let escaped = cause.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    let told = format!("acme: deploy of 20260503-094502 by Ann \"A\" O'Hara: reverted in 12.3s: {escaped}");
    assert_eq!(json(&body)["text"], told);

    run("discord", "reverted");
    let body = json(&next().2);
    let told = format!("acme: deploy of 20260503-094502: reverted in 12.3s. {cause}");
    assert_eq!(body["content"], told);
    assert_eq!(body["allowed_mentions"]["parse"], serde_json::json!([]));

    for (outcome, state) in [("deployed", "success"), ("reverted", "failure")] {
        run("github", outcome);
        let (path, head, body) = next();
        assert_eq!(path, "/repos/ann/acme/deployments");
        assert!(head.contains("authorization: bearer sesame\r\n"), "{head}");
        let body = json(&body);
        assert_eq!(
            (&body["ref"], &body["environment"]),
            (&"0a1b2c3d".into(), &"production".into())
        );
        let (path, _, body) = next();
        assert_eq!(path, "/repos/ann/acme/deployments/4711/statuses");
        assert_eq!(json(&body)["state"], state);
    }

    run("grafana", "reverted");
    let (path, head, body) = next();
    assert!(
        path == "/api/annotations" && head.contains("authorization: bearer sesame\r\n"),
        "{head}"
    );
    let body = json(&body);
    let time = |key: &str| body[key].as_u64().unwrap();
    assert_eq!(time("timeEnd") - time("time"), 12_000);
    assert_eq!(body["tags"], serde_json::json!(["shipit", "acme", "reverted"]));
    assert_eq!(body["text"], format!("deploy of 20260503-094502: reverted. {cause}"));

    run("sentry", "deployed");
    let (path, head, body) = next();
    assert!(
        path == "/api/0/organizations/ann/releases/" && head.contains("bearer sesame\r\n"),
        "{head}"
    );
    assert_eq!(
        json(&body),
        serde_json::json!({"version": "0a1b2c3d", "projects": ["shop"]})
    );
    let (path, _, body) = next();
    assert_eq!(path, "/api/0/organizations/ann/releases/0a1b2c3d/deploys/");
    assert_eq!(
        json(&body),
        serde_json::json!({"environment": "production", "name": "20260503-094502"})
    );

    for (outcome, code) in [("rolled_back", 1), ("reverted", 2)] {
        run("otel", outcome);
        let (path, head, body) = next();
        assert!(path == "/v1/traces" && head.contains("bearer sesame\r\n"), "{head}");
        let of = &json(&body)["resourceSpans"][0];
        assert_eq!(of["resource"]["attributes"][0]["value"]["stringValue"], "acme");
        let span = &of["scopeSpans"][0]["spans"][0];
        let time = |key: &str| span[key].as_str().unwrap().parse::<u64>().unwrap();
        assert_eq!(time("endTimeUnixNano") - time("startTimeUnixNano"), 12_000_000_000);
        assert_eq!(
            (
                span["traceId"].as_str().unwrap().len(),
                span["spanId"].as_str().unwrap().len()
            ),
            (32, 16)
        );
        assert_eq!(
            (&span["name"], &span["status"]["code"]),
            (&"deploy".into(), &code.into())
        );
        let told = &span["attributes"][3]["value"]["stringValue"];
        assert_eq!(told, if code == 1 { "" } else { cause });
    }

    for (outcome, ok) in [("deployed", "1"), ("reverted", "0")] {
        run("textfile", outcome);
        let text = std::fs::read_to_string(dir.path().join("shipit_acme.prom")).unwrap();
        let labels = "{app=\"acme\",environment=\"\"}";
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines[1], format!("shipit_last_run_ok{labels} {ok}"));
        assert_eq!(lines[2], format!("shipit_last_run_seconds{labels} 12.3"));
        assert_eq!(lines[3], format!("shipit_last_run_downtime_seconds{labels} 0.36"));
        let names = lines.iter().map(|line| line.split('{').next().unwrap());
        assert!(
            names.clone().all(|name| name.starts_with("shipit_last_run_")) && lines.len() == 4,
            "{text}"
        );
    }
    tried.dedup();
    tried.sort_unstable();
    assert_eq!(tried, recipes().into_keys().collect::<Vec<_>>(), "each has been tried");
}
