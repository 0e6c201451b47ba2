//! `routers`, and the services behind them: `blue-green` and `canary`.

use shipit::config::Probe;
use shipit::step::{Lever, Proxy};

use super::{refused_with, taken, with};

const EDGE: &str = "{edge: {kind: nginx, url: \"http://127.0.0.1/healthz\"}}";
const HEALTH: &str = "{unix: {socket: \"/run/acme/{instance}.sock\", path: /h}}";

fn service(keys: &str) -> String {
    format!("[{{unit: acme@.service, strategy: blue-green, {keys}}}]")
}

/// A file with these routers and this service.
fn file(routers: &str, keys: &str) -> String {
    with("services", &format!("{}\nrouters: {routers}", service(keys)))
}

#[test]
fn a_service_is_known_to_its_router_by_each_instance() {
    let config = taken(&file(EDGE, &format!("router: edge, health: {HEALTH}")));
    let service = &config.services[0];
    let places: Vec<_> = service.instances().filter_map(|one| service.place(&one)).collect();
    assert_eq!(places, ["/run/acme/blue.sock", "/run/acme/green.sock"]);
    let router = service.router.as_ref().expect("a router");
    assert_eq!(
        router.lever,
        Lever::Link {
            proxy: Proxy::Nginx,
            live: "/opt/acme/live.sock".into()
        }
    );
    assert_eq!(
        router.url,
        Probe::Http {
            url: "http://127.0.0.1/healthz".into()
        }
    );
    assert_eq!(service.bake.as_secs(), 30);

    let edge = "{edge: {kind: haproxy, url: \"http://127.0.0.1/h\", socket: /run/haproxy/a.sock, backend: web}}";
    let config = taken(&file(
        edge,
        "router: edge, ports: [1, 2], bake: 0s, health: {url: \"http://127.0.0.1:{port}/h\"}",
    ));
    let service = &config.services[0];
    let places: Vec<_> = service.instances().filter_map(|one| service.place(&one)).collect();
    assert_eq!(places, ["web/blue", "web/green"]);

    let edge = "{edge: {kind: caddy, url: \"http://127.0.0.1/h\", live: /srv/web.sock}}";
    let ports = "router: edge, ports: [1, 2], health: {url: \"http://127.0.0.1:{port}/h\"}";
    let config = taken(&file(edge, ports));
    let service = &config.services[0];
    let places: Vec<_> = service.instances().filter_map(|one| service.place(&one)).collect();
    assert_eq!(places, ["127.0.0.1:1", "127.0.0.1:2"]);
    assert_eq!(
        service.router.as_ref().expect("a router").lever,
        Lever::Port {
            proxy: Proxy::Caddy,
            live: "/srv/web".into()
        }
    );
}

