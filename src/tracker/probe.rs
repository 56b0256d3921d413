//! What `audit` needs of a tracker: to be asked as one person, by requests that change nothing.

#[cfg(test)]
mod tests;

use std::borrow::Cow;
use std::fmt;
use std::future::Future;
use std::time::Duration;

use serde_json::Value;
use tokio::sync::Mutex;
use tokio::time::{Instant, sleep_until};

use super::SourceError;
use crate::model::id::ObjectRef;
use crate::model::query::Subject;

/// How much of a value is shown.
const SHORT: usize = 40;

/// A tracker that can be asked what it would answer a person. Implementors may write the methods as `async fn`.
///
/// No request changes anything: it only reads, or it is one that the tracker refuses to everybody, after it has looked
/// at who asks. Where there is no such request, nothing is asked.
pub trait Probe: Send + Sync {
    /// How the tracker is asked one question.
    type Request: fmt::Debug + Send + Sync;

    /// Proves that the tracker will be asked as this person.
    fn meet(&self, person: Subject<'_>) -> impl Future<Output = Result<Met, SourceError>> + Send;

    /// What can be asked about these objects; without any, about `each` of every kind.
    fn questions(
        &self,
        person: &Met,
        about: &[ObjectRef],
        each: usize,
    ) -> impl Future<Output = Result<Vec<Asked<Self::Request>>, SourceError>> + Send;

    /// What the tracker answers.
    ///
    /// # Errors
    /// Where it makes no sense to go on: it cannot be reached, no longer knows the person, or did what was asked.
    fn ask(&self, request: &Self::Request) -> impl Future<Output = Result<Verdict, SourceError>> + Send;

    /// What is never asked, and why.
    fn unasked(&self) -> Vec<Unasked>;
}

/// The person as whom the tracker is asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Met {
    /// The tracker's id.
    pub id: String,
    /// What people call him.
    pub name: String,
}

/// May this person do this? In the words of a Check.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Question {
    pub action: String,
    pub field: String,
    pub value: Option<Value>,
    pub kind: String,
    /// Empty for what does not exist yet.
    pub id: String,
    pub project: String,
    /// Attributes of what does not exist yet.
    pub properties: serde_json::Map<String, Value>,
    /// What people call the object; empty where it has no name.
    pub name: String,
}

/// A question and how it is put to the tracker.
#[derive(Clone, Debug)]
pub struct Asked<R> {
    pub question: Question,
    pub request: R,
}

/// The tracker's answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    Allowed,
    /// With its words.
    Refused(String),
    /// Neither: the object is gone meanwhile, or the answer is none that is known. With its words.
    Inconclusive(String),
}

/// What is never asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unasked {
    /// `task.delete`, `person.update[role]`
    pub action: String,
    pub why: String,
}

/// Keeps requests apart.
#[derive(Debug)]
pub struct Pace {
    apart: Duration,
    next: Mutex<Option<Instant>>,
}

// === impl Question ===

impl fmt::Display for Question {
    /// `task.update[name]=x task:1234 (main)`
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { action, field, value, kind, id, project, properties: _, name } = self;
        write!(f, "{kind}.{action}")?;
        if !field.is_empty() {
            write!(f, "[{field}]")?;
        }
        match value {
            Some(Value::String(text)) => write!(f, "={}", short(text))?,
            Some(other) => write!(f, "={}", short(&other.to_string()))?,
            None => {}
        }
        match (id.is_empty(), project.is_empty()) {
            (false, _) => write!(f, " {kind}:{id}")?,
            (true, false) => write!(f, " in project:{project}")?,
            (true, true) => {}
        }
        if name.is_empty() { Ok(()) } else { write!(f, " ({name})") }
    }
}

/// So much of a value that a line keeps its length.
fn short(text: &str) -> Cow<'_, str> {
    match text.char_indices().nth(SHORT) {
        Some((end, _)) => Cow::Owned(format!("{}...", text.get(..end).unwrap_or_default())),
        None => Cow::Borrowed(text),
    }
}

// === impl Pace ===

impl Pace {
    /// At most so many requests a second.
    pub fn new(rate: f64) -> Self {
        let apart = Duration::try_from_secs_f64(rate.recip()).unwrap_or(Duration::from_secs(1));
        Self { apart, next: Mutex::default() }
    }

    /// How long so many requests take.
    pub fn takes(&self, requests: usize) -> Duration {
        self.apart.saturating_mul(u32::try_from(requests).unwrap_or(u32::MAX))
    }

    /// Waits until the next request may be sent.
    pub async fn turn(&self) {
        let mut next = self.next.lock().await;
        if let Some(at) = *next {
            sleep_until(at).await;
        }
        *next = Instant::now().checked_add(self.apart);
    }
}
