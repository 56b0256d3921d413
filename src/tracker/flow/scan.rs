//! Finds what no event announces: scripts can write without any. Only `updated_at` moves then, at the row that was edited.
//!
//! Each large type that has the field is looked at in turn, what is in the trash and what is not, one small question at a
//! time. The small tables are read in full by the reconcile, and large types without the field by the slow one.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use futures_util::stream::{self, BoxStream, StreamExt as _};
use rustc_hash::{FxHashMap, FxHashSet};
use serde_json::{Value as Json, json};
use tokio::time::{Instant, sleep_until};

use super::Site;
use super::answer::{Row, link};
use super::client::Failure;
use super::convert;
use super::marks::LATE;
use super::search::{MOST_ROWS, Search};
use super::table::Table;
use crate::model::id::{ObjectRef, Str};
use crate::tracker::{Signal, date};

/// How often each type is looked at.
const ROUND: Duration = Duration::from_secs(300);
/// How much the looks overlap beyond what can be committed late, in seconds: nobody's clock is right.
const OVERLAP: i64 = 300;
/// How many rows are read at once.
const PAGE: u32 = 2_000;
/// How many rows are remembered from one look to the next.
const REMEMBERED: usize = 100_000;
/// How many objects are asked at once for what they list.
const LISTED: usize = 200;
/// How many scripts that write silently are warned of.
const MOST_WARNED: usize = 1_000;
const MOVED: &str = "updated_at";

/// Looks at one type after the other, for ever.
struct Scan {
    site: Arc<Site>,
    looks: FxHashMap<(Str, bool), Look>,
    /// Which look comes next, and what of it was read.
    turn: usize,
    under_way: Option<Pages>,
    next: Instant,
    /// Scripts of which it was said that they write silently.
    warned: FxHashSet<u64>,
}

/// What the last look at a type found.
#[derive(Debug, Default)]
struct Look {
    /// When it began, in seconds of the site's clock.
    began: Option<i64>,
    /// When these rows were edited.
    rows: FxHashMap<u64, i64>,
}

/// A look that is under way.
#[derive(Debug)]
struct Pages {
    kind: Str,
    retired: bool,
    began: i64,
    since: i64,
    last: u64,
    rows: FxHashMap<u64, i64>,
}

/// What is found, as it is found.
pub(super) fn stream(site: Arc<Site>) -> BoxStream<'static, Signal> {
    let scan = Scan {
        site,
        looks: FxHashMap::default(),
        turn: 0,
        under_way: None,
        next: Instant::now() + Duration::from_secs(1),
        warned: FxHashSet::default(),
    };
    stream::unfold(scan, |mut scan| async move { Some((scan.next().await, scan)) }).boxed()
}

/// The rows of a type that were edited lately, whoever told of it. `None`: the type is a small one, to be read in full.
pub(super) async fn moved_of_late(site: &Site, kind: &str) -> Result<Option<Vec<ObjectRef>>, Failure> {
    let Some(table) = site.tables.of_type(kind) else { return Ok(None) };
    if !site.shapes.usable(table).is_some_and(|shape| shape.large) {
        return Ok(None);
    }
    if !is_scanned(site, table) {
        return Ok(Some(Vec::new()));
    }
    let since = site.client.on_its_clock(SystemTime::now()).saturating_sub(late());
    let mut objects = Vec::new();
    for retired in [false, true] {
        let mut last = 0;
        loop {
            let rows = page(site, table, retired, (since, last), MOST_ROWS).await?;
            last = rows.iter().map(|row| row.id).max().unwrap_or(last);
            objects.extend(rows.iter().filter(|row| row.id > 0).map(|row| convert::object(table, row)));
            if rows.len() < MOST_ROWS as usize {
                break;
            }
        }
    }
    Ok(Some(objects))
}

/// Whether the type is looked at here.
fn is_scanned(site: &Site, table: &Table) -> bool {
    let shape = site.shapes.usable(table);
    table.rows && shape.is_some_and(|shape| shape.large && shape.fields.contains_key(MOVED))
}

async fn page(
    site: &Site,
    table: &Table,
    retired: bool,
    (since, last): (i64, u64),
    size: u32,
) -> Result<Vec<Row>, Failure> {
    let since = format!("{}Z", date::iso(since));
    let search = Search::of(&table.name, [MOVED]).with(MOVED, "greater_than", since).sized(size).retired(retired);
    site.client.search(&search.with("id", "greater_than", last)).await
}

fn late() -> i64 {
    i64::try_from(LATE.as_secs()).unwrap_or(i64::MAX).saturating_add(OVERLAP)
}

// === impl Scan ===

impl Scan {
    async fn next(&mut self) -> Signal {
        loop {
            sleep_until(self.next).await;
            let looks = self.all_looks();
            // One turn more in each round is for the scripts.
            let turns = looks.len() + 1;
            let pause = ROUND.checked_div(u32::try_from(turns).unwrap_or(u32::MAX)).unwrap_or(ROUND);
            self.next = Instant::now() + pause.max(self.site.poll_interval);
            let found = match looks.get(self.turn % turns) {
                Some((kind, retired)) => self.look(kind, *retired).await,
                None => self.scripts().await.map(|()| Vec::new()),
            };
            match found {
                Ok(objects) => {
                    if self.under_way.is_none() {
                        self.turn = (self.turn + 1) % turns;
                    } else {
                        self.next = Instant::now() + self.site.poll_interval;
                    }
                    if !objects.is_empty() {
                        return Signal::Changed { objects, cursor: None };
                    }
                }
                Err(failure) => {
                    // The rest of the round is none the worse for it.
                    tracing::debug!(%failure, "looking for silent changes");
                    self.under_way = None;
                    self.turn = (self.turn + 1) % turns;
                }
            }
        }
    }

