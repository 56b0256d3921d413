//! The bytes are those that `prost` writes of the same message.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use proptest::collection::vec;
use proptest::prelude::*;
use prost::Message as _;

use super::*;
use crate::model::decision::Reason;

fn some_text() -> impl Strategy<Value = String> {
    prop_oneof![Just(String::new()), ".{0,20}", Just("x".repeat(127)), Just("ü".repeat(9_000))]
}

fn some_verdict() -> impl Strategy<Value = Verdict> {
    (prop::sample::select(&Reason::ALL[..]), some_text(), some_text(), any::<bool>()).prop_map(
        |(code, rule, text, cached)| Verdict {
            decision: Decision { code, rule: None },
            said: Arc::new(Said { rule, text }),
            cached,
        },
    )
}

fn some_freshness() -> impl Strategy<Value = Freshness> {
    let number = || prop_oneof![0..3_u64, any::<u64>()];
    let seconds = || prop_oneof![Just(0), 0..2_000_000_000_u64, 0..(1_u64 << 40)];
    let nanos = || prop_oneof![Just(0), 0..1_000_000_000_u32];
    (number(), seconds(), nanos(), number(), nanos(), some_text()).prop_map(
        |(revision, since, after, age, part, cursor)| Freshness {
            revision,
            as_of: SystemTime::UNIX_EPOCH + Duration::new(since, after),
            age: Duration::new(age, part),
            cursor: cursor.into(),
        },
    )
}

fn some_refusal() -> impl Strategy<Value = Refusal> {
    prop_oneof![
        some_text().prop_map(|problem| Refusal::Field { field: "subject.id", problem }),
        Just(Refusal::Deadline("too late")),
        Just(Refusal::Lost),
    ]
}

/// A refusal as `prost` has it.
fn error(refusal: &Refusal, correlation_id: &str, call_id: &str) -> v1::CheckResponse {
    v1::CheckResponse {
        decision: v1::Decision::Deny.into(),
        error: Some(v1::ItemError { code: i32::from(refusal.code()), message: refusal.to_string() }),
        correlation_id: echoed(correlation_id).to_owned(),
        call_id: call_id.to_owned(),
        ..Default::default()
    }
}

proptest! {
    #[test]
    fn answers(verdict in some_verdict(), freshness in some_freshness(), correlation_id in some_text(), call: u128) {
        let Verdict { decision, said, cached } = verdict;
        let answer = Answer { decision, said, freshness, cached };
        let call_id = CallId::new(call);
        prop_assert_eq!(call_id.to_string(), format!("{call:032x}"));
        let message = reply::check(&answer, &correlation_id, &call_id);
        prop_assert_eq!(check(&answer, &correlation_id, &call_id), message.encode_to_vec());
    }

    #[test]
    fn refusals(refusal in some_refusal(), correlation_id in some_text(), call: u128) {
        let call_id = CallId::new(call);
        let message = error(&refusal, &correlation_id, &call_id.to_string());
        prop_assert_eq!(refused(&refusal, &correlation_id, &call_id), message.encode_to_vec());
    }

    #[test]
    fn batches(
        items in vec((prop_oneof![some_verdict().prop_map(Ok), some_refusal().prop_map(Err)], any::<bool>(), some_text()), 0..5),
        freshness in proptest::option::of(some_freshness()),
        call: u128,
    ) {
        let call_id = CallId::new(call);
        let mut batch = Batch::with_room_for(items.len());
        let mut results = Vec::new();
        for (item, spoken, correlation_id) in &items {
            results.push(match item {
                Ok(verdict) => {
                    batch.answer(verdict, *spoken, correlation_id);
                    let Verdict { decision, said, cached } = verdict.clone();
                    let text = if *spoken { said.text.clone() } else { String::new() };
                    let code = reply::reason_code(decision.code).into();
                    v1::CheckResponse {
                        decision: reply::decision(decision).into(),
                        reason: Some(v1::Reason { code, text, rule: said.rule.clone() }),
                        correlation_id: correlation_id.clone(),
                        cached,
                        ..Default::default()
                    }
                }
                Err(refusal) => {
                    batch.refuse(refusal, correlation_id);
                    error(refusal, correlation_id, "")
                }
            });
        }
        let fresh = freshness.as_ref().map(reply::freshness);
        let message = v1::BatchCheckResponse { results, freshness: fresh, call_id: call_id.to_string() };
        prop_assert_eq!(batch.end(freshness.as_ref(), &call_id), message.encode_to_vec());
    }
}

#[test]
fn an_id_that_was_refused_for_its_length_is_not_repeated() {
    let (long, call_id) = ("x".repeat(MAX_TEXT + 1), CallId::new(1));
    let refused = refused(&Refusal::Lost, &long, &call_id);
    assert_eq!(v1::CheckResponse::decode(&refused[..]).unwrap().correlation_id, "");
    let mut batch = Batch::with_room_for(1);
    batch.refuse(&Refusal::Lost, &long);
    let answer = v1::BatchCheckResponse::decode(&batch.end(None, &call_id)[..]).unwrap();
    assert_eq!(answer.results[0].correlation_id, "");
}
