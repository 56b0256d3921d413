//! Paths from what a question names to the facts that an atom compares: `resource.entity_id.created_by`.
//!
//! A path is compiled against the schema, so that a misspelt field is an error of the policy, not an unknown at run time.

use super::compile::Scope;
use crate::model::id::Str;
use crate::model::schema::{BotDef, FieldNo, KindNo, Schema};
use crate::yaml::suggestion;

/// A compiled path.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Path {
    pub(super) root: Root,
    pub(super) steps: Vec<Step>,
}

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Root {
    Subject,
    Resource,
    /// The project of the resource.
    Project,
    /// The action's new value.
    Value,
    /// The object that `some:` looks at.
    It,
    /// The action's field, and what a `*` in the rule's field name stands for.
    Field,
    FieldTail,
    Literal(Literal),
    /// The free facts that a caller tells of the call; only filters look at them.
    Context,
    /// An object that is none of the question's: nothing is known of it.
    Nothing,
}

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Literal {
    Bool(bool),
    Number(f64),
    Text(Str),
}

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Step {
    /// A field; its name is what a caller's `properties` call it.
    Field {
        no: FieldNo,
        name: Str,
        target: Option<KindNo>,
    },
    /// The record of another kind with the same id.
    Link(KindNo),
    /// Those that refer to the object.
    Back(u16),
    /// Those of them that are in the project of the resource, where the list is kept by project.
    BackHere(u16),
    /// A field, by the kinds of which an object may be.
    FieldOf(Box<[(KindNo, FieldNo)]>),
    /// A field that is never null: nothing there is no.
    Checkbox(FieldNo),
    /// The links that lead to a live object of this kind.
    Live(KindNo),
    /// The live projects that an object belongs to, itself where it is one; or that what it hangs on belongs to.
    Projects,
    /// The object's id as a number.
    IdNumber,
    /// Those that link to the object: all, if every row of their kind is understood.
    OtherEnd {
        list: u16,
        from: KindNo,
    },
    /// The name of the object's kind.
    Kind,
    /// The roles that a person has in the project of the resource, where they are records.
    RolesHere,
    /// The rights given to a person alone in the project of the resource.
    RightsHere,
    /// A person's role in the project of the resource.
    RoleHere,
    /// The same as it is stored, although the person's site-wide role may be one that no project role replaces.
    StoredRoleHere,
    /// The project that the object belongs to.
    Project,
    /// A project's people, or a person's projects.
    Roster,
    /// The object's id or name, where its kind has no field of that name.
    Id,
    Name,
    /// Into whatever else the object has, by name; always the last step, and only of a filter.
    Attribute(Box<[Str]>),
}

/// Compiles a path or a literal; also says of which kind the objects at its end are.
pub(super) fn compile(text: &str, scope: &Scope<'_>) -> Result<(Path, Option<KindNo>), String> {
    compile_within(text, scope, 0)
}

fn compile_within(text: &str, scope: &Scope<'_>, depth: usize) -> Result<(Path, Option<KindNo>), String> {
    if let Some(literal) = literal(text) {
        return Ok((Path { root: Root::Literal(literal), steps: Vec::new() }, None));
    }
    let mut words = text.split('.');
    let first = words.next().unwrap_or_default();
    let schema = scope.schema;
    let subject = &schema.subject;
    let (mut path, mut kind) = match first {
        "subject" => (root(Root::Subject), Some(subject.kind)),
        "resource" => (root(Root::Resource), Some(scope.kind)),
        "project" => (root(Root::Project), Some(subject.project)),
        "value" => match scope.value {
            Some(kind) => (root(Root::Value), Some(kind)),
            None => return Err("`value` is read, but the rule does not say what its `value:` is".to_owned()),
        },
        "it" => match scope.it {
            Some(kind) => (root(Root::It), Some(kind)),
            None => return Err("`it` stands for an object of `some:`, and there is none here".to_owned()),
        },
        "field" => (root(Root::Field), None),
        "field_tail" => (root(Root::FieldTail), None),
        name => match scope.named_path(name) {
            Some(Ok(named)) if depth < 16 => compile_within(named, scope, depth + 1)?,
            Some(Ok(_)) => return Err(format!("path `{name}` leads back to itself")),
            Some(Err(problem)) => return Err(problem),
            None => {
                let known = ["subject", "resource", "project", "value", "field", "field_tail"];
                let hint = suggestion(name, known.into_iter().chain(scope.path_names()));
                return Err(format!("`{text}`: no path begins with `{name}`{hint} (a text stands in quotes)"));
            }
        },
    };
    for word in words {
        let at = kind.ok_or_else(|| format!("`{text}`: `.{word}` is asked of something that is no object"))?;
        let (step, end) = step(word, at, schema).map_err(|problem| format!("`{text}`: {problem}"))?;
        path.steps.push(step);
        kind = end;
    }
    Ok((path, kind))
}

