//! Which ids a studio file gives, and which it mentions.

use rustc_hash::FxHashMap;

use crate::model::id::Str;
use crate::model::schema::{KindNo, Schema};
use crate::yaml::{Place, Problems, suggestion};

/// Beyond so many dangling ids a file is not misspelt but wrong: finding the nearest name for each would take long.
const SUGGESTIONS: usize = 50;

/// The ids that stand in the file and those that are mentioned, to be compared once all is read.
#[derive(Debug, Default)]
pub(super) struct Seen {
    given: FxHashMap<KindNo, FxHashMap<Str, Place>>,
    wanted: Vec<Wanted>,
}

/// An id that must be given somewhere in the file.
#[derive(Debug)]
pub(super) struct Wanted {
    pub kind: KindNo,
    pub id: Str,
    pub place: Place,
}

impl Seen {
    /// Files an id under its kind's table; says where it stood before, if it did.
    pub(super) fn add(&mut self, schema: &Schema, kind: KindNo, id: &str, place: Place) -> Option<Place> {
        let ids = self.given.entry(schema.table_of(kind)).or_default();
        let first = ids.get(id).copied();
        if first.is_none() {
            ids.insert(Str::from(id), place);
        }
        first
    }

    /// Notes an id that must be given.
    pub(super) fn want(&mut self, wanted: Wanted) {
        self.wanted.push(wanted);
    }

    /// Complains about every mentioned id that is not given.
    pub(super) fn check(self, schema: &Schema, problems: &mut Problems) {
        let mut dangling = 0_usize;
        for Wanted { kind, id, place } in &self.wanted {
            let ids = self.given.get(&schema.table_of(*kind));
            if ids.is_some_and(|ids| ids.contains_key(id)) {
                continue;
            }
            dangling += 1;
            let hint = match ids {
                Some(ids) if dangling <= SUGGESTIONS => suggestion(id, ids.keys().map(Str::as_str)),
                _ => String::new(),
            };
            problems.add(*place, format!("there is no {} `{id}`{hint}", schema.kind_name(*kind)));
        }
    }
}
