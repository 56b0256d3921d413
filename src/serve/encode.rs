//! Answers as they are written to the wire, without messages in between.
//!
//! Invariant: the bytes are those that `prost` would write of the same message.

#[cfg(test)]
mod tests;

use prost::encoding::{WireType, encode_key, encode_varint, encoded_len_varint, key_len, message};
use prost_types::{Duration, Timestamp};

use super::convert::MAX_TEXT;
use super::error::Refusal;
use super::grpc::CallId;
use super::reply;
use crate::authorizer::{Answer, Freshness, Verdict};
use crate::engine::Said;
use crate::model::decision::Decision;
use crate::proto::v1;

/// One answer: `CheckResponse`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Response<'a> {
    outcome: Outcome<'a>,
    freshness: Option<Fresh<'a>>,
    correlation_id: &'a str,
    call_id: Option<&'a CallId>,
}

#[derive(Clone, Copy, Debug)]
enum Outcome<'a> {
    Decided {
        decision: Decision,
        rule: &'a str,
        text: &'a str,
        cached: bool,
    },
    /// A denial for those who do not look at the error.
    Refused {
        code: i32,
        message: &'a str,
    },
}

/// `Freshness`.
#[derive(Clone, Copy, Debug)]
struct Fresh<'a> {
    revision: u64,
    as_of: Timestamp,
    age: Duration,
    cursor: &'a str,
}

/// One answer, with all that a call of its own carries.
pub(super) fn check(answer: &Answer, correlation_id: &str, call_id: &CallId) -> Vec<u8> {
    let Answer { decision, said, freshness, cached } = answer;
    let response = Response {
        outcome: Outcome::decided(*decision, said, *cached),
        freshness: Some(Fresh::new(freshness)),
        correlation_id,
        call_id: Some(call_id),
    };
    response.alone()
}

/// The id of a refused request, unless it was refused for its length.
fn echoed(correlation_id: &str) -> &str {
    if correlation_id.len() > MAX_TEXT { "" } else { correlation_id }
}

/// A request of a stream that could not be decided.
pub(super) fn refused(refusal: &Refusal, correlation_id: &str, call_id: &CallId) -> Vec<u8> {
    let message = refusal.to_string();
    let outcome = Outcome::Refused { code: i32::from(refusal.code()), message: &message };
    let correlation_id = echoed(correlation_id);
    Response { outcome, freshness: None, correlation_id, call_id: Some(call_id) }.alone()
}

/// The answers of a batch, one after the other: `BatchCheckResponse`.
#[derive(Debug)]
pub(super) struct Batch {
    message: Vec<u8>,
}

impl Batch {
    /// An answer to so many items, each of about as many bytes.
    pub(super) fn with_room_for(items: usize) -> Self {
        /// What an answer takes, about.
        const ANSWER: usize = 128;
        Self { message: Vec::with_capacity((items * ANSWER).min(1 << 20)) }
    }

    /// Answers one item. `spoken`: with its sentence.
    pub(super) fn answer(&mut self, verdict: &Verdict, spoken: bool, correlation_id: &str) {
        let Verdict { decision, said, cached } = verdict;
        let mut outcome = Outcome::decided(*decision, said, *cached);
        if let Outcome::Decided { text, .. } = &mut outcome
            && !spoken
        {
            *text = "";
        }
        self.put(&Response { outcome, freshness: None, correlation_id, call_id: None });
    }

    /// Says of one item why it is not answered.
    pub(super) fn refuse(&mut self, refusal: &Refusal, correlation_id: &str) {
        let message = refusal.to_string();
        let outcome = Outcome::Refused { code: i32::from(refusal.code()), message: &message };
        self.put(&Response { outcome, freshness: None, correlation_id: echoed(correlation_id), call_id: None });
    }

    fn put(&mut self, response: &Response<'_>) {
        open(1, response.len(), &mut self.message);
        response.put(&mut self.message);
    }

    /// Ends the message. `freshness`: where any item was decided.
    pub(super) fn end(mut self, freshness: Option<&Freshness>, call_id: &CallId) -> Vec<u8> {
        if let Some(freshness) = freshness.map(Fresh::new) {
            open(2, freshness.len(), &mut self.message);
            freshness.put(&mut self.message);
        }
        put_text(3, call_id.as_bytes(), &mut self.message);
        self.message
    }
}

