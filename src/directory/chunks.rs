//! Long arrays that grow by a chunk at a time: no growth moves what is held already, or takes twice its memory meanwhile.
//! A copy shares the chunks until one of the two changes them.

use std::sync::Arc;

/// How many values are allocated at once.
const CHUNK: usize = 1_024;

/// A long array.
#[derive(Clone, Debug)]
pub(super) struct Chunks<T> {
    chunks: Vec<Arc<Vec<T>>>,
    len: usize,
}

/// Values that are found by the number they were given when they came. Numbers are used again.
#[derive(Clone, Debug)]
pub(super) struct Slab<T> {
    slots: Chunks<Option<T>>,
    free: Vec<u32>,
}

// === impl Chunks ===

impl<T> Default for Chunks<T> {
    fn default() -> Self {
        Self { chunks: Vec::new(), len: 0 }
    }
}

impl<T: Clone> Chunks<T> {
    pub(super) fn len(&self) -> usize {
        self.len
    }

    pub(super) fn get(&self, at: usize) -> Option<&T> {
        self.chunks.get(at / CHUNK)?.get(at % CHUNK)
    }

    pub(super) fn get_mut(&mut self, at: usize) -> Option<&mut T> {
        Arc::make_mut(self.chunks.get_mut(at / CHUNK)?).get_mut(at % CHUNK)
    }

    pub(super) fn push(&mut self, value: T) {
        match self.chunks.last_mut().filter(|last| last.len() < CHUNK) {
            Some(last) => Arc::make_mut(last).push(value),
            None => {
                // The first grows by doubling: most tables are small.
                let mut chunk = Vec::with_capacity(if self.chunks.is_empty() { 4 } else { CHUNK });
                chunk.push(value);
                self.chunks.push(Arc::new(chunk));
            }
        }
        self.len += 1;
    }

    /// The values from a place on.
    pub(super) fn iter_from(&self, at: usize) -> impl Iterator<Item = &T> {
        let (first, skipped) = (at / CHUNK, at % CHUNK);
        let chunks = self.chunks.iter().skip(first).enumerate();
        chunks.flat_map(move |(no, chunk)| chunk.iter().skip(if no == 0 { skipped } else { 0 }))
    }
}

// === impl Slab ===

impl<T> Default for Slab<T> {
    fn default() -> Self {
        Self { slots: Chunks::default(), free: Vec::new() }
    }
}

impl<T: Clone> Slab<T> {
    pub(super) fn get(&self, no: u32) -> Option<&T> {
        self.slots.get(no as usize)?.as_ref()
    }

    pub(super) fn get_mut(&mut self, no: u32) -> Option<&mut T> {
        self.slots.get_mut(no as usize)?.as_mut()
    }

    /// The number that the value is found by; `None` where `most` are held already.
    pub(super) fn insert(&mut self, value: T, most: u32) -> Option<u32> {
        if let Some(no) = self.free.pop()
            && let Some(slot) = self.slots.get_mut(no as usize)
        {
            *slot = Some(value);
            return Some(no);
        }
        let no = u32::try_from(self.slots.len()).ok().filter(|no| *no < most)?;
        self.slots.push(Some(value));
        Some(no)
    }

    pub(super) fn remove(&mut self, no: u32) -> Option<T> {
        let value = self.slots.get_mut(no as usize)?.take()?;
        self.free.push(no);
        Some(value)
    }

    /// How many are held.
    #[cfg(test)]
    pub(super) fn held(&self) -> usize {
        self.slots.len() - self.free.len()
    }
}
