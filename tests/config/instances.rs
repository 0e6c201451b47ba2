//! `instances`, `ports`, and the places `{instance}` and `{port}`: which instances a service gets, and what each is asked.

use super::{refused_with, taken, with};

const HANDOVER: &str = "unit: a@.service, strategy: handover";

fn service(more: &str) -> String {
    with("services", &format!("[{{{HANDOVER}{more}}}]"))
}

/// Unit, slot, and the address that is asked of each instance.
fn asked(more: &str) -> Vec<(String, String, String)> {
    let config = taken(&service(more));
    let one = |one: shipit::config::Instance<'_>| {
        let probe = one.health.map(|health| health.check.probe.to_string());
        (
            one.unit.to_owned(),
            one.slot.unwrap_or("-").to_owned(),
            probe.unwrap_or_default(),
        )
    };
    config.instances().map(one).collect()
}

#[test]
fn a_service_that_takes_turns_has_two_instances_and_each_is_asked_at_its_own_address() {
    let units = |all: Vec<(String, String, String)>| all.into_iter().map(|(unit, ..)| unit).collect::<Vec<_>>();
    assert_eq!(units(asked("")), ["a@blue.service", "a@green.service"]);
    assert_eq!(
        units(asked(", instances: [8081, 8082]")),
        ["a@8081.service", "a@8082.service"]
    );
    let own = asked(", ports: [8081, 8082], health: {url: 'http://127.0.0.1:{port}/{instance}'}");
    assert_eq!(own[1].1, "green");
    assert_eq!(own[1].2, "http://127.0.0.1:8082/green");
    let pool = taken(&with(
        "services",
        "[{unit: w@.service, strategy: rolling, instances: 3}]",
    ));
    assert_eq!(
        pool.services[0].units().collect::<Vec<_>>(),
        ["w@1.service", "w@2.service", "w@3.service"]
    );
    assert_eq!(pool.services[0].socket, None);
    let sharing = taken(&with(
        "services",
        "[{unit: w@.service, strategy: rolling, instances: 2, socket: web.socket}]",
    ));
    assert_eq!(
        sharing.services[0].socket.as_ref().map(|unit| unit.as_str()),
        Some("web.socket")
    );
    let unix = asked(", health: {unix: {socket: '/run/a/{instance}.sock', path: /}}");
    assert_eq!(unix[0].2, "/run/a/blue.sock /");
    let config = taken(&service(", health: {url: 'http://127.0.0.1/'}"));
    assert!(config.services[0].shares_health());
    assert_eq!(
        config.services[0].socket.as_ref().map(|unit| unit.as_str()),
        Some("a.socket")
    );
}

#[test]
fn instances_that_cannot_take_turns_are_refused_with_what_to_write() {
    for (more, words) in [
        (", instances: [blue]", "`handover` runs 2 instances, not 1"),
        (", instances: 3", "`handover` runs 2 instances, not 3"),
        (", instances: [blue, blue]", "`blue` is listed twice"),
        (", instances: [blue, a-b]", "contains `-`"),
        (", instances: [blue, ../x]", "is not an instance name"),
        (", instances: []", "`handover` runs 2 instances, not 0"),
        (", instances: 0", "`instances` must be a whole number from 1 to 64"),
        (", ports: [8081]", "1 ports for 2 instances"),
        (", ports: [8081, 8081]", "8081 is listed twice"),
        (", ports: [8081, 0]", "from 1 to 65535"),
        (
            ", health: {url: 'http://127.0.0.1:{port}/'}",
            "`{port}` needs the key `ports`",
        ),
        (", health: {url: 'http://127.0.0.1:{prot}/'}", "is not a URL"),
    ] {
        refused_with(&service(more), words);
    }
    refused_with(
        &with(
            "services",
            &format!("[{{{HANDOVER}}}, {{unit: b@.service, strategy: handover}}]"),
        ),
        "another service has an instance `blue` too",
    );
    refused_with(
        &with("services", "[{unit: a@.service, strategy: rolling}]"),
        "`instances` is missing",
    );
    refused_with(
        &with("services", "[{unit: a.service, strategy: handover}]"),
        "`a.service` is not a template; `handover` runs instances of one: write `a@.service`",
    );
    refused_with(
        &with("services", "[{unit: a@.service, strategy: restart}]"),
        "`a@.service` is a template; write the name of an instance, such as `a@1.service`",
    );
    refused_with(
        &with("services", "[{unit: a.service, strategy: restart, ports: [1]}]"),
        "`restart` does not run instances",
    );
    refused_with(
        &with(
            "services",
            "[{unit: a.service, strategy: restart, health: {url: 'http://h:{port}/'}}]",
        ),
        "is not a URL",
    );
}

#[test]
fn a_trial_has_a_unit_and_an_address_of_its_own_and_a_strategy_that_needs_it() {
    let tried = |strategy: &str, trial: &str| {
        with(
            "services",
            &format!("[{{unit: {strategy}, health: {{url: 'http://127.0.0.1:8080/'}}, trial: {trial}}}]"),
        )
    };
    let good = "{unit: a-trial.service, health: {tcp: '127.0.0.1:8079', watch: 10s}}";
    let config = taken(&tried("a.service, strategy: socket", good));
    let trial = config.services[0].trial.as_ref().unwrap();
    assert_eq!((trial.unit.as_str(), trial.watch.as_secs()), ("a-trial.service", 10));
    for (trial, words) in [
        ("{unit: a-trial.service}", "`health` is missing"),
        ("{health: {tcp: '127.0.0.1:8079'}}", "`unit` is missing"),
        (
            "{unit: a-trial.service, health: {tcp: '127.0.0.1:8080'}}",
            "give the trial its own",
        ),
        (
            "{unit: a.service, health: {tcp: '127.0.0.1:8079'}}",
            "`a.service` is listed twice",
        ),
    ] {
        refused_with(&tried("a.service, strategy: socket", trial), words);
    }
    let routed = "{unit: a@.service, strategy: blue-green, router: edge, ports: [8081, 8082], health: {url: 'http://127.0.0.1:{port}/'}, trial: ";
    let routers = "routers: {edge: {kind: nginx, url: 'http://127.0.0.1/'}}\n";
    refused_with(
        &(with("services", &format!("[{routed}{good}}}]")) + routers),
        "`blue-green` does not use it",
    );
}
