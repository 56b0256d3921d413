//! Objects that the tracker has changed and whose new state has not been applied yet.

use std::sync::atomic::{AtomicUsize, Ordering};

use parking_lot::RwLock;
use rustc_hash::FxHashMap;

use crate::directory::View;
use crate::model::change::Dep;
use crate::model::id::{Id, Key, ObjectRef};
use crate::model::schema::{KindNo, Schema};

/// Counted marks by object.
#[derive(Debug, Default)]
pub(super) struct Pending {
    marks: RwLock<FxHashMap<(KindNo, Id), u32>>,
    /// How many objects are marked: the usual case, none, costs one load.
    count: AtomicUsize,
}

impl Pending {
    pub(super) fn is_empty(&self) -> bool {
        self.count.load(Ordering::Acquire) == 0
    }

    pub(super) fn mark(&self, objects: &[ObjectRef], schema: &Schema) {
        let mut marks = self.marks.write();
        for object in objects {
            if let Some(kind) = schema.kind_no(&object.kind) {
                *marks.entry((schema.table_of(kind), object.id.clone())).or_default() += 1;
            }
        }
        self.count.store(marks.len(), Ordering::Release);
    }

    pub(super) fn clear(&self, objects: &[ObjectRef], schema: &Schema) {
        let mut marks = self.marks.write();
        for object in objects {
            let Some(kind) = schema.kind_no(&object.kind) else { continue };
            let key = (schema.table_of(kind), object.id.clone());
            if let Some(count) = marks.get_mut(&key) {
                *count -= 1;
                if *count == 0 {
                    marks.remove(&key);
                }
            }
        }
        self.count.store(marks.len(), Ordering::Release);
    }

    /// Whether a decision that rests on these inputs, or asks for these objects, may be out of date. Looks each of them
    /// up, however much is marked.
    pub(super) fn concerns(&self, deps: &[Dep], asked: &[(KindNo, Id)], view: View<'_>) -> bool {
        if self.is_empty() {
            return false;
        }
        let marks = self.marks.read();
        let marked = |table: KindNo, id: &Id| marks.contains_key(&(table, id.clone()));
        let concerned = |key: Key| view.table(key).zip(view.id(key)).is_some_and(|(table, id)| marked(table, id));
        asked.iter().any(|(kind, id)| marked(view.schema().table_of(*kind), id))
            || deps.iter().any(|dep| dep.objects().into_iter().flatten().any(concerned))
    }
}
