//! Relations between the values that a path leads to and those that a condition names.
//!
//! A path leads to a set of values: none, one or many. What is null, and links to what is in the trash, are not in it.
//! Source: "Flow Production Tracking: subjects, actions, the roles file, the decision", section 2.

use super::condition::Truth;
use super::parse::{Operand, folded};
use super::path::Path;
use super::walk::{Val, Walk};
use crate::model::id::{Id, Key, Str};
use crate::model::schema::KindNo;

/// A compiled leaf of a filter.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Compares {
    pub(super) path: Path,
    pub(super) test: Test,
    /// The relation holds where this does not.
    pub(super) negated: bool,
}

/// What holds if it holds of some value in the set.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Test {
    /// Equals one of these.
    Equals(Vec<Wanted>),
    Contains(Str),
    StartsWith(Str),
    EndsWith(Str),
    GreaterThan(Bound),
    LessThan(Bound),
    Between(Bound, Bound),
    /// Is a link to something of this kind; of one that is not mirrored, by how its id begins.
    TypeIs(KindNo),
}

/// A value that some value in the set can equal.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Wanted {
    /// The set is empty.
    Null,
    Bool(bool),
    Number(f64),
    /// In lower case.
    Text(Str),
    Object {
        table: KindNo,
        id: Id,
    },
    /// Whoever asks.
    Me,
}

/// A number, date or date_time.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Bound {
    Number(f64),
    /// In lower case. Dates as Flow writes them are in the order of their texts.
    Date(Str),
}

impl Compares {
    pub(super) fn holds<'v>(&'v self, walk: &mut Walk<'v>) -> Truth {
        let vals = walk.values(&self.path);
        let mut truth = if vals.unknown { Truth::Unknown } else { Truth::No };
        for val in &vals.list {
            if !self.test.fits(*val, walk) {
                continue;
            }
            match in_set(*val, walk) {
                Truth::Yes => return self.said(Truth::Yes),
                Truth::Unknown => truth = Truth::Unknown,
                Truth::No => {}
            }
        }
        if matches!(&self.test, Test::Equals(wanted) if wanted.contains(&Wanted::Null)) {
            let empty = vals.list.iter().fold(Truth::Yes, |empty, val| match (empty, in_set(*val, walk)) {
                (Truth::No, _) | (_, Truth::Yes) => Truth::No,
                (_, Truth::Unknown) => Truth::Unknown,
                (empty, Truth::No) => empty,
            });
            truth = match (empty, vals.unknown) {
                (Truth::No, _) => truth,
                (Truth::Yes, false) => Truth::Yes,
                _ => Truth::Unknown,
            };
        }
        self.said(truth)
    }

    fn said(&self, truth: Truth) -> Truth {
        if self.negated { !truth } else { truth }
    }
}

/// Whether the value is in the set: a link is unless it leads to the trash.
fn in_set(val: Val<'_>, walk: &mut Walk<'_>) -> Truth {
    match val {
        Val::Key(key) => walk.is_live(key),
        Val::Foreign(_) => Truth::Unknown,
        Val::Bool(_) | Val::Number(_) | Val::Text(_) => Truth::Yes,
    }
}

impl Test {
    fn fits(&self, val: Val<'_>, walk: &Walk<'_>) -> bool {
        match (self, val) {
            (Self::Equals(wanted), val) => wanted.iter().any(|wanted| wanted.is(val, walk)),
            (Self::Contains(part), Val::Text(text)) => folded(text).contains(part.as_str()),
            (Self::StartsWith(start), Val::Text(text)) => starts_with(text, start),
            (Self::EndsWith(end), Val::Text(text)) => folded(text).ends_with(end.as_str()),
            (Self::GreaterThan(bound), val) => bound.compare(val).is_some_and(std::cmp::Ordering::is_gt),
            (Self::LessThan(bound), val) => bound.compare(val).is_some_and(std::cmp::Ordering::is_lt),
            // The two may stand in either order.
            (Self::Between(one, other), val) => match (one.compare(val), other.compare(val)) {
                (Some(one), Some(other)) => one.is_eq() || other.is_eq() || one != other,
                _ => false,
            },
            (Self::TypeIs(kind), Val::Key(key)) => walk.view.table(key) == Some(*kind),
            _ => false,
        }
    }
}

impl Wanted {
    fn is(&self, val: Val<'_>, walk: &Walk<'_>) -> bool {
        match (self, val) {
            (Self::Bool(wanted), Val::Bool(value)) => *wanted == value,
            (Self::Number(wanted), Val::Number(value)) => *wanted == value,
            (Self::Text(wanted), Val::Text(text)) => same_text(wanted, text),
            (Self::Me, Val::Key(key)) => key == walk.case.subject(),
            (Self::Object { table, id }, Val::Key(key)) => is_object(key, *table, id, walk),
            _ => false,
        }
    }
}

fn is_object(key: Key, table: KindNo, id: &Id, walk: &Walk<'_>) -> bool {
    walk.view.table(key) == Some(table) && walk.view.id(key) == Some(id)
}

/// Whether a text is the wanted one, which is in lower case.
fn same_text(wanted: &str, text: &str) -> bool {
    match text.is_ascii() {
        true => wanted.eq_ignore_ascii_case(text),
        false => text.chars().flat_map(char::to_lowercase).eq(wanted.chars()),
    }
}

/// Whether a text starts with the wanted one, which is in lower case.
fn starts_with(text: &str, start: &str) -> bool {
    let mut text = text.chars().flat_map(char::to_lowercase);
    start.chars().all(|wanted| text.next() == Some(wanted))
}

impl Bound {
    /// The bound that a condition names; `None` for what is in no order.
    pub(super) fn of(operand: &Operand) -> Option<Self> {
        match operand {
            Operand::Number(number) => Some(Self::Number(*number)),
            Operand::Text(text) => Some(Self::Date(text.clone())),
            _ => None,
        }
    }

    /// How a value stands to the bound; `None` where it is nothing that could be compared with it.
    fn compare(&self, val: Val<'_>) -> Option<std::cmp::Ordering> {
        match (self, val) {
            (Self::Number(bound), Val::Number(value)) => value.partial_cmp(bound),
            (Self::Date(bound), Val::Text(text)) if is_date(text) => {
                Some(text.chars().flat_map(char::to_lowercase).cmp(bound.chars()))
            }
            _ => None,
        }
    }
}

/// Whether a text begins as dates and date_times do.
fn is_date(text: &str) -> bool {
    let mut start = text.bytes().take(10);
    let digits = |count: usize, bytes: &mut dyn Iterator<Item = u8>| {
        bytes.take(count).filter(u8::is_ascii_digit).count() == count
    };
    digits(4, &mut start)
        && start.next() == Some(b'-')
        && digits(2, &mut start)
        && start.next() == Some(b'-')
        && digits(2, &mut start)
}
