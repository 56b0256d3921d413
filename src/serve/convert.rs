//! From the wire to a query, or to what is wrong with the request: the field, and the limit where there is one.

#[cfg(test)]
mod tests;

use std::borrow::Cow;
use std::time::Duration;

use prost_types::value::Kind;
use prost_types::{Struct, Value as WireValue};

use super::error::Refusal;
use crate::model::id::{Id, Str};
use crate::model::query::{Consistency, Query, Subject};
use crate::model::value::Value;
use crate::proto::{v1, view};

/// The longest id, name or other text of a request, in bytes.
pub const MAX_TEXT: usize = 1_024;
/// The deepest nesting of `context`, `resource.properties` and `action.value`.
pub const MAX_DEPTH: usize = 16;
/// The most values within one of them, all levels together.
pub const MAX_VALUES: usize = 4_096;

/// What the items of a batch share, read once.
#[derive(Debug)]
pub struct Defaults<'a> {
    subject: Option<Subject<'a>>,
    action: Option<Action<'a>>,
    resource: Option<Resource<'a>>,
    context: Option<Value>,
    consistency: Option<Consistency>,
}

#[derive(Debug)]
struct Action<'a> {
    name: &'a str,
    field: &'a str,
    value: Option<Cow<'a, Value>>,
}

#[derive(Debug)]
struct Resource<'a> {
    kind: &'a str,
    id: Id,
    project: Option<Id>,
    properties: Option<Cow<'a, Value>>,
    complete: bool,
}

/// The question of a request that stands alone.
///
/// # Errors
/// Where a field is missing, malformed or over a limit.
pub fn query<'a>(request: &view::CheckRequest<'a>) -> Result<Query<'a>, Refusal> {
    read(request, None)
}

/// The question of a request for a list: its action is left open.
///
/// # Errors
/// Where a field is missing, malformed or over a limit.
pub fn list<'a>(request: &view::ListActionsRequest<'a>) -> Result<Query<'a>, Refusal> {
    let view::ListActionsRequest { subject, resource, context, include_denied: _ } = request;
    let subject = read_subject(subject.as_ref().ok_or_else(|| missing("subject"))?)?;
    let Resource { kind, id, project, properties, complete } =
        read_resource(resource.as_ref().ok_or_else(|| missing("resource"))?)?;
    let context = context.as_ref().map(|fields| read_struct("context", fields)).transpose()?.map(Cow::Owned);
    let query = Query::new(subject, "", kind, "");
    Ok(Query { id, project, properties, complete, context, ..query })
}

// === impl Defaults ===

impl<'a> Defaults<'a> {
    /// Reads the defaults of a batch.
    ///
    /// # Errors
    /// Where one is malformed or over a limit: the batch as a whole is then refused.
    pub fn read(batch: &view::BatchCheckRequest<'a>) -> Result<Self, Refusal> {
        let view::BatchCheckRequest { subject, action, resource, context, consistency, items: _, more_items: _ } =
            batch;
        Ok(Self {
            subject: subject.as_ref().map(read_subject).transpose()?,
            action: action.as_ref().map(read_action).transpose()?,
            resource: resource.as_ref().map(read_resource).transpose()?,
            context: context.as_ref().map(|fields| read_struct("context", fields)).transpose()?,
            consistency: consistency.as_ref().map(read_consistency).transpose()?,
        })
    }

    /// The question of one item, completed by the defaults.
    ///
    /// # Errors
    /// Where a field is missing, malformed or over a limit.
    pub fn query<'d>(&'d self, item: &view::CheckRequest<'d>) -> Result<Query<'d>, Refusal> {
        read(item, Some(self))
    }
}

impl Action<'_> {
    fn lend(&self) -> Action<'_> {
        Action { name: self.name, field: self.field, value: self.value.as_deref().map(Cow::Borrowed) }
    }
}

impl Resource<'_> {
    fn lend(&self) -> Resource<'_> {
        Resource {
            kind: self.kind,
            id: self.id.clone(),
            project: self.project.clone(),
            properties: self.properties.as_deref().map(Cow::Borrowed),
            complete: self.complete,
        }
    }
}

// === the parts of a request ===

fn read<'a>(item: &view::CheckRequest<'a>, defaults: Option<&'a Defaults<'_>>) -> Result<Query<'a>, Refusal> {
    let view::CheckRequest { subject, action, resource, context, consistency, correlation_id } = item;
    text("correlation_id", correlation_id)?;
    let subject = match subject {
        Some(subject) => read_subject(subject)?,
        None => defaults.and_then(|defaults| defaults.subject).ok_or_else(|| missing("subject"))?,
    };
    let action = match action {
        Some(action) => read_action(action)?,
        None => {
            let shared = defaults.and_then(|defaults| defaults.action.as_ref());
            shared.map(Action::lend).ok_or_else(|| missing("action"))?
        }
    };
    let resource = match resource {
        Some(resource) => read_resource(resource)?,
        None => {
            let shared = defaults.and_then(|defaults| defaults.resource.as_ref());
            shared.map(Resource::lend).ok_or_else(|| missing("resource"))?
        }
    };
    let context = match context {
        Some(fields) => Some(Cow::Owned(read_struct("context", fields)?)),
        None => defaults.and_then(|defaults| defaults.context.as_ref()).map(Cow::Borrowed),
    };
    let consistency = match consistency {
        Some(consistency) => read_consistency(consistency)?,
        None => defaults.and_then(|defaults| defaults.consistency).unwrap_or_default(),
    };
    let Action { name, field, value } = action;
    let Resource { kind, id, project, properties, complete } = resource;
    Ok(Query { subject, action: name, field, value, kind, id, project, properties, complete, context, consistency })
}

