//! Why a question was decided before any rule was tried: which of its names means nothing, and what was probably meant.

use super::explain::{Step, StepOutcome};
use super::policy::{Policy, Reach};
use crate::directory::{State, View};
use crate::model::decision::{Reason, RuleId};
use crate::model::id::Id;
use crate::model::query::{Query, Subject};
use crate::model::schema::{BotDef, KindNo};
use crate::model::value::Value;
use crate::yaml::suggestion;

/// The most characters of a caller's name that are repeated.
const SHOWN: usize = 60;

/// What to say of a question that `resolve` decided for this reason.
pub fn unknown(policy: &Policy, view: View<'_>, query: &Query<'_>, code: Reason) -> Vec<Step> {
    let text = match code {
        Reason::SubjectUnknown => subject(view, query.subject),
        Reason::ActionUnknown => action(policy, view, query),
        Reason::ResourceUnknown => resource(policy, view, query),
        Reason::NoGrant => role(policy, view, query),
        Reason::Indeterminate => placeless(policy, query),
        _ => None,
    };
    let step = |text| Step { rule: String::new(), text, outcome: StepOutcome::Failed, steps: Vec::new() };
    text.map(step).into_iter().collect()
}

fn subject(view: View<'_>, subject: Subject<'_>) -> Option<String> {
    let kind = view.schema().subject.kind;
    let named = |what: &str, name: &str, found: bool| {
        let name = shown(name);
        if found {
            format!("several people have the {what} `{name}`")
        } else {
            format!("nobody has the {what} `{name}`")
        }
    };
    Some(match subject {
        Subject::Bot(id) if matches!(view.schema().subject.bot, Some(BotDef::Apart(_))) => {
            let bots = match view.schema().subject.bot {
                Some(BotDef::Apart(bots)) => bots,
                _ => kind,
            };
            none(view, bots, id)
        }
        Subject::Bot(id) if is_known(view, kind, id) => format!("`{}` is a person, not a bot", shown(id)),
        Subject::Person(id) | Subject::Bot(id) => none(view, kind, id),
        Subject::Login(login) => named("login", login, view.by_login(login).is_err()),
        Subject::Email(email) => named("e-mail address", email, view.by_email(email).is_err()),
    })
}

fn action(policy: &Policy, view: View<'_>, query: &Query<'_>) -> Option<String> {
    let Some(kind) = policy.kind_of(view, query.kind) else {
        let hint = suggestion(query.kind, policy.kinds.keys().map(|kind| kind.as_str()));
        return Some(format!("there is no kind `{}`{hint}", shown(query.kind)));
    };
    let known = policy.actions.get(usize::from(kind))?;
    if let (Some(rules), Some(page)) = (known.get(query.action), &policy.permissions) {
        return Some(match rules.fields.is_empty() {
            true => format!("`{}` is not asked about fields", shown(query.action)),
            false => page.site.no_field(kind, query.kind, &shown(query.field)),
        });
    }
    let hint = suggestion(query.action, known.keys().map(|action| action.as_str()));
    Some(format!("there is no action `{}` for kind {}{hint}", shown(query.action), query.kind))
}

fn resource(policy: &Policy, view: View<'_>, query: &Query<'_>) -> Option<String> {
    let schema = view.schema();
    let kind = policy.kind_of(view, query.kind)?;
    let (rule, _) = policy.find_rule(kind, query.action, query.field)?;
    let rule = policy.rule(RuleId::Policy(rule))?;
    let project = query.project.as_ref().map(Id::to_string);
    match (rule.reach, &project) {
        (Reach::Resource | Reach::Trashed, _) if query.id.is_empty() => {
            return Some(format!("`{}.{}` needs the id of the object", query.kind, query.action));
        }
        (Reach::Resource | Reach::Trashed, _) => match view.find(kind, &query.id).map(|key| view.state(key)) {
            Some(State::Record(row)) if row.trashed() && rule.reach == Reach::Resource => {
                return Some(format!("{} `{}` is in the trash", query.kind, shown(&query.id.to_string())));
            }
            Some(State::Record(row)) if !row.trashed() && rule.reach == Reach::Trashed => {
                return Some(format!("{} `{}` is not in the trash", query.kind, shown(&query.id.to_string())));
            }
            Some(State::Record(row)) if row.kind() == kind => {}
            Some(State::Record(row)) => {
                let other = schema.kind_name(row.kind());
                return Some(format!("`{}` is of kind {other}, not {}", shown(&query.id.to_string()), query.kind));
            }
            _ => return Some(none(view, kind, &query.id.to_string())),
        },
        (Reach::Project, None) => {
            return Some(format!("`{}.{}` needs a `project`", query.kind, query.action));
        }
        (Reach::Project | Reach::Placed | Reach::Site, Some(id)) if !is_known(view, schema.subject.project, id) => {
            return Some(none(view, schema.subject.project, id));
        }
        (Reach::Project | Reach::Placed | Reach::Site | Reach::Studio, _) => {}
    }
    match (&rule.value, query.value.as_deref()) {
        (Some(value), Some(Value::Text(id))) => Some(none(view, value.kind, id)),
        _ => None,
    }
}

/// What is wrong with the subject's role.
fn role(policy: &Policy, view: View<'_>, query: &Query<'_>) -> Option<String> {
    let page = policy.permissions.as_ref()?;
    let subject = match query.subject {
        Subject::Login(login) => view.by_login(login).ok().flatten(),
        Subject::Email(email) => view.by_email(email).ok().flatten(),
        Subject::Person(id) => view.find(view.schema().subject.kind, &Id::from(id)),
        Subject::Bot(id) => match view.schema().subject.bot {
            Some(BotDef::Apart(bots)) => view.find(bots, &Id::from(id)),
            _ => None,
        },
    };
    match page.code_of(view, subject?) {
        None => Some("the tracker gives them no permission role".to_owned()),
        Some(code) if !page.by_code.contains_key(code) => {
            let near = suggestion(code, page.by_code.keys().map(|code| code.as_str()));
            Some(format!("their permission role `{}` is not in the policy{near}", shown(code)))
        }
        Some(_) => None,
    }
}

/// Objects of a kind belong to projects, and the question names none.
fn placeless(policy: &Policy, query: &Query<'_>) -> Option<String> {
    policy.permissions.as_ref()?;
    query.project.is_none().then(|| format!("`{}.{}` needs a `project`", query.kind, query.action))
}

fn is_known(view: View<'_>, kind: KindNo, id: &str) -> bool {
    view.find(kind, &Id::from(id)).is_some_and(|key| view.row(key).is_some())
}

fn none(view: View<'_>, kind: KindNo, id: &str) -> String {
    format!("the mirror has no {} `{}`", view.schema().kind_name(kind), shown(id))
}

fn shown(name: &str) -> String {
    name.chars().take(SHOWN).collect()
}
