//! systemd unit files: read them as systemd does, find what is wrong with them, explain it, write good ones.
//! Knows nothing of the rest of shipit. Start reading at [`merge::Unit`].

pub mod command; // ExecStart= and its kin
pub mod compare; // two units: the same, the same but for comments, other settings; the lines that differ
pub mod environment; // EnvironmentFile= that has one reading only
pub mod folder; // the units of a directory
pub mod generate; // units from a few answers
pub mod keys; // the keys that systemd knows
pub mod merge; // file + drop-ins = unit
pub mod name; // unit names, escaping, where drop-ins are looked for
pub mod parse; // one file, without losing a byte
pub mod properties; // what `systemctl show` reports about a unit
pub mod quoting;
pub mod render; // findings as text, JSON, annotations
pub mod repair; // writes the lines of a finding: into the file, or as a drop-in
pub mod rules; // what is wrong, and why
pub mod search; // the order of drop-ins; loading from a disk
pub mod specifier; // %i, %n, …
pub mod strategy; // how a service goes from one release to the next
pub mod value; // booleans, spans, sizes // quoting
