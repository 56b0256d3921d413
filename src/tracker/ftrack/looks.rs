//! What is to be looked at once more: an event may come before its row can be read over the API.
//!
//! Also the loads that are owed because more changed than single objects. Outlives the link: what an event of the last one
//! named is looked at by the next.

use std::collections::VecDeque;
use std::time::Duration;

use parking_lot::Mutex;
use rustc_hash::FxHashMap;
use tokio::sync::Notify;
use tokio::time::{Instant, sleep_until};

use crate::model::id::ObjectRef;
use crate::tracker::{Scope, Signal};

/// Beyond so many objects everything is loaded.
const MOST: usize = 20_000;

/// What was hinted, and what is owed.
#[derive(Debug)]
pub(super) struct Looks {
    began: Instant,
    owed: Mutex<Owed>,
    /// Something is owed at once.
    told: Notify,
}

#[derive(Debug, Default)]
struct Owed {
    /// When each was hinted, oldest first.
    queue: VecDeque<(Instant, ObjectRef)>,
    /// The last time an object was hinted: earlier entries of the queue are void.
    last: FxHashMap<ObjectRef, Instant>,
    /// The last time an event did not name what changed, and where that is.
    load: Option<(Instant, Scope)>,
    /// A load to be told of at once, and since when.
    now: Option<(Instant, Scope)>,
}

// === impl Looks ===

impl Looks {
    /// These were hinted now.
    pub(super) fn add(&self, objects: &[ObjectRef]) {
        let now = Instant::now();
        let mut owed = self.owed.lock();
        for object in objects {
            if owed.queue.len() >= MOST {
                return owed.reload(now, Scope::All);
            }
            owed.last.insert(object.clone(), now);
            owed.queue.push_back((now, object.clone()));
        }
    }

    /// Something of this scope was announced now.
    pub(super) fn add_load(&self, scope: Scope) {
        self.owed.lock().reload(Instant::now(), scope);
    }

    /// A load is to be told of at once.
    pub(super) fn owe(&self, scope: Scope) {
        let now = &mut self.owed.lock().now;
        *now = Some(now.map_or((Instant::now(), scope), |(_, other)| (Instant::now(), other.and(scope))));
        self.told.notify_one();
    }

    /// A load of everything that began then is done, and answers what it may have seen.
    pub(super) fn loaded(&self, began: Instant, after: Duration) {
        let mut owed = self.owed.lock();
        while let Some((at, object)) = owed.queue.pop_front_if(|(at, _)| *at + after <= began) {
            if owed.last.get(&object) == Some(&at) {
                owed.last.remove(&object);
            }
        }
        owed.load = owed.load.filter(|(at, _)| *at + after > began);
        owed.now = owed.now.filter(|(at, _)| *at > began);
    }

    /// Up to when all that was announced can be in the mirror; `None`: up to now.
    pub(super) fn sure_until(&self) -> Option<Instant> {
        let owed = self.owed.lock();
        let hinted = owed.queue.front().map(|(at, _)| *at);
        let announced = owed.load.map(|(at, _)| at);
        // What that load is for may have changed at any time.
        let now = owed.now.map(|_| self.began);
        [hinted, announced, now].into_iter().flatten().min()
    }

