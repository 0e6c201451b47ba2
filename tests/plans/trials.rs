//! Plans with a trial: what is tried, when, and what the unit must have.

use shipit::observed::installed::InstalledUnits;

use super::*;
use crate::bounds::Ends as _;

const TRIED: &str = "services:\n  - unit: acme.service\n    strategy: socket\n    health: {url: 'http://127.0.0.1:8080/'}\n    \
     trial: {unit: acme-trial.service, health: {url: 'http://127.0.0.1:8079/', watch: 10s}}\n";

/// A host with the unit of the trial, which runs from there.
fn host(directory: &str) -> Observed {
    facts(&format!(
        "{THREE}unit acme-trial.service LoadState=loaded\nunit acme-trial.service WorkingDirectory={directory}\n"
    ))
}

#[test]
fn a_deploy_tries_the_release_before_anything_live_changes_and_a_rollback_does_not() {
    let yml = format!("{BASE}migrate: acme-migrate.service\n{TRIED}");
    check(
        &yml,
        &host("/opt/acme/next"),
        &deploy("d"),
        &expect![[r#"
            deploy c -> d

            switch (the host runs it by itself)
              baseline  acme.service: http://127.0.0.1:8080/ healthy within 5s before anything changes, if it is running
              migrate   acme-migrate.service, at most 600s, run from `next`
              trial     acme-trial.service: active within 30s, http://127.0.0.1:8079/ healthy 3 times in a row within 30s, stable for 10s, run from `next`
              measure   http://127.0.0.1:8080/ every 50 ms
              flip      current -> releases/d
              socket    restart acme.service while acme.socket holds the port
              await     acme.service: active within 30s, http://127.0.0.1:8080/ healthy 3 times in a row within 30s, stable for 3s
              confirm   no automatic revert after this

            revert (if a step fails after the flip began)
              flip      current -> releases/c
              socket    restart acme.service while acme.socket holds the port
              await     acme.service: active within 30s, http://127.0.0.1:8080/ healthy 3 times in a row within 30s, stable for 3s

            settle (after the confirmation)
              spare     reserve disk space for the next rollback
        "#]],
    );
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("deploy.yml");
    std::fs::write(&file, yml).unwrap();
    let config = config::load(&file, None).unwrap();
    let back = plan(&config, &host("/opt/acme/next"), &Goal::Rollback { to: None }).unwrap();
    assert!(
        !back.switch.iter().any(|step| matches!(step, Step::Trial(_))),
        "{back:?}"
    );
}

#[test]
fn a_trial_that_would_not_try_the_new_release_or_take_away_what_the_service_needs_is_refused() {
    let yml = format!("{BASE}{TRIED}");
    check(
        &yml,
        &host("/opt/acme/current"),
        &deploy("d"),
        &expect![[r#"
        error: the host's units do not allow this deploy
          why   acme-trial.service does not run the new release: add `WorkingDirectory=/opt/acme/next` under [Service], then `sudo systemctl daemon-reload`
          host  nothing changed
          next  shipit unit install --now --as root@example.org    # if this repository has the missing units
          next  shipit doctor"#]],
    );
    let mut host = host("/opt/acme/current");
    let text = |unit: &str, text: &str| {
        let encoded = Command::new("sh")
            .args(["-c", "printf '%s' \"$1\" | base64 -w 0", "sh", text])
            .ends();
        let encoded = String::from_utf8(encoded.stdout).unwrap();
        format!("file {unit} own /etc/systemd/system/{unit} text {encoded}\n")
    };
    // The program is started through `next`.
    let own = "[Service]\nExecStart=/opt/acme/next/server\nRuntimeDirectory=acme\n";
    let served = "[Service]\nExecStart=/opt/acme/current/server\nRuntimeDirectory=acme\n";
    let installed = text("acme-trial.service", own) + &text("acme.service", served);
    host.installed = Some(InstalledUnits::parse(installed.as_bytes()));
    check(
        &yml,
        &host,
        &deploy("d"),
        &expect![[r#"
        error: the host's units do not allow this deploy
          why   acme-trial.service removes /run/acme, which acme.service uses, when it stops: write `RuntimeDirectory=acme-trial` under [Service], then `sudo systemctl daemon-reload`
          host  nothing changed
          next  shipit unit install --now --as root@example.org    # if this repository has the missing units
          next  shipit doctor"#]],
    );
    let kept = text("acme-trial.service", &format!("{own}RuntimeDirectoryPreserve=yes\n"));
    host.installed = Some(InstalledUnits::parse((kept + &text("acme.service", served)).as_bytes()));
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("deploy.yml");
    std::fs::write(&file, yml).unwrap();
    plan(&config::load(&file, None).unwrap(), &host, &deploy("d")).unwrap();
}
