//! The mirror as bytes, and back: dense, in the order of the handles, each text once.
//!
//! ```text
//! two lengths · ids · states and records · memberships · values of any shape · texts
//!              '---------- the first ----------------'   '-- the second ---'
//! ```
//!
//! What is read on first use is left out, and so is what is not there and that nothing refers to. Lists, names and logins
//! are not written: they are made of the objects.

mod bytes;
mod fill;

use std::sync::Arc;

use smallvec::SmallVec;

use self::bytes::{Input, Named, is_shallow, put_id, put_len, put_number, texts, values};
use self::fill::Filler;
use super::tables::{Draft, DraftCell};
use super::{Cell, Directory, Row, State, View};
use crate::model::id::Key;
use crate::model::schema::{KindNo, Schema};
use crate::model::value::Value;

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
        let (first, rest) = length(bytes)?;
        let (second, rest) = length(rest)?;
        let (objects, rest) = rest.split_at_checked(first).ok_or(Damaged("a length is too large"))?;
        let (any, rest) = rest.split_at_checked(second).ok_or(Damaged("a length is too large"))?;
        let texts = texts(rest)?;
        let values = values(any, &texts)?;
        let mut directory = Self { revision, ..Self::new(Arc::clone(&schema)) };
        let (input, filler) = (Input::new(objects, &texts), Filler::new(&mut directory));
        Decoder { schema: &schema, input, values: &values, filler, count: 0 }.decode()?;
        Ok(directory)
    }
}

fn length(bytes: &[u8]) -> Result<(usize, &[u8]), Damaged> {
    let (length, rest) = bytes.split_first_chunk().ok_or(Damaged("it ends too early"))?;
    let length = usize::try_from(u64::from_le_bytes(*length)).map_err(|_| Damaged("a length is too large"))?;
    Ok((length, rest))
}

struct Encoder<'d, 'b> {
    schema: &'d Schema,
    view: View<'d>,
    bytes: &'b mut Vec<u8>,
    named: Named<'d>,
    /// Every handle that there is, and the one that each object has in the bytes; `None`: it is left out.
    numbers: Vec<Option<u32>>,
}

struct Decoder<'s, 'b, 't, 'd> {
    schema: &'s Schema,
    input: Input<'b, 't>,
    values: &'t [Value],
    filler: Filler<'d>,
    /// How many objects there are.
    count: u32,
}

// === impl Encoder ===

impl<'d, 'b> Encoder<'d, 'b> {
    fn new(directory: &'d Directory, bytes: &'b mut Vec<u8>) -> Self {
        let Directory { schema, tables, revision: _ } = directory;
        let numbers = vec![None; tables.nodes.len()];
        let mut encoder = Self { schema, view: directory.view(), bytes, named: Named::default(), numbers };
        encoder.number();
        encoder
    }

    fn encode(mut self) {
        let start = self.bytes.len();
        self.bytes.extend([0; 16]);
        put_len(self.bytes, self.numbers.iter().flatten().count());
        let kept: Vec<Key> = self.all().filter(|key| self.numbered(*key).is_some()).collect();
        for key in &kept {
            if let (Some(table), Some(id)) = (self.view.table(*key), self.view.id(*key)) {
                put_number(self.bytes, table.into());
                put_id(self.bytes, id);
            }
        }
        kept.iter().for_each(|key| self.state(*key));
        self.members(&kept);
        let first = self.bytes.len();
        self.named.write_values(self.bytes);
        let second = self.bytes.len();
        for (at, length) in [(start, first - start - 16), (start + 8, second - first)] {
            if let Some(place) = self.bytes.get_mut(at..at + 8) {
                place.copy_from_slice(&u64::try_from(length).unwrap_or(u64::MAX).to_le_bytes());
            }
        }
        self.named.write_texts(self.bytes);
    }

    fn all(&self) -> impl Iterator<Item = Key> + use<> {
        (0..u32::try_from(self.numbers.len()).unwrap_or(u32::MAX)).map(Key)
    }

