//! Everything that is tested through the public interface; one sentence over each room says what belongs there.
#![allow(clippy::unwrap_used, clippy::print_stderr, missing_docs)]
mod ssh; // the ssh transport, against an sshd of our own on loopback
mod tree; // trees and archives as they come from people: packed, refused, compared
mod units; // unit files: reading, rules, writing

mod output;
mod plans; // a deploy.yml and facts in, the plan as text out // what people and programs see, whole
