//! env: values reach the process byte for byte and nobody else, nothing is lost, and root is led nowhere.

use std::io::{Read, Write};
use std::process::{Command, Stdio};

use super::{fed, noted, set_up_long_ago};
use crate::apps::{ACME, Kind, Service};
use crate::bounds::{Ends as _, Patient};
use crate::deploys::desk::{Desk, Ran, Yml, acme};
use crate::lab::{self, Host, Suite};

const FILE: &str = "/etc/acme/env";
const HELPER: &str = "/usr/local/lib/shipit/acme/env";

/// v1 is live, and its unit reads the environment where `unit generate` puts it.
fn live(host: &Host, yml: &Yml) -> Desk {
    ACME.install_units(host, Service::Socket);
    host.root(
        "sed -i 's,^User=app,&\\nEnvironmentFile=-/etc/acme/env,' /etc/systemd/system/acme.service && systemctl daemon-reload",
    )
    .ok();
    let desk = Desk::at(host, "ann");
    desk.write(yml);
    desk.setup();
    desk.deploy(Kind::Graceful, "v1");
    desk
}

/// A variable as the running process has it.
fn in_process(host: &Host, name: &str) -> String {
    let pid = host.unit("acme.service", "MainPID");
    let all = host.root(&format!("cat /proc/{pid}/environ")).ok();
    let prefix = format!("{name}=");
    let found = all.split('\0').find_map(|one| one.strip_prefix(&prefix));
    found.unwrap_or("(not set)").to_owned()
}

#[test]
fn values_reach_the_process_byte_for_byte_and_nothing_else_ever_holds_them() {
    for suite in Suite::Trixie.or_both() {
        let host = lab::host!(suite);
        let desk = live(&host, &acme("socket"));
        let secret = "se\"sa\\me$HOME`id` 'x' #y\t=ü\\n";
        desk.shipit(&["env", "list"])
            .leaves(0)
            .says("/etc/acme/env sets no variables");
        let set = fed(&desk, &["env", "set", "TOKEN"], format!("{secret}\n").as_bytes())
            .leaves(0)
            .says("added TOKEN")
            .says("next: shipit restart");
        assert_eq!(in_process(&host, "TOKEN"), "(not set)");
        fed(&desk, &["env", "set", "OTHER", "--restart"], b"two words")
            .leaves(0)
            .says("acme.service restarted");
        assert_eq!(in_process(&host, "TOKEN"), secret);
        assert_eq!(in_process(&host, "OTHER"), "two words");
        assert_eq!(host.root(&format!("stat -c '%U %a' {FILE}")).ok().trim(), "root 600");
        assert!(!host.ssh("deploy", &format!("cat {FILE}")).success());

        let list = desk.shipit(&["env", "list"]).leaves(0).says("TOKEN\nOTHER\n");
        desk.shipit(&["env", "unset", "OTHRE", "NEVER"])
            .leaves(1)
            .says("OTHRE is not set")
            .says("a variable with a similar name is set: OTHER")
            .says("shipit env unset OTHER NEVER");
        desk.shipit(&["env", "list"]).leaves(0).says("TOKEN\nOTHER\n");
        let unset = desk
            .shipit(&["env", "unset", "OTHER", "NEVER"])
            .leaves(0)
            .says("removed OTHER")
            .says("NEVER was not set");
        let history = desk
            .shipit(&["history"])
            .leaves(0)
            .says(" env set TOKEN ")
            .says(" env unset OTHER ");
        let noted = noted(&host);
        assert!(
            noted.contains("acme: ann@") && noted.contains("(deploy) changed /etc/acme/env: added TOKEN"),
            "{noted}"
        );
        for said in [
            set.to_string(),
            list.to_string(),
            unset.to_string(),
            history.to_string(),
            noted,
        ] {
            assert!(!said.contains("se\"sa") && !said.contains("two words"), "{said}");
        }
        // Not in the journal (sudo writes command lines there), not on any disk but in that file.
        host.root("journalctl --sync").ok();
        let held = host.root("journalctl -q -o json | grep -c -e 'se.*sa.*me.HOME' -e 'two words'");
        assert_eq!(held.stdout.trim(), "0", "{held}");
        let files = host.root("grep -rl 'sa\\\\\\\\me' /etc /opt /usr/local /tmp /home /root 2>/dev/null");
        assert_eq!(files.stdout.trim(), FILE);
        assert_eq!(host.root("ls -A /etc/acme").ok().trim(), "env");
    }
}

