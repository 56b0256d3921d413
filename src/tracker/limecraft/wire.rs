//! The JSON that a connector writes: `limecraft.md` 4.3, typed. Shapes only; what ids mean is checked elsewhere.

use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, Error, IgnoredAny, MapAccess, Visitor};
use serde_json::value::RawValue;

use super::json::Json;
use crate::model::value::Value;

/// A whole studio.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Document {
    pub(super) source: String,
    pub(super) schema: u64,
    pub(super) revision: u64,
    #[serde(default)]
    pub(super) generated_at_ms: Option<u64>,
    #[serde(default)]
    pub(super) rights_catalogue: Vec<String>,
    pub(super) users: Vec<User>,
    pub(super) productions: Vec<Production>,
    pub(super) teams: Vec<Team>,
    #[serde(default)]
    pub(super) eos: Vec<Object>,
    #[serde(default)]
    pub(super) annotations: Vec<Object>,
}

/// What tells whether a document is one of these at all.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Heading {
    pub(super) source: Json,
    pub(super) schema: Json,
}

/// A person.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct User {
    pub(super) id: i64,
    #[serde(default)]
    pub(super) name: Option<String>,
    #[serde(default)]
    pub(super) login: Option<String>,
    #[serde(default)]
    pub(super) email: Option<String>,
    pub(super) active: bool,
}

/// A production with its roles, members and actions.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Production {
    pub(super) id: i64,
    pub(super) name: String,
    #[serde(default)]
    pub(super) account_id: Option<i64>,
    pub(super) status: Status,
    pub(super) roles: Vec<Role>,
    pub(super) members: Vec<Member>,
    #[serde(default)]
    pub(super) actions: Actions,
}

/// Whether a production is at work.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
pub(super) enum Status {
    Active,
    Archived,
}

/// A named set of rights in one production.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Role {
    pub(super) id: i64,
    pub(super) name: String,
    pub(super) rights: Vec<String>,
}

/// A person's place in a production.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Member {
    pub(super) user_id: i64,
    /// Only `ACCEPTED` is a member.
    pub(super) state: String,
    pub(super) role_ids: Vec<i64>,
    #[serde(default)]
    pub(super) extra_rights: Vec<String>,
}

/// Rights for some people in some productions of an account.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Team {
    pub(super) id: i64,
    #[serde(default)]
    pub(super) name: Option<String>,
    #[serde(default)]
    pub(super) account_id: Option<i64>,
    pub(super) user_ids: Vec<i64>,
    pub(super) rights: Vec<String>,
    pub(super) production_ids: Vec<i64>,
}

/// The buttons of a production.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
pub(super) struct Actions {
    pub(super) production_actions: Vec<Action>,
    pub(super) clip_actions: Vec<Action>,
    pub(super) eo_actions: Vec<Action>,
}

/// A button: what of it bears on who sees it.
#[derive(Debug, Default)]
pub(super) struct Action {
    pub(super) id: Option<String>,
    pub(super) label: Option<String>,
    pub(super) required_rights: Value,
    pub(super) filters: Value,
    pub(super) required_roles: Value,
    /// It has an `operator` of its own, which means nothing (`limecraft.md` 2.1).
    pub(super) operator: bool,
}

/// An editorial object or annotation in a snapshot: its attributes beside its id and production.
#[derive(Debug)]
pub(super) struct Object {
    pub(super) id: i64,
    pub(super) production_id: i64,
    pub(super) attributes: Value,
}

/// An event as it is pushed.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Event<'t> {
    pub(super) id: String,
    pub(super) revision: u64,
    #[serde(rename = "type")]
    pub(super) kind: String,
    #[serde(default)]
    pub(super) production_id: Option<i64>,
    #[serde(default)]
    pub(super) user_id: Option<i64>,
    #[serde(default, rename = "account_id")]
    _account_id: Option<i64>,
    #[serde(default, borrow)]
    pub(super) object: Option<&'t RawValue>,
}

