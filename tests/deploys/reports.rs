//! `shipit report`: the timeline of one switch, from the host's record.

use super::desk::{Desk, acme};
use crate::apps::{Kind, Service};
use crate::lab::{self, Suite};

#[test]
fn the_timeline_of_a_reverted_deploy_has_its_steps_its_failed_probes_and_stands_alone_as_html() {
    let host = lab::host!(Suite::Bookworm);
    let yml = acme("restart").health("url", "\"http://127.0.0.1:8080/release\"");
    let desk = Desk::live(&host, Service::Notify, &yml);
    desk.tree(Kind::SlowStart, "v2");
    let deployed = desk.json(&["deploy"]).leaves(0);
    let ran = desk.shipit(&["report"]).leaves(0).says("(confirmed)");
    ran.says("restart acme.service")
        .says(&format!("{} answered from", deployed.release()));

    desk.tree(Kind::CrashAtStart, "v3");
    let reverted = desk.json(&["deploy"]).leaves(3);
    let failed = reverted.ended()["downtime"]["failed"].as_u64().unwrap();
    let ran = desk.shipit(&["report", "--html", "switch.html"]).leaves(0);
    let ran = ran.says("(reverted)").says("revert: restart acme.service");
    assert!(
        ran.stdout.contains(&format!("{failed} of ")) && ran.stdout.contains('x'),
        "{ran}"
    );
    let page = std::fs::read_to_string(desk.path("switch.html")).unwrap();
    assert_eq!(page.matches("<rect class=\"lost\"").count() as u64, failed, "{page}");
    for part in ["<script", "src=", "href=", "@import"] {
        assert!(!page.contains(part), "{part}: {page}");
    }

    let releases = desk.shipit(&["releases"]).leaves(0);
    let line = releases.stdout.lines().find(|line| line.contains(&reverted.release()));
    assert!(line.unwrap().contains(&format!("{failed} failed, gap ")), "{releases}");
    desk.shipit(&["report", "20000101-000000-00000000"])
        .leaves(1)
        .says("the host has no record of the run");
}
