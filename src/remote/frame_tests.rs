//! Tests of the frame. No host: a shell of this machine, or bytes as they come.
#![allow(clippy::unwrap_used)]

use super::*;
use crate::host::{Ended, Then};

/// A host whose stderr arrives after all of its stdout, as sshd is free to do.
struct LateStderr;
impl Host for LateStderr {
    fn exec(&mut self, exec: Exec<'_>, on_event: &mut dyn FnMut(ExecEvent<'_>) -> Then) -> Result<Ended, Lost> {
        let output = std::process::Command::new("sh")
            .args(["-c", exec.line])
            .output()
            .unwrap();
        on_event(ExecEvent::Out(&output.stdout));
        on_event(ExecEvent::Err(&output.stderr));
        Ok(Ended::Code(0))
    }
    fn traffic(&self) -> (u64, u64) {
        (0, 0)
    }
}

#[test]
fn what_fits_is_sent_and_what_does_not_is_refused_before_anything_runs() {
    let long = |n: usize| [Script::manifest(["/x".repeat(n), "id".into()])];
    assert!(fits(&long(10_000)) && !fits(&long(13_000)));
    assert!(Batch::new(&long(13_000)).quiet(&mut LateStderr).is_err());
    let answers = Batch::new(&long(10_000)).quiet(&mut LateStderr);
    assert!(answers.is_ok(), "{answers:?}");
}

#[test]
fn what_prepare_prints_is_told_and_not_kept_and_what_is_read_as_a_whole_never_a_part() {
    let long = [b"x".repeat(LINE - 1), b"\n".to_vec()].concat();
    let fed = |keep: Keep, lines: usize| {
        let mut frame = Frame::new("@".into(), vec![keep]);
        frame.limit = 4 << 20;
        let mut events = 0;
        let mut count = |event: BatchEvent<'_>| events += usize::from(matches!(event, BatchEvent::Line { .. }));
        frame.out(b"@ begin 0\n", &mut count);
        for _ in 0..lines {
            frame.out(&long, &mut count);
        }
        frame.out(b"\n@ end 0 0\n@ over\n", &mut count);
        (events, frame.answers[0].out.len(), frame.too_much)
    };
    assert_eq!(fed(Keep::Nothing, 3), (3, 0, None));
    assert_eq!(fed(Keep::All, 3), (3, 3 * LINE, None));
    let (events, kept, too_much) = fed(Keep::All, 5);
    assert!((events, too_much) == (5, Some(0)) && kept <= 4 << 20, "{kept}");
}

#[test]
fn what_a_failed_step_said_on_stderr_is_its_own_however_late_it_comes() {
    let steps = [
        Script::follow(["/nowhere", "run", "0"]),
        Script::manifest(["/nowhere", "id"]),
    ];
    let answers = Batch::new(&steps).quiet(&mut LateStderr).unwrap();
    assert_eq!(answers.len(), 1, "the first failure ends the batch");
    let said = String::from_utf8_lossy(&answers[0].err.concat()).into_owned();
    assert!(answers[0].code != 0 && said.contains("/nowhere"), "{said:?}");
}
