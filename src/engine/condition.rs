//! Conditions over paths, with three values: yes, no, unknown.

use std::ops::Not;
use std::sync::Arc;

use super::compile::Scope;
use super::parse::{ConditionSource, Named};
use super::path::{self, Path};
use super::permissions::Operation;
use super::relation::Compares;
use super::restricted::Restricted;
use super::roles::Right;
use super::walk::{Actual, Val, Vals, Walk};
use crate::directory::View;
use crate::model::id::{Id, Str};
use crate::model::value::Value;
use crate::yaml::Problems;

/// The value of a fact.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Truth {
    Yes,
    No,
    Unknown,
}

/// A compiled condition.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Condition {
    Leaf {
        left: Path,
        relation: Relation,
        right: Option<Path>,
        negated: bool,
    },
    All(Vec<Condition>),
    Any(Vec<Condition>),
    Not(Box<Condition>),
    /// Holds for at least one of the objects at the end of the path.
    Some {
        over: Path,
        holds: Box<Condition>,
    },
    /// The subject has this right as far as this reach goes; without a right, any role that the policy knows.
    Right {
        reach: u16,
        right: Option<Right>,
    },
    /// The same for a right that stands for others: which one, an attribute of the resource says; not known where it
    /// says none.
    StandIn {
        by: Path,
        is: Vec<(Str, Right)>,
        reach: u16,
    },
    /// The subject has this role in the project of the resource.
    HasRole(RoleName),
    /// The subject has a role with this id or name in the project of the resource, and the policy knows it.
    HoldsRole(Str),
    /// The subject may set the status that the question names.
    Restricted(Arc<Restricted>),
    /// An attribute is as a filter says.
    Matches(Box<Matches>),
    /// Values are as a filter of a role says.
    Compares(Box<Compares>),
    /// The subject's role allows this.
    Permission(Operation),
    /// There is something at the end of the path, and all of it is there and not in the trash.
    Live(Path),
}

/// A role that is a record, as a filter names it.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum RoleName {
    Id(Id),
    Name(Str),
}

/// A basic filter.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Matches {
    pub(super) path: Path,
    pub(super) values: Vec<Value>,
    pub(super) how: How,
}

/// How a filter compares.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum How {
    /// The value is one of those named.
    Equal,
    /// The value is a list that holds all of those named, or any of them.
    ContainsAll,
    ContainsAny,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Relation {
    /// One value of the left is one of the right: `is` between single values, `in` with a list.
    Shares,
    /// Every value of the left is one of the right.
    Within,
    /// The left has no value.
    Empty,
}

// === compiling ===

/// Compiles a condition; complains about what it names and the schema does not have.
pub(super) fn compile(source: &ConditionSource, scope: &Scope<'_>, problems: &mut Problems) -> Option<Condition> {
    let list = |sources: &[ConditionSource], problems: &mut Problems| {
        let compiled: Vec<_> = sources.iter().map(|source| compile(source, scope, problems)).collect();
        compiled.into_iter().collect::<Option<Vec<_>>>()
    };
    match source {
        ConditionSource::Leaf(text) => leaf(text, scope, problems),
        ConditionSource::All(sources) => list(sources, problems).map(Condition::All),
        ConditionSource::Any(sources) => list(sources, problems).map(Condition::Any),
        ConditionSource::Not(source) => compile(source, scope, problems).map(|inner| Condition::Not(Box::new(inner))),
        ConditionSource::Some { over, holds } => {
            let (over, kind) = problem(path::compile(&over.what, scope), over, problems)?;
            let holds = compile(holds, &Scope { it: kind, ..*scope }, problems)?;
            Some(Condition::Some { over, holds: Box::new(holds) })
        }
    }
}

