//! Numbers, texts, ids and values of any shape as bytes. Reading never trusts a length: nothing is allocated that the bytes left could
//! not fill.

use compact_str::CompactString;
use rustc_hash::FxHashMap;

use super::Damaged;
use crate::model::id::{Id, IdForm};
use crate::model::value::Value;

/// How deep a value may be nested; connectors read none that is deeper.
const DEEPEST: usize = 200;

const TEXT_ID: u8 = 0;
const UUID: u8 = 1;

const NULL: u8 = 0;
const FALSE: u8 = 1;
const TRUE: u8 = 2;
const NUMBER: u8 = 3;
const TEXT: u8 = 4;
const LIST: u8 = 5;
const MAP: u8 = 6;

/// Each text once, by the number of its first use; and the values of any shape, by theirs.
#[derive(Debug, Default)]
pub(super) struct Named<'t> {
    numbers: FxHashMap<&'t str, u32>,
    texts: Vec<&'t str>,
    values: Vec<&'t Value>,
}

/// The texts that bytes name by number.
pub(super) type Texts<'b> = Vec<&'b str>;

/// The bytes that were not read yet, and the texts that they name.
#[derive(Debug)]
pub(super) struct Input<'b, 't> {
    rest: &'b [u8],
    texts: &'t [&'b str],
}

pub(super) fn put_number(bytes: &mut Vec<u8>, number: u64) {
    let mut number = number;
    while number >= 0x80 {
        bytes.push(number.to_le_bytes()[0] | 0x80);
        number >>= 7;
    }
    bytes.push(number.to_le_bytes()[0]);
}

pub(super) fn put_len(bytes: &mut Vec<u8>, len: usize) {
    put_number(bytes, u64::try_from(len).unwrap_or(u64::MAX));
}

pub(super) fn put_id(bytes: &mut Vec<u8>, id: &Id) {
    match id.form() {
        IdForm::Uuid(uuid) => {
            bytes.push(UUID);
            bytes.extend(uuid);
        }
        IdForm::Text(text) => {
            bytes.push(TEXT_ID);
            put_len(bytes, text.len());
            bytes.extend(text.as_bytes());
        }
    }
}

/// Reads all texts, as `Named` has written them.
pub(super) fn texts(bytes: &[u8]) -> Result<Texts<'_>, Damaged> {
    let mut input = Input::new(bytes, &[]);
    let count = input.len(1)?;
    let lengths: Vec<usize> = (0..count).map(|_| input.len(0)).collect::<Result<_, _>>()?;
    let mut rest = std::str::from_utf8(input.rest).map_err(|_| Damaged("texts that are none"))?;
    let mut found = Vec::with_capacity(count);
    for length in lengths {
        let (text, others) = rest.split_at_checked(length).ok_or(Damaged("a text is cut"))?;
        found.push(text);
        rest = others;
    }
    if rest.is_empty() { Ok(found) } else { Err(Damaged("text that nothing names")) }
}

/// Reads all values, as `Named` has written them.
pub(super) fn values(bytes: &[u8], texts: &[&str]) -> Result<Vec<Value>, Damaged> {
    let mut input = Input { rest: bytes, texts };
    let count = input.len(1)?;
    let values = (0..count).map(|_| input.value(DEEPEST)).collect::<Result<_, _>>()?;
    if input.left() == 0 { Ok(values) } else { Err(Damaged("a value that nothing names")) }
}

/// Whether the value can be read again.
pub(super) fn is_shallow(value: &Value) -> bool {
    fn within(value: &Value, left: usize) -> bool {
        left > 0
            && match value {
                Value::List(values) => values.iter().all(|value| within(value, left - 1)),
                Value::Map(entries) => entries.iter().all(|(_, value)| within(value, left - 1)),
                Value::Null | Value::Bool(_) | Value::Number(_) | Value::Text(_) => true,
            }
    }
    within(value, DEEPEST)
}

// === impl Named ===

impl<'t> Named<'t> {
    pub(super) fn put(&mut self, bytes: &mut Vec<u8>, text: &'t str) {
        let next = self.texts.len();
        let number = *self.numbers.entry(text).or_insert_with(|| {
            self.texts.push(text);
            u32::try_from(next).unwrap_or(u32::MAX)
        });
        put_number(bytes, u64::from(number));
    }

    /// The number of a value, which is written later.
    pub(super) fn put_any(&mut self, bytes: &mut Vec<u8>, value: &'t Value) {
        put_len(bytes, self.values.len());
        self.values.push(value);
    }

