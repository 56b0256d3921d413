//! Values of fields as they are held: one word each.
//!
//! ```text
//! 4 bits: what it is | 28 bits: a handle, a small number, or where it stands in a table beside
//! ```
//!
//! What a word stands for in a table beside has one owner, the word, and is given up with it.

use super::chunks::Slab;
use super::row::{Cell, Texts as TextsView};
use super::rows::Words;
use super::tables::{Draft, DraftCell};
use super::texts::Texts;
use crate::model::id::Key;
use crate::model::value::Value;

/// So many handles there are at most, and so many values of one sort beside the rows. What does not fit is not held: a
/// number never comes to stand for two things.
pub(super) const MOST: u32 = 1 << TAG_BITS;

const TAG_BITS: u32 = 28;

/// Smallest number that stands in place.
const LEAST: i32 = -(1 << 27);

/// A field's value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Word(pub(super) u32);

/// What the first bits of a word say.
mod tag {
    pub(super) const REF: u32 = 0;
    pub(super) const REFS_OF_ONE: u32 = 1;
    pub(super) const REFS: u32 = 2;
    pub(super) const TEXT: u32 = 3;
    pub(super) const TEXTS: u32 = 4;
    pub(super) const SMALL_NUMBER: u32 = 5;
    pub(super) const NUMBER: u32 = 6;
    pub(super) const ANY: u32 = 7;
    pub(super) const CONSTANT: u32 = 8;
}

/// What stands beside the rows.
#[derive(Clone, Debug, Default)]
pub(super) struct Values {
    pub(super) texts: Texts,
    refs: Slab<Box<[Key]>>,
    lists: Slab<Box<[u32]>>,
    numbers: Slab<f64>,
    any: Slab<Box<Value>>,
}

// === impl Word ===

impl Word {
    pub(super) const UNSET: Self = Self::constant(0);
    pub(super) const NULL: Self = Self::constant(1);
    const FALSE: Self = Self::constant(2);
    const TRUE: Self = Self::constant(3);
    const NO_REFS: Self = Self::constant(4);
    const NO_TEXT: Self = Self::constant(5);

    const fn constant(no: u32) -> Self {
        Self(tag::CONSTANT << TAG_BITS | no)
    }

    /// `None` where the number is too large to stand for itself.
    fn new(tag: u32, no: u32) -> Option<Self> {
        (no < MOST).then_some(Self(tag << TAG_BITS | no))
    }

    fn parts(self) -> (u32, u32) {
        (self.0 >> TAG_BITS, self.0 & (MOST - 1))
    }

    /// The object that it refers to.
    pub(super) fn key(self) -> Option<Key> {
        match self.parts() {
            (tag::REF, no) => Some(Key(no)),
            _ => None,
        }
    }

    /// A small whole number takes no room beside.
    fn small(value: f64) -> Option<Self> {
        #[expect(clippy::cast_possible_truncation, reason = "compared afterwards")]
        let whole = value as i32;
        let same = f64::from(whole).to_bits() == value.to_bits();
        Self::new(tag::SMALL_NUMBER, u32::try_from(whole.checked_sub(LEAST)?).ok().filter(|_| same)?)
    }
}

// === impl Values ===

