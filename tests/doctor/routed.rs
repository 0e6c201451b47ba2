//! Routers in front of the app, on a real host: one that is well, then broken in one way at a time. `doctor` only reads,
//! as the deploy user.

use serde_json::Value;

use super::broken::{Said, doctor};
use crate::apps::Service;
use crate::deploys::desk::{Desk, acme};
use crate::lab::{self, Host, Suite};

const SITE: &str = "/etc/nginx/conf.d/acme.conf";

/// Writes the site and lets nginx read it anew.
fn nginx(host: &Host, upstream: &str) {
    let text = format!(
        "upstream acme\n{{\n    # server 127.0.0.1:1;\n    {upstream}\n}}\nserver {{\n    listen 8088;\n    location / {{ proxy_pass http://acme; }}\n}}\n"
    );
    host.write_file(SITE, text.as_bytes());
    restart(host, "nginx.service");
}

/// Many starts within seconds are a test's own doing: the start limit is not what is looked at.
fn restart(host: &Host, unit: &str) {
    host.root(&format!(
        "systemctl reset-failed {unit} 2>/dev/null; systemctl restart {unit}"
    ))
    .ok();
}

/// The unit starts it in another way from now on.
fn drop_in(host: &Host, unit: &str, text: &str) {
    let dir = format!("/etc/systemd/system/{unit}.d");
    host.root(&format!("mkdir -p {dir} /srv/web/more")).ok();
    host.write_file(&format!("{dir}/start.conf"), text.as_bytes());
    host.root("systemctl daemon-reload").ok();
    restart(host, unit);
}

/// What a client of the router gets.
fn status(host: &Host, port: u16) -> String {
    let ask = format!("curl -s -o /dev/null -w '%{{http_code}}' --max-time 60 http://127.0.0.1:{port}/healthz");
    host.root(&ask).stdout.trim().to_owned()
}

/// The findings about routers, as `severity what file:line`.
fn routers(said: &Said) -> Vec<String> {
    let findings = said.findings().iter();
    let ours = findings.filter(|finding| finding["area"] == "router");
    let word = |finding: &Value, key: &str| finding[key].as_str().unwrap_or("-").to_owned();
    ours.map(|finding| {
        format!(
            "{} {} {}:{}",
            word(finding, "severity"),
            word(finding, "what"),
            word(finding, "file"),
            finding["line"]
        )
    })
    .collect()
}

#[track_caller]
fn only(said: &Said, severity: &str, what: &str, place: &str) {
    let all = routers(said);
    let [one] = &all[..] else {
        panic!("not one: {all:#?}\n{}", said.ran)
    };
    assert!(
        one.starts_with(severity) && one.contains(what) && one.ends_with(place),
        "{one}\n{}",
        said.ran
    );
}