    fn all_looks(&self) -> Vec<(Str, bool)> {
        let tables = self.site.tables.with_rows().filter(|table| is_scanned(&self.site, table));
        tables.flat_map(|table| [false, true].map(|retired| (table.name.clone(), retired))).collect()
    }

    /// Reads one page of what was edited of a type; returns what no event named, and what it lists.
    async fn look(&mut self, kind: &str, retired: bool) -> Result<Vec<ObjectRef>, Failure> {
        let site = Arc::clone(&self.site);
        let Some(table) = site.tables.of_type(kind) else { return Ok(Vec::new()) };
        let mut pages = match self.under_way.take().filter(|pages| pages.kind == kind && pages.retired == retired) {
            Some(pages) => pages,
            None => self.begin(kind, retired),
        };
        let rows = page(&site, table, retired, (pages.since, pages.last), PAGE).await?;
        let before = self.looks.entry((Str::from(kind), retired)).or_default();
        let mut silent = Vec::new();
        for row in rows.iter().filter(|row| row.id > 0) {
            let Some(moved) = row.text(MOVED).and_then(date::parse_iso) else { continue };
            pages.last = pages.last.max(row.id);
            if pages.rows.len() < REMEMBERED {
                pages.rows.insert(row.id, moved);
            }
            let object = convert::object(table, row);
            let is_known = match before.rows.get(&row.id) {
                Some(at) => *at == moved,
                // What was edited before is in what was loaded.
                None => before.began.is_none() && moved <= pages.since + late(),
            };
            if !is_known && site.feed.named(&object).is_none_or(|named| named < moved) {
                silent.push((row.id, object));
            }
        }
        if rows.len() < PAGE as usize {
            site.feed.forget_named(pages.began.saturating_sub(late() * 3));
            *before = Look { began: Some(pages.began), rows: pages.rows };
        } else {
            self.under_way = Some(pages);
        }
        let ids: Vec<u64> = silent.iter().map(|(id, _)| *id).collect();
        let mut objects: Vec<_> = silent.into_iter().map(|(_, object)| object).collect();
        if !objects.is_empty() {
            tracing::debug!(kind, rows = objects.len(), "rows were edited, and no event of what is mirrored said so");
            objects.extend(listed(&site, table, &ids, retired).await?);
        }
        Ok(objects)
    }

    fn begin(&self, kind: &str, retired: bool) -> Pages {
        let began = self.site.client.on_its_clock(SystemTime::now());
        let last = self.looks.get(&(Str::from(kind), retired)).and_then(|look| look.began);
        // Before the first look everything was loaded, after the listening had begun.
        let first = || self.site.feed.since().map_or(began, |since| self.site.client.on_its_clock(since));
        let since = last.unwrap_or_else(first).saturating_sub(late());
        Pages { kind: Str::from(kind), retired, began, since, last: 0, rows: FxHashMap::default() }
    }

    /// Warns of scripts that write without events.
    async fn scripts(&mut self) -> Result<(), Failure> {
        const FLAG: &str = "generate_event_log_entries";
        let site = &self.site;
        let Some(table) = site.tables.of_type("ApiUser") else { return Ok(()) };
        if !site.shapes.usable(table).is_some_and(|shape| shape.fields.contains_key(FLAG)) {
            return Ok(());
        }
        let search = Search::of(&table.name, ["firstname", FLAG]).with(FLAG, "is", false);
        for row in site.client.search(&search).await? {
            let is_silent = row.value(FLAG).and_then(Json::as_bool) == Some(false);
            if is_silent && self.warned.len() < MOST_WARNED && self.warned.insert(row.id) {
                tracing::warn!(
                    id = row.id,
                    script = row.text("firstname").unwrap_or_default(),
                    "this script of Flow writes without events, so what it changes is found minutes later: switch \
                     \"Generate Events\" on in its row in Flow"
                );
            }
        }
        Ok(())
    }
}

/// The rows that these list now where the mirror keeps the other end of the link: nothing moves there.
async fn listed(site: &Site, table: &Table, ids: &[u64], retired: bool) -> Result<Vec<ObjectRef>, Failure> {
    let ends = site.ends();
    let Some((kind, shape)) = ends.kind(&table.name).zip(site.shapes.usable(table)) else { return Ok(Vec::new()) };
    let fields: Vec<&str> = kind.derived_fields().filter(|name| shape.fields.contains_key(*name)).collect();
    let mut objects = Vec::new();
    if fields.is_empty() {
        return Ok(objects);
    }
    for ids in ids.chunks(LISTED) {
        let search = Search::of(&table.name, fields.iter().copied()).with("id", "in", json!(ids)).retired(retired);
        for row in site.client.search(&search).await? {
            for field in &fields {
                let links: Vec<_> = match row.value(field) {
                    Some(Json::Array(links)) => links.iter().filter_map(link).collect(),
                    Some(one) => link(one).into_iter().collect(),
                    None => Vec::new(),
                };
                let is_far = |to: &str| kind.derived(field).any(|(from, _)| from == to);
                objects
                    .extend(links.into_iter().filter(|(to, _)| is_far(to)).filter_map(|(to, id)| ends.object(to, id)));
            }
        }
    }
    Ok(objects)
}
