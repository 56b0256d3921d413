//! Whether an object's status was set by somebody who may not, and what it was before. Pure: from a history alone.

use std::cell::RefCell;

use super::{Judge, written};
use crate::engine::Ruling;
use crate::ledger::PutBack;
use crate::model::id::{Id, ObjectRef, Str};
use crate::tracker::writer::{History, Move};

/// What a history says.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Nothing is to be done.
    Nothing,
    /// The mirror cannot tell yet.
    Later,
    /// The status is restricted, and the history does not say how the object came to it.
    Unclear(Id),
    Violation(Violation),
}

/// A status that was set by somebody who may not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Violation {
    pub(super) name: Str,
    /// The tracker's id of the move.
    pub(super) change: Id,
    pub(super) by: Option<Id>,
    /// The status that the object has.
    pub(super) status: Id,
    /// The newest status before that was no violation itself; `None`: there is none.
    pub(super) to: Option<Id>,
    pub(super) restriction: Str,
    pub(super) message: Str,
}

/// A status and who set it: what a verdict depends on besides the history.
pub(super) type Asked = (Id, Option<Id>);

/// The history of an object, and what helps to judge it.
pub(super) struct Case<'a, J> {
    object: &'a ObjectRef,
    history: &'a History,
    judge: &'a J,
    /// Whether a move was made by our user.
    is_us: &'a dyn Fn(&Move) -> bool,
    /// What we wrote to the object.
    writes: &'a [PutBack],
    asked: RefCell<Vec<Asked>>,
}

/// The mirror does not know yet.
struct Unknown;

/// The move that led to the status that the object has, and that status.
pub(super) fn newest(history: &History) -> Option<(&Move, &Id)> {
    let status = history.status.as_ref()?;
    history.moves.first().filter(|newest| newest.to == *status).map(|newest| (newest, status))
}

// === impl Case ===

impl<'a, J: Judge> Case<'a, J> {
    pub(super) fn new(
        object: &'a ObjectRef,
        history: &'a History,
        judge: &'a J,
        is_us: &'a dyn Fn(&Move) -> bool,
        writes: &'a [PutBack],
    ) -> Self {
        Self { object, history, judge, is_us, writes, asked: RefCell::default() }
    }

    /// Judges the newest move, and says what that depends on.
    pub(super) fn verdict(self) -> (Verdict, Vec<Asked>) {
        let verdict = self.of_newest().unwrap_or(Verdict::Later);
        (verdict, self.asked.into_inner())
    }

    /// Whether our own move has followed the violating one.
    pub(super) fn is_answered(&self, violation: &Violation) -> bool {
        let Some(newest) = self.history.moves.first().filter(|newest| (self.is_us)(newest)) else { return false };
        newest.from.as_ref() == Some(&violation.status)
            && violation.to.as_ref() == Some(&newest.to)
            && self.is_written(0)
    }

    fn of_newest(&self) -> Result<Verdict, Unknown> {
        let history = self.history;
        let Some(status) = &history.status else { return Ok(Verdict::Nothing) };
        let Some((newest, _)) = newest(history) else {
            return match self.judge.restriction(self.object, status, None) {
                Ruling::Allowed => Ok(Verdict::Nothing),
                Ruling::Forbidden { .. } => Ok(Verdict::Unclear(status.clone())),
                Ruling::Unknown => Err(Unknown),
            };
        };
        let of_newest = match self.is_own(0)? {
            true => Ruling::Allowed,
            false => self.ruling_on(newest),
        };
        let mut rulings = vec![of_newest];
        // Each of these may be the newest as well.
        for rival in &history.rivals {
            let alone = std::slice::from_ref(rival);
            let own = written::is_among(self.writes, alone, 0, self.is_us);
            rulings.push(if own { Ruling::Allowed } else { self.ruling_on(rival) });
        }
        if rulings.iter().any(|ruling| matches!(ruling, Ruling::Unknown)) {
            return Err(Unknown);
        }
        let allowed = rulings.iter().filter(|ruling| matches!(ruling, Ruling::Allowed)).count();
        if allowed == rulings.len() {
            return Ok(Verdict::Nothing);
        }
        let Some(Ruling::Forbidden { restriction, message }) = rulings.into_iter().next().filter(|_| allowed == 0)
        else {
            return Ok(Verdict::Unclear(status.clone()));
        };
        // Whose it was stays open: nobody is told.
        let by = newest.by.clone().filter(|_| history.rivals.is_empty());
        Ok(Verdict::Violation(Violation {
            name: history.name.clone(),
            change: newest.id.clone(),
            by,
            status: status.clone(),
            to: self.before()?,
            restriction,
            message,
        }))
    }

