//! Compiles the conditions of roles: a filter of the tracker's grammar, for objects of one kind.

use crate::engine::condition::Condition;
use crate::engine::parse::{Filter, Named, Operand, Relation};
use crate::engine::path::{Path, Root, Step};
use crate::engine::permissions::Site;
use crate::engine::relation::{Bound, Compares, Test, Wanted};
use crate::model::id::{Id, Str};
use crate::model::schema::{KindNo, Schema};
use crate::yaml::{Place, suggestion};

/// Why a condition cannot be compiled.
pub(super) enum Failure {
    /// It names what there is nowhere: an error of the file.
    Wrong(Place, String),
    /// The site does not have it: the rule then never allows.
    Absent(String),
}

/// What conditions are compiled against. Without a site whatever a path names is taken to be there.
#[derive(Clone, Copy)]
pub(super) struct Against<'a> {
    pub(super) schema: &'a Schema,
    pub(super) site: Option<&'a Site>,
}

/// The parts of a path: a field, and the type of object that it is followed to.
pub(super) fn parts(path: &Named<Str>) -> Result<Vec<(&str, Option<&str>)>, Failure> {
    let words: Vec<&str> = path.what.split('.').collect();
    let whole = words.len() % 2 == 1 && words.iter().all(|word| !word.is_empty());
    if !whole {
        let message = format!("`{}`: a path is `field`, or `field.Type.field` and so on", path.what);
        return Err(Failure::Wrong(path.place, message));
    }
    Ok(words.chunks(2).filter_map(|pair| Some((*pair.first()?, pair.get(1).copied()))).collect())
}

/// The kind with this type name; those that stand for others are none.
pub(super) fn kind_of(schema: &Schema, type_name: &str) -> Option<KindNo> {
    let named = !matches!(type_name, "" | "*");
    schema.linked_kind(type_name).filter(|no| named && schema.kind(*no).is_some_and(|def| def.type_name == type_name))
}

/// The kind that stands for all types that are none of the policy's.
pub(super) fn other_kind(schema: &Schema) -> Option<KindNo> {
    let at = schema.kinds.iter().position(|def| def.type_name == "*")?;
    KindNo::try_from(at).ok()
}

/// The complaint about a type that there is not.
pub(super) fn no_type(schema: &Schema, name: &str) -> String {
    let known = schema.kinds.iter().map(|def| def.type_name.as_str()).filter(|name| !matches!(*name, "" | "*"));
    let near = suggestion(name, known);
    let mend = if near.is_empty() { "; types of your own site stand in `extra_types:`" } else { &near };
    format!("there is no entity type `{name}`{mend}")
}