#[test]
fn nginx_in_front_of_the_app() {
    let host = lab::host!(Suite::Bookworm);
    let desk = Desk::live(&host, Service::Notify, &acme("restart"));
    // It is there, is not enabled, does not run, and leads nowhere: nothing to say.
    assert_eq!(routers(&doctor(&desk)), [""; 0]);
    host.root("rm -f /etc/nginx/sites-enabled/default && systemctl enable nginx.service")
        .ok();

    nginx(&host, "server 127.0.0.1:8080;");
    assert_eq!(status(&host, 8088), "200");
    let said = doctor(&desk);
    let at = format!("{SITE}:4");
    only(&said, "info", "nginx forwards to acme.service at", &at);
    assert_eq!((said.errors(), said.ran.code()), (0, Some(0)));

    nginx(&host, "server 127.0.0.1:8081;");
    assert_eq!(status(&host, 8088), "502");
    let said = doctor(&desk);
    let miss = "nginx forwards to 127.0.0.1:8081, where nothing listens; acme.service listens on";
    only(&said, "warning", miss, &at);
    desk.shipit(&["doctor"])
        .leaves(0)
        .says(miss)
        .says(&format!("in {SITE}:4 write "));

    // What the deploy user may not read is said, and may lead to the app.
    host.root(&format!("chmod 0600 {SITE} && echo 'server {{ listen 8089; location / {{ proxy_pass http://127.0.0.1:8081; }} }}' >/etc/nginx/sites-enabled/more")).ok();
    let said = doctor(&desk);
    assert_eq!(routers(&said), [""; 0], "{}", said.ran);
    said.ran.says(&format!("cannot be read as deploy: {SITE}"));
    host.root(&format!("chmod 0644 {SITE} && rm /etc/nginx/sites-enabled/more"))
        .ok();
    host.root("mv /etc/nginx/conf.d /etc/nginx/closed.d && mkdir -m 0700 /etc/nginx/conf.d && mv /etc/nginx/closed.d/* /etc/nginx/conf.d/")
        .ok();
    let said = doctor(&desk);
    assert_eq!(routers(&said), [""; 0], "{}", said.ran);
    said.ran.says("/etc/nginx/conf.d/*.conf");
    host.root("chmod 0755 /etc/nginx/conf.d").ok();

    nginx(&host, "server 127.0.0.1:8080; server 127.0.0.1:8081;");
    let said = doctor(&desk);
    let told = routers(&said);
    assert!(
        told.len() == 2 && told[0].starts_with("warning nginx counts failures of the 2 servers in upstream acme"),
        "{told:#?}"
    );
    let next = said.ran.stdout.clone();
    assert!(next.contains("max_fails=0;"), "{next}");
    nginx(
        &host,
        "server 127.0.0.1:8080 max_fails=0; server 127.0.0.1:8081 max_fails=0;",
    );
    only(&doctor(&desk), "info", "nginx forwards to acme.service", &at);

    host.root("systemctl stop nginx.service").ok();
    let said = doctor(&desk);
    said.first(
        "nginx.service is inactive: it forwards to acme.service",
        "sudo nginx -t && sudo systemctl start nginx.service",
    );
    desk.shipit(&["doctor"]).leaves(1);
    host.root("echo nonsense >/etc/nginx/conf.d/broken.conf; systemctl start nginx.service; true")
        .ok();
    host.wait_for("nginx fails", |host| {
        host.unit("nginx.service", "ActiveState") == "failed"
    });
    doctor(&desk).first(
        "nginx.service is failed: it forwards to acme.service",
        "sudo nginx -t && sudo systemctl reset-failed nginx.service && sudo systemctl start nginx.service",
    );
    // The line is typed as it stands, and that was it.
    host.root("rm /etc/nginx/conf.d/broken.conf && nginx -t && systemctl reset-failed nginx.service && systemctl start nginx.service")
        .ok();
    assert_eq!(doctor(&desk).ran.code(), Some(0));
}

#[test]
fn haproxy_in_front_of_the_app() {
    let host = lab::host!(Suite::Trixie);
    let desk = Desk::live(&host, Service::Socket, &acme("socket"));
    let haproxy = |port: u16| {
        let text = format!(
            "defaults\n  mode http\n  timeout connect 5s\n  timeout client 5s\n  timeout server 5s\n\
             frontend web\n  bind :8088\n  default_backend acme\nbackend acme\n  server one 127.0.0.1:{port}\n"
        );
        host.write_file("/etc/haproxy/haproxy.cfg", text.as_bytes());
        restart(&host, "haproxy.service");
    };
    haproxy(8080);
    assert_eq!(status(&host, 8088), "200");
    let place = "/etc/haproxy/haproxy.cfg:10";
    only(&doctor(&desk), "info", "haproxy forwards to acme.service", place);
    haproxy(8081);
    assert_eq!(status(&host, 8088), "503");
    let miss = "haproxy forwards to 127.0.0.1:8081, where nothing listens";
    only(&doctor(&desk), "warning", miss, place);

    // A directory of files, by a variable that only the process shows.
    host.root("mkdir -p /srv/ha && cp /etc/haproxy/haproxy.cfg /srv/ha/a.cfg && sed -i s/8081/8080/ /srv/ha/a.cfg")
        .ok();
    drop_in(&host, "haproxy.service", "[Service]\nEnvironment=CONFIG=/srv/ha\n");
    assert_eq!(status(&host, 8088), "200");
    let leads = "haproxy forwards to acme.service";
    only(&doctor(&desk), "info", leads, "/srv/ha/a.cfg:10");
    // One that was started with what is gone now.
    host.root("mv /srv/ha /srv/gone").ok();
    let unknown = "the configuration of haproxy was not read: /srv/ha, its configuration file, does not exist";
    only(&doctor(&desk), "info", unknown, "-:null");
}

