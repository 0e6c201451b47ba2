//! The command that makes a running one stop, over the ssh program. Knows nothing of what runs.

use std::io::Read;
use std::process::Child;
use std::time::{Duration, Instant};

/// How long it may take.
const STOP: Duration = Duration::from_secs(20);

/// The ssh process of the command that makes the running one stop. Dropping it ends the process.
pub struct Stopper {
    child: Option<Child>,
    since: Instant,
}

impl Stopper {
    pub fn new(spawned: std::io::Result<Child>) -> Self {
        Self {
            child: spawned.ok(),
            since: Instant::now(),
        }
    }

    /// What it printed, once it has ended. `Some(None)`: it could not run, or takes too long.
    pub fn ended(&mut self) -> Option<Option<Vec<u8>>> {
        let Some(child) = &mut self.child else {
            return Some(None);
        };
        match child.try_wait() {
            Ok(None) if self.since.elapsed() < STOP => None,
            // 255: ssh itself failed. Where the server allows no second session, it connects again.
            Ok(Some(status)) if status.code() != Some(255) => {
                let mut printed = Vec::new();
                if let Some(mut out) = child.stdout.take() {
                    // A connection that stays behind may hold the pipe.
                    let _ = rustix::io::ioctl_fionbio(&out, true).map(|()| out.read_to_end(&mut printed));
                }
                Some(Some(printed))
            }
            _ => Some(None),
        }
    }
}

impl Drop for Stopper {
    fn drop(&mut self) {
        if let Some(child) = &mut self.child {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    #[test]
    fn a_command_that_should_stop_another_one_and_hangs_is_given_up() {
        let mut hangs = Command::new("sleep");
        let mut stopper = Stopper::new(hangs.arg("300").spawn());
        assert_eq!(stopper.ended(), None);
        stopper.since -= STOP;
        assert_eq!(stopper.ended(), Some(None));
    }
}
