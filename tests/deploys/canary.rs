//! A share of the requests for the new release, behind Debian's own HAProxy: who gets it, what ends it, and who decides.

use std::process::{Child, Stdio};

use super::blue_green::{Clients, Edge, assert_agrees};
use super::desk::{Desk, Ran, Yml, current};
use crate::apps::{Kind, Service};
use crate::bounds::Ends as _;
use crate::lab::{self, Host, Suite};

fn canary(steps: &str, hold: &str) -> Yml {
    let strategy = format!("canary\n    steps: {steps}\n    hold: {hold}\n    min_requests: 20");
    Edge::Haproxy.yml_of(&strategy, "0s")
}

/// The reason that ends a share of a release that responds slowly.
const SLOW: &str = "95% of the responses of the new release took up to ";

/// A check without a response time: a share ends when somebody decides, and not when the machine pauses.
fn unmeasured(desk: &Desk) {
    let text = std::fs::read_to_string(desk.path("deploy.yml")).unwrap();
    let command = text.replace("url: \"http://127.0.0.1:{port}/healthz\"", "command: 'true {port}'");
    assert_ne!(text, command);
    desk.file("deploy.yml", &command);
}

fn start(desk: &Desk) -> Child {
    let mut command = desk.command(&["deploy", "--json"]);
    command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}

/// Waits until HAProxy has these weights: of blue, and of green.
fn wait_for_weights(host: &Host, blue: u32, green: u32) {
    let wanted = format!("blue {blue} green {green}");
    host.wait_for(&wanted, |host| weights(host) == wanted);
}

fn weights(host: &Host) -> String {
    let asked = "haproxy /run/haproxy/acme.sock 'show servers state acme' | servers_of acme | awk '{ print $1, $4 }' | sort | xargs";
    let functions = include_str!("../../src/remote/lib/router.sh");
    host.root(&format!("{functions}\n{asked}")).stdout.trim().to_owned()
}

#[test]
fn a_share_of_the_requests_decides_and_so_does_a_person() {
    let host = lab::host!(Suite::Bookworm);
    Edge::Haproxy.install(&host);
    let desk = Desk::live(&host, Service::Routed, &canary("[10%, 50%]", "4s"));
    let v1 = current(&host);
    assert_agrees(&host, &v1);

    // Good: each share holds, no request fails, and both releases answer meanwhile.
    let clients = Clients::of(&host);
    desk.tree(Kind::Graceful, "v2");
    // A machine that pauses makes the new release slow, rightly: such a share is tried again.
    let ran = (0..5).find_map(|_| {
        let ran = desk.json(&["deploy"]);
        let is_slow = ran.code() == Some(3) && ran.stdout.contains(SLOW);
        (!is_slow).then_some(ran)
    });
    let ran = ran.expect("a share that no pause disturbs").leaves(0);
    let v2 = ran.release();
    for share in ["switch canary 10%", "switch canary 50%"] {
        assert!(
            ran.steps().iter().any(|step| step == share),
            "{share}: {:?}",
            ran.steps()
        );
    }
    ran.clone()
        .says("10%: 0 of ")
        .says(" requests to the new release failed; of the old, 0 of ");
    assert_agrees(&host, &v2);
    assert_eq!(clients.saw_no_failure().len(), 6);

    // Healthy, but its users get errors; healthy, but slow.
    desk.write(&canary("[20%]", "5m"));
    let clients = Clients::of(&host);
    desk.tree(Kind::Erring, "errs");
    let ran = desk
        .json(&["deploy"])
        .leaves(3)
        .says(" requests to the new release failed");
    assert_agrees(&host, &v2);
    assert!(clients.got("v2") > clients.got("errs"), "{ran}");
    drop(clients);
    desk.tree(Kind::Sluggish, "slow");
    desk.json(&["deploy"]).leaves(3).says(SLOW);
    assert_agrees(&host, &v2);

    // Healthy, but not by HAProxy's own check.
    host.root("sed -i 's|option httpchk GET /healthz|option httpchk GET /ready|' /etc/haproxy/haproxy.cfg")
        .ok();
    assert!(host.read_file("/etc/haproxy/haproxy.cfg").contains("GET /ready"));
    host.root("systemctl restart haproxy").ok();
    desk.tree(Kind::NotReady, "down");
    desk.json(&["deploy"])
        .leaves(3)
        .says("HAProxy's own check of acme/blue fails");
    assert_agrees(&host, &v2);

    // A person decides, from elsewhere; HAProxy that forgets the weights is told them again.
    desk.write(&canary("[25%, 50%]", "1h"));
    let other = Desk::at(&host, "bob");
    other.write(&canary("[25%, 50%]", "1h"));
    unmeasured(&desk);
    unmeasured(&other);
    other.shipit(&["promote"]).leaves(1).says("no switch is in progress");
    desk.tree(Kind::Graceful, "v3");
    let child = start(&desk);
    wait_for_weights(&host, 25, 75);
    host.root("systemctl reload haproxy").ok();
    wait_for_weights(&host, 25, 75);
    other.shipit(&["status"]).says("canary 25%");
    other.shipit(&["promote"]).leaves(0);
    let v3 = Ran::new("deploy", &child.ends()).leaves(0).release();
    assert_agrees(&host, &v3);

    desk.tree(Kind::Graceful, "v4");
    let child = start(&desk);
    wait_for_weights(&host, 75, 25);
    other.shipit(&["abort"]).leaves(3);
    Ran::new("deploy", &child.ends()).leaves(3);
    assert_agrees(&host, &v3);

    // The conductor dies while a share holds; then a rollback, which is at once.
    let child = start(&desk);
    wait_for_weights(&host, 75, 25);
    host.root("systemctl kill --kill-whom=all --signal=KILL shipit-acme.service")
        .ok();
    Ran::new("deploy", &child.ends()).leaves(3);
    assert_agrees(&host, &v3);
    desk.json(&["rollback"]).leaves(0);
    assert_agrees(&host, &v2);
}
