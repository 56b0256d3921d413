//! Why a decision came out so: the walk of `decide` once more, with every alternative and every atom looked at.

use super::condition::{Condition, Truth};
use super::decide::{Facts, Outcome, decide};
use super::policy::{Conjunction, Policy, Rule, Test};
use super::resolve::Case;
use super::walk::Walk;
use crate::directory::View;
use crate::model::decision::RuleRef;

/// A decision with its reasons.
#[derive(Clone, Debug)]
pub struct Explained {
    pub outcome: Outcome,
    pub steps: Vec<Step>,
    /// The nearest grants: what would have to be given for the answer to be yes.
    pub would_allow: Vec<String>,
}

/// A rule, an alternative or an atom, and how it came out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    pub rule: String,
    pub text: String,
    pub outcome: StepOutcome,
    pub steps: Vec<Step>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StepOutcome {
    Held,
    Failed,
    Unknown,
}

/// Decides and says why.
pub fn explain<'v>(policy: &'v Policy, view: View<'v>, case: &'v Case<'v>) -> Explained {
    let outcome = decide(view, case);
    let rule = case.rule;
    if let Some(problem) = &rule.invalid {
        let name = policy.rule_name(RuleRef { rule: case.rule_id, alternative: 0 });
        let step = Step { rule: name, text: problem.clone(), outcome: StepOutcome::Failed, steps: Vec::new() };
        return Explained { outcome, steps: vec![step], would_allow: Vec::new() };
    }
    let mut walk = Walk::new(view, case);
    let mut facts = Facts::default();
    let mut steps = Vec::new();
    for (source, text) in (1_u16..).zip(&rule.alternatives) {
        let ways: Vec<_> = rule.any.iter().filter(|way| way.source == source).collect();
        let name = policy.rule_name(RuleRef { rule: case.rule_id, alternative: source });
        steps.push(alternative(name, text, &ways, policy, rule, &mut facts, &mut walk));
    }
    let held = rule.stepped || steps.iter().any(|step| step.outcome == StepOutcome::Held);
    for (at, restriction) in (1_u16..).zip(&rule.all) {
        let ways: Vec<_> = restriction.any.iter().collect();
        let name = rule.restriction_name(&policy.tracker, at);
        let text = if rule.stepped { "must hold" } else { "must hold besides" };
        steps.push(alternative(name, text, &ways, policy, rule, &mut facts, &mut walk));
    }
    let would_allow = match (outcome.decision.allowed(), held) {
        (true, _) => Vec::new(),
        (false, true) => {
            let ways = rule.all.iter().flat_map(|restriction| &restriction.any);
            nearest(ways, policy, rule, &mut facts, &mut walk)
        }
        (false, false) => nearest(rule.any.iter(), policy, rule, &mut facts, &mut walk),
    };
    let mut outcome = outcome;
    outcome.missing.extend(walk.missing);
    Explained { outcome, steps, would_allow }
}

fn alternative<'v>(
    name: String,
    text: &str,
    ways: &[&Conjunction],
    policy: &Policy,
    rule: &'v Rule,
    facts: &mut Facts,
    walk: &mut Walk<'v>,
) -> Step {
    let mut outcome = Truth::No;
    let (mut wanted, mut unwanted) = (0_u64, 0_u64);
    for way in ways {
        match facts.conjunction(way, rule, walk) {
            Truth::Yes => outcome = Truth::Yes,
            Truth::Unknown if outcome == Truth::No => outcome = Truth::Unknown,
            _ => {}
        }
        wanted |= way.must;
        unwanted |= way.must_not;
    }
    let mut steps = Vec::new();
    for (at, atom) in (0_u32..).zip(&rule.atoms) {
        let bit = 1_u64.checked_shl(at).unwrap_or_default();
        if wanted & bit != 0 {
            let truth = facts.fact(at, rule, walk);
            let by_role = match &atom.test {
                Test::Condition(Condition::Permission(operation)) => walk.rule_in_words(*operation),
                _ => None,
            };
            let text = match (truth, &atom.no) {
                (Truth::Yes, _) => atom.says.to_string(),
                (Truth::No, Some(no)) => no.fill(policy, walk),
                (Truth::No, None) => format!("not {}", atom.says),
                (Truth::Unknown, _) => format!("not known: {}", atom.says),
            };
            let text = by_role.map_or(text.clone(), |rule| format!("{text} ({rule})"));
            steps.push(Step { rule: atom.name.to_string(), text, outcome: truth.into(), steps: Vec::new() });
        }
        if unwanted & bit != 0 {
            let truth = !facts.fact(at, rule, walk);
            let text = match truth {
                Truth::Yes => format!("not {}", atom.says),
                Truth::No => atom.says.to_string(),
                Truth::Unknown => format!("not known: {}", atom.says),
            };
            steps.push(Step { rule: format!("!{}", atom.name), text, outcome: truth.into(), steps: Vec::new() });
        }
    }
    Step { rule: name, text: text.to_owned(), outcome: outcome.into(), steps }
}

/// Of the ways that could hold, those that need the fewest grants; at most five.
fn nearest<'v>(
    ways: impl Iterator<Item = &'v Conjunction>,
    policy: &Policy,
    rule: &'v Rule,
    facts: &mut Facts,
    walk: &mut Walk<'v>,
) -> Vec<String> {
    let mut found: Vec<(usize, String)> = Vec::new();
    for way in ways {
        if let Some(grants) = grants(way, policy, rule, facts, walk).filter(|grants| !grants.is_empty()) {
            let text = grants.join(" and ");
            if !found.iter().any(|(_, known)| *known == text) {
                found.push((grants.len(), text));
            }
        }
    }
    let fewest = found.iter().map(|(count, _)| *count).min().unwrap_or_default();
    found.retain(|(count, _)| *count == fewest);
    found.into_iter().map(|(_, text)| text).take(5).collect()
}

/// What would have to be granted for this conjunction; `None` where something stands against it that no grant mends.
fn grants<'v>(
    way: &Conjunction,
    policy: &Policy,
    rule: &'v Rule,
    facts: &mut Facts,
    walk: &mut Walk<'v>,
) -> Option<Vec<String>> {
    let mut grants = Vec::new();
    for (at, atom) in (0_u32..).zip(&rule.atoms) {
        let bit = 1_u64.checked_shl(at).unwrap_or_default();
        let truth = facts.fact(at, rule, walk);
        if way.must & bit != 0 && truth != Truth::Yes {
            grants.push(atom.grant.as_ref()?.fill_all(policy, walk)?);
        }
        if way.must_not & bit != 0 && truth != Truth::No {
            return None;
        }
    }
    Some(grants)
}

impl From<Truth> for StepOutcome {
    fn from(truth: Truth) -> Self {
        match truth {
            Truth::Yes => Self::Held,
            Truth::No => Self::Failed,
            Truth::Unknown => Self::Unknown,
        }
    }
}
