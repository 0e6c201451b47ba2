//! Deploys and a rollback by the real program, of real apps under the units it wrote for them: not one request
//! fails, and the sandbox is as it was generated.

use std::time::Duration;

use super::app::{App, open};
use super::registry;
use crate::deploys::desk::Desk;
use crate::lab::{self, Host, Load, Suite};

/// As a person begins: units written, judged and installed, and the host made ready.
fn desk(host: &Host, app: App, strategy: &str, program: Option<&str>) -> Desk {
    let desk = Desk::at(host, "ann");
    // What is served from a file cannot name its release.
    let proof = match app {
        App::Static => "contains: v",
        _ => "release: true",
    };
    desk.file(
        "deploy.yml",
        &format!(
            "app: acme\nhost: deploy@{}\nsource: source\nservices:\n  - unit: acme.service\n    strategy: {strategy}\n    \
             start_timeout: 60s\n    health: {{url: \"http://127.0.0.1:8080/\", {proof}, timeout: 60s, watch: 1s}}\n",
            host.address()
        ),
    );
    let generate = ["unit", "generate", "--user", "app"];
    let own = program.map(|program| {
        format!(
            "{program} --chdir /opt/acme/current --workers 2 --worker-tmp-dir /dev/shm --graceful-timeout 25 app:app"
        )
    });
    let own = own.as_ref().map(|line| ["--command", line.as_str()]);
    let command: &[&str] = match (app, strategy) {
        _ if own.is_some() => own.as_ref().unwrap(),
        // For a while workers of both releases answer side by side.
        (App::Ruby, "reload") => &[
            "--command",
            "/usr/bin/puma --dir /opt/acme/current --workers 4 --bind tcp://0.0.0.0:8080",
        ],
        _ => &[],
    };
    desk.shipit(&[&generate, app.answers(), command].concat()).leaves(0);
    open(&desk);
    desk.shipit(&["unit", "lint", "deploy/units"]).leaves(0);
    let root = format!("root@{}", host.address());
    desk.shipit(&["unit", "install", "--now", "--yes", "--as", &root])
        .leaves(0);
    desk.setup();
    desk
}

fn deploy(desk: &Desk, host: &Host, app: App, version: &str) -> String {
    desk.ship(app.release(host, version).path());
    let release = desk.json(&["deploy"]).leaves(0).release();
    match app {
        App::Static => version.to_owned(),
        _ => release,
    }
}

fn answer(host: &Host) -> String {
    host.root("curl -s --max-time 30 http://127.0.0.1:8080/")
        .ok()
        .trim()
        .to_owned()
}

fn no_request_fails(app: App, strategy: &str) {
    let host = lab::host!(Suite::Bookworm.with_apps());
    no_request_fails_on(&host, app, strategy, None);
}

/// With that program in place of the distribution's.
fn no_request_fails_on(host: &Host, app: App, strategy: &str, program: Option<&str>) {
    let desk = desk(host, app, strategy, program);
    let one = deploy(&desk, host, app, "v1");
    assert_eq!(answer(host), one);

    // systemd has nothing to say about the units as they are on the host, nor much to expose.
    let said = host.root("cd /etc/systemd/system && systemd-analyze verify --man=no acme.* 2>&1");
    let said: Vec<&str> = said.stdout.lines().filter(|l| l.contains("acme")).collect();
    assert!(said.is_empty(), "{said:#?}");
    host.root("systemd-analyze security --no-pager --threshold=20 acme.service")
        .ok();

    let load = Load::on(host.web(8080)).timeout(Duration::from_secs(60));
    let new = load.clone().rate(50).start();
    let kept = load.rate(100).keep_alive(10).start();
    let two = deploy(&desk, host, app, "v2");
    assert_eq!(answer(host), two);
    desk.json(&["rollback"]).leaves(0);
    assert_eq!(answer(host), one);
    for counts in [new.stop(), kept.stop()] {
        assert_eq!(counts.failures(), 0, "{counts:?}");
        assert!(counts.from(&one) > 0 && counts.from(&two) > 0, "{counts:?}");
    }
    assert_eq!(host.unit("acme.service", "NRestarts"), "0");
}

