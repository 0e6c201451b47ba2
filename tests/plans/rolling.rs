//! `rolling` behind a router as a plan: one instance after another leaves the router, changes and joins it again, and the
//! way back is the same, from the last one.

use expect_test::expect;
use shipit::config;
use shipit::observed::Observed;
use shipit::plan::{Goal, plan};

use super::{BASE, THREE, check, deploy, facts};

const NGINX: &str = "routers: {edge: {kind: nginx, url: 'http://127.0.0.1/healthz'}}\n\
    services:\n  - unit: acme@.service\n    strategy: rolling\n    instances: 2\n    router: edge\n    \
    health: {unix: {socket: '/run/acme/{instance}.sock', path: /healthz}, release: true}\n";
const HAPROXY: &str = "routers: {edge: {kind: haproxy, url: 'http://127.0.0.1/healthz', socket: /run/haproxy/acme.sock, backend: acme}}\n\
    services:\n  - unit: acme@.service\n    strategy: rolling\n    instances: 2\n    router: edge\n    ports: [8081, 8082]\n    \
    health: {url: 'http://127.0.0.1:{port}/healthz', release: true}\n";
const SERVERS: &str = "router haproxy=/run/haproxy/acme.sock=acme socket there deploy haproxy 600 socket\n\
    router haproxy=/run/haproxy/acme.sock=acme server 1 2 0 1 1 8081\n\
    router haproxy=/run/haproxy/acme.sock=acme server 2 2 0 1 1 8082\n";

/// Instances of which these run, and this of the router.
fn instances(running: &[&str], router: &str) -> Observed {
    let units = ["1", "2"].map(|one| {
        let runs = running.contains(&one);
        let (active, slot) = if runs { ("active", format!("slot {one} link ../releases/c\n")) } else { ("inactive", String::new()) };
        format!(
            "unit acme@{one}.service LoadState=loaded\nunit acme@{one}.service ActiveState={active}\n{slot}\
             unit acme@{one}.service UnitFileState=enabled\nunit acme@{one}.service WorkingDirectory=/opt/acme/slots/{one}\n"
        )
    });
    facts(&format!("{THREE}{}{router}", units.concat()))
}

