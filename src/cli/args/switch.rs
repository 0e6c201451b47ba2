//! The arguments of the commands that make another release live, and of `plan`.

use clap::Args as ClapArgs;

use crate::plan::Migration;

/// `plan`
#[derive(ClapArgs, Debug)]
pub struct Plan {
    /// Read every file, including those that were not touched since the last deploy or plan
    #[arg(long)]
    pub checksum: bool,
}

/// `deploy`
#[derive(ClapArgs, Debug)]
pub struct Deploy {
    /// Upload and prepare the release; change nothing live
    #[arg(long)]
    pub stage_only: bool,
    /// Deploy a release that is already on the host
    #[arg(long, value_name = "ID", conflicts_with = "stage_only")]
    pub release: Option<String>,
    /// If another switch is in progress, wait until it ends
    #[arg(long)]
    pub wait: bool,
    /// Switch even if nothing changed
    #[arg(long)]
    pub restart: bool,
    /// Read every file, including those that were not touched since the last deploy or plan
    #[arg(long, conflicts_with = "release")]
    pub checksum: bool,
    /// Stage a new release and run `prepare` in it, even if nothing changed
    #[arg(long, conflicts_with = "release")]
    pub prepare: bool,
    /// Deploy even if the live release fails the health check
    #[arg(long)]
    pub despite_health: bool,
    /// How to continue after an interrupted migration
    #[arg(long, value_enum, default_value_t = Migration::Ask)]
    pub migration: Migration,
}

/// `rollback`
#[derive(ClapArgs, Debug)]
pub struct Rollback {
    /// Release id, its time of day, its commit, or an unambiguous prefix of the id or commit [default: the previous verified release]
    pub release: Option<String>,
    /// If another switch is in progress, wait until it ends
    #[arg(long)]
    pub wait: bool,
}
