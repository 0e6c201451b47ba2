//! What the source shows of its work with systemd: whether it accepts a listening socket, and whether it reports READY=1.
//! Never what the unit says.

use super::Directory;

/// Whether a line of code, not of a comment, contains one of these words.
fn says(dir: &Directory, kinds: &str, words: &[&str]) -> bool {
    let comment = |line: &&str| line.starts_with("//") || line.starts_with('*') || line.starts_with('#');
    dir.sources(kinds)
        .flat_map(|(_, text)| {
            let lines = text.lines().map(str::trim_start);
            // Tests of Rust stand below the code.
            lines.take_while(|line| !line.starts_with("#[cfg(test)]"))
        })
        .filter(|line| !comment(line))
        .any(|line| words.iter().any(|word| line.contains(word)))
}

/// What accepts the sockets of sd_listen_fds(3), for the reason in deploy.yml: a program that does so opens no port itself.
pub(super) fn accepts(dir: &Directory, kinds: &str) -> Option<&'static str> {
    // Those of libraries: libsystemd, and the crates sd-notify, systemd and libsystemd.
    const CALLS: [&str; 4] = [
        "sd_listen_fds",
        "listen_fds(",
        "receive_descriptors(",
        "receive_descriptors_with_names(",
    ];
    if says(dir, kinds, &["LISTEN_PID", "LISTEN_FDS"]) {
        return Some("the source reads LISTEN_PID or LISTEN_FDS: it accepts the socket from systemd");
    }
    says(dir, kinds, &CALLS).then_some("the source accepts the socket from systemd")
}

/// Whether it sends READY=1 itself, or through a library. The program systemd-notify is not the main process: only the units
/// of Node.js let it report.
pub(super) fn reports(dir: &Directory, kinds: &str) -> bool {
    const READY: [&str; 6] = [
        "READY=1",
        "--ready",
        "NotifyState::Ready",
        "STATE_READY",
        "SdNotifyReady",
        "sd_notify(0, \"READY",
    ];
    let notifies = ["NOTIFY_SOCKET", "systemd-notify", "sd_notify", "notify(", "SdNotify"];
    let by_program = says(dir, kinds, &["systemd-notify"]) && !kinds.contains("js");
    !by_program && says(dir, kinds, &READY) && says(dir, kinds, &notifies)
}

#[cfg(test)]
mod tests {
    use super::super::tests::project;
    use crate::unit::strategy::Strategy;

    const CARGO: (&str, &str) = ("Cargo.toml", "[package]\nname = \"x\"\n");
    const GO: (&str, &str) = ("go.mod", "module x\n");
    const NODE: (&str, &str) = ("package.json", r#"{"main":"a.js","dependencies":{"express":"4"}}"#);

    #[test]
    fn a_source_that_works_with_systemd_gets_a_socket_and_reports_when_it_is_ready() {
        for (list, file, text, socket, ready) in [
            (
                CARGO,
                "src/systemd.rs",
                "if env::var(\"LISTEN_PID\").is_ok() {",
                true,
                false,
            ),
            (
                CARGO,
                "src/main.rs",
                "    systemd::tell(\"READY=1\");\n    env::var(\"NOTIFY_SOCKET\")",
                false,
                true,
            ),
            (
                CARGO,
                "src/main.rs",
                "sd_notify::notify(false, &[NotifyState::Ready]);",
                false,
                true,
            ),
            (
                CARGO,
                "src/main.rs",
                "for fd in sd_notify::listen_fds()? {",
                true,
                false,
            ),
            (
                CARGO,
                "src/main.rs",
                "let all = activation::receive_descriptors(true)?;",
                true,
                false,
            ),
            (
                CARGO,
                "src/main.rs",
                "// LISTEN_FDS, READY=1 to NOTIFY_SOCKET\nfn main() {}",
                false,
                false,
            ),
            (
                CARGO,
                "src/main.rs",
                "fn main() {}\n#[cfg(test)]\nmod t { const A: &str = \"LISTEN_FDS\"; }",
                false,
                false,
            ),
            (GO, "main.go", "package main\nos.Getenv(\"LISTEN_FDS\")", true, false),
            (
                GO,
                "main.go",
                "package main\ndaemon.SdNotify(false, daemon.SdNotifyReady)",
                false,
                true,
            ),
            (NODE, "a.js", "execFile('systemd-notify', ['--ready'])", false, true),
            (NODE, "a.js", "parse('--ready')", false, false),
        ] {
            let app = project(&[list, ("src/", ""), (file, text)]);
            assert_eq!(
                (app.strategy == Strategy::Socket, app.reports),
                (socket, ready),
                "{text}"
            );
        }
    }

    #[test]
    fn a_library_for_sockets_is_one() {
        let go = "module x\nrequire github.com/coreos/go-systemd/v22 v22.5.0\n";
        let calls = "package main\nlisteners, err := activation.Listeners()";
        assert_eq!(
            project(&[("go.mod", go), ("main.go", calls)]).strategy,
            Strategy::Socket
        );
        let cargo = "[package]\nname = \"x\"\n[dependencies]\nlistenfd = \"1\"\n";
        let app = project(&[("Cargo.toml", cargo), ("src/", ""), ("src/main.rs", "fn main() {}")]);
        assert_eq!(app.strategy, Strategy::Socket);
    }
}
