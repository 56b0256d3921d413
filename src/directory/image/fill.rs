//! Fills an empty mirror with what was read: the one place that knows how the tables take it.

use smallvec::SmallVec;

use super::Damaged;
use crate::directory::Directory;
use crate::directory::apply::Writer;
use crate::directory::members::{Grants, Place};
use crate::directory::tables::{Draft, Full, NewState};
use crate::model::id::{Id, Key, Str};
use crate::model::schema::KindNo;

/// What was touched is nobody's business here; it is thrown away this often.
const TOUCHED: usize = 4096;

pub(super) struct Filler<'d> {
    writer: Writer<'d>,
}

impl<'d> Filler<'d> {
    pub(super) fn new(directory: &'d mut Directory) -> Self {
        Self { writer: Writer::new(directory) }
    }

    /// So many objects are to come.
    pub(super) fn expect(&mut self, many: usize) {
        self.writer.tables.expect(many);
    }

    /// The next object; they get their handles in order.
    pub(super) fn object(&mut self, table: KindNo, id: &Id, handle: u32) -> Result<(), Damaged> {
        let key = self.writer.tables.intern(table, id)?;
        if key == Key(handle) { Ok(()) } else { Err(Damaged("two objects of one id")) }
    }

    pub(super) fn table(&self, key: Key) -> Option<KindNo> {
        self.writer.tables.node(key).map(|node| node.table)
    }

    pub(super) fn gone(&mut self, key: Key) -> Result<(), Damaged> {
        self.replace(key, NewState::Gone)
    }

    pub(super) fn record(&mut self, key: Key, draft: Draft<'_>) -> Result<(), Damaged> {
        self.replace(key, NewState::Record(draft))
    }

    /// It is not understood; what it last said is there already.
    pub(super) fn quarantine(&mut self, key: Key) {
        self.writer.tables.quarantine(key);
    }

    pub(super) fn member(
        &mut self,
        (person, project): (Key, Key),
        role: Option<&str>,
        roles: SmallVec<[Key; 2]>,
        rights: &[&str],
    ) -> Result<(), Damaged> {
        let rights = rights.iter().map(|right| Str::from(*right)).collect();
        let grants = Grants { roles: roles.as_slice().into(), rights };
        let grants = (grants != Grants::default()).then_some(grants);
        self.writer.set_member(person, project, Place { role, grants })?;
        self.forget();
        Ok(())
    }

    fn replace(&mut self, key: Key, state: NewState<'_>) -> Result<(), Damaged> {
        let schema = self.writer.schema;
        if let Some(def) = self.table(key).and_then(|table| schema.kind(table)) {
            self.writer.replace(key, def, state)?;
        }
        self.forget();
        Ok(())
    }

    fn forget(&mut self) {
        if self.writer.touched.deps.len() > TOUCHED {
            self.writer.touched.deps.clear();
        }
    }
}

impl From<Full> for Damaged {
    fn from(_: Full) -> Self {
        Self("there is no room for it")
    }
}