#[test]
fn a_router_that_could_not_be_turned_is_refused() {
    let own = format!("router: edge, health: {HEALTH}");
    let nginx = |more: &str| format!("{{edge: {{kind: nginx, url: \"http://127.0.0.1/\", {more}}}}}");
    for (routers, keys, why) in [
        (
            "{edge: {kind: apache, url: \"http://127.0.0.1/\"}}",
            own.as_str(),
            "`kind` must be nginx, caddy or haproxy",
        ),
        ("{edge: {kind: nginx}}", &own, "`url` is missing"),
        (
            "{edge: {kind: haproxy, url: \"http://127.0.0.1/\"}}",
            &own,
            "`socket` is missing; `kind: haproxy` requires it",
        ),
        (&nginx("backend: acme"), &own, "only `kind: haproxy` uses it"),
        (
            "{edge: {kind: haproxy, url: \"http://127.0.0.1/\", socket: /run/h.sock, backend: a, live: /opt/a.sock}}",
            &own,
            "only `kind: nginx` and `kind: caddy` use it",
        ),
        (
            &nginx("live: /run/acme/live.sock"),
            &own,
            "is in a directory that is empty after a reboot",
        ),
        (&nginx("live: live.sock"), &own, "is not an absolute path"),
        (
            "{Edge: {kind: nginx, url: \"http://127.0.0.1/\"}}",
            &own,
            "is not a valid router name",
        ),
        ("[nginx]", &own, "`routers` must be a map of names to routers"),
        (
            EDGE,
            &format!("health: {HEALTH}"),
            "`router` is missing; `blue-green` needs the name",
        ),
        (
            EDGE,
            &format!("router: other, health: {HEALTH}"),
            "`other` is not in `routers`",
        ),
        (
            EDGE,
            "router: edge",
            "`health` is missing; a new instance is checked at its own address",
        ),
        (
            EDGE,
            "router: edge, health: {command: \"./check {instance}\"}",
            "`health` must check the unix socket or the port of the instance",
        ),
        (
            EDGE,
            "router: edge, ports: [8080, 8081], health: {url: \"http://127.0.0.1:8080/\"}",
            "checks every instance at the same address",
        ),
        (
            EDGE,
            "router: edge, health: {url: \"http://{instance}.test:8080/\"}",
            "checks every instance at the same address",
        ),
        (
            EDGE,
            "router: edge, health: {unix: {socket: /run/acme/x.sock, path: /h}}",
            "checks every instance at the same address",
        ),
    ] {
        refused_with(&file(routers, keys), why);
    }
    let edge = "{edge: {kind: haproxy, url: \"http://127.0.0.1/\", socket: /run/h.sock, backend: \"a b\"}}";
    refused_with(&file(edge, &own), "is not the name of a backend");
    let twice = "{a: {kind: nginx, url: \"http://127.0.0.1/\"}, b: {kind: nginx, url: \"http://127.0.0.1/h\"}}";
    refused_with(
        &file(twice, &own.replace("edge", "a")),
        "`a` and `b` are the same router",
    );
    refused_with(
        &file(&twice.replacen("nginx", "caddy", 1), &own.replace("edge", "a")),
        "`a` and `b` are the same router",
    );
    let plain = |keys: &str| with("services", &format!("[{{unit: a.service, strategy: restart, {keys}}}]"));
    refused_with(&plain("router: edge"), "`restart` does not use a router");
    refused_with(
        &plain("bake: 3s"),
        "only strategies with a router keep the old instance ready",
    );
}

#[test]
fn a_router_serves_one_service() {
    let health = |unit: &str| format!("health: {{unix: {{socket: \"/run/{unit}/{{instance}}.sock\", path: /h}}}}");
    let one = |unit: &str, instances: &str| {
        format!(
            "{{unit: {unit}@.service, strategy: blue-green, router: edge, instances: {instances}, {}}}",
            health(unit)
        )
    };
    let services = format!("[{}, {}]", one("web", "[blue, green]"), one("api", "[a, b]"));
    refused_with(
        &with("services", &format!("{services}\nrouters: {EDGE}")),
        "another service has this router too",
    );
    // Nor do two services have one symlink: here `live.1.sock` of the instance 1.
    let second = EDGE
        .replace("edge:", "side:")
        .replace("nginx,", "nginx, live: /opt/acme/live.1.sock,");
    let inner = |map: &str| map[1..map.len() - 1].to_owned();
    let routers = format!("{{{}, {}}}", inner(EDGE), inner(&second));
    let rolling = format!(
        "{{unit: web@.service, strategy: rolling, router: edge, instances: 2, {}}}",
        health("web")
    );
    let services = format!(
        "[{rolling}, {}]",
        one("api", "[a, b]").replace("router: edge", "router: side")
    );
    refused_with(
        &with("services", &format!("{services}\nrouters: {routers}")),
        "another service has this router too",
    );
}

