//! shipit puts a release on one Linux host and turns systemd services over to it.
//!
//! Data flows one way: `config` and what `plan::observed` saw go into `plan`, which is pure; `engine`
//! carries the plan out through `host`, and tells `report` what happened. In reading order:
//!
//! 1. [`failure`]: what failed, why, what state the host is in, what to type next; exit codes.
//!    [`words`]: text from elsewhere made safe to show; quantities as people read them.
//! 2. [`config`]: deploy.yml becomes a `Config`, which cannot be wrong.
//!    [`mod@unit`]: systemd unit files: parse, rules, explain; knows nothing of the rest.
//!    [`release`]: ids, the manifest, packing a directory or an archive.
//! 3. [`step`]: everything the conductor can do to a host, as values.
//!    [`strategy`]: how one service goes from the old release to the new one.
//!    [`plan`]: config, observed and goal make a plan. Pure.
//!    [`facts`]: what a running host says of the app's units, and of routers in front of them. Pure.
//!    [`diagnosis`]: all that was seen, and what is wrong: causes before their consequences. Pure.
//! 4. [`remote`]: the scripts that run on the host, quoting, framing, verdicts.
//!    [`host`]: the only way to a machine. [`interrupt`]: Ctrl-C and SIGTERM, counted.
//! 5. [`report`]: events for a terminal, plain lines, JSON lines.
//!    [`engine`]: carries a plan out: stage, request, follow.
//! 6. [`cli`]: arguments in, exit code out; one file a command.
//!
//! `docs/ARCHITECTURE.md` has the map, the words and the invariants.

pub mod cli;
pub mod config;
pub mod diagnosis;
pub mod engine;
pub mod facts;
pub mod failure;
pub mod host;
pub mod interrupt;
pub mod plan;
pub mod release;
pub mod remote;
pub mod report;
pub mod step;
pub mod strategy;
pub mod unit;
pub mod words;
