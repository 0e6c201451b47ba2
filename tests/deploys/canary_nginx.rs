//! A share of the requests for the new release, behind Debian's own nginx: by symlinks, and by files for ports. nginx is
//! never reloaded for it. What HAProxy does is in `canary`.

use std::process::{Child, Stdio};

use super::blue_green::{Clients, Edge, assert_agrees};
use super::desk::{Desk, Ran, Yml, current};
use crate::apps::{Kind, Service};
use crate::bounds::Ends as _;
use crate::lab::{self, Host, Load, Miss, Suite};

fn canary(edge: Edge, steps: &str, hold: &str) -> Yml {
    edge.yml_of(&format!("canary\n    steps: {steps}\n    hold: {hold}"), "0s")
}

/// The percentages of the requests that go to blue and to green, by where each part leads.
fn shares(host: &Host, edge: Edge) -> (u32, u32) {
    let part = match edge {
        Edge::Nginx => "readlink live.$n.sock",
        _ => "ls live.$n.*",
    };
    let all = host.root(&format!(
        "cd /opt/acme && for n in 1 2 4 8 16 32 37; do echo $n $({part}); done"
    ));
    let sum = |names: [&str; 2]| {
        let parts = all.stdout.lines().filter_map(|line| {
            let (weight, leads) = line.split_once(' ')?;
            let own = names.iter().any(|name| leads.ends_with(name));
            own.then(|| weight.parse::<u32>().unwrap())
        });
        parts.sum()
    };
    (sum(["/blue.sock", ".8081"]), sum(["/green.sock", ".8082"]))
}

fn wait_for_shares(host: &Host, edge: Edge, wanted: (u32, u32)) {
    host.wait_for(&format!("{wanted:?}"), |host| shares(host, edge) == wanted);
}

/// Waits for these shares, or for the end of the deploy: whether they came first.
fn reaches(host: &Host, edge: Edge, wanted: (u32, u32), child: &mut Child) -> bool {
    let mut ended = false;
    host.wait_for(&format!("{wanted:?}"), |host| {
        ended = child.try_wait().unwrap().is_some();
        ended || shares(host, edge) == wanted
    });
    !ended
}

/// All requests go to the one instance that runs this release.
#[track_caller]
fn assert_whole(host: &Host, edge: Edge, release: &str) {
    assert_agrees(host, release);
    let is = shares(host, edge);
    assert!([(100, 0), (0, 100)].contains(&is), "{is:?}");
}

fn start(desk: &Desk, command: &str) -> Child {
    let mut command = desk.command(&[command, "--json"]);
    command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}

/// A machine that pauses makes the new release slow, rightly: such a deploy is tried again.
fn undisturbed(deploy: impl Fn() -> Ran) -> Ran {
    let ran = (0..5).find_map(|_| {
        let ran = deploy();
        (!(ran.code() == Some(3) && ran.stdout.contains("of the responses of the new release"))).then_some(ran)
    });
    ran.expect("a canary that no pause disturbs")
}

/// The instance that does not serve gets a share: which numbers that is, by who serves.
fn share_of_the_idle(host: &Host, edge: Edge, share: u32) -> (u32, u32) {
    match shares(host, edge) {
        (100, 0) => (100 - share, share),
        (0, 100) => (share, 100 - share),
        other => panic!("{other:?}"),
    }
}

/// A good deploy: the new release gets about a quarter of the requests while it is to get a quarter.
fn gets_its_share(host: &Host, desk: &Desk, edge: Edge, (old, new): (&str, &str)) -> String {
    desk.write(&canary(edge, "[5%, 25%, 100%]", "8s"));
    let clients = Clients::of(host);
    desk.tree(Kind::Graceful, new);
    let quarter = share_of_the_idle(host, edge, 25);
    let ran = undisturbed(|| {
        let mut child = start(desk, "deploy");
        if !reaches(host, edge, quarter, &mut child) {
            return Ran::new("deploy", &child.ends());
        }
        let load = Load::on(host.web(8080)).rate(100).start();
        load.wait_until("400 answers", |counts| counts.ok >= 400);
        let still = shares(host, edge) == quarter;
        let counts = load.stop();
        let part = 100 * counts.from(new) / counts.ok;
        eprintln!("{edge:?}: {part}% of {} answers were from {new}", counts.ok);
        assert_eq!(counts.failures(), 0, "{counts:?}");
        assert!(!still || (18..=32).contains(&part), "{part}%: {counts:?}");
        Ran::new("deploy", &child.ends())
    });
    let ran = ran.leaves(0);
    for share in ["switch canary 5%", "switch canary 25%"] {
        assert!(ran.steps().iter().any(|step| step == share), "{:?}", ran.steps());
    }
    let ran = ran.says("25%: 0 of ").says(" probes of the new release failed, 0 of ");
    assert_whole(host, edge, &ran.release());
    clients.saw_only(&[old, new]);
    ran.release()
}

/// A release that turns bad under its share of the requests costs clients some of that share, and no more.
fn goes_back_by_itself(host: &Host, desk: &Desk, edge: Edge, live: &str) {
    desk.write(&canary(edge, "[20%]", "5m"));
    desk.tree(Kind::Souring, "sour");
    let load = Load::on(host.web(8080)).rate(100).start();
    desk.json(&["deploy"])
        .leaves(3)
        .says(" probes of the new release failed");
    assert_whole(host, edge, live);
    let counts = load.stop();
    let bad = counts.missed.get(&Miss::Status(500)).copied().unwrap_or_default();
    eprintln!("{edge:?}: {bad} of {} requests got a 500", counts.total());
    assert_eq!(bad, counts.failures(), "{counts:?}");
    assert!(bad * 4 < counts.total(), "{counts:?}");
    assert!(counts.from("sour") > 0, "{counts:?}");
}

