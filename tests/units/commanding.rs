//! `shipit unit` as it is typed: exit codes, what is printed, what is written.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use crate::bounds::Ends as _;

pub(super) fn shipit(dir: &Path, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_shipit"))
        .args(arguments)
        .current_dir(dir)
        .env_clear()
        .ends()
}

pub(super) fn out(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

pub(super) fn err(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// A directory that no deploy.yml is above of.
pub(super) fn desk() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    fs::create_dir(dir.path().join(".git")).unwrap();
    dir
}

pub(super) const UNIT: &str = "# mine\n[Service]\nType=exec\nUser=acme\nExecStart=/opt/acme/current/x\nRestart=always\nRestartSec=3s\nSendSIGKILL=no\nMemoryMax=500M\n\n[Install]\nWantedBy=multi-user.target\n";

#[test]
fn lint_names_the_place_and_exits_by_the_worst_finding() {
    let dir = desk();
    fs::write(dir.path().join("acme.service"), UNIT).unwrap();
    let ran = shipit(dir.path(), &["unit", "lint", "acme.service"]);
    assert_eq!(ran.status.code(), Some(1), "{}", out(&ran));
    assert!(
        out(&ran).contains("acme.service:8: warning: SendSIGKILL=no"),
        "{}",
        out(&ran)
    );
    let ran = shipit(dir.path(), &["unit", "lint", "--fail-on", "error", "acme.service"]);
    assert_eq!(ran.status.code(), Some(0));
    let ran = shipit(dir.path(), &["unit", "lint", "--json", "acme.service"]);
    let lines: Vec<serde_json::Value> = out(&ran)
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert!(
        lines
            .iter()
            .any(|line| line["rule"] == "send-sigkill" && line["line"] == 8 && line["severity"] == "warning")
    );
    let ran = shipit(dir.path(), &["unit", "lint", "--format", "github", "."]);
    assert!(
        out(&ran).contains("::warning file=./acme.service,line=8,title=send-sigkill::"),
        "{}",
        out(&ran)
    );
}

#[test]
fn fix_adds_what_is_missing_and_leaves_every_other_byte() {
    let dir = desk();
    let path = dir.path().join("acme.service");
    let unit = UNIT.replace(
        "[Service]",
        "[Unit]\nAfter=network-online.target postgresql.service\n[Service]",
    );
    let unit = unit.replace("RestartSec=3s\n", "");
    fs::write(&path, &unit).unwrap();
    let ran = shipit(dir.path(), &["unit", "lint", "--fix", "acme.service"]);
    assert_eq!(ran.status.code(), Some(1), "{}", out(&ran)); // SendSIGKILL=no is left
    let text = fs::read_to_string(&path).unwrap();
    assert!(text.contains("RestartSec=1s\n"), "{text}");
    // Nothing that stops a longer job, and nothing that starts another unit.
    assert!(
        !text.contains("TimeoutStopSec=") && !text.contains("Wants=") && !text.contains("=postgresql"),
        "{text}"
    );
    let kept: String = text
        .lines()
        .filter(|line| unit.contains(*line))
        .map(|line| format!("{line}\n"))
        .collect();
    assert_eq!(kept, unit);
    let again = shipit(dir.path(), &["unit", "lint", "--fix", "acme.service"]);
    assert_eq!(fs::read_to_string(&path).unwrap(), text);
    assert_eq!(again.status.code(), Some(1));
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 2); // .git and the unit: nothing is left behind
}

