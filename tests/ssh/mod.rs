//! The ssh transport against a real sshd on loopback, started by each test with keys and files of its own.
//! Belongs here: what a connection does. What a deploy does with it belongs to the lab.
//!
//! Without sshd, ssh-keygen or ssh-agent these tests say loudly that they were skipped.

mod run;
mod server;
