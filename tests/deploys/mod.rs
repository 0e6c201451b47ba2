//! Deploys, rollbacks and all that is typed around them, with the real program against real hosts. What the
//! promise costs and what cuts and kills do to it is elsewhere.

mod bad_releases; // releases that break in their own way never stay live, and the app never dies of them
pub mod desk; // a person's directory, the program run there, and what it said
