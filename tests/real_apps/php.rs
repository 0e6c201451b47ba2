//! docs/apps/php.md, followed on a real host: its files, its deploy.yml, and a deploy and a rollback under load.

use std::fs;
use std::path::Path;

use super::app::named_blocks;
use crate::bounds::PATIENCE;
use crate::deploys::desk::Desk;
use crate::lab::{self, Host, Load, Suite};

/// Puts the page's files where they belong, for this version of PHP: the code at the desk, the rest on the host.
fn follow_the_page(host: &Host, desk: &Desk, php: &str) {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/apps/php.md");
    let page = fs::read_to_string(page).unwrap().replace("8.2", php);
    for (name, text) in named_blocks(&page) {
        match name.as_str() {
            "deploy.yml" => desk.file(
                &name,
                &text
                    .replace("app.example.com", &host.address().to_string())
                    .replace("source: .", "source: source"),
            ),
            "public/index.php" => desk.file("source/public/index.php", &text),
            _ => host.write_file(&name, text.as_bytes()),
        }
    }
    host.root(&format!("nginx -t && systemctl restart php{php}-fpm nginx"))
        .ok();
}

fn answer(host: &Host) -> String {
    host.root("curl -s --max-time 30 http://127.0.0.1:8080/").ok()
}

fn no_request_fails(suite: Suite, php: &str) {
    let host = lab::host!(suite.with_apps());
    let desk = Desk::at(&host, "ann");
    follow_the_page(&host, &desk, php);
    desk.setup();
    let one = desk.json(&["deploy"]).leaves(0).release();
    assert_eq!(answer(&host), one);

    let load = Load::on(host.web(8080)).timeout(PATIENCE);
    let new = load.clone().rate(30).start();
    let kept = load.clone().rate(30).keep_alive(5).start();
    let slow = load.rate(1).path("/slow").start();
    slow.wait_until("slow requests are answered", |counts| counts.ok > 0);
    desk.file("source/version", "2");
    let two = desk.json(&["deploy"]).leaves(0).release();
    assert_eq!(answer(&host), two);
    desk.json(&["rollback"]).leaves(0);
    assert_eq!(answer(&host), one);
    for counts in [new.stop(), kept.stop(), slow.stop()] {
        assert_eq!(counts.failures(), 0, "{counts:?}");
        assert!(counts.from(&one) > 0 && counts.from(&two) > 0, "{counts:?}");
    }
}

#[test]
fn php_8_2() {
    no_request_fails(Suite::Bookworm, "8.2");
}

#[test]
fn php_8_4() {
    no_request_fails(Suite::Trixie, "8.4");
}