/// Types something at the question on a terminal of its own. What the terminal showed.
fn typed(desk: &Desk, name: &str, keys: &[u8]) -> String {
    let shipit = desk.command(&["env", "set", name]);
    let words: Vec<String> = std::iter::once(shipit.get_program())
        .chain(shipit.get_args())
        .map(|word| format!("'{}'", word.to_str().unwrap()))
        .collect();
    let mut child = Command::new("script")
        .args(["-qec", &words.join(" "), "/dev/null"])
        .current_dir(desk.path(""))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let (mut keyboard, mut screen) = (child.stdin.take().unwrap(), Patient(child.stdout.take().unwrap()));
    let mut shown = Vec::new();
    let mut some = [0; 1024];
    while !String::from_utf8_lossy(&shown).contains("value of ") {
        let n = screen.read(&mut some).unwrap();
        assert!(n > 0, "{}", String::from_utf8_lossy(&shown));
        shown.extend(&some[..n]);
    }
    keyboard.write_all(keys).unwrap();
    screen.read_to_end(&mut shown).unwrap();
    drop(child.ends());
    String::from_utf8_lossy(&shown).into_owned()
}

#[test]
fn a_value_that_is_typed_is_not_shown_and_ctrl_c_is_an_answer() {
    let host = lab::host!(Suite::Trixie);
    let desk = live(&host, &acme("socket"));
    let shown = typed(&desk, "TYPED", b"sesame\n");
    assert!(shown.contains("added TYPED") && !shown.contains("sesame"), "{shown}");
    assert_eq!(host.read_file(FILE), "TYPED=\"sesame\"\n");
    let shown = typed(&desk, "OTHER", b"ses\x03");
    assert!(shown.contains("no value was given for OTHER"), "{shown}");
    assert_eq!(host.read_file(FILE), "TYPED=\"sesame\"\n");
}

