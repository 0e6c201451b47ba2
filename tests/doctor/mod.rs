//! The host's own units judged by what is so there, and `doctor`: broken hosts, and whether the cause is named first.

mod access;
mod broken; // hosts broken on purpose, one cause each: it is named first
mod drain; // how services stop, tried
mod live; // facts of a running host, as `unit lint --host` tells them
mod reach; // doctor of hosts that are well, half made, or out of reach
mod routed; // doctor of routers in front of the app
mod switches; // doctor while a switch is in progress, after one that could not revert; a clock that is off
mod ways; // who may enter and write on the way to a release; one host after the other defect
