//! What the host keeps beside a release, as observe.sh printed it. What it means is for the plan.

use std::collections::BTreeMap;

/// What the host keeps beside a release.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Meta {
    /// The digest of the tree as it was sent.
    pub digest: String,
    /// The state of its migration, if it ever began.
    pub migration: Option<String>,
    /// Where the backup is that was made before its migration, as the backup's unit printed it. Raw.
    pub backup: Option<String>,
    /// Facts that the client recorded (git revision, who, from where).
    pub info: BTreeMap<String, String>,
}
