//! Reads whole tables: the small ones to be compared at once, the rows of projects page by page.
//!
//! Each table is read twice: what is in the trash, then what is not. In that order, because a row that is taken out of the
//! trash meanwhile is then found, and one that is thrown there is gone for every question but one until its event is heard.

use std::sync::Arc;

use futures_util::stream::{self, StreamExt, TryStreamExt};
use rustc_hash::FxHashMap;

use super::Site;
use super::client::Failure;
use super::convert;
use super::page::Pager;
use super::schema::Shape;
use super::table::{ENTITY_TYPE, Table};
use crate::model::change::{Change, Snapshot};
use crate::model::id::{Id, ObjectRef, Str};
use crate::tracker::parts::Parts;
use crate::tracker::progress::Progress;
use crate::tracker::{Scope, SourceError};

/// How many tables are read at once.
const AT_ONCE: usize = 3;

/// A type as the site has it now; `None`: it does not show it.
type Found<'a> = (&'a Table, Option<Arc<Shape>>);

/// Everything of the scope.
pub(super) async fn load(
    site: &Site,
    scope: Scope,
    progress: &Progress,
    parts: &Parts,
) -> Result<Snapshot, SourceError> {
    let found = shapes(site, scope).await?;
    let (mut small, mut large) = (Vec::new(), Vec::new());
    let mut snapshot = Snapshot::default();
    for (table, shape) in found.iter().filter(|(table, _)| table.rows) {
        let (is_large, shape) = (shape.as_ref().is_some_and(|shape| shape.large), shape.as_deref());
        match (is_large, shape) {
            // Rows of before would lack what is a field now.
            (true, Some(shape)) if scope.large() || site.shapes.is_other(table, shape) => {
                large.push(in_parts(site, table, shape, progress, parts))
            }
            (false, shape) if scope.core() => small.push(whole(site, table, shape, progress)),
            _ => continue,
        }
        snapshot.complete.push(table.kind.clone());
    }
    let small: Vec<Vec<Change>> = stream::iter(small).buffer_unordered(AT_ONCE).try_collect().await?;
    snapshot.changes.extend(small.into_iter().flatten());
    stream::iter(large).buffer_unordered(AT_ONCE).try_collect::<Vec<()>>().await?;
    for (table, _) in &found {
        snapshot.changes.push(match site.shapes.usable(table) {
            Some(shape) => Change::Upsert(convert::shape(table, &shape)),
            None => Change::Remove(ObjectRef::new(ENTITY_TYPE, &table.name)),
        });
    }
    if scope.core() {
        snapshot.complete.push(Str::const_new(ENTITY_TYPE));
    }
    Ok(snapshot)
}

async fn shapes(site: &Site, scope: Scope) -> Result<Vec<Found<'_>>, Failure> {
    let mut asked = Vec::new();
    for table in site.tables.all() {
        asked.push(async move {
            let shape = match scope.core() {
                true => site.shapes.read(&site.client, table).await?,
                false => site.shapes.of(&site.client, table).await?,
            };
            Ok((table, shape))
        });
    }
    stream::iter(asked).buffered(AT_ONCE).try_collect().await
}

/// All rows of a table; none of one that the site does not show.
async fn whole(site: &Site, table: &Table, shape: Option<&Shape>, progress: &Progress) -> Result<Vec<Change>, Failure> {
    let Some(shape) = shape else { return Ok(Vec::new()) };
    let mut changes: FxHashMap<Id, Change> = FxHashMap::default();
    let mut nameless = Vec::new();
    for retired in [true, false] {
        let mut pager = Pager::new(table, shape, retired);
        loop {
            let page = match pager.next(&site.client).await {
                Ok(page) => page,
                Err(failure) if failure.is_about_the_type() => {
                    site.shapes.refuse(table, &failure);
                    return Ok(Vec::new());
                }
                Err(failure) => return Err(failure),
            };
            let Some(rows) = page else { break };
            count(table, rows.len(), progress);
            site.feed.read(&table.kind, rows.iter().map(|row| row.id), retired);
            for row in &rows {
                let change = convert::row(table, shape, row, retired, &site.shapes);
                let id = convert::object(table, row).id;
                if id.is_empty() {
                    nameless.push(change);
                } else {
                    changes.insert(id, change);
                }
            }
        }
    }
    site.shapes.shown(table, shape);
    Ok(changes.into_values().chain(nameless).collect())
}

/// All rows of a table, handed over as they come.
async fn in_parts(
    site: &Site,
    table: &Table,
    shape: &Shape,
    progress: &Progress,
    parts: &Parts,
) -> Result<(), SourceError> {
    for retired in [true, false] {
        let mut pager = Pager::new(table, shape, retired);
        loop {
            let page = match pager.next(&site.client).await {
                Ok(page) => page,
                Err(failure) if failure.is_about_the_type() => {
                    site.shapes.refuse(table, &failure);
                    return Ok(());
                }
                Err(failure) => return Err(failure.into()),
            };
            let Some(rows) = page else { break };
            count(table, rows.len(), progress);
            site.feed.read(&table.kind, rows.iter().map(|row| row.id), retired);
            let change = |row| convert::row(table, shape, row, retired, &site.shapes);
            parts.hand_over(rows.iter().map(change).collect()).await?;
        }
    }
    site.shapes.shown(table, shape);
    Ok(())
}

fn count(table: &Table, rows: usize, progress: &Progress) {
    let rows = u64::try_from(rows).unwrap_or(0);
    progress.expect(rows);
    progress.read(&table.kind, rows);
}
