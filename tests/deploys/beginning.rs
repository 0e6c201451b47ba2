//! The whole way of somebody who has a project and a fresh host: init, unit install, setup, deploy. Nothing is done on the
//! host by hand.

use std::process::Command;

use super::desk::{Desk, Ran, answer};
use crate::lab::{self, Suite};

const SERVER: &str = r#"use std::io::{Read, Write};
fn main() {
    let port = std::env::var("PORT").expect("PORT");
    let listener = std::net::TcpListener::bind(format!("0.0.0.0:{port}")).expect("listening");
    for stream in listener.incoming().flatten() {
        let mut stream = stream;
        let _ = stream.read(&mut [0; 4096]);
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nConnection: close\r\n\r\nhello");
    }
}
"#;

fn from_a_project_to_a_live_app(suite: Suite) {
    let host = lab::host!(suite);
    let desk = Desk::at(&host, "ann");
    desk.file(
        "Cargo.toml",
        "[package]\nname = \"hello\"\nversion = \"0.1.0\"\nedition = \"2024\"\n",
    );
    desk.file(
        "Cargo.lock",
        "version = 4\n\n[[package]]\nname = \"hello\"\nversion = \"0.1.0\"\n",
    );
    desk.file("src/main.rs", SERVER);
    let address = host.address();
    let (login, root) = (format!("deploy@{address}"), format!("root@{address}"));
    desk.shipit(&["init", "--app", "acme", "--host", &login, "--units"])
        .leaves(0)
        .says("detected Rust (Cargo.toml)")
        .says("wrote deploy/units/acme.service");
    desk.shipit(&["unit", "install", "--yes", "--now", "--as", &root])
        .leaves(0)
        .says("create the user acme")
        .says("user: acme")
        .says("next: shipit setup --as root@");
    desk.shipit(&["setup", "--yes", "--as", &root]).leaves(0);
    // The program is built here: with the toolchain itself, whose home is not that of this desk.
    let sysroot = Command::new("rustc").args(["--print", "sysroot"]).output().unwrap();
    let sysroot = String::from_utf8(sysroot.stdout).unwrap();
    let path = std::env::var("PATH").unwrap();
    let mut deploy = desk.command(&["deploy"]);
    deploy.env("PATH", format!("{}/bin:{path}", sysroot.trim()));
    Ran::new("deploy", &deploy.output().unwrap()).leaves(0);
    assert_eq!(answer(&host), "hello");
    let user = host
        .root("ps -o user= -p $(systemctl show -p MainPID --value acme.service)")
        .ok();
    assert_eq!(user.trim(), "acme");
    desk.shipit(&["unit", "diff"]).leaves(0);
    host.power_cut();
    host.boot_again();
    host.wait_for(
        "the app answers after a boot",
        std::time::Duration::from_secs(60),
        |host| answer(host) == "hello",
    );
}

#[test]
fn init_units_setup_deploy_on_systemd_252() {
    from_a_project_to_a_live_app(Suite::Bookworm);
}

#[test]
fn init_units_setup_deploy_on_systemd_257() {
    from_a_project_to_a_live_app(Suite::Trixie);
}
