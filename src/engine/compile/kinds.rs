//! Compiles the kinds of a pack to the schema of the mirror.

use crate::engine::parse::{KindSource, Named, Source, SubjectSource};
use crate::model::id::Str;
use crate::model::schema::{
    BackDef, BotDef, FieldDef, FieldNo, KindDef, KindNo, LinkDef, OthersDef, Schema, SubjectDef,
};
use crate::yaml::{Problems, suggestion};

/// The field of a kind with `attributes: true` that holds them.
const ATTRIBUTES: &str = "attributes";

/// The schema of a pack. Complains about what refers to nothing.
pub(super) fn schema(source: &Source, problems: &mut Problems) -> Schema {
    let mut schema = Schema::default();
    for kind in &source.kinds {
        let table = number(schema.kinds.len());
        schema.kinds.push(KindDef {
            name: kind.name.what.clone(),
            table,
            lazy: kind.lazy,
            told: kind.told,
            named: kind.named,
            told_project: kind.told_project.clone(),
            label: kind.label.clone(),
            type_name: kind.type_name.clone(),
            rowless: kind.rowless,
            ..KindDef::default()
        });
        for variant in &kind.variants {
            schema.kinds.push(KindDef { name: variant.what.clone(), table, ..KindDef::default() });
        }
    }
    for kind in &source.kinds {
        fill(&mut schema, kind, problems);
    }
    schema.others = source.kinds.iter().find_map(|kind| others(&schema, kind, problems));
    match &source.subject {
        Some(subject) => schema.subject = subject_def(&schema, subject, problems),
        None => problems.add(crate::yaml::Place { line: 1, column: 1 }, "`subject:` is missing"),
    }
    for kind in &source.kinds {
        backs(&mut schema, kind, problems);
        other_ends(&mut schema, kind);
    }
    schema
}

fn number(at: usize) -> u16 {
    u16::try_from(at).unwrap_or(u16::MAX)
}

fn kind_no(schema: &Schema, name: &Named<Str>, problems: &mut Problems) -> Option<KindNo> {
    let found = schema.kind_no(&name.what);
    if found.is_none() {
        let hint = suggestion(&name.what, schema.kinds.iter().map(|kind| kind.name.as_str()));
        problems.add(name.place, format!("there is no kind `{}`{hint}", name.what));
    }
    found
}

fn fill(schema: &mut Schema, kind: &KindSource, problems: &mut Problems) {
    let mut fields = Vec::new();
    for field in &kind.fields {
        let target = field.target.as_ref().and_then(|target| kind_no(schema, target, problems));
        let lazy = target.and_then(|no| schema.kind(schema.table_of(no))).is_some_and(|def| def.lazy);
        if lazy {
            problems.add(field.name.place, "a field cannot refer to a kind that is read on first use");
        }
        let (any, one, link) = (field.any, field.one, field.link);
        let name = field.name.what.clone();
        fields.push(FieldDef { name, target, any, one, link, listed: false });
    }
    let attributes = kind.attributes.then(|| {
        fields.push(FieldDef { name: Str::const_new(ATTRIBUTES), any: true, one: true, ..FieldDef::default() });
        number(fields.len() - 1)
    });
    let mut links = Vec::new();
    let named = kind.links.iter().map(|link| (link, false)).chain(kind.either.iter().map(|link| (link, true)));
    for ((name, target), either) in named {
        links.extend(kind_no(schema, target, problems).map(|target| LinkDef {
            name: name.what.clone(),
            target,
            either,
        }));
    }
    let mut field = |from: &Named<Str>| {
        let at = kind.fields.iter().position(|field| field.name.what == from.what);
        if at.is_none() {
            problems.add(from.place, format!("kind `{}` has no field `{}`", kind.name.what, from.what));
        }
        at.map(number)
    };
    let project_from = kind.project_from.as_ref().and_then(&mut field);
    let more_projects = kind.more_projects.as_ref().and_then(&mut field);
    let no = schema.kind_no(&kind.name.what).map(usize::from);
    if let Some(def) = no.and_then(|no| schema.kinds.get_mut(no)) {
        def.fields = fields;
        def.links = links;
        def.project_from = project_from;
        def.more_projects = more_projects;
        def.attributes = attributes;
    }
}

