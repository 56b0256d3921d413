//! One question as a request to Flow, and how its answer is understood.
//!
//! A write is the first of a batch whose second updates a row that does not exist. A batch is done as a whole or not at
//! all, and Flow looks at the first before the second: what it says is about the first where that is refused.

use std::sync::Arc;

use reqwest::StatusCode;
use serde_json::{Value as Json, json};

use crate::tracker::SourceError;
use crate::tracker::probe::Verdict;

/// The id of no row.
const NEVER: u64 = 999_999_999;
/// What no status is called.
pub(super) const UNFIT: &str = "stagedoor asks";
/// How much of the site's own words is repeated.
const SAID: usize = 300;

/// A request that changes nothing.
#[derive(Clone, Debug, PartialEq)]
pub enum Request {
    /// A row, or a field of it; `fields`: all of it that is looked at.
    Read { kind: String, id: u64, fields: Arc<[String]>, field: Option<String> },
    /// What a batch that comes to nothing begins with.
    Write { kind: String, first: Json, second: Json, what: Write },
    /// The site has said it already, in its schema as it shows it to the person.
    Fixed,
}

/// What a write would do.
#[derive(Clone, Debug, PartialEq)]
pub enum Write {
    Create,
    Update { id: u64, field: String, value: Json },
    Delete { id: u64 },
}

// === impl Request ===

impl Request {
    /// Making a row whose status there is not. `named_by`: a field of the type.
    pub(super) fn create(kind: &str, data: Json, named_by: &str) -> Self {
        let first = json!({"request_type": "create", "entity": kind, "data": data});
        Self::write(kind, first, named_by, Write::Create)
    }

    pub(super) fn update(kind: &str, id: u64, field: &str, value: &Json, named_by: &str) -> Self {
        let first = json!({"request_type": "update", "entity": kind, "record_id": id, "data": {field: value}});
        Self::write(kind, first, named_by, Write::Update { id, field: field.to_owned(), value: value.clone() })
    }

    pub(super) fn delete(kind: &str, id: u64, named_by: &str) -> Self {
        let first = json!({"request_type": "delete", "entity": kind, "record_id": id});
        Self::write(kind, first, named_by, Write::Delete { id })
    }

    fn write(kind: &str, first: Json, named_by: &str, what: Write) -> Self {
        let second = json!({"request_type": "update", "entity": kind, "record_id": NEVER, "data": {named_by: UNFIT}});
        Self::Write { kind: kind.to_owned(), first, second, what }
    }
}

/// What the site says to a batch that comes to nothing.
pub(super) fn meaning(what: &Write, status: StatusCode, body: &Json) -> Result<Verdict, SourceError> {
    let said = words(status, body);
    let has = |part: &str| said.contains(part);
    if status.is_success() {
        return Err(SourceError::Malformed(format!(
            "entity/_batch: Flow did what could not be done ({said}): look at what it changed; nothing more is asked"
        )));
    }
    later(status, &said)?;
    Ok(match status {
        StatusCode::NOT_FOUND if has(&NEVER.to_string()) => Verdict::Allowed,
        // The first row, which the script sees.
        StatusCode::NOT_FOUND if has("does not exist") => Verdict::Refused(said),
        StatusCode::BAD_REQUEST if has("for this user") || has("by this user") => Verdict::Refused(said),
        // The person does not see the field.
        StatusCode::BAD_REQUEST if has("doesn't exist") && *what != Write::Create => Verdict::Refused(said),
        StatusCode::BAD_REQUEST if *what == Write::Create && has("Invalid field value") => Verdict::Allowed,
        _ => Verdict::Inconclusive(said),
    })
}

/// Whether it makes sense to go on after this answer.
pub(super) fn later(status: StatusCode, said: &str) -> Result<(), SourceError> {
    match status {
        StatusCode::UNAUTHORIZED => {
            Err(SourceError::Refused(format!("Flow does not let the person in any more ({said})")))
        }
        StatusCode::TOO_MANY_REQUESTS
        | StatusCode::BAD_GATEWAY
        | StatusCode::SERVICE_UNAVAILABLE
        | StatusCode::GATEWAY_TIMEOUT => Err(SourceError::Unavailable(format!("Flow answered {said}"))),
        _ => Ok(()),
    }
}

/// `400 The field is not editable for this user: [Task.content].`
pub(super) fn words(status: StatusCode, body: &Json) -> String {
    let errors = body.get("errors").and_then(Json::as_array).map(Vec::as_slice).unwrap_or_default();
    let mut parts: Vec<&str> = Vec::new();
    for error in errors.iter().take(2) {
        let texts = ["title", "detail"].map(|name| error.get(name).and_then(Json::as_str).unwrap_or_default());
        for text in texts.into_iter().filter(|text| !text.is_empty()) {
            if !parts.contains(&text) {
                parts.push(text);
            }
        }
    }
    let said = parts.join(": ");
    let said = said.chars().filter(|character| !character.is_control()).take(SAID).collect::<String>();
    format!("{} {said}", status.as_u16()).trim().to_owned()
}