#[test]
fn node_behind_a_socket() {
    no_request_fails(App::Node, "socket");
}

#[test]
fn gunicorn_behind_a_socket() {
    no_request_fails(App::Python, "socket");
}

/// The newest one, as pip installs it: its workers are other ones than those of Debian's.
#[test]
fn gunicorn_from_pip_behind_a_socket() {
    let host = lab::host!(Suite::Bookworm.with_apps());
    if registry::install(&host) {
        host.root("cd / && python3 -m venv /opt/venv && /opt/venv/bin/pip install --quiet gunicorn")
            .ok();
        no_request_fails_on(&host, App::Python, "socket", Some("/opt/venv/bin/gunicorn"));
        let said = host.journal(Some("acme.service"));
        assert!(
            said.contains("Starting gunicorn 27") && !said.contains("ERROR"),
            "{said}"
        );
    }
}

#[test]
fn gunicorn_reloaded() {
    no_request_fails(App::Python, "reload");
}

/// Without `release: true`, and as one user with the app: what the processes show must do.
#[test]
fn a_reload_that_leaves_old_code_running_is_a_failed_deploy() {
    let host = lab::host!(Suite::Bookworm.with_apps());
    let desk = desk(&host, App::Python, "reload", None);
    let yml = std::fs::read_to_string(desk.path("deploy.yml")).unwrap();
    desk.file(
        "deploy.yml",
        &yml.replace(", release: true, timeout: 60s", ", timeout: 20s"),
    );
    // WorkingDirectory= alone says where the code is.
    host.root(
        "cd /etc/systemd/system && sed -i 's|--chdir /opt/acme/current ||; s/^User=.*/User=deploy/; s/^Group=.*/Group=deploy/' acme.service && \
         systemctl daemon-reload",
    )
    .ok();
    let one = deploy(&desk, &host, App::Python, "v1");
    assert_eq!(answer(&host), one);
    let refused = |version: &str, one: &str, why: &str| {
        desk.ship(App::Python.release(&host, version).path());
        let pid = host.unit("acme.service", "MainPID");
        desk.json(&["deploy"]).leaves(3).says(why);
        assert_eq!(answer(&host), one);
        assert_eq!(host.unit("acme.service", "MainPID"), pid, "it was restarted");
    };
    let why = format!("runs in the directory of release {one}, because systemd resolves WorkingDirectory= only");
    refused("v2", &one, &why);
    // As it should be, and then deaf to the signal.
    host.root(
        "cd /etc/systemd/system && sed -i 's|--workers|--chdir /opt/acme/current --workers|' acme.service && systemctl daemon-reload && systemctl restart acme.service",
    )
    .ok();
    let one = deploy(&desk, &host, App::Python, "v3");
    assert_eq!(answer(&host), one);
    host.root("cd /etc/systemd/system && sed -i 's|^ExecReload=.*|ExecReload=/bin/true|' acme.service && systemctl daemon-reload")
        .ok();
    let why = "worker processes started after the reload; the program must handle the signal of ExecReload=";
    refused("v4", &one, why);
}

#[test]
fn puma_behind_a_socket() {
    no_request_fails(App::Ruby, "socket");
}

#[test]
fn puma_reloaded_worker_by_worker() {
    no_request_fails(App::Ruby, "reload");
}

#[test]
fn a_rust_program_behind_a_socket() {
    no_request_fails(App::Rust, "socket");
}

#[test]
fn a_go_program_behind_a_socket() {
    no_request_fails(App::Go, "socket");
}

#[test]
fn files_that_caddy_reads_through_current() {
    no_request_fails(App::Static, "reload");
}
