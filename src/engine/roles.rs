//! The roles of a policy and what each may do.

use crate::model::id::Str;

/// A role whose rights stand in the policy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RoleSet {
    pub name: Str,
    pub description: Str,
    /// The slugs of its rights, sorted.
    pub grants: Vec<Str>,
    /// Its rules for types and fields, where the tracker has such: a line for each, sorted.
    pub rules: Vec<Str>,
    pub cloned_from: Option<Str>,
    /// Whether the pack has a role of this name, and whether the overlay has.
    pub of_pack: bool,
    pub of_overlay: bool,
}

/// A right that a role can be given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grantable {
    pub slug: Str,
    /// What the tracker calls it.
    pub title: Str,
    /// Whether it is held in projects; otherwise in the studio as a whole.
    pub of_project: bool,
}

impl RoleSet {
    /// Whether the role has this right.
    pub fn grants(&self, right: &str) -> bool {
        self.grants.binary_search_by(|held| held.as_str().cmp(right)).is_ok()
    }
}

/// A right that a rule asks for.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Right {
    pub(super) slug: Str,
    /// Its bit among the rights that roles can be given; none where those are too many, or it is none of them.
    pub(super) bit: u64,
}

/// A role, and its rights as bits.
#[derive(Debug)]
pub(super) struct RoleBits {
    pub(super) set: RoleSet,
    pub(super) bits: u64,
}

impl Right {
    /// By its place among those that roles can be given.
    pub(super) fn new(slug: &str, at: Option<usize>) -> Self {
        let bit = at.and_then(|at| 1_u64.checked_shl(u32::try_from(at).ok()?)).unwrap_or_default();
        Self { slug: Str::from(slug), bit }
    }
}
