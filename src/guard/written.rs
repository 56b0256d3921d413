//! What we wrote, to know our put-backs again among the moves of an object: by what they lead from and to, never by a
//! clock. It begins with what the decision log tells of processes before. People may share our user at the tracker.

use std::collections::VecDeque;

use crate::ledger::PutBack;
use crate::model::id::ObjectRef;
use crate::tracker::writer::Move;

/// How many writes are remembered.
const MOST: usize = 10_000;

/// Writes that were done or tried, oldest first.
#[derive(Debug, Default)]
pub(super) struct Written(VecDeque<PutBack>);

// === impl Written ===

impl Written {
    pub(super) fn new(known: Vec<PutBack>) -> Self {
        let mut written = Self::default();
        known.into_iter().for_each(|write| written.add(write));
        written
    }

    /// We are about to write this.
    pub(super) fn add(&mut self, write: PutBack) {
        if self.0.back() == Some(&write) {
            return;
        }
        if self.0.len() >= MOST {
            self.0.pop_front();
        }
        self.0.push_back(write);
    }

    /// What was written to the object.
    pub(super) fn of(&self, object: &ObjectRef) -> Vec<PutBack> {
        self.0.iter().filter(|write| write.object == *object).cloned().collect()
    }
}

/// Whether the move at that place of a history, newest first, is one of these writes. One write is one move: the first that
/// is like it after what it answers. Where the history does not have that, any that is like it.
pub(super) fn is_among(writes: &[PutBack], moves: &[Move], place: usize, is_us: impl Fn(&Move) -> bool) -> bool {
    let Some(moved) = moves.get(place).filter(|moved| is_us(moved)) else { return false };
    let is = |write: &PutBack, moved: &Move| moved.to == write.to && moved.from.as_ref() == Some(&write.from);
    writes.iter().filter(|write| is(write, moved)).any(|write| {
        let Some(answered) = moves.iter().position(|moved| moved.id == write.change) else { return true };
        let newer = moves.iter().take(answered);
        newer
            .enumerate()
            .filter(|(_, moved)| is_us(moved) && is(write, moved))
            .last()
            .is_some_and(|(at, _)| at == place)
    })
}

#[cfg(test)]
mod tests {
    use std::time::SystemTime;

    use super::*;
    use crate::model::id::Id;

    fn moved(id: &str, by: &str, from: &str, to: &str) -> Move {
        let id_of = Id::from;
        Move { id: id_of(id), by: Some(id_of(by)), from: Some(id_of(from)), to: id_of(to), at: SystemTime::UNIX_EPOCH }
    }

    fn write(change: &str) -> PutBack {
        PutBack {
            object: ObjectRef::new("task", "t"),
            from: Id::from("final"),
            to: Id::from("approved"),
            change: Id::from(change),
        }
    }

    #[test]
    fn a_write_is_the_first_move_like_it_after_what_it_answers_whatever_the_clock_says() {
        let is_us = |moved: &Move| moved.by.as_ref().is_some_and(|by| by.is("us"));
        let moves = [
            moved("5", "us", "final", "approved"),
            moved("4", "boss", "approved", "final"),
            moved("3", "us", "final", "approved"),
            moved("2", "ada", "approved", "final"),
            moved("1", "us", "final", "approved"),
        ];
        let own =
            |change: &str| (0..5).filter(|place| is_among(&[write(change)], &moves, *place, is_us)).collect::<Vec<_>>();
        assert_eq!(own("2"), [2], "not the one before, nor the later one of whoever shares the user");
        assert_eq!(own("forgotten"), [0, 2, 4]);
        assert!(!is_among(&[], &moves, 2, is_us) && !is_among(&[write("2")], &moves, 1, is_us));
        let other = PutBack { to: Id::from("wip"), ..write("2") };
        assert!(!is_among(&[other], &moves, 2, is_us));
    }

    #[test]
    fn memory_is_bounded() {
        let mut written = Written::default();
        (0..MOST + 10).for_each(|number| written.add(write(&number.to_string())));
        assert_eq!(written.0.len(), MOST);
        assert_eq!(written.of(&ObjectRef::new("task", "t")).len(), MOST);
        assert!(written.of(&ObjectRef::new("task", "u")).is_empty());
    }
}
