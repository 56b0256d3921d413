//! One entry of a studio file: a line such as `{id: sh010, project: atlas, parent_id: sq01}`.

use super::refs::{Seen, Wanted};
use super::studio::{Vocabulary, empty};
use crate::engine::value;
use crate::model::id::{Id, Str};
use crate::model::record::{Member, Record};
use crate::model::schema::{BotDef, FieldNo, KindDef, KindNo, SubjectDef};
use crate::model::value::Value;
use crate::yaml::{Data, Key, Node, Place, Problems, near, suggestion};

/// What an entry says.
pub(super) struct Entry {
    pub record: Record,
    /// The members, where the entry is a project.
    pub team: Option<Vec<Member>>,
}

/// Reads entries of one kind.
pub(super) struct Reader<'a> {
    pub words: &'a Vocabulary,
    pub no: KindNo,
    /// The kind's name.
    pub name: &'a str,
    /// The kind that has its fields.
    pub def: &'a KindDef,
    /// Fields that the tracker's type has, whether the policy looks at them or not.
    pub listed: &'a [(Key, Node)],
    pub seen: &'a mut Seen,
    pub problems: &'a mut Problems,
}

impl Reader<'_> {
    /// The entry, or `None` where it has no id to file it under.
    pub(super) fn entry(&mut self, node: &Node) -> Option<Entry> {
        let (key, entries) = match &node.data {
            // `- lighting` stands for `- {id: lighting}`.
            Data::Scalar { .. } if !node.is_null() => (node, &[][..]),
            Data::Map(entries) => match entries.iter().find(|(key, id)| key.text == "id" && !id.is_null()) {
                Some((_, id)) => (id, entries.as_slice()),
                None => {
                    self.problems.add(node.place, format!("every {} needs an `id:`", self.name));
                    return None;
                }
            },
            _ => {
                self.problems.add(node.place, format!("`{{id: ..., ...}}` is needed here, not {}", node.what()));
                return None;
            }
        };
        let id = key.text(self.problems)?;
        if id.is_empty() {
            self.problems.add(key.place, "an id cannot be empty");
            return None;
        }
        if let Some(first) = self.seen.add(&self.words.schema, self.no, id, key.place) {
            self.problems.add(key.place, format!("`{id}` stands twice; first in line {}", first.line));
        }
        self.must_belong(id, key.place);
        let record = Record { kind: Str::from(self.name), ..empty(id, self.def) };
        let mut entry = Entry { record, team: self.is_project().then(Vec::new) };
        for (key, node) in entries {
            self.field(&mut entry, key, node);
        }
        self.defaults(&mut entry.record, node);
        Some(entry)
    }

    fn field(&mut self, entry: &mut Entry, key: &Key, node: &Node) {
        let no = self.def.field_no(&key.text);
        match key.text.as_str() {
            "id" => return,
            "name" => {
                entry.record.name = node.text(self.problems).map_or_else(|| entry.record.name.clone(), Str::from);
            }
            "project" if self.in_projects() => {
                entry.record.project = self.reference(self.subject().project, node).map(|id| Id::from(id.as_str()));
                return;
            }
            "trashed" if self.has_trash() => {
                entry.record.trashed = node.bool(self.problems).unwrap_or_default();
                return;
            }
            "team" if self.is_project() => {
                entry.team = Some(self.team(node));
                return;
            }
            // Which fields are mirrored is for the policy to say: the file may have more, but none misspelt.
            other
                if no.is_none()
                    && (self.is_listed(other) || self.has_trash() && near(other, self.known()).is_none()) =>
            {
                self.linked(node);
                return;
            }
            _ if no.is_none() => {
                let hint = suggestion(&key.text, self.known());
                self.problems.add(key.place, format!("no {} has a field `{}`{hint}", self.name, key.text));
                return;
            }
            _ => {}
        }
        if let Some(no) = no
            && let Some(value) = self.value(no, node)
        {
            set(&mut entry.record, no, value);
        }
    }

    fn value(&mut self, no: FieldNo, node: &Node) -> Option<Value> {
        let field = self.def.fields.get(usize::from(no))?;
        match field.target {
            _ if node.is_null() => Some(Value::Null),
            Some(target) => match &node.data {
                Data::List(nodes) => Some(Value::List(
                    nodes.iter().filter_map(|node| self.reference(target, node).map(Value::Text)).collect(),
                )),
                _ => self.reference(target, node).map(Value::Text),
            },
            None if field.link => self.linked(node),
            None if self.is_role(no) => self.role(node).map(Value::Text),
            None if self.is_flag(no) => node.bool(self.problems).map(Value::Bool),
            None if self.is_word(no) => node.text(self.problems).map(Value::text),
            None => value::read(node, self.problems),
        }
    }

    /// A plain value, or links such as `{type: Task, id: 5}`.
    fn linked(&mut self, node: &Node) -> Option<Value> {
        match &node.data {
            Data::Scalar { .. } => value::read(node, self.problems),
            Data::List(nodes) => Some(Value::List(nodes.iter().filter_map(|node| self.linked(node)).collect())),
            Data::Map(_) => {
                let mut map = node.map(self.problems)?;
                let type_name = map.need("type", self.problems).and_then(|node| node.text(self.problems));
                let id = map.need("id", self.problems);
                map.finish(self.problems);
                let (type_name, id) = (type_name?, id?);
                let schema = &self.words.schema;
                match schema.linked_kind(type_name).filter(|no| schema.kind(*no).is_some_and(|def| !def.rowless)) {
                    Some(kind) => self.reference(kind, id).map(|id| Value::link(type_name, &id)),
                    None => id.text(self.problems).map(|id| Value::link(type_name, id)),
                }
            }
        }
    }

    /// What is filed under the ids of other kinds (who is mentioned on a task) needs one there.
    fn must_belong(&mut self, id: &str, place: Place) {
        let schema = &self.words.schema;
        let links =
            |kind: &KindDef| kind.links.iter().any(|link| !link.either && schema.table_of(link.target) == self.no);
        let mut owners = (0..).zip(&schema.kinds).filter(|(_, kind)| links(kind)).map(|(no, _)| no);
        if let Some(kind) = owners.next()
            && owners.all(|other| schema.table_of(other) == schema.table_of(kind))
        {
            self.seen.want(Wanted { kind, id: Str::from(id), place });
        }
    }

    /// A text that must be the id of an object of the kind.
    fn reference(&mut self, target: KindNo, node: &Node) -> Option<Str> {
        let id = Str::from(node.text(self.problems)?);
        self.seen.want(Wanted { kind: target, id: id.clone(), place: node.place });
        Some(id)
    }

    fn team(&mut self, node: &Node) -> Vec<Member> {
        let person = self.subject().kind;
        let Data::Map(entries) = &node.data else {
            // `[ada, bob]`: all with their own role.
            let nodes = node.list().iter();
            return nodes
                .filter_map(|node| Some(Member::new(Id::from(self.reference(person, node)?.as_str()), None)))
                .collect();
        };
        let mut members = Vec::new();
        for (key, node) in entries {
            self.seen.want(Wanted { kind: person, id: Str::from(&*key.text), place: key.place });
            let person = Id::from(&*key.text);
            members.push(match self.subject().member_role {
                Some(kind) => self.granted(Member::new(person, None), kind, node),
                None => {
                    let role = if node.is_null() { None } else { self.project_role(node) };
                    Member::new(person, role)
                }
            });
        }
        members
    }

    /// `[editor]`, or `{roles: [editor], rights: [SHARE]}`.
    fn granted(&mut self, mut member: Member, kind: KindNo, node: &Node) -> Member {
        let Data::Map(_) = &node.data else {
            let roles = if node.is_null() { &[] } else { node.list() };
            member.roles = self.references(kind, roles);
            return member;
        };
        let Some(mut map) = node.map(self.problems) else { return member };
        member.roles = self.references(kind, map.take("roles").map_or(&[], Node::list));
        let rights = map.take("rights").map_or(&[][..], Node::list);
        member.rights = rights.iter().filter_map(|right| right.text(self.problems).map(Str::from)).collect();
        map.finish(self.problems);
        member
    }

    fn references(&mut self, kind: KindNo, nodes: &[Node]) -> Vec<Id> {
        nodes.iter().filter_map(|node| self.reference(kind, node).map(|id| Id::from(id.as_str()))).collect()
    }

    fn role(&mut self, node: &Node) -> Option<Str> {
        let role = Str::from(node.text(self.problems)?);
        if !self.words.roles.contains(&role) {
            let hint = suggestion(&role, self.words.roles.iter().map(Str::as_str));
            self.problems.add(node.place, format!("there is no role `{role}`{hint}"));
        }
        Some(role)
    }

    fn project_role(&mut self, node: &Node) -> Option<Str> {
        let role = self.role(node)?;
        if self.subject().fixed_roles.contains(&role) {
            self.problems.add(node.place, format!("`{role}` is a role of the whole studio: give it to the person"));
        }
        Some(role)
    }

    /// What is left out is empty, but a person is active and has a role.
    fn defaults(&mut self, record: &mut Record, node: &Node) {
        let subject = self.subject();
        if let Some(no) = self.def.field_no("name")
            && is_null(record, no)
        {
            set(record, no, Value::Text(record.name.clone()));
        }
        if self.words.schema.table_of(self.no) != subject.kind {
            return;
        }
        if is_null(record, subject.active) {
            let active = subject.active_is.as_ref().map_or(Value::Bool(true), |word| Value::Text(word.clone()));
            set(record, subject.active, active);
        }
        if let Some(BotDef::Flag(bot)) = subject.bot
            && is_null(record, bot)
        {
            set(record, bot, Value::Bool(false));
        }
        if let Some(role) = subject.role
            && is_null(record, role)
            && let Some(field) = self.def.fields.get(usize::from(role))
        {
            self.problems.add(node.place, format!("every {} needs a `{}:`", self.name, field.name));
        }
    }

    fn is_project(&self) -> bool {
        self.no == self.subject().project
    }

    fn has_trash(&self) -> bool {
        !self.def.type_name.is_empty()
    }

    /// Whether the tracker's type has the field; the other end of another type's field is told there.
    fn is_listed(&self, field: &str) -> bool {
        self.listed.iter().any(|(key, _)| key.text == field) && !self.def.backs.iter().any(|back| back.name == field)
    }

    fn in_projects(&self) -> bool {
        !self.is_project() && self.no != self.subject().kind
    }

    fn subject(&self) -> &SubjectDef {
        &self.words.schema.subject
    }

    fn is_role(&self, no: FieldNo) -> bool {
        self.no == self.subject().kind && Some(no) == self.subject().role
    }

    fn is_flag(&self, no: FieldNo) -> bool {
        let subject = self.subject();
        self.words.schema.table_of(self.no) == subject.kind
            && (no == subject.active && subject.active_is.is_none() || subject.bot == Some(BotDef::Flag(no)))
    }

    fn is_word(&self, no: FieldNo) -> bool {
        let subject = self.subject();
        self.def.field_no("name") == Some(no)
            || self.no == subject.kind && [subject.login, subject.email].contains(&Some(no))
    }

    fn known(&self) -> impl Iterator<Item = &str> {
        let more = [("project", self.in_projects()), ("team", self.is_project()), ("trashed", self.has_trash())];
        let fields = self.def.fields.iter().map(|field| field.name.as_str());
        ["id", "name"].into_iter().chain(more.into_iter().filter_map(|(name, has)| has.then_some(name))).chain(fields)
    }
}

fn is_null(record: &Record, no: FieldNo) -> bool {
    matches!(record.fields.get(usize::from(no)), Some((_, Value::Null)))
}

fn set(record: &mut Record, no: FieldNo, value: Value) {
    if let Some((_, held)) = record.fields.get_mut(usize::from(no)) {
        *held = value;
    }
}
