//! What the subject's role allows on the resource.

use super::{Val, Vals, Walk};
use crate::engine::condition::Truth;
use crate::engine::permissions::{Allows, FieldPermissions, NewValue, Operation, Permissions, TypePermissions};
use crate::engine::resolve::Target;
use crate::model::id::Key;
use crate::model::schema::KindNo;

impl<'v> Walk<'v> {
    /// Whether the role's rule for the operation holds.
    pub(in crate::engine) fn permits(&mut self, operation: Operation) -> Truth {
        let Some((page, role)) = self.case.role else { return Truth::Unknown };
        let kind = self.case.kind;
        let Some(rules) = page.of(role, kind) else { return Truth::Unknown };
        let truth = |yes: bool| if yes { Truth::Yes } else { Truth::No };
        match operation {
            Operation::Advanced(number) => {
                truth(page.roles.get(usize::from(role)).is_some_and(|role| role.advanced.contains(&number)))
            }
            Operation::Placeless => match page.is_placed(self.view.schema(), kind) {
                Some(placed) => truth(!placed),
                None => Truth::Unknown,
            },
            Operation::EditAtAll => truth(rules.edit != Allows::No),
            Operation::FieldEditable => truth(!page.is_fixed(kind, self.case.query.field)),
            Operation::See => self.allowed(rules.see),
            Operation::Create => self.allowed(rules.create),
            Operation::Edit => self.allowed(rules.edit),
            Operation::Retire => self.allowed(rules.retire),
            Operation::SeeAbove => self.see_above(page, role),
            Operation::FieldSee => self.allowed(rules.field(self.case.query.field).see),
            Operation::FieldEdit => self.field_edit(rules),
            Operation::FieldValue => match self.case.new_value {
                NewValue::Listed(at) => {
                    let listed = &rules.field(self.case.query.field).values;
                    listed.get(usize::from(at)).map_or(Truth::Unknown, |(_, rule)| self.allowed(*rule))
                }
                NewValue::Untold | NewValue::Other => Truth::Yes,
            },
        }
    }

    /// A field's `edit`. Where the question names no value, the answer must not depend on it.
    fn field_edit(&mut self, rules: &'v TypePermissions) -> Truth {
        let FieldPermissions { edit, values, .. } = rules.field(self.case.query.field);
        match self.case.new_value {
            // The value's own rule decides instead.
            NewValue::Listed(_) => return Truth::Yes,
            NewValue::Other => return self.allowed(*edit),
            NewValue::Untold => {}
        }
        let first = self.allowed(*edit);
        let mut rest = values.iter().map(|(_, rule)| *rule);
        if rest.all(|rule| self.allowed(rule) == first) { first } else { Truth::Unknown }
    }

    /// Whether what the resource hangs on can be seen too. Of a type that hangs on others, what hangs on nothing is nobody's.
    fn see_above(&mut self, page: &'v Permissions, role: u16) -> Truth {
        let schema = self.view.schema();
        let from = schema.kind(schema.table_of(self.case.kind)).and_then(|def| def.project_from);
        let (Some(from), Target::Object(key)) = (from, self.case.resource) else { return Truth::Yes };
        let mut above = Vals::default();
        self.field(key, from, &mut above);
        let mut truth = if above.unknown { Truth::Unknown } else { Truth::No };
        for key in above.list.into_iter().filter_map(Val::key) {
            let seen = match self.is_live(key) {
                Truth::Yes => self.kind_at(key).and_then(|kind| page.of(role, kind)).map(|rules| rules.see),
                Truth::No => continue,
                Truth::Unknown => None,
            };
            match seen.map(|see| self.allowed_on(see, key)) {
                Some(Truth::Yes) => return Truth::Yes,
                Some(Truth::No) => {}
                Some(Truth::Unknown) | None => truth = Truth::Unknown,
            }
        }
        truth
    }

    fn kind_at(&self, key: Key) -> Option<KindNo> {
        self.view.row(key).map(|row| row.kind()).or_else(|| self.view.table(key))
    }

    /// Whether a rule holds of the resource.
    fn allowed(&mut self, rule: Allows) -> Truth {
        match self.case.resource {
            Target::Object(key) => self.allowed_on(rule, key),
            // There is no object yet that a condition could look at.
            Target::Described => match rule {
                Allows::Yes => Truth::Yes,
                Allows::No => Truth::No,
                Allows::If(_) | Allows::Invalid(_) => Truth::Unknown,
            },
        }
    }

    fn allowed_on(&mut self, rule: Allows, key: Key) -> Truth {
        let number = match rule {
            Allows::Yes => return Truth::Yes,
            Allows::No => return Truth::No,
            Allows::Invalid(_) => {
                self.invalid = true;
                return Truth::Unknown;
            }
            Allows::If(number) => number,
        };
        let condition = self.case.role.and_then(|(page, _)| page.conditions.get(number as usize));
        let outer = self.it.replace(key);
        let truth = condition.map_or(Truth::Unknown, |condition| condition.holds(self));
        self.it = outer;
        truth
    }

    /// What the role says of an operation, in words: `artist: assigned`.
    pub(in crate::engine) fn rule_in_words(&self, operation: Operation) -> Option<String> {
        let (page, role) = self.case.role?;
        let rules = page.of(role, self.case.kind)?;
        let of_field = rules.field(self.case.query.field);
        let rule = match operation {
            Operation::See => rules.see,
            Operation::Create => rules.create,
            Operation::Edit | Operation::EditAtAll => rules.edit,
            Operation::Retire => rules.retire,
            Operation::FieldSee => of_field.see,
            Operation::FieldEdit => of_field.edit,
            Operation::FieldValue => match self.case.new_value {
                NewValue::Listed(at) => of_field.values.get(usize::from(at))?.1,
                NewValue::Untold | NewValue::Other => return None,
            },
            Operation::SeeAbove | Operation::FieldEditable | Operation::Placeless | Operation::Advanced(_) => {
                return None;
            }
        };
        let says = match rule {
            Allows::Yes => "yes",
            Allows::No => "no",
            Allows::If(number) => page.condition_names.get(number as usize).map_or("", String::as_str),
            Allows::Invalid(number) => page.problems.get(number as usize).map_or("", String::as_str),
        };
        let code = page.roles.get(usize::from(role)).map_or("", |role| role.code.as_str());
        Some(format!("role {code}: {says}"))
    }
}
