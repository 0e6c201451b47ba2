//! Power and cable of a host, cut and put back, and what of its disk lasts then.

use std::process::Command;

use super::{Host, run};

impl Host {
    /// Power cut: the link goes first, so nobody hears a goodbye; then everything is killed. What was written
    /// stays, as far as files go (the machine's page cache outlives this), but on a host [`Suite::that_forgets`]:
    /// there only what was flushed does.
    pub fn power_cut(&self) {
        self.script("cut");
    }

    /// Flushes all that was written so far: what the test itself put there lasts, as if it had always been there.
    pub fn flush(&self) {
        self.root("sync -f /").ok();
    }

    /// Power back: returns when people may log in.
    pub fn boot_again(&self) {
        self.script("boot");
    }

    /// Pulls the cable: packets vanish, nobody is told.
    pub fn cut_link(&self) {
        self.link("down");
    }

    /// Puts the cable back.
    pub fn restore_link(&self) {
        self.link("up");
    }

    fn link(&self, state: &str) {
        run(Command::new("ip").args(["link", "set", &format!("ve-{}", self.name()), state])).unwrap();
    }
}