    /// Numbers what is kept: whatever was said of an object, and whatever that refers to.
    fn number(&mut self) {
        let mut kept = vec![false; self.numbers.len()];
        let mut keep = |key: Key| {
            if let Some(kept) = kept.get_mut(key.0 as usize) {
                *kept = true;
            }
        };
        for key in self.all() {
            let row = match self.held(key) {
                State::Record(row) => Some(row),
                State::Quarantined(row) => row,
                State::Unknown | State::Gone => None,
            };
            if row.is_some() || matches!(self.held(key), State::Quarantined(None)) {
                keep(key);
            }
            if let Some(row) = row {
                row.project().into_iter().for_each(&mut keep);
                row.cells().for_each(|cell| cell.refs().iter().copied().for_each(&mut keep));
            }
            for person in self.people(key) {
                [key, *person].into_iter().for_each(&mut keep);
                let grants = self.view.member(*person, key).and_then(|member| member.grants);
                grants.iter().flat_map(|grants| &grants.roles).copied().for_each(&mut keep);
            }
        }
        let mut numbers = 0..;
        self.numbers = kept.into_iter().map(|kept| kept.then(|| numbers.next()).flatten()).collect();
    }

    /// The state as it is written: what is read on first use is read again.
    fn held(&self, key: Key) -> State<'d> {
        let table = self.view.table(key);
        let lazy = table.and_then(|table| self.schema.kind(table)).is_some_and(|def| def.lazy);
        if lazy { State::Unknown } else { self.view.state(key) }
    }

    /// The people of a project; none where it is no project.
    fn people(&self, key: Key) -> &'d [Key] {
        let projects = self.schema.table_of(self.schema.subject.project);
        if self.view.table(key) == Some(projects) { self.view.roster(key) } else { &[] }
    }

    fn state(&mut self, key: Key) {
        let (state, row) = match self.held(key) {
            State::Unknown => (UNKNOWN, None),
            State::Gone => (GONE, None),
            State::Quarantined(None) => (NEVER_UNDERSTOOD, None),
            State::Quarantined(Some(row)) => (QUARANTINED, Some(row)),
            State::Record(row) => (RECORD, Some(row)),
        };
        let flag = |flag: u8, is: fn(Row<'_>) -> bool| if row.is_some_and(is) { flag } else { 0 };
        self.bytes.push(state | flag(TRASHED, |row| row.trashed()) | flag(IN_PROJECT, |row| row.project().is_some()));
        let Some(row) = row else { return };
        put_number(self.bytes, row.kind().into());
        row.project().into_iter().for_each(|project| self.key(project));
        self.named.put(self.bytes, row.name());
        row.cells().for_each(|cell| self.cell(cell));
    }

    fn cell(&mut self, cell: Cell<'d>) {
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
                self.named.put(self.bytes, text);
            }
            Cell::Texts(texts) => {
                self.bytes.push(TEXTS);
                put_len(self.bytes, texts.iter().len());
                texts.iter().for_each(|text| self.named.put(self.bytes, text));
            }
            Cell::Ref(key) => {
                self.bytes.push(REF);
                self.key(key);
            }
            Cell::Refs(keys) => {
                self.bytes.push(REFS);
                self.keys(&keys);
            }
            Cell::Any(value) if is_shallow(value) => {
                self.bytes.push(ANY);
                self.named.put_any(self.bytes, value);
            }
            // What cannot be read again is not known.
            Cell::Any(_) => self.bytes.push(UNSET),
        }
    }

    fn members(&mut self, kept: &[Key]) {
        let count = kept.iter().map(|key| self.people(*key).len()).sum();
        put_len(self.bytes, count);
        for project in kept {
            for person in self.people(*project) {
                self.key(*person);
                self.key(*project);
                let member = self.view.member(*person, *project);
                let (role, grants) = member.map_or((None, None), |member| (member.role, member.grants));
                self.bytes.push(u8::from(role.is_some()));
                role.into_iter().for_each(|role| self.named.put(self.bytes, role));
                let (roles, rights) =
                    grants.map_or((&[][..], &[][..]), |grants| (&grants.roles[..], &grants.rights[..]));
                self.keys(roles);
                put_len(self.bytes, rights.len());
                rights.iter().for_each(|right| self.named.put(self.bytes, right));
            }
        }
    }

    fn numbered(&self, key: Key) -> Option<u32> {
        self.numbers.get(key.0 as usize).copied().flatten()
    }

    fn key(&mut self, key: Key) {
        // Whatever is referred to has a number.
        put_number(self.bytes, self.numbered(key).unwrap_or(u32::MAX).into());
    }

    fn keys(&mut self, keys: &[Key]) {
        put_len(self.bytes, keys.len());
        keys.iter().for_each(|key| self.key(*key));
    }
}

// === impl Decoder ===

