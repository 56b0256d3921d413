//! Reads what Flow answers: rows, and errors in its own words.

use std::fmt;

use reqwest::StatusCode;
use serde_json::{Map, Value as Json};

use super::client::Failure;
use crate::model::id::Str;
use crate::tracker::http;

/// How much of the site's own words is repeated, and of how many of its errors.
const SAID: usize = 300;
const ERRORS: usize = 3;
const MEND_URL: &str = "is tracker.flow.url the address of the Flow site?";

/// A row of Flow: its scalars and links under one roof. What stands in a row's place and names none has an empty type and
/// the id 0, which no row has.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Row {
    /// Flow's own name of the type.
    pub(super) kind: Str,
    pub(super) id: u64,
    values: Map<String, Json>,
}

/// What the site says is wrong.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Told {
    /// Flow's own number of the first error.
    pub(super) code: Option<i64>,
    said: String,
}

/// A body as JSON; a status that is no success as what is wrong.
pub(super) fn json(what: &str, status: StatusCode, body: &[u8]) -> Result<Json, Failure> {
    let parsed = serde_json::from_slice::<Json>(body);
    if status.is_success() {
        return parsed.map_err(|error| match http::is_page(body) {
            true => Failure::Malformed(format!("{what}: a web page came, no answer of Flow's API; {MEND_URL}")),
            false => Failure::Malformed(format!("{what}: the answer is not JSON: {error}")),
        });
    }
    let told = parsed.as_ref().map(told).unwrap_or_default();
    let code = status.as_u16();
    Err(match (status, told.code) {
        (StatusCode::UNAUTHORIZED, _) => {
            Failure::Token(format!("{what}: Flow does not let the script in ({code}{told})"))
        }
        (StatusCode::NOT_FOUND, Some(_)) => Failure::NotFound(format!("{what}: Flow has no such thing ({code}{told})")),
        (StatusCode::FORBIDDEN, _) | (StatusCode::BAD_REQUEST, Some(102 | 104)) => {
            Failure::Refused(format!("{what}: Flow refuses this ({code}{told})"))
        }
        (StatusCode::BAD_REQUEST, Some(_)) => {
            Failure::Invalid(format!("{what}: Flow does not accept the question ({code}{told})"))
        }
        (StatusCode::BAD_GATEWAY | StatusCode::SERVICE_UNAVAILABLE | StatusCode::GATEWAY_TIMEOUT, _) => {
            Failure::Unavailable(format!("{what}: Flow answered {code}{told}"))
        }
        _ if http::is_later(status) => Failure::Failed(format!("{what}: Flow answered {code}{told}")),
        _ => Failure::Malformed(format!("{what}: Flow answered {code}{told}; {MEND_URL}")),
    })
}

/// What an error's body says.
pub(super) fn told(body: &Json) -> Told {
    let errors = body.get("errors").and_then(Json::as_array).map(Vec::as_slice).unwrap_or_default();
    let code = errors.first().and_then(|error| number(error.get("code")?));
    let texts = errors.iter().take(ERRORS).map(|error| {
        let text = |name| error.get(name).and_then(Json::as_str).unwrap_or_default();
        let code = error.get("code").and_then(number).map(|code| format!("code {code}")).unwrap_or_default();
        let parts = [code.as_str(), text("title"), text("detail")];
        parts.iter().filter(|part| !part.is_empty()).copied().collect::<Vec<_>>().join(": ")
    });
    let said = texts.collect::<Vec<_>>().join("; ");
    Told { code, said: said.chars().filter(|character| !character.is_control()).take(SAID).collect() }
}

/// The rows of a page.
pub(super) fn rows(what: &str, answer: Json) -> Result<Vec<Row>, Failure> {
    let shape = |wrong: &str| Failure::Malformed(format!("{what}: the answer {wrong}; {MEND_URL}"));
    let Json::Object(mut answer) = answer else { return Err(shape("is no object")) };
    let Some(Json::Array(rows)) = answer.remove("data") else { return Err(shape("has no list `data`")) };
    Ok(rows.into_iter().map(|row| Row::read(row).unwrap_or_default()).collect())
}

/// A number that may be written as a text.
fn number(value: &Json) -> Option<i64> {
    value.as_i64().or_else(|| value.as_str()?.parse().ok())
}

// === impl Row ===

impl Row {
    fn read(row: Json) -> Option<Self> {
        let Json::Object(mut row) = row else { return None };
        let kind = Str::from(row.get("type")?.as_str().filter(|kind| !kind.is_empty())?);
        let id = row.get("id")?.as_u64().filter(|id| *id > 0)?;
        let mut values = match row.remove("attributes") {
            Some(Json::Object(attributes)) => attributes,
            _ => Map::new(),
        };
        if let Some(Json::Object(relationships)) = row.remove("relationships") {
            for (name, relationship) in relationships {
                if let Json::Object(mut relationship) = relationship
                    && let Some(data) = relationship.remove("data")
                {
                    values.insert(name, data);
                }
            }
        }
        Some(Self { kind, id, values })
    }

    /// A field as it came: a scalar, a link `{"id", "name", "type"}` or a list of links. `None`: it was not told.
    pub(super) fn value(&self, field: &str) -> Option<&Json> {
        self.values.get(field)
    }

    /// The text of a field, where it has one.
    pub(super) fn text(&self, field: &str) -> Option<&str> {
        self.value(field)?.as_str().filter(|text| !text.is_empty())
    }

    /// Where a link of one leads: type and id.
    pub(super) fn link(&self, field: &str) -> Option<(&str, u64)> {
        link(self.value(field)?)
    }
}

/// Where a link leads: type and id.
pub(super) fn link(value: &Json) -> Option<(&str, u64)> {
    Some((value.get("type")?.as_str()?, number(value.get("id")?)?.try_into().ok()?))
}

impl fmt::Display for Told {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.said.as_str() {
            "" => Ok(()),
            said => write!(f, ", {said}"),
        }
    }
}