/// From blue-green, by the lines that the refusal prints.
fn moves_from_blue_green(host: &Host, desk: &Desk, edge: Edge) {
    desk.write(&canary(edge, "[5%, 25%, 100%]", "8s"));
    desk.tree(Kind::Graceful, "v2");
    let ran = desk.shipit(&["deploy"]).leaves(1).says("nginx cannot send a share");
    let text = format!("{}{}", ran.stdout, ran.stderr)
        .split_whitespace()
        .collect::<Vec<_>>()
        .join(" ");
    let from = text.find("`for n in").unwrap() + 1;
    let line = &text[from..from + text[from..].find('`').unwrap()];
    host.root_reading("runuser -u deploy -- sh -eu", line.as_bytes()).ok();
    if edge == Edge::Nginx {
        let upstream: String = text
            .match_indices("server unix:/opt/acme/live.")
            .map(|(at, _)| {
                let rest = &text[at..];
                format!("{}\n", &rest[..=rest.find(';').unwrap()])
            })
            .collect();
        assert_eq!(upstream.lines().count(), 7, "{text}");
        let own = host.read_file("/etc/nginx/conf.d/acme.conf");
        let whole = own.replace("server unix:/opt/acme/live.sock max_fails=0;", &upstream);
        assert_ne!(own, whole);
        host.write_file("/etc/nginx/conf.d/acme.conf", whole.as_bytes());
        host.root("nginx -t && systemctl reload nginx").ok();
    } else {
        edge.install_for(host, "canary", &["blue", "green"]);
    }
}

#[test]
fn behind_nginx_a_share_decides_and_nginx_is_never_reloaded() {
    let edge = Edge::Nginx;
    let host = lab::host!(Suite::Bookworm);
    edge.install(&host);
    let desk = Desk::live(&host, Service::Routed, &edge.yml("0s"));
    let v1 = current(&host);
    assert_agrees(&host, &v1);
    moves_from_blue_green(&host, &desk, edge);
    assert_whole(&host, edge, &v1);
    edge.install_for(&host, "canary", &["blue", "green"]);
    assert_whole(&host, edge, &v1);
    let worker = host.root("pgrep -P $(systemctl show -p MainPID --value nginx)").ok();

    let v2 = gets_its_share(&host, &desk, edge, ("v1", "v2"));
    goes_back_by_itself(&host, &desk, edge, &v2);
    desk.tree(Kind::Sluggish, "slow");
    desk.json(&["deploy"])
        .leaves(3)
        .says("95% of the responses of the new release took up to ");
    assert_whole(&host, edge, &v2);

    // A person decides, from elsewhere.
    desk.write(&canary(edge, "[25%, 50%]", "1h"));
    let other = Desk::at(&host, "bob");
    other.write(&canary(edge, "[25%, 50%]", "1h"));
    desk.tree(Kind::Graceful, "v3");
    let quarter = share_of_the_idle(&host, edge, 25);
    let promoted = undisturbed(|| {
        let mut child = start(&desk, "deploy");
        if !reaches(&host, edge, quarter, &mut child) {
            return Ran::new("deploy", &child.ends());
        }
        // What something else changed is set again.
        host.root("ln -sfn /run/acme/other.sock /opt/acme/live.37.sock").ok();
        wait_for_shares(&host, edge, quarter);
        other.shipit(&["status"]).says("canary 25%");
        other.shipit(&["promote"]);
        Ran::new("deploy", &child.ends())
    });
    let v3 = promoted.leaves(0).release();
    assert_whole(&host, edge, &v3);

    desk.tree(Kind::Graceful, "v4");
    let quarter = share_of_the_idle(&host, edge, 25);
    let aborted = undisturbed(|| {
        let mut child = start(&desk, "deploy");
        if reaches(&host, edge, quarter, &mut child) {
            other.shipit(&["abort"]);
        }
        Ran::new("deploy", &child.ends())
    });
    aborted.leaves(3);
    assert_whole(&host, edge, &v3);

    // The conductor dies while a share holds; then the host does; then a rollback, which is at once.
    let child = start(&desk, "deploy");
    wait_for_shares(&host, edge, quarter);
    host.root("systemctl kill --kill-whom=all --signal=KILL shipit-acme.service")
        .ok();
    Ran::new("deploy", &child.ends()).leaves(3);
    assert_whole(&host, edge, &v3);
    assert_eq!(
        host.root("pgrep -P $(systemctl show -p MainPID --value nginx)").ok(),
        worker
    );

    host.root("systemctl --quiet enable nginx").ok();
    let mut child = start(&desk, "deploy");
    wait_for_shares(&host, edge, quarter);
    host.power_cut();
    child.kill().unwrap();
    child.ends();
    host.boot_again();
    host.wait_for("the end of the revert", |host| {
        !host.root("test -e /opt/acme/.shipit/request").success()
    });
    assert_whole(&host, edge, &v3);
    desk.json(&["rollback"]).leaves(0);
    assert_whole(&host, edge, &v2);
}

#[test]
fn behind_nginx_by_ports_a_share_decides_too() {
    let edge = Edge::NginxPorts;
    let host = lab::host!(Suite::Trixie);
    edge.install(&host);
    let desk = Desk::live(&host, Service::Routed, &edge.yml("0s"));
    let v1 = current(&host);
    moves_from_blue_green(&host, &desk, edge);
    assert_whole(&host, edge, &v1);
    let v2 = gets_its_share(&host, &desk, edge, ("v1", "v2"));
    goes_back_by_itself(&host, &desk, edge, &v2);
    desk.json(&["rollback"]).leaves(0);
    assert_whole(&host, edge, &v1);
}