    fn put_value(&mut self, bytes: &mut Vec<u8>, value: &'t Value) {
        match value {
            Value::Null => bytes.push(NULL),
            Value::Bool(false) => bytes.push(FALSE),
            Value::Bool(true) => bytes.push(TRUE),
            Value::Number(number) => {
                bytes.push(NUMBER);
                bytes.extend(number.to_bits().to_le_bytes());
            }
            Value::Text(text) => {
                bytes.push(TEXT);
                self.put(bytes, text);
            }
            Value::List(values) => {
                bytes.push(LIST);
                put_len(bytes, values.len());
                values.iter().for_each(|value| self.put_value(bytes, value));
            }
            Value::Map(entries) => {
                bytes.push(MAP);
                put_len(bytes, entries.len());
                for (name, value) in entries {
                    self.put(bytes, name);
                    self.put_value(bytes, value);
                }
            }
        }
    }

    /// All values.
    pub(super) fn write_values(&mut self, bytes: &mut Vec<u8>) {
        let values = std::mem::take(&mut self.values);
        put_len(bytes, values.len());
        values.into_iter().for_each(|value| self.put_value(bytes, value));
    }

    /// All texts, those of the values too: lengths first.
    pub(super) fn write_texts(&self, bytes: &mut Vec<u8>) {
        put_len(bytes, self.texts.len());
        self.texts.iter().for_each(|text| put_len(bytes, text.len()));
        self.texts.iter().for_each(|text| bytes.extend(text.as_bytes()));
    }
}

// === impl Input ===

impl<'b, 't> Input<'b, 't> {
    /// Reads `bytes`, which name these texts.
    pub(super) fn new(bytes: &'b [u8], texts: &'t [&'b str]) -> Self {
        Self { rest: bytes, texts }
    }

    /// How many bytes were not read yet.
    pub(super) fn left(&self) -> usize {
        self.rest.len()
    }

    pub(super) fn byte(&mut self) -> Result<u8, Damaged> {
        let (byte, rest) = self.rest.split_first().ok_or(Damaged("it ends too early"))?;
        self.rest = rest;
        Ok(*byte)
    }

    pub(super) fn number(&mut self) -> Result<u64, Damaged> {
        let mut number = 0;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            let part = u64::from(byte & 0x7f);
            if shift == 63 && part > 1 {
                break;
            }
            number |= part << shift;
            if byte < 0x80 {
                return Ok(number);
            }
        }
        Err(Damaged("a number is too large"))
    }

    pub(super) fn small(&mut self) -> Result<u16, Damaged> {
        u16::try_from(self.number()?).map_err(|_| Damaged("a number is too large"))
    }

    /// How many things follow, each at least so many bytes long.
    pub(super) fn len(&mut self, least: usize) -> Result<usize, Damaged> {
        let len = usize::try_from(self.number()?).map_err(|_| Damaged("a length is too large"))?;
        if len.saturating_mul(least) > self.rest.len() {
            return Err(Damaged("a length is too large"));
        }
        Ok(len)
    }

    pub(super) fn text(&mut self) -> Result<&'b str, Damaged> {
        let number = usize::try_from(self.number()?).ok();
        number.and_then(|number| self.texts.get(number).copied()).ok_or(Damaged("a text that is not there"))
    }

    pub(super) fn float(&mut self) -> Result<f64, Damaged> {
        Ok(f64::from_bits(u64::from_le_bytes(*self.array()?)))
    }

    pub(super) fn id(&mut self) -> Result<Id, Damaged> {
        match self.byte()? {
            UUID => Ok(Id::from(IdForm::Uuid(self.array()?))),
            TEXT_ID => {
                let len = self.len(1)?;
                let (text, rest) = self.rest.split_at_checked(len).ok_or(Damaged("it ends too early"))?;
                self.rest = rest;
                Ok(Id::from(std::str::from_utf8(text).map_err(|_| Damaged("an id is no text"))?))
            }
            _ => Err(Damaged("an id of no known form")),
        }
    }

    fn value(&mut self, left: usize) -> Result<Value, Damaged> {
        if left == 0 {
            return Err(Damaged("a value is nested too deeply"));
        }
        Ok(match self.byte()? {
            NULL => Value::Null,
            FALSE => Value::Bool(false),
            TRUE => Value::Bool(true),
            NUMBER => Value::Number(self.float()?),
            TEXT => Value::text(self.text()?),
            LIST => Value::List((0..self.len(1)?).map(|_| self.value(left - 1)).collect::<Result<_, _>>()?),
            MAP => {
                let entry =
                    |input: &mut Self| Ok::<_, Damaged>((CompactString::from(input.text()?), input.value(left - 1)?));
                Value::Map((0..self.len(2)?).map(|_| entry(self)).collect::<Result<_, _>>()?)
            }
            _ => return Err(Damaged("a value of no known form")),
        })
    }

    fn array<const N: usize>(&mut self) -> Result<&'b [u8; N], Damaged> {
        let (array, rest) = self.rest.split_first_chunk().ok_or(Damaged("it ends too early"))?;
        self.rest = rest;
        Ok(array)
    }
}