impl<'b, 't> Decoder<'_, 'b, 't, '_>
where
    'b: 't,
{
    fn decode(&mut self) -> Result<(), Damaged> {
        // Table, form of the id and its length, state.
        let count = self.input.len(4)?;
        self.count = u32::try_from(count).map_err(|_| Damaged("more objects than there can be"))?;
        self.filler.expect(count);
        for handle in 0..self.count {
            let table = self.input.small()?;
            if self.schema.kind(table).is_none_or(|def| def.table != table) {
                return Err(Damaged("an object of no kind"));
            }
            self.filler.object(table, &self.input.id()?, handle)?;
        }
        for handle in 0..self.count {
            self.state(Key(handle))?;
        }
        let members = self.input.len(5)?;
        for _ in 0..members {
            self.member()?;
        }
        if self.input.left() == 0 { Ok(()) } else { Err(Damaged("it has too much")) }
    }

    fn state(&mut self, key: Key) -> Result<(), Damaged> {
        let head = self.input.byte()?;
        match head & !(IN_PROJECT | TRASHED) {
            UNKNOWN => {}
            GONE => self.filler.gone(key)?,
            NEVER_UNDERSTOOD => self.filler.quarantine(key),
            state @ (QUARANTINED | RECORD) => {
                let draft = self.draft(key, head & IN_PROJECT != 0, head & TRASHED != 0)?;
                self.filler.record(key, draft)?;
                if state == QUARANTINED {
                    self.filler.quarantine(key);
                }
            }
            _ => return Err(Damaged("an object in no known state")),
        }
        Ok(())
    }

    fn draft(&mut self, key: Key, in_project: bool, trashed: bool) -> Result<Draft<'t>, Damaged> {
        let table: Option<KindNo> = self.filler.table(key);
        let def = table.and_then(|table| self.schema.kind(table)).ok_or(Damaged("an object of no kind"))?;
        let kind = self.input.small()?;
        if self.schema.kind(kind).map(|def| def.table) != Some(def.table) {
            return Err(Damaged("a record of another kind than its object"));
        }
        let project = in_project.then(|| self.key()).transpose()?;
        let name = self.input.text()?;
        let mut cells = Vec::with_capacity(def.fields.len());
        for _ in &def.fields {
            cells.push(self.cell()?);
        }
        Ok(Draft { kind, trashed, project, name, cells })
    }

    fn cell(&mut self) -> Result<DraftCell<'t>, Damaged> {
        Ok(match self.input.byte()? {
            UNSET => DraftCell::Unset,
            NULL => DraftCell::Null,
            FALSE => DraftCell::Bool(false),
            TRUE => DraftCell::Bool(true),
            NUMBER => DraftCell::Number(self.input.float()?),
            TEXT => DraftCell::Text(self.input.text()?),
            TEXTS => DraftCell::Texts(self.texts()?),
            REF => DraftCell::Ref(self.key()?),
            REFS => DraftCell::Refs(self.keys()?),
            ANY => {
                let number = usize::try_from(self.input.number()?).ok();
                let value = number.and_then(|number| self.values.get(number));
                DraftCell::Any(value.ok_or(Damaged("a value that is not there"))?)
            }
            _ => return Err(Damaged("a field of no known form")),
        })
    }

    fn member(&mut self) -> Result<(), Damaged> {
        let place = (self.key()?, self.key()?);
        let role = match self.input.byte()? {
            0 => None,
            1 => Some(self.input.text()?),
            _ => return Err(Damaged("a role of no known form")),
        };
        let (roles, rights) = (self.keys()?, self.texts()?);
        self.filler.member(place, role, roles, &rights)
    }

    fn texts(&mut self) -> Result<Vec<&'t str>, Damaged> {
        let count = self.input.len(1)?;
        (0..count).map(|_| self.input.text()).collect()
    }

    fn key(&mut self) -> Result<Key, Damaged> {
        let number = u32::try_from(self.input.number()?).ok();
        number.filter(|number| *number < self.count).map(Key).ok_or(Damaged("a link to nothing"))
    }

    /// In order, none twice.
    fn keys(&mut self) -> Result<SmallVec<[Key; 2]>, Damaged> {
        let count = self.input.len(1)?;
        let keys: SmallVec<[Key; 2]> = (0..count).map(|_| self.key()).collect::<Result<_, _>>()?;
        if keys.is_sorted_by(|one, next| one < next) { Ok(keys) } else { Err(Damaged("links out of order")) }
    }
}
