//! What the engine may ask of the mirror. Borrowed under a read guard; sees one revision.

use rustc_hash::FxHashSet;

use super::row::{Membership, Row, State};
use super::tables::Tables;
use crate::model::id::{Id, Key, ObjectRef, Str};
use crate::model::schema::{KindNo, Schema};

/// A look at one revision of the mirror.
#[derive(Clone, Copy, Debug)]
pub struct View<'a> {
    pub(super) schema: &'a Schema,
    pub(super) tables: &'a Tables,
}

impl<'a> View<'a> {
    pub(super) fn new(schema: &'a Schema, tables: &'a Tables) -> Self {
        Self { schema, tables }
    }

    /// The kinds that the mirror is made of.
    pub fn schema(&self) -> &'a Schema {
        self.schema
    }

    /// The handle of an object that the mirror has heard of.
    pub fn find(&self, kind: KindNo, id: &Id) -> Option<Key> {
        self.tables.find(self.schema.table_of(kind), id)
    }

    /// What is known of an object.
    pub fn state(&self, key: Key) -> State<'a> {
        self.tables.state(key)
    }

    /// An object of the table of which no record was ever understood: nobody knows what it links to.
    pub fn never_understood(&self, table: KindNo) -> Option<Key> {
        self.tables.odd(table).next()
    }

    /// The object's record, where there is one.
    pub fn row(&self, key: Key) -> Option<Row<'a>> {
        self.tables.row(key)
    }

    /// The kind under whose ids the object is filed.
    pub fn table(&self, key: Key) -> Option<KindNo> {
        self.tables.node(key).map(|node| node.table)
    }

    /// The object's id at the tracker.
    pub fn id(&self, key: Key) -> Option<&'a Id> {
        self.tables.node(key).map(|node| &node.id)
    }

    /// The object as connectors name it.
    pub fn object(&self, key: Key) -> Option<ObjectRef> {
        let node = self.tables.node(key)?;
        Some(ObjectRef { kind: Str::from(self.schema.kind_name(node.table)), id: node.id.clone() })
    }

    /// The objects of a table of which the mirror has a record, in no order.
    pub fn of_table(&self, table: KindNo) -> impl Iterator<Item = Key> {
        let tables = self.tables;
        tables.with_row(table).filter(|key| matches!(tables.state(*key), State::Record(_)))
    }

    /// Of so many objects, beginning at a handle, those that lead to one of these by the field of this name; and where to
    /// go on. `None`: these were the last.
    pub fn leading_to(
        &self,
        objects: &[ObjectRef],
        field: &str,
        from: Key,
        most: usize,
    ) -> (Vec<ObjectRef>, Option<Key>) {
        let keys: FxHashSet<Key> = self.keys(objects).collect();
        if keys.is_empty() {
            return (Vec::new(), None);
        }
        let leads = self.leads(&keys, field);
        let last = u32::try_from(most).map_or(u32::MAX, |most| from.0.saturating_add(most));
        let found = (from.0..last.min(self.nodes()))
            .map(Key)
            .filter(|key| leads(*key))
            .filter_map(|key| self.object(key))
            .collect();
        (found, (last < self.nodes()).then_some(Key(last)))
    }

    /// The same of these objects alone.
    pub fn leading_among(&self, among: &[ObjectRef], objects: &[ObjectRef], field: &str) -> Vec<ObjectRef> {
        let keys: FxHashSet<Key> = self.keys(objects).collect();
        let leads = self.leads(&keys, field);
        self.keys(among).filter(|key| leads(*key)).filter_map(|key| self.object(key)).collect()
    }

    fn nodes(&self) -> u32 {
        u32::try_from(self.tables.nodes.len()).unwrap_or(u32::MAX)
    }

    fn keys(&self, objects: &[ObjectRef]) -> impl Iterator<Item = Key> {
        objects.iter().filter_map(|object| self.find(self.schema.kind_no(&object.kind)?, &object.id))
    }

    /// Whether an object leads to one of these by the field of this name.
    fn leads(&self, keys: &FxHashSet<Key>, field: &str) -> impl Fn(Key) -> bool {
        let fields: Vec<_> = self.schema.kinds.iter().map(|kind| kind.field_no(field)).collect();
        move |key: Key| {
            let cell = self.table(key).and_then(|table| (*fields.get(usize::from(table))?).zip(self.row(key)));
            cell.is_some_and(|(field, row)| row.cell(field).refs().iter().any(|to| keys.contains(to)))
        }
    }

    /// The objects that refer to `key` by the numbered back list of its kind.
    pub fn back(&self, key: Key, back: u16) -> &'a [Key] {
        self.tables.backs.get(&(key, back))
    }

    /// Those of a list that is kept by project, in one project.
    pub fn back_in(&self, key: Key, list: u16, project: Key) -> &'a [Key] {
        self.tables.backs_in.get(&(key, list, project))
    }

    /// The objects of a kind that have this name; none for kinds that are not found by name.
    pub fn by_name(&self, kind: KindNo, name: &str) -> &'a [Key] {
        self.tables.by_name.get(&(self.schema.table_of(kind), Str::from(name)))
    }

    /// A person's place in a project: `None` when not in it.
    pub fn member(&self, person: Key, project: Key) -> Option<Membership<'a>> {
        self.tables.members.get(&self.tables.values.texts, person, project)
    }

    /// The people of a project, or the projects of a person, in no order.
    pub fn roster(&self, key: Key) -> &'a [Key] {
        self.tables.members.roster(key)
    }

    /// The one person with this login; `Err` where several have it.
    ///
    /// # Errors
    /// Where the login does not tell one person.
    pub fn by_login(&self, login: &str) -> Result<Option<Key>, Ambiguous> {
        one(self.tables.by_login.get(login))
    }

    /// The one person with this e-mail address; `Err` where several have it.
    ///
    /// # Errors
    /// Where the address does not tell one person.
    pub fn by_email(&self, email: &str) -> Result<Option<Key>, Ambiguous> {
        one(self.tables.by_email.get(email))
    }

    /// The one person with this id; else the only one with this login, e-mail address or name.
    ///
    /// # Errors
    /// Where the word does not tell one person.
    pub fn person(&self, word: &str) -> Result<Option<Key>, Ambiguous> {
        let kind = self.schema.subject.kind;
        if let Some(key) = self.find(kind, &Id::from(word)).filter(|key| self.row(*key).is_some()) {
            return Ok(Some(key));
        }
        // Keys and scripts share the table; what they are called is up to whoever makes one.
        let is_person = |key: &&Key| self.row(**key).is_none_or(|row| row.kind() == kind);
        let mut named = self.by_name(kind, word).iter().filter(is_person);
        let by_name = named.next().copied();
        if named.next().is_some() {
            return Err(Ambiguous);
        }
        let found = [self.by_login(word)?, self.by_email(word)?, by_name];
        let mut found = found.into_iter().flatten();
        let Some(first) = found.next() else { return Ok(None) };
        if found.all(|other| other == first) { Ok(Some(first)) } else { Err(Ambiguous) }
    }

    /// How many records of each kind there are.
    pub fn counts(&self) -> Vec<(Str, u64)> {
        let named = self.schema.kinds.iter().zip(self.tables.counts()).filter(|(_, count)| **count > 0);
        named.map(|(kind, count)| (kind.name.clone(), *count)).collect()
    }

    /// How many objects the tracker described in a way that could not be understood.
    pub fn quarantined(&self) -> usize {
        self.tables.quarantined()
    }
}

/// A name that several objects have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ambiguous;

fn one(keys: &[Key]) -> Result<Option<Key>, Ambiguous> {
    match keys {
        [] => Ok(None),
        [key] => Ok(Some(*key)),
        _ => Err(Ambiguous),
    }
}
