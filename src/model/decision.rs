//! What was decided, and by which rule.

use super::id::Key;

/// The answer to a query. Small and `Copy`: texts are looked up in the policy when they are wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Decision {
    pub code: Reason,
    /// The rule that decided; `None` where none was reached.
    pub rule: Option<RuleRef>,
}

/// A rule and, in it, the alternative that held or the restriction that failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct RuleRef {
    pub rule: RuleId,
    /// The alternative as it stands in the policy, from 1; 0: none.
    pub alternative: u16,
}

/// A rule, by what declares it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RuleId {
    /// The rule with this number in the policy.
    Policy(u32),
    /// The record of the mirror that declares an action.
    Declared(Key),
}

/// Why. A closed list: metrics, logs and clients group by it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Reason {
    /// A rule allowed it. The only reason that allows.
    Granted,
    /// No rule allowed it.
    NoGrant,
    /// Not in the project, and every rule needs that.
    NotMember,
    /// A restriction forbade it.
    Restricted,
    SubjectUnknown,
    SubjectInactive,
    ResourceUnknown,
    /// The policy has no such action for this kind.
    ActionUnknown,
    /// A needed fact is not known.
    Indeterminate,
    /// Older than the bound in force.
    Stale,
    /// The tracker's record could not be understood.
    Quarantined,
    /// The rule itself is malformed: never allows.
    InvalidPolicy,
}

impl Decision {
    /// A denial that no rule was reached for.
    pub fn deny(code: Reason) -> Self {
        Self { code, rule: None }
    }

    /// Whether the answer is yes.
    pub fn allowed(&self) -> bool {
        self.code == Reason::Granted
    }
}

impl Reason {
    /// All reasons, in the order of the API's numbers (the first has number 1).
    pub const ALL: [Self; 12] = [
        Self::Granted,
        Self::NoGrant,
        Self::NotMember,
        Self::Restricted,
        Self::SubjectUnknown,
        Self::SubjectInactive,
        Self::ResourceUnknown,
        Self::ActionUnknown,
        Self::Indeterminate,
        Self::Stale,
        Self::Quarantined,
        Self::InvalidPolicy,
    ];

    /// The name as the API, the case files and the logs write it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Granted => "GRANTED",
            Self::NoGrant => "NO_GRANT",
            Self::NotMember => "NOT_MEMBER",
            Self::Restricted => "RESTRICTED",
            Self::SubjectUnknown => "SUBJECT_UNKNOWN",
            Self::SubjectInactive => "SUBJECT_INACTIVE",
            Self::ResourceUnknown => "RESOURCE_UNKNOWN",
            Self::ActionUnknown => "ACTION_UNKNOWN",
            Self::Indeterminate => "INDETERMINATE",
            Self::Stale => "STALE",
            Self::Quarantined => "QUARANTINED",
            Self::InvalidPolicy => "INVALID_POLICY",
        }
    }
}
