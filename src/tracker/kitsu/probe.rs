//! Asks zou as one person, with the person's own token. Reads are asked as they are; writes by requests in which zou
//! finds a fault after it has looked at who asks, and only on the zou that this was proved with. No DELETE is ever sent.

mod questions;
mod request;
mod sample;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use reqwest::{Method, StatusCode};
use serde_json::Value;

use self::questions::{Questions, text};
use self::request::{Meaning, Request};
use super::client::Client;
use super::{Config, TESTED, address};
use crate::model::id::ObjectRef;
use crate::model::query::Subject;
use crate::tracker::SourceError;
use crate::tracker::probe::{Asked, Met, Pace, Probe, Unasked, Verdict};
use crate::tracker::secret::TokenSource;

/// No more is read of an answer that is only looked at.
const MOST: usize = 64 << 10;

/// A zou, asked as one person.
#[derive(Debug)]
pub struct KitsuProbe {
    /// With stagedoor's own token: finds what can be asked about.
    ours: Client,
    /// With the person's.
    theirs: Client,
    version: parking_lot::RwLock<String>,
}

// === impl KitsuProbe ===

impl KitsuProbe {
    /// Nothing is asked yet. `token`: the person's.
    ///
    /// # Errors
    /// Where the configuration's address is none.
    pub fn new(config: Config, token: TokenSource, pace: Pace) -> Result<Self, SourceError> {
        let (base, pace) = (address("url", &config.url)?, Arc::new(pace));
        Ok(Self {
            ours: Client::new(base.clone(), config.token)?.paced(&pace),
            theirs: Client::of_person(base, token)?.paced(&pace),
            version: parking_lot::RwLock::default(),
        })
    }

    async fn one(&self, request: &Request) -> Result<Verdict, SourceError> {
        let Request { method, path, body, .. } = request;
        let (path, query) = path.split_once('?').unwrap_or((path, ""));
        let query: Vec<_> = query.split('&').filter_map(|pair| pair.split_once('=')).collect();
        let (status, said) = self.theirs.answer(method.clone(), path, &query, body.as_ref(), MOST).await?;
        match request.meaning(status, &said)? {
            Meaning::Verdict(verdict) => Ok(verdict),
            Meaning::AllowedIf(there) => match self.read(&there, &[]).await {
                Ok(_) => Ok(Verdict::Allowed),
                Err(gone) => Ok(Verdict::Inconclusive(gone.to_string())),
            },
        }
    }

    /// Whether this zou is the one that writes were proved with.
    fn proved(&self) -> bool {
        *self.version.read() == TESTED
    }
}

impl Probe for KitsuProbe {
    type Request = Request;

    async fn meet(&self, person: Subject<'_>) -> Result<Met, SourceError> {
        let about = self.read("/", &[]).await?;
        text(&about, "version").clone_into(&mut self.version.write());
        let path = "/auth/authenticated";
        let (status, body) = self.theirs.answer(Method::GET, path, &[], None, MOST).await?;
        if status != StatusCode::OK {
            // As for any read: it says what is wrong with the token.
            let refused = Request::get(path).meaning(status, &body)?;
            return Err(SourceError::Refused(format!("{path}: zou does not say whose token it is: {refused:?}")));
        }
        let answer: Value = serde_json::from_slice(&body)
            .map_err(|error| SourceError::Malformed(format!("{path}: the answer is not JSON: {error}")))?;
        let user = answer.get("user").unwrap_or(&Value::Null);
        let (id, email) = (text(user, "id"), text(user, "email"));
        let name = [text(user, "first_name"), text(user, "last_name")].join(" ").trim().to_owned();
        let (same, named) = match person {
            Subject::Person(named) | Subject::Bot(named) => (id == named, named),
            Subject::Login(named) => (text(user, "desktop_login") == named, named),
            Subject::Email(named) => (email == named, named),
        };
        if id.is_empty() || !same {
            return Err(SourceError::Refused(format!(
                "the token is not that of {named}, but of {name} ({id}, {email}); {}",
                super::client::MEND_PERSON
            )));
        }
        Ok(Met { id: id.to_owned(), name })
    }

    async fn questions(
        &self,
        person: &Met,
        about: &[ObjectRef],
        each: usize,
    ) -> Result<Vec<Asked<Request>>, SourceError> {
        let row = self.read(&format!("/data/persons/{}", person.id), &[("relations", "true")]).await?;
        let statuses = self.list("/data/task-status", &[]).await?;
        let mut questions = Questions { person: &row, statuses: &statuses, writes: self.proved(), asked: Vec::new() };
        if about.is_empty() {
            self.sample(&mut questions, each).await?;
        }
        for object in about {
            self.about(&mut questions, object).await?;
        }
        Ok(questions.asked)
    }

    async fn ask(&self, request: &Request) -> Result<Verdict, SourceError> {
        let mut request = request;
        loop {
            let verdict = self.one(request).await?;
            match (&verdict, &request.then) {
                (Verdict::Allowed, Some(next)) => request = next,
                _ => return Ok(verdict),
            }
        }
    }

    fn unasked(&self) -> Vec<Unasked> {
        questions::unasked(self.proved(), &self.version.read())
    }
}
