//! What the commands print: answers to standard output, complaints to standard error.

use std::fmt::Display;
use std::io::Write as _;
use std::process::ExitCode;

use serde_json::{Value, json};

use crate::proto::v1;

/// Exit code of a command that could not do what it was asked.
pub(super) const FAILED: u8 = 2;

/// Prints a line. Where nobody reads any more, the exit code still tells.
pub(super) fn say(line: impl Display) {
    let _ = writeln!(std::io::stdout().lock(), "{line}");
}

/// Complains and fails.
pub(super) fn fail(error: &dyn Display) -> ExitCode {
    complain(error);
    ExitCode::from(FAILED)
}

/// Complains.
pub(super) fn complain(error: &dyn Display) {
    let _ = writeln!(std::io::stderr().lock(), "{error}");
}

/// The exit code of a decision: 0 allowed, 1 denied.
pub(super) fn exit_code(answer: &v1::CheckResponse) -> ExitCode {
    if allowed(answer) { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// An answer for people.
pub(super) fn answer(answer: &v1::CheckResponse) -> String {
    let reason = answer.reason.clone().unwrap_or_default();
    let rule = if reason.rule.is_empty() { String::new() } else { format!("  [{}]", reason.rule) };
    let freshness = answer.freshness.clone().unwrap_or_default();
    let age = freshness.age.and_then(|age| std::time::Duration::try_from(age).ok()).unwrap_or_default();
    format!(
        "{} {}: {}{rule}\nas of {:.1} s ago, revision {}{}",
        decision(answer),
        code(&reason),
        reason.text,
        age.as_secs_f64(),
        freshness.revision,
        if answer.cached { ", from the cache" } else { "" },
    )
}

/// An answer and why, for people.
pub(super) fn explanation(explanation: &v1::ExplainResponse) -> String {
    let mut text = answer(&explanation.result.clone().unwrap_or_default());
    if !explanation.steps.is_empty() {
        text.push_str("\n\nWhat was tried:");
        explanation.steps.iter().for_each(|step| self::step(step, 1, &mut text));
    }
    if !explanation.would_allow.is_empty() {
        text.push_str("\n\nWhat would allow it:");
        explanation.would_allow.iter().for_each(|grant| text.push_str(&format!("\n  - {grant}")));
    }
    text
}

fn step(step: &v1::Step, depth: usize, text: &mut String) {
    let mark = match step.outcome() {
        v1::step::Outcome::Held => "yes",
        v1::step::Outcome::Failed => "no ",
        v1::step::Outcome::Unknown | v1::step::Outcome::Unspecified => "?  ",
    };
    let name = if step.rule.is_empty() || step.text.is_empty() { "" } else { ": " };
    text.push_str(&format!("\n{}{mark} {}{name}{}", "  ".repeat(depth), step.rule, step.text));
    step.steps.iter().for_each(|below| self::step(below, depth + 1, text));
}

/// An answer for scripts.
pub(super) fn answer_json(answer: &v1::CheckResponse) -> Value {
    let reason = answer.reason.clone().unwrap_or_default();
    let freshness = answer.freshness.clone().unwrap_or_default();
    let age = freshness.age.and_then(|age| std::time::Duration::try_from(age).ok()).unwrap_or_default();
    json!({
        "decision": decision(answer),
        "reason": {"code": code(&reason), "text": reason.text, "rule": reason.rule},
        "freshness": {
            "revision": freshness.revision,
            "as_of": freshness.as_of.map(|time| time.to_string()),
            "age_seconds": age.as_secs_f64(),
            "source_cursor": freshness.source_cursor,
        },
        "cached": answer.cached,
        "call_id": answer.call_id,
    })
}

/// An answer and why, for scripts.
pub(super) fn explanation_json(explanation: &v1::ExplainResponse) -> Value {
    let mut answer = answer_json(&explanation.result.clone().unwrap_or_default());
    if let Value::Object(fields) = &mut answer {
        fields.insert("steps".to_owned(), explanation.steps.iter().map(step_json).collect());
        fields.insert("would_allow".to_owned(), explanation.would_allow.clone().into());
    }
    answer
}

fn step_json(step: &v1::Step) -> Value {
    let outcome = step.outcome().as_str_name().trim_start_matches("OUTCOME_");
    let steps: Vec<Value> = step.steps.iter().map(step_json).collect();
    json!({"rule": step.rule, "text": step.text, "outcome": outcome, "steps": steps})
}

/// Whether this is a yes.
pub(super) fn allowed(answer: &v1::CheckResponse) -> bool {
    answer.decision() == v1::Decision::Allow && answer.error.is_none()
}

/// ALLOW or DENY.
pub(super) fn decision(answer: &v1::CheckResponse) -> &'static str {
    if allowed(answer) { "ALLOW" } else { "DENY" }
}

/// The reason in one word.
pub(super) fn code(reason: &v1::Reason) -> &'static str {
    reason.code().as_str_name().trim_start_matches("REASON_CODE_")
}
