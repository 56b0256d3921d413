//! The mirror as bytes, and back: dense, in the order of the handles, each text once.
//!
//! ```text
//! length of the objects · objects, by handle · memberships · texts
//! ```
//!
//! What is read on first use is left out, and so is what is not there and that nothing refers to. Lists, names and logins
//! are not written: they are made of the objects.

mod bytes;
mod index;

use std::sync::Arc;

use self::bytes::{Input, Texts, is_shallow, put_id, put_len, put_number};
use super::Directory;
use super::tables::{Cell, Grants, Membership, Node, Row, State, Tables};
use crate::model::id::{Key, Str};
use crate::model::schema::{KindNo, Schema};

/// Bytes that are no mirror of this schema, and why.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Damaged(&'static str);

const UNKNOWN: u8 = 0;
const GONE: u8 = 1;
const NEVER_UNDERSTOOD: u8 = 2;
const QUARANTINED: u8 = 3;
const RECORD: u8 = 4;
/// Beside the state of an object that has a record.
const TRASHED: u8 = 0x10;
const IN_PROJECT: u8 = 0x20;

/// Most objects take more bytes than this.
const USUAL: usize = 16;

const UNSET: u8 = 0;
const NULL: u8 = 1;
const FALSE: u8 = 2;
const TRUE: u8 = 3;
const NUMBER: u8 = 4;
const TEXT: u8 = 5;
const TEXTS: u8 = 6;
const REF: u8 = 7;
const REFS: u8 = 8;
const ANY: u8 = 9;

impl Directory {
    /// Appends the mirror as bytes.
    pub fn encode(&self, bytes: &mut Vec<u8>) {
        Encoder::new(self, bytes).encode();
    }

    /// The mirror that `bytes` tell of, at that revision.
    ///
    /// # Errors
    /// Where they are not what `encode` wrote for this schema.
    pub fn decode(schema: Arc<Schema>, revision: u64, bytes: &[u8]) -> Result<Self, Damaged> {
        let (length, rest) = bytes.split_first_chunk().ok_or(Damaged("it ends too early"))?;
        let length = usize::try_from(u64::from_le_bytes(*length)).map_err(|_| Damaged("a length is too large"))?;
        let (objects, texts) = rest.split_at_checked(length).ok_or(Damaged("a length is too large"))?;
        let mut decoder = Decoder { schema: &schema, input: Input::new(objects, texts)?, count: 0 };
        let (nodes, members) = decoder.decode()?;
        let tables = Tables::of(&schema, nodes, members)?;
        Ok(Self { schema, tables, revision })
    }
}

struct Encoder<'d, 'b> {
    schema: &'d Schema,
    tables: &'d Tables,
    bytes: &'b mut Vec<u8>,
    texts: Texts<'d>,
    /// The handle that each object has in the bytes; `None`: it is left out.
    numbers: Vec<Option<u32>>,
}

struct Decoder<'s, 'b> {
    schema: &'s Schema,
    input: Input<'b>,
    /// How many objects there are.
    count: usize,
}

// === impl Encoder ===

impl<'d, 'b> Encoder<'d, 'b> {
    fn new(directory: &'d Directory, bytes: &'b mut Vec<u8>) -> Self {
        let Directory { schema, tables, revision: _ } = directory;
        let mut encoder = Self { schema, tables, bytes, texts: Texts::default(), numbers: Vec::new() };
        encoder.number();
        encoder
    }

    fn encode(mut self) {
        let start = self.bytes.len();
        self.bytes.extend([0; 8]);
        let count = self.numbers.iter().flatten().count();
        put_len(self.bytes, count);
        for (at, node) in self.tables.nodes.iter().enumerate() {
            if self.numbers.get(at).is_some_and(Option::is_some) {
                self.node(node);
            }
        }
        put_len(self.bytes, self.tables.members.len());
        for ((person, project), Membership { role, grants }) in &self.tables.members {
            self.key(*person);
            self.key(*project);
            let (roles, rights): (&[Key], &[Str]) =
                grants.as_ref().map_or((&[], &[]), |grants| (&grants.roles, &grants.rights));
            self.bytes.push(u8::from(role.is_some()));
            if let Some(role) = role {
                self.texts.put(self.bytes, role);
            }
            self.keys(roles);
            put_len(self.bytes, rights.len());
            rights.iter().for_each(|right| self.texts.put(self.bytes, right));
        }
        let length = u64::try_from(self.bytes.len() - start - 8).unwrap_or(u64::MAX);
        if let Some(place) = self.bytes.get_mut(start..start + 8) {
            place.copy_from_slice(&length.to_le_bytes());
        }
        self.texts.write(self.bytes);
    }

