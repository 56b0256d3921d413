//! What the roles of a permission page allow: for each role, type and field the one rule that decides.
//!
//! Source: "Flow Production Tracking: subjects, actions, the roles file, the decision", sections 3 and 4.
//!
//! Invariant: rules are inherited when they are compiled (a field's, else `*` among the fields, else the type's): the
//! nearest rule stands at its place here and decides alone.
//! Invariant: before the site's schema is known every rule with a condition is invalid, and an invalid one never allows.

use std::collections::{BTreeMap, BTreeSet};

use rustc_hash::{FxHashMap, FxHashSet};
use smallvec::SmallVec;

use super::condition::Condition;
use crate::directory::{Cell, State, View};
use crate::model::change::Dep;
use crate::model::decision::Reason;
use crate::model::id::{Id, Key, Str};
use crate::model::schema::{FieldNo, KindNo, Schema};
use crate::model::value::Value;
use crate::yaml::suggestion;

/// The permission page of a policy.
#[derive(Debug, Default)]
pub(super) struct Permissions {
    /// By table of the subject: the field that leads to the role.
    pub(super) role_fields: Vec<(KindNo, FieldNo)>,
    pub(super) role_kind: KindNo,
    pub(super) code: FieldNo,
    /// The kind whose records say what the site has, and the field of it that does.
    pub(super) schema: (KindNo, FieldNo),
    /// Permissions about no object: slug and title.
    pub(super) advanced: Vec<(Str, Str)>,
    pub(super) roles: Vec<RolePermissions>,
    pub(super) by_code: FxHashMap<Str, u16>,
    pub(super) conditions: Vec<Condition>,
    /// The same in few words.
    pub(super) condition_names: Vec<String>,
    /// Rules that can never allow, and why.
    pub(super) problems: Vec<String>,
    /// What conditions compare and never finds, in words.
    pub(super) odd: Vec<String>,
    /// Fields that the policy names.
    pub(super) named: Vec<(KindNo, Str)>,
    pub(super) never: NeverEditable,
    /// What whoever writes roles should know.
    pub(super) note: Str,
    pub(super) site: Site,
}

/// What one role allows.
#[derive(Debug, Default)]
pub(super) struct RolePermissions {
    pub(super) code: Str,
    /// Numbers of the advanced permissions that are on.
    pub(super) advanced: FxHashSet<u16>,
    pub(super) types: FxHashMap<KindNo, TypePermissions>,
    /// For objects whose type is none of the policy's.
    pub(super) other: TypePermissions,
}

/// The rules of a role for one type.
#[derive(Clone, Debug, Default)]
pub(super) struct TypePermissions {
    pub(super) see: Allows,
    pub(super) create: Allows,
    pub(super) edit: Allows,
    pub(super) retire: Allows,
    pub(super) fields: FxHashMap<Str, FieldPermissions>,
    /// For every field that is not among those.
    pub(super) field: FieldPermissions,
}

#[derive(Clone, Debug, Default)]
pub(super) struct FieldPermissions {
    pub(super) see: Allows,
    pub(super) edit: Allows,
    /// Instead of `edit`, where the new value is this one.
    pub(super) values: Vec<(Str, Allows)>,
}

/// A rule.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Allows {
    Yes,
    #[default]
    No,
    /// Where this condition holds.
    If(u32),
    /// Never: the rule is malformed, and this says why.
    Invalid(u32),
}

/// Fields that nobody may edit.
#[derive(Debug, Default)]
pub(super) struct NeverEditable {
    pub(super) data_types: Vec<Str>,
    pub(super) everywhere: Vec<Str>,
    /// Names, or beginnings of names where `true`.
    pub(super) of: FxHashMap<KindNo, Vec<(Str, bool)>>,
}

/// What the site's schema says: the fields of each type and their data types.
#[derive(Debug, Default)]
pub(super) struct Site {
    types: FxHashMap<KindNo, FxHashMap<Str, Str>>,
}

/// What a rule of the permission page is asked about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Operation {
    See,
    Create,
    Edit,
    Retire,
    /// Whether the type's `edit` is anything but `no`.
    EditAtAll,
    /// The same as `See`, of the object that this one hangs on.
    SeeAbove,
    FieldSee,
    FieldEdit,
    /// The rule for the new value, where there is one for it.
    FieldValue,
    /// Whether the field is one that somebody may edit.
    FieldEditable,
    /// Whether the type is one of objects that belong to no project.
    Placeless,
    /// An advanced permission.
    Advanced(u16),
}