#[test]
fn a_push_replaces_the_whole_and_lines_with_two_readings_are_refused() {
    let host = lab::host!(Suite::Bookworm);
    let desk = live(&host, &acme("socket"));
    fed(&desk, &["env", "set", "OLD"], b"1").leaves(0);
    desk.file(
        "production.env",
        "# of acme\nA=1\nB='a $B'\nC=two words\nD=\"q\\\"q\"\nE=\n",
    );
    desk.shipit(&["env", "push", "production.env", "--restart"])
        .leaves(0)
        .says("added A")
        .says("removed OLD")
        .says("acme.service restarted");
    for (name, value) in [
        ("A", "1"),
        ("B", "a $B"),
        ("C", "two words"),
        ("D", "q\"q"),
        ("E", ""),
        ("OLD", "(not set)"),
    ] {
        assert_eq!(in_process(&host, name), value, "{name}");
    }
    desk.shipit(&["env", "push", "production.env"])
        .leaves(0)
        .says("nothing to change");
    let before = host.read_file(FILE);
    for bad in [
        "export A=sesame",
        "A=$sesame",
        "A=sesame # x",
        "A=\"sesame",
        "A=1\nA=sesame",
        "A='x\nsesame'",
        "",
    ] {
        let ran = fed(&desk, &["env", "push"], bad.as_bytes()).leaves(2);
        ran.never_says("sesame").says("nothing changed");
    }
    for bad in ["A=sesame", "1A", "A B", ""] {
        fed(&desk, &["env", "set", bad], b"x").leaves(2).never_says("sesame");
    }
    fed(&desk, &["env", "set", "A"], b"").leaves(2).says("is empty");
    fed(&desk, &["env", "set", "A"], b"two\nlines\n")
        .leaves(2)
        .says("more than one line");
    // Root's loader would obey it, wherever the unit runs something as root.
    fed(&desk, &["env", "set", "LD_PRELOAD"], b"/opt/acme/current/x.so")
        .leaves(1)
        .says("LD_PRELOAD can only be set in the unit");
    assert_eq!(host.read_file(FILE), before);
    // What an interpreter obeys is the app's business, until a unit that reads the file runs something as root.
    let option = ["env", "set", "NODE_OPTIONS"];
    fed(&desk, &option, b"--max-old-space-size=512").leaves(0);
    for (unit, text) in [
        ("acme.service", "[Service]\\nExecStartPre=-+/usr/bin/true\\n"),
        // Written in ways that no search for `=+` finds.
        (
            "acme.service",
            "[Service]\\nExecStartPre=-/usr/bin/true ; \"!/usr/bin/true\"\\n",
        ),
        (
            "acme.service",
            "[Service]\\nExecStopPost=\\\\\\n  # x\\n  @-!!/usr/bin/true true\\n",
        ),
        ("acme.service", "[Service]\\nPermissionsStartOnly=yes\\n"),
        ("acme.service", "[Service]\\nUser=\\n"),
        (
            "hook.service",
            "[Service]\\nEnvironmentFile=-/etc/*/en?\\nExecStart=/usr/bin/true\\n",
        ),
        (
            "hook@.service",
            "[Service]\\nUser=0\\nEnvironmentFile=/run/link\\nExecStart=/usr/bin/true\\n",
        ),
        (
            "hook.socket",
            "[Socket]\\nListenStream=9\\nEnvironmentFile=/etc/acme/env\\nExecStartPre=/usr/bin/true\\n",
        ),
    ] {
        let file = match unit {
            "acme.service" => "acme.service.d/o.conf",
            other => other,
        };
        host.root(&format!(
            "set -e; cd /etc/systemd/system; mkdir -p acme.service.d; ln -sfn /etc/acme/env /run/link
             printf '{text}' >{file}; systemctl daemon-reload"
        ))
        .ok();
        let reader = unit.replace("@.", "@shipit.");
        for name in ["NODE_OPTIONS", "ANYTHING"] {
            fed(&desk, &["env", "set", name], b"--require=/opt/acme/current/x.js")
                .leaves(1)
                .says(&format!(
                    "{name}: {reader} reads this file, and runs something as root with it"
                ))
                .says("a line in /etc/acme/env-names");
        }
        host.root(&format!("rm /etc/systemd/system/{file}; systemctl daemon-reload"))
            .ok();
        fed(&desk, &option, b"--max-old-space-size=512").leaves(0);
    }
    // A unit that root has changed, and that systemd has not read again.
    host.root("printf '[Service]\\nExecStartPre=+/usr/bin/true\\n' >/etc/systemd/system/acme.service.d/o.conf")
        .ok();
    fed(&desk, &option, b"x")
        .leaves(1)
        .says("runs something as root with it");
    // What root allows is taken, and nothing else; a list that others wrote is none.
    host.root("echo A >/etc/acme/env-names; chown deploy /etc/acme/env-names; systemctl daemon-reload")
        .ok();
    fed(&desk, &["env", "set", "A"], b"2").leaves(1);
    host.root("chown root /etc/acme/env-names").ok();
    fed(&desk, &["env", "set", "A"], b"2").leaves(0);
    fed(&desk, &["env", "set", "AA"], b"2").leaves(1);
    desk.shipit(&["env", "unset", "NODE_OPTIONS"]).leaves(0);
}

#[test]
fn of_several_people_who_change_it_at_once_nobody_is_lost() {
    let host = lab::host!(Suite::Trixie);
    let desk = live(&host, &acme("socket"));
    let names: Vec<String> = (0..6).map(|n| format!("NAME{n}")).collect();
    let children: Vec<_> = names
        .iter()
        .map(|name| {
            let mut command = desk.command(&["env", "set", name]);
            command
                .stdin(Stdio::piped())
                .stdout(Stdio::piped())
                .stderr(Stdio::piped());
            let mut child = command.spawn().unwrap();
            child.stdin.take().unwrap().write_all(b"x").unwrap();
            child
        })
        .collect();
    for child in children {
        Ran::new("env set", &child.ends()).leaves(0);
    }
    let list = desk.json(&["env", "list"]).leaves(0);
    let told: serde_json::Value = serde_json::from_str(&list.stdout).unwrap();
    let mut have: Vec<&str> = told["names"]
        .as_array()
        .unwrap()
        .iter()
        .map(|n| n.as_str().unwrap())
        .collect();
    have.sort_unstable();
    assert_eq!(have, names);
    assert_eq!(told["read_by"][0], "acme.service", "{list}");

    // Who pushes has looked before; what was set in between is not overwritten.
    let ask = |text: &str| host.ssh("deploy", &format!("printf '{text}' | sudo -n {HELPER} acme"));
    let version = ask("1 list ann any 0\\n").ok();
    let version = version
        .lines()
        .find_map(|line| line.strip_prefix("version "))
        .unwrap()
        .to_owned();
    fed(&desk, &["env", "set", "LATE"], b"x").leaves(0);
    let stale = ask(&format!("1 push ann {version} 4\\nA=1\\n"));
    assert!(
        !stale.success() && stale.stderr.contains("changed in the meantime"),
        "{stale}"
    );
    desk.shipit(&["env", "list"]).leaves(0).says("LATE").says("NAME5");
}

