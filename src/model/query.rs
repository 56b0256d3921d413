//! A question, with everything that its decision may depend on besides the mirror and the policy.

use std::borrow::Cow;
use std::time::Duration;

use super::id::{Id, Str};
use super::value::Value;

/// "May this subject do this action on this resource?"
///
/// Values may be borrowed: the items of a batch share what they have in common.
#[derive(Clone, Debug)]
pub struct Query<'a> {
    pub subject: Subject<'a>,
    pub action: &'a str,
    /// The field that an update is about; empty: the resource as a whole.
    pub field: &'a str,
    /// The new value, where a rule looks at it.
    pub value: Option<Cow<'a, Value>>,
    pub kind: &'a str,
    /// Empty for "create".
    pub id: Id,
    /// The project that the caller names: used where the mirror has none for the resource.
    pub project: Option<Id>,
    /// Attributes that the mirror may not hold. The mirror wins where it holds the record.
    pub properties: Option<Cow<'a, Value>>,
    /// Whether `properties` is the whole object: an absent attribute is then known to be absent.
    pub complete: bool,
    /// Free facts about the call.
    pub context: Option<Cow<'a, Value>>,
    pub consistency: Consistency,
}

/// Who asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Subject<'a> {
    /// By the tracker's own id.
    Person(&'a str),
    /// By login name, byte for byte.
    Login(&'a str),
    /// By e-mail address, byte for byte.
    Email(&'a str),
    /// A script, API key or bot user, by the tracker's id.
    Bot(&'a str),
}

/// How fresh the answer must be.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Consistency {
    /// `None`: the server's own bound.
    pub max_staleness: Option<Duration>,
    /// Wait until the mirror has reached this revision.
    pub at_least_revision: u64,
    /// Re-read from the tracker what the decision depends on.
    pub refresh: bool,
}

impl<'a> Query<'a> {
    /// A query without field, value, properties or context.
    pub fn new(subject: Subject<'a>, action: &'a str, kind: &'a str, id: &str) -> Self {
        Self {
            subject,
            action,
            field: "",
            value: None,
            kind,
            id: Id::from(id),
            project: None,
            properties: None,
            complete: false,
            context: None,
            consistency: Consistency::default(),
        }
    }

    /// The same question about another action.
    #[must_use]
    pub fn about<'b>(&'b self, action: &'b str, field: &'b str) -> Query<'b> {
        fn lend<'b>(value: &'b Option<Cow<'_, Value>>) -> Option<Cow<'b, Value>> {
            value.as_deref().map(Cow::Borrowed)
        }
        Query {
            subject: self.subject,
            action,
            field,
            value: None,
            kind: self.kind,
            id: self.id.clone(),
            project: self.project.clone(),
            properties: lend(&self.properties),
            complete: self.complete,
            context: lend(&self.context),
            consistency: self.consistency,
        }
    }

    /// The value as text, where it is one: the id or name of the status, person, ... that the action names.
    pub fn value_text(&self) -> Option<&Str> {
        match self.value.as_deref() {
            Some(Value::Text(text)) => Some(text),
            _ => None,
        }
    }
}
