//! Reads a studio file: all problems at once, or all objects.

use std::sync::Arc;

use rustc_hash::{FxHashMap, FxHashSet};

use super::entry::{Entry, Reader};
use super::refs::Seen;
use crate::engine::policy::Policy;
use crate::model::change::{Change, Snapshot};
use crate::model::id::{Id, Str};
use crate::model::record::Record;
use crate::model::schema::{KindDef, KindNo, Schema};
use crate::model::value::Value;
use crate::yaml::{Data, Key, Node, Place, Problems, parse, suggestion};

/// The policy pack of a studio file that names none.
pub const DEFAULT_PACK: &str = "kitsu";

/// What a studio file may speak of: the kinds and roles of one pack.
#[derive(Clone, Debug)]
pub struct Vocabulary {
    pub pack: Str,
    pub schema: Arc<Schema>,
    pub roles: Vec<Str>,
}

impl Vocabulary {
    /// The words of a policy.
    pub fn of(policy: &Policy) -> Self {
        let roles = policy.roles().map(Str::from).collect();
        Self { pack: policy.tracker.clone(), schema: Arc::clone(&policy.schema), roles }
    }
}

/// Reads the text of a studio file. `file` is the name that complaints carry.
///
/// # Errors
/// Where the text is no YAML, is for another pack, has an unknown section, field or role, a dangling id or one given
/// twice.
pub fn read(file: &str, text: &str, words: &Vocabulary) -> Result<Snapshot, Problems> {
    let root = parse(file, text)?;
    let mut problems = Problems::new(file);
    let snapshot = from_node(&root, words, &mut problems);
    problems.into_result(snapshot)
}

/// The name of the pack that a studio file is written for.
///
/// # Errors
/// Where the text is no YAML map, or `pack:` names none that there is.
pub fn pack(file: &str, text: &str) -> Result<Str, Problems> {
    let root = parse(file, text)?;
    let mut problems = Problems::new(file);
    let (place, pack) = pack_of(&root, &mut problems);
    if let Err(why) = Policy::pack(&pack) {
        problems.add(place, why);
    }
    problems.into_result(pack)
}

/// The name of the pack that a studio is written for and where it stands, the studio being part of a larger file.
pub fn pack_of(root: &Node, problems: &mut Problems) -> (Place, Str) {
    let named = root.map(problems).and_then(|mut fields| fields.take("pack"));
    let pack = named.and_then(|node| Some((node.place, Str::from(node.text(problems)?))));
    pack.unwrap_or((root.place, Str::const_new(DEFAULT_PACK)))
}

/// Reads a studio that is part of a larger file. Where there are complaints, the snapshot is not whole.
pub fn from_node(root: &Node, words: &Vocabulary, problems: &mut Problems) -> Snapshot {
    let Vocabulary { pack: in_force, schema, roles: _ } = words;
    if root.is_null() {
        // A file that was cut off must not pass for a studio without people.
        problems.add(root.place, "there is no studio here; begin with `person:`");
        return Snapshot::default();
    }
    let (place, pack) = pack_of(root, problems);
    if pack != *in_force {
        problems.add(place, format!("this is a studio for the pack `{pack}`, and `{in_force}` is in force"));
        return Snapshot::default();
    }
    let listed = listed(root, schema);
    let mut seen = Seen::default();
    let mut rows: Vec<(KindNo, Place, Entry)> = Vec::new();
    for (key, section) in root.map(problems).map(|fields| fields.entries()).unwrap_or_default() {
        if key.text == "pack" {
            continue;
        }
        let Some((no, def)) = section_kind(&key.text, schema) else {
            if listed.keys().any(|name| key.text.replace('_', "").eq_ignore_ascii_case(name)) {
                continue;
            }
            let kinds = schema.kinds.iter().map(|kind| kind.name.as_str());
            let hint = suggestion(&key.text, kinds.filter(|kind| section_kind(kind, schema).is_some()).chain(["pack"]));
            problems.add(key.place, format!("there is no kind `{}`{hint}", key.text));
            continue;
        };
        for node in section.list() {
            let listed = listed.get(def.type_name.as_str()).copied().unwrap_or_default();
            let mut reader = Reader { words, no, name: &key.text, def, listed, seen: &mut seen, problems };
            rows.extend(reader.entry(node).map(|entry| (no, node.place, entry)));
        }
    }
    seen.check(schema, problems);
    if problems.is_empty() {
        inherit_projects(&mut rows, schema, problems);
        all_or_none(&rows, schema, problems);
        fill_links(&mut rows, schema);
    }
    snapshot(rows, schema)
}

/// The fields that the file says each of the tracker's types has. Such types and fields may stand in the file although the
/// policy in force does not look at them.
fn listed<'n>(root: &'n Node, schema: &Schema) -> FxHashMap<&'n str, &'n [(Key, Node)]> {
    let mut listed = FxHashMap::default();
    for (key, section) in entries(root) {
        let Some((_, def)) = section_kind(&key.text, schema).filter(|(_, def)| def.type_name.is_empty()) else {
            continue;
        };
        let [field] = def.fields.as_slice() else { continue };
        for entry in section.list().iter().map(entries).filter(|_| field.any) {
            let value = |name: &str| entry.iter().find(|(key, _)| key.text == name).map(|(_, node)| node);
            if let (Some(Data::Scalar { text, .. }), Some(fields)) =
                (value("id").map(|node| &node.data), value(&field.name))
            {
                listed.insert(text.as_str(), entries(fields));
            }
        }
    }
    listed
}

