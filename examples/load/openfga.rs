//! OpenFGA as a peer. Its model and its tuples are the smallest that say: whoever is assigned to the task, or manages its
//! project.
//!
//! ```text
//! go install github.com/openfga/openfga/cmd/openfga@latest
//! taskset -c 0 openfga run --grpc-addr 127.0.0.1:8081 --http-enabled=false --playground-enabled=false --metrics-enabled=false --log-level none
//! ```
//!
//! It holds the demo's question and a few hundred tasks beside it, in its store in memory. The messages are declared here:
//! of its API only what is used.

use std::collections::HashMap;

use http::uri::PathAndQuery;
use prost::Message;
use tonic::Request;
use tonic::client::Grpc;
use tonic::transport::Channel;
use tonic_prost::ProstCodec;

use crate::Failure;
use crate::ask::{Case, Question};
use crate::peer::{Answers, Connection, Peer, channel};

/// The most questions that it takes at once, as it comes.
const MOST_AT_ONCE: usize = 50;
/// Tasks beside the one that is asked about.
const OTHERS: usize = 300;
/// The most tuples that it takes at once.
const TUPLES: usize = 100;
const SERVICE: &str = "/openfga.v1.OpenFGAService/";

/// A server that holds what is asked about.
#[derive(Clone, Debug)]
pub(crate) struct OpenFga {
    address: String,
    store: String,
    model: String,
}

#[derive(Clone)]
struct Client {
    grpc: Grpc<Channel>,
    server: OpenFga,
}

// === impl OpenFga ===

impl OpenFga {
    /// Writes the model and the tuples to a running server.
    pub(crate) async fn set_up(address: &str) -> Result<Self, Failure> {
        let server = Self { address: address.to_owned(), store: String::new(), model: String::new() };
        let mut client = server.client().await?;
        let made: CreateStoreResponse =
            client.call("CreateStore", CreateStoreRequest { name: "load".to_owned() }).await?;
        let model = model(&made.id);
        let written: WriteModelResponse = client.call("WriteAuthorizationModel", model).await?;
        for part in tuples().chunks(TUPLES) {
            let writes = Some(Writes { tuple_keys: part.to_vec() });
            let write = WriteRequest { store_id: made.id.clone(), writes, model: written.model.clone() };
            let _: WriteResponse = client.call("Write", write).await?;
        }
        Ok(Self { store: made.id, model: written.model, ..server })
    }

    async fn client(&self) -> Result<Client, Failure> {
        Ok(Client { grpc: Grpc::new(channel(&self.address).await?), server: self.clone() })
    }
}

#[tonic::async_trait]
impl Peer for OpenFga {
    fn name(&self) -> &str {
        "openfga"
    }

    fn can(&self, case: Case) -> bool {
        case.piped().is_none() && case.many() <= MOST_AT_ONCE
    }

    async fn connect(&self) -> Result<Box<dyn Connection>, Failure> {
        Ok(Box::new(self.client().await?))
    }
}

// === impl Client ===

impl Client {
    async fn call<T, U>(&mut self, method: &str, message: T) -> Result<U, Failure>
    where
        T: Message + Send + Sync + 'static,
        U: Message + Default + Send + Sync + 'static,
    {
        self.grpc.ready().await?;
        let path: PathAndQuery = format!("{SERVICE}{method}").parse()?;
        Ok(self.grpc.unary(Request::new(message), path, ProstCodec::<T, U>::default()).await?.into_inner())
    }
}

#[tonic::async_trait]
impl Connection for Client {
    fn share(&self) -> Box<dyn Connection> {
        Box::new(self.clone())
    }

    async fn check(&mut self, question: &Question) -> Result<Answers, Failure> {
        let OpenFga { store, model, .. } = &self.server;
        let check = CheckRequest { store_id: store.clone(), tuple_key: Some(asked(question)), model: model.clone() };
        let answer: CheckResponse = self.call("Check", check).await?;
        Ok(Answers::one(answer.allowed))
    }

