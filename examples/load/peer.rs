//! What a server must be able to do to be measured, and the adapter for the API that the floor and stagedoor share.

use futures_util::StreamExt as _;
use futures_util::stream::BoxStream;
use stagedoor::proto::v1;
use stagedoor::proto::v1::authorization_client::AuthorizationClient;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::transport::{Channel, Endpoint};

use crate::Failure;
use crate::ask::{Case, Question};

/// A server that can be asked.
#[tonic::async_trait]
pub(crate) trait Peer: Send + Sync {
    fn name(&self) -> &str;

    /// Whether it has such a call, for so much.
    fn can(&self, case: Case) -> bool;

    /// A connection of its own.
    async fn connect(&self) -> Result<Box<dyn Connection>, Failure>;
}

/// One connection to a server.
#[tonic::async_trait]
pub(crate) trait Connection: Send + Sync {
    /// The same connection, for one more call at the same time.
    fn share(&self) -> Box<dyn Connection>;

    async fn check(&mut self, question: &Question) -> Result<Answers, Failure>;

    /// All at once, where the server can.
    async fn batch(&mut self, _: &[Question]) -> Result<Answers, Failure> {
        Err("this server takes one question at a time".into())
    }

    /// One answer for each question, in their order, where the server can.
    async fn stream(&mut self, _: mpsc::Receiver<Question>) -> Result<Stream, Failure> {
        Err("this server has no stream of questions".into())
    }
}

pub(crate) type Stream = BoxStream<'static, Result<Answers, Failure>>;

/// How many questions were answered so.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Answers {
    pub(crate) allowed: usize,
    pub(crate) denied: usize,
    /// From a cache, as far as the server tells.
    pub(crate) cached: usize,
}

/// The floor or stagedoor.
#[derive(Clone, Debug)]
pub(crate) struct Ours {
    pub(crate) name: &'static str,
    /// An address and port, or `unix:` and a path.
    pub(crate) address: String,
}

struct Client(AuthorizationClient<Channel>);

/// A channel to an address and port, or to `unix:` and a path.
pub(crate) async fn channel(address: &str) -> Result<Channel, Failure> {
    let uri = if address.starts_with("unix:") { address.to_owned() } else { format!("http://{address}") };
    let connected = Endpoint::from_shared(uri)?.connect().await;
    Ok(connected.map_err(|error| format!("no server at {address}: {error}"))?)
}

// === impl Ours ===

#[tonic::async_trait]
impl Peer for Ours {
    fn name(&self) -> &str {
        self.name
    }

    fn can(&self, _: Case) -> bool {
        true
    }

    async fn connect(&self) -> Result<Box<dyn Connection>, Failure> {
        Ok(Box::new(Client(self.client().await?)))
    }
}

impl Ours {
    pub(crate) async fn client(&self) -> Result<AuthorizationClient<Channel>, Failure> {
        Ok(AuthorizationClient::new(channel(&self.address).await?))
    }
}

// === impl Client ===

#[tonic::async_trait]
impl Connection for Client {
    fn share(&self) -> Box<dyn Connection> {
        Box::new(Self(self.0.clone()))
    }

    async fn check(&mut self, question: &Question) -> Result<Answers, Failure> {
        Ok(Answers::of(self.0.check(request(question)).await?.get_ref()))
    }

    async fn batch(&mut self, questions: &[Question]) -> Result<Answers, Failure> {
        let answer = self.0.batch_check(batch(questions)).await?;
        Ok(answer.get_ref().results.iter().map(Answers::of).sum())
    }

    async fn stream(&mut self, questions: mpsc::Receiver<Question>) -> Result<Stream, Failure> {
        let requests = ReceiverStream::new(questions).map(|question| request(&question));
        let answers = self.0.check_stream(requests).await?.into_inner();
        Ok(answers.map(|answer| answer.map(|answer| Answers::of(&answer)).map_err(Failure::from)).boxed())
    }
}

/// The question as stagedoor is asked it.
pub(crate) fn request(question: &Question) -> v1::CheckRequest {
    v1::CheckRequest {
        subject: Some(v1::Subject { r#type: String::new(), id: question.person.clone() }),
        action: Some(v1::Action { name: question.action.to_owned(), ..Default::default() }),
        resource: Some(v1::Resource { r#type: "task".to_owned(), id: question.task.clone(), ..Default::default() }),
        ..Default::default()
    }
}

pub(crate) fn batch(questions: &[Question]) -> v1::BatchCheckRequest {
    v1::BatchCheckRequest { items: questions.iter().map(request).collect(), ..Default::default() }
}

// === impl Answers ===

impl Answers {
    pub(crate) fn one(allowed: bool) -> Self {
        Self { allowed: usize::from(allowed), denied: usize::from(!allowed), cached: 0 }
    }

    fn of(answer: &v1::CheckResponse) -> Self {
        let cached = usize::from(answer.cached);
        Self { cached, ..Self::one(answer.decision() == v1::Decision::Allow) }
    }
}

impl std::iter::Sum for Answers {
    fn sum<I: Iterator<Item = Self>>(all: I) -> Self {
        all.fold(Self::default(), |sum, one| Self {
            allowed: sum.allowed + one.allowed,
            denied: sum.denied + one.denied,
            cached: sum.cached + one.cached,
        })
    }
}
