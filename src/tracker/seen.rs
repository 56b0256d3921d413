//! What the supervisor tells whoever watches the tracker's objects: what was re-read, and where something may be missing.

use std::time::{Duration, SystemTime};

use tokio::sync::mpsc;

use crate::model::id::ObjectRef;

/// How many messages may wait; beyond that a gap is told instead.
const WAITING: usize = 1024;
/// How long something may have waited to be re-read before it is told.
const LAG: Duration = Duration::from_secs(60);

/// What was seen of the tracker.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Seen {
    /// These objects were re-read and what was found is applied, whether it differed or not; or they are read on first use
    /// and have changed. Named by their tables.
    Objects(Vec<ObjectRef>),
    /// More may have changed since then than was told object by object.
    Gap { since: SystemTime },
}

/// The two ends.
pub fn channel() -> (mpsc::Sender<Seen>, mpsc::Receiver<Seen>) {
    mpsc::channel(WAITING)
}

/// The supervisor's end: never waits, and forgets nothing for good.
#[derive(Debug, Default)]
pub(super) struct Teller {
    sender: Option<mpsc::Sender<Seen>>,
    /// Since when something is untold because the other end is behind.
    untold: Option<SystemTime>,
}

// === impl Teller ===

impl Teller {
    pub(super) fn tells(&mut self, sender: mpsc::Sender<Seen>) {
        self.sender = Some(sender);
    }

    pub(super) fn objects(&mut self, objects: impl Iterator<Item = ObjectRef>) {
        let Some(sender) = &self.sender else { return };
        let objects: Vec<_> = objects.collect();
        if self.untold.is_none() && !objects.is_empty() && sender.try_send(Seen::Objects(objects)).is_err() {
            // They may have waited to be re-read for a while.
            self.gap(SystemTime::now().checked_sub(LAG).unwrap_or(SystemTime::UNIX_EPOCH));
        }
    }

    pub(super) fn gap(&mut self, since: SystemTime) {
        if self.sender.is_some() {
            self.untold = Some(self.untold.map_or(since, |untold| untold.min(since)));
            self.catch_up();
        }
    }

    /// Tells what could not be told before.
    pub(super) fn catch_up(&mut self) {
        let (Some(sender), Some(since)) = (&self.sender, self.untold) else { return };
        if sender.try_send(Seen::Gap { since }).is_ok() {
            self.untold = None;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_gap_begins_before_what_did_not_fit_was_seen() {
        let (sender, mut receiver) = channel();
        let mut teller = Teller::default();
        teller.tells(sender);
        let started = SystemTime::now();
        (0..=WAITING).for_each(|_| teller.objects(std::iter::once(ObjectRef::new("task", "t"))));
        while let Ok(Seen::Objects(_)) = receiver.try_recv() {}
        teller.catch_up();
        let Ok(Seen::Gap { since }) = receiver.try_recv() else { panic!("no gap") };
        assert!(since < started);
    }

    #[test]
    fn what_does_not_fit_becomes_one_gap() {
        let (sender, mut receiver) = channel();
        let mut teller = Teller::default();
        let object = ObjectRef::new("task", "t");
        teller.objects(std::iter::once(object.clone()));
        teller.tells(sender);
        (0..WAITING + 10).for_each(|_| teller.objects(std::iter::once(object.clone())));
        let long_ago = SystemTime::UNIX_EPOCH;
        teller.gap(long_ago);
        for _ in 0..WAITING {
            assert_eq!(receiver.try_recv(), Ok(Seen::Objects(vec![object.clone()])));
        }
        assert!(receiver.try_recv().is_err());
        teller.catch_up();
        assert_eq!(receiver.try_recv(), Ok(Seen::Gap { since: long_ago }));
        teller.catch_up();
        teller.objects(std::iter::empty());
        assert!(receiver.try_recv().is_err());
    }
}