/// What a question says of the new value, as far as rules can look at it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(super) enum NewValue {
    /// Nothing.
    #[default]
    Untold,
    /// One that has no rule of its own.
    Other,
    /// The one with this number among the field's.
    Listed(u16),
}

impl Permissions {
    /// The subject's role, and what finding it looked at; why there is none otherwise.
    pub(super) fn role_of(&self, view: View<'_>, subject: Key) -> (Result<u16, Reason>, SmallVec<[Dep; 2]>) {
        let mut reads = SmallVec::from_slice(&[Dep::Node(subject)]);
        let table = view.table(subject);
        let field = self.role_fields.iter().find(|(of, _)| Some(*of) == table).map(|(_, field)| *field);
        let held = view.row(subject).zip(field).map_or(Cell::Unset, |(row, field)| row.cell(field));
        let role = match held {
            Cell::Ref(role) => role,
            Cell::Null => return (Err(Reason::NoGrant), reads),
            _ => return (Err(Reason::Indeterminate), reads),
        };
        reads.push(Dep::Node(role));
        let found = match view.state(role) {
            State::Record(row) if row.trashed() || row.kind() != self.role_kind => Err(Reason::NoGrant),
            State::Record(row) => match row.cell(self.code) {
                Cell::Text(code) => self.by_code.get(code).copied().ok_or(Reason::NoGrant),
                _ => Err(Reason::Indeterminate),
            },
            State::Quarantined(_) => Err(Reason::Quarantined),
            State::Unknown | State::Gone => Err(Reason::Indeterminate),
        };
        (found, reads)
    }

    /// The code of the subject's role, where the mirror has one.
    pub(super) fn code_of<'v>(&self, view: View<'v>, subject: Key) -> Option<&'v str> {
        let (_, field) = self.role_fields.iter().find(|(of, _)| Some(*of) == view.table(subject))?;
        let role = view.row(subject)?.cell(*field).refs().first().copied()?;
        view.row(role).filter(|row| !row.trashed())?.cell(self.code).text()
    }

    /// What of the roles means nothing, as the site is.
    pub(super) fn complaints(&self, schema: &Schema) -> Vec<String> {
        // Before the site has said what it has nothing can be said of it.
        if self.site.types.is_empty() {
            return Vec::new();
        }
        let mut complaints: Vec<String> =
            self.problems.iter().map(|problem| format!("a rule of the roles never allows: {problem}")).collect();
        complaints.extend(self.odd.iter().map(|odd| format!("a condition of the roles: {odd}")));
        let unknown = self
            .named
            .iter()
            .filter(|(kind, field)| self.site.knows(*kind) && self.site.data_type(*kind, field).is_none());
        complaints.extend(unknown.map(|(kind, field)| {
            let name = schema.kind(*kind).map_or("", |def| def.type_name.as_str());
            format!("the roles: {}, so what they say of it means nothing", self.site.no_field(*kind, name, field))
        }));
        complaints.sort_unstable();
        complaints.dedup();
        complaints
    }

    /// The codes of roles that somebody live has and the policy has not.
    pub(super) fn unlisted(&self, view: View<'_>) -> Vec<String> {
        let holders = self.role_fields.iter().flat_map(|(table, _)| view.of_table(*table));
        let live = holders.filter(|key| view.row(*key).is_some_and(|row| !row.trashed()));
        let codes = live.filter_map(|key| self.code_of(view, key));
        let mut unlisted: Vec<_> =
            codes.filter(|code| !self.by_code.contains_key(*code)).map(ToOwned::to_owned).collect();
        unlisted.sort_unstable();
        unlisted.dedup();
        unlisted
    }

    /// The fields of a kind that some role has a rule of its own for.
    pub(super) fn named_fields(&self, kind: KindNo) -> Vec<&Str> {
        let types = self.roles.iter().filter_map(|role| role.types.get(&kind));
        let mut fields: Vec<_> = types.flat_map(|rules| rules.fields.keys()).collect();
        fields.sort_unstable();
        fields.dedup();
        fields.retain(|field| self.site.data_type(kind, field).is_some());
        fields
    }

    /// The rules of a role for objects of a kind.
    pub(super) fn of(&self, role: u16, kind: KindNo) -> Option<&TypePermissions> {
        let role = self.roles.get(usize::from(role))?;
        Some(role.types.get(&kind).unwrap_or(&role.other))
    }

    /// The fields for which a role has a rule of its own, and the new values for which it has one.
    pub(super) fn ruled_fields(&self, kind: KindNo) -> Vec<(Str, Vec<Str>)> {
        let mut fields: BTreeMap<&Str, BTreeSet<&Str>> = BTreeMap::new();
        let of_kind = self.roles.iter().filter_map(|role| role.types.get(&kind));
        for (name, rules) in of_kind.flat_map(|rules| &rules.fields) {
            fields.entry(name).or_default().extend(rules.values.iter().map(|(value, _)| value));
        }
        let owned = |(name, values): (&Str, BTreeSet<&Str>)| (name.clone(), values.into_iter().cloned().collect());
        fields.into_iter().map(owned).collect()
    }

    /// What a question says of the field's new value.
    pub(super) fn new_value(&self, role: u16, kind: KindNo, field: &str, value: Option<&Value>) -> NewValue {
        let Some(value) = value else { return NewValue::Untold };
        let listed = self.of(role, kind).zip(value.as_text()).and_then(|(rules, text)| {
            let at = rules.field(field).values.iter().position(|(known, _)| known == text)?;
            u16::try_from(at).ok()
        });
        listed.map_or(NewValue::Other, NewValue::Listed)
    }

    /// Whether nobody may edit a field, whatever the roles say.
    pub(super) fn is_fixed(&self, kind: KindNo, field: &str) -> bool {
        let NeverEditable { data_types, everywhere, of } = &self.never;
        let named = |(name, open): &(Str, bool)| if *open { field.starts_with(name.as_str()) } else { name == field };
        everywhere.iter().any(|name| name == field)
            || of.get(&kind).is_some_and(|fields| fields.iter().any(named))
            || self.site.data_type(kind, field).is_none_or(|data_type| data_types.contains(data_type))
    }

    /// Whether objects of a kind belong to a project, as the site's schema says; `None` before that is known.
    pub(super) fn is_placed(&self, schema: &Schema, kind: KindNo) -> Option<bool> {
        let table = schema.table_of(kind);
        if table == schema.subject.project || schema.kind(table).is_some_and(|def| def.project_from.is_some()) {
            return Some(true);
        }
        self.site.knows(kind).then(|| self.site.data_type(kind, "project").is_some())
    }
}