/// What of a production can change by itself.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ProductionPatch {
    #[serde(default)]
    pub(super) name: Option<String>,
    #[serde(default)]
    pub(super) status: Option<Status>,
    #[serde(default)]
    pub(super) account_id: Option<i64>,
    #[serde(default)]
    pub(super) actions: Option<Actions>,
}

/// The settings of a production, as far as they bear on anything.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Settings {
    pub(super) actions: Actions,
}

/// An object by its id alone.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Only {
    pub(super) id: i64,
}

/// An editorial object or annotation in an event.
#[derive(Debug)]
pub(super) struct Attributes {
    pub(super) id: i64,
    pub(super) attributes: Value,
}

/// The keys of an action that say who sees it.
const BEARING: [&str; 3] = ["requiredRights", "filters", "requiredRoles"];

// === impl Status ===

impl Status {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Active => "Active",
            Self::Archived => "Archived",
        }
    }
}

// === impl Action ===

impl<'de> Deserialize<'de> for Action {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(ActionVisitor)
    }
}

struct ActionVisitor;

impl<'de> Visitor<'de> for ActionVisitor {
    type Value = Action;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an action: {\"label\": ..., ...}")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Action, A::Error> {
        let mut action = Action::default();
        let mut seen: Vec<String> = Vec::new();
        while let Some(key) = entries.next_key::<String>()? {
            match key.as_str() {
                "id" => action.id = entries.next_value()?,
                "label" => action.label = entries.next_value()?,
                "requiredRights" => action.required_rights = entries.next_value::<Json>()?.0,
                "filters" => action.filters = entries.next_value::<Json>()?.0,
                "requiredRoles" => action.required_roles = entries.next_value::<Json>()?.0,
                other => {
                    if let Some(meant) = BEARING.iter().find(|meant| is_nearly(other, meant)) {
                        // Left out, a rule opens the button.
                        return Err(A::Error::custom(format!("unknown key `{other}`; did you mean `{meant}`?")));
                    }
                    action.operator |= other == "operator";
                    entries.next_value::<IgnoredAny>()?;
                    continue;
                }
            }
            if seen.contains(&key) {
                return Err(A::Error::custom(format!("`{key}` stands twice; keep one of them")));
            }
            seen.push(key);
        }
        Ok(action)
    }
}

/// Whether a key is the other one misspelt.
fn is_nearly(key: &str, meant: &str) -> bool {
    let plain = |text: &str| text.replace(['_', '-', ' '], "").to_ascii_lowercase();
    strsim::osa_distance(&plain(key), &plain(meant)) <= usize::from(meant.len() > 8) + 1
}

// === impl Object ===

impl<'de> Deserialize<'de> for Object {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let (Json(mut attributes), id) = identified(deserializer)?;
        let mut production = None;
        if let Value::Map(entries) = &mut attributes {
            entries.retain(|(key, value)| {
                let named = key == "production_id";
                if named {
                    production = whole(value);
                }
                !named
            });
        }
        let production_id = production.ok_or_else(|| D::Error::custom("it needs a `production_id`: a whole number"))?;
        Ok(Self { id, production_id, attributes })
    }
}

// === impl Attributes ===

impl<'de> Deserialize<'de> for Attributes {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let (Json(attributes), id) = identified(deserializer)?;
        Ok(Self { id, attributes })
    }
}

fn identified<'de, D: Deserializer<'de>>(deserializer: D) -> Result<(Json, i64), D::Error> {
    let json = Json::deserialize(deserializer)?;
    let id = json.0.get("id").and_then(whole);
    let id = id.ok_or_else(|| D::Error::custom("an object with its `id`, a whole number, is needed here"))?;
    Ok((json, id))
}

/// The whole number, as far as a double tells.
fn whole(value: &Value) -> Option<i64> {
    match value {
        Value::Number(number) if number.fract() == 0.0 && number.abs() <= 9_007_199_254_740_992.0 => {
            Some(*number as i64)
        }
        _ => None,
    }
}
