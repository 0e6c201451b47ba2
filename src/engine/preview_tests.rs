//! `plan` and `deploy` against a host that only answers what is read before anything is sent.
#![allow(clippy::unwrap_used)]

use super::*;
use crate::config;
use crate::engine::deploy::deploy;
use crate::engine::session::Link;
use crate::host::Host;
use crate::host::{Ended, Exec, ExecEvent, Lost, Then};
use crate::report::event::Event;
use crate::step::Command;
use base64::Engine as _;

const OBSERVED: &str = "systemd 252\nuid 1000\nuser deploy\nroot ready\nfree_kb 9000000\nfree_inodes 900000\n\
    unit shipit-acme.path ActiveState=active\nunit acme.service LoadState=loaded\n\
    unit acme.service ActiveState=active\ncurrent link releases/a\nrelease a\n\
    ledger t 1 r staged a\nledger t 1 r begin a\nledger t 1 r verified a\n";
const INSTALLED: &str = "listed\nfile acme.service own /etc/systemd/system/acme.service absent\n";

/// Answers the session that observes, and loses every other one.
struct Observable(String);
impl Host for Observable {
    fn exec(&mut self, exec: Exec<'_>, on_event: &mut dyn FnMut(ExecEvent<'_>) -> Then) -> Result<Ended, Lost> {
        let text = crate::remote::unpacked(exec.line);
        let nonce = text.split("; n=").nth(1).unwrap().lines().next().unwrap();
        if !text.contains("\nover 2 $?\n") || text.contains("\nheld\n") {
            return Err(Lost::Cut("only the observation is answered".into()));
        }
        let answers = format!(
            "{nonce} begin 0\n{OBSERVED}\nwhole\n\n{nonce} end 0 0\n{nonce} begin 1\n{}\nwhole\n\n{nonce} end 1 0\n{nonce} begin 2\nwhole\n\n{nonce} end 2 0\n{nonce} over\n",
            self.0
        );
        on_event(ExecEvent::Out(answers.as_bytes()));
        Ok(Ended::Code(0))
    }
    fn traffic(&self) -> (u64, u64) {
        (0, 0)
    }
}

/// Connects to a host that has these units.
struct Reached<'a>(&'a str);
impl Link for Reached<'_> {
    fn connect(&mut self, _: &mut dyn Report) -> Result<Box<dyn Host>, Failure> {
        Ok(Box::new(Observable(self.0.to_owned())))
    }
}

#[derive(Default)]
struct Reported {
    warnings: Vec<String>,
    failure: Option<Failure>,
}
impl Report for Reported {
    fn event(&mut self, event: &Event) {
        match event {
            Event::Warning { text } => self.warnings.push(text.clone()),
            Event::Ended(ended) => self.failure.clone_from(&ended.failure),
            _ => {}
        }
    }
}

/// What `plan` and what `deploy` warn of, and why each failed.
fn both(drift: &str) -> [(Vec<String>, String); 2] {
    let dir = tempfile::tempdir().unwrap();
    let write = |path: &str, text: &str| {
        let path = dir.path().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    };
    write("app/ca.pem", "KEY=value\n");
    write(
        "units/acme.service",
        "[Service]\nUser=acme\nWorkingDirectory=/opt/acme/current\nExecStart=/opt/acme/current/run\n",
    );
    let text = format!(
        "app: acme\nhost: deploy@example.org\nsource: app\nunits: units\nunits_drift: {drift}\n\
         services:\n  - {{unit: acme.service, strategy: restart}}\n"
    );
    write("deploy.yml", &text);
    let config = config::load(&dir.path().join("deploy.yml"), None).unwrap();
    let interrupts = Interrupts::never().unwrap();
    let mut planned = Reported::default();
    match preview(
        &mut Run::new(
            &config,
            &mut Reached(INSTALLED),
            &mut planned,
            &interrupts,
            Command::Deploy,
        ),
        Reading::default(),
    ) {
        Ok(preview) => planned.warnings.extend(preview.plan.warnings),
        Err(failure) => planned.failure = Some(failure),
    }
    let mut deployed = Reported::default();
    deploy(
        &mut Run::new(
            &config,
            &mut Reached(INSTALLED),
            &mut deployed,
            &interrupts,
            Command::Deploy,
        ),
        &DeployOptions::default(),
    );
    [planned, deployed].map(|mut reported| {
        reported.warnings.sort();
        let failure = reported.failure.map(|failure| failure.to_string());
        (reported.warnings, failure.unwrap_or_default())
    })
}

#[test]
fn a_plan_and_a_deploy_warn_of_the_same() {
    let [(planned, _), (deployed, lost)] = both("warn");
    assert_eq!(planned, deployed);
    assert!(
        planned.len() == 2 && planned[0].contains("acme.service") && planned[1].contains("ca.pem"),
        "{planned:?}"
    );
    assert!(lost.contains("only the observation"), "{lost}");
}

#[test]
fn a_plan_and_a_deploy_refuse_the_same_drift() {
    let [(_, planned), (_, deployed)] = both("refuse");
    assert_eq!(planned, deployed);
    assert!(planned.contains("the host's units differ"), "{planned}");
}

#[test]
fn what_a_unit_on_the_host_runs_is_not_named_as_ignored_by_git() {
    let dir = tempfile::tempdir().unwrap();
    let at = dir.path();
    std::fs::create_dir(at.join("dist")).unwrap();
    for (path, text) in [
        ("dist/server.js", ""),
        (".gitignore", "dist/\n*.log\n"),
        ("debug.log", ""),
    ] {
        std::fs::write(at.join(path), text).unwrap();
    }
    let text =
        "app: acme\nhost: deploy@example.org\nsource: .\nservices:\n  - {unit: acme.service, strategy: restart}\n";
    std::fs::write(at.join("deploy.yml"), text).unwrap();
    let git = std::process::Command::new("git")
        .arg("-C")
        .arg(at)
        .args(["init", "-q"])
        .status();
    assert!(git.unwrap().success());
    let config = config::load(&at.join("deploy.yml"), None).unwrap();
    let interrupts = Interrupts::never().unwrap();
    for (runs, named) in [("dist/server.js", false), ("server.js", true)] {
        let unit = format!("[Service]\nExecStart=/usr/bin/node /opt/acme/current/{runs}\n");
        let unit = base64::engine::general_purpose::STANDARD.encode(unit);
        let installed = format!("listed\nfile acme.service own /etc/systemd/system/acme.service text {unit}\n");
        let mut reported = Reported::default();
        deploy(
            &mut Run::new(
                &config,
                &mut Reached(&installed),
                &mut reported,
                &interrupts,
                Command::Deploy,
            ),
            &DeployOptions::default(),
        );
        let warning = reported
            .warnings
            .iter()
            .find(|text| text.contains("git ignores"))
            .unwrap();
        assert!(warning.contains("debug.log"), "{warning}");
        assert_eq!(warning.contains("dist/"), named, "{runs}: {warning}");
    }
}
