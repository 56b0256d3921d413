//! Filters: which objects an action is for. JSON or YAML to a `Condition`.
//!
//! Source: the Limecraft reference, "Filters", "Combining filters", "Advanced modifiers", "Advanced rights checking" and
//! "Checking roles". Where it is silent a filter is refused, and one that is refused never matches.

mod keys;
#[cfg(test)]
mod tests;

use super::compile::Scope;
use super::condition::{Condition, How, Matches, RoleName};
use super::path::Path;
use crate::model::id::{Id, Str};
use crate::model::value::Value;

const MAX_DEPTH: usize = 16;
const MAX_BASIC: usize = 256;
const MAX_VALUES: usize = 256;

/// What filters may speak of besides the fields of the objects.
pub(super) struct Words<'a> {
    pub(super) scope: Scope<'a>,
    /// The condition that a right is held; an error where there is no such right.
    pub(super) right: &'a dyn Fn(&str) -> Result<Condition, String>,
    /// The condition that a role is held; an error where there is no such role.
    pub(super) role: &'a dyn Fn(RoleName) -> Result<Condition, String>,
}

/// Compiles `filters` of an action: what each of them asks for. All must match.
///
/// # Errors
/// Where anything in them is malformed: where, and what is wrong.
pub(super) fn compile(filters: &Value, words: &Words<'_>) -> Result<Vec<Condition>, String> {
    let mut compiler = Compiler { words, basic: 0 };
    match filters {
        Value::Null => Ok(Vec::new()),
        Value::List(list) => list
            .iter()
            .enumerate()
            .map(|(at, filter)| compiler.filter(filter, 1).map_err(|problem| format!("filters[{at}]{problem}")))
            .collect(),
        Value::Map(_) => Ok(vec![compiler.filter(filters, 1).map_err(|problem| format!("filters{problem}"))?]),
        other => Err(format!("filters: a list of filters is needed, not {}", what(other))),
    }
}

/// `requiredRoles`, converted to the filter that the reference says it stands for.
pub(super) fn required_roles(roles: &Value, words: &Words<'_>) -> Result<Option<Condition>, String> {
    let text = match roles {
        Value::Null => return Ok(None),
        Value::Text(text) => text,
        other => return Err(format!("requiredRoles: a text is needed, not {}", what(other))),
    };
    let mut roles = Vec::new();
    let mut rest = text.as_str();
    // A name may hold a `|`: only one behind a `]` parts two roles.
    while let Some(at) = rest.find("]|") {
        let (role, more) = rest.split_at(at + 1);
        roles.push(Value::text(role));
        rest = more.strip_prefix('|').unwrap_or_default();
    }
    roles.push(Value::text(rest));
    if roles.len() > MAX_VALUES {
        return Err(format!("requiredRoles: {} roles; at most {MAX_VALUES} are read", roles.len()));
    }
    production_roles(&roles, How::Equal, words).map(Some).map_err(|problem| format!("requiredRoles{problem}"))
}

struct Compiler<'a> {
    words: &'a Words<'a>,
    basic: usize,
}

impl Compiler<'_> {
    fn filter(&mut self, filter: &Value, depth: usize) -> Result<Condition, String> {
        if depth > MAX_DEPTH {
            return Err(format!(": nested deeper than {MAX_DEPTH} levels"));
        }
        let Value::Map(entries) = filter else { return Err(format!(": a filter is an object, not {}", what(filter))) };
        if entries.iter().any(|(name, _)| name == "filters") {
            return self.combined(filter, entries, depth);
        }
        if entries.iter().any(|(name, _)| name == "key") {
            return self.basic(filter, entries);
        }
        Err(": a filter has a `key` (and `values`), or `filters`".to_owned())
    }

    fn combined(&mut self, filter: &Value, entries: &[(Str, Value)], depth: usize) -> Result<Condition, String> {
        only(entries, &["operator", "filters"])?;
        let any = match filter.get("operator") {
            None => false,
            Some(Value::Text(word)) if word == "AND" => false,
            Some(Value::Text(word)) if word == "OR" => true,
            Some(other) => return Err(format!(".operator: `AND` or `OR` is needed, not {}", what(other))),
        };
        let Some(Value::List(list)) = filter.get("filters") else {
            return Err(".filters: a list of filters is needed".to_owned());
        };
        let compiled = list
            .iter()
            .enumerate()
            .map(|(at, inner)| self.filter(inner, depth + 1).map_err(|problem| format!(".filters[{at}]{problem}")));
        let compiled = compiled.collect::<Result<_, _>>()?;
        Ok(if any { Condition::Any(compiled) } else { Condition::All(compiled) })
    }

    fn basic(&mut self, filter: &Value, entries: &[(Str, Value)]) -> Result<Condition, String> {
        self.basic += 1;
        if self.basic > MAX_BASIC {
            return Err(format!(": more than {MAX_BASIC} filters in one action"));
        }
        only(entries, &["key", "values", "modifiers"])?;
        let key = match filter.get("key") {
            Some(Value::Text(key)) if !key.is_empty() => key,
            _ => return Err(".key: a name is needed, like `eo.title`".to_owned()),
        };
        let values = match filter.get("values") {
            Some(Value::List(values)) if !values.is_empty() => values,
            _ => return Err(".values: a list with at least one value is needed".to_owned()),
        };
        if values.len() > MAX_VALUES {
            return Err(format!(".values: {} values; at most {MAX_VALUES} are read", values.len()));
        }
        if let Some(bad) = values.iter().find(|value| matches!(value, Value::List(_) | Value::Map(_))) {
            return Err(format!(".values: {} cannot be compared with", what(bad)));
        }
        let (how, negated) = modifiers(filter.get("modifiers"))?;
        let condition = self.test(key, values, how)?;
        Ok(if negated { Condition::Not(Box::new(condition)) } else { condition })
    }

    fn test(&self, key: &str, values: &[Value], how: How) -> Result<Condition, String> {
        if key == "productionRoles" {
            return production_roles(values, how, self.words);
        }
        if let Some(right) = key.strip_prefix("userRights.") {
            return self.user_right(right, values, how);
        }
        let path = keys::path(key, &self.words.scope).map_err(|problem| format!(".key: {problem}"))?;
        Ok(Condition::Matches(Box::new(Matches { path, values: values.to_vec(), how })))
    }

    /// "a map from the right to either true or false": which of the two the values name decides.
    fn user_right(&self, right: &str, values: &[Value], how: How) -> Result<Condition, String> {
        if how != How::Equal {
            return Err(".modifiers: a right is true or false, no array".to_owned());
        }
        let held = (self.words.right)(right).map_err(|problem| format!(".key: {problem}"))?;
        let lacked = Condition::Not(Box::new(held.clone()));
        let named = |wanted| values.contains(&Value::Bool(wanted));
        Ok(match (named(true), named(false)) {
            (true, true) => Condition::Any(vec![held, lacked]),
            (true, false) => held,
            (false, true) => lacked,
            (false, false) => Condition::All(vec![held, lacked]),
        })
    }
}