#[test]
fn several_instances_have_a_router_that_can_leave_one_out() {
    let rolling = |routers: &str, keys: &str| {
        let service = format!("[{{unit: acme@.service, strategy: rolling, {keys}}}]");
        with("services", &format!("{service}\nrouters: {routers}"))
    };
    let own = format!("router: edge, health: {HEALTH}");
    let config = taken(&rolling(EDGE, &format!("instances: 2, {own}")));
    let levers: Vec<String> = config.services[0].levers().iter().map(Lever::key).collect();
    assert_eq!(
        levers,
        [
            "link=/opt/acme/live.sock",
            "link=/opt/acme/live.1.sock",
            "link=/opt/acme/live.2.sock"
        ]
    );
    let caddy = EDGE.replace("nginx", "caddy");
    let ports = "router: edge, ports: [8081, 8082], health: {url: \"http://127.0.0.1:{port}/\"}";
    for (routers, keys, why) in [
        (EDGE, format!("instances: 1, {own}"), "needs two instances or more"),
        (
            EDGE,
            format!("instances: 2, socket: acme.socket, {own}"),
            "takes `socket` or `router`, not both",
        ),
        (
            &caddy,
            format!("instances: 2, {own}"),
            "`edge` cannot stop sending requests",
        ),
        (
            EDGE,
            format!("instances: 2, {ports}"),
            "if each instance listens on a unix socket",
        ),
        (EDGE, "instances: 2, router: edge".to_owned(), "`health` is missing"),
    ] {
        refused_with(&rolling(routers, &keys), why);
    }
    // Without one, as before.
    taken(&with(
        "services",
        "[{unit: a@.service, strategy: rolling, instances: 1}]",
    ));
}

#[test]
fn a_canary_has_ascending_shares_and_a_router_that_splits() {
    let edge = "{edge: {kind: haproxy, url: \"http://127.0.0.1/\", socket: /run/h.sock, backend: acme}}";
    let canary = |routers: &str, keys: &str| {
        let health = "ports: [8081, 8082], health: {url: \"http://127.0.0.1:{port}/h\"}";
        let service = format!("[{{unit: a@.service, strategy: canary, router: edge, {health}{keys}}}]");
        with("services", &format!("{service}\nrouters: {routers}"))
    };
    let read = |keys: &str| taken(&canary(edge, keys)).services[0].canary.clone().unwrap();
    let usual = read("");
    assert_eq!(
        (usual.shares, usual.hold.as_secs(), usual.min_requests),
        (vec![5, 25], 60, 100)
    );
    let own = read(", steps: [1%, 50%, 99%, 100%], hold: 20m, min_requests: 7");
    assert_eq!(
        (own.shares, own.hold.as_secs(), own.min_requests),
        (vec![1, 50, 99], 1200, 7)
    );
    assert_eq!(read(", steps: [10%]").shares, [10]);
    for steps in ["[100%]", "[]", "[25%, 5%]", "[5%, 5%]"] {
        let why = "list 1 to 20 ascending shares below 100%";
        refused_with(&canary(edge, &format!(", steps: {steps}")), why);
    }
    for share in ["5", "0%", "101%", "05%", "5.5%", "five"] {
        refused_with(
            &canary(edge, &format!(", steps: [{share}]")),
            "is not a share from 1% to 100%",
        );
    }
    refused_with(&canary(edge, ", hold: soon"), "`hold` must be a duration");
    let unix = "health: {unix: {socket: \"/run/acme/{instance}.sock\", path: /h}}";
    let nginx = format!("[{{unit: a@.service, strategy: canary, router: edge, {unix}}}]\nrouters: {EDGE}");
    let config = taken(&with("services", &nginx));
    let levers: Vec<String> = config.services[0].levers().iter().map(Lever::key).collect();
    assert_eq!(levers, ["links=/opt/acme/live.sock"]);
    let counted = nginx.replace("router: edge", "router: edge, min_requests: 3");
    refused_with(
        &with("services", &counted),
        "only a router of `kind: haproxy` counts requests",
    );
    let caddy = nginx.replace("nginx", "caddy");
    refused_with(&with("services", &caddy), "`edge` cannot split the requests");
    // A part of it is the router of nobody else.
    let two = nginx.replace(
        "}]",
        "}, {unit: b@.service, strategy: rolling, instances: [1, two], router: edge, health: {unix: {socket: \"/run/b/{instance}.sock\", path: /h}}}]",
    );
    refused_with(&with("services", &two), "another service has this router too");
    let ports = canary(EDGE, "");
    let config = taken(&ports);
    assert_eq!(config.services[0].levers()[0].key(), "ports=/opt/acme/live");
    let plain = |keys: &str| with("services", &format!("[{{unit: a.service, strategy: restart, {keys}}}]"));
    for key in ["steps: [5%]", "hold: 3s", "min_requests: 3"] {
        refused_with(&plain(key), "only `strategy: canary` uses it");
    }
}
