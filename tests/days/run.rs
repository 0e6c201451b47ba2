//! run: the command gets its words byte for byte, its output comes through byte for byte, and its end is told.

use super::fed;
use crate::apps::Service;
use crate::bounds::{self, Ends as _};
use crate::deploys::desk::{Desk, acme, current};
use crate::lab::{self, Suite};

#[test]
fn words_go_there_and_output_comes_back_byte_for_byte() {
    let host = lab::host!(Suite::Bookworm);
    let desk = Desk::live(&host, Service::Socket, &acme("socket"));
    let mut words = vec!["run", "--", "printf", "%s\\0"];
    let odd = [
        "",
        " a  b ",
        "it's",
        "$HOME `id` $(id)",
        "\\n",
        "x\ny",
        "*",
        "-e",
        "--",
        "ü\u{1b}[2J",
        "a\tb\r",
    ];
    words.extend(odd);
    let ran = desk.shipit(&words).leaves(0);
    assert_eq!(ran.stdout, odd.map(|word| format!("{word}\0")).concat());
    assert_eq!(ran.stderr, "");

    host.root("cd /opt/acme/current && head -c 3000000 /dev/urandom >bytes && chmod 0644 bytes")
        .ok();
    let there = host.root("sha256sum </opt/acme/current/bytes").ok();
    let output = desk.command(&["run", "--", "cat", "bytes"]).ends();
    std::fs::write(desk.path("bytes"), &output.stdout).unwrap();
    let file = std::fs::File::open(desk.path("bytes")).unwrap();
    let here = bounds::reading(&mut std::process::Command::new("sha256sum"), file);
    assert_eq!(String::from_utf8(here.stdout).unwrap().trim(), there.trim());

    let release = current(&host);
    let ran = desk
        .shipit(&[
            "run",
            "--",
            "sh",
            "-c",
            "pwd; id -un; echo $SHIPIT_RELEASE; echo no >&2",
        ])
        .leaves(0);
    assert_eq!(ran.stdout, format!("/opt/acme/releases/{release}\napp\n{release}\n"));
    assert_eq!(ran.stderr, "no\n");
    // Its stdin is empty, whatever ours is; unless that is asked for, and then it is ours, byte for byte.
    let cat = fed(&desk, &["run", "--", "cat"], b"data").leaves(0);
    assert_eq!(cat.stdout, "");
    let cat = fed(&desk, &["run", "--stdin", "--", "cat"], b"a\0\r\n\x1b").leaves(0);
    assert_eq!(cat.stdout, "a\0\r\n\x1b");
    let mut sum = desk.command(&["run", "--stdin", "--", "sha256sum"]);
    let file = std::fs::File::open(desk.path("bytes")).unwrap();
    let sum = bounds::reading(&mut sum, file);
    assert_eq!(String::from_utf8(sum.stdout).unwrap().trim(), there.trim());
    // One that does not read it all ends all the same.
    let large = vec![b'x'; 3_000_000];
    let one = fed(&desk, &["run", "--stdin", "head", "-c", "1"], &large).leaves(0);
    assert_eq!(one.stdout, "x");
}

#[test]
fn how_a_command_ended_is_told() {
    let host = lab::host!(Suite::Trixie);
    let desk = Desk::ready(&host, Service::Socket, &acme("socket"));
    desk.shipit(&["run", "--", "true"]).leaves(1).says("no release is live");
    desk.deploy(crate::apps::Kind::Graceful, "v1");
    desk.shipit(&["run", "sh", "-c", "exit 3"])
        .leaves(3)
        .says("error: sh exited with status 3");
    desk.shipit(&["run", "--", "no-such-command"])
        .leaves(127)
        .says("the command was not found on the host")
        .never_says("sh: ");
    desk.shipit(&["run", "--", "sh", "-c", "kill -9 $$"])
        .leaves(137)
        .says("killed by signal 9");
    desk.shipit(&["run"]).leaves(2);
    // `--json` behind the command is the command's; before it, it is ours.
    for dashes in [&["--"][..], &[]] {
        let theirs = ["sh", "-c", "printf 'a\\033[2J'; exit 4", "--json"];
        let ran = desk.shipit(&[&["run"], dashes, &theirs].concat()).leaves(4);
        assert!(ran.stdout.contains('\u{1b}'));
    }
    let ran = desk.shipit(&["run", "--json", "--", "sh", "-c", "printf 'a\\033[2J'; exit 4"]);
    let ran = ran.leaves(4).never_says("\u{1b}").says(r#""source":"stdout""#);
    assert!(
        ran.stdout.ends_with("}\n") && ran.stdout.contains(r#""code":4"#),
        "{ran}"
    );
}
