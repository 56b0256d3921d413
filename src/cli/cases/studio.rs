//! The studio of a case file, mirrored as a running server would mirror it.

use std::borrow::Cow;
use std::path::Path;
use std::pin::Pin;
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use super::format::{CaseFile, Question, Studio};
use super::load;
use super::report::Got;
use crate::authorizer::{Authorizer, Clock, Feed, Options, ReadError, Reader};
use crate::engine::policy::Policy;
use crate::model::change::{Batch, Snapshot};
use crate::model::id::{Id, ObjectRef};
use crate::model::query::{Query, Subject};
use crate::tracker::file::held::Held;
use crate::tracker::file::studio::{self, Vocabulary};
use crate::tracker::file::{DEMO, DEMO_NAME};
use crate::yaml::{Node, Place, Problems, parse};

/// Longer than any run: nothing that is asked here ages.
const LONG: Duration = Duration::from_secs(24 * 60 * 60);

/// A mirror of the studio that questions can be asked of.
#[derive(Debug)]
pub(super) struct Mirror {
    authorizer: Arc<Authorizer>,
}

impl Mirror {
    /// Mirrors the studio that a case file holds or names. `near` is the folder that its paths start from.
    pub(super) fn new(file: &str, near: &Path, cases: &CaseFile<'_>) -> Result<Self, Problems> {
        let owned;
        let (name, root) = match &cases.studio {
            Studio::Inline(node) => (file.to_owned(), *node),
            Studio::File(place, path) => {
                let path = near.join(path);
                let name = path.display().to_string();
                owned = parse(&name, &load(&path, &name).map_err(|problems| at(file, *place, &problems))?)?;
                (name, &owned)
            }
            Studio::Demo => {
                owned = parse(DEMO_NAME, DEMO)?;
                (DEMO_NAME.to_owned(), &owned)
            }
        };
        let overlay = match cases.policy {
            None => None,
            Some((place, path)) => {
                let path = near.join(path);
                let name = path.display().to_string();
                let text = load(&path, &name).map_err(|problems| at(file, place, &problems))?;
                Some((name, text))
            }
        };
        let (policy, snapshot) = read(&name, root, overlay)?;
        let held = Held::new(snapshot.clone(), Arc::clone(&policy.schema));
        let authorizer =
            Authorizer::new(policy, Options { max_staleness: LONG, ..Options::default() }, Clock::system());
        authorizer.set_reader(Arc::new(Shelf { held, authorizer: Arc::downgrade(&authorizer) }));
        authorizer.apply(Batch::Snapshot(snapshot));
        authorizer.feed(Feed::Live);
        authorizer.known_equal(Instant::now());
        Ok(Self { authorizer })
    }

    /// The answers, in the order of the questions.
    pub(super) fn answers(&self, questions: &[Question]) -> std::io::Result<Vec<Got>> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build()?;
        Ok(questions.iter().map(|question| runtime.block_on(self.answer(question))).collect())
    }

    async fn answer(&self, question: &Question) -> Got {
        let mut query = Query::new(subject(&question.subject), &question.action, &question.kind, &question.id);
        query.field = &question.field;
        query.value = question.value.as_ref().map(Cow::Borrowed);
        query.project = question.project.as_deref().map(Id::from);
        query.properties = question.properties.as_ref().map(Cow::Borrowed);
        query.complete = question.complete;
        query.context = question.context.as_ref().map(Cow::Borrowed);
        let answer = self.authorizer.check(&query).await;
        Got { reason: answer.decision.code, rule: answer.said.rule.clone(), text: answer.said.text.clone() }
    }
}

fn read(name: &str, root: &Node, overlay: Option<(String, String)>) -> Result<(Policy, Snapshot), Problems> {
    let mut problems = Problems::new(name);
    let (place, pack) = studio::pack_of(root, &mut problems);
    if !problems.is_empty() {
        return Err(problems);
    }
    let base = Policy::load(&pack, None).map_err(|problems| at(name, place, &problems))?;
    let policy = match &overlay {
        None => base,
        Some((overlay, text)) => Policy::load(&pack, Some((overlay, text)))?,
    };
    let snapshot = studio::from_node(root, &Vocabulary::of(&policy), &mut problems);
    problems.into_result((policy, snapshot))
}

/// The complaint that a file cannot be read, told where it is named.
fn at(file: &str, place: Place, cause: &Problems) -> Problems {
    let mut problems = Problems::new(file);
    problems.add(place, cause.to_string());
    problems
}

/// `ID`, `login:NAME`, `email:ADDRESS` or `bot:ID`, as on the command line.
fn subject(text: &str) -> Subject<'_> {
    match text.split_once(':') {
        Some(("login", login)) => Subject::Login(login),
        Some(("email", email)) => Subject::Email(email),
        Some(("bot", id)) => Subject::Bot(id),
        _ => Subject::Person(text),
    }
}

/// Reads on first use.
#[derive(Debug)]
struct Shelf {
    held: Held,
    authorizer: Weak<Authorizer>,
}

impl Reader for Shelf {
    fn read(&self, objects: Vec<ObjectRef>) -> Pin<Box<dyn Future<Output = Result<(), ReadError>> + Send + '_>> {
        if let Some(authorizer) = self.authorizer.upgrade() {
            authorizer.apply(Batch::Delta(objects.iter().flat_map(|object| self.held.object(object)).collect()));
        }
        Box::pin(std::future::ready(Ok(())))
    }
}
