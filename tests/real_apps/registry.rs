//! Packages of npm and pip for a host without the internet: the real programs install them there, from a server on the
//! host itself. What is in it: `scripts/lab/registry.sh`.

use std::path::PathBuf;
use std::process::Command;
use std::sync::OnceLock;

use crate::bounds::Ends as _;
use crate::lab::{self, Host};

/// The directory of the packages, fetched once; none where they cannot be had.
fn packages() -> Option<&'static PathBuf> {
    static PACKAGES: OnceLock<Option<PathBuf>> = OnceLock::new();
    let found = PACKAGES.get_or_init(|| {
        let ran = Command::new(lab::script("registry.sh")).ends();
        let printed = String::from_utf8_lossy(&ran.stdout);
        ran.status.success().then(|| PathBuf::from(printed.trim()))
    });
    if found.is_none() {
        lab::leave_out("no packages of npm and pip (scripts/lab/registry.sh)");
    }
    found.as_ref()
}

/// npm and pip of the host find their packages; false where there are none.
pub(super) fn install(host: &Host) -> bool {
    let Some(packages) = packages() else { return false };
    host.copy_in(packages, "/opt/registry");
    host.write_file(
        "/usr/etc/npmrc",
        b"registry=http://127.0.0.1:8118/npm/\nfund=false\naudit=false\nupdate-notifier=false\n",
    );
    host.write_file(
        "/etc/pip.conf",
        b"[global]\nindex-url = http://127.0.0.1:8118/simple/\n",
    );
    host.root(
        "cd /usr/local/lib && mkdir -p node_modules && tar -xzf /opt/registry/npm.tgz && mv package node_modules/npm && \
         ln -s ../lib/node_modules/npm/bin/npm-cli.js /usr/local/bin/npm && \
         systemd-run --quiet --unit registry.service python3 -m http.server --directory /opt/registry --bind 127.0.0.1 8118",
    )
    .ok();
    host.wait_for("the registry", |host| {
        host.root("curl -fsS -o /dev/null http://127.0.0.1:8118/simple/")
            .success()
    });
    true
}
