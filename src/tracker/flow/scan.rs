//! Finds what no event announces: scripts can write without any. Only `updated_at` moves then, at the row that was edited.
//!
//! Each large type that has the field is looked at in turn, what is in the trash and what is not, one small question at a
//! time. The small tables are read in full by the reconcile, and large types without the field by the slow one.

use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::SystemTime;

use futures_util::stream::{self, BoxStream, StreamExt as _};
use rustc_hash::{FxHashMap, FxHashSet};
use serde_json::{Value as Json, json};
use tokio::time::{Instant, sleep_until};

use super::Site;
use super::answer::{Row, link};
use super::client::Failure;
use super::convert;
use super::hints::HANGS_BY;
use super::marks::LATE;
use super::search::{MOST_ROWS, Search};
use super::table::Table;
use crate::model::id::{ObjectRef, Str};
use crate::tracker::{Signal, date};

/// How many times as often the log is looked at as each type is: every five minutes if the log is read each second.
const RARER: u32 = 300;
/// How much the looks overlap beyond what can be committed late, in seconds: nobody's clock is right.
const OVERLAP: i64 = 300;
/// How near to a look an edit is not told apart from another, in seconds.
const GRAIN: i64 = 2;
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
#[derive(Debug, Default)]
pub(super) struct Scan {
    /// Found and not told yet.
    signals: VecDeque<Signal>,
    looks: FxHashMap<(Str, bool), Look>,
    /// Which look comes next, and what of it was read.
    turn: usize,
    under_way: Option<Pages>,
    next: Option<Instant>,
    /// Scripts of which it was said that they write silently.
    warned: FxHashSet<u64>,
}

/// What the last look at a type found.
#[derive(Debug)]
struct Look {
    /// When it began, in seconds of the site's clock.
    began: i64,
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
    let state = stream::unfold(site, |site| async move {
        // What was found outlives the link.
        let signal = site.feed.scan.lock().await.next(&site).await;
        Some((signal, site))
    });
    state.boxed()
}

