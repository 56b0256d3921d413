//! What a tracker tells of its roles, for a look at whether the policy says the same.

use crate::model::id::Str;

/// A role as it stands at the tracker.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ToldRole {
    pub id: Str,
    pub name: Str,
    /// Where it applies, as the tracker has it; empty where it does not say.
    pub kind: Str,
}

/// What the tracker says that somebody may do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ToldPerson {
    /// What people call him.
    pub name: String,
    /// The ids of the roles that he holds.
    pub roles: Vec<Str>,
    /// What he may do, in the tracker's own words.
    pub permissions: Vec<Str>,
}

/// Everything that a tracker tells of roles.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Told {
    pub roles: Vec<ToldRole>,
    pub people: Vec<ToldPerson>,
    /// What it was asked and did not tell, and why.
    pub silent: Vec<String>,
}
