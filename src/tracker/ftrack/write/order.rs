//! The order of moves. ftrack dates them to the second: those of the same second are ordered by how they join.

use crate::model::id::Id;
use crate::tracker::writer::Move;

/// How many steps are taken to find how the moves of one second join.
const STEPS: usize = 2_000;

/// Moves, newest first, and which others may just as well be the newest.
#[derive(Debug, Default)]
pub(super) struct Ordered {
    pub(super) moves: Vec<Move>,
    /// By others than the newest.
    pub(super) rivals: Vec<Move>,
}

/// Newest first; of those of the same second, so that each begins where the next older one ends.
pub(super) fn in_order(mut moves: Vec<Move>, status: Option<&Id>) -> Ordered {
    moves.sort_by_key(|moved| std::cmp::Reverse(moved.at));
    let seconds: Vec<&[Move]> = moves.chunk_by(|one, other| one.at == other.at).collect();
    let mut ordered = Ordered { moves: Vec::with_capacity(moves.len()), rivals: Vec::new() };
    let mut reached = status;
    for (place, second) in seconds.iter().enumerate() {
        let older = seconds.get(place + 1).copied().unwrap_or_default();
        let chain = joined(second, reached, older).unwrap_or_else(|| greedy(second, reached));
        if place == 0
            && let (Some(status), Some(newest)) = (status, chain.first())
        {
            ordered.rivals = rivals(second, status, newest, older);
        }
        reached = chain.last().and_then(|oldest| oldest.from.as_ref());
        ordered.moves.extend(chain.into_iter().cloned());
    }
    ordered
}

/// Those of the newest second that lead to the status as well, that others made, and that may have come last.
fn rivals(second: &[Move], status: &Id, newest: &Move, older: &[Move]) -> Vec<Move> {
    let others = second.iter().filter(|moved| moved.to == *status && moved.by != newest.by);
    let any = joined(second, Some(status), older).is_some();
    let may_be_last = |last: &&Move| {
        let rest: Vec<Move> = second.iter().filter(|moved| moved.id != last.id).cloned().collect();
        // Where they do not join at all, nothing says which was.
        !any || joined(&rest, last.from.as_ref(), older).is_some()
    };
    others.filter(may_be_last).cloned().collect()
}

/// The moves of one second, newest first, so that the newest leads to what is reached, and the oldest begins where one of
/// the second before ended. `None`: there is no such order, or it is not found soon.
fn joined<'m>(second: &'m [Move], reached: Option<&Id>, older: &[Move]) -> Option<Vec<&'m Move>> {
    let mut chain = Vec::with_capacity(second.len());
    let mut steps = STEPS;
    join(second.iter().collect(), reached, older, &mut chain, &mut steps).then_some(chain)
}

fn join<'m>(
    left: Vec<&'m Move>,
    reached: Option<&Id>,
    older: &[Move],
    chain: &mut Vec<&'m Move>,
    steps: &mut usize,
) -> bool {
    if left.is_empty() {
        return older.is_empty() || older.iter().any(|moved| Some(&moved.to) == reached);
    }
    let Some(fewer) = steps.checked_sub(1) else { return false };
    *steps = fewer;
    for (place, moved) in left.iter().enumerate().filter(|(_, moved)| Some(&moved.to) == reached) {
        chain.push(moved);
        let mut rest = left.clone();
        rest.remove(place);
        if join(rest, moved.from.as_ref(), older, chain, steps) {
            return true;
        }
        chain.pop();
    }
    false
}

/// As far as they join.
fn greedy<'m>(second: &'m [Move], reached: Option<&Id>) -> Vec<&'m Move> {
    let mut left: Vec<&Move> = second.iter().collect();
    let mut ordered = Vec::with_capacity(left.len());
    let mut reached = reached;
    while !left.is_empty() {
        let place = left.iter().position(|moved| Some(&moved.to) == reached).unwrap_or(0);
        let next = left.remove(place);
        reached = next.from.as_ref();
        ordered.push(next);
    }
    ordered
}
