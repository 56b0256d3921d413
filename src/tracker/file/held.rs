//! A studio that was read, with an index to find single objects.

use std::sync::Arc;

use rustc_hash::FxHashMap;

use crate::model::change::{Change, Snapshot};
use crate::model::id::{Id, ObjectRef};
use crate::model::schema::{KindNo, Schema};

/// What a studio file says, whole and without a complaint.
#[derive(Debug)]
pub struct Held {
    pub snapshot: Snapshot,
    schema: Arc<Schema>,
    /// Where in the snapshot an object and, for a project, its team stand.
    index: FxHashMap<(KindNo, Id), Vec<usize>>,
}

impl Held {
    /// Indexes what was read.
    pub fn new(snapshot: Snapshot, schema: Arc<Schema>) -> Self {
        let mut index: FxHashMap<(KindNo, Id), Vec<usize>> = FxHashMap::default();
        for (at, change) in snapshot.changes.iter().enumerate() {
            let key = match change {
                Change::Upsert(record) => {
                    schema.kind_no(&record.kind).map(|no| (schema.table_of(no), record.id.clone()))
                }
                Change::Team { project, .. } => Some((schema.subject.project, project.clone())),
                Change::Join { project, .. } | Change::Leave { project, .. } => {
                    Some((schema.subject.project, project.clone()))
                }
                Change::Remove(_) | Change::Quarantine { .. } | Change::Forget(_) => None,
            };
            if let Some(key) = key {
                index.entry(key).or_default().push(at);
            }
        }
        Self { snapshot, schema, index }
    }

    /// What the file says of an object, which may be named by its kind or by its table.
    pub fn object(&self, object: &ObjectRef) -> Vec<Change> {
        let Some(no) = self.schema.kind_no(&object.kind).map(|no| self.schema.table_of(no)) else {
            return vec![Change::Remove(object.clone())];
        };
        match self.index.get(&(no, object.id.clone())) {
            Some(places) => places.iter().filter_map(|at| self.snapshot.changes.get(*at).cloned()).collect(),
            None => vec![Change::Remove(object.clone())],
        }
    }
}
