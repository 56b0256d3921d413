//! Listens to what changed: reads the log of events again and again, what is behind the last event and what was missing
//! before it.
//!
//! ```text
//! log -> marks: what of it is news -> hints: what to re-read -> signals
//!                                          └► owed: rows to be found by a search
//! ```
//!
//! What is known of the log outlives the link, so a break of it loses nothing and nothing is told twice.
//!
//! Invariant: `sure` is raised only with the last signal of a reading that went up to the end of the log, and owes nothing.

mod log;
mod owed;

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use futures_util::StreamExt as _;
use futures_util::stream::{self, BoxStream};
use parking_lot::Mutex;
use rustc_hash::FxHashMap;
use tokio::sync::Notify;
use tokio::time::{Instant, sleep_until};

use self::log::{Page, Part, Read};
use self::owed::Owed;
use super::Site;
use super::client::Failure;
use super::ends::Ends;
use super::hints::{HANGS_BY, Hints, Holder, hints};
use super::marks::{LAG, LATE, Marks, Overflow};
use super::read;
use super::refer::Found;
use super::scan::{self, Scan};
use super::trash::Trash;
use crate::model::id::{ObjectRef, Str};
use crate::model::schema::Schema;
use crate::tracker::{CatchUp, Scope, Signal, SourceError};

/// How long after the last look the next comes where a webhook said that there is something, and how often in a row.
const SOON: Duration = Duration::from_millis(250);
const TRIES: u32 = 8;
/// After how many searches in a row that fail everything is loaded instead.
const FAILURES: u32 = 5;
/// Of how many objects it is remembered when an event named them.
const NAMED: usize = 50_000;

/// What is known of the log of events, however often the link breaks.
#[derive(Debug)]
pub(super) struct Feed {
    schema: Schema,
    known: Mutex<Known>,
    /// A webhook named an event that was not told yet.
    woken: Notify,
    page: Page,
    trash: Trash,
    /// What looks for silent edits; held by whoever listens.
    pub(super) scan: tokio::sync::Mutex<Scan>,
}

#[derive(Debug, Default)]
struct Known {
    marks: Option<Marks>,
    /// From then on everything is told.
    since: Option<SystemTime>,
    /// Somebody listens.
    listening: bool,
    /// Up to when all that changed was told.
    sure: Option<Instant>,
    owed: Owed,
    /// How often it could not be searched for what is owed, in a row.
    failures: u32,
    /// The last event that a webhook named.
    expected: Option<u64>,
    /// When an event last named an object, in seconds of the site's clock.
    named: FxHashMap<ObjectRef, i64>,
    /// Events that could not be understood.
    strange: usize,
    /// When all that can still come before events that were skipped is there to be loaded.
    again: Option<Instant>,
}

/// Reads the log for one listener.
struct Poller {
    site: Arc<Site>,
    /// Not told yet.
    signals: VecDeque<Signal>,
    /// When the last reading began, and when it was settled.
    last: Option<Instant>,
    ended: Option<Instant>,
    reading: Option<Reading>,
    /// What is sure once what is owed is settled, and once the signals are told.
    whole: Option<Instant>,
    raise: Option<Instant>,
    /// How often it was looked for the event that a webhook named.
    tries: u32,
}

/// A reading of the log that is under way.
#[derive(Debug)]
struct Reading {
    began: Instant,
    parts: VecDeque<Part>,
    /// How much of the news was read.
    rows: usize,
}

/// Subscribes.
pub(super) async fn listen(site: Arc<Site>) -> Result<BoxStream<'static, Signal>, SourceError> {
    if site.feed.known.lock().marks.is_none() {
        log::begin(&site).await?;
    }
    site.feed.known.lock().listening = true;
    let poller = Poller::new(Arc::clone(&site));
    let polling = stream::unfold(Some(poller), |state| async move {
        let mut poller = state?;
        match poller.next().await {
            Ok(signal) => Some((signal, Some(poller))),
            Err(error) => {
                poller.site.feed.known.lock().listening = false;
                Some((Signal::Lost(error.to_string()), None))
            }
        }
    });
    Ok(stream::select(polling, scan::stream(site)).boxed())
}

