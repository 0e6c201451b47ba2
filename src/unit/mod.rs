//! systemd unit files: reads them as systemd does, finds what is wrong with them, explains it, writes good ones. Never uses
//! the rest of shipit. Start reading at [`merge::Unit`].

pub mod accepts; // whether systemd accepts a value
pub mod calendar; // OnCalendar=
pub mod command; // ExecStart= and similar keys
pub mod compare; // two units: settings and lines that differ
mod conditions; // values that no condition matches
pub mod directory; // the units of a directory
pub mod environment; // the text of an EnvironmentFile=
mod forms; // the forms of values that systemd accepts
pub mod generate; // units written from a few answers
pub mod keys; // the keys that systemd knows
pub mod merge; // file + drop-ins = unit
pub mod name; // unit names, escaping, where systemd searches for drop-ins
pub mod parse; // one file, byte for byte
pub mod properties; // what `systemctl show` reports about a unit
pub mod quoting; // the words of a value
pub mod render; // findings as text, JSON, annotations
pub mod repair; // applies fixes: in the file, or as a drop-in
pub mod rules; // what is wrong, and why
pub mod search; // the order of drop-ins; loading from a disk
mod special; // the forms that one key or two have
pub mod specifier; // %i, %n, …
pub mod strategy; // how a service goes from one release to the next
pub mod value; // booleans, spans of time, sizes
