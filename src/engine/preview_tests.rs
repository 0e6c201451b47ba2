//! `plan` and `deploy` against a host that only answers what is read before anything is sent.
#![allow(clippy::unwrap_used)]

use std::time::Instant;

use base64::Engine as _;

use super::*;
use crate::config;
use crate::engine::Run;
use crate::engine::deploy::deploy;
use crate::host::{Ended, Exec, ExecEvent, Lost, Then};
use crate::report::event::Event;

const OBSERVED: &str = "systemd 252\nuid 1000\nuser deploy\nroot ready\nfree_kb 9000000\nfree_inodes 900000\n\
    unit shipit-acme.path ActiveState=active\nunit acme.service LoadState=loaded\n\
    unit acme.service ActiveState=active\ncurrent link releases/a\nrelease a\n\
    ledger t 1 r staged a\nledger t 1 r begin a\nledger t 1 r verified a\n";
const INSTALLED: &str = "listed\nfile acme.service own /etc/systemd/system/acme.service absent\n";

/// Answers the session that observes, and loses every other one.
struct Observable;
impl Host for Observable {
    fn exec(&mut self, exec: Exec<'_>, on_event: &mut dyn FnMut(ExecEvent<'_>) -> Then) -> Result<Ended, Lost> {
        let packed = exec.line.split(' ').find(|word| word.len() > 100).unwrap();
        let text = base64::engine::general_purpose::STANDARD.decode(packed);
        let text = String::from_utf8(text.unwrap()).unwrap();
        let nonce = text.split("; n=").nth(1).unwrap().lines().next().unwrap();
        if !text.contains("\nover 1 $?\n") || text.contains("\nover 2 $?\n") {
            return Err(Lost::Cut("only the observation is answered".into()));
        }
        let answers = format!(
            "{nonce} begin 0\n{OBSERVED}\n{nonce} end 0 0\n{nonce} begin 1\n{INSTALLED}\n{nonce} end 1 0\n{nonce} over\n"
        );
        on_event(ExecEvent::Out(answers.as_bytes()));
        Ok(Ended::Code(0))
    }
    fn traffic(&self) -> (u64, u64) {
        (0, 0)
    }
}

struct Once;
impl Link for Once {
    fn connect(&mut self, _: &mut dyn Report) -> Result<Box<dyn Host>, Failure> {
        Ok(Box::new(Observable))
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
    write("app/.env", "KEY=value\n");
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
    match preview(&config, &mut Once, &interrupts, &mut planned) {
        Ok(preview) => planned.warnings.extend(preview.plan.warnings),
        Err(failure) => planned.failure = Some(failure),
    }
    let mut deployed = Reported::default();
    let mut run = Run {
        config: &config,
        link: &mut Once,
        report: &mut deployed,
        began: Instant::now(),
        interrupts: &interrupts,
    };
    deploy(&mut run, &DeployOptions::default());
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
        planned.len() == 2 && planned[0].contains("acme.service") && planned[1].contains(".env"),
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
