//! One question as a request to zou, and how its answer is understood. What each write rests on was read in zou 1.0.97
//! and is proved against the real one: `tests/it/audit`.

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::tracker::SourceError;
use crate::tracker::probe::Verdict;

/// An id that zou never gives out.
pub(super) const NOTHING: &str = "00000000-0000-4000-8000-000000000000";
/// A value that no field of another type takes.
pub(super) const UNFIT: &str = "stagedoor asks";

/// A request that changes nothing.
#[derive(Clone, Debug, PartialEq)]
pub struct Request {
    pub(super) method: Method,
    pub(super) path: String,
    pub(super) body: Option<Value>,
    sign: Sign,
    /// What else must be allowed, where zou looks at two things and this request finds its fault between them.
    pub(super) then: Option<Box<Request>>,
}

/// How zou's yes is told.
#[derive(Clone, Debug, PartialEq)]
enum Sign {
    /// What is asked for comes.
    Read,
    /// zou finds fault with a value, in words that begin so, which it looks at only for those who may do the rest.
    Fault(&'static [&'static str]),
    /// zou looks for something that does not exist, only for those who may do the rest. What was asked about is here.
    Missing { there: String },
}

/// What zou's answer means.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Meaning {
    Verdict(Verdict),
    /// Allowed, if this can still be read.
    AllowedIf(String),
}

// === impl Request ===

impl Request {
    pub(super) fn get(path: impl Into<String>) -> Self {
        Self { method: Method::GET, path: path.into(), body: None, sign: Sign::Read, then: None }
    }

    /// A change whose last field does not fit: zou looks at the values after it has looked at the person.
    pub(super) fn put(path: impl Into<String>, body: Value, faults: &'static [&'static str]) -> Self {
        Self { method: Method::PUT, path: path.into(), body: Some(body), sign: Sign::Fault(faults), then: None }
    }

    pub(super) fn post(path: impl Into<String>, body: Value, faults: &'static [&'static str]) -> Self {
        Self { method: Method::POST, path: path.into(), body: Some(body), sign: Sign::Fault(faults), then: None }
    }

    /// A request that names something that does not exist, about what is read at `there`.
    pub(super) fn post_missing(path: impl Into<String>, body: Value, there: impl Into<String>) -> Self {
        let sign = Sign::Missing { there: there.into() };
        Self { method: Method::POST, path: path.into(), body: Some(body), sign, then: None }
    }

    #[must_use]
    pub(super) fn then(self, next: Self) -> Self {
        Self { then: Some(Box::new(next)), ..self }
    }

    pub(super) fn is_read(&self) -> bool {
        self.sign == Sign::Read
    }

    /// What this answer to it means.
    pub(super) fn meaning(&self, status: StatusCode, body: &[u8]) -> Result<Meaning, SourceError> {
        let words = words(status, body);
        let inconclusive = || Ok(Meaning::Verdict(Verdict::Inconclusive(words.clone())));
        match (&self.sign, status) {
            (_, StatusCode::UNAUTHORIZED | StatusCode::UNPROCESSABLE_ENTITY) => Err(SourceError::Refused(format!(
                "zou does not accept the person's token ({words}): it has expired or was revoked; {}",
                super::super::client::MEND_PERSON
            ))),
            (_, StatusCode::TOO_MANY_REQUESTS | StatusCode::BAD_GATEWAY | StatusCode::SERVICE_UNAVAILABLE)
            | (_, StatusCode::GATEWAY_TIMEOUT) => {
                Err(SourceError::Unavailable(format!("{}: zou answered {words}", self.path)))
            }
            (_, StatusCode::FORBIDDEN) => Ok(Meaning::Verdict(Verdict::Refused(words))),
            (Sign::Read, status) if status.is_success() => Ok(Meaning::Verdict(Verdict::Allowed)),
            (_, status) if status.is_success() => Err(SourceError::Malformed(format!(
                "{} {}: zou did what it should have found fault with ({words}): look at what it changed; nothing more is asked",
                self.method, self.path
            ))),
            (Sign::Fault(faults), StatusCode::BAD_REQUEST) => {
                let said = message(body).unwrap_or_default();
                match faults.iter().any(|fault| said.starts_with(fault)) {
                    true => Ok(Meaning::Verdict(Verdict::Allowed)),
                    false => inconclusive(),
                }
            }
            (Sign::Missing { there }, StatusCode::NOT_FOUND) => Ok(Meaning::AllowedIf(there.clone())),
            _ => inconclusive(),
        }
    }
}

/// What zou said in words.
fn message(body: &[u8]) -> Option<String> {
    let said: Value = serde_json::from_slice(body).ok()?;
    Some(said.get("message").or_else(|| said.get("error"))?.as_str()?.chars().take(200).collect())
}

/// `403 You don't have the permission`
fn words(status: StatusCode, body: &[u8]) -> String {
    match message(body) {
        Some(said) if said.starts_with(status.as_str()) => said,
        Some(said) => format!("{} {said}", status.as_u16()).trim().to_owned(),
        None => status.as_u16().to_string(),
    }
}

/// The body with one more field.
pub(super) fn and(mut body: Value, name: &str, value: impl Into<Value>) -> Value {
    if let Value::Object(fields) = &mut body {
        fields.insert(name.to_owned(), value.into());
    }
    body
}

/// A body of one field.
pub(super) fn one(name: &str, value: impl Into<Value>) -> Value {
    and(json!({}), name, value)
}
