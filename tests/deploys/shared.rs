//! What lives across releases: made, linked, missing, in the way, or a trap.

use super::desk::{Desk, acme, answer, assert_rest, current};
use crate::apps::{Kind, Service};
use crate::lab::{self, Suite};

const SHARED: &str = "shared: {dirs: [logs, public/uploads], files: [env, config/local.yml?]}";

#[test]
fn shared_paths_are_made_linked_and_kept_and_a_missing_file_is_named() {
    let host = lab::host!(Suite::Bookworm);
    let desk = Desk::ready(&host, Service::Socket, &acme("socket").with(SHARED));
    desk.tree(Kind::Graceful, "v1");
    desk.shipit(&["deploy"])
        .leaves(1)
        .says("a shared file is missing on the host")
        .says("missing /opt/acme/shared/env")
        .never_says("local.yml");
    assert_eq!(current(&host), "", "nothing went live");
    assert_rest(&host);

    host.ssh("deploy", "echo A=1 > /opt/acme/shared/env").ok();
    desk.json(&["deploy"]).leaves(0);
    let link = |path: &str| host.root(&format!("readlink /opt/acme/current/{path}")).stdout;
    assert_eq!(link("logs"), "../../shared/logs\n");
    assert_eq!(link("public/uploads"), "../../../shared/public/uploads\n");
    assert_eq!(link("env"), "../../shared/env\n");
    assert_eq!(link("config/local.yml"), "", "optional and not there");
    // The app, another user, writes there; what it wrote is there in the next release too.
    host.root("setpriv --reuid=app --regid=app --clear-groups touch /opt/acme/current/public/uploads/cat")
        .ok();
    host.ssh(
        "deploy",
        "mkdir -p /opt/acme/shared/config && echo b: 2 > /opt/acme/shared/config/local.yml",
    )
    .ok();
    desk.deploy(Kind::Graceful, "v2");
    host.root("test -e /opt/acme/current/public/uploads/cat").ok();
    assert_eq!(host.read_file("/opt/acme/current/config/local.yml"), "b: 2\n");
    // A directory that is made for the link is the release's, and like all of its directories.
    let mode = host.root("stat -c %a /opt/acme/current/config").ok();
    assert_eq!(mode.trim(), "755");
    assert_eq!(answer(&host), "v2");
}

#[test]
fn a_shared_path_that_the_release_brings_too_is_refused_before_anything_is_sent() {
    let host = lab::host!(Suite::Bookworm);
    let desk = Desk::live(&host, Service::Socket, &acme("socket"));
    desk.write(&acme("socket").with("shared: {dirs: [public]}"));
    let before = host.root("ls -A /opt/acme/releases").ok();
    desk.tree(Kind::Graceful, "v2");
    desk.shipit(&["deploy"])
        .leaves(1)
        .says("`public` is shared, but the release contains `public/index.html`")
        .says("add `public` to `exclude`");
    assert_eq!(host.root("ls -A /opt/acme/releases").ok(), before);
    desk.write(&acme("socket").with("shared: {dirs: [public]}\nexclude: [public]"));
    desk.json(&["deploy"]).leaves(0);
}

#[test]
fn links_that_would_lead_out_of_the_release_or_of_shared_are_refused() {
    let host = lab::host!(Suite::Trixie);
    let desk = Desk::live(&host, Service::Socket, &acme("socket"));
    let before = current(&host);
    host.root("mkdir /srv/private && chmod 777 /srv/private").ok();

    // Another user made a link in shared/: what is behind it is not ours.
    host.root("ln -s /srv/private /opt/acme/shared/logs").ok();
    desk.write(&acme("socket").with("shared: {dirs: [logs/today]}"));
    desk.tree(Kind::Graceful, "v2");
    desk.shipit(&["deploy"])
        .leaves(1)
        .says("/opt/acme/shared/logs is a symlink to /srv/private, which shipit does not follow")
        .says("replace the symlink /opt/acme/shared/logs with a directory");
    host.root("rm /opt/acme/shared/logs; ln -s /srv/private/env /opt/acme/shared/env")
        .ok();
    desk.write(&acme("socket").with("shared: {files: [env]}"));
    desk.shipit(&["deploy"])
        .leaves(1)
        .says("/opt/acme/shared/env is a symlink to /srv/private/env")
        .says("cp --remove-destination FILE /opt/acme/shared/env");

    // The release brings a link on the way to a shared path.
    host.root("rm /opt/acme/shared/env").ok();
    desk.tree(Kind::Graceful, "v2");
    std::os::unix::fs::symlink("public", desk.path("source/var")).unwrap();
    desk.write(&acme("socket").with("shared: {dirs: [var/log]}"));
    desk.shipit(&["deploy"]).leaves(1).says("var");
    assert_eq!(host.root("ls -A /srv/private").ok(), "", "nothing was written there");
    assert_eq!((current(&host), answer(&host)), (before, "v1".to_owned()));
    assert_rest(&host);
    let left = host.root("ls -d /opt/acme/releases/.in-*").stdout;
    desk.write(&acme("socket"));
    desk.deploy(Kind::Graceful, "v3");
    assert_eq!(
        host.root("ls -d /opt/acme/releases/.in-*").stdout,
        "",
        "what refused deploys left ({left}) is collected by the next one"
    );
}