impl Operation {
    /// Whether it is about the field that the question names.
    pub(super) fn reads_field(self) -> bool {
        matches!(self, Self::FieldSee | Self::FieldEdit | Self::FieldValue | Self::FieldEditable)
    }
}

impl TypePermissions {
    /// The rules for a field.
    pub(super) fn field(&self, field: &str) -> &FieldPermissions {
        self.fields.get(field).unwrap_or(&self.field)
    }
}

impl Site {
    /// As the mirror has it now.
    pub(super) fn of(view: View<'_>, (kind, field): (KindNo, FieldNo)) -> Self {
        let schema = view.schema();
        let mut types = FxHashMap::default();
        for (of, def) in (0..).zip(&schema.kinds).filter(|(_, def)| !def.type_name.is_empty()) {
            let record = view.find(kind, &Id::from(def.type_name.as_str())).and_then(|key| view.row(key));
            if let Some(Cell::Any(fields)) = record.map(|row| row.cell(field))
                && let Value::Map(fields) = fields
            {
                let named = fields.iter().filter_map(|(name, data_type)| match data_type {
                    Value::Text(data_type) => Some((name.clone(), data_type.clone())),
                    _ => None,
                });
                types.insert(of, named.collect());
            }
        }
        Self { types }
    }

    /// The complaint about a field that a type does not have.
    pub(super) fn no_field(&self, kind: KindNo, name: &str, field: &str) -> String {
        match self.types.get(&kind) {
            Some(fields) => {
                let near = suggestion(field, fields.keys().map(|known| known.as_str()));
                format!("the site's {name} has no field `{field}`{near}")
            }
            None => format!("the site has not told which fields a {name} has"),
        }
    }

    /// Whether the site has said which fields the type has.
    pub(super) fn knows(&self, kind: KindNo) -> bool {
        self.types.contains_key(&kind)
    }

    /// A field's data type; `None` where the type has no such field.
    pub(super) fn data_type(&self, kind: KindNo, field: &str) -> Option<&Str> {
        self.types.get(&kind)?.get(field)
    }
}
