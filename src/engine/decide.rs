//! Decides a case: the alternatives in their order, then what must hold besides.

use smallvec::SmallVec;

use super::condition::Truth;
use super::policy::{Atom, Conjunction, Rule, Test};
use super::resolve::{Case, Place, Target};
use super::walk::Walk;
use crate::directory::View;
use crate::model::change::Dep;
use crate::model::decision::{Decision, Reason, RuleId, RuleRef};
use crate::model::id::ObjectRef;

/// A decision and what it rests on.
#[derive(Clone, Debug)]
pub struct Outcome {
    pub decision: Decision,
    /// Every record, list and membership that was looked at, in any order.
    pub reads: SmallVec<[Dep; 32]>,
    /// Records to be read on first use without which this could not be decided: read them and decide again.
    pub missing: SmallVec<[ObjectRef; 1]>,
    /// Whether the same case will be decided the same until one of `reads` changes.
    pub cacheable: bool,
}

/// Decides. Total: every question gets an answer.
pub fn decide<'v>(view: View<'v>, case: &'v Case<'v>) -> Outcome {
    let mut walk = Walk::new(view, case);
    case.found_by.iter().for_each(|dep| walk.note(*dep));
    if let Target::Object(key) = case.resource {
        // Its handle alone tells its id, and becomes another one's when a record read on first use is dropped.
        walk.note(Dep::Node(key));
    }
    if let RuleId::Declared(key) = case.rule_id {
        walk.note(Dep::Node(key));
    }
    let (code, alternative) = judge(case.rule, &mut Facts::default(), &mut walk);
    let decision = Decision { code, rule: Some(RuleRef { rule: case.rule_id, alternative }) };
    let known = !matches!(code, Reason::Indeterminate | Reason::Quarantined | Reason::InvalidPolicy);
    Outcome {
        decision,
        cacheable: known && !walk.private,
        // What a known answer did not need is not worth waiting for.
        missing: if known { SmallVec::new() } else { walk.missing },
        reads: walk.reads,
    }
}

fn judge<'v>(rule: &'v Rule, facts: &mut Facts, walk: &mut Walk<'v>) -> (Reason, u16) {
    if rule.invalid.is_some() {
        return (Reason::InvalidPolicy, 0);
    }
    let unknown = |walk: &Walk<'_>| match (walk.invalid, walk.quarantined) {
        (true, _) => Reason::InvalidPolicy,
        (false, true) => Reason::Quarantined,
        (false, false) => Reason::Indeterminate,
    };
    let (truth, alternative) = any(&rule.any, rule, facts, walk);
    match truth {
        Truth::Unknown => return (unknown(walk), 0),
        Truth::No => return (no_grant(rule, facts, walk), 0),
        Truth::Yes => {}
    }
    for (at, restriction) in (1_u16..).zip(&rule.all) {
        match any(&restriction.any, rule, facts, walk).0 {
            Truth::Yes => {}
            Truth::No => return (restriction.code, at),
            Truth::Unknown => return (unknown(walk), 0),
        }
    }
    (Reason::Granted, alternative)
}

/// The first conjunction that holds, by number from 1.
fn any<'v>(list: &[Conjunction], rule: &'v Rule, facts: &mut Facts, walk: &mut Walk<'v>) -> (Truth, u16) {
    let mut truth = Truth::No;
    for (at, conjunction) in (1_u16..).zip(list) {
        match facts.conjunction(conjunction, rule, walk) {
            Truth::Yes => return (Truth::Yes, at),
            Truth::Unknown => truth = Truth::Unknown,
            Truth::No => {}
        }
    }
    (truth, 0)
}

/// Not being in the team is the reason where an alternative asks for it and it is known not to hold.
fn no_grant<'v>(rule: &'v Rule, facts: &Facts, walk: &mut Walk<'v>) -> Reason {
    let team = rule.atoms.iter().position(|atom| matches!(atom.test, Test::Team));
    let bit = team.and_then(|at| 1_u64.checked_shl(u32::try_from(at).ok()?)).unwrap_or_default();
    let asked = rule.any.iter().any(|conjunction| conjunction.must & bit != 0);
    let asked = asked && matches!(walk.case.project, Place::Project(_));
    let stranger = match asked {
        true => facts.tried & bit != 0 && facts.yes & bit == 0,
        false => rule.asks_membership(&walk.case.rights.members) && walk.is_member() == Some(Truth::No),
    };
    if stranger { Reason::NotMember } else { Reason::NoGrant }
}

/// The facts of one case, each found out at most once.
#[derive(Debug, Default)]
pub(super) struct Facts {
    tried: u64,
    yes: u64,
    unknown: u64,
}

impl Facts {
    /// No as soon as one atom is against it; unknown where none is, but one is not known.
    pub(super) fn conjunction<'v>(&mut self, conjunction: &Conjunction, rule: &'v Rule, walk: &mut Walk<'v>) -> Truth {
        let mut truth = Truth::Yes;
        for (bits, wanted) in [(conjunction.must, Truth::Yes), (conjunction.must_not, Truth::No)] {
            let mut rest = bits;
            while rest != 0 {
                let at = rest.trailing_zeros();
                rest &= rest - 1;
                match self.fact(at, rule, walk) {
                    Truth::Unknown => truth = Truth::Unknown,
                    fact if fact == wanted => {}
                    _ => return Truth::No,
                }
            }
        }
        truth
    }

    /// The value of an atom by its number in the rule.
    pub(super) fn fact<'v>(&mut self, at: u32, rule: &'v Rule, walk: &mut Walk<'v>) -> Truth {
        let bit = 1_u64.checked_shl(at).unwrap_or_default();
        if self.tried & bit == 0 {
            let truth = rule.atoms.get(at as usize).map_or(Truth::Unknown, |atom| test(atom, walk));
            self.tried |= bit;
            match truth {
                Truth::Yes => self.yes |= bit,
                Truth::Unknown => self.unknown |= bit,
                Truth::No => {}
            }
        }
        match (self.yes & bit != 0, self.unknown & bit != 0) {
            (true, _) => Truth::Yes,
            (_, true) => Truth::Unknown,
            _ => Truth::No,
        }
    }
}

fn test<'v>(atom: &'v Atom, walk: &mut Walk<'v>) -> Truth {
    let is = |held: Option<Option<&str>>, role: &str| match held {
        None => Truth::Unknown,
        Some(held) if held == Some(role) => Truth::Yes,
        Some(_) => Truth::No,
    };
    match &atom.test {
        Test::Team => match walk.in_team() {
            None => Truth::Unknown,
            Some(true) => Truth::Yes,
            Some(false) => Truth::No,
        },
        Test::Role(role) => is(walk.role(walk.case.subject, true), role),
        Test::SiteRole(role) => is(walk.site_role(walk.case.subject), role),
        Test::Condition(condition) => condition.holds(walk),
    }
}
