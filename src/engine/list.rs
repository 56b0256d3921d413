//! What can be asked about a resource: the actions of its kind, in the order of the policy, then those that records of
//! its project declare, in the order of the settings.

use super::policy::Policy;
use super::resolve::project_of;
use crate::directory::View;
use crate::model::id::Str;
use crate::model::query::Query;

/// An action that can be asked about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    pub action: Str,
    /// A field that has a rule of its own; empty: the resource as a whole.
    pub field: Str,
    /// What people call it.
    pub label: String,
}

impl Policy {
    /// Every action that applies to the resource of a question, whoever asks and whatever its action. `None` where
    /// there is no such kind.
    pub fn list(&self, view: View<'_>, query: &Query<'_>) -> Option<Vec<Listed>> {
        let kind = self.kind_of(view, query.kind)?;
        let mut fixed: Vec<_> = self.actions.get(usize::from(kind))?.iter().collect();
        fixed.sort_by_key(|(_, rules)| rules.whole);
        let mut list = Vec::new();
        for (action, rules) in fixed {
            let label = if rules.label.is_empty() { spoken(action) } else { rules.label.to_string() };
            let mut fields: Vec<_> = rules.fields.iter().filter(|(pattern, _)| !pattern.open).collect();
            fields.sort_by_key(|(_, rule)| *rule);
            let of_field = |field: &Str| Listed {
                action: action.clone(),
                label: format!("{label} ({})", field.replace('_', " ")),
                field: field.clone(),
            };
            let mut fields: Vec<_> = fields.into_iter().map(|(pattern, _)| of_field(&pattern.start)).collect();
            if let Some(page) = self.permissions.as_ref().filter(|_| !rules.fields.is_empty()) {
                fields.extend(page.named_fields(kind).into_iter().map(of_field));
            }
            list.push(Listed { action: action.clone(), field: Str::default(), label });
            list.extend(fields);
        }
        if let Some(project) = project_of(view, kind, query) {
            let declared = self.declarations.of(project, kind);
            // One of the policy's own with the same name is what is asked about.
            let declared = declared.filter(|(action, _)| self.find_rule(kind, action, "").is_none());
            list.extend(declared.map(|(action, label)| Listed {
                action: action.clone(),
                field: Str::default(),
                label: label.to_string(),
            }));
        }
        Some(list)
    }
}

/// `set_status` as people say it.
fn spoken(action: &str) -> String {
    let mut letters = action.chars().map(|c| if c == '_' { ' ' } else { c });
    letters.next().map(|first| first.to_uppercase().chain(letters).collect()).unwrap_or_default()
}
