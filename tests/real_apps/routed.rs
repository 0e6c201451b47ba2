//! Two instances from the generated template, each on a unix socket of its own, behind nginx. Turning the router by hand
//! shows that the units carry it; the strategy that does so is tested elsewhere.

use std::time::Duration;

use super::app::App;
use crate::apps::ACME;
use crate::deploys::desk::Desk;
use crate::lab::{self, Host, Load, Suite};

/// nginx connects to whatever `live.sock` names at that moment.
const ROUTER: &str = "upstream acme { server unix:/run/acme/live.sock; }
server {
    listen 8080;
    location / { proxy_pass http://acme; proxy_http_version 1.1; proxy_set_header Connection \"\"; }
}
";

/// Points the router's link at an instance, by rename.
fn turn(host: &Host, to: &str) {
    host.root(&format!(
        "cd /run/acme && ln -s {to}.sock .turn && mv -fT .turn live.sock"
    ))
    .ok();
}

fn both_instances_serve(host: &Host, app: App) {
    let desk = Desk::at(host, "ann");
    let generate = ["unit", "generate", "--app", "acme", "--user", "app"];
    let strategy = ["--strategy", "blue-green"];
    desk.shipit(&[&generate, app.answers(), &strategy].concat()).leaves(0);
    host.copy_in(&desk.path("deploy/units"), "/etc/systemd/system");
    for id in ["one", "two"] {
        ACME.publish(host, app.release(host, id).path(), id);
    }
    host.root("mkdir -p /opt/acme/slots && cd /opt/acme/slots && ln -sfn ../releases/one blue && ln -sfn ../releases/two green")
        .ok();
    // A kill leaves the sockets there: the next start must cope.
    host.root("systemctl daemon-reload && systemctl start acme@blue.service acme@green.service && systemctl kill -s KILL acme@blue.service acme@green.service")
        .ok();
    for name in ["acme@blue.service", "acme@green.service"] {
        host.wait_for("both are back", |host| {
            host.unit(name, "NRestarts") == "1" && host.unit(name, "ActiveState") == "active"
        });
        host.root(&format!("systemd-analyze security --no-pager --threshold=20 {name}"))
            .ok();
    }
    turn(host, "blue");
    host.wait_for("nginx reaches blue", |host| {
        host.root("curl -s --max-time 5 http://127.0.0.1:8080/").stdout.trim() == "one"
    });
    let load = Load::on(host.web(8080)).timeout(Duration::from_secs(60));
    let load = load.rate(100).keep_alive(10).start();
    for (to, answer) in [("green", "two"), ("blue", "one")] {
        turn(host, to);
        let before = load.counts().from(answer);
        load.wait_until("the other one answers", |counts| counts.from(answer) > before + 50);
    }
    let counts = load.stop();
    assert_eq!(counts.failures(), 0, "{app:?}: {counts:?}");
    host.root("systemctl stop acme@blue.service acme@green.service && rm -r /opt/acme /etc/systemd/system/acme*")
        .ok();
}

#[test]
fn every_app_serves_from_two_instances_of_the_generated_template() {
    let host = lab::host!(Suite::Bookworm.with_apps());
    host.write_file("/etc/nginx/conf.d/acme.conf", ROUTER.as_bytes());
    // The line that the generated unit names.
    host.root("usermod --append --groups app www-data && rm -f /etc/nginx/sites-enabled/* && systemctl start nginx")
        .ok();
    for app in App::ALL {
        both_instances_serve(&host, app);
    }
}
