//! Which changes of a status were ours: made by our user, and written by this process. People may share the user.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};

use parking_lot::Mutex;

use crate::model::id::Id;
use crate::tracker::date;
use crate::tracker::writer::Move;

/// How many of our writes are remembered.
const MOST: usize = 10_000;
/// How many seconds a change may be dated before and after our write.
const BEFORE: i64 = 5;
const AFTER: i64 = 120;
/// Zones lie whole quarters of an hour from UTC, and none further than this.
const QUARTER: i64 = 900;
const ANY_ZONE: i64 = 15 * 3600;

/// What we wrote.
#[derive(Debug, Default)]
pub(super) struct Own {
    us: Mutex<Option<Id>>,
    writes: Mutex<VecDeque<Write>>,
    /// The server dates in its own zone, not in UTC.
    zoned: AtomicBool,
}

#[derive(Debug)]
struct Write {
    object: String,
    to: Id,
    /// In seconds, on the server's clock in UTC.
    at: i64,
    /// The change that it became.
    moved: Option<Id>,
}

// === impl Own ===

impl Own {
    pub(super) fn us(&self) -> Option<Id> {
        self.us.lock().clone()
    }

    pub(super) fn set_us(&self, us: &Id) {
        *self.us.lock() = Some(us.clone());
    }

    /// Whether the server dates in UTC, as it says.
    pub(super) fn note_clock(&self, utc: Option<bool>) {
        self.zoned.store(utc != Some(true), Ordering::Relaxed);
    }

    pub(super) fn is_utc(&self) -> bool {
        !self.zoned.load(Ordering::Relaxed)
    }

    /// We are about to write this.
    pub(super) fn write(&self, object: &str, to: &Id, at: i64) {
        let mut writes = self.writes.lock();
        if writes.len() >= MOST {
            writes.pop_front();
        }
        writes.push_back(Write { object: object.to_owned(), to: to.clone(), at, moved: None });
    }

    /// The server did not take it.
    pub(super) fn unwrite(&self, object: &str, to: &Id) {
        let mut writes = self.writes.lock();
        let last = writes.iter().rposition(|write| write.object == object && write.to == *to && write.moved.is_none());
        if let Some(at) = last {
            writes.remove(at);
        }
    }

    /// Finds our writes among the moves of an object. Each write is one move: a later one like it is not ours.
    pub(super) fn claim(&self, object: &str, moves: &[Move]) {
        let Some(us) = self.us() else { return };
        let utc = self.is_utc();
        let mut writes = self.writes.lock();
        // Oldest first, as they were written.
        for moved in moves.iter().rev().filter(|moved| moved.by.as_ref() == Some(&us)) {
            if writes.iter().any(|write| write.moved.as_ref() == Some(&moved.id)) {
                continue;
            }
            let at = date::seconds(moved.at);
            let fits = |write: &&mut Write| {
                write.object == object && write.to == moved.to && write.moved.is_none() && soon(at - write.at, utc)
            };
            if let Some(write) = writes.iter_mut().find(fits) {
                write.moved = Some(moved.id.clone());
            }
        }
    }

    pub(super) fn is_own(&self, moved: &Move) -> bool {
        self.writes.lock().iter().any(|write| write.moved.as_ref() == Some(&moved.id))
    }
}

fn soon(after: i64, utc: bool) -> bool {
    let after = match utc {
        true => after,
        false if after.abs() > ANY_ZONE => return false,
        false => (after + BEFORE).rem_euclid(QUARTER) - BEFORE,
    };
    (-BEFORE..=AFTER).contains(&after)
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, UNIX_EPOCH};

    use super::*;

    fn moved(id: &str, by: &str, to: &str, at: u64) -> Move {
        let at = UNIX_EPOCH + Duration::from_secs(at);
        Move { id: Id::from(id), by: Some(Id::from(by)), from: None, to: Id::from(to), at }
    }

    fn own() -> Own {
        let own = Own::default();
        own.set_us(&Id::from("api"));
        own.write("t", &Id::from("ready"), 1000);
        own
    }

    #[test]
    fn a_write_is_one_move_and_a_later_one_like_it_is_not_ours() {
        let own = own();
        let (first, later) = (moved("1", "api", "ready", 1001), moved("2", "api", "ready", 1060));
        own.claim("t", &[later.clone(), first.clone()]);
        assert!(own.is_own(&first) && !own.is_own(&later));
        own.claim("t", &[later.clone(), first.clone()]);
        assert!(own.is_own(&first) && !own.is_own(&later));
    }

    #[test]
    fn what_others_did_or_our_user_did_elsewhere_otherwise_or_at_another_time_is_not_ours() {
        for (object, moved) in [
            ("t", moved("1", "ada", "ready", 1001)),
            ("other", moved("1", "api", "ready", 1001)),
            ("t", moved("1", "api", "approved", 1001)),
            ("t", moved("1", "api", "ready", 900)),
            ("t", moved("1", "api", "ready", 1500)),
        ] {
            let own = own();
            own.claim(object, std::slice::from_ref(&moved));
            assert!(!own.is_own(&moved), "{object} {moved:?}");
        }
        let own = own();
        own.unwrite("t", &Id::from("ready"));
        own.claim("t", &[moved("1", "api", "ready", 1001)]);
        assert!(!own.is_own(&moved("1", "api", "ready", 1001)), "the server did not take it");
    }

    #[test]
    fn zones_are_allowed_for_only_where_the_server_has_one() {
        for (offset, zoned, ours) in
            [(7200, true, true), (-20_700, true, true), (7200, false, false), (60_000, true, false)]
        {
            let own = own();
            own.note_clock(Some(!zoned));
            let at = u64::try_from(60_000 + 1001 + offset).unwrap();
            own.write("u", &Id::from("ready"), 61_000);
            let moved = moved("1", "api", "ready", at);
            own.claim("u", std::slice::from_ref(&moved));
            assert_eq!(own.is_own(&moved), ours, "{offset} {zoned}");
        }
    }

    #[test]
    fn memory_is_bounded() {
        let own = own();
        (0..20_000).for_each(|at| own.write("t", &Id::from("ready"), at));
        assert_eq!(own.writes.lock().len(), MOST);
    }
}