fn backs(schema: &mut Schema, kind: &KindSource, problems: &mut Problems) {
    let Some(from) = schema.kind_no(&kind.name.what) else { return };
    for (at, field) in kind.fields.iter().enumerate() {
        let Some(back) = &field.back else { continue };
        let Some(target) = field.target.as_ref().and_then(|target| kind_no(schema, target, problems)) else { continue };
        let table = usize::from(schema.table_of(target));
        if let Some(def) = schema.kinds.get_mut(table) {
            let (name, by_project) = (back.what.clone(), field.by_project);
            def.backs.push(BackDef { name, from, field: Some(number(at)), by_project });
        }
    }
    if let (Some(name), Some(project)) =
        (&kind.in_project_as, schema.kinds.get_mut(usize::from(schema.subject.project)))
    {
        project.backs.push(BackDef { name: name.what.clone(), from, field: None, by_project: false });
    }
}

/// Lists of those that link to the kind, under the names that the tracker has for them as fields.
fn other_ends(schema: &mut Schema, kind: &KindSource) {
    for (name, from, field) in &kind.other_ends {
        let Some(from) = schema.kind_no(from) else { continue };
        let field = schema.kind(from).and_then(|def| def.field_no(field));
        let near = field.and_then(|no| schema.kinds.get_mut(usize::from(from))?.fields.get_mut(usize::from(no)));
        near.into_iter().for_each(|near| near.listed = true);
        let no = schema.kind_no(&kind.name.what).map(usize::from);
        if let Some(def) = no.and_then(|no| schema.kinds.get_mut(no)) {
            def.backs.push(BackDef { name: name.clone(), from, field, by_project: false });
        }
    }
}

fn others(schema: &Schema, kind: &KindSource, problems: &mut Problems) -> Option<OthersDef> {
    let (listed_as, named_by) = kind.others.as_ref()?;
    let no = schema.kind_no(&kind.name.what)?;
    let field = schema.kind(no).and_then(|def| def.field_no(&named_by.what));
    if field.is_none() {
        problems.add(named_by.place, format!("kind `{}` has no field `{}`", kind.name.what, named_by.what));
    }
    Some(OthersDef { kind: no, named_by: field?, listed_as: kind_no(schema, listed_as, problems)? })
}

fn subject_def(schema: &Schema, source: &SubjectSource, problems: &mut Problems) -> SubjectDef {
    let part = |name: &str| source.parts.iter().find(|(part, _)| *part == name).map(|(_, named)| named);
    let kind = part("kind").and_then(|name| kind_no(schema, name, problems)).unwrap_or_default();
    let project = part("project").and_then(|name| kind_no(schema, name, problems)).unwrap_or_default();
    let member_role = part("member_role").and_then(|name| kind_no(schema, name, problems));
    let fields: Vec<_> =
        schema.kind(kind).map(|def| def.fields.iter().map(|field| field.name.as_str()).collect()).unwrap_or_default();
    let mut field = |name: &str| -> Option<FieldNo> {
        let named = part(name)?;
        let found = schema.kind(kind).and_then(|def| def.field_no(&named.what));
        if found.is_none() {
            let hint = suggestion(&named.what, fields.iter().copied());
            problems.add(named.place, format!("kind `{}` has no field `{}`{hint}", schema.kind_name(kind), named.what));
        }
        found
    };
    let bot = part("bot").and_then(|named| match schema.kind_no(&named.what) {
        Some(bot) if bot != kind && schema.table_of(bot) == kind => {
            Some(BotDef::Kind { kind: bot, person: field("bot_person")? })
        }
        Some(bot) if bot != kind => Some(BotDef::Apart(bot)),
        _ => field("bot").map(BotDef::Flag),
    });
    SubjectDef {
        kind,
        project,
        member_role,
        active: field("active").unwrap_or(FieldNo::MAX),
        active_is: part("active_is").map(|named| named.what.clone()),
        role: field("role"),
        bot,
        login: field("login"),
        email: field("email"),
        fixed_roles: source.fixed_roles.iter().map(|role| role.what.clone()).collect(),
    }
}
