//! A release that is healthy only when its test says so: the switch stands in `await` for as long as the test needs, on
//! a machine that is as slow as it may be. Every other release is healthy at once.

use super::desk::{Desk, Yml};
use crate::lab::Host;

/// That configuration, for releases some of which are held.
pub fn may_hold(yml: Yml) -> Yml {
    yml.only_health("{command: 'test ! -e hold || test -e /run/go-$(cat hold)', timeout: 10m, successes: 1, watch: 0s}")
}

/// The tree that is shipped next is held by this name.
pub fn hold(desk: &Desk, name: &str) {
    desk.file("source/hold", name);
}

/// What is held by this name is healthy from now on.
pub fn go(host: &Host, name: &str) {
    host.root(&format!("touch /run/go-{name}")).ok();
}