#[test]
fn behind_haproxy_each_instance_is_drained_checked_and_ready_before_the_next_one() {
    check(
        &format!("{BASE}{HAPROXY}"),
        &instances(&["1", "2"], SERVERS),
        &deploy("d"),
        &expect![[r#"
            deploy c -> d

            switch (the host runs it by itself)
              baseline  acme@1.service: http://127.0.0.1:8081/healthz healthy within 5s before anything changes, if it is running
              baseline  acme@2.service: http://127.0.0.1:8082/healthz healthy within 5s before anything changes, if it is running
              baseline  acme@1.service: http://127.0.0.1/healthz healthy within 5s before anything changes, if it is running
              measure   http://127.0.0.1/healthz every 50 ms
              drain     acme/1: until no request is left, at most 30s
              slot      slots/1 -> releases/d
              restart   acme@1.service
              await     acme@1.service: active within 30s, http://127.0.0.1:8081/healthz healthy 3 times in a row within 30s, stable for 3s
              route     HAProxy over /run/haproxy/acme.sock: requests go to acme/1
              drain     acme/2: until no request is left, at most 30s
              slot      slots/2 -> releases/d
              restart   acme@2.service
              await     acme@2.service: active within 30s, http://127.0.0.1:8082/healthz healthy 3 times in a row within 30s, stable for 3s
              route     HAProxy over /run/haproxy/acme.sock: requests go to acme/2
              flip      current -> releases/d
              await     acme@2.service: active within 30s, http://127.0.0.1/healthz healthy within 5s, stable for 0s
              confirm   no automatic revert after this

            revert (if a step fails after the flip began)
              flip      current -> releases/c
              slot      slots/1 -> releases/c
              slot      slots/2 -> releases/c
              drain     acme/2: until no request is left, at most 5s
              resume    start acme@2.service, unless it is still running
              await     acme@2.service: active within 30s, http://127.0.0.1:8082/healthz healthy 3 times in a row within 30s, stable for 3s
              route     HAProxy over /run/haproxy/acme.sock: requests go to acme/2
              drain     acme/1: until no request is left, at most 5s
              resume    start acme@1.service, unless it is still running
              await     acme@1.service: active within 30s, http://127.0.0.1:8081/healthz healthy 3 times in a row within 30s, stable for 3s
              route     HAProxy over /run/haproxy/acme.sock: requests go to acme/1
              await     acme@2.service: active within 30s, http://127.0.0.1/healthz healthy within 5s, stable for 0s

            settle (after the confirmation)
              spare     reserve disk space for the next rollback
        "#]],
    );
}

#[test]
fn behind_nginx_another_instance_stands_in_for_the_one_that_restarts() {
    check(
        &format!("{BASE}{NGINX}"),
        &instances(&["1", "2"], "router link=/opt/acme/live.sock place closed\n"),
        &deploy("d"),
        &expect![[r#"
            deploy c -> d

            switch (the host runs it by itself)
              baseline  acme@1.service: /run/acme/1.sock /healthz healthy within 5s before anything changes, if it is running
              baseline  acme@2.service: /run/acme/2.sock /healthz healthy within 5s before anything changes, if it is running
              baseline  acme@1.service: http://127.0.0.1/healthz healthy within 5s before anything changes, if it is running
              measure   http://127.0.0.1/healthz every 50 ms
              route     nginx by /opt/acme/live.1.sock: requests go to /run/acme/2.sock, not to /run/acme/1.sock
              drain     /run/acme/1.sock: until no request is left, at most 30s
              slot      slots/1 -> releases/d
              restart   acme@1.service
              await     acme@1.service: active within 30s, /run/acme/1.sock /healthz healthy 3 times in a row within 30s, stable for 3s
              route     nginx by /opt/acme/live.1.sock: requests go to /run/acme/1.sock, not to /run/acme/2.sock
              route     nginx by /opt/acme/live.2.sock: requests go to /run/acme/1.sock, not to /run/acme/2.sock
              drain     /run/acme/2.sock: until no request is left, at most 30s
              slot      slots/2 -> releases/d
              restart   acme@2.service
              await     acme@2.service: active within 30s, /run/acme/2.sock /healthz healthy 3 times in a row within 30s, stable for 3s
              route     nginx by /opt/acme/live.2.sock: requests go to /run/acme/2.sock, not to /run/acme/1.sock
              flip      current -> releases/d
              await     acme@2.service: active within 30s, http://127.0.0.1/healthz healthy within 5s, stable for 0s
              confirm   no automatic revert after this

            revert (if a step fails after the flip began)
              flip      current -> releases/c
              slot      slots/1 -> releases/c
              slot      slots/2 -> releases/c
              route     nginx by /opt/acme/live.2.sock: requests go to /run/acme/1.sock, not to /run/acme/2.sock
              drain     /run/acme/2.sock: until no request is left, at most 5s
              resume    start acme@2.service, unless it is still running
              await     acme@2.service: active within 30s, /run/acme/2.sock /healthz healthy 3 times in a row within 30s, stable for 3s
              route     nginx by /opt/acme/live.2.sock: requests go to /run/acme/2.sock, not to /run/acme/1.sock
              route     nginx by /opt/acme/live.1.sock: requests go to /run/acme/2.sock, not to /run/acme/1.sock
              drain     /run/acme/1.sock: until no request is left, at most 5s
              resume    start acme@1.service, unless it is still running
              await     acme@1.service: active within 30s, /run/acme/1.sock /healthz healthy 3 times in a row within 30s, stable for 3s
              route     nginx by /opt/acme/live.1.sock: requests go to /run/acme/1.sock, not to /run/acme/2.sock
              await     acme@2.service: active within 30s, http://127.0.0.1/healthz healthy within 5s, stable for 0s

            settle (after the confirmation)
              spare     reserve disk space for the next rollback
        "#]],
    );
}

/// One more instance than before: it changes first, so that it can stand in for the other one.
#[test]
fn an_instance_that_rests_changes_first_and_stops_on_the_way_back() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("deploy.yml");
    let planned = |yml: &str, running: &[&str], router: &str| {
        std::fs::write(&file, format!("{BASE}{yml}")).unwrap();
        let config = config::load(&file, None).unwrap();
        let plan = plan(&config, &instances(running, router), &deploy("d")).unwrap();
        let words = |steps: &[shipit::step::Step]| {
            let lines = steps.iter().map(shipit::step::Step::line);
            let short = lines.map(|line| line.split(' ').take(2).collect::<Vec<_>>().join(" "));
            short.collect::<Vec<_>>().join(", ")
        };
        format!("{}\n{}", words(&plan.switch), words(&plan.revert))
    };
    expect![[r#"
        baseline unit=acme@1.service, baseline unit=acme@1.service, measure kind=http, isolate server=acme/2, slot slot=2, restart unit=acme@2.service, await unit=acme@2.service, route to=acme/2, drain from=acme/1, slot slot=1, restart unit=acme@1.service, await unit=acme@1.service, route to=acme/1, flip to=d, await unit=acme@1.service, confirm
        flip to=c, slot slot=2, slot slot=1, drain from=acme/1, resume unit=acme@1.service, await unit=acme@1.service, route to=acme/1, drain from=acme/2, stop unit=acme@2.service, await unit=acme@1.service"#]].assert_eq(&planned(HAPROXY, &["1"], SERVERS));
    // All rest: nothing is left to be asked on the way back.
    expect![[r#"
        measure kind=http, isolate server=acme/1, slot slot=1, restart unit=acme@1.service, await unit=acme@1.service, route to=acme/1, isolate server=acme/2, slot slot=2, restart unit=acme@2.service, await unit=acme@2.service, route to=acme/2, flip to=d, await unit=acme@2.service, confirm
        flip to=c, slot slot=1, slot slot=2, drain from=acme/2, stop unit=acme@2.service, drain from=acme/1, stop unit=acme@1.service"#]].assert_eq(&planned(HAPROXY, &[], SERVERS));
    // One that failed changes before one that serves.
    let failed = format!("{SERVERS}unit acme@2.service ActiveState=failed\n");
    expect![[r#"
        baseline unit=acme@1.service, baseline unit=acme@2.service, baseline unit=acme@1.service, measure kind=http, drain from=acme/2, slot slot=2, restart unit=acme@2.service, await unit=acme@2.service, route to=acme/2, drain from=acme/1, slot slot=1, restart unit=acme@1.service, await unit=acme@1.service, route to=acme/1, flip to=d, await unit=acme@1.service, confirm
        flip to=c, slot slot=2, slot slot=1, drain from=acme/1, resume unit=acme@1.service, await unit=acme@1.service, route to=acme/1, drain from=acme/2, resume unit=acme@2.service, await unit=acme@2.service, route to=acme/2, await unit=acme@1.service"#]].assert_eq(&planned(HAPROXY, &["1", "2"], &failed));
    expect![[r#"
        baseline unit=acme@1.service, baseline unit=acme@1.service, measure kind=http, route to=/run/acme/1.sock, drain from=/run/acme/2.sock, slot slot=2, restart unit=acme@2.service, await unit=acme@2.service, route to=/run/acme/2.sock, route to=/run/acme/2.sock, drain from=/run/acme/1.sock, slot slot=1, restart unit=acme@1.service, await unit=acme@1.service, route to=/run/acme/1.sock, flip to=d, await unit=acme@1.service, confirm
        flip to=c, slot slot=2, slot slot=1, route to=/run/acme/2.sock, drain from=/run/acme/1.sock, resume unit=acme@1.service, await unit=acme@1.service, route to=/run/acme/1.sock, route to=/run/acme/1.sock, drain from=/run/acme/2.sock, stop unit=acme@2.service, await unit=acme@1.service"#]].assert_eq(&planned(
        NGINX,
        &["1"],
        "router link=/opt/acme/live.sock place closed\n",
    ));
}

#[test]
fn a_router_that_lacks_an_instance_is_refused_with_the_line_to_add() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("deploy.yml");
    let refused = |yml: &str, router: &str| {
        std::fs::write(&file, format!("{BASE}{yml}")).unwrap();
        let config = config::load(&file, None).unwrap();
        let failure = plan(&config, &instances(&["1", "2"], router), &Goal::Rollback { to: None }).expect_err(router);
        failure.why.join("\n")
    };
    let one = SERVERS.replace("server 2 ", "server 3 ");
    let why = refused(HAPROXY, &one);
    assert!(
        why.contains("no server 2: write `server 2 127.0.0.1:8082 check`"),
        "{why}"
    );
    let maintenance = SERVERS.replace("server 2 2 0 ", "server 2 0 1 ");
    let why = refused(HAPROXY, &maintenance);
    assert!(why.contains("acme/2 is in maintenance"), "{why}");
    let odd = "router link=/opt/acme/live.sock place closed\nrouter link=/opt/acme/live.2.sock odd socket\n";
    let why = refused(NGINX, odd);
    assert!(why.contains("/opt/acme/live.2.sock is a socket"), "{why}");
}
