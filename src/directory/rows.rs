//! The rows of one table: one word for whose it is, then as many words as each row of the table has.

use std::sync::Arc;

use smallvec::SmallVec;

use super::values::{MOST, Word};
use crate::model::id::Key;

/// How many rows are allocated at once.
const CHUNK: usize = 1_024;

/// In the first word: in the trash. The bits below are the object's handle.
const TRASHED: u32 = MOST;

/// The first word of a row that is nobody's.
const NOBODY: Word = Word(u32::MAX);

/// A row's words, taken out.
pub(super) type Words = SmallVec<[Word; 16]>;

#[derive(Clone, Debug)]
pub(super) struct Rows {
    /// Words of a row.
    width: usize,
    /// Shared with copies of the mirror until they change.
    chunks: Vec<Arc<Vec<Word>>>,
    len: u32,
    free: Vec<u32>,
}

// === impl Rows ===

impl Rows {
    /// Rows of so many words each.
    pub(super) fn new(words: usize) -> Self {
        Self { width: words + 1, chunks: Vec::new(), len: 0, free: Vec::new() }
    }

    /// Whether the row is in the trash, and its words.
    pub(super) fn get(&self, at: u32) -> Option<(bool, &[Word])> {
        let chunk = self.chunks.get(at as usize / CHUNK)?;
        let begin = at as usize % CHUNK * self.width;
        let (first, words) = chunk.get(begin..begin + self.width)?.split_first()?;
        Some((first.0 & TRASHED != 0, words))
    }

    /// Puts a row in place of another one. `None`, and nothing done, where it is not as wide.
    pub(super) fn put(&mut self, at: u32, owner: Key, trashed: bool, words: &[Word]) -> Option<()> {
        let first = if trashed { owner.0 | TRASHED } else { owner.0 };
        self.write(at, Word(first), words)
    }

    fn write(&mut self, at: u32, first: Word, words: &[Word]) -> Option<()> {
        let chunk = Arc::make_mut(self.chunks.get_mut(at as usize / CHUNK)?);
        let begin = at as usize % CHUNK * self.width;
        let (whose, place) = chunk.get_mut(begin..begin + self.width)?.split_first_mut()?;
        if place.len() != words.len() {
            return None;
        }
        *whose = first;
        place.copy_from_slice(words);
        Some(())
    }

    /// Where the new row stands; `None` where there is no room.
    pub(super) fn insert(&mut self, owner: Key, trashed: bool, words: &[Word]) -> Option<u32> {
        let at = match self.free.pop() {
            Some(at) => at,
            None => self.extend()?,
        };
        self.put(at, owner, trashed, words)?;
        Some(at)
    }

    fn extend(&mut self) -> Option<u32> {
        let at = self.len;
        if at >= MOST {
            return None;
        }
        if at as usize % CHUNK == 0 {
            // The first grows by doubling: most tables are small.
            let room = if self.chunks.is_empty() { 0 } else { CHUNK };
            self.chunks.push(Arc::new(Vec::with_capacity(room * self.width)));
        }
        let chunk = Arc::make_mut(self.chunks.last_mut()?);
        chunk.resize(chunk.len() + self.width, NOBODY);
        self.len += 1;
        Some(at)
    }

    pub(super) fn remove(&mut self, at: u32) {
        let nothing: Words = SmallVec::from_elem(NOBODY, self.width - 1);
        if self.write(at, NOBODY, &nothing).is_some() {
            self.free.push(at);
        }
    }

    /// The objects that have a row.
    pub(super) fn owners(&self) -> impl Iterator<Item = Key> {
        let first = self.chunks.iter().flat_map(|chunk| chunk.chunks(self.width)).filter_map(<[Word]>::first);
        first.filter(|word| **word != NOBODY).map(|word| Key(word.0 & (MOST - 1)))
    }
}
