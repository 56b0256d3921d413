//! Which rows hold the ends of a link. Flow shows a link at both of its rows, the mirror keeps it at one of them.

use rustc_hash::FxHashMap;

use crate::model::id::{Id, ObjectRef, Str};
use crate::model::schema::{KindDef, Schema};

/// Links that are nobody's other end.
const ONE_WAY: [&str; 2] = ["created_by", "updated_by"];
/// The link that every record has, whether a rule names it or not.
const PROJECT: &str = "project";

/// The types that are mirrored, and where their links lead.
#[derive(Clone, Debug, Default)]
pub(super) struct Ends {
    kinds: FxHashMap<Str, Kind>,
}

/// What is mirrored of a type.
#[derive(Clone, Debug)]
pub(super) struct Kind {
    /// Flow's own name of the type.
    pub(super) type_name: Str,
    /// The kind's name.
    name: Str,
    fields: Vec<Str>,
    /// Fields that are the other end of a field of another type: name, type, field.
    derived: Vec<(Str, Str, Str)>,
    /// Fields that hold links, and to rows of which types; `None`: of any.
    links: Vec<(Str, Option<Vec<Str>>)>,
}

// === impl Ends ===

impl Ends {
    /// `leads` says of a field of a type to which types it may lead: to none if it holds no links. `None`: that is not known.
    pub(super) fn new(schema: &Schema, leads: impl Fn(&str, &str) -> Option<Vec<Str>>) -> Self {
        let kinds = schema.kinds.iter().filter(|kind| is_mirrored(kind));
        let kinds = kinds.map(|kind| (kind.type_name.clone(), Kind::new(kind, schema, &leads)));
        Self { kinds: kinds.collect() }
    }

    /// A type that is mirrored.
    pub(super) fn kind(&self, type_name: &str) -> Option<&Kind> {
        self.kinds.get(type_name)
    }

    /// A row of a type that is mirrored.
    pub(super) fn object(&self, type_name: &str, id: u64) -> Option<ObjectRef> {
        let kind = self.kind(type_name).filter(|_| id > 0)?;
        Some(ObjectRef { kind: kind.name.clone(), id: Id::from(id.to_string().as_str()) })
    }

    /// Whether rows of the type hold links to rows of the other.
    pub(super) fn leads(&self, type_name: &str, to: &str) -> bool {
        self.kind(type_name).is_some_and(|kind| kind.links_to(to).next().is_some())
    }

    /// The types, with their fields, whose rows hold links to rows of this one.
    pub(super) fn leading_to(&self, to: &str) -> impl Iterator<Item = (&str, &str)> {
        self.kinds.values().flat_map(move |kind| kind.links_to(to).map(|field| (kind.type_name.as_str(), field)))
    }
}

/// Whether rows of the kind are read from the site.
fn is_mirrored(kind: &KindDef) -> bool {
    !kind.rowless && !kind.type_name.is_empty() && kind.type_name != "*"
}

// === impl Kind ===

impl Kind {
    fn new(def: &KindDef, schema: &Schema, leads: &impl Fn(&str, &str) -> Option<Vec<Str>>) -> Self {
        let derived = def.backs.iter().filter_map(|back| {
            let from = schema.kind(back.from).filter(|from| is_mirrored(from))?;
            let field = match back.field {
                Some(field) => from.fields.get(usize::from(field))?.name.clone(),
                None => Str::const_new(PROJECT),
            };
            Some((back.name.clone(), from.type_name.clone(), field))
        });
        let held = def.fields.iter().filter(|field| field.link && !ONE_WAY.contains(&field.name.as_str()));
        let links = held.map(|field| (field.name.clone(), leads(&def.type_name, &field.name)));
        let project = (Str::const_new(PROJECT), Some(vec![Str::const_new("Project")]));
        Self {
            type_name: def.type_name.clone(),
            name: def.name.clone(),
            fields: def.fields.iter().map(|field| field.name.clone()).collect(),
            derived: derived.collect(),
            links: links.chain(std::iter::once(project)).collect(),
        }
    }

    /// Whether the field is mirrored.
    pub(super) fn has(&self, field: &str) -> bool {
        self.fields.iter().any(|name| name == field)
    }

    /// The types and their fields of which this field is the other end.
    pub(super) fn derived(&self, field: &str) -> impl Iterator<Item = (&str, &str)> {
        let ends = self.derived.iter().filter(move |(name, _, _)| name == field);
        ends.map(|(_, from, field)| (from.as_str(), field.as_str()))
    }

    /// The names of the fields that are other ends.
    pub(super) fn derived_fields(&self) -> impl Iterator<Item = &str> {
        self.derived.iter().map(|(name, _, _)| name.as_str())
    }

    fn links_to(&self, to: &str) -> impl Iterator<Item = &str> {
        let leading = self.links.iter().filter(move |(_, types)| match types {
            Some(types) => types.iter().any(|kind| kind == to),
            None => true,
        });
        leading.map(|(name, _)| name.as_str())
    }
}