/// What the log names as changed since then, and the stream has not told.
pub(super) async fn catch_up(site: &Site, since: SystemTime) -> Result<Option<CatchUp>, SourceError> {
    let (told, cursor) = {
        let known = site.feed.known.lock();
        let told = known.listening && known.since.is_some_and(|from| from <= since);
        (told, known.marks.as_ref().map(|marks| Str::from(marks.low().to_string())))
    };
    if told {
        return Ok(Some(CatchUp { cursor, ..CatchUp::default() }));
    }
    let Some(rows) = log::since(site, since).await? else { return Ok(None) };
    let Hints { objects, reload, holders, retired, revived, unnamed, rules: _, strange: _ } =
        hints(&rows, &site.ends());
    // What hangs on it is not told to whoever catches up.
    let hanging = (!retired.is_empty()).then_some(Scope::Large);
    let owed = Owed { holders, revived, unnamed };
    let found = owed.settle(site).await?;
    let objects = objects.into_iter().chain(found.objects).collect();
    let reload = [reload, hanging, found.reload].into_iter().flatten().reduce(Scope::and);
    Ok(Some(CatchUp { objects, reload, cursor }))
}

// === impl Feed ===

impl Feed {
    /// The log of a site of which the schema says what is mirrored.
    pub(super) fn of(schema: &Schema) -> Self {
        Self {
            schema: schema.clone(),
            known: Mutex::default(),
            woken: Notify::new(),
            page: Page::default(),
            trash: Trash::default(),
            scan: tokio::sync::Mutex::default(),
        }
    }

    /// Up to when all that changed was told. `None`: nobody listens.
    pub(super) fn sure_until(&self) -> Option<std::time::Instant> {
        let known = self.known.lock();
        known.sure.filter(|_| known.listening).map(Instant::into_std)
    }

    /// A webhook says that this event is in the log. Returns whether that is news.
    pub(super) fn expect(&self, id: u64) -> bool {
        let mut known = self.known.lock();
        let is_news = known.marks.as_ref().is_some_and(|marks| !marks.has(id)) && known.expected < Some(id);
        if is_news {
            known.expected = Some(id);
            self.woken.notify_one();
        }
        is_news
    }

    /// These rows of a kind were read, in the trash or not. What was taken out of it is in the links of others again.
    pub(super) fn read(&self, kind: &str, ids: impl IntoIterator<Item = u64>, retired: bool) {
        let revived = self.trash.note(kind, ids, retired);
        if !revived.is_empty() {
            let mut known = self.known.lock();
            if let Err(Overflow) = known.owed.add(Owed { revived, ..Owed::default() }) {
                known.again.get_or_insert_with(Instant::now);
            }
        }
    }

    /// When an event last named the object, in seconds of the site's clock.
    pub(super) fn named(&self, object: &ObjectRef) -> Option<i64> {
        self.known.lock().named.get(object).copied()
    }

    /// What was named before then need not be remembered.
    pub(super) fn forget_named(&self, before: i64) {
        self.known.lock().named.retain(|_, at| *at >= before);
    }

    #[cfg(test)]
    pub(super) fn follow(&self, marks: Marks) {
        self.known.lock().marks = Some(marks);
    }

    /// Whether somebody who waits for webhooks is to look now. Asked once.
    #[cfg(test)]
    pub(super) fn is_woken(&self) -> bool {
        use futures_util::FutureExt as _;
        self.woken.notified().now_or_never().is_some()
    }

    /// From when on everything is told.
    pub(super) fn since(&self) -> Option<SystemTime> {
        self.known.lock().since
    }
}

// === impl Site ===

impl Site {
    /// Which rows hold the ends of links, as the site's schema is known.
    pub(super) fn ends(&self) -> Ends {
        Ends::new(&self.feed.schema, |kind, field| {
            let shape = self.shapes.usable(self.tables.of_type(kind)?)?;
            let Some(field) = shape.fields.get(field) else { return Some(Vec::new()) };
            // A link that leads nowhere in particular may lead anywhere.
            if field.may_lead_to("") { None } else { Some(field.leads_to.clone()) }
        })
    }
}

// === impl Known ===

impl Known {
    /// Begins behind the end of the log.
    fn begin(&mut self, marks: Marks, began: Instant, since: SystemTime) {
        self.marks = Some(marks);
        self.since = Some(since);
        self.expected = None;
        self.sure = self.sure.or(began.checked_sub(LAG));
    }

