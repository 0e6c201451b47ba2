//! The ssh transport against a real sshd on loopback, started by each test with keys and files of its own.
//! Belongs here: what a connection does. What a deploy does with it belongs to the lab.
//!
//! Without sshd, ssh-keygen or ssh-agent these tests say loudly that they were skipped.

mod agent; // keys that an agent holds, and agents that do not do as they should
mod jump; // jump hosts and proxy commands
mod line; // lines that are slow, freeze or break; a person who interrupts
mod login; // key files, certificates, passphrases
mod people; // passwords and the server's own questions
mod proxy; // a TCP proxy of our own, for the slow and the frozen line
mod run; // commands: output, stdin, ends
mod server; // the sshd, and what most tests do with it
mod trust; // which hosts are trusted
