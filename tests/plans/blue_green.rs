//! `blue-green` as a plan, and what is refused before anything is sent: a router that others can turn, or that cannot be
//! turned.

use expect_test::expect;
use shipit::config;
use shipit::observed::Observed;
use shipit::plan::{Goal, Plan, plan};
use shipit::step::Step;

use super::{BASE, THREE, check, deploy, facts};

const NGINX: &str = "routers: {edge: {kind: nginx, url: 'http://127.0.0.1/healthz'}}\n\
    services:\n  - unit: acme@.service\n    strategy: blue-green\n    router: edge\n    \
    health: {unix: {socket: '/run/acme/{instance}.sock', path: /healthz}, release: true}\n";
const PORTS: &str = "routers: {edge: {kind: caddy, url: 'http://127.0.0.1/healthz'}}\n\
    services:\n  - unit: acme@.service\n    strategy: blue-green\n    router: edge\n    ports: [8081, 8082]\n    \
    health: {url: 'http://127.0.0.1:{port}/healthz', release: true}\n";
const HAPROXY: &str = "routers: {edge: {kind: haproxy, url: 'http://127.0.0.1/healthz', socket: /run/haproxy/acme.sock, backend: acme}}\n\
    services:\n  - unit: acme@.service\n    strategy: blue-green\n    router: edge\n    bake: 10s\n    ports: [8081, 8082]\n    \
    health: {url: 'http://127.0.0.1:{port}/healthz', release: true}\n";

/// Two instances of which blue runs, and this of the router.
fn instances(router: &str) -> Observed {
    let units = ["blue", "green"].map(|one| {
        let active = if one == "blue" { "active" } else { "inactive" };
        format!(
            "unit acme@{one}.service LoadState=loaded\nunit acme@{one}.service ActiveState={active}\n\
             unit acme@{one}.service UnitFileState=enabled\nunit acme@{one}.service WorkingDirectory=/opt/acme/slots/{one}\n"
        )
    });
    facts(&format!(
        "{THREE}slot blue link ../releases/c\n{}{router}",
        units.concat()
    ))
}

const SERVERS: &str = "router haproxy=/run/haproxy/acme.sock=acme socket there deploy haproxy 600 socket\n\
    router haproxy=/run/haproxy/acme.sock=acme server blue 2 0 1 1 8081\n\
    router haproxy=/run/haproxy/acme.sock=acme server green 0 8 1 1 8082\n";

