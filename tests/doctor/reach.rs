//! doctor of hosts that are well, half made, or out of reach: it always says what it can, and changes nothing.

use std::collections::BTreeSet;

use super::broken::{Said, doctor};
use crate::apps::{ACME, Kind, Service};
use crate::deploys::desk::{Desk, acme, assert_rest};
use crate::lab::{self, Host, Suite};

#[test]
fn a_host_that_is_well_is_told_what_it_can_do_and_stays_as_it_is() {
    let host = lab::host!(Suite::Bookworm);
    let desk = Desk::live(&host, Service::Socket, &acme("socket"));
    let tree = "cd /opt/acme && find . -printf '%p %l %T@\\n' | sort | sha256sum";
    let (before, life) = (host.root(tree).ok(), host.unit("acme.service", "InvocationID"));
    let said = doctor(&desk);
    assert_eq!((said.errors(), said.ran.code()), (0, Some(0)), "{}", said.ran);
    let acme = &said.object["strategies"]["acme.service"];
    assert_eq!(acme["configured"], "socket");
    assert_eq!(acme["usable"], serde_json::json!(["restart", "socket"]));
    assert!(
        acme["missing"]["reload"][0].to_string().contains("ExecReload="),
        "{acme}"
    );
    assert_eq!(said.object["deploy"], "possible");
    assert!(said.object["exposure"]["acme.service"].as_f64().unwrap() > 1.0);
    assert_eq!(said.object["clock_skew_seconds"], 0);
    desk.shipit(&["doctor", "-v"])
        .leaves(0)
        .says("socket (deploy.yml)    can be used")
        .says("reload                 cannot be used: acme.service cannot reload")
        .says("0 errors")
        .says("a deploy can start");
    assert_eq!(host.root(tree).ok(), before, "looking changed something");
    assert_eq!(host.unit("acme.service", "InvocationID"), life);
    assert_rest(&host);

    // One that waits behind its socket is not woken: a connection would start it.
    host.root("systemctl stop acme.service 2>/dev/null").ok();
    doctor(&desk)
        .ran
        .leaves(0)
        .says("acme.service is waiting for its first connection");
    assert_eq!(host.unit("acme.service", "ActiveState"), "inactive");

    host.root("rm -r /usr/local/lib/shipit").ok();
    let said = doctor(&desk);
    said.ran
        .leaves(0)
        .says("this host was set up by an older version of shipit");
}

/// Types the lines that doctor gives for its findings, once each, as root.
fn typed(host: &Host, said: &Said) {
    let lines = said.findings().iter().flat_map(|one| one["next"].as_array().unwrap());
    let lines: BTreeSet<&str> = lines.filter_map(|line| line.as_str()?.strip_prefix("sudo ")).collect();
    for line in lines {
        host.root(&line.replace("; sudo ", "; ")).ok();
    }
}

#[test]
fn of_units_that_shipit_wrote_there_is_nothing_to_say_once_they_run() {
    let host = lab::host!(Suite::Trixie);
    let desk = Desk::at(&host, "ann");
    desk.write(&acme("socket"));
    desk.shipit(&[
        "unit",
        "generate",
        "--program",
        "binary",
        "--command",
        "/usr/bin/python3 /opt/acme/current/server.py",
        "--notify",
        "--user",
        "app",
        "--backup",
        "/usr/bin/touch /opt/acme/shared/backups/today",
    ])
    .leaves(0);
    let root = format!("root@{}", host.address());
    desk.shipit(&["unit", "install", "--yes", "--as", &root]).leaves(0);
    desk.setup();
    let said = doctor(&desk);
    said.first(
        "acme.socket: the socket is inactive",
        "systemctl enable --now acme.socket",
    );
    said.below("acme-backup.timer: the timer is inactive");
    typed(&host, &said);
    desk.deploy(Kind::Graceful, "v1");
    let said = doctor(&desk);
    let told: Vec<_> = said.findings().iter().filter(|one| one["severity"] != "info").collect();
    assert!(told.is_empty(), "{told:#?}");
    assert!(said.object["exposure"]["acme.service"].as_f64().unwrap() <= 2.0);
}