fn leaf(text: &Named<String>, scope: &Scope<'_>, problems: &mut Problems) -> Option<Condition> {
    const WORDS: [(&str, Relation, bool); 8] = [
        (" is not empty", Relation::Empty, true),
        (" is empty", Relation::Empty, false),
        (" is not ", Relation::Shares, true),
        (" is ", Relation::Shares, false),
        (" not in ", Relation::Shares, true),
        (" in ", Relation::Shares, false),
        (" not within ", Relation::Within, true),
        (" within ", Relation::Within, false),
    ];
    if let Some(path) = text.what.strip_suffix(" is live") {
        return Some(Condition::Live(problem(path::compile(path.trim(), scope), text, problems)?.0));
    }
    for (word, relation, negated) in WORDS {
        let Some((left, right)) = text.what.split_once(word) else { continue };
        let (left, _) = problem(path::compile(left.trim(), scope), text, problems)?;
        let right = match relation {
            Relation::Empty if right.trim().is_empty() => None,
            Relation::Empty => break,
            Relation::Shares | Relation::Within => Some(problem(path::compile(right.trim(), scope), text, problems)?.0),
        };
        return Some(Condition::Leaf { left, relation, right, negated });
    }
    problems.add(
        text.place,
        format!("`{}` is no condition: write `PATH is VALUE`, `PATH in PATH`, `PATH within PATH` or `PATH is empty` (or `not`)", text.what),
    );
    None
}

fn problem<T>(result: Result<T, String>, text: &Named<String>, problems: &mut Problems) -> Option<T> {
    result.map_err(|message| problems.add(text.place, message)).ok()
}

// === evaluating ===

impl Condition {
    pub(super) fn holds<'v>(&'v self, walk: &mut Walk<'v>) -> Truth {
        match self {
            Self::Leaf { left, relation, right, negated } => {
                let truth = match right {
                    None => walk.is_empty(left),
                    Some(right) => match relation {
                        Relation::Within => within(&walk.values(left), &walk.values(right)),
                        Relation::Shares | Relation::Empty => shares(left, right, walk),
                    },
                };
                if *negated { !truth } else { truth }
            }
            Self::All(conditions) => all(conditions.iter().map(|condition| condition.holds(walk))),
            Self::Any(conditions) => !all(conditions.iter().map(|condition| !condition.holds(walk))),
            Self::Not(condition) => !condition.holds(walk),
            Self::Right { reach, right } => walk.right(*reach, right.as_ref()),
            Self::StandIn { by, is, reach } => match walk.actual(by) {
                Actual::Value(Value::Text(actual)) => match is.iter().find(|(value, _)| value == actual) {
                    Some((_, right)) => walk.right(*reach, Some(right)),
                    None => Truth::Unknown,
                },
                _ => Truth::Unknown,
            },
            Self::HasRole(role) => walk.has_role(role),
            Self::HoldsRole(named) => walk.holds_role(named),
            Self::Restricted(restricted) => restricted.holds(walk),
            Self::Matches(matches) => {
                let actual = walk.actual(&matches.path);
                matches.test(&actual, walk.view)
            }
            Self::Compares(compares) => compares.holds(walk),
            Self::Permission(operation) => walk.permits(*operation),
            Self::Live(path) => walk.leads_to_live(path),
            Self::Some { over, holds } => {
                let mut truth = Truth::No;
                let given = walk.each_object(over, &mut |walk, val| {
                    let Some(key) = val.key() else {
                        truth = Truth::Unknown;
                        return false;
                    };
                    let outer = walk.it.replace(key);
                    let one = holds.holds(walk);
                    walk.it = outer;
                    truth = if one == Truth::No { truth } else { one };
                    one == Truth::Yes
                });
                if given.unknown && truth == Truth::No { Truth::Unknown } else { truth }
            }
        }
    }
}

