//! run as a service: the settings of its unit and a terminal of its own, any amount of data, and no way to become root or
//! another app.

use std::io::{Read, Write};
use std::process::Stdio;

use rustix::termios::{Winsize, tcsetwinsize};

use super::{noted, set_up_long_ago};
use crate::apps::{Kind, Service};
use crate::bounds::{Ends as _, Patient};
use crate::deploys::desk::{Desk, acme};
use crate::deploys::terminal::Screen;
use crate::lab::{self, Host, Suite};

const HELPER: &str = "sudo -n /usr/local/lib/shipit/acme/run acme acme.service";

/// As root writes them for a unit: what an app is kept in, and what a command must not get.
const SETTINGS: &str = "[Service]
EnvironmentFile=-/etc/acme/env
Environment=UNIT=%n \"TWO=two \\\\
  lines\"
ExecStartPre=+/bin/sh -c \"echo x >>/run/as-root\"
AmbientCapabilities=CAP_DAC_OVERRIDE
ProtectSystem=strict
PrivateTmp=yes
RuntimeDirectory=acme-run
";

fn settle(host: &Host, file: &str, text: &str) {
    let dir = "/etc/systemd/system/acme.service.d";
    host.root_reading(
        &format!("mkdir -p {dir} && cat >{dir}/{file} && systemctl daemon-reload"),
        text.as_bytes(),
    )
    .ok();
}

fn live(host: &Host) -> Desk {
    let desk = Desk::ready(host, Service::Socket, &acme("socket"));
    host.root("mkdir -p /etc/acme && printf 'SECRET=sesame\\n' >/etc/acme/env && chmod 600 /etc/acme/env")
        .ok();
    settle(host, "sandbox.conf", &SETTINGS.replace("\\\\", "\\"));
    desk.deploy(Kind::Graceful, "v1");
    desk
}

