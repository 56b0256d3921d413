//! From an answer to a message, where messages are few: Explain, ListActions, GetServerInfo. The others: `encode`.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::grpc::CallId;
use crate::authorizer::{self, Actions, Answer, Explanation, Freshness, Verdict};
use crate::engine::{Listed, Said, Step, StepOutcome};
use crate::model::decision::{Decision, Reason};
use crate::proto::v1;

/// One answer, with all that a call of its own carries.
pub(super) fn check(answer: &Answer, correlation_id: &str, call_id: &CallId) -> v1::CheckResponse {
    v1::CheckResponse {
        decision: decision(answer.decision).into(),
        reason: Some(reason(answer.decision, &answer.said)),
        freshness: Some(freshness(&answer.freshness)),
        correlation_id: correlation_id.to_owned(),
        call_id: call_id.to_string(),
        cached: answer.cached,
        error: None,
    }
}

/// Which actions there are: those that are allowed, or all.
pub(super) fn actions(actions: Actions, include_denied: bool) -> v1::ListActionsResponse {
    let entry = |(listed, verdict): (Listed, Verdict)| {
        let Listed { action, field, label } = listed;
        v1::list_actions_response::Entry {
            action: Some(v1::Action { name: action.into(), field: field.into(), value: None }),
            decision: decision(verdict.decision).into(),
            reason: Some(reason(verdict.decision, &verdict.said)),
            label,
        }
    };
    let Actions { verdicts, freshness: fresh } = actions;
    let wanted = verdicts.into_iter().filter(|(_, verdict)| include_denied || verdict.decision.allowed());
    v1::ListActionsResponse { actions: wanted.map(entry).collect(), freshness: Some(freshness(&fresh)) }
}

/// The answer and why.
pub(super) fn explain(explanation: Explanation, correlation_id: &str, call_id: &CallId) -> v1::ExplainResponse {
    let Explanation { answer, steps, would_allow } = explanation;
    v1::ExplainResponse {
        result: Some(check(&answer, correlation_id, call_id)),
        steps: steps.into_iter().map(step).collect(),
        would_allow,
    }
}

/// How fresh the mirror was.
pub(super) fn freshness(freshness: &Freshness) -> v1::Freshness {
    v1::Freshness {
        revision: freshness.revision,
        as_of: Some(timestamp(freshness.as_of)),
        age: Some(duration(freshness.age)),
        source_cursor: freshness.cursor.to_string(),
    }
}

/// What `GetServerInfo` says.
pub(super) fn server_info(status: authorizer::Status, limits: v1::server_info::Limits) -> v1::ServerInfo {
    let authorizer::Status { state: _, revision, as_of, age, cursor, counts, policy_digest, tracker, tracker_version } =
        status;
    v1::ServerInfo {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        tracker,
        tracker_version,
        policy_digest,
        freshness: Some(freshness(&Freshness { revision, as_of, age, cursor })),
        limits: Some(limits),
        counts: counts.into_iter().collect(),
    }
}

/// A length of time; one beyond what the wire can say is cut there.
pub(super) fn duration(length: Duration) -> prost_types::Duration {
    prost_types::Duration::try_from(length).unwrap_or(prost_types::Duration { seconds: 315_576_000_000, nanos: 0 })
}

/// A point in time.
pub(super) fn timestamp(time: SystemTime) -> prost_types::Timestamp {
    // A clock before 1970 is told as 1970: older than every bound.
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    let nanos = i32::try_from(since.subsec_nanos()).unwrap_or_default();
    prost_types::Timestamp { seconds: i64::try_from(since.as_secs()).unwrap_or_default(), nanos }
}

/// Yes or no.
pub(super) fn decision(decision: Decision) -> v1::Decision {
    if decision.allowed() { v1::Decision::Allow } else { v1::Decision::Deny }
}

/// Why, for programs.
pub(super) fn reason_code(code: Reason) -> v1::ReasonCode {
    match code {
        Reason::Granted => v1::ReasonCode::Granted,
        Reason::NoGrant => v1::ReasonCode::NoGrant,
        Reason::NotMember => v1::ReasonCode::NotMember,
        Reason::Restricted => v1::ReasonCode::Restricted,
        Reason::SubjectUnknown => v1::ReasonCode::SubjectUnknown,
        Reason::SubjectInactive => v1::ReasonCode::SubjectInactive,
        Reason::ResourceUnknown => v1::ReasonCode::ResourceUnknown,
        Reason::ActionUnknown => v1::ReasonCode::ActionUnknown,
        Reason::Indeterminate => v1::ReasonCode::Indeterminate,
        Reason::Stale => v1::ReasonCode::Stale,
        Reason::Quarantined => v1::ReasonCode::Quarantined,
        Reason::InvalidPolicy => v1::ReasonCode::InvalidPolicy,
    }
}

fn reason(decision: Decision, said: &Said) -> v1::Reason {
    v1::Reason { code: reason_code(decision.code).into(), text: said.text.clone(), rule: said.rule.clone() }
}

fn step(step: Step) -> v1::Step {
    let Step { rule, text, outcome, steps } = step;
    let outcome = match outcome {
        StepOutcome::Held => v1::step::Outcome::Held,
        StepOutcome::Failed => v1::step::Outcome::Failed,
        StepOutcome::Unknown => v1::step::Outcome::Unknown,
    };
    v1::Step { rule, text, outcome: outcome.into(), steps: steps.into_iter().map(self::step).collect() }
}