fn read_subject<'a>(subject: &view::Subject<'a>) -> Result<Subject<'a>, Refusal> {
    let view::Subject { r#type, id } = *subject;
    let id = required("subject.id", id)?;
    match r#type {
        "" | "person" => Ok(Subject::Person(id)),
        "login" => Ok(Subject::Login(id)),
        "email" => Ok(Subject::Email(id)),
        "bot" => Ok(Subject::Bot(id)),
        other => Err(Refusal::Field {
            field: "subject.type",
            problem: format!("`{}` is none of person, login, email, bot", shorten(other)),
        }),
    }
}

fn read_action<'a>(action: &view::Action<'a>) -> Result<Action<'a>, Refusal> {
    let view::Action { name, field, value } = action;
    let value = match value {
        Some(value) => Some(Cow::Owned(Reader::new("action.value").value(value, 1)?)),
        None => None,
    };
    Ok(Action { name: required("action.name", name)?, field: text("action.field", field)?, value })
}

fn read_resource<'a>(resource: &view::Resource<'a>) -> Result<Resource<'a>, Refusal> {
    let view::Resource { r#type, id, project, properties, complete } = resource;
    let properties = match properties {
        Some(fields) => Some(Cow::Owned(read_struct("resource.properties", fields)?)),
        None => None,
    };
    let project = text("resource.project", project)?;
    Ok(Resource {
        kind: required("resource.type", r#type)?,
        id: Id::from(text("resource.id", id)?),
        project: (!project.is_empty()).then(|| Id::from(project)),
        properties,
        complete: *complete,
    })
}

fn read_consistency(consistency: &v1::Consistency) -> Result<Consistency, Refusal> {
    let v1::Consistency { max_staleness, at_least_revision, refresh } = *consistency;
    let max_staleness = max_staleness.map(|bound| {
        let (Ok(seconds), Ok(nanos @ 0..1_000_000_000)) = (u64::try_from(bound.seconds), u32::try_from(bound.nanos))
        else {
            return Err(Refusal::Field {
                field: "consistency.max_staleness",
                problem: format!(
                    "{} s and {} ns are no length of time; seconds must be 0 or more, nanos 0 to 999,999,999",
                    bound.seconds, bound.nanos
                ),
            });
        };
        Ok(Duration::new(seconds, nanos))
    });
    Ok(Consistency { max_staleness: max_staleness.transpose()?, at_least_revision, refresh })
}

// === texts ===

fn required<'a>(field: &'static str, content: &'a str) -> Result<&'a str, Refusal> {
    if content.is_empty() { Err(missing(field)) } else { text(field, content) }
}

fn text<'a>(field: &'static str, content: &'a str) -> Result<&'a str, Refusal> {
    if content.len() > MAX_TEXT {
        return Err(Refusal::Limit { field, found: content.len(), limit: MAX_TEXT, unit: "bytes" });
    }
    Ok(content)
}

fn missing(field: &'static str) -> Refusal {
    Refusal::Field { field, problem: "is missing or empty".to_owned() }
}

fn shorten(content: &str) -> String {
    content.chars().take(60).collect()
}

// === values ===

fn read_struct(field: &'static str, fields: &Struct) -> Result<Value, Refusal> {
    Reader::new(field).map(fields, 1)
}

/// Reads one nested value within its limits.
struct Reader {
    field: &'static str,
    values: usize,
}

impl Reader {
    fn new(field: &'static str) -> Self {
        Self { field, values: 0 }
    }

    fn value(&mut self, value: &WireValue, depth: usize) -> Result<Value, Refusal> {
        self.values += 1;
        if self.values > MAX_VALUES {
            return Err(self.over(self.values, MAX_VALUES, "values or more"));
        }
        match &value.kind {
            None => Err(self.wrong("a value has no kind set; use null_value for none")),
            Some(Kind::NullValue(_)) => Ok(Value::Null),
            Some(Kind::BoolValue(value)) => Ok(Value::Bool(*value)),
            Some(Kind::NumberValue(number)) if number.is_finite() => Ok(Value::Number(*number)),
            Some(Kind::NumberValue(_)) => Err(self.wrong("a number is infinite or not a number")),
            Some(Kind::StringValue(content)) => Ok(Value::Text(Str::from(text(self.field, content)?))),
            Some(Kind::StructValue(fields)) => self.map(fields, depth),
            Some(Kind::ListValue(list)) => {
                self.depth(depth)?;
                list.values.iter().map(|value| self.value(value, depth + 1)).collect::<Result<_, _>>().map(Value::List)
            }
        }
    }

    fn map(&mut self, fields: &Struct, depth: usize) -> Result<Value, Refusal> {
        self.depth(depth)?;
        let mut entries = Vec::with_capacity(fields.fields.len().min(MAX_VALUES));
        for (name, value) in &fields.fields {
            entries.push((Str::from(text(self.field, name)?), self.value(value, depth + 1)?));
        }
        Ok(Value::Map(entries))
    }

    fn depth(&self, depth: usize) -> Result<(), Refusal> {
        if depth > MAX_DEPTH { Err(self.over(depth, MAX_DEPTH, "levels or more")) } else { Ok(()) }
    }

    fn over(&self, found: usize, limit: usize, unit: &'static str) -> Refusal {
        Refusal::Limit { field: self.field, found, limit, unit }
    }

    fn wrong(&self, problem: &str) -> Refusal {
        Refusal::Field { field: self.field, problem: problem.to_owned() }
    }
}