impl Matches {
    /// `limecraft.md` 2.3: types are kept apart, what is absent matches nothing, and what is not of the shape that the
    /// modifier assumes is not known to match or not to.
    fn test(&self, actual: &Actual<'_>, view: View<'_>) -> Truth {
        let Self { values, how, .. } = self;
        let truth = match (actual, how) {
            (Actual::Unknown, _) => return Truth::Unknown,
            (Actual::Absent, _) => false,
            (Actual::Value(Value::Null), How::Equal) => values.contains(&Value::Null),
            (Actual::Value(Value::Null), How::ContainsAll | How::ContainsAny) => false,
            (Actual::Value(Value::List(list)), How::ContainsAll) => values.iter().all(|value| list.contains(value)),
            (Actual::Value(Value::List(list)), How::ContainsAny) => values.iter().any(|value| list.contains(value)),
            (Actual::Value(Value::List(_) | Value::Map(_)), _) => return Truth::Unknown,
            (Actual::Value(value), How::Equal) => values.contains(value),
            (Actual::Value(_), How::ContainsAll | How::ContainsAny) => return Truth::Unknown,
            (Actual::Field(None), How::Equal) => values.contains(&Value::Null),
            (Actual::Field(Some(val)), How::Equal) => values.iter().any(|value| same(*val, value, view)),
            (Actual::Field(None), How::ContainsAll | How::ContainsAny) => false,
            (Actual::Field(Some(_)), How::ContainsAll | How::ContainsAny) => return Truth::Unknown,
            (Actual::Fields(_), How::Equal) => return Truth::Unknown,
            (Actual::Fields(vals), How::ContainsAll) => {
                values.iter().all(|value| vals.list.iter().any(|val| same(*val, value, view)))
            }
            (Actual::Fields(vals), How::ContainsAny) => {
                values.iter().any(|value| vals.list.iter().any(|val| same(*val, value, view)))
            }
        };
        if truth { Truth::Yes } else { Truth::No }
    }
}

/// Below this, whole numbers are told apart.
const EXACT: f64 = 9_007_199_254_740_992.0;

fn same(val: Val<'_>, value: &Value, view: View<'_>) -> bool {
    match (val, value) {
        (Val::Bool(a), Value::Bool(b)) => a == *b,
        (Val::Number(a), Value::Number(b)) => a == *b,
        (Val::Text(a) | Val::Foreign(a), Value::Text(b)) => a == b,
        // An id that a tracker writes as a number is a text here.
        (Val::Key(key), Value::Number(id)) => {
            id.abs() < EXACT && view.id(key).is_some_and(|held| held.is(&id.to_string()))
        }
        (Val::Key(key), Value::Text(id)) => view.id(key).is_some_and(|held| held.is(id)),
        _ => false,
    }
}

/// No as soon as one is no; the rest is then not evaluated.
fn all(truths: impl Iterator<Item = Truth>) -> Truth {
    let mut result = Truth::Yes;
    for truth in truths {
        match truth {
            Truth::No => return Truth::No,
            Truth::Unknown => result = Truth::Unknown,
            Truth::Yes => {}
        }
    }
    result
}

/// Whether one value of the left is one of the right.
fn shares<'v>(left: &'v Path, right: &'v Path, walk: &mut Walk<'v>) -> Truth {
    // Mostly one of the sides is a single value that needs no walking.
    let (alone, other) = if right.steps.is_empty() { (right, left) } else { (left, right) };
    let mut found = false;
    let unknown = match alone.steps.is_empty().then(|| walk.one(&alone.root)) {
        Some(Ok(Some(val))) => {
            let given = walk.each(other, &mut |_, of_other| {
                found = of_other == val;
                found
            });
            given.unknown
        }
        _ => {
            let vals = walk.values(alone);
            let given = walk.each(other, &mut |_, of_other| {
                found = vals.list.contains(&of_other);
                found
            });
            vals.unknown || given.unknown
        }
    };
    match (found, unknown) {
        (true, _) => Truth::Yes,
        (false, true) => Truth::Unknown,
        (false, false) => Truth::No,
    }
}

fn within(left: &Vals<'_>, right: &Vals<'_>) -> Truth {
    if !left.list.iter().all(|value| right.list.contains(value)) {
        if right.unknown { Truth::Unknown } else { Truth::No }
    } else if left.unknown {
        Truth::Unknown
    } else {
        Truth::Yes
    }
}

impl Not for Truth {
    type Output = Self;

    fn not(self) -> Self {
        match self {
            Self::Yes => Self::No,
            Self::No => Self::Yes,
            Self::Unknown => Self::Unknown,
        }
    }
}
