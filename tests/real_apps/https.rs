//! The lines of docs/https.md, typed on a host as they stand. The certificates come from an authority on the same host,
//! because no other one can be reached from it.

use std::fs;
use std::path::Path;

use crate::apps::{Kind, release};
use crate::lab::{self, Host, Suite};

/// A block of the page.
enum Block {
    /// Commands, one a line.
    Lines(String),
    File {
        path: String,
        text: String,
    },
}

/// The blocks under a heading that a reader types or writes, in order.
fn blocks(heading: &str) -> Vec<Block> {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/https.md");
    let page = fs::read_to_string(page).unwrap();
    let page = page.replace("\n### ", "\n## ");
    let section = page.split("\n## ").find(|part| part.starts_with(heading)).unwrap();
    let fenced = section.split("```").skip(1).step_by(2);
    let all: Vec<Block> = fenced
        .filter_map(|block| {
            let (tag, text) = block.split_once('\n').unwrap();
            let text = text.to_owned();
            match tag.split_once(' ') {
                Some((_, path)) => Some(Block::File {
                    path: path.to_owned(),
                    text,
                }),
                None if tag == "sh" => Some(Block::Lines(text)),
                None => None,
            }
        })
        .collect();
    assert!(!all.is_empty(), "{heading}");
    all
}

/// Types the lines and writes the files.
fn follow(host: &Host, heading: &str) {
    for block in blocks(heading) {
        match block {
            Block::File { path, text } => {
                // Where Caddy would ask Let's Encrypt.
                let ask = if path.ends_with("Caddyfile") {
                    "{\n\tacme_ca https://ca.internal:4443/acme/local/directory\n}\n"
                } else {
                    ""
                };
                host.write_file(&path, format!("{ask}{text}").as_bytes());
            }
            Block::Lines(lines) => {
                for line in lines.lines() {
                    if let Some(packages) = line.strip_prefix("sudo apt-get install -y ") {
                        // No internet here; they are in the image.
                        host.root(&format!("dpkg --status {packages} >/dev/null")).ok();
                    } else {
                        host.root(&format!("cd / && {line}")).ok();
                    }
                }
            }
        }
    }
}

/// What a client gets, that checks the certificate.
fn answer(host: &Host, url: &str) -> String {
    host.root(&format!("curl -sS --max-time 10 {url} 2>&1"))
        .stdout
        .trim()
        .to_owned()
}

/// An authority that speaks ACME, which the host trusts, and the domain, which leads to the host.
fn authority(host: &Host) {
    host.write_file(
        "/srv/ca/Caddyfile",
        b"{\n\thttp_port 8079\n\thttps_port 4443\n\tadmin off\n\tskip_install_trust\n\tstorage file_system /srv/ca/data\n}\nca.internal:4443 {\n\ttls internal\n\tacme_server\n}\n",
    );
    host.root(
        "echo '127.0.0.1 app.example.com ca.internal' >>/etc/hosts && \
         systemd-run --quiet --unit ca.service caddy run --config /srv/ca/Caddyfile",
    )
    .ok();
    let root = "/srv/ca/data/pki/authorities/local/root.crt";
    host.wait_for("the authority", |host| {
        host.root(&format!(
            "test -e {root} && curl -fsS --cacert {root} https://ca.internal:4443/acme/local/directory"
        ))
        .success()
    });
    host.root(&format!(
        "cp {root} /usr/local/share/ca-certificates/lab.crt && update-ca-certificates 2>&1 && \
         mkdir -p /etc/letsencrypt && printf '%s\\n' 'server = https://ca.internal:4443/acme/local/directory' 'no-random-sleep-on-renew = true' >/etc/letsencrypt/cli.ini"
    ))
    .ok();
}

#[test]
fn the_page_about_https_leads_from_a_local_port_to_a_domain() {
    let host = lab::host!(Suite::Bookworm.with_apps());
    authority(&host);
    for (name, listen) in [("port", "PORT=8080"), ("live", "SOCKET=/opt/acme/live.sock")] {
        host.copy_in(release(Kind::Graceful, name).path(), &format!("/srv/{name}"));
        host.root(&format!(
            "mkdir -p /opt/acme && systemd-run --quiet --unit {name} -p WorkingDirectory=/srv/{name} -E {listen} -p Type=notify -p UMask=0 \
             /usr/bin/python3 server.py"
        ))
        .ok();
    }
    let https = "https://app.example.com/";
    host.root("rm /etc/caddy/Caddyfile /etc/nginx/sites-enabled/default")
        .ok();
    let served = |by: &str| {
        // nginx reloads behind the back of systemctl.
        host.wait_for(by, |host| answer(host, https) == by);
        assert_eq!(answer(&host, "-L http://app.example.com/"), by);
    };
    follow(&host, "Before you begin");
    follow(&host, "Caddy");
    served("port");
    follow(&host, "Instances behind Caddy");
    served("live");
    assert_eq!(answer(&host, "http://127.0.0.1/healthz"), "ok live");
    host.root("systemctl stop caddy").ok();

    follow(&host, "nginx and certbot");
    served("port");
    follow(&host, "Instances behind nginx");
    served("live");
    assert_eq!(answer(&host, "http://127.0.0.1/healthz"), "ok live");
    // A renewal reloads nginx.
    let workers = "pgrep -P $(systemctl show -P MainPID nginx) | sort | tr '\\n' ' '";
    let before = host.root(workers).stdout;
    host.root("certbot renew --force-renewal").ok();
    host.wait_for("nginx has other workers", |host| host.root(workers).stdout != before);
    served("live");
}
