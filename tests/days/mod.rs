//! From day to day, on real hosts, as the deploy user with exactly the sudo lines that setup wrote: what each command does,
//! what it says, and what it refuses. Deploys and rollbacks themselves belong to `deploys`.

mod as_service;
mod drive;
mod env;
mod logs;
mod lost;
mod run;
mod status;

use std::process::Stdio;

use crate::bounds;
use crate::deploys::desk::{Desk, Ran};
use crate::lab::Host;

/// Runs shipit with something on its stdin.
#[track_caller]
pub fn fed(desk: &Desk, args: &[&str], input: &[u8]) -> Ran {
    let child = desk
        .command(args)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // One that refuses its arguments does not read.
    let said = args.join(" ");
    Ran::new(&said, &bounds::given(child, &said, input.to_vec()))
}

/// What shipit noted in the journal about who did what.
fn noted(host: &Host) -> String {
    host.root("journalctl --sync; journalctl -q -o cat -t shipit").ok()
}

/// Makes the host one that was set up before the day-to-day commands were there.
fn set_up_long_ago(host: &Host) {
    host.root(
        "rm -r /usr/local/lib/shipit && f=/etc/sudoers.d/shipit-acme && \
         sed -i -e '/--no-block start acme.service/d' -e '/--no-block reload acme.service/d' -e '/systemctl stop acme.socket/d' \
         -e '/usr.local.lib/d' -e 's/--follow, .$/--follow/' \
         -e 's/,SHIPITHELPERS_ACME//' -e 's/, EXEC: SHIPITHELPERS_ACME//' $f && visudo -qcf $f",
    )
    .ok();
}