    fn note_named(&mut self, objects: impl Iterator<Item = ObjectRef>, at: i64) {
        for object in objects {
            if self.named.len() >= NAMED {
                // Then some rows are read once more than they need to be.
                self.named.clear();
            }
            self.named.insert(object, at);
        }
    }
}

// === impl Poller ===

impl Poller {
    fn new(site: Arc<Site>) -> Self {
        let signals = VecDeque::new();
        Self { site, signals, last: None, ended: None, reading: None, whole: None, raise: None, tries: 0 }
    }

    /// The next signal; or why there will be none.
    async fn next(&mut self) -> Result<Signal, SourceError> {
        loop {
            if let Some(signal) = self.signals.pop_front() {
                if self.signals.is_empty()
                    && let Some(sure) = self.raise.take()
                {
                    self.site.feed.known.lock().sure = Some(sure);
                }
                return Ok(signal);
            }
            match self.reading.take() {
                Some(reading) => self.read(reading).await?,
                None if self.whole.is_some() => self.settle().await,
                None => {
                    self.due().await;
                    let now = Instant::now();
                    self.last = Some(now);
                    let mut known = self.site.feed.known.lock();
                    let parts = known.marks.as_ref().map(Part::all).unwrap_or_default();
                    self.reading = Some(Reading { began: now, parts, rows: 0 });
                    if known.again.take_if(|again| *again <= now).is_some() {
                        self.signals.push_back(Signal::Reload { scope: Scope::All, objects: Vec::new() });
                    }
                }
            }
        }
    }

    /// Waits until it is time to look: when the interval is over, or soon if a webhook says so.
    async fn due(&mut self) {
        let Some(last) = self.last else { return };
        let feed = &self.site.feed;
        let rested = self.ended.unwrap_or(last) + self.site.poll_interval / 2;
        let regular = rested.max(last + self.site.poll_interval);
        let soon = regular.min(last + SOON);
        if feed.known.lock().expected.is_some() {
            return sleep_until(soon).await;
        }
        tokio::select! {
            () = sleep_until(regular) => {}
            () = feed.woken.notified() => sleep_until(soon).await,
        }
    }

    /// Reads one more page.
    async fn read(&mut self, reading: Reading) -> Result<(), SourceError> {
        let Reading { began, mut parts, rows: before } = reading;
        if before >= log::MOST {
            return self.too_much("more events than are read in a row").await;
        }
        let Some(mut part) = parts.pop_front() else { return Ok(()) };
        let Read { rows, seen, full } = match log::part(&self.site, &part).await {
            Err(Failure::TooLarge(_)) => return self.too_much("an event is larger than is read").await,
            read => read?,
        };
        let read = if part.is_news() { before + rows.len() } else { before };
        if full && let Some(last) = seen.iter().map(|row| row.id).max().filter(|last| *last > part.above) {
            part.above = last;
            parts.push_front(part);
        }
        let ends = self.site.ends();
        let now = Instant::now();
        let wall = self.site.client.on_its_clock(SystemTime::now());
        let noted = {
            let mut known = self.site.feed.known.lock();
            let Known { marks, .. } = &mut *known;
            match marks.as_mut().map_or(Ok(Vec::new()), |marks| marks.take(&seen, now.into_std())) {
                Ok(news) => {
                    let rows: Vec<_> = rows.into_iter().filter(|row| news.binary_search(&row.id).is_ok()).collect();
                    let found = hints(&rows, &ends);
                    let newest = seen.iter().filter_map(|row| row.made).max().unwrap_or_default().min(wall);
                    known.note_named(found.objects.iter().cloned(), newest);
                    known.strange = known.strange.saturating_add(found.strange);
                    if found.strange > 0 {
                        tracing::debug!(events = known.strange, "events of Flow that are not understood");
                    }
                    if parts.is_empty()
                        && let Some(marks) = &mut known.marks
                    {
                        marks.finish(began.into_std(), now.into_std(), wall);
                    }
                    Ok((found, known.marks.as_ref().map(|marks| Str::from(marks.low().to_string()))))
                }
                Err(overflow) => Err(overflow),
            }
        };
        let Ok((found, cursor)) = noted else {
            return self.too_much("more events are missing than are remembered").await;
        };
        self.tell(found, cursor);
        if parts.is_empty() {
            self.whole = Some(began);
            self.look_again();
        } else {
            self.reading = Some(Reading { began, parts, rows: read });
        }
        Ok(())
    }

