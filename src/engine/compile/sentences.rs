//! Makes the fixed sentences of rules: what an answer says of the rule that decided.

use std::sync::Arc;

use crate::engine::policy::{Conjunction, Policy, Restriction, Rule, Test};
use crate::engine::said::{RuleSaid, Said};
use crate::model::decision::Reason;

/// Makes the fixed sentences of every rule.
pub(super) fn say(policy: &mut Policy) {
    for rule in &mut policy.rules {
        rule.said = rule_said(&policy.tracker, rule);
    }
}

pub(in crate::engine) fn rule_said(tracker: &str, rule: &Rule) -> RuleSaid {
    let named = |alternative, text: String| Arc::new(Said { rule: rule.full_name(tracker, alternative), text });
    let of = |code| named(0, Said::of(code).text.clone());
    let grants: Vec<_> = (1_u16..)
        .zip(&rule.alternatives)
        .map(|(source, _)| {
            let ways = rule.any.iter().filter(|conjunction| conjunction.source == source);
            ways.map(|conjunction| words_of(conjunction, rule)).collect::<Vec<_>>().join(", or ")
        })
        // An alternative that contradicts itself takes nothing that could be had.
        .filter(|words| !words.is_empty())
        .collect();
    let needs = match grants.is_empty() {
        true => "nobody may do this".to_owned(),
        false => format!("this takes: {}", grants.join("; or ")),
    };
    let team = rule.atoms.iter().any(|atom| matches!(atom.test, Test::Team));
    let stranger = if team { "not in the project's team" } else { "no role reaches this project" };
    RuleSaid {
        granted: match rule.stepped {
            true => vec![named(0, format!("all that this takes holds: {}", steps_of(rule)))],
            false => {
                rule.any.iter().map(|conjunction| named(conjunction.source, words_of(conjunction, rule))).collect()
            }
        },
        restricted: (1_u16..)
            .zip(&rule.all)
            .map(|(at, restriction)| {
                let ways = ways_of(restriction, rule);
                let besides = if rule.stepped { "this takes" } else { "this needs besides" };
                let needs = || match ways.is_empty() {
                    true => "nobody may do this".to_owned(),
                    false => format!("{besides}: {ways}"),
                };
                let text = restriction.message.as_ref().map_or_else(needs, ToString::to_string);
                Arc::new(Said { rule: rule.restriction_name(tracker, at), text })
            })
            .collect(),
        no_grant: named(0, needs.clone()),
        not_member: named(0, format!("{stranger}; {needs}")),
        indeterminate: of(Reason::Indeterminate),
        quarantined: of(Reason::Quarantined),
        invalid: match &rule.invalid {
            Some(problem) => named(0, format!("the action is malformed and never allowed: {problem}")),
            None => of(Reason::InvalidPolicy),
        },
    }
}

/// What the steps of a rule take, in their order.
fn steps_of(rule: &Rule) -> String {
    rule.all.iter().map(|step| ways_of(step, rule)).collect::<Vec<_>>().join("; ")
}

fn ways_of(restriction: &Restriction, rule: &Rule) -> String {
    let words = || restriction.any.iter().map(|way| words_of(way, rule)).collect::<Vec<_>>().join(", or ");
    restriction.says.as_ref().map_or_else(words, ToString::to_string)
}

/// "in the project's team and Supervisor here and not ..."
fn words_of(conjunction: &Conjunction, rule: &Rule) -> String {
    let mut words = Vec::new();
    for (at, atom) in (0_u32..).zip(&rule.atoms) {
        let bit = 1_u64.checked_shl(at).unwrap_or_default();
        if conjunction.must & bit != 0 {
            words.push(atom.says.to_string());
        }
        if conjunction.must_not & bit != 0 {
            words.push(format!("not {}", atom.says));
        }
    }
    words.join(" and ")
}