    /// Numbers what is kept: whatever was said of an object, and whatever that refers to.
    fn number(&mut self) {
        let mut kept = vec![false; self.tables.nodes.len()];
        let mut keep = |key: Key| {
            if let Some(kept) = kept.get_mut(key.0 as usize) {
                *kept = true;
            }
        };
        for (at, node) in (0_u32..).zip(&self.tables.nodes) {
            let row = match self.held(node) {
                State::Record(row) => Some(row),
                State::Quarantined(row) => row.as_deref(),
                State::Unknown | State::Gone => continue,
            };
            keep(Key(at));
            if let Some(row) = row {
                row.project.into_iter().for_each(&mut keep);
                row.cells.iter().flat_map(Cell::refs).copied().for_each(&mut keep);
            }
        }
        for ((person, project), Membership { role: _, grants }) in &self.tables.members {
            [*person, *project].into_iter().for_each(&mut keep);
            grants.iter().flat_map(|grants| &grants.roles).copied().for_each(&mut keep);
        }
        let mut numbers = 0..;
        self.numbers = kept.into_iter().map(|kept| kept.then(|| numbers.next()).flatten()).collect();
    }

    /// The state as it is written: what is read on first use is read again.
    fn held(&self, node: &'d Node) -> &'d State {
        if self.schema.kind(node.table).is_some_and(|def| def.lazy) { &State::Unknown } else { &node.state }
    }

    fn node(&mut self, node: &'d Node) {
        let (state, row) = match self.held(node) {
            State::Unknown => (UNKNOWN, None),
            State::Gone => (GONE, None),
            State::Quarantined(None) => (NEVER_UNDERSTOOD, None),
            State::Quarantined(Some(row)) => (QUARANTINED, Some(&**row)),
            State::Record(row) => (RECORD, Some(row)),
        };
        let flag = |flag: u8, is: fn(&Row) -> bool| if row.is_some_and(is) { flag } else { 0 };
        self.bytes.push(state | flag(TRASHED, |row| row.trashed) | flag(IN_PROJECT, |row| row.project.is_some()));
        put_number(self.bytes, node.table.into());
        put_id(self.bytes, &node.id);
        let Some(Row { kind, trashed: _, project, name, cells }) = row else { return };
        put_number(self.bytes, (*kind).into());
        project.iter().for_each(|project| self.key(*project));
        self.texts.put(self.bytes, name);
        cells.iter().for_each(|cell| self.cell(cell));
    }

    fn cell(&mut self, cell: &'d Cell) {
        match cell {
            Cell::Unset => self.bytes.push(UNSET),
            Cell::Null => self.bytes.push(NULL),
            Cell::Bool(false) => self.bytes.push(FALSE),
            Cell::Bool(true) => self.bytes.push(TRUE),
            Cell::Number(number) => {
                self.bytes.push(NUMBER);
                self.bytes.extend(number.to_bits().to_le_bytes());
            }
            Cell::Text(text) => {
                self.bytes.push(TEXT);
                self.texts.put(self.bytes, text);
            }
            Cell::Texts(texts) => {
                self.bytes.push(TEXTS);
                put_len(self.bytes, texts.len());
                texts.iter().for_each(|text| self.texts.put(self.bytes, text));
            }
            Cell::Ref(key) => {
                self.bytes.push(REF);
                self.key(*key);
            }
            Cell::Refs(keys) => {
                self.bytes.push(REFS);
                self.keys(keys);
            }
            Cell::Any(value) if is_shallow(value) => {
                self.bytes.push(ANY);
                self.texts.put_value(self.bytes, value);
            }
            // What cannot be read again is not known.
            Cell::Any(_) => self.bytes.push(UNSET),
        }
    }

    fn key(&mut self, key: Key) {
        let number = self.numbers.get(key.0 as usize).copied().flatten();
        put_number(self.bytes, number.unwrap_or(u32::MAX).into());
    }

    fn keys(&mut self, keys: &[Key]) {
        put_len(self.bytes, keys.len());
        keys.iter().for_each(|key| self.key(*key));
    }
}

// === impl Decoder ===

impl Decoder<'_, '_> {
    fn decode(&mut self) -> Result<(Vec<Node>, Vec<((Key, Key), Membership)>), Damaged> {
        // State, table, form of the id and its length.
        self.count = self.input.len(4)?;
        let mut nodes = Vec::with_capacity(self.count.min(self.input.left() / USUAL));
        for _ in 0..self.count {
            nodes.push(self.node()?);
        }
        let count = self.input.len(5)?;
        let members = (0..count).map(|_| self.member()).collect::<Result<_, _>>()?;
        if self.input.left() == 0 { Ok((nodes, members)) } else { Err(Damaged("it has too much")) }
    }