#[test]
fn lines_to_write_leave_a_service_what_it_needs_and_a_decision_to_who_made_it() {
    let dir = desk();
    let lines = |text: &str| {
        fs::write(dir.path().join("a.service"), text).unwrap();
        out(&shipit(dir.path(), &["unit", "lint", "a.service"]))
    };
    let ports = lines(
        "[Service]\nUser=caddy\nAmbientCapabilities=CAP_NET_BIND_SERVICE\nExecStart=/usr/bin/caddy run\nRestart=no\n",
    );
    assert!(
        ports.contains("    CapabilityBoundingSet=CAP_NET_BIND_SERVICE\n"),
        "{ports}"
    );
    assert!(!ports.contains("~@privileged"), "{ports}");
    let root = lines("[Service]\nType=forking\nPIDFile=/run/nginx.pid\nExecStart=/usr/sbin/nginx\n");
    assert!(root.contains("    SystemCallFilter=@system-service\n"), "{root}");
    assert!(
        !root.contains("CapabilityBoundingSet=") && !root.contains("~@privileged"),
        "{root}"
    );
    let home = lines("[Service]\nUser=app\nExecStart=/home/app/venv/bin/uvicorn main:app\n");
    assert!(home.contains("    ProtectHome=read-only\n"), "{home}");
    let plain = lines("[Service]\nUser=app\nExecStart=/opt/a/current/server\n");
    assert!(plain.contains("    ProtectHome=yes\n"), "{plain}");
    assert!(plain.contains("    CapabilityBoundingSet=\n"), "{plain}");
    assert!(
        plain.contains("    SystemCallFilter=~@privileged @resources\n"),
        "{plain}"
    );
    let heap = lines("[Service]\nUser=app\nExecStart=/usr/bin/java -Xmx512m -jar /opt/a/current/a.jar\n");
    assert!(heap.contains("    MemoryMax=1024M\n"), "{heap}");
    let off = "[Service]\nUser=app\nType=exec\nExecStart=/opt/a/current/server\nRestart=no\n";
    fs::write(dir.path().join("a.service"), off).unwrap();
    shipit(dir.path(), &["unit", "lint", "--fix", "a.service"]);
    let kept = fs::read_to_string(dir.path().join("a.service")).unwrap();
    assert!(kept.contains("\nRestart=no\n"), "{kept}");
    let misspelt = lines("[Service]\nExecStart=/opt/a/current/server\nstartLimitIntervalSec=0\n");
    assert!(
        misspelt.contains("did you mean StartLimitIntervalSec= in [Unit]?"),
        "{misspelt}"
    );
}

#[test]
fn a_drop_in_is_printed_and_nothing_is_written() {
    let dir = desk();
    let unit = UNIT.replace("RestartSec=3s\n", "");
    fs::write(dir.path().join("acme.service"), &unit).unwrap();
    let ran = shipit(dir.path(), &["unit", "lint", "--drop-in", "acme.service"]);
    assert!(
        out(&ran).starts_with("# /etc/systemd/system/acme.service.d/50-shipit.conf\n["),
        "{}",
        out(&ran)
    );
    assert_eq!(fs::read_to_string(dir.path().join("acme.service")).unwrap(), unit);
}

#[test]
fn deploy_yml_tells_lint_more() {
    let dir = desk();
    fs::write(dir.path().join("acme.service"), UNIT).unwrap();
    fs::write(
        dir.path().join("deploy.yml"),
        "app: acme\nhost: acme@app.example.com\nsource: .\nservices:\n  - unit: acme.service\n    strategy: reload\n",
    )
    .unwrap();
    let ran = shipit(dir.path(), &["unit", "lint", "acme.service"]);
    for rule in ["[reload-missing]", "[user-deploys]"] {
        assert!(out(&ran).contains(rule), "{rule}: {}{}", out(&ran), err(&ran));
    }
    fs::write(dir.path().join("deploy.yml"), "app: [\n").unwrap();
    assert_eq!(
        shipit(dir.path(), &["unit", "lint", "acme.service"]).status.code(),
        Some(2)
    );
}

#[test]
fn what_cannot_be_read_is_said_and_is_no_clean_bill() {
    let dir = desk();
    fs::write(dir.path().join("notes.txt"), "x").unwrap();
    for wrong in ["missing.service", "notes.txt", ".git"] {
        let ran = shipit(dir.path(), &["unit", "lint", wrong]);
        assert_eq!(ran.status.code(), Some(2), "{wrong}: {}", out(&ran));
        assert!(err(&ran).starts_with("error: "), "{}", err(&ran));
    }
}

