//! Two instances from the generated template, each on a unix socket of its own, behind nginx: deploys and a rollback of
//! every app by `blue-green`, and no request fails.

use std::time::Duration;

use super::app::App;
use crate::deploys::blue_green::Edge;
use crate::deploys::desk::Desk;
use crate::lab::{self, Host, Load, Suite};

/// What the router answers.
fn answer(host: &Host) -> String {
    let asked = host.root("curl -s --max-time 30 http://127.0.0.1:8080/");
    asked.ok().trim().to_owned()
}

/// As a person begins: units and router written, judged and installed, and the host made ready.
fn desk(host: &Host, app: App) -> Desk {
    let desk = Desk::at(host, "ann");
    let proof = match app {
        App::Static => "contains: v",
        _ => "release: true",
    };
    desk.file(
        "deploy.yml",
        &format!(
            "app: acme\nhost: deploy@{}\nsource: source\nservices:\n  - unit: acme@.service\n    strategy: blue-green\n    \
             router: edge\n    bake: 1s\n    start_timeout: 60s\n    health: {{unix: {{socket: \
             \"/run/acme/{{instance}}.sock\", path: /}}, {proof}, timeout: 60s, watch: 1s}}\n\
             routers: {{edge: {{kind: nginx, url: \"http://127.0.0.1:8080/\"}}}}\n",
            host.address()
        ),
    );
    let generate = ["unit", "generate", "--user", "app", "--strategy", "blue-green"];
    desk.shipit(&[&generate, app.answers()].concat()).leaves(0);
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
    let says = if app == App::Static {
        version.to_owned()
    } else {
        release
    };
    assert_eq!(answer(host), says, "{app:?}");
    says
}

fn no_request_fails(host: &Host, app: App) {
    let desk = desk(host, app);
    let one = deploy(&desk, host, app, "v1");
    let names = ["acme@blue.service", "acme@green.service"];
    let live = names
        .into_iter()
        .find(|name| host.unit(name, "ActiveState") == "active")
        .unwrap();
    host.root(&format!("systemd-analyze security --no-pager --threshold=20 {live}"))
        .ok();
    // A kill leaves the socket there: the next start must cope.
    host.root(&format!("systemctl kill -s KILL {live}")).ok();
    host.wait_for("it is back", |host| {
        host.unit(live, "NRestarts") == "1" && host.unit(live, "ActiveState") == "active"
    });
    host.wait_for("nginx reaches it", |host| answer(host) == one);

    let load = Load::on(host.web(8080)).timeout(Duration::from_secs(60));
    let new = load.clone().rate(50).start();
    let kept = load.rate(100).keep_alive(10).start();
    let two = deploy(&desk, host, app, "v2");
    desk.json(&["rollback"]).leaves(0);
    assert_eq!(answer(host), one);
    for counts in [new.stop(), kept.stop()] {
        assert_eq!(counts.failures(), 0, "{app:?}: {counts:?}");
        assert!(counts.from(&one) > 0 && counts.from(&two) > 0, "{app:?}: {counts:?}");
    }
    host.root("systemctl stop 'acme@*' && rm -r /opt/acme /etc/systemd/system/acme*")
        .ok();
}

#[test]
fn every_app_is_deployed_by_blue_green_and_no_request_fails() {
    let host = lab::host!(Suite::Bookworm.with_apps());
    Edge::Nginx.install(&host);
    for app in App::ALL {
        no_request_fails(&host, app);
    }
}
