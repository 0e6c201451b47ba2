//! `shipit init` for a PHP app, which runs in a unit of the distribution. No host.

use crate::init::{project, shipit};

#[test]
fn an_app_in_a_unit_of_the_distribution_needs_no_unit_and_the_port_of_nginx() {
    let dir = project(&[("index.php", "")]);
    let ran = shipit(dir.path(), &["init", "--units"]);
    assert_eq!(ran.status.code(), Some(0));
    let said = String::from_utf8_lossy(&ran.stdout);
    for part in [
        "no unit was written: this app runs in php8.2-fpm.service",
        "nginx must serve current on this port (`listen 80;`)",
    ] {
        assert!(
            said.split_whitespace().collect::<Vec<_>>().join(" ").contains(part),
            "{said}"
        );
    }
    assert!(!dir.path().join("deploy").exists());
    let text = std::fs::read_to_string(dir.path().join("deploy.yml")).unwrap();
    assert!(text.contains("url: http://127.0.0.1:80/"), "{text}");
    let again = shipit(dir.path(), &["init", "--units", "--port", "8081"]);
    let said = String::from_utf8_lossy(&again.stderr);
    assert!(said.contains("next  shipit init --units --port 8081 --print"), "{said}");
    let printed = shipit(dir.path(), &["init", "--units", "--port", "8081", "--print"]);
    let text = String::from_utf8_lossy(&printed.stdout);
    assert!(
        text.contains("(`listen 8081;`)") && text.contains("url: http://127.0.0.1:8081/"),
        "{text}"
    );
}
