//! `shipit report`: the timeline of one switch, from the host's record.

use super::browser;
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
    looks_right_in_a_browser(&desk, &page, failed as usize);

    desk.shipit(&["report", &deployed.release()])
        .leaves(0)
        .says("(confirmed)");
    desk.shipit(&["report", &reverted.release()])
        .leaves(0)
        .says("(reverted)");

    let releases = desk.shipit(&["releases"]).leaves(0);
    let line = releases.stdout.lines().find(|line| line.contains(&reverted.release()));
    assert!(line.unwrap().contains(&format!("{failed} failed, gap ")), "{releases}");
    desk.shipit(&["report", "20000101-000000-00000000"])
        .leaves(1)
        .says("the host has no record of the run");
}

/// The red of `--bad`, by day and by night; and the page behind it.
const BAD: [[u8; 3]; 2] = [[0xc6, 0x28, 0x28], [0xff, 0x6b, 0x6b]];
const PAGE: [[u8; 3]; 2] = [[0xff, 0xff, 0xff], [0x14, 0x17, 0x1a]];

/// On a phone and on a desk, by day and by night: no complaint, and the failed probes are seen.
fn looks_right_in_a_browser(desk: &Desk, page: &str, failed: usize) {
    let Some(program) = browser::program() else {
        return;
    };
    let lost = |line: &&str| line.starts_with("<rect class=\"lost\"");
    let without: Vec<&str> = page.lines().filter(|line| !lost(line)).collect();
    desk.file("without.html", &without.join("\n"));
    desk.file("script.html", &format!("{page}<script>1</script>"));
    for (size, dark) in [((390, 1400), false), ((1280, 1000), true)] {
        let seen = browser::open(program, &desk.path("switch.html"), size, dark);
        assert!(seen.console.is_empty(), "{:?}", seen.console);
        assert_eq!(seen.dom.matches("<rect class=\"lost\"").count(), failed);
        let [bad, behind] = [BAD, PAGE].map(|colors| colors[usize::from(dark)]);
        assert!(seen.count(behind) > seen.pixels.len() / 3 / 2, "dark: {dark}");
        let others = browser::open(program, &desk.path("without.html"), size, dark);
        let red = seen.count(bad).saturating_sub(others.count(bad));
        // Three wide and twelve high; neighbors may overlap.
        assert!(red >= 36, "{failed} failed probes are {red} red pixels");
    }
    let seen = browser::open(program, &desk.path("script.html"), (390, 800), false);
    assert!(!seen.console.is_empty(), "a page that breaks its own policy is noticed");
}