impl Response<'_> {
    fn alone(&self) -> Vec<u8> {
        let mut message = Vec::with_capacity(self.len());
        self.put(&mut message);
        message
    }

    fn len(&self) -> usize {
        let call_id = self.call_id.map_or(0, |id| text_len(5, id.as_bytes()));
        let freshness = self.freshness.map_or(0, |freshness| nested_len(3, freshness.len()));
        let shared = freshness + text_len(4, self.correlation_id.as_bytes()) + call_id;
        shared
            + number_len(1, self.outcome.decision())
            + match self.outcome {
                Outcome::Decided { cached, .. } => nested_len(2, self.outcome.len()) + number_len(6, i32::from(cached)),
                Outcome::Refused { .. } => nested_len(7, self.outcome.len()),
            }
    }

    fn put(&self, to: &mut Vec<u8>) {
        put_number(1, self.outcome.decision(), to);
        if let Outcome::Decided { decision, rule, text, .. } = self.outcome {
            open(2, self.outcome.len(), to);
            put_number(1, reply::reason_code(decision.code).into(), to);
            put_text(2, text.as_bytes(), to);
            put_text(3, rule.as_bytes(), to);
        }
        if let Some(freshness) = self.freshness {
            open(3, freshness.len(), to);
            freshness.put(to);
        }
        put_text(4, self.correlation_id.as_bytes(), to);
        if let Some(id) = self.call_id {
            put_text(5, id.as_bytes(), to);
        }
        match self.outcome {
            Outcome::Decided { cached, .. } => put_number(6, i32::from(cached), to),
            Outcome::Refused { code, message } => {
                open(7, self.outcome.len(), to);
                put_number(1, code, to);
                put_text(2, message.as_bytes(), to);
            }
        }
    }
}

impl<'a> Outcome<'a> {
    fn decided(decision: Decision, said: &'a Said, cached: bool) -> Self {
        Self::Decided { decision, rule: &said.rule, text: &said.text, cached }
    }

    fn decision(&self) -> i32 {
        match self {
            Self::Decided { decision, .. } => reply::decision(*decision).into(),
            Self::Refused { .. } => v1::Decision::Deny.into(),
        }
    }

    /// The length of `Reason` or `ItemError`.
    fn len(&self) -> usize {
        match self {
            Self::Decided { decision, rule, text, .. } => {
                let code = number_len(1, reply::reason_code(decision.code).into());
                code + text_len(2, text.as_bytes()) + text_len(3, rule.as_bytes())
            }
            Self::Refused { code, message } => number_len(1, *code) + text_len(2, message.as_bytes()),
        }
    }
}

impl<'a> Fresh<'a> {
    fn new(freshness: &'a Freshness) -> Self {
        let Freshness { revision, as_of, age, cursor } = freshness;
        Self { revision: *revision, as_of: reply::timestamp(*as_of), age: reply::duration(*age), cursor }
    }

    fn len(&self) -> usize {
        let revision = if self.revision == 0 { 0 } else { key_len(1) + encoded_len_varint(self.revision) };
        let times = message::encoded_len(2, &self.as_of) + message::encoded_len(3, &self.age);
        revision + times + text_len(4, self.cursor.as_bytes())
    }

    fn put(&self, to: &mut Vec<u8>) {
        if self.revision != 0 {
            encode_key(1, WireType::Varint, to);
            encode_varint(self.revision, to);
        }
        message::encode(2, &self.as_of, to);
        message::encode(3, &self.age, to);
        put_text(4, self.cursor.as_bytes(), to);
    }
}

// === fields; what is empty or 0 is left out ===

/// Begins a nested message.
fn open(tag: u32, len: usize, to: &mut Vec<u8>) {
    encode_key(tag, WireType::LengthDelimited, to);
    encode_varint(wide(len), to);
}

fn nested_len(tag: u32, len: usize) -> usize {
    key_len(tag) + encoded_len_varint(wide(len)) + len
}

fn put_text(tag: u32, text: &[u8], to: &mut Vec<u8>) {
    if !text.is_empty() {
        open(tag, text.len(), to);
        to.extend_from_slice(text);
    }
}

fn text_len(tag: u32, text: &[u8]) -> usize {
    if text.is_empty() { 0 } else { nested_len(tag, text.len()) }
}

fn put_number(tag: u32, number: i32, to: &mut Vec<u8>) {
    if number != 0 {
        encode_key(tag, WireType::Varint, to);
        encode_varint(i64::from(number).cast_unsigned(), to);
    }
}

fn number_len(tag: u32, number: i32) -> usize {
    if number == 0 { 0 } else { key_len(tag) + encoded_len_varint(i64::from(number).cast_unsigned()) }
}

fn wide(len: usize) -> u64 {
    u64::try_from(len).unwrap_or(u64::MAX)
}
