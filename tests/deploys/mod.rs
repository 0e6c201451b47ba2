//! Deploys, rollbacks and all that is typed around them, with the real program against real hosts. What the
//! promise costs and what cuts and kills do to it is elsewhere.

mod arriving; // what arrives on the host otherwise than it was sent is never published
pub mod backups; // the unit that must succeed before a migration, and where its dump is
mod bad_releases; // releases that break in their own way never stay live, and the app never dies of them
mod beginning; // init, unit install, setup, deploy: from a project to a live app, nothing by hand
pub mod blue_green; // two instances behind nginx and HAProxy: who gets the requests, and what clients see
mod browser; // a real browser, for the page that a person opens in one
mod building; // builds that hang, flood or leave something behind, and a person who has had enough of them
mod canary; // a share of the requests for the new release decides
mod canary_nginx; // the same behind nginx, which is turned in parts
mod causes; // why a release failed, found out before the host goes back
pub mod desk; // a person's directory, the program run there, and what it said
mod drifting; // the host has other units than the repository, or than the release was made for
mod full_disk; // a deploy is refused, a rollback works
mod going_back; // rollback: which release is meant, and what is refused
mod health; // every way to ask an app whether it is well, and answers of every kind
pub mod held; // a release that is healthy only when its test says so
mod hooks; // commands that run here around a switch
mod installing; // units on their way from the repository to the host, and what stands in it
mod limits; // what a switch may lose
mod logins; // the deploy user, root, login shells, and a host that is not ready
mod looking; // plan, status, releases, logs, doctor: they change nothing
pub mod lost_connection; // a connection that goes silent: noticed in time, reported as it is; the host finishes by itself
mod next_lines; // every line that is proposed, typed in the state that proposes it
mod notifying; // what the host does when a switch ended, and that no switch depends on it
mod old_releases; // what is removed, what stays, what is not ours
mod pipeline; // what a job of GitHub Actions gets
mod preparing; // what `prepare` makes, and when it becomes a release
mod reports; // what a switch looked like
pub mod rolling; // several instances behind HAProxy and nginx, one by one
mod same_again; // unchanged, staged, migrated: what was done is not done again
mod sending; // what is sent, and what the host takes from the release before
mod set_up_already; // setup run again: what it shows is what it changes
mod setting_up; // what setup asks before root does anything
mod several_clients; // one proceeds, the others are told or wait
mod several_services; // all or none
mod shared; // what lives across releases
mod sudo; // what sudo lets the deploy user do, and what stands in its way
pub mod terminal; // a person at a real terminal: what is on the screen, what is typed
mod transports;
pub mod trials; // a release runs in a unit of its own first
mod trust; // a pinned host key; the ssh program instead of the built-in ssh
mod watching; // what moves on a terminal, what stays there, and what is colored