/// The rows of a type that were edited lately, whoever told of it. `None`: the type is to be read in full, because it is a
/// small one or does not say when its rows were edited.
pub(super) async fn moved_of_late(site: &Site, kind: &str) -> Result<Option<Vec<ObjectRef>>, Failure> {
    let Some(table) = site.tables.of_type(kind) else { return Ok(None) };
    if !is_scanned(site, table) {
        return Ok(None);
    }
    let since = site.client.on_its_clock(SystemTime::now()).saturating_sub(late());
    let mut objects = Vec::new();
    for retired in [false, true] {
        let mut last = 0;
        loop {
            let rows = page(site, table, retired, (since, last), MOST_ROWS).await?;
            last = rows.iter().map(|row| row.id).max().unwrap_or(last);
            objects.extend(rows.iter().filter(|row| row.id > 0).map(|row| convert::object(table, row)));
            // So many are more than the supervisor remembers: it has everything loaded.
            if rows.len() < MOST_ROWS as usize || objects.len() > REMEMBERED {
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

fn all_looks(site: &Site) -> Vec<(Str, bool)> {
    let tables = site.tables.with_rows().filter(|table| is_scanned(site, table));
    tables.flat_map(|table| [false, true].map(|retired| (table.name.clone(), retired))).collect()
}

// === impl Scan ===

impl Scan {
    async fn next(&mut self, site: &Site) -> Signal {
        loop {
            if let Some(signal) = self.signals.pop_front() {
                return signal;
            }
            // What there is to look at is known after the first load.
            let soon = || Instant::now() + site.poll_interval;
            sleep_until(*self.next.get_or_insert_with(soon)).await;
            let looks = all_looks(site);
            if looks.is_empty() {
                self.next = None;
                continue;
            }
            // One turn more in each round is for the scripts.
            let turns = looks.len() + 1;
            let round = site.poll_interval.saturating_mul(RARER);
            let pause = round.checked_div(u32::try_from(turns).unwrap_or(u32::MAX)).unwrap_or(round);
            self.next = Some(Instant::now() + pause.max(site.poll_interval));
            let found = match looks.get(self.turn % turns) {
                Some((kind, retired)) => self.look(site, kind, *retired).await,
                None => self.scripts(site).await,
            };
            match found {
                Ok(()) if self.under_way.is_none() => self.turn = (self.turn + 1) % turns,
                Ok(()) => self.next = Some(soon()),
                Err(failure) => {
                    // The rest of the round is none the worse for it.
                    tracing::debug!(%failure, "looking for silent changes");
                    self.under_way = None;
                    self.turn = (self.turn + 1) % turns;
                }
            }
        }
    }

    /// Reads one page of what was edited of a type; what no event named is told, and what it lists or listed.
    async fn look(&mut self, site: &Site, kind: &str, retired: bool) -> Result<(), Failure> {
        let Some(table) = site.tables.of_type(kind) else { return Ok(()) };
        let mut pages = match self.under_way.take().filter(|pages| pages.kind == kind && pages.retired == retired) {
            Some(pages) => pages,
            None => self.begin(site, kind, retired),
        };
        let rows = page(site, table, retired, (pages.since, pages.last), PAGE).await?;
        site.feed.read(&table.kind, rows.iter().map(|row| row.id), retired);
        pages.last = rows.iter().map(|row| row.id).fold(pages.last, u64::max);
        let before = self.looks.get(&(Str::from(kind), retired));
        let mut silent = Vec::new();
        for row in rows.iter().filter(|row| row.id > 0) {
            let Some(moved) = row.text(MOVED).and_then(date::parse_iso) else { continue };
            // It may be edited again within the same second.
            if pages.rows.len() < REMEMBERED && moved < pages.began - GRAIN {
                pages.rows.insert(row.id, moved);
            }
            let object = convert::object(table, row);
            let is_known = before.is_some_and(|look| look.rows.get(&row.id) == Some(&moved));
            if !is_known && site.feed.named(&object).is_none_or(|named| named <= moved) {
                silent.push((row.id, object));
            }
        }
        let (ids, objects): (Vec<u64>, Vec<_>) = silent.into_iter().unzip();
        if !objects.is_empty() {
            tracing::debug!(kind, rows = objects.len(), "rows were edited, and no event of what is mirrored said so");
            self.tell_ends(site, table, &ids, &objects, retired).await?;
            if retired && site.ends().leading_to(&table.name).any(|(_, field)| field == HANGS_BY) {
                self.signals.push_back(Signal::Hanging { on: objects.clone(), field: HANGS_BY.into() });
            }
            self.signals.push_back(Signal::Changed { objects, cursor: None });
        }
        if rows.len() < PAGE as usize {
            site.feed.forget_named(pages.began.saturating_sub(late() * 3));
            self.looks.insert((Str::from(kind), retired), Look { began: pages.began, rows: pages.rows });
        } else {
            self.under_way = Some(pages);
        }
        Ok(())
    }

    /// Where the mirror keeps the other end of a link, nothing moves there: what these rows list now is told, and what they
    /// listed before as far as the mirror knows.
    async fn tell_ends(
        &mut self,
        site: &Site,
        table: &Table,
        ids: &[u64],
        objects: &[ObjectRef],
        retired: bool,
    ) -> Result<(), Failure> {
        let ends = site.ends();
        let Some((kind, shape)) = ends.kind(&table.name).zip(site.shapes.usable(table)) else { return Ok(()) };
        let fields: Vec<&str> = kind.derived_fields().filter(|name| shape.fields.contains_key(*name)).collect();
        let far: BTreeSet<&str> = fields.iter().flat_map(|name| kind.derived(name)).map(|(_, field)| field).collect();
        let mut listed = Vec::new();
        for ids in ids.chunks(LISTED).filter(|_| !fields.is_empty()) {
            let search = Search::of(&table.name, fields.iter().copied()).with("id", "in", json!(ids)).retired(retired);
            for row in site.client.search(&search).await? {
                for field in &fields {
                    let links: Vec<_> = match row.value(field) {
                        Some(Json::Array(links)) => links.iter().filter_map(link).collect(),
                        Some(one) => link(one).into_iter().collect(),
                        None => Vec::new(),
                    };
                    let is_far = |to: &str| kind.derived(field).any(|(from, _)| from == to);
                    let links = links.into_iter().filter(|(to, _)| is_far(to));
                    listed.extend(links.filter_map(|(to, id)| ends.object(to, id)));
                }
            }
        }
        for field in far {
            self.signals.push_back(Signal::Hanging { on: objects.to_vec(), field: Str::from(field) });
        }
        if !listed.is_empty() {
            self.signals.push_back(Signal::Changed { objects: listed, cursor: None });
        }
        Ok(())
    }

    fn begin(&self, site: &Site, kind: &str, retired: bool) -> Pages {
        let began = site.client.on_its_clock(SystemTime::now());
        let last = self.looks.get(&(Str::from(kind), retired)).map(|look| look.began);
        // Before the first look everything was loaded, after the listening had begun.
        let first = || site.feed.since().map_or(began, |since| site.client.on_its_clock(since));
        let since = last.unwrap_or_else(first).saturating_sub(late());
        Pages { kind: Str::from(kind), retired, began, since, last: 0, rows: FxHashMap::default() }
    }

    /// Warns of scripts that write without events.
    async fn scripts(&mut self, site: &Site) -> Result<(), Failure> {
        const FLAG: &str = "generate_event_log_entries";
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