#[test]
fn the_new_instance_is_checked_before_the_router_leads_to_it_and_through_the_router_after() {
    check(
        &format!("{BASE}{HAPROXY}"),
        &instances(SERVERS),
        &deploy("d"),
        &expect![[r#"
            deploy c -> d

            switch (the host runs it by itself)
              baseline  acme@blue.service: http://127.0.0.1:8081/healthz healthy within 5s before anything changes, if it is running
              baseline  acme@blue.service: http://127.0.0.1/healthz healthy within 5s before anything changes, if it is running
              measure   http://127.0.0.1/healthz every 50 ms
              isolate   HAProxy sends no requests to acme/green
              slot      slots/green -> releases/d
              restart   acme@green.service
              await     acme@green.service: active within 30s, http://127.0.0.1:8082/healthz healthy 3 times in a row within 30s, stable for 3s
              flip      current -> releases/d
              route     HAProxy over /run/haproxy/acme.sock: requests go to acme/green, not to acme/blue
              await     acme@green.service: active within 30s, http://127.0.0.1/healthz healthy within 5s, stable for 10s
              drain     acme/blue: until no request is left, at most 30s
              stop      acme@blue.service
              slot      remove `slots/blue`: the instance stays stopped
              await     acme@green.service: active within 30s, http://127.0.0.1/healthz healthy within 5s, stable for 0s
              confirm   no automatic revert after this

            revert (if a step fails after the flip began)
              flip      current -> releases/c
              slot      slots/blue -> releases/c
              resume    start acme@blue.service, unless it is still running
              route     HAProxy over /run/haproxy/acme.sock: requests go to acme/blue, not to acme/green
              drain     acme/green: until no request is left, at most 5s
              stop      acme@green.service
              slot      remove `slots/green`: the instance stays stopped
              await     acme@blue.service: active within 30s, http://127.0.0.1:8081/healthz healthy 3 times in a row within 30s, stable for 3s
              await     acme@blue.service: active within 30s, http://127.0.0.1/healthz healthy within 5s, stable for 0s

            settle (after the confirmation)
              spare     reserve disk space for the next rollback
        "#]],
    );
}

#[test]
fn a_router_that_is_turned_by_ports_is_told_which_file_names_the_port() {
    let place = "router port=/opt/acme/live place closed\n";
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("deploy.yml");
    std::fs::write(&file, format!("{BASE}{PORTS}")).unwrap();
    let config = config::load(&file, None).unwrap();
    let planned = plan(&config, &instances(place), &deploy("d")).unwrap();
    let route = planned
        .switch
        .iter()
        .find(|step| matches!(step, Step::Route(_)))
        .unwrap();
    assert_eq!(
        route.to_string(),
        "route     Caddy by /opt/acme/live.PORT: requests go to 127.0.0.1:8082, not to 127.0.0.1:8081"
    );
    assert!(
        route
            .line()
            .starts_with("route to=127.0.0.1:8082 from=127.0.0.1:8081 router=port at=/opt/acme/live instead=- within=")
    );
}

/// The revert starts the old instance again, which has stopped by then.
#[test]
fn the_verify_command_judges_while_the_old_instance_still_runs_and_a_limit_too_short_for_https_is_told() {
    let limited = format!("{BASE}verify: {{run: ./smoke.sh}}\nmax_gap: 200ms\n{HAPROXY}");
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("deploy.yml");
    let planned = |yml: &str| {
        std::fs::write(&file, yml).unwrap();
        let config = config::load(&file, None).unwrap();
        plan(&config, &instances(SERVERS), &deploy("d")).unwrap()
    };
    let calm = planned(&limited);
    let kinds = |steps: &[Step]| {
        steps
            .iter()
            .map(|step| step.kind().word())
            .collect::<Vec<_>>()
            .join(" ")
    };
    assert!(kinds(&calm.switch).ends_with("route await verify drain stop slot await limits confirm"));
    assert!(kinds(&calm.revert).starts_with("flip slot resume route"));
    let told = |plan: &Plan| {
        plan.warnings
            .iter()
            .any(|text| text.contains("max_gap (200ms) is too short"))
    };
    assert!(!told(&calm));
    assert!(told(&planned(
        &limited.replace("'http://127.0.0.1/", "'https://127.0.0.1/")
    )));
}

/// Why a deploy is refused, for a router as observed.
fn refused(yml: &str, router: &str) -> String {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("deploy.yml");
    std::fs::write(&file, format!("{BASE}{yml}")).unwrap();
    let config = config::load(&file, None).unwrap();
    let failure = plan(&config, &instances(router), &deploy("d")).expect_err(router);
    failure.why.join("\n")
}

#[test]
fn a_file_for_the_router_that_others_can_change_is_refused_with_the_lines_to_type() {
    let key = "router link=/opt/acme/live.sock";
    for (said, why) in [
        (
            "place open app app 775 /opt/acme",
            "/opt/acme (app:app, mode 775) can be changed by users other than root and deploy",
        ),
        (
            "place open app app 775 /opt/acme",
            "`sudo chown deploy:deploy /opt/acme && sudo chmod 755 /opt/acme`",
        ),
        (
            "place absent /opt/acme",
            "`sudo install -d -o deploy -g deploy -m 755 /opt/acme`",
        ),
        ("place symlink /opt/acme", "/opt/acme contains a symlink"),
        ("place readonly /opt/acme", "deploy cannot write to /opt/acme"),
        ("place unreadable", "/opt/acme could not be read by deploy"),
        ("odd socket", "/opt/acme/live.sock is a socket"),
        // Nothing was printed of it.
        ("absent", "/opt/acme could not be read by deploy"),
    ] {
        let is = refused(NGINX, &format!("{key} {said}\n"));
        assert!(is.contains(why), "{said}: {is}");
    }
    let key = "router port=/opt/acme/live";
    for (said, why) in [
        (
            "place open app app 775 /opt",
            "and whoever changes /opt/acme/live decides where Caddy sends requests",
        ),
        (
            "place hidden deploy deploy 750 /opt/acme",
            "Caddy cannot enter /opt/acme (deploy:deploy, mode 750), so it would not find the file that names the port: `sudo chmod o+x /opt/acme`",
        ),
        ("", "/opt/acme could not be read by deploy"),
    ] {
        let is = refused(PORTS, &format!("{key} {said}\n"));
        assert!(is.contains(why), "{said}: {is}");
    }
}

#[test]
fn a_haproxy_that_cannot_be_asked_or_lacks_a_server_is_refused_with_the_lines_to_write() {
    let line = "write `stats socket /run/haproxy/acme.sock mode 600 user deploy level admin` under `global`";
    let there = "socket there deploy haproxy 600 socket";
    for (said, why) in [
        ("", "the state of /run/haproxy/acme.sock could not be read"),
        ("socket absent", line),
        (
            "socket there root root 666 socket",
            "every user of the host can control HAProxy",
        ),
        ("socket there root root 660 regular file", "is not a socket"),
        (
            &format!("{there}\nrefused /run/haproxy/acme.sock: Permission denied"),
            line,
        ),
        (
            there,
            "HAProxy's backend acme has no server blue: write `server blue 127.0.0.1:8081 check`",
        ),
        (
            &format!("{there}\nserver blue 2 0 1 0 8081"),
            "HAProxy does not check the server acme/blue",
        ),
        (
            &format!("{there}\nserver blue 2 0 1 1 8082"),
            "acme/blue has port 8082, but the health check of the instance has port 8081",
        ),
    ] {
        let lines = said
            .lines()
            .map(|line| format!("router haproxy=/run/haproxy/acme.sock=acme {line}\n"));
        let is = refused(HAPROXY, &lines.collect::<String>());
        assert!(is.contains(why), "{said}: {is}");
    }
}

/// The canary of a deploy; a rollback has none.
#[test]
fn a_canary_sends_a_share_before_everything() {
    let canary = HAPROXY.replace("blue-green", "canary\n    steps: [5%, 50%]\n    hold: 30s");
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("deploy.yml");
    std::fs::write(&file, format!("{BASE}{canary}")).unwrap();
    let config = config::load(&file, None).unwrap();
    let after_the_flip = |goal: &Goal, observed: &Observed| {
        let Plan { switch, .. } = plan(&config, observed, goal).unwrap();
        let flip = switch.iter().position(|step| matches!(step, Step::Flip(_))).unwrap();
        let steps: Vec<String> = switch[flip..].iter().map(ToString::to_string).collect();
        steps.join("\n")
    };
    expect![[r#"
        flip      current -> releases/d
        canary    5% of the requests go to acme/green for 30s, compared with acme/blue
        canary    50% of the requests go to acme/green for 30s, compared with acme/blue
        route     HAProxy over /run/haproxy/acme.sock: requests go to acme/green, not to acme/blue
        await     acme@green.service: active within 30s, http://127.0.0.1/healthz healthy within 5s, stable for 10s
        drain     acme/blue: until no request is left, at most 30s
        stop      acme@blue.service
        slot      remove `slots/blue`: the instance stays stopped
        await     acme@green.service: active within 30s, http://127.0.0.1/healthz healthy within 5s, stable for 0s
        confirm   no automatic revert after this"#]]
    .assert_eq(&after_the_flip(&deploy("d"), &instances(SERVERS)));
    let back = after_the_flip(&Goal::Rollback { to: None }, &instances(SERVERS));
    assert!(!back.contains("canary"), "{back}");
    let fixed = format!("{SERVERS}router haproxy=/run/haproxy/acme.sock=acme algorithm static-rr\n");
    let why = refused(&canary, &fixed);
    assert!(why.contains("`balance static-rr`, which cannot change"), "{why}");
}

/// nginx in parts, as observed on a host that has them all.
fn split(key: &str, splits: &str) -> String {
    let place = format!("router {key} place closed\n");
    splits
        .lines()
        .fold(place, |all, line| format!("{all}router {key} splits {line}\n"))
}

const SERVERS_OF_PARTS: &str = "1 max_fails=0\n2 weight=2 max_fails=0\n4 weight=4\n8 weight=8\n16 weight=16\n32 weight=32\n37 max_fails=0 weight=37";

#[test]
fn a_canary_behind_nginx_turns_parts_and_is_refused_where_nginx_has_none() {
    let links = NGINX.replace("blue-green", "canary\n    steps: [25%]\n    hold: 30s");
    let ports = PORTS
        .replace("caddy", "nginx")
        .replace("blue-green", "canary\n    steps: [25%]\n    hold: 30s");
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("deploy.yml");
    let steps = |yml: &str, router: &str| {
        std::fs::write(&file, format!("{BASE}{yml}")).unwrap();
        let config = config::load(&file, None).unwrap();
        let plan = plan(&config, &instances(router), &deploy("d")).unwrap();
        let routed = |step: &&Step| matches!(step, Step::Canary(_) | Step::Route(_) | Step::Drain { .. });
        let all = plan.switch.iter().chain(&plan.revert).filter(routed);
        all.map(|step| format!("{step}\n{}\n", step.line().split(" kind=").next().unwrap()))
            .collect::<String>()
    };
    expect![[r"
        canary    25% of the requests go to /run/acme/green.sock for 30s, compared with /run/acme/blue.sock
        canary share=25\0045 router=links at=/opt/acme/live.sock to=/run/acme/green.sock from=/run/acme/blue.sock hold=30 requests=- old=/run/acme/blue.sock\0040/healthz
        route     nginx by /opt/acme/live.N.sock: requests go to /run/acme/green.sock, not to /run/acme/blue.sock
        route to=/run/acme/green.sock from=/run/acme/blue.sock router=links at=/opt/acme/live.sock instead=- within=30
        drain     /run/acme/blue.sock: until no request is left, at most 30s
        drain from=/run/acme/blue.sock limit=30 router=links at=/opt/acme/live.sock several=-
        route     nginx by /opt/acme/live.N.sock: requests go to /run/acme/blue.sock, not to /run/acme/green.sock
        route to=/run/acme/blue.sock from=/run/acme/green.sock router=links at=/opt/acme/live.sock instead=- within=30
        drain     /run/acme/green.sock: until no request is left, at most 5s
        drain from=/run/acme/green.sock limit=5 router=links at=/opt/acme/live.sock several=-
    "]]
    .assert_eq(&steps(&links, &split("links=/opt/acme/live.sock", SERVERS_OF_PARTS)));
    let by_port = steps(&ports, &split("ports=/opt/acme/live", "8082"));
    assert!(
        by_port.contains("nginx by /opt/acme/live.N.PORT: requests go to 127.0.0.1:8082"),
        "{by_port}"
    );

    let key = "links=/opt/acme/live.sock";
    for (lacks, why) in [
        (
            "",
            "because /etc/nginx does not have a server for each part of the requests",
        ),
        (
            "",
            "for n in 1 2 4 8 16 32 37; do ln -sfn /run/acme/blue.sock /opt/acme/live.$n.sock; done",
        ),
        ("", "server unix:/opt/acme/live.37.sock weight=37 max_fails=0;`"),
        (
            &SERVERS_OF_PARTS.replace("weight=16", "weight=15"),
            "cannot send a share",
        ),
        (&SERVERS_OF_PARTS.replace("4 weight=4\n", ""), "cannot send a share"),
    ] {
        let is = refused(&links, &split(key, lacks));
        assert!(is.contains(why), "{lacks}: {is}");
    }
    let odd = format!("{}router {key} odd regular file\n", split(key, SERVERS_OF_PARTS));
    let is = refused(&links, &odd);
    assert!(is.contains("one of /opt/acme/live.N.sock is a regular file"), "{is}");
    let is = refused(&ports, &split("ports=/opt/acme/live", "8083"));
    assert!(
        is.contains("do touch /opt/acme/live.$n.8081 && rm -f /opt/acme/live.$n.8082; done"),
        "{is}"
    );
    // What could not be read may be there.
    let unread = format!("{}router {key} unread\n", split(key, ""));
    assert!(steps(&links, &unread).contains("router=links"));
}
