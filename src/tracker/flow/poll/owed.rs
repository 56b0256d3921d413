//! What events do not name and a search finds: the rows that hold a link, and rows of which only the type is known.

use std::collections::BTreeMap;

use rustc_hash::FxHashSet;
use serde_json::{Value as Json, json};

use super::Site;
use crate::model::id::{ObjectRef, Str};
use crate::tracker::flow::convert;
use crate::tracker::flow::hints::Holder;
use crate::tracker::flow::marks::Overflow;
use crate::tracker::flow::refer::{self, Found};
use crate::tracker::flow::scan;
use crate::tracker::flow::search::{MOST_ROWS, Search};
use crate::tracker::{Scope, SourceError};

/// How many rows are searched by. Beyond that everything is loaded.
const MOST: usize = 5_000;
/// How many are named in one question.
const AT_ONCE: usize = 200;
/// How many pages of rows are read for one question.
const PAGES: u32 = 4;

/// What is to be found.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Owed {
    pub(super) holders: FxHashSet<Holder>,
    pub(super) revived: FxHashSet<ObjectRef>,
    pub(super) unnamed: FxHashSet<Str>,
}

// === impl Owed ===

impl Owed {
    pub(super) fn is_empty(&self) -> bool {
        self.holders.is_empty() && self.revived.is_empty() && self.unnamed.is_empty()
    }

    /// Adds more; where that is too much, nothing is owed any longer but a load of everything.
    pub(super) fn add(&mut self, more: Self) -> Result<(), Overflow> {
        self.holders.extend(more.holders);
        self.revived.extend(more.revived);
        self.unnamed.extend(more.unnamed);
        if self.holders.len() + self.revived.len() + self.unnamed.len() > MOST {
            *self = Self::default();
            return Err(Overflow);
        }
        Ok(())
    }

    /// These are settled.
    pub(super) fn remove(&mut self, settled: &Self) {
        self.holders.retain(|holder| !settled.holders.contains(holder));
        self.revived.retain(|object| !settled.revived.contains(object));
        self.unnamed.retain(|kind| !settled.unnamed.contains(kind));
    }

    /// Searches for all of it.
    pub(super) async fn settle(&self, site: &Site) -> Result<Found, SourceError> {
        let mut found = Found::default();
        let mut fields: BTreeMap<(&Str, &Str), Vec<Json>> = BTreeMap::new();
        for Holder { kind, field, of: (to, id) } in &self.holders {
            fields.entry((kind, field)).or_default().push(json!({"type": to.as_str(), "id": id}));
        }
        for ((kind, field), links) in fields {
            for links in links.chunks(AT_ONCE) {
                for retired in [false, true] {
                    holders(site, &mut found, kind, (field, links), retired).await?;
                }
            }
        }
        if !self.revived.is_empty() {
            let revived: Vec<_> = self.revived.iter().cloned().collect();
            let Found { objects, reload } = refer::referrers(site, &revived).await?;
            found.objects.extend(objects);
            reload.into_iter().for_each(|scope| found.load(scope));
        }
        for kind in &self.unnamed {
            match scan::moved_of_late(site, kind).await? {
                Some(objects) => found.objects.extend(objects),
                None => found.load(scope(site, kind)),
            }
        }
        Ok(found)
    }
}

/// What is loaded together with the type.
fn scope(site: &Site, kind: &str) -> Scope {
    let shape = site.tables.of_type(kind).and_then(|table| site.shapes.usable(table));
    shape.map_or(Scope::Core, |shape| shape.scope())
}

/// Adds the rows of the type whose field leads to one of these.
async fn holders(
    site: &Site,
    found: &mut Found,
    kind: &str,
    (field, links): (&str, &[Json]),
    retired: bool,
) -> Result<(), SourceError> {
    let Some(table) = site.tables.of_type(kind).filter(|table| table.rows) else { return Ok(()) };
    let mut above = 0;
    for _ in 0..PAGES {
        let search = Search::of(kind, ["id"]).with(field, "in", json!(links)).retired(retired);
        let rows = match site.client.search(&search.with("id", "greater_than", above)).await {
            Ok(rows) => rows,
            Err(failure) if failure.is_about_the_type() => {
                tracing::debug!(%failure, "rows that hold a link cannot be asked for");
                // What is not shown is not mirrored.
                if site.shapes.usable(table).is_some() {
                    found.load(scope(site, kind));
                }
                return Ok(());
            }
            Err(failure) => return Err(failure.into()),
        };
        above = rows.iter().map(|row| row.id).max().unwrap_or(above);
        found.objects.extend(rows.iter().filter(|row| row.id > 0).map(|row| convert::object(table, row)));
        if rows.len() < MOST_ROWS as usize {
            return Ok(());
        }
    }
    found.load(Scope::Large);
    Ok(())
}