#[test]
fn a_command_has_the_settings_of_its_unit_and_a_terminal_of_its_own() {
    let host = lab::host!(Suite::Trixie);
    let desk = live(&host);
    let began = host.read_file("/run/as-root");
    let script = "id -un; echo $SECRET $UNIT; echo \"$TWO\"; touch /etc/x 2>&1 | grep -o 'Read-only file system'; \
                  grep CapEff /proc/self/status; cat";
    let ran = desk.shipit(&["run", "--", "sh", "-c", script]).leaves(0);
    let expected = "app\nsesame acme.service\ntwo    lines\nRead-only file system\nCapEff:\t0000000000000000\n";
    assert_eq!(ran.stdout, expected);
    assert!(noted(&host).contains("acme: ann@"), "{ran}");

    // A real interpreter: it asks for the size at its start and after each change, and Ctrl-C is its own.
    let mut screen = Screen::of(&desk.command(&["run", "--", "python3", "-q"]), (33, 111));
    screen.wait_for(">>> ");
    screen.types("import os, time; print(os.get_terminal_size(), os.environ['TERM'])\r");
    screen.wait_for("columns=111, lines=33) xterm");
    screen.wait_for(">>> ");
    let size = |ws_row, ws_col| Winsize {
        ws_row,
        ws_col,
        ws_xpixel: 0,
        ws_ypixel: 0,
    };
    tcsetwinsize(&screen.person.0, size(44, 99)).unwrap();
    screen.types("\rwhile os.get_terminal_size() != (99, 44): time.sleep(0.02)\r\rprint('resi' + 'zed')\r");
    screen.wait_for("resized");
    screen.types("time.sleep(1000)\r");
    screen.wait_for("sleep(1000)");
    screen.types("\x03");
    screen.wait_for("KeyboardInterrupt");
    screen.types("print(os.getuid(), 'a@' + 'b')\r");
    screen.wait_for(" a@b");
    screen.types("raise SystemExit(5)\r");
    let (shown, code) = screen.closes();
    assert_eq!(code, Some(5), "{shown}");
    assert!(shown.contains("python3 exited with status 5"), "{shown}");
    // No terminal but its own is in reach, and what is pushed into that is nobody else's.
    let hijack = "import fcntl, glob, os, termios
for path in set(glob.glob('/dev/pts/[0-9]*')) - {os.ttyname(0)}:
    try: os.open(path, os.O_RDWR); print('open', path)
    except OSError: pass
try: [fcntl.ioctl(0, termios.TIOCSTI, bytes([b])) for b in b'touch /opt/acme/shared/pushed\\n']
except OSError: pass
print('tri' + 'ed')";
    let mut screen = Screen::of(&desk.command(&["run", "--", "python3", "-c", hijack]), (24, 80));
    screen.wait_for("tried");
    let (shown, code) = screen.closes();
    assert!(code == Some(0) && !shown.contains("open /dev"), "{shown}");
    assert!(!host.root("test -e /opt/acme/shared/pushed").success());
    // A client that goes away takes the command with it.
    let screen = Screen::of(&desk.command(&["run", "--", "sleep", "7654"]), (24, 80));
    host.wait_for("the command", |host| host.root("pgrep -u app -x sleep").success());
    screen.dies();
    host.wait_for("its end", |host| !host.root("pgrep -u app -x sleep").success());
    // A shell of the deploy user's, by either way.
    desk.shipit(&["ssh"]).leaves(2).says("needs a terminal");
    for way in [
        &["ssh"][..],
        &["run", "--as-deploy", "--", "sh"],
        &["ssh", "--system-ssh"],
    ] {
        let mut shell = Screen::of(&desk.command(way), (24, 80));
        shell.wait_for("$ ");
        shell.types("pwd -P; id -un; sleep 1000\r");
        shell.wait_for("/opt/acme/releases/");
        shell.wait_for("deploy\r\n");
        host.wait_for("the command", |host| host.root("pgrep -u deploy -x sleep").success());
        shell.types("\x03");
        shell.types("exit 7\r");
        assert_eq!(shell.closes().1, Some(7), "{way:?}");
    }
    let screen = Screen::of(&desk.command(&["run", "--as-deploy", "--", "sleep", "8765"]), (24, 80));
    let sleeps = |host: &Host| host.root("pgrep -u deploy -x sleep").success();
    host.wait_for("the command", sleeps);
    screen.dies();
    host.wait_for("its end", |host| !sleeps(host));

    both_ways(&host, &desk, 64);

    // A unit whose PATH has nothing of the system's.
    settle(&host, "path.conf", "[Service]\nEnvironment=PATH=/opt/acme/none\n");
    desk.shipit(&["run", "--", "/bin/echo", "hello"])
        .leaves(0)
        .says("hello");
    // What is the end of a line to systemd is one to the helper; a typing error that is none to systemd is refused.
    let own = "[Service]\nEnvironment=A=1\rExecStartPre=+/bin/touch /run/as-root\n";
    settle(&host, "path.conf", own);
    desk.shipit(&["run", "--", "/bin/true"]).leaves(0);
    settle(
        &host,
        "path.conf",
        "[Service]\nEnvironment=A=1 \\ \nNoNewPrivileges=yes\n",
    );
    desk.shipit(&["run", "--", "/bin/true"])
        .leaves(1)
        .says("systemd might read this line differently");

    assert_eq!(host.read_file("/run/as-root"), began, "a command of the unit ran");
    host.wait_for("nothing left", |host| {
        let left =
            "ls -d /run/systemd/system/shipit-run-*; systemctl list-units --all --plain --no-legend 'shipit-run-*'";
        host.root(left).stdout.is_empty()
    });
}