#[test]
fn the_helper_leads_root_nowhere_and_takes_nothing_by_half() {
    for suite in Suite::Bookworm.or_both() {
        let host = lab::host!(suite);
        let desk = live(&host, &acme("socket"));
        fed(&desk, &["env", "set", "KEPT"], b"1").leaves(0);
        let before = host.read_file(FILE);
        let ask = |text: &str| host.ssh("deploy", &format!("printf '{text}' | sudo -n {HELPER} acme"));
        for bad in [
            "",
            "1 push x any 100\\nA=1\\n",
            "1 push x any 2\\nA=1\\n",
            "1 push x any 8\\nA=\"x\\ny\"\\n",
            "1 push x any 4\\nA\\0=1",
            "1 push x any 6\\nA=\\033[1",
            "1 push x any 7\\n/A=1\\n\\n\\n",
            "1 unset x any 3\\n.*\\n",
            "1 unset x any -3\\nA\\n",
            "1 erase x any 0\\n",
            "2 push x any 4\\nA=1\\n",
        ] {
            let ran = ask(bad);
            assert!(!ran.success(), "{bad}: {ran}");
            assert_eq!(host.read_file(FILE), before, "{bad}");
        }
        let line =
            format!("{{ echo 1 push x any 70000; head -c 70000 /dev/zero | tr '\\\\0' '#'; }} | sudo -n {HELPER} acme");
        let ran = host.ssh("deploy", &line);
        assert!(!ran.success() && ran.stderr.contains("64 KiB"), "{ran}");
        for more in ["", "ssh", "acme x", "../acme", "--help"] {
            let ran = host.ssh("deploy", &format!("echo 1 list x any 0 | sudo -n {HELPER} {more}"));
            assert!(!ran.success(), "sudo lets pass more than it must: {ran}");
        }

        // Somebody planted a link where root would write.
        host.root(&format!(
            "cp {FILE} /root/env && echo precious=1 >/root/precious && ln -sf /root/precious {FILE}"
        ))
        .ok();
        fed(&desk, &["env", "set", "A"], b"1")
            .leaves(1)
            .says("is not a plain file");
        desk.shipit(&["env", "list"]).leaves(1).never_says("precious");
        assert_eq!(host.read_file("/root/precious"), "precious=1\n");
        host.root(&format!("rm {FILE} && cp /root/env {FILE} && chown deploy /etc/acme"))
            .ok();
        fed(&desk, &["env", "set", "A"], b"1")
            .leaves(1)
            .says("/etc/acme can be changed by users other than root");
        host.root("chown root /etc/acme && chmod 0777 /etc/acme").ok();
        fed(&desk, &["env", "set", "A"], b"1")
            .leaves(1)
            .says("can be changed by users other than root");
        host.root("chmod 0755 /etc/acme").ok();
        // What root wrote in another style is not edited line by line.
        host.root(&format!("printf 'A=\"x\\nKEPT=2\"\\n' >{FILE}")).ok();
        fed(&desk, &["env", "set", "KEPT"], b"1")
            .leaves(1)
            .says("line 1 of /etc/acme/env is not a NAME=value line");
        assert_eq!(host.read_file(FILE), "A=\"x\nKEPT=2\"\n");
    }
}

#[test]
fn a_host_without_the_helper_says_what_to_type_and_root_needs_none() {
    let host = lab::host!(Suite::Trixie);
    let desk = live(&host, &acme("socket"));
    set_up_long_ago(&host);
    fed(&desk, &["env", "set", "A"], b"1")
        .leaves(1)
        .says("the host has no helper for `shipit env` yet")
        .says("shipit setup --as root@");
    desk.deploy(Kind::Graceful, "v2");

    desk.write(&acme("socket").login("root"));
    fed(&desk, &["env", "set", "A"], b"1").leaves(0).says("added A");
    desk.shipit(&["env", "list"]).leaves(0).says("A\n");
    // Nobody reads it in another app's unit.
    host.root("sed -i '/^EnvironmentFile/d' /etc/systemd/system/acme.service && systemctl daemon-reload")
        .ok();
    desk.shipit(&["env", "list"])
        .leaves(0)
        .says("under [Service], add: EnvironmentFile=-/etc/acme/env");
}