fn modifiers(modifiers: Option<&Value>) -> Result<(How, bool), String> {
    let list = match modifiers {
        None => return Ok((How::Equal, false)),
        Some(Value::List(list)) => list,
        Some(other) => return Err(format!(".modifiers: a list is needed, not {}", what(other))),
    };
    let (mut how, mut negated) = (How::Equal, false);
    for modifier in list {
        let array = |how: How, new: How| match how {
            How::Equal => Ok(new),
            _ => Err(".modifiers: one of the array modifiers, not two".to_owned()),
        };
        match modifier.as_text() {
            Some("NOT") if negated => return Err(".modifiers: `NOT` stands twice".to_owned()),
            Some("NOT") => negated = true,
            Some("ARRAY_CONTAINS_ALL") => how = array(how, How::ContainsAll)?,
            Some("ARRAY_CONTAINS_ANY") => how = array(how, How::ContainsAny)?,
            _ => {
                let known = "`NOT`, `ARRAY_CONTAINS_ALL` and `ARRAY_CONTAINS_ANY`";
                return Err(format!(".modifiers: there are {known}, not {}", what(modifier)));
            }
        }
    }
    Ok((how, negated))
}

fn production_roles(values: &[Value], how: How, words: &Words<'_>) -> Result<Condition, String> {
    let role = |value: &Value| {
        let role = value
            .as_text()
            .and_then(role_name)
            .ok_or_else(|| format!(": a role is `name[...]` or `id[...]` with a number, not {}", what(value)))?;
        (words.role)(role).map_err(|problem| format!(": {problem}"))
    };
    let roles = values.iter().map(role).collect::<Result<Vec<_>, _>>()?;
    Ok(if how == How::ContainsAll { Condition::All(roles) } else { Condition::Any(roles) })
}

fn role_name(text: &str) -> Option<RoleName> {
    let inside = |word: &str| text.strip_prefix(word)?.strip_suffix(']');
    if let Some(name) = inside("name[") {
        return Some(RoleName::Name(Str::from(name)));
    }
    let id = inside("id[")?;
    let number = id.parse::<i64>().is_ok_and(|number| number.to_string() == id);
    number.then(|| RoleName::Id(Id::from(id)))
}

fn only(entries: &[(Str, Value)], known: &[&str]) -> Result<(), String> {
    match entries.iter().find(|(name, _)| !known.contains(&name.as_str())) {
        None => Ok(()),
        Some((name, _)) => Err(format!(": `{name}` does not belong in this filter; it has `{}`", known.join("`, `"))),
    }
}

/// The path that a key of a filter names.
pub(super) fn key(key: &str, scope: &Scope<'_>) -> Result<Path, String> {
    keys::path(key, scope)
}

/// A value in a word, for complaints.
pub(super) fn what(value: &Value) -> String {
    match value {
        Value::Null => "null".to_owned(),
        Value::Bool(value) => value.to_string(),
        Value::Number(value) => value.to_string(),
        Value::Text(text) => format!("`{}`", text.chars().take(60).collect::<String>()),
        Value::List(_) => "a list".to_owned(),
        Value::Map(_) => "an object".to_owned(),
    }
}
