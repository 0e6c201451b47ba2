//! The suite itself: what `scripts/test.sh` makes of tests that fail, and pass when they run once more.

use std::process::{Command, Output};

use crate::bounds::Ends as _;

/// The first run of libtest, in which these tests fail and print this; a second run prints `again`.
fn suite(failed: &[&str], printed: &str, again: &str) -> Output {
    let script = include_str!("../scripts/test.sh");
    let function = |name: &str| {
        let from = script.find(&format!("\n{name}() {{")).unwrap() + 1;
        let line = script[from..].lines().next().unwrap();
        let end = match line.strip_suffix('}') {
            Some(_) => line.len(),
            None => script[from..].find("\n}\n").unwrap() + 2,
        };
        script[from..from + end].to_owned() + "\n"
    };
    let dir = tempfile::tempdir().unwrap();
    let mut first = String::from("failures:\n\n");
    for name in failed {
        first += &format!("---- {name} stdout ----\n{printed}\n\n");
    }
    first += "\nfailures:\n";
    for name in failed {
        first += &format!("    {name}\n");
    }
    first += "\ntest result: FAILED. 7 passed\n";
    std::fs::write(dir.path().join("first"), first).unwrap();
    std::fs::write(dir.path().join("again"), again).unwrap();
    let cargo = "cargo() {
            if mv \"$scratch/first\" \"$scratch/ran\" 2>/dev/null; then cat \"$scratch/ran\"; return 101; fi
            cat \"$scratch/again\"
            ! grep -q FAILED \"$scratch/again\"
        }";
    let functions: String = ["cargo_test", "printed", "alone"].map(function).concat();
    let text = format!(
        "set -euo pipefail; features=() scratch=$1\nsay() {{ echo \"$*\" >&2; }}\n{cargo}\n{functions}\ncargo_test --test it || alone"
    );
    let mut bash = Command::new("bash");
    bash.args(["-c", &text, "test.sh"]).arg(dir.path()).env_remove("CI");
    bash.ends()
}

#[test]
fn a_test_that_passes_at_its_second_try_fails_the_suite_unless_the_lab_had_failed() {
    let (lab, own) = ("LAB FAILED: no host", "assertion failed: left == right");
    let (passes, fails) = ("test a::b ... ok\ntest c ... ok\n", "test a::b ... FAILED\n");
    for (failed, printed, again, code, words) in [
        (&["a::b"][..], lab, passes, 0, "once more, alone"),
        (&["a::b", "c"], lab, passes, 0, "once more, alone"),
        (&["a::b"], own, passes, 1, "FLAKY, passed at the second try: a::b"),
        (&["a::b"], own, fails, 1, "once more, alone"),
        (&["a::b"], lab, fails, 1, "once more, alone"),
        (&["a::b"], lab, "", 1, "once more, alone"),
        (&["a::b", "c", "d"], lab, passes, 1, ""),
    ] {
        let out = suite(failed, printed, again);
        let said = String::from_utf8_lossy(&out.stderr);
        assert_eq!(
            out.status.code(),
            Some(code),
            "{failed:?} {printed}, then {again:?}: {said}"
        );
        assert!(said.contains(words), "{failed:?} {printed}, then {again:?}: {said}");
    }
}
