//! Everything that is tested through the public interface; one sentence over each room says what belongs there.
#![allow(clippy::unwrap_used, clippy::print_stderr, missing_docs)]
mod bounds; // how long tests wait, and what a hang leaves to read
mod config; // what people write as deploy.yml, and the words that answer it
mod ssh; // the ssh transport, against an sshd of our own on loopback
mod tree; // trees and archives as they come from people: packed, refused, compared
mod units; // unit files: reading, rules, writing

mod completions; // manual pages, and what a shell completes
mod docs; // the documents are held against the program
mod here; // what runs on this machine before any host is asked
mod init; // what init writes for a project, and that the rest takes it
mod init_php; // the same for PHP, which runs in a unit of the distribution
mod notify; // the recipes of docs/notify.md
mod output; // what people and programs see, whole
mod plans; // a deploy.yml and facts in, the plan as text out
mod scripts; // the host's scripts without a host: killed at every command, fed with garbage
mod style; // the words that no reader meets
mod suite; // what scripts/test.sh makes of a test that fails once
mod tidy; // the rules of the house that no compiler knows

// Not every test uses every tool of the lab.
#[allow(dead_code, reason = "a toolbox")]
mod apps; // small real web servers: releases to deploy, and the units that run them
#[allow(dead_code, reason = "a toolbox")]
mod lab; // real hosts, the line to them, and the load that counts what fails

mod cells; // wrong `Type=` made on real hosts: what it shows, and that its cause is named
mod days; // from day to day: status, logs, env, run, restart and its kin
mod deploys; // deploys and rollbacks on real hosts: what becomes live, what is said, what is left
mod doctor; // broken hosts, and whether doctor names the cause first; facts of a running host
mod faults; // what breaks on the way: client, conductor, session, power, at every step
mod handover; // two instances on one socket take turns: nothing is lost, whatever the next release does
mod lab_apps; // the example servers do what their names say
mod lab_hosts; // the hosts boot, lose power, fill up, and leave nothing behind
mod lab_instruments; // the load client and the delay proxy measure what they claim to
mod promise; // how many requests fail while releases come and go, and how long a restart takes
mod real_apps; // node, gunicorn, puma, Rust, Go and caddy under generated units
mod zero; // how many requests each strategy loses, with good and bad releases: only scripts/bench.sh runs it