    /// Waits until something is due, for ever where nothing is.
    pub(super) async fn due(&self, after: Duration) -> Signal {
        loop {
            let next = match self.take(after) {
                Ok(signal) => return signal,
                Err(next) => next,
            };
            let waiting = async {
                match next {
                    Some(at) => sleep_until(at).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                () = waiting => {}
                () = self.told.notified() => {}
            }
        }
    }

    /// What is due, or when the next is.
    fn take(&self, after: Duration) -> Result<Signal, Option<Instant>> {
        let mut owed = self.owed.lock();
        if let Some((_, scope)) = owed.now.take() {
            return Ok(Signal::Reload { scope, objects: Vec::new() });
        }
        let now = Instant::now();
        let mut objects = Vec::new();
        while let Some((at, object)) = owed.queue.pop_front_if(|(at, _)| *at + after <= now) {
            if owed.last.get(&object) == Some(&at) {
                owed.last.remove(&object);
                objects.push(object);
            }
        }
        if let Some((_, scope)) = owed.load.take_if(|(at, _)| *at + after <= now) {
            return Ok(Signal::Reload { scope, objects });
        }
        if !objects.is_empty() {
            return Ok(Signal::Changed { objects, cursor: None });
        }
        let queued = owed.queue.front().map(|(at, _)| *at);
        Err([queued, owed.load.map(|(at, _)| at)].into_iter().flatten().min().map(|at| at + after))
    }
}

impl Default for Looks {
    fn default() -> Self {
        Self { began: Instant::now(), owed: Mutex::default(), told: Notify::new() }
    }
}

impl Owed {
    fn reload(&mut self, at: Instant, scope: Scope) {
        self.load = Some((at, self.load.map_or(scope, |(_, other)| other.and(scope))));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const AFTER: Duration = Duration::from_millis(200);

    fn objects(ids: &[&str]) -> Vec<ObjectRef> {
        ids.iter().map(|id| ObjectRef::new("user", id)).collect()
    }

    fn changed(ids: &[&str]) -> Signal {
        Signal::Changed { objects: objects(ids), cursor: None }
    }

    fn reload(scope: Scope) -> Signal {
        Signal::Reload { scope, objects: Vec::new() }
    }

    async fn nothing(looks: &Looks) {
        let nothing = tokio::time::timeout(AFTER * 2, looks.due(AFTER)).await;
        assert!(nothing.is_err(), "{nothing:?}");
        assert_eq!(looks.sure_until(), None);
        assert!(looks.owed.lock().last.is_empty());
    }

    #[tokio::test]
    async fn each_is_looked_at_once_after_its_last_hint() {
        let looks = Looks::default();
        let started = Instant::now();
        looks.add(&objects(&["a", "b"]));
        tokio::time::sleep(AFTER / 2).await;
        looks.add(&objects(&["a", "c"]));
        assert!(looks.sure_until().unwrap() < started + AFTER / 2);
        assert_eq!(looks.due(AFTER).await, changed(&["b"]));
        assert!(started.elapsed() >= AFTER && looks.sure_until().unwrap() >= started + AFTER / 2);
        assert_eq!(looks.due(AFTER).await, changed(&["a", "c"]));
        assert!(started.elapsed() >= AFTER + AFTER / 2);
        nothing(&looks).await;
    }

    #[tokio::test]
    async fn what_does_not_fit_is_loaded_later() {
        let looks = Looks::default();
        for round in 0..30 {
            let many: Vec<_> = (0..1000).map(|id| ObjectRef::new("user", &format!("{round}-{id}"))).collect();
            looks.add(&many);
        }
        assert_eq!(looks.owed.lock().queue.len(), MOST);
        let started = Instant::now();
        let mut all = false;
        while looks.sure_until().is_some() {
            all |= matches!(looks.due(AFTER).await, Signal::Reload { scope: Scope::All, .. });
        }
        assert!(all && started.elapsed() >= AFTER / 2);
        nothing(&looks).await;
    }

    #[tokio::test]
    async fn a_burst_of_announcements_is_loaded_once_more() {
        let looks = Looks::default();
        for _ in 0..3 {
            looks.add_load(Scope::Core);
            tokio::time::sleep(AFTER / 4).await;
        }
        let last = Instant::now();
        assert_eq!(looks.due(AFTER).await, reload(Scope::Core));
        assert!(last.elapsed() >= AFTER / 2);
        looks.add_load(Scope::Core);
        looks.add_load(Scope::Large);
        assert_eq!(looks.due(AFTER).await, reload(Scope::All));
        nothing(&looks).await;
    }

    #[tokio::test]
    async fn what_is_owed_at_once_wakes_who_waits() {
        let looks = Looks::default();
        let started = Instant::now();
        let owing = async {
            tokio::time::sleep(AFTER / 4).await;
            looks.owe(Scope::Large);
            assert!(looks.sure_until().unwrap() <= started);
        };
        let (due, ()) = tokio::join!(looks.due(AFTER), owing);
        assert_eq!(due, reload(Scope::Large));
        assert!(started.elapsed() < AFTER);
        nothing(&looks).await;
    }

    #[tokio::test]
    async fn a_load_answers_what_was_hinted_long_enough_before_it() {
        let looks = Looks::default();
        looks.add(&objects(&["a"]));
        looks.add_load(Scope::Large);
        looks.owe(Scope::Large);
        looks.loaded(Instant::now() + AFTER / 2, AFTER);
        assert_eq!(looks.owed.lock().now, None);
        assert!(looks.sure_until().is_some());
        tokio::time::sleep(AFTER).await;
        let began = Instant::now();
        looks.add(&objects(&["b"]));
        looks.loaded(began, AFTER);
        assert_eq!(looks.due(AFTER).await, changed(&["b"]));
        nothing(&looks).await;
    }
}