#[test]
fn what_cannot_be_looked_at_is_said_and_never_taken_for_absent() {
    let host = lab::host!(Suite::Bookworm);
    let desk = Desk::live(&host, Service::Socket, &acme("socket"));
    host.root("cd /usr/bin && rm ss systemd-analyze getent nproc").ok();
    let said = doctor(&desk);
    assert_eq!((said.errors(), said.ran.code()), (0, Some(0)), "{}", said.ran);
    said.ran
        .says("cannot be read as deploy: who listens (ss), the user app")
        .says("systemd-analyze verify acme.service")
        .never_says("does not exist on the host")
        .never_says("nothing is listening");
    // Even then the answer is asked for, and a wrong one is an error.
    desk.write(&acme("socket").health("contains", "nonsense"));
    doctor(&desk).first("does not contain the required text", "shipit logs");
}

#[test]
fn every_kind_of_service_that_is_well_is_told_so() {
    let host = lab::host!(Suite::Trixie);
    for (service, strategy) in [(Service::Simple, "restart"), (Service::Reload, "reload")] {
        let desk = Desk::live(&host, service, &acme(strategy));
        let said = doctor(&desk);
        assert_eq!((said.errors(), said.ran.code()), (0, Some(0)), "{}", said.ran);
    }
}

#[test]
fn a_switch_that_failed_is_told_with_its_journal_until_one_goes_well() {
    let host = lab::host!(Suite::Trixie);
    let desk = Desk::live(&host, Service::Notify, &acme("restart"));
    desk.tree(Kind::CrashAtStart, "v2");
    let failed = desk.json(&["deploy"]).leaves(3).release();
    let said = doctor(&desk);
    assert_eq!(said.ran.code(), Some(0), "the old release is well: {}", said.ran);
    let last = said
        .findings()
        .iter()
        .find(|finding| finding["area"] == "switch")
        .unwrap();
    assert!(
        last["what"].to_string().contains(&format!("{failed} was reverted: ")),
        "{last:#}"
    );
    assert!(last["log"].to_string().contains("cannot open the database"), "{last:#}");
    desk.deploy(Kind::Graceful, "v3");
    doctor(&desk).ran.never_says("the last switch failed");
}

#[test]
fn a_host_that_is_half_made_is_told_what_is_missing() {
    let host = lab::host!(Suite::Bookworm);
    let desk = Desk::at(&host, "ann");
    desk.write(&acme("socket"));
    let said = doctor(&desk);
    said.first("this host is not set up for acme", "shipit setup --as root@");
    said.below("acme.service: unit not found");
    ACME.install_units(&host, Service::Socket);
    desk.setup();
    desk.shipit(&["doctor"])
        .leaves(0)
        .says("no release is live")
        .says("a deploy can start");
    host.root("rm /etc/sudoers.d/shipit-acme").ok();
    doctor(&desk).first("deploy may not run `sudo ", "shipit setup");
    desk.setup();
    host.root("systemctl disable --now --quiet shipit-acme.path").ok();
    doctor(&desk).first("the guard shipit-acme.path is not active", "shipit setup");
}

#[test]
fn a_host_that_cannot_be_reached_leaves_6_and_a_file_that_is_wrong_2() {
    let host = lab::host!(Suite::Bookworm);
    let desk = Desk::at(&host, "ann");
    let yml = |at: &str| {
        format!("app: acme\nhost: {at}\nsource: source\nservices: [{{unit: acme.service, strategy: restart}}]\n")
    };
    desk.file("deploy.yml", &yml("deploy@127.0.0.1:1"));
    let said = doctor(&desk);
    assert_eq!(said.ran.code(), Some(6), "{}", said.ran);
    let link = said
        .findings()
        .iter()
        .find(|finding| finding["area"] == "link")
        .unwrap();
    assert_eq!(link["severity"], "error", "{link:#}");
    said.ran.says("the host key of deploy@127.0.0.1 is unknown");
    assert_eq!(said.object["deploy"], "unknown");
    desk.shipit(&["doctor"])
        .says("unreachable")
        .says("it is unknown whether a deploy would start");

    desk.file("deploy.yml", "app: acme\nhots: x\n");
    let said = doctor(&desk);
    assert_eq!(
        (said.ran.code(), said.object["findings"][0]["area"].as_str()),
        (Some(2), Some("laptop"))
    );
    desk.shipit(&["doctor"]).leaves(2).says("hots");
}
