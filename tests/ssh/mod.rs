//! The ssh transport against a real sshd on loopback, started by each test with keys and files of its own.
//! Belongs here: what a connection does. What a deploy does with it belongs to the lab.
//!
//! Without sshd, ssh-keygen or ssh-agent these tests print that they were left out.

mod agent; // keys that an agent holds, and agents that do not work
mod connection; // slow, frozen and broken connections; Ctrl-C
mod jump; // jump hosts and proxy commands
mod login; // key files, certificates, passphrases
mod passwords; // passwords and the server's own questions
mod proxy; // a TCP proxy, for slow and frozen connections
mod run; // commands: output, stdin, ends
mod server; // the sshd, and what most tests do with it
mod trust; // which hosts are trusted