fn root(root: Root) -> Path {
    Path { root, steps: Vec::new() }
}

pub(super) fn step(word: &str, at: KindNo, schema: &Schema) -> Result<(Step, Option<KindNo>), String> {
    let table = schema.table_of(at);
    let Some(def) = schema.kind(table) else { return Err(format!("no kind has number {table}")) };
    if table == schema.subject.kind {
        match word {
            "roles_here" if schema.subject.member_role.is_some() => {
                return Ok((Step::RolesHere, schema.subject.member_role));
            }
            "rights_here" => return Ok((Step::RightsHere, None)),
            "role_here" => return Ok((Step::RoleHere, None)),
            "stored_role_here" => return Ok((Step::StoredRoleHere, None)),
            "teams" => return Ok((Step::Roster, Some(schema.subject.project))),
            _ => {}
        }
    }
    if table == schema.subject.project && word == "members" {
        return Ok((Step::Roster, Some(schema.subject.kind)));
    }
    if word == "in_projects" && !def.type_name.is_empty() {
        return Ok((Step::Projects, Some(schema.subject.project)));
    }
    if table == schema.subject.kind
        && let Some(BotDef::Apart(bots)) = schema.subject.bot
        && let Some(of_person) = def.field_no(word)
    {
        let of_bot = schema.kind(bots).and_then(|def| def.field_no(word)).map(|no| (bots, no));
        return Ok((Step::FieldOf([(table, of_person)].into_iter().chain(of_bot).collect()), None));
    }
    if word == "project" {
        return Ok((Step::Project, Some(schema.subject.project)));
    }
    if let Some(no) = def.field_no(word) {
        let target = def.fields.get(usize::from(no)).and_then(|field| field.target);
        return Ok((Step::Field { no, name: Str::from(word), target }, target));
    }
    if let Some(link) = def.links.iter().find(|link| link.name == word) {
        return Ok((Step::Link(link.target), Some(link.target)));
    }
    if let Some(no) = def.back_no(word) {
        let Some(back) = def.backs.get(usize::from(no)) else { return Err(format!("no list has number {no}")) };
        return Ok((if back.by_project { Step::BackHere(no) } else { Step::Back(no) }, Some(back.from)));
    }
    match word {
        "id" => return Ok((Step::Id, None)),
        "name" => return Ok((Step::Name, None)),
        "kind" => return Ok((Step::Kind, None)),
        _ => {}
    }
    let fields = def.fields.iter().map(|field| field.name.as_str());
    let backs = def.backs.iter().map(|back| back.name.as_str());
    let links = def.links.iter().map(|link| link.name.as_str());
    let hint = suggestion(word, fields.chain(backs).chain(links));
    Err(format!("kind `{}` has no field `{word}`{hint}", def.name))
}

fn literal(text: &str) -> Option<Literal> {
    match text {
        "true" => return Some(Literal::Bool(true)),
        "false" => return Some(Literal::Bool(false)),
        _ => {}
    }
    for quote in ['\'', '"'] {
        if let Some(inner) = text.strip_prefix(quote).and_then(|rest| rest.strip_suffix(quote)) {
            return Some(Literal::Text(Str::from(inner)));
        }
    }
    let number = text.starts_with(|c: char| c.is_ascii_digit() || c == '-');
    number.then(|| text.parse().ok().filter(|number: &f64| number.is_finite()).map(Literal::Number)).flatten()
}