/// So many MiB to a command and back, with every value of a byte among them: the same bytes, in little memory here and
/// in no more there at the end than at the beginning.
fn both_ways(host: &Host, desk: &Desk, size: usize) {
    let mut child = desk
        .command(&["run", "--stdin", "--", "cat"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let (mut stdin, mut stdout) = (child.stdin.take().unwrap(), Patient(child.stdout.take().unwrap()));
    let piece: Vec<u8> = (0..1 << 20)
        .map(|n: u32| (n.wrapping_mul(2_654_435_761) >> 13) as u8)
        .collect();
    assert!((0..=u8::MAX).all(|byte| piece.contains(&byte)));
    let sent = piece.clone();
    let writer = std::thread::spawn(move || (0..size).for_each(|_| stdin.write_all(&sent).unwrap()));
    let mut got = vec![0; 1 << 20];
    let (mut status, mut there) = (String::new(), Vec::new());
    for n in 0..size {
        // Read while it runs: it has the last piece still to write.
        status = std::fs::read_to_string(format!("/proc/{}/status", child.id())).unwrap();
        if n == 4 || n == size - 4 {
            let helper = host
                .root("grep -h VmHWM $(pgrep -f '[/]acme/run acme' | sed 's,.*,/proc/&/status,')")
                .ok();
            let kilobytes = helper.split_whitespace().filter_map(|word| word.parse::<u64>().ok());
            there.push(kilobytes.sum::<u64>());
        }
        stdout.read_exact(&mut got).unwrap();
        assert!(got == piece, "piece {n}");
    }
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let peak: u64 = peak.unwrap().trim().trim_end_matches(" kB").parse().unwrap();
    eprintln!("{size} MiB: at most {peak} kB here; sudo and the helper on the host: {there:?} kB");
    assert!(peak < 32 * 1024, "{peak} kB");
    assert!(there[0] > 0 && there[1] < there[0] + 1024, "{there:?} kB");
    writer.join().unwrap();
    assert_eq!(stdout.read(&mut got).unwrap(), 0);
    assert_eq!(child.ends().status.code(), Some(0));
}

#[test]
#[ignore = "moves a gigabyte twice, which takes two minutes; CONTRIBUTING.md has the command"]
fn a_gigabyte_goes_there_and_comes_back_in_little_memory() {
    let host = lab::host!(Suite::Trixie);
    both_ways(&host, &live(&host), 1024);
}

#[test]
fn nobody_becomes_root_or_another_app_through_it() {
    let host = lab::host!(Suite::Bookworm);
    let desk = live(&host);
    host.root(
        "useradd other; useradd -o -u 0 toor; cd /etc/systemd/system
         printf '[Service]\\nUser=other\\nExecStart=/bin/sleep 99999\\n' >other.service
         printf '[Service]\\nExecStart=/bin/sleep 99999\\n' >root.service
         systemctl daemon-reload; systemctl start other root",
    )
    .ok();
    // What a command does if it is let run: it leaves its name where anybody can write.
    host.root("mkdir -m 1777 /dev/shm/ran").ok();
    let text = "aWQgLXVuOyB0b3VjaCAvZGV2L3NobS9yYW4vJChpZCAtdW4pOyB0b3VjaCAvZXRjL293bmVkCg=="; // id -un; touch …
    let id = "0123456789abcdef";
    let run = |unit: &str| format!("1 run ann {id} {unit} dumb {text}");
    let fed = |line: String, helper: &str| host.ssh("deploy", &format!("printf '%s\\n' '{line}' | {helper}"));
    let ours = run("acme.service");
    let sudo = HELPER.rsplit_once(' ').unwrap().0;
    let tries = [
        (run("other.service"), HELPER.to_owned(), "is not a service of this app"),
        (run("root.service"), HELPER.to_owned(), "is not a service of this app"),
        (
            run("acme.service root.service"),
            HELPER.to_owned(),
            "not a valid terminal type|not base64",
        ),
        (run("--uid=0"), HELPER.to_owned(), "not a valid unit name"),
        (run("*"), HELPER.to_owned(), "not a valid unit name"),
        (ours.replace(id, "../../../etc/x.d"), HELPER.to_owned(), "not an id"),
        (ours.replace(id, "0"), HELPER.to_owned(), "not an id"),
        (
            ours.replace("dumb", "x=y"),
            HELPER.to_owned(),
            "not a valid terminal type",
        ),
        (
            ours.replace("dumb", "--uid=0"),
            HELPER.to_owned(),
            "not a valid terminal type",
        ),
        (
            ours.replace(text, "$(touch$IFS/etc/owned)"),
            HELPER.to_owned(),
            "not base64",
        ),
        (ours.replace(text, "x --uid=0"), HELPER.to_owned(), "not base64"),
        (
            ours.replace(text, &"A".repeat(120_001)),
            HELPER.to_owned(),
            "longer than 90 kB",
        ),
        (ours.replace("1 run", "1 runs"), HELPER.to_owned(), "another version"),
        (ours.replace("1 run", "2 run"), HELPER.to_owned(), "another version"),
        (run("root.service"), format!("{HELPER} root.service"), "sudo: "),
        (run("root.service"), format!("{sudo} root.service"), "sudo: "),
        (
            run("root.service"),
            format!("{sudo} 'acme.service root.service'"),
            "sudo: ",
        ),
        (ours.clone(), format!("{HELPER} --uid=0"), "sudo: "),
        (
            run("other.service").replace("run", "stop"),
            HELPER.to_owned(),
            "is not a service of this app",
        ),
    ];
    for (line, helper, says) in tries {
        let ran = fed(line.clone(), &helper);
        assert!(!ran.success(), "{line}: {ran}");
        assert!(says.split('|').any(|one| ran.stderr.contains(one)), "{line}: {ran}");
        assert_eq!(
            host.root("ls /dev/shm/ran; ls /etc/owned 2>/dev/null").stdout,
            "",
            "{line}"
        );
    }
    // A line without an end fills no memory, and one of its files that is a terminal is not handed on.
    let endless = host.ssh(
        "deploy",
        &format!("head -c 300000000 /dev/zero | tr '\\0' A | {HELPER}"),
    );
    assert!(!endless.success(), "{endless}");
    let mixed = host.ssh(
        "deploy",
        &format!("printf '%s\\n' '{ours}' >line; script -qec '{HELPER} <line' /dev/null"),
    );
    assert!(
        mixed.stdout.contains("some of stdin, stdout and stderr are terminals"),
        "{mixed}"
    );
    // A unit that runs as root, in each way to write that, and one that systemd has not read again.
    for (text, says) in [
        ("[Service]\nUser=\n", "runs as root"),
        ("[Service]\nUser=root\n", "runs as root"),
        ("[Service]\nUser=0\n", "who is root"),
        ("[Service]\nUser=toor\n", "who is root"),
        ("[Service]\nUser=nobody-has-this-name\n", "does not exist"),
        (
            "[Service]\nEnvironment=X=%y\n",
            "cannot be copied to the unit that runs the command",
        ),
    ] {
        settle(&host, "zz.conf", text);
        let ran = fed(ours.clone(), HELPER);
        assert!(!ran.success() && ran.stderr.contains(says), "{text}: {ran}");
        desk.shipit(&["run", "--", "id"])
            .leaves(1)
            .says("no command can run as acme.service")
            .says(says)
            .says("run --as-deploy -- id");
    }
    host.root("printf '[Service]\\nUser=app\\n' >/etc/systemd/system/acme.service.d/zz.conf")
        .ok();
    let ran = fed(ours.clone(), HELPER);
    assert!(ran.stderr.contains("have changed since systemd read them"), "{ran}");
    host.root("rm /etc/systemd/system/acme.service.d/zz.conf; systemctl daemon-reload")
        .ok();
    assert_eq!(host.root("ls /dev/shm/ran; ls /etc/owned 2>/dev/null").stdout, "");
    // The caller's environment steers nothing, and a command is the unit's user and no more.
    let own =
        "env LD_PRELOAD=/opt/acme/x.so PATH=/opt/acme SHIPIT_OWN=1 ENV=/opt/acme/x SYSTEMD_LOG_LEVEL=debug BASH_ENV=x";
    let ran = fed(ours.clone(), &format!("{own} /usr/bin/{HELPER}"));
    assert_eq!(ran.stdout, "app\n", "{ran}");
    let ran = fed(
        ours.clone(),
        &HELPER.replace("sudo -n", "sudo -n LD_PRELOAD=/opt/acme/x.so"),
    );
    assert!(!ran.success(), "{ran}");
    let ran = desk.shipit(&[
        "run",
        "--",
        "sh",
        "-c",
        "sudo -n id; su -c id; cat /etc/shadow /etc/acme/env; id -un",
    ]);
    assert_eq!(ran.stdout, "app\n", "{ran}");
    assert_eq!(host.root("ls /dev/shm/ran; ls /etc/owned 2>/dev/null").stdout, "app\n");
    let units = host.root("systemctl is-active other root acme").ok();
    assert_eq!(units.trim(), "active\nactive\nactive");

    // Where nothing can be started, the reason is systemd's.
    settle(&host, "zz.conf", "[Service]\nWorkingDirectory=/nowhere\n");
    desk.shipit(&["run", "--", "id"])
        .leaves(125)
        .says("systemd could not start a command with the settings of acme.service")
        .says("200/CHDIR");
    host.root("rm /etc/systemd/system/acme.service.d/zz.conf; systemctl daemon-reload")
        .ok();
    // Declined: nothing of root's is lent. Then, and where the host is as an old setup left it, the way of before is named.
    desk.write(&acme("socket").with("run_as: deploy"));
    desk.shipit(&["run", "--", "id", "-un"]).leaves(0).says("deploy");
    desk.setup();
    let rule = host.read_file("/etc/sudoers.d/shipit-acme");
    assert!(!rule.contains("/acme/run") && rule.contains("/acme/env"), "{rule}");
    assert!(!host.root("test -e /usr/local/lib/shipit/acme/run").success());
    desk.write(&acme("socket"));
    desk.shipit(&["run", "--", "id"])
        .leaves(1)
        .says("the host has no helper for `shipit run` yet")
        .says("setup --as");
    set_up_long_ago(&host);
    desk.shipit(&["run", "--", "id"]).leaves(1).says("--as-deploy -- id");
    desk.shipit(&["run", "--as-deploy", "--", "id", "-un"])
        .leaves(0)
        .says("deploy");
}