#[test]
fn nginx_that_was_started_with_another_file() {
    let host = lab::host!(Suite::Trixie);
    let desk = Desk::live(&host, Service::Notify, &acme("restart"));
    host.root("mkdir -p /srv/web/more && rm -f /etc/nginx/sites-enabled/default")
        .ok();
    host.write_file(
        SITE,
        b"server { listen 8087; location / { proxy_pass http://127.0.0.1:8081; } }\n",
    );
    host.write_file("/srv/web/n.conf", b"events {}\nhttp { include more/*; }\n");
    let site = b"server {\n listen 8088;\n location / { proxy_pass http://127.0.0.1:8080; }\n}\n";
    host.write_file("/srv/web/more/acme", site);
    let start =
        "[Service]\nExecStart=\nExecStart=/usr/sbin/nginx -c /srv/web/n.conf -g 'daemon on; master_process on;'\n";
    drop_in(&host, "nginx.service", start);
    assert_eq!(status(&host, 8088), "200");
    let (leads, place) = ("nginx forwards to acme.service", "/srv/web/more/acme:3");
    only(&doctor(&desk), "info", leads, place);
    // Its unit says the same of one that does not run.
    host.root("systemctl enable nginx.service && systemctl stop nginx.service")
        .ok();
    doctor(&desk).first(
        "nginx.service is inactive: it forwards to acme.service",
        "sudo nginx -t -c /srv/web/n.conf && sudo systemctl start nginx.service",
    );
}

#[test]
fn caddy_in_front_of_the_app() {
    let host = lab::host!(Suite::Bookworm.with_apps());
    let desk = Desk::live(&host, Service::Notify, &acme("restart"));
    let caddy = |port: u16| {
        let text = "(common) {\n\tencode gzip\n}\n:8088 {\n\timport common\n\timport sites/*\n}\n# reverse_proxy 127.0.0.1:1\n";
        let site = format!("reverse_proxy /* localhost:{port} {{\n\tlb_policy first\n}}\n");
        host.root("mkdir -p /etc/caddy/sites").ok();
        host.write_file("/etc/caddy/Caddyfile", text.as_bytes());
        host.write_file("/etc/caddy/sites/acme", site.as_bytes());
        restart(&host, "caddy.service");
    };
    caddy(8080);
    let place = "/etc/caddy/sites/acme:1";
    assert_eq!(status(&host, 8088), "200");
    only(&doctor(&desk), "info", "caddy forwards to acme.service", place);
    caddy(8081);
    assert_eq!(status(&host, 8088), "502");
    let miss = "caddy forwards to localhost:8081, where nothing listens";
    only(&doctor(&desk), "warning", miss, place);

    // In JSON.
    host.root("mkdir -p /srv/web && caddy adapt --pretty --config /etc/caddy/Caddyfile 2>/dev/null | sed s/8081/8080/ >/srv/web/caddy.json").ok();
    let start = |args: &str| format!("[Service]\nExecStart=\nExecStart=/usr/bin/caddy run {args}\n");
    drop_in(&host, "caddy.service", &start("--config /srv/web/caddy.json"));
    host.wait_for("caddy", |host| status(host, 8088) == "200");
    let said = doctor(&desk);
    let all = routers(&said);
    assert!(
        matches!(&all[..], [one] if one.contains("caddy forwards to acme.service") && one.contains("/srv/web/caddy.json:")),
        "{all:#?}"
    );
    // What only its API knows is not read, and that is said.
    drop_in(&host, "caddy.service", &start("--resume"));
    host.wait_for("caddy", |host| status(host, 8088) == "200");
    let unknown = "the configuration of caddy was not read: it loads the last configuration that its API received";
    only(&doctor(&desk), "info", unknown, "-:null");
}
