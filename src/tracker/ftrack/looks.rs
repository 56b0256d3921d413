//! Objects to look at once more: an event may come before its row can be read over the API.

use std::collections::VecDeque;
use std::time::Duration;

use rustc_hash::FxHashMap;
use tokio::time::{Instant, sleep_until};

use crate::model::id::ObjectRef;

/// Beyond so many objects the reconcile has to do.
const MOST: usize = 20_000;

/// What was hinted, and when it is looked at again.
#[derive(Debug)]
pub(super) struct Looks {
    after: Duration,
    queue: VecDeque<(Instant, ObjectRef)>,
    /// The last time an object was hinted: earlier entries of the queue are void.
    last: FxHashMap<ObjectRef, Instant>,
}

// === impl Looks ===

impl Looks {
    pub(super) fn new(after: Duration) -> Self {
        Self { after, queue: VecDeque::new(), last: FxHashMap::default() }
    }

    /// These were hinted now.
    pub(super) fn add(&mut self, objects: &[ObjectRef]) {
        let at = Instant::now() + self.after;
        for object in objects {
            if self.queue.len() >= MOST {
                return;
            }
            self.last.insert(object.clone(), at);
            self.queue.push_back((at, object.clone()));
        }
    }

    /// Waits until some are due, for ever where there are none.
    pub(super) async fn due(&mut self) -> Vec<ObjectRef> {
        loop {
            match self.queue.front() {
                Some((at, _)) => sleep_until(*at).await,
                None => std::future::pending().await,
            }
            let now = Instant::now();
            let mut due = Vec::new();
            while let Some((at, object)) = self.queue.pop_front_if(|(at, _)| *at <= now) {
                if self.last.get(&object) == Some(&at) {
                    self.last.remove(&object);
                    due.push(object);
                }
            }
            if !due.is_empty() {
                return due;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn objects(ids: &[&str]) -> Vec<ObjectRef> {
        ids.iter().map(|id| ObjectRef::new("user", id)).collect()
    }

    #[tokio::test]
    async fn each_is_looked_at_once_after_its_last_hint() {
        let mut looks = Looks::new(Duration::from_millis(200));
        let started = Instant::now();
        looks.add(&objects(&["a", "b"]));
        tokio::time::sleep(Duration::from_millis(100)).await;
        looks.add(&objects(&["a", "c"]));
        assert_eq!(looks.due().await, objects(&["b"]));
        assert!(started.elapsed() >= Duration::from_millis(200));
        assert_eq!(looks.due().await, objects(&["a", "c"]));
        assert!(started.elapsed() >= Duration::from_millis(300));
        let nothing = tokio::time::timeout(Duration::from_millis(300), looks.due()).await;
        assert!(nothing.is_err(), "{nothing:?}");
        assert!(looks.last.is_empty() && looks.queue.is_empty());
    }

    #[tokio::test]
    async fn memory_is_bounded() {
        let mut looks = Looks::new(Duration::from_millis(1));
        for round in 0..30 {
            let many: Vec<_> = (0..1000).map(|id| ObjectRef::new("user", &format!("{round}-{id}"))).collect();
            looks.add(&many);
        }
        assert_eq!(looks.queue.len(), MOST);
        assert!(looks.due().await.len() <= MOST);
    }
}
