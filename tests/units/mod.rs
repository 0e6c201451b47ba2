//! Unit files: read as systemd reads them, judged by the rules, written by the generator.
//! The corpora are in `units/`; nothing here needs a host, but what is installed here is asked.

mod agreeing; // the systemd of real hosts reads as we do
mod commanding; // `shipit unit` as it is typed
mod distribution; // the rules on the units of a distribution
mod fixing; // what lint and generate write
mod judging; // every rule on its bad and its good unit
mod misreading; // what systemd makes of lines that mean something else
mod oracle; // systemd itself, in its test mode, as the judge of what was parsed
mod reading; // round trips, mutations, agreement with systemd
mod restraint; // what the rules leave alone
mod running; // generated units on real hosts
mod second_reader; // another program's reading of the same texts
mod valuing; // every key on good and bad values, against systemd
mod writing; // generated units
