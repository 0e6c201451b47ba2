//! docs/apps/php.md, followed on a real host: its files, its deploy.yml, and a deploy and a rollback under load.

use std::fs;
use std::path::Path;

use super::app::named_blocks;
use crate::bounds::PATIENCE;
use crate::deploys::desk::Desk;
use crate::lab::{self, Host, Load, Suite};

/// The app under load: what answers is the release, and some requests are slow.
const APP: &str = "<?php
if ($_SERVER['REQUEST_URI'] === '/slow') {
    usleep(1500000);
}
$release = basename(dirname(__DIR__));
header('Content-Length: ' . strlen($release));
echo $release;
";

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
            "root" => {}
            file if file.starts_with('/') => host.write_file(file, text.as_bytes()),
            file => desk.file(&format!("source/{file}"), &text),
        }
    }
    desk.file("source/public/index.php", APP);
    host.root("adduser --quiet --system --group --home / --no-create-home shop")
        .ok();
    host.root(&format!("nginx -t && systemctl restart php{php}-fpm nginx"))
        .ok();
}

fn answer(host: &Host) -> String {
    host.root("curl -s --max-time 30 http://127.0.0.1:80/").ok()
}

/// What fails first: the release is not printed. php-fpm serves other apps, and continues to.
fn a_first_release_that_is_not_printed_leaves_php_fpm_to_other_apps(host: &Host, desk: &Desk, php: &str) {
    let printed = fs::read_to_string(desk.path("source/public/release.php")).unwrap();
    desk.file("source/public/release.php", "<?php echo 'mine';");
    let unit = format!("php{php}-fpm.service");
    let before = host.unit(&unit, "MainPID");
    desk.json(&["deploy"])
        .leaves(3)
        .says("print it there, or remove `release: true` from deploy.yml")
        .says(&format!("and {unit}, which is already running, is reloaded"))
        .never_says("an older process");
    assert_eq!(host.unit(&unit, "ActiveState"), "active");
    assert_eq!(host.unit(&unit, "MainPID"), before, "neither stopped nor restarted");
    host.root("test ! -e /opt/shop/current").ok();
    desk.file("source/public/release.php", &printed);
}

fn no_request_fails(suite: Suite, php: &str) {
    let host = lab::host!(suite.with_apps());
    let desk = Desk::at(&host, "ann");
    follow_the_page(&host, &desk, php);
    desk.setup();
    a_first_release_that_is_not_printed_leaves_php_fpm_to_other_apps(&host, &desk, php);
    let one = desk.json(&["deploy"]).leaves(0).release();
    assert_eq!(answer(&host), one);

    let load = Load::on(host.web(80)).timeout(PATIENCE);
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
