//! What `shipit unit lint` and `generate` write and refuse to write, as they are typed. What else is typed: `commanding`.

use std::fs;

use super::commanding::{UNIT, desk, err, out, shipit};

#[test]
fn fix_adds_no_order_that_makes_two_units_wait_for_each_other() {
    let dir = desk();
    let unit = |name: &str, order: &str| {
        let text = format!("[Unit]\n{order}\n[Service]\nUser=a\nExecStart=/opt/acme/current/x\n");
        fs::write(dir.path().join(name), text).unwrap();
    };
    let fixed = |files: &[&str]| {
        shipit(dir.path(), &[&["unit", "lint", "--fix"], files].concat());
        let after = |name: &str| {
            let text = fs::read_to_string(dir.path().join(name)).unwrap();
            text.contains("After=acme")
        };
        (after("acme.service"), after("acme-worker.service"))
    };
    // The other one waits for it already, which its own text shows only where it is checked too.
    unit(
        "acme.service",
        "Requires=acme-worker.service\nAfter=acme-worker.service",
    );
    unit("acme-worker.service", "BindsTo=acme.service");
    assert_eq!(fixed(&["acme.service", "acme-worker.service"]), (true, false));
    assert_eq!(fixed(&["acme-worker.service"]), (true, false));
    // Also through a drop-in of the other one.
    unit("acme.service", "");
    fs::create_dir(dir.path().join("acme.service.d")).unwrap();
    let conf = dir.path().join("acme.service.d/order.conf");
    fs::write(&conf, "[Unit]\nAfter=acme-worker.service\n").unwrap();
    assert_eq!(fixed(&["."]), (false, false));
    fs::remove_file(&conf).unwrap();
    // Nothing orders them: one line is enough, and two would be a cycle.
    unit("acme.service", "Requires=acme-worker.service");
    unit("acme-worker.service", "BindsTo=acme.service");
    let text = out(&shipit(dir.path(), &["unit", "lint", "--drop-in", "."]));
    assert_eq!(text.matches("After=acme").count(), 1, "{text}");
    let (one, other) = fixed(&["."]);
    assert!(one != other);
    // A target waits for the units that it wants: what waits for the target waits for them too.
    fs::write(dir.path().join("acme.target"), "[Unit]\n").unwrap();
    let wanted = "[Service]\nUser=a\nExecStart=/opt/acme/current/x\n[Install]\nWantedBy=acme.target\n";
    let text = format!("[Unit]\nRequires=acme-worker.service\n{wanted}");
    fs::write(dir.path().join("acme.service"), text).unwrap();
    unit("acme-worker.service", "After=acme.target");
    assert!(!fixed(&["."]).0);
}

#[test]
fn fix_keeps_a_service_from_restarting_that_ends_by_itself() {
    let dir = desk();
    let fixed = |start: &str| {
        let path = dir.path().join("a.service");
        let text =
            format!("[Service]\nType=notify\nUser=a\nExecStart={start}\n[Install]\nWantedBy=multi-user.target\n");
        fs::write(&path, text).unwrap();
        shipit(dir.path(), &["unit", "lint", "--fix", "a.service"]);
        fs::read_to_string(&path).unwrap().contains("Restart=")
    };
    assert!(!fixed("/opt/acme/current/server"));
    assert!(!fixed(
        "/usr/lib/systemd/systemd-socket-proxyd --exit-idle-time=9s 127.0.0.1:80"
    ));
    assert!(fixed("/opt/acme/venv/bin/gunicorn app:app"));
}

#[test]
fn lint_takes_directories_of_drop_ins_among_its_arguments_and_a_drop_in_stands_for_its_unit() {
    let dir = desk();
    let at = |name: &str| dir.path().join(name);
    fs::write(at("acme.service"), UNIT.replace("SendSIGKILL=no\n", "")).unwrap();
    for name in ["acme.service.d", "multi-user.target.wants", "old.service.d", "empty"] {
        fs::create_dir(at(name)).unwrap();
    }
    fs::write(at("acme.service.d/o.conf"), "[Service]\nSendSIGKILL=no\n").unwrap();
    let lint = |files: &[&str]| {
        let ran = shipit(dir.path(), &[&["unit", "lint"], files].concat());
        (ran.status.code(), out(&ran) + &err(&ran))
    };
    for files in [
        &[
            "acme.service",
            "acme.service.d",
            "empty",
            "multi-user.target.wants",
            "old.service.d",
        ][..],
        &["acme.service.d"],
        &["acme.service.d/"],
        &["acme.service.d/o.conf"],
        &["acme.service.d/o.conf", "acme.service"],
        &["./acme.service.d", "acme.service"],
        &["."],
    ] {
        let (code, text) = lint(files);
        assert_eq!(code, Some(1), "{files:?}: {text}");
        assert_eq!(
            text.matches("o.conf:2: warning: SendSIGKILL=no").count(),
            1,
            "{files:?}: {text}"
        );
        assert!(text.contains(" in 1 unit\n"), "{files:?}: {text}");
    }
    let (code, text) = lint(&["old.service.d"]);
    assert!(
        code == Some(2) && text.contains("old.service does not exist"),
        "{code:?} {text}"
    );
    let (code, text) = lint(&["empty", "acme.service.d"]);
    assert!(
        code == Some(2) && text.contains("no unit files in empty, acme.service.d"),
        "{code:?} {text}"
    );
}

#[test]
fn generate_refuses_a_command_with_which_the_unit_would_not_work() {
    let dir = desk();
    let generate = |option: &str, command: &str| {
        let app = [
            "unit",
            "generate",
            "--app",
            "acme",
            "--program",
            "binary",
            "--command",
            "/opt/acme/current/run",
        ];
        let ran = match option {
            "--command" => shipit(dir.path(), &[&app[..6], &[option, command]].concat()),
            _ => shipit(dir.path(), &[&app[..], &[option, command]].concat()),
        };
        let there = dir.path().join("deploy/units").exists();
        (ran.status.code(), there, err(&ran))
    };
    for (option, command, rule) in [
        ("--command", "/opt/acme/current/run | tee x", "exec-shell-syntax"),
        ("--command", "/opt/acme/current/run ${HOME:-x}", "exec-dollar"),
        ("--command", "'/opt/acme/current/run --flag'", "exec-refused"),
        ("--migrate", "/opt/acme/next/migrate && true", "exec-shell-syntax"),
        ("--backup", "/usr/bin/pg_dump acme > x", "exec-shell-syntax"),
    ] {
        let (code, there, text) = generate(option, command);
        assert!(
            code == Some(2) && !there && text.contains(rule),
            "{command}: {code:?} {text}"
        );
    }
    let app = [
        "unit",
        "generate",
        "--app",
        "acme",
        "--program",
        "node",
        "--strategy",
        "reload",
        "--port",
        "8080",
    ];
    let ran = shipit(dir.path(), &app);
    assert_eq!(ran.status.code(), Some(0), "{}", err(&ran));
    assert!(
        err(&ran).contains("warning: ") && err(&ran).contains("[reload-kills]"),
        "{}",
        err(&ran)
    );
}
