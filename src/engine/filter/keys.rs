//! Keys of filters: `eo.title`, `status`, `project.name` to paths.

use crate::engine::compile::Scope;
use crate::engine::path::{self, Path, Root, Step};
use crate::model::id::Str;
use crate::model::schema::KindNo;
use crate::yaml::suggestion;

/// The path that a key names: from the object of its first word, else from the resource itself.
pub(super) fn path(key: &str, scope: &Scope<'_>) -> Result<Path, String> {
    let words: Vec<_> = key.split('.').collect();
    if words.iter().any(|word| word.is_empty()) {
        return Err(format!("`{key}`: a name is missing beside a dot"));
    }
    let schema = scope.schema;
    let (first, rest) = words.split_first().ok_or("a name is needed")?;
    if *first == "userRights" {
        return Err("`userRights.` and one right is needed".to_owned());
    }
    let named = schema.kind_no(first);
    // An object of any shape may have an attribute of that name.
    let open = schema.kind(schema.table_of(scope.kind)).is_some_and(|def| def.attributes.is_some());
    if *first == "context" && !open && !rest.is_empty() {
        let names = rest.iter().map(|word| Str::from(*word)).collect();
        return Ok(Path { root: Root::Context, steps: vec![Step::Attribute(names)] });
    }
    let is_resource = |kind: KindNo| schema.table_of(kind) == schema.table_of(scope.kind);
    let (root, kind, rest) = match named {
        Some(kind) if is_resource(kind) => (Root::Resource, scope.kind, rest),
        Some(kind) if kind == schema.subject.project => (Root::Project, kind, rest),
        // An object of another kind is none of this question's: nothing is known of it.
        Some(kind) if schema.kind(kind).is_some_and(|def| def.told) => {
            return Ok(Path { root: Root::Nothing, steps: Vec::new() });
        }
        _ => (Root::Resource, scope.kind, words.as_slice()),
    };
    if rest.is_empty() {
        return Err(format!("`{key}`: an attribute is needed, like `{key}.name`"));
    }
    let mut path = Path { root, steps: Vec::new() };
    let mut at = Some(kind);
    for (number, word) in rest.iter().enumerate() {
        let kind = at.ok_or_else(|| format!("`{key}`: `.{word}` is asked of something that is no object"))?;
        let def = schema.kind(schema.table_of(kind)).ok_or("no such kind")?;
        // What the mirror tells of an object goes before what callers may.
        let told = def.told || !matches!(*word, "id" | "name");
        if def.attributes.is_some() && def.field_no(word).is_none() && told {
            let names = rest.iter().skip(number).map(|word| Str::from(*word));
            path.steps.push(Step::Attribute(names.collect()));
            return Ok(path);
        }
        let (step, end) = path::step(word, kind, schema).map_err(|problem| format!("`{key}`: {problem}"))?;
        if matches!(step, Step::Roster | Step::Back(_)) {
            let hint = suggestion(word, def.fields.iter().map(|field| field.name.as_str()));
            return Err(format!("`{key}`: `{word}` is a list of other objects{hint}"));
        }
        path.steps.push(step);
        at = end;
    }
    Ok(path)
}
