//! Plans of services that run instances: which of them starts the next release, which one stops, and where their slots
//! point on either way.

use super::*;

const HANDOVER: &str = "services:\n  - unit: acme@.service\n    strategy: handover\n    health: {url: 'http://127.0.0.1:8080/', release: true}\n";

/// Both instances of acme@.service as the template should have them, the blue one running from the live release.
fn instances(more: &str) -> Observed {
    let mut text = THREE.to_owned();
    for name in ["blue", "green"] {
        for fact in [
            "LoadState=loaded",
            "UnitFileState=enabled",
            "Type=notify",
            "NonBlocking=yes",
            "StartLimitIntervalUSec=0",
            "TimeoutStopUSec=30s",
            "TriggeredBy=acme.socket",
        ] {
            text.push_str(&format!("unit acme@{name}.service {fact}\n"));
        }
        text.push_str(&format!(
            "unit acme@{name}.service WorkingDirectory=/opt/acme/slots/{name}\n"
        ));
    }
    text.push_str("unit acme@blue.service ActiveState=active\nslot blue link ../releases/c\n");
    text.push_str("unit acme.socket Triggers=acme@blue.service acme@green.service\n");
    facts(&(text + more))
}

#[test]
fn instances_that_share_a_socket_change_one_by_one_while_it_holds_the_port() {
    let rolling = HANDOVER.replace(
        "handover",
        "rolling\n    instances: [blue, green]\n    socket: acme.socket",
    );
    let both = "unit acme@green.service ActiveState=active\nslot green link ../releases/c\n";
    check(
        &format!("{BASE}{rolling}"),
        &instances(both),
        &deploy("d"),
        &expect![[r#"
            deploy c -> d

            switch (the host runs it by itself)
              baseline  acme@blue.service: http://127.0.0.1:8080/ healthy within 5s before anything changes, if it is running
              baseline  acme@green.service: http://127.0.0.1:8080/ healthy within 5s before anything changes, if it is running
              measure   http://127.0.0.1:8080/ every 50 ms
              slot      slots/blue -> releases/d
              socket    restart acme@blue.service while acme.socket holds the port
              await     acme@blue.service: active within 30s, http://127.0.0.1:8080/ healthy 3 times in a row within 30s, stable for 3s
              slot      slots/green -> releases/d
              socket    restart acme@green.service while acme.socket holds the port
              await     acme@green.service: active within 30s, http://127.0.0.1:8080/ healthy 3 times in a row within 30s, stable for 3s
              flip      current -> releases/d
              await     acme@green.service: active within 30s, http://127.0.0.1:8080/ healthy 3 times in a row within 30s, stable for 0s
              confirm   no automatic revert after this

            revert (if a step fails after the flip began)
              flip      current -> releases/c
              slot      slots/blue -> releases/c
              resume    start acme@blue.service, unless it is still running
              slot      slots/green -> releases/c
              resume    start acme@green.service, unless it is still running
              await     acme@blue.service: active within 30s, http://127.0.0.1:8080/ healthy 3 times in a row within 30s, stable for 3s
              await     acme@green.service: active within 30s, http://127.0.0.1:8080/ healthy 3 times in a row within 30s, stable for 3s

            settle (after the confirmation)
              spare     reserve disk space for the next rollback
        "#]],
    );
}

#[test]
fn a_handover_starts_the_next_release_before_the_flip_and_stops_the_old_one_after_it() {
    check(
        &format!("{BASE}{HANDOVER}"),
        &instances(""),
        &deploy("d"),
        &expect![[r#"
            deploy c -> d

            switch (the host runs it by itself)
              baseline  acme@blue.service: http://127.0.0.1:8080/ healthy within 5s before anything changes, if it is running
              measure   http://127.0.0.1:8080/ every 50 ms
              slot      slots/green -> releases/d
              socket    restart acme@green.service while acme.socket holds the port
              await     acme@green.service: active within 30s, http://127.0.0.1:8080/ healthy 3 times in a row within 30s, stable for 3s
              flip      current -> releases/d
              stop      acme@blue.service
              slot      remove `slots/blue`: the instance stays stopped
              await     acme@green.service: active within 30s, http://127.0.0.1:8080/ healthy 3 times in a row within 30s, stable for 0s
              confirm   no automatic revert after this

            revert (if a step fails after the flip began)
              flip      current -> releases/c
              slot      slots/blue -> releases/c
              resume    start acme@blue.service, unless it is still running
              await     acme@blue.service: active within 30s, stable for 0s
              stop      acme@green.service
              slot      remove `slots/green`: the instance stays stopped
              await     acme@blue.service: active within 30s, http://127.0.0.1:8080/ healthy 3 times in a row within 30s, stable for 3s

            settle (after the confirmation)
              spare     reserve disk space for the next rollback
        "#]],
    );
}

#[test]
fn units_that_cannot_hand_over_are_refused_with_each_line_to_add() {
    let mut text = String::from(THREE);
    for name in ["blue", "green"] {
        for fact in [
            "LoadState=loaded",
            "UnitFileState=disabled",
            "Type=simple",
            "NonBlocking=no",
            "StartLimitIntervalUSec=10s",
            "TimeoutStopUSec=infinity",
            "Restart=on-failure",
            "WorkingDirectory=/opt/acme/current",
        ] {
            text.push_str(&format!("unit acme@{name}.service {fact}\n"));
        }
    }
    text.push_str("slot blue directory\nunit acme.socket Triggers=acme.service\n");
    check(
        &format!("{BASE}{HANDOVER}"),
        &facts(&text),
        &deploy("d"),
        &expect![[r#"
            error: the host's units do not allow this deploy
              why   /opt/acme/slots/blue is a directory: shipit only replaces a symlink to one of its own releases
              why   acme@blue.service is not enabled, so a reboot would not start it: `sudo systemctl enable acme@blue.service`
              why   acme@green.service is not enabled, so a reboot would not start it: `sudo systemctl enable acme@green.service`
              why   acme@.service does not run from its slot: add `WorkingDirectory=/opt/acme/slots/%i` under [Service], then `sudo systemctl daemon-reload`
              why   acme@.service does not get the socket: add `Sockets=acme.socket` under [Service], then `sudo systemctl daemon-reload`
              why   acme@.service does not report when it is ready, so the old instance would stop too early: add `Type=notify` under [Service], then `sudo systemctl daemon-reload`
              why   acme@.service would make the socket blocking for the running instance when the other one starts: add `NonBlocking=yes` under [Service], then `sudo systemctl daemon-reload`
              why   acme@.service has a start limit, and a release that crashes in a loop would close the socket: add `StartLimitIntervalSec=0` under [Unit], then `sudo systemctl daemon-reload`
              why   acme@.service would stay down after it exits, and the socket closes if it cannot start another instance: add `Restart=always` under [Service], then `sudo systemctl daemon-reload`
              why   acme@.service may take longer than 200 s to stop, and a switch waits for it: add `TimeoutStopSec=30s` under [Service], then `sudo systemctl daemon-reload`
              why   acme.socket starts acme.service, not an instance: add `Service=acme@blue.service` under [Socket], then `sudo systemctl daemon-reload` and `sudo systemctl restart acme.socket`
              host  nothing changed
              next  shipit unit install --now --as root@example.org    # if this repository has the missing units
              next  shipit doctor"#]],
    );
}

/// What the switch does to slots and units, in order: `slot green`, `stop acme@blue.service`.
fn turns(more: &str) -> String {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("deploy.yml");
    std::fs::write(&file, format!("{BASE}{HANDOVER}")).unwrap();
    let config = config::load(&file, None).unwrap();
    let plan = plan(&config, &instances(more), &deploy("d")).unwrap();
    let about = |step: &Step| match step {
        Step::Slot { slot, to } => Some(format!("{slot}={}", to.as_deref().unwrap_or("-"))),
        Step::Socket { unit, .. } => Some(format!("start {}", &unit[5..unit.len() - 8])),
        Step::Stop(unit) => Some(format!("stop {}", &unit[5..unit.len() - 8])),
        _ => None,
    };
    plan.switch.iter().filter_map(about).collect::<Vec<_>>().join(", ")
}

#[test]
fn the_next_release_starts_in_the_instance_that_does_not_serve_however_the_last_switch_ended() {
    let to_green = "green=d, start green, stop blue, blue=-";
    let to_blue = "blue=d, start blue, stop green, green=-";
    assert_eq!(turns(""), to_green);
    let green = "unit acme@green.service ActiveState=active\n";
    let stopped = "unit acme@blue.service ActiveState=inactive\n";
    // Both run: the one whose slot names the live release serves.
    assert_eq!(turns(&format!("{green}slot green link ../releases/a\n")), to_green);
    assert_eq!(
        turns(&format!(
            "{green}slot blue link ../releases/a\nslot green link ../releases/c\n"
        )),
        to_blue
    );
    // None runs: the slot tells which one would.
    assert_eq!(turns(stopped), to_green);
    // Only the one without the live release's slot runs: it serves all the same.
    assert_eq!(
        turns(&format!("{stopped}{green}slot green link ../releases/a\n")),
        to_blue
    );
}

/// What the revert list does to slots and units, in order.
fn back(observed: &Observed) -> String {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("deploy.yml");
    std::fs::write(&file, format!("{BASE}{HANDOVER}")).unwrap();
    let plan = plan(&config::load(&file, None).unwrap(), observed, &deploy("d")).unwrap();
    let about = |step: &Step| match step {
        Step::Slot { slot, to } => Some(format!("{slot}={}", to.as_deref().unwrap_or("-"))),
        Step::Resume { slot, .. } => Some(format!("resume {slot}")),
        Step::Stop(unit) => Some(format!("stop {}", &unit[5..unit.len() - 8])),
        Step::Await(verdict) => Some(format!("await {}", &verdict.unit[5..verdict.unit.len() - 8])),
        _ => None,
    };
    plan.revert.iter().filter_map(about).collect::<Vec<_>>().join(", ")
}

/// A socket whose instances all rest starts its `Service=` for the next connection, as long as that one has a slot.
#[test]
fn on_the_way_back_the_old_release_is_ready_before_the_new_one_stops() {
    assert_eq!(
        back(&instances("")),
        "blue=c, resume blue, await blue, stop green, green=-, await blue"
    );
    // Nothing ran before: the live release is started all the same, or nobody could say that it serves.
    let mut none = instances("unit acme@blue.service ActiveState=inactive\n");
    none.slots.clear();
    assert_eq!(back(&none), "blue=c, resume blue, await blue");
    // A first deploy: what has no slot is not started.
    let mut first = instances("unit acme@blue.service ActiveState=inactive\n");
    first.slots.clear();
    first.current = Default::default();
    assert_eq!(back(&first), "blue=-, green=-, stop blue, stop green");
}

#[test]
fn a_slot_that_no_instance_has_is_named_with_the_line_that_ends_it() {
    check(
        &format!("{BASE}{HANDOVER}"),
        &instances("slot red link ../releases/c\n"),
        &deploy("d"),
        &expect![[r#"
            error: the host's units do not allow this deploy
              why   /opt/acme/slots/red is a slot of c, but deploy.yml has no such instance, and it may still serve: `sudo systemctl disable --now acme@red.service`, then `rm /opt/acme/slots/red`
              host  nothing changed
              next  shipit unit install --now --as root@example.org    # if this repository has the missing units
              next  shipit doctor"#]],
    );
}