    async fn batch(&mut self, questions: &[Question]) -> Result<Answers, Failure> {
        let OpenFga { store, model, .. } = &self.server;
        let checks = questions.iter().enumerate().map(|(n, question)| Item {
            // Each about another task: equal questions it would answer once for all.
            tuple_key: Some(match n {
                0 => asked(question),
                _ => asked(&Question { task: other(n), ..question.clone() }),
            }),
            correlation_id: n.to_string(),
        });
        let batch = BatchCheckRequest { store_id: store.clone(), checks: checks.collect(), model: model.clone() };
        let answer: BatchCheckResponse = self.call("BatchCheck", batch).await?;
        Ok(answer.result.values().map(|result| Answers::one(result.allowed)).sum())
    }
}

fn asked(question: &Question) -> TupleKey {
    let Question { person, action, task } = question;
    tuple(&format!("user:{person}"), action, &format!("task:{task}"))
}

fn tuple(user: &str, relation: &str, object: &str) -> TupleKey {
    TupleKey { user: user.to_owned(), relation: relation.to_owned(), object: object.to_owned() }
}

/// Bo is assigned to the task that is asked about and to the others; Marta manages the project.
fn tuples() -> Vec<TupleKey> {
    let tasks = std::iter::once("sh010-animation".to_owned()).chain((0..OTHERS).map(other));
    let of_tasks = tasks.flat_map(|task| {
        let task = format!("task:{task}");
        [tuple("user:bo", "assignee", &task), tuple("project:atlas", "project", &task)]
    });
    std::iter::once(tuple("user:marta", "manager", "project:atlas")).chain(of_tasks).collect()
}

fn other(n: usize) -> String {
    format!("other-{n}")
}

/// `comment` on a task: its assignees, and the managers of its project.
fn model(store: &str) -> WriteModelRequest {
    let relation = |name: &str| ObjectRelation { object: String::new(), relation: name.to_owned() };
    let direct = || Userset { this: Some(Empty {}), ..Userset::default() };
    let assignees = Userset { computed: Some(relation("assignee")), ..Userset::default() };
    let through = TupleToUserset { tupleset: Some(relation("project")), computed: Some(relation("manager")) };
    let managers = Userset { through: Some(through), ..Userset::default() };
    let either = Userset { union: Some(Usersets { child: vec![assignees, managers] }), ..Userset::default() };
    let kind = |name: &str, relations: Vec<(&str, Userset, Option<&str>)>| {
        let mut kind = TypeDefinition { name: name.to_owned(), ..TypeDefinition::default() };
        let mut metadata = Metadata::default();
        for (name, userset, of) in relations {
            kind.relations.insert(name.to_owned(), userset);
            let kinds = of.map(|of| Reference { kind: of.to_owned() });
            metadata.relations.insert(name.to_owned(), RelationMetadata { kinds: kinds.into_iter().collect() });
        }
        kind.metadata = Some(metadata);
        kind
    };
    let project = ("project", direct(), Some("project"));
    let assignee = ("assignee", direct(), Some("user"));
    let types = vec![
        TypeDefinition { name: "user".to_owned(), ..TypeDefinition::default() },
        kind("project", vec![("manager", direct(), Some("user"))]),
        kind("task", vec![project, assignee, ("comment", either, None)]),
    ];
    WriteModelRequest { store_id: store.to_owned(), types, schema_version: "1.1".to_owned() }
}

// === its messages ===

#[derive(Clone, PartialEq, Message)]
struct Empty {}

#[derive(Clone, PartialEq, Message)]
struct CreateStoreRequest {
    #[prost(string, tag = "1")]
    name: String,
}

#[derive(Clone, PartialEq, Message)]
struct CreateStoreResponse {
    #[prost(string, tag = "1")]
    id: String,
}

#[derive(Clone, PartialEq, Message)]
struct WriteModelRequest {
    #[prost(string, tag = "1")]
    store_id: String,
    #[prost(message, repeated, tag = "2")]
    types: Vec<TypeDefinition>,
    #[prost(string, tag = "3")]
    schema_version: String,
}

