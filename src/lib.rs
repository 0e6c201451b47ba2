//! shipit puts a release on one Linux host and turns systemd services over to it.
//!
//! Data flows one way: `config` and what `plan::observed` saw go into `plan`, which is pure; `engine`
//! carries the plan out through `host`, and tells `report` what happened. The modules stand here in
//! reading order. `docs/ARCHITECTURE.md` has the map, the words and the invariants.

pub mod cli;
pub mod config; // deploy.yml -> Config; a Config cannot be wrong
pub mod engine; // carries a plan out: stage, request, follow
pub mod failure; // what failed, why, what state the host is in, what to type next; exit codes
pub mod host; // the only way to a machine: trait Host, and ssh
pub mod interrupt; // Ctrl-C and SIGTERM, counted
pub mod plan; // Config + Observed + Goal -> Plan; pure
pub mod release; // ids, the manifest, packing a directory or an archive
pub mod remote; // the scripts that run on the host, quoting, framing, verdicts
pub mod report; // events -> a terminal, plain lines, JSON lines
pub mod strategy; // how one service goes from the old release to the new one; one small pure file each
pub mod unit; // systemd unit files: parse, rules, explain; knows nothing of the rest
pub mod words; // text from elsewhere made safe to show; durations and sizes as people read them // arguments in, exit code out; one file a command