impl Against<'_> {
    /// The condition for objects of a kind.
    pub(super) fn condition(&self, filter: &Filter, kind: KindNo) -> Result<Condition, Failure> {
        let list = |list: &[Filter]| list.iter().map(|one| self.condition(one, kind)).collect::<Result<Vec<_>, _>>();
        match filter {
            Filter::All(filters) => list(filters).map(Condition::All),
            Filter::Any(filters) => list(filters).map(Condition::Any),
            Filter::Leaf { path, relation, values, place } => {
                let (test, negated) = self.test(*relation, values, *place)?;
                Ok(Condition::Compares(Box::new(Compares { path: self.path(path, kind)?, test, negated })))
            }
        }
    }

    fn path(&self, path: &Named<Str>, kind: KindNo) -> Result<Path, Failure> {
        let mut steps = Vec::new();
        let mut at = kind;
        for (field, type_name) in parts(path)? {
            steps.push(self.step(field, at)?);
            if let Some(type_name) = type_name {
                self.must_link(field, at)?;
                let wrong =
                    || Failure::Wrong(path.place, format!("`{}`: {}", path.what, no_type(self.schema, type_name)));
                at = kind_of(self.schema, type_name).ok_or_else(wrong)?;
                steps.push(Step::Live(at));
            }
        }
        Ok(Path { root: Root::It, steps })
    }

    /// A field that leads nowhere is followed by no path: nothing would be found there, and a negation would hold.
    fn must_link(&self, field: &str, kind: KindNo) -> Result<(), Failure> {
        let data_type = self.site.and_then(|site| site.data_type(kind, field));
        match data_type.map(|name| name.as_str()) {
            None | Some("entity" | "multi_entity" | "addressing") => Ok(()),
            Some(other) => Err(Failure::Absent(format!("`{field}` is of data type {other} and leads to nothing"))),
        }
    }

    fn step(&self, field: &str, kind: KindNo) -> Result<Step, Failure> {
        let Self { schema, .. } = self;
        let type_name = |kind| schema.kind(kind).map_or("", |def| def.type_name.as_str());
        let data_type = |kind: KindNo, field: &str| match self.site {
            None => Ok(None),
            Some(site) if !site.knows(kind) => {
                Err(Failure::Absent(format!("the site has not told which fields `{}` has", type_name(kind))))
            }
            Some(site) => match site.data_type(kind, field) {
                Some(data_type) => Ok(Some(data_type)),
                None => Err(Failure::Absent(format!("the site has no field `{}.{field}`", type_name(kind)))),
            },
        };
        if field == "id" {
            return Ok(Step::IdNumber);
        }
        let of = data_type(kind, field)?;
        let table = schema.table_of(kind);
        if field == "project" && table != schema.subject.project {
            return Ok(Step::Project);
        }
        let missing = || Failure::Absent(format!("`{}.{field}` is not mirrored", type_name(kind)));
        let def = schema.kind(table).ok_or_else(missing)?;
        if let Some(no) = def.back_no(field) {
            // The mirror keeps the other end, so that has to be there too.
            let back = def.backs.get(usize::from(no));
            let near = back.and_then(|back| {
                let field = schema.kind(back.from)?.fields.get(usize::from(back.field?))?;
                Some((back.from, field.name.as_str()))
            });
            let (from, near) = near.ok_or_else(missing)?;
            data_type(from, near)?;
            return Ok(Step::OtherEnd { list: no, from });
        }
        let no = def.field_no(field).ok_or_else(missing)?;
        match of {
            Some(data_type) if data_type == "checkbox" => Ok(Step::Checkbox(no)),
            _ => Ok(Step::Field { no, name: Str::from(field), target: None }),
        }
    }

    pub(super) fn test(&self, relation: Relation, values: &[Operand], place: Place) -> Result<(Test, bool), Failure> {
        let wrong = |message: &str| Failure::Wrong(place, message.to_owned());
        let text = || match values {
            [Operand::Text(text)] => Ok(text.clone()),
            _ => Err(wrong("one text is needed here")),
        };
        let bound = |at: usize| {
            values.get(at).and_then(Bound::of).ok_or_else(|| wrong("a number, date or date_time is needed here"))
        };
        // Nulls are in no set: only `is` asks whether one is empty.
        let any = matches!(relation, Relation::In | Relation::NotIn);
        let values_in = || values.iter().filter(|value| !any || **value != Operand::Null);
        let equals = || values_in().map(|value| self.wanted(value, place)).collect::<Result<_, _>>().map(Test::Equals);
        let type_is = || {
            let name = text()?;
            let kind = kind_of(self.schema, &name);
            kind.map(Test::TypeIs).ok_or_else(|| Failure::Wrong(place, no_type(self.schema, &name)))
        };
        Ok(match relation {
            Relation::Is | Relation::In => (equals()?, false),
            Relation::IsNot | Relation::NotIn => (equals()?, true),
            Relation::Contains => (Test::Contains(text()?), false),
            Relation::NotContains => (Test::Contains(text()?), true),
            Relation::StartsWith => (Test::StartsWith(text()?), false),
            Relation::EndsWith => (Test::EndsWith(text()?), false),
            Relation::GreaterThan => (Test::GreaterThan(bound(0)?), false),
            Relation::LessThan => (Test::LessThan(bound(0)?), false),
            Relation::Between => (Test::Between(bound(0)?, bound(1)?), false),
            Relation::TypeIs => (type_is()?, false),
            Relation::TypeIsNot => (type_is()?, true),
        })
    }

    fn wanted(&self, value: &Operand, place: Place) -> Result<Wanted, Failure> {
        Ok(match value {
            Operand::Null => Wanted::Null,
            Operand::Bool(value) => Wanted::Bool(*value),
            Operand::Number(value) => Wanted::Number(*value),
            Operand::Text(text) => Wanted::Text(text.clone()),
            Operand::Me => Wanted::Me,
            Operand::Link { type_name, id } => {
                let kind = kind_of(self.schema, type_name);
                let kind = kind.ok_or_else(|| Failure::Wrong(place, no_type(self.schema, type_name)))?;
                Wanted::Object { table: self.schema.table_of(kind), id: Id::from(id.as_str()) }
            }
        })
    }
}
