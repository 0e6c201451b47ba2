//! shipit puts a release on one Linux host and turns systemd services over to it.
//!
//! Data flows one way: `config` and `observed` (what the host said) go into `plan`, which is pure; `engine` carries the
//! plan out through `host` and sends events to `report`. From the bottom up:
//!
//! 1. [`failure`]: what failed, why, what state the host is in, what to do next; exit codes.
//!    [`text`]: foreign text made safe to print; quantities for people. [`interrupt`]: Ctrl-C and SIGTERM, counted.
//!    [`cache`]: what this machine remembers between runs.
//!    [`terminal`]: who writes to the terminal of stderr, a moving line or a question.
//!    [`mod@unit`]: systemd unit files: parse, rules, explain, generate. It knows nothing of the rest.
//! 2. [`step`]: everything the conductor can do to a host, as values.
//! 3. [`config`]: deploy.yml becomes a `Config`, which cannot be wrong. [`release`]: ids and manifests, as values.
//!    [`host`]: the only way to a machine. [`report`]: events for a terminal, plain lines, JSON lines.
//! 4. [`observed`]: what a host said, parsed. Pure. [`source`]: a directory or an archive, read and checked.
//!    [`remote`]: the scripts that run on the host, quoting, framing.
//! 5. [`router`]: proxies in front of the app and where they forward to. Pure. [`upload`]: how a release travels.
//! 6. [`strategy`]: how one service goes from the old release to the new one. Pure.
//! 7. [`plan`]: config, observed and goal make a plan. Pure.
//! 8. [`diagnosis`]: everything that was observed becomes findings, causes before consequences. Pure.
//! 9. [`engine`]: carries a plan out: stage, request, follow.
//! 10. [`cli`]: arguments in, exit code out; one file per command.
//!
//! `docs/ARCHITECTURE.md` has the map, the words and the invariants.

pub mod cache;
pub mod cli;
pub mod config;
pub mod diagnosis;
pub mod engine;
pub mod failure;
pub mod host;
pub mod interrupt;
pub mod observed;
pub mod plan;
pub mod release;
pub mod remote;
pub mod report;
pub mod router;
pub mod source;
pub mod step;
pub mod strategy;
pub mod terminal;
pub mod text;
pub mod unit;
pub mod upload;
