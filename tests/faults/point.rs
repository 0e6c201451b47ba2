//! The points of a switch where its host is struck: right after the event that says a step began, or was
//! done. Exact and never missed, however fast the switch or slow the machine. Nothing here knows what follows.

use std::fs;
use std::path::PathBuf;

use crate::lab::Host;

/// What happens to the conductor at a point.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Blow {
    /// SIGKILL.
    Kill,
    /// It stands still until the power goes.
    Hold,
}

/// A host whose next switches can be struck.
pub(crate) struct Points<'a>(&'a Host);

impl<'a> Points<'a> {
    /// The guard of acme starts the conductor as it is, through `point.sh`. After `setup`.
    pub(crate) fn on(host: &'a Host) -> Self {
        host.write_file("/usr/local/lib/point.sh", include_bytes!("point.sh"));
        host.write_file(
            "/etc/systemd/system/shipit-acme.service.d/point.conf",
            b"[Service]\nExecStart=\nExecStart=/bin/sh /usr/local/lib/point.sh /opt/acme\n",
        );
        host.root("install -d -o deploy /var/lib/point && systemctl daemon-reload")
            .ok();
        host.flush();
        Self(host)
    }

    /// Strikes once, at the first event that starts so: `step switch flip * started`. Also for a host that is off.
    pub(crate) fn strike(&self, blow: Blow, event: &str) {
        let word = match blow {
            Blow::Kill => "kill",
            Blow::Hold => "hold",
        };
        drop(fs::remove_file(self.path("struck")));
        fs::write(self.path("want.new"), format!("{word} {event}*\n")).unwrap();
        fs::rename(self.path("want.new"), self.path("want")).unwrap();
    }

    /// Waits until the conductor was struck.
    #[track_caller]
    pub(crate) fn struck(&self) {
        self.0.wait_for("the point", |_: &Host| self.path("struck").exists());
    }

    /// Cuts the power where the conductor stands still. That it was struck is not flushed, as all else that was
    /// not: so that it is not struck there again, the order is taken back.
    pub(super) fn cut_power(&self) {
        self.struck();
        self.0.power_cut();
        drop(fs::remove_file(self.path("want")));
    }

    /// A file of `point.sh`, as this machine sees the host's disk.
    fn path(&self, name: &str) -> PathBuf {
        self.0.dir().join("root/var/lib/point").join(name)
    }
}
