//! Events become lines for people and programs. Nothing here decides anything or touches a host.
//! Start reading at `event`.

pub mod event;