    fn ruling_on(&self, moved: &Move) -> Ruling {
        self.asked.borrow_mut().push((moved.to.clone(), moved.by.clone()));
        self.judge.restriction(self.object, &moved.to, moved.by.as_ref())
    }

    /// The ruling on an earlier move. Who made it matters only where the status is restricted.
    fn ruling_on_earlier(&self, status: &Id, by: Option<&Id>) -> Ruling {
        match self.judge.restriction(self.object, status, None) {
            Ruling::Allowed => Ruling::Allowed,
            nobodys => match by {
                None => nobodys,
                Some(by) => {
                    self.asked.borrow_mut().push((status.clone(), Some(by.clone())));
                    self.judge.restriction(self.object, status, Some(by))
                }
            },
        }
    }

    fn is_written(&self, place: usize) -> bool {
        written::is_among(self.writes, &self.history.moves, place, self.is_us)
    }

    /// Whether the move at that place is a put-back of ours: one that is remembered; or one by our user that directly
    /// answers somebody else's violation, back to what the object had been.
    fn is_own(&self, place: usize) -> Result<bool, Unknown> {
        let mut moves = self.history.moves.iter().skip(place);
        let (Some(moved), Some(answered)) = (moves.next(), moves.next()) else { return Ok(self.is_written(place)) };
        if !(self.is_us)(moved) || self.is_written(place) {
            return Ok((self.is_us)(moved));
        }
        let to = &moved.to;
        let is_back = answered.from.as_ref() == Some(to)
            || moves.any(|earlier| earlier.to == *to || earlier.from.as_ref() == Some(to));
        if (self.is_us)(answered) || moved.from.as_ref() != Some(&answered.to) || !is_back {
            return Ok(false);
        }
        match self.ruling_on_earlier(&answered.to, answered.by.as_ref()) {
            Ruling::Allowed => Ok(false),
            Ruling::Forbidden { .. } => Ok(true),
            Ruling::Unknown => Err(Unknown),
        }
    }

    /// The newest earlier status that was no violation.
    fn before(&self) -> Result<Option<Id>, Unknown> {
        let mut moves = self.history.moves.iter().enumerate().peekable();
        while let Some((_, moved)) = moves.next() {
            // Who set it is known where the history has that move as well.
            let earlier =
                moves.peek().filter(|(_, earlier)| moved.from.as_ref().is_none_or(|from| *from == earlier.to));
            let (status, by, own) = match (earlier, &moved.from) {
                (Some((place, earlier)), _) => (&earlier.to, earlier.by.as_ref(), self.is_own(*place)?),
                (None, Some(from)) => (from, None, false),
                (None, None) => continue,
            };
            if self.history.status.as_ref() == Some(status) || !self.judge.is_usable(status) {
                continue;
            }
            if own {
                return Ok(Some(status.clone()));
            }
            match self.ruling_on_earlier(status, by) {
                Ruling::Allowed => return Ok(Some(status.clone())),
                Ruling::Forbidden { .. } => {}
                Ruling::Unknown => return Err(Unknown),
            }
        }
        Ok(None)
    }
}