impl Values {
    /// The value that a word stands for.
    pub(super) fn cell(&self, word: Word) -> Cell<'_> {
        let found = match word.parts() {
            (tag::REF, no) => Some(Cell::Ref(Key(no))),
            (tag::REFS_OF_ONE, no) => Some(Cell::Refs(Key(no).into())),
            (tag::REFS, no) => self.refs.get(no).map(|keys| Cell::Refs((&**keys).into())),
            (tag::TEXT, no) => Some(Cell::Text(self.texts.get(no))),
            (tag::TEXTS, no) => self.lists.get(no).map(|list| Cell::Texts(TextsView::new(&self.texts, list))),
            (tag::SMALL_NUMBER, no) => i32::try_from(no).ok().map(|no| Cell::Number(f64::from(no + LEAST))),
            (tag::NUMBER, no) => self.numbers.get(no).copied().map(Cell::Number),
            (tag::ANY, no) => self.any.get(no).map(|value| Cell::Any(value)),
            _ => Some(match word {
                Word::NULL => Cell::Null,
                Word::FALSE => Cell::Bool(false),
                Word::TRUE => Cell::Bool(true),
                Word::NO_REFS => Cell::Refs((&[][..]).into()),
                Word::NO_TEXT => Cell::Text(""),
                _ => Cell::Unset,
            }),
        };
        found.unwrap_or(Cell::Unset)
    }

    /// The text that a word stands for.
    pub(super) fn text(&self, word: Word) -> &str {
        match word.parts() {
            (tag::TEXT, no) => self.texts.get(no),
            _ => "",
        }
    }

    /// The words for a project, a name and fields, in this order; `None` where something does not fit, and then nothing is
    /// held of it.
    pub(super) fn hold(&mut self, Draft { kind: _, trashed: _, project, name, cells }: &Draft<'_>) -> Option<Words> {
        let mut words = Words::new();
        let project = project.map_or(Some(Word::NULL), |key| Word::new(tag::REF, key.0));
        words.extend(project);
        words.extend(self.hold_text(name));
        words.extend(cells.iter().map_while(|cell| self.hold_cell(cell)));
        if words.len() == cells.len() + 2 {
            return Some(words);
        }
        self.give_up(&words);
        None
    }

    fn hold_text(&mut self, text: &str) -> Option<Word> {
        if text.is_empty() {
            return Some(Word::NO_TEXT);
        }
        Word::new(tag::TEXT, self.texts.take(text, MOST)?)
    }

    fn hold_cell(&mut self, cell: &DraftCell<'_>) -> Option<Word> {
        match cell {
            DraftCell::Unset => Some(Word::UNSET),
            DraftCell::Null => Some(Word::NULL),
            DraftCell::Bool(value) => Some(if *value { Word::TRUE } else { Word::FALSE }),
            DraftCell::Number(value) => match Word::small(*value) {
                Some(word) => Some(word),
                None => Word::new(tag::NUMBER, self.numbers.insert(*value, MOST)?),
            },
            DraftCell::Text(text) => self.hold_text(text),
            DraftCell::Texts(texts) => {
                let list: Vec<_> = texts.iter().map_while(|text| self.texts.take(text, MOST)).collect();
                if list.len() < texts.len() {
                    list.into_iter().for_each(|no| self.texts.give_up(no));
                    return None;
                }
                Word::new(tag::TEXTS, self.lists.insert(list.into(), MOST)?)
            }
            DraftCell::Ref(key) => Word::new(tag::REF, key.0),
            DraftCell::Refs(keys) => match keys.as_slice() {
                [] => Some(Word::NO_REFS),
                [key] => Word::new(tag::REFS_OF_ONE, key.0),
                keys => Word::new(tag::REFS, self.refs.insert(keys.into(), MOST)?),
            },
            DraftCell::Any(value) => Word::new(tag::ANY, self.any.insert(Box::new((*value).clone()), MOST)?),
        }
    }

    /// What these words stand for is not needed any more.
    pub(super) fn give_up(&mut self, words: &[Word]) {
        for word in words {
            match word.parts() {
                (tag::TEXT, no) => self.texts.give_up(no),
                (tag::TEXTS, no) => {
                    for no in self.lists.remove(no).unwrap_or_default() {
                        self.texts.give_up(no);
                    }
                }
                (tag::REFS, no) => drop(self.refs.remove(no)),
                (tag::NUMBER, no) => drop(self.numbers.remove(no)),
                (tag::ANY, no) => drop(self.any.remove(no)),
                _ => {}
            }
        }
    }

    #[cfg(test)]
    pub(super) fn held(&self) -> [usize; 5] {
        [self.texts.held(), self.refs.held(), self.lists.held(), self.numbers.held(), self.any.held()]
    }
}
