//! The mirror: every object of the tracker that a decision can depend on, with indexes and a revision.
//!
//! ```text
//! object (kind, id) -> Key -> node: record | unknown | gone | quarantined
//!                       |      fields refer to other Keys (task -> entity -> created_by)
//!                       +----> back lists (entity -> its tasks)
//! (person, project) -> member: the role there
//! ```
//!
//! Invariant: a field that refers to another object holds that object's Key even before its record has come.
//! Invariant: all mutation is in `apply`; reading never inserts.

mod apply;
mod chunks;
mod differ;
mod image;
mod index;
mod lazy;
mod listed;
mod members;
mod row;
mod rows;
mod tables;
#[cfg(test)]
mod tests;
mod texts;
mod values;
mod view;

use std::sync::Arc;

pub use apply::Applied;
pub(crate) use differ::giving_way;
pub use image::Damaged;
pub use listed::Listed;
pub use members::Grants;
pub use row::{Cell, Membership, Refs, Row, State, Texts};
pub use view::View;

use crate::model::schema::Schema;
use tables::Tables;

/// How many records that are read on first use are held at most; the oldest give way.
pub const LAZY_RECORDS: usize = 100_000;

/// The mirror of one tracker. Cloned for a batch that is too large to be applied in place.
#[derive(Clone, Debug)]
pub struct Directory {
    schema: Arc<Schema>,
    tables: Tables,
    revision: u64,
}

impl Directory {
    /// An empty mirror for the kinds of `schema`.
    pub fn new(schema: Arc<Schema>) -> Self {
        let tables = Tables::new(&schema);
        Self { schema, tables, revision: 0 }
    }

    /// What a decision may look at.
    pub fn view(&self) -> View<'_> {
        View::new(&self.schema, &self.tables)
    }

    /// Counts the batches that changed anything. Starts at 0.
    pub fn revision(&self) -> u64 {
        self.revision
    }
}