#[test]
fn explain_knows_rules_and_directives_and_suggests_the_nearest() {
    let dir = desk();
    let said = out(&shipit(dir.path(), &["unit", "explain", "exec-dollar"]));
    assert!(
        said.contains("In production: ") && said.contains("    [Service]\n"),
        "{said}"
    );
    assert!(out(&shipit(dir.path(), &["unit", "explain", "PrivateTmp"])).contains("It breaks: "));
    let memory = out(&shipit(dir.path(), &["unit", "explain", "MemoryDenyWriteExecute"]));
    let memory = memory.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(
        memory.contains("It breaks: most JITs (node, Java") && memory.contains("; not Erlang's, measured)"),
        "{memory}"
    );
    let wrong = shipit(dir.path(), &["unit", "explain", "exec-dolar"]);
    assert_eq!(wrong.status.code(), Some(2));
    assert!(
        err(&wrong).contains("shipit unit explain exec-dollar"),
        "{}",
        err(&wrong)
    );
    // Nothing is near: no other rule is proposed.
    let wrong = err(&shipit(dir.path(), &["unit", "explain", "nope"]));
    assert_eq!(wrong.matches("next").count(), 1, "{wrong}");
    assert!(wrong.contains("shipit unit explain    # lists all rules"), "{wrong}");
    assert!(out(&shipit(dir.path(), &["unit", "explain"])).lines().count() > 90);
}

#[test]
fn generate_writes_units_that_lint_has_nothing_against_and_never_overwrites() {
    let dir = desk();
    fs::write(dir.path().join("package.json"), "{}").unwrap();
    let generate = [
        "unit",
        "generate",
        "--app",
        "acme",
        "--strategy",
        "socket",
        "--migrate",
        "/usr/bin/npm run migrate",
    ];
    let ran = shipit(dir.path(), &generate);
    assert_eq!(ran.status.code(), Some(0), "{}", err(&ran));
    let lint = shipit(dir.path(), &["unit", "lint", "--fail-on", "info", "deploy/units"]);
    assert_eq!(out(&lint), "no findings in 3 units\n");
    assert_eq!(lint.status.code(), Some(0));
    assert_eq!(shipit(dir.path(), &generate).status.code(), Some(0)); // the same again is nothing new
    let socket = dir.path().join("deploy/units/acme.socket");
    fs::write(&socket, "mine\n").unwrap();
    let ran = shipit(dir.path(), &generate);
    assert_eq!(ran.status.code(), Some(2));
    assert!(err(&ran).contains("acme.socket") && fs::read_to_string(&socket).unwrap() == "mine\n");
    let next = "rm deploy/units/acme.socket && shipit unit generate --app acme --strategy socket";
    assert!(err(&ran).contains(next), "{}", err(&ran));
    fs::remove_file(&socket).unwrap();
    assert_eq!(shipit(dir.path(), &generate).status.code(), Some(0));
    assert!(fs::read_to_string(&socket).unwrap().contains("[Socket]"));
    let ran = shipit(dir.path(), &["unit", "generate", "--app", "acme\nUser=root"]);
    assert_eq!((ran.status.code(), out(&ran)), (Some(2), String::new()));
}

#[test]
fn the_configuration_of_a_router_has_the_ports_and_the_path_of_deploy_yml() {
    let dir = tempfile::tempdir().unwrap();
    let printed = |kind: &str, live: &str, service: &str| {
        let yml = format!(
            "app: acme\nhost: deploy@app.example.com\nsource: .\nservices:\n  - unit: acme@.service\n    strategy: blue-green\n    \
             router: edge\n    {service}\nrouters:\n  edge: {{kind: {kind}, url: \"http://127.0.0.1/healthz\"{live}}}\n"
        );
        fs::write(dir.path().join("deploy.yml"), yml).unwrap();
        out(&shipit(
            dir.path(),
            &["unit", "generate", "--program", "binary", "--print"],
        ))
    };
    let ports = "ports: [9001, 9005]\n    health: {url: \"http://127.0.0.1:{port}/healthz\"}";
    let text = printed("nginx", "", ports);
    assert!(
        text.contains("server 127.0.0.1:9001;") && text.contains("if (-f /opt/acme/live.9005)"),
        "{text}"
    );
    assert!(text.contains("env.blue has the line PORT=9001."), "{text}");
    let text = printed("caddy", ", live: /srv/web.sock", ports);
    assert!(text.contains("root /srv/\n\t\ttry_files /web.9005\n"), "{text}");
    let text = printed("haproxy", ", socket: /run/haproxy/a.sock, backend: acme", ports);
    assert!(text.contains("server green 127.0.0.1:9005"), "{text}");
    let socket = "health: {unix: {socket: \"/run/acme/{instance}.sock\", path: /healthz}}";
    let text = printed("caddy", ", live: /srv/web.sock", socket);
    assert!(text.contains("reverse_proxy unix//srv/web.sock {"), "{text}");
}