    fn node(&mut self) -> Result<Node, Damaged> {
        let head = self.input.byte()?;
        let table: KindNo = self.input.small()?;
        let def = self.schema.kind(table).filter(|def| def.table == table);
        let def = def.ok_or(Damaged("an object of no kind"))?;
        let id = self.input.id()?;
        let fields = def.fields.len();
        let (in_project, trashed) = (head & IN_PROJECT != 0, head & TRASHED != 0);
        let state = match head & !(IN_PROJECT | TRASHED) {
            UNKNOWN => State::Unknown,
            GONE => State::Gone,
            NEVER_UNDERSTOOD => State::Quarantined(None),
            QUARANTINED => State::Quarantined(Some(Box::new(self.row(table, in_project, trashed, fields)?))),
            RECORD => State::Record(self.row(table, in_project, trashed, fields)?),
            _ => return Err(Damaged("an object in no known state")),
        };
        Ok(Node { table, id, state })
    }

    fn row(&mut self, table: KindNo, in_project: bool, trashed: bool, fields: usize) -> Result<Row, Damaged> {
        let kind = self.input.small()?;
        if self.schema.kind(kind).map(|def| def.table) != Some(table) {
            return Err(Damaged("a record of another kind than its object"));
        }
        let project = in_project.then(|| self.key()).transpose()?;
        let name = self.input.text()?.into();
        let cells = (0..fields).map(|_| self.cell()).collect::<Result<_, _>>()?;
        Ok(Row { kind, trashed, project, name, cells })
    }

    fn cell(&mut self) -> Result<Cell, Damaged> {
        Ok(match self.input.byte()? {
            UNSET => Cell::Unset,
            NULL => Cell::Null,
            FALSE => Cell::Bool(false),
            TRUE => Cell::Bool(true),
            NUMBER => Cell::Number(self.input.float()?),
            TEXT => Cell::Text(self.input.text()?.into()),
            TEXTS => {
                let count = self.input.len(1)?;
                Cell::Texts((0..count).map(|_| self.input.text().map(Box::from)).collect::<Result<_, _>>()?)
            }
            REF => Cell::Ref(self.key()?),
            REFS => Cell::Refs(self.keys()?),
            ANY => Cell::Any(Box::new(self.input.value()?)),
            _ => return Err(Damaged("a field of no known form")),
        })
    }

    fn member(&mut self) -> Result<((Key, Key), Membership), Damaged> {
        let place = (self.key()?, self.key()?);
        let role = match self.input.byte()? {
            0 => None,
            1 => Some(Str::from(self.input.text()?)),
            _ => return Err(Damaged("a role of no known form")),
        };
        let roles = self.keys()?;
        let count = self.input.len(1)?;
        let rights = (0..count).map(|_| self.input.text().map(Str::from)).collect::<Result<_, _>>()?;
        let grants = Grants { roles, rights };
        let grants = (grants != Grants::default()).then(|| Box::new(grants));
        Ok((place, Membership { role, grants }))
    }

    fn key(&mut self) -> Result<Key, Damaged> {
        let number = self.input.number()?;
        let known = usize::try_from(number).is_ok_and(|number| number < self.count);
        u32::try_from(number).ok().filter(|_| known).map(Key).ok_or(Damaged("a link to nothing"))
    }

    /// In order, none twice.
    fn keys(&mut self) -> Result<Box<[Key]>, Damaged> {
        let count = self.input.len(1)?;
        let keys: Box<[Key]> = (0..count).map(|_| self.key()).collect::<Result<_, _>>()?;
        if keys.is_sorted_by(|one, next| one < next) { Ok(keys) } else { Err(Damaged("links out of order")) }
    }
}
