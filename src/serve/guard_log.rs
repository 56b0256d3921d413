//! The Guard service: what the guard has written into its ledger.

use std::sync::Arc;

use prost_types::Timestamp;
use tonic::{Request, Response, Status};

use crate::ledger::{Entry, Ledger};
use crate::model::id::Id;
use crate::proto::v1;
use crate::proto::v1::guard_server::Guard;

/// What there is to tell of the guard.
#[derive(Clone, Debug)]
pub struct Kept {
    pub ledger: Arc<Ledger>,
    pub dry_run: bool,
}

/// Answers from the ledger; `None`: there is no guard.
#[derive(Debug)]
pub(super) struct Log(pub(super) Option<Kept>);

#[tonic::async_trait]
impl Guard for Log {
    async fn log(&self, request: Request<v1::GuardLogRequest>) -> Result<Response<v1::GuardLogResponse>, Status> {
        let Some(Kept { ledger, dry_run }) = &self.0 else {
            let mend = "the guard is not enabled; set `guard: {enabled: true}` in the configuration";
            return Err(Status::failed_precondition(mend));
        };
        let most = match request.into_inner().limit {
            0 => usize::MAX,
            limit => usize::try_from(limit).unwrap_or(usize::MAX),
        };
        let entries = ledger.last(most).into_iter().map(entry).collect();
        Ok(Response::new(v1::GuardLogResponse { dry_run: *dry_run, entries }))
    }
}

fn entry(entry: Entry) -> v1::GuardLogEntry {
    let Entry { at, outcome, object, name, person, from, to, change, restriction, detail } = entry;
    let text = |id: Option<Id>| id.map(|id| id.to_string()).unwrap_or_default();
    let (kind, id) = object.map(|object| (object.kind.to_string(), object.id.to_string())).unwrap_or_default();
    v1::GuardLogEntry {
        at: Some(Timestamp::from(at)),
        result: outcome.name().to_owned(),
        kind,
        id,
        name: name.to_string(),
        person: text(person),
        from: text(from),
        to: text(to),
        change: text(change),
        restriction: restriction.to_string(),
        detail,
    }
}
