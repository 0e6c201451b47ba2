//! What is quoted of programs on the host that failed: the reason that they printed, and no hint beside it.

use super::*;

const REASON: &str = concat!(
    include_str!("../../src/remote/lib/systemctl.sh"),
    "printf '%s\\n' \"$2\" | failed_reason\n"
);

/// Each as systemctl of 247 to 257, sudo and sudo-rs print it.
#[test]
fn the_reason_of_systemctl_is_quoted_and_not_its_hints() {
    let refused = "Failed to restart acme.service: Operation refused, unit acme.service may be requested by dependency only (it is configured to refuse manual start/stop).";
    let job = "Job for acme.service failed because the control process exited with error code.";
    let twice = format!("Failed to reset failed state of acme.service: Unit acme.service not loaded.\n{refused}");
    under_each_shell(|world| {
        let root = world.root().display().to_string();
        for (printed, reason) in [
            (format!("{refused}\nSee system logs and 'systemctl status acme.service' for details."), refused),
            (format!("{job}\nSee \"systemctl status acme.service\" and \"journalctl -xeu acme.service\" for details."), job),
            (format!("{job}\nSee 'systemctl status acme.service' for details.\n\n"), job),
            (
                format!("{refused}\nWarning: The unit file of acme.service changed on disk. Run 'systemctl daemon-reload' to reload units."),
                refused,
            ),
            (format!("{refused}\nRun 'systemctl daemon-reload' to reload units."), refused),
            (twice.clone(), refused),
            (
                "sudo: a password is required\nsudo: If sudo is running in a container, you may need to adjust the container configuration to disable the flag.".to_owned(),
                "sudo: a password is required",
            ),
            ("A dependency job for acme.service failed. See 'journalctl -xe' for details.".to_owned(),
             "A dependency job for acme.service failed. See 'journalctl -xe' for details."),
            ("Call failed: Connection timed out".to_owned(), "Call failed: Connection timed out"),
            (String::new(), ""),
        ] {
            let out = world.run(REASON, &[&root, &printed], NO_FAULT);
            assert_eq!(said(&out).trim_end(), reason, "{printed}: {out:?}");
        }
    });
}