fn entries(node: &Node) -> &[(Key, Node)] {
    if let Data::Map(entries) = &node.data { entries } else { &[] }
}

/// Complains about what lies in no project while its like does: it would lie wherever a question says.
fn all_or_none(rows: &[(KindNo, Place, Entry)], schema: &Schema, problems: &mut Problems) {
    let table = |no: KindNo| schema.table_of(no);
    let placed: FxHashSet<KindNo> =
        rows.iter().filter(|(_, _, entry)| entry.record.project.is_some()).map(|(no, ..)| table(*no)).collect();
    // Where links name their types, so does the tracker's schema say what has a project, and it may have none.
    let strict = |no: KindNo| schema.kind(table(no)).is_some_and(|def| def.type_name.is_empty());
    for (no, place, entry) in rows.iter().filter(|(no, ..)| strict(*no)) {
        if entry.record.project.is_none() && placed.contains(&table(*no)) {
            problems.add(*place, format!("the {} `{}` needs a `project:`", entry.record.kind, entry.record.id));
        }
    }
}

/// Gives each object an empty record where its kind has others under the same id and the file has none: nobody is
/// mentioned on a task of which the file does not say so.
fn fill_links(rows: &mut Vec<(KindNo, Place, Entry)>, schema: &Schema) {
    let given: FxHashSet<(KindNo, Id)> = rows.iter().map(|(no, _, entry)| (*no, entry.record.id.clone())).collect();
    let mut missing = Vec::new();
    for (no, place, entry) in rows.iter() {
        let links = schema.kind(schema.table_of(*no)).map_or(&[][..], |def| &def.links);
        for link in links.iter().filter(|link| !link.either) {
            if let Some(def) = schema.kind(link.target)
                && !given.contains(&(link.target, entry.record.id.clone()))
            {
                let record = empty(&text_of(&entry.record.id), def);
                missing.push((link.target, *place, Entry { record, team: None }));
            }
        }
    }
    rows.append(&mut missing);
}

/// A record of which nothing is said.
pub(super) fn empty(id: &str, def: &KindDef) -> Record {
    let fields = def.fields.iter().map(|field| (field.name.clone(), Value::Null)).collect();
    Record { fields, ..Record::new(&def.name, id).named(id) }
}

/// The kind of a section, and the kind that has its fields: a shot has those of an entity, and no entity is just that.
fn section_kind<'s>(name: &str, schema: &'s Schema) -> Option<(KindNo, &'s KindDef)> {
    let no = schema.kind_no(name)?;
    // Where each object is of one of the table's kinds, the table's own name says too little.
    let varied = (0..).zip(&schema.kinds).any(|(other, kind)| kind.table == no && other != no);
    let varied = varied && no != schema.subject.kind && schema.others.as_ref().is_none_or(|others| others.kind != no);
    if varied { None } else { Some((no, schema.kind(schema.table_of(no))?)) }
}

/// Gives what names no project the one that all it refers to lie in: a task lies where its shot lies.
fn inherit_projects(rows: &mut [(KindNo, Place, Entry)], schema: &Schema, problems: &mut Problems) {
    let mut projects: FxHashMap<(KindNo, Str), Id> = FxHashMap::default();
    let mut open: Vec<usize> = Vec::new();
    for (at, (no, _, entry)) in rows.iter().enumerate() {
        match &entry.record.project {
            Some(project) => {
                projects.insert((schema.table_of(*no), text_of(&entry.record.id)), project.clone());
            }
            None => open.push(at),
        }
    }
    loop {
        let before = open.len();
        open.retain(|at| {
            let Some((no, place, entry)) = rows.get_mut(*at) else { return false };
            let mut found: Vec<&Id> = targets(*no, &entry.record, schema)
                .filter_map(|(kind, id)| projects.get(&(schema.table_of(kind), id.clone())))
                .collect();
            found.dedup();
            match found.as_slice() {
                [] => return true,
                [one] => {
                    let project = (*one).clone();
                    projects.insert((schema.table_of(*no), text_of(&entry.record.id)), project.clone());
                    entry.record.project = Some(project);
                }
                [..] => problems.add(*place, "it refers to objects of several projects: write its `project:`"),
            }
            false
        });
        if open.is_empty() || open.len() == before {
            return;
        }
    }
}

/// The objects that a record's single references name.
fn targets<'r>(no: KindNo, record: &'r Record, schema: &'r Schema) -> impl Iterator<Item = (KindNo, &'r Str)> {
    let fields = schema.kind(schema.table_of(no)).map(|kind| kind.fields.as_slice()).unwrap_or_default();
    fields.iter().zip(&record.fields).filter_map(|(field, (_, value))| match (field.target, value) {
        (Some(kind), Value::Text(id)) => Some((kind, id)),
        _ => None,
    })
}

fn snapshot(rows: Vec<(KindNo, Place, Entry)>, schema: &Schema) -> Snapshot {
    let mut changes = Vec::with_capacity(rows.len());
    let mut teams = Vec::new();
    for (_, _, Entry { record, team }) in rows {
        if let Some(members) = team {
            teams.push(Change::Team { project: record.id.clone(), members });
        }
        changes.push(Change::Upsert(record));
    }
    changes.append(&mut teams);
    let tables = (0..).zip(&schema.kinds).filter(|(no, kind)| kind.table == *no);
    Snapshot {
        complete: tables.map(|(_, kind)| kind.name.clone()).collect(),
        teams: true,
        changes,
        ..Snapshot::default()
    }
}

fn text_of(id: &Id) -> Str {
    compact_str::format_compact!("{id}")
}