#[derive(Clone, PartialEq, Message)]
struct WriteModelResponse {
    #[prost(string, tag = "1")]
    model: String,
}

#[derive(Clone, PartialEq, Message)]
struct TypeDefinition {
    #[prost(string, tag = "1")]
    name: String,
    #[prost(map = "string, message", tag = "2")]
    relations: HashMap<String, Userset>,
    #[prost(message, optional, tag = "3")]
    metadata: Option<Metadata>,
}

/// One of them.
#[derive(Clone, PartialEq, Message)]
struct Userset {
    #[prost(message, optional, tag = "1")]
    this: Option<Empty>,
    #[prost(message, optional, tag = "2")]
    computed: Option<ObjectRelation>,
    #[prost(message, optional, tag = "3")]
    through: Option<TupleToUserset>,
    #[prost(message, optional, tag = "4")]
    union: Option<Usersets>,
}

#[derive(Clone, PartialEq, Message)]
struct Usersets {
    #[prost(message, repeated, tag = "1")]
    child: Vec<Userset>,
}

#[derive(Clone, PartialEq, Message)]
struct ObjectRelation {
    #[prost(string, tag = "1")]
    object: String,
    #[prost(string, tag = "2")]
    relation: String,
}

#[derive(Clone, PartialEq, Message)]
struct TupleToUserset {
    #[prost(message, optional, tag = "1")]
    tupleset: Option<ObjectRelation>,
    #[prost(message, optional, tag = "2")]
    computed: Option<ObjectRelation>,
}

#[derive(Clone, PartialEq, Message)]
struct Metadata {
    #[prost(map = "string, message", tag = "1")]
    relations: HashMap<String, RelationMetadata>,
}

#[derive(Clone, PartialEq, Message)]
struct RelationMetadata {
    #[prost(message, repeated, tag = "1")]
    kinds: Vec<Reference>,
}

#[derive(Clone, PartialEq, Message)]
struct Reference {
    #[prost(string, tag = "1")]
    kind: String,
}

#[derive(Clone, PartialEq, Message)]
struct WriteRequest {
    #[prost(string, tag = "1")]
    store_id: String,
    #[prost(message, optional, tag = "2")]
    writes: Option<Writes>,
    #[prost(string, tag = "4")]
    model: String,
}

#[derive(Clone, PartialEq, Message)]
struct Writes {
    #[prost(message, repeated, tag = "1")]
    tuple_keys: Vec<TupleKey>,
}

#[derive(Clone, PartialEq, Message)]
struct WriteResponse {}

#[derive(Clone, PartialEq, Message)]
struct TupleKey {
    #[prost(string, tag = "1")]
    user: String,
    #[prost(string, tag = "2")]
    relation: String,
    #[prost(string, tag = "3")]
    object: String,
}

#[derive(Clone, PartialEq, Message)]
struct CheckRequest {
    #[prost(string, tag = "1")]
    store_id: String,
    #[prost(message, optional, tag = "2")]
    tuple_key: Option<TupleKey>,
    #[prost(string, tag = "4")]
    model: String,
}

#[derive(Clone, PartialEq, Message)]
struct CheckResponse {
    #[prost(bool, tag = "1")]
    allowed: bool,
}

#[derive(Clone, PartialEq, Message)]
struct BatchCheckRequest {
    #[prost(string, tag = "1")]
    store_id: String,
    #[prost(message, repeated, tag = "2")]
    checks: Vec<Item>,
    #[prost(string, tag = "3")]
    model: String,
}

#[derive(Clone, PartialEq, Message)]
struct Item {
    #[prost(message, optional, tag = "1")]
    tuple_key: Option<TupleKey>,
    #[prost(string, tag = "4")]
    correlation_id: String,
}

#[derive(Clone, PartialEq, Message)]
struct BatchCheckResponse {
    #[prost(map = "string, message", tag = "1")]
    result: HashMap<String, ItemResult>,
}

#[derive(Clone, PartialEq, Message)]
struct ItemResult {
    #[prost(bool, tag = "1")]
    allowed: bool,
}
