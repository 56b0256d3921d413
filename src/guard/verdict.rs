//! Whether an object's status was set by somebody who may not, and what it was before. Pure: from a history alone.

use super::Judge;
use crate::engine::Ruling;
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

/// The move that led to the status that the object has, and that status.
pub(super) fn newest(history: &History) -> Option<(&Move, &Id)> {
    let status = history.status.as_ref()?;
    history.moves.first().filter(|newest| newest.to == *status).map(|newest| (newest, status))
}

/// Judges the newest move of a history.
pub(super) fn of(object: &ObjectRef, history: &History, judge: &impl Judge, is_own: impl Fn(&Move) -> bool) -> Verdict {
    let Some(status) = &history.status else { return Verdict::Nothing };
    let Some((newest, _)) = newest(history) else {
        return match judge.restriction(object, status, None) {
            Ruling::Allowed => Verdict::Nothing,
            Ruling::Forbidden { .. } => Verdict::Unclear(status.clone()),
            Ruling::Unknown => Verdict::Later,
        };
    };
    if is_own(newest) {
        return Verdict::Nothing;
    }
    let (restriction, message) = match judge.restriction(object, status, newest.by.as_ref()) {
        Ruling::Allowed => return Verdict::Nothing,
        Ruling::Unknown => return Verdict::Later,
        Ruling::Forbidden { restriction, message } => (restriction, message),
    };
    let Ok(to) = before(object, history, judge, is_own) else { return Verdict::Later };
    Verdict::Violation(Violation {
        name: history.name.clone(),
        change: newest.id.clone(),
        by: newest.by.clone(),
        status: status.clone(),
        to,
        restriction,
        message,
    })
}

/// Whether our own move has followed the violating one.
pub(super) fn is_answered(history: &History, violation: &Violation, is_own: impl Fn(&Move) -> bool) -> bool {
    match history.moves.as_slice() {
        [newest, before, ..] => is_own(newest) && before.id == violation.change,
        _ => false,
    }
}

/// The mirror does not know yet.
struct Unknown;

/// The newest earlier status that was no violation.
fn before(
    object: &ObjectRef,
    history: &History,
    judge: &impl Judge,
    is_own: impl Fn(&Move) -> bool,
) -> Result<Option<Id>, Unknown> {
    let mut moves = history.moves.iter().peekable();
    while let Some(moved) = moves.next() {
        let earlier = moves.peek();
        // Who set it is known where the history has that move as well.
        let known = earlier.filter(|earlier| moved.from.as_ref().is_none_or(|from| *from == earlier.to));
        let (status, by, own) = match (known, &moved.from) {
            (Some(earlier), _) => (&earlier.to, earlier.by.as_ref(), is_own(earlier)),
            (None, Some(from)) => (from, None, false),
            (None, None) => continue,
        };
        if history.status.as_ref() == Some(status) || !judge.is_usable(status) {
            continue;
        }
        match judge.restriction(object, status, by) {
            _ if own => return Ok(Some(status.clone())),
            Ruling::Allowed => return Ok(Some(status.clone())),
            Ruling::Forbidden { .. } => {}
            Ruling::Unknown => return Err(Unknown),
        }
    }
    Ok(None)
}