    /// Settles what is owed; then what was read is sure. What cannot be settled now is owed until the next time.
    async fn settle(&mut self) {
        let owed = self.site.feed.known.lock().owed.clone();
        let found = if owed.is_empty() { Ok(Found::default()) } else { owed.settle(&self.site).await };
        self.ended = Some(Instant::now());
        let mut known = self.site.feed.known.lock();
        let settled = match found {
            Ok(Found { objects, reload }) => {
                self.signals.extend(changed(objects, reload, None));
                true
            }
            Err(error) if known.failures + 1 < FAILURES => {
                tracing::debug!(%error, "what events of Flow do not name is not found yet");
                false
            }
            Err(error) => {
                tracing::warn!(%error, "what events of Flow do not name cannot be searched for: loading everything");
                self.signals.push_back(Signal::Reload { scope: Scope::All, objects: Vec::new() });
                true
            }
        };
        known.failures = if settled { 0 } else { known.failures + 1 };
        if settled {
            known.owed.remove(&owed);
        }
        self.raise = self.whole.take().filter(|_| settled).and_then(|began| began.checked_sub(LAG));
        if self.signals.is_empty() {
            self.signals.push_back(Signal::Heartbeat);
        }
    }

    /// Whether a webhook's event is still to come.
    fn look_again(&mut self) {
        let mut known = self.site.feed.known.lock();
        let comes = known.expected.filter(|id| known.marks.as_ref().is_some_and(|marks| !marks.has(*id)));
        self.tries = if comes.is_some() { self.tries + 1 } else { 0 };
        if comes.is_none() || self.tries >= TRIES {
            (known.expected, self.tries) = (None, 0);
        }
    }

    fn tell(&mut self, found: Hints, cursor: Option<Str>) {
        let Hints { objects, reload, holders, retired, revived, unnamed, rules, strange: _ } = found;
        let roles: Vec<_> = objects.iter().filter(|object| object.kind == "permission_rule_set").cloned().collect();
        for rules in rules {
            self.signals.push_back(Signal::RulesChanged { objects: roles.clone(), said: rules.to_string() });
        }
        self.signals.extend(changed(objects.into_iter().collect(), reload, cursor));
        if !retired.is_empty() {
            self.signals.push_back(Signal::Hanging { on: retired.into_iter().collect(), field: HANGS_BY.into() });
        }
        // Those that no longer lead there are known to the mirror alone.
        for Holder { kind: _, field, of: (to, id) } in &holders {
            let on = self.site.ends().object(to, *id).into_iter().collect();
            self.signals.push_back(Signal::Hanging { on, field: field.clone() });
        }
        for object in &revived {
            self.site.feed.trash.note(&object.kind, read::number(&object.id), false);
        }
        let all = self.site.feed.known.lock().owed.add(Owed { holders, revived, unnamed });
        if let Err(Overflow) = all {
            self.signals.push_back(Signal::Reload { scope: Scope::All, objects: Vec::new() });
        }
    }

    /// Begins anew behind the end of the log, and has everything loaded; and once more when nothing that was skipped can
    /// still come.
    async fn too_much(&mut self, why: &'static str) -> Result<(), SourceError> {
        tracing::warn!(why, "the log of events cannot be followed one by one: loading everything");
        let began = self.last.unwrap_or_else(Instant::now);
        log::begin(&self.site).await?;
        self.site.feed.known.lock().again = Some(Instant::now() + LATE + LAG);
        self.whole = Some(began);
        self.signals.push_back(Signal::Reload { scope: Scope::All, objects: Vec::new() });
        let said = "perhaps: some of the log was skipped".into();
        self.signals.push_back(Signal::RulesChanged { objects: Vec::new(), said });
        Ok(())
    }
}

/// What is told of these, if anything.
fn changed(objects: Vec<ObjectRef>, reload: Option<Scope>, cursor: Option<Str>) -> Option<Signal> {
    match reload {
        Some(scope) => Some(Signal::Reload { scope, objects }),
        None if objects.is_empty() => None,
        None => Some(Signal::Changed { objects, cursor }),
    }
}
