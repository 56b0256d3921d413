//! Texts of records: each is held once and counted, and given up with the last record that has it.

use std::hash::BuildHasher;

use super::chunks::Slab;
use super::index::Index;
use crate::model::id::Str;

#[derive(Clone, Debug, Default)]
pub(super) struct Texts {
    held: Slab<Text>,
    index: Index<u32>,
}

#[derive(Clone, Debug)]
struct Text {
    text: Str,
    users: u32,
}

impl Texts {
    pub(super) fn get(&self, no: u32) -> &str {
        self.held.get(no).map_or("", |held| &held.text)
    }

    /// The text's number, with one user more; `None` where `most` are held already.
    pub(super) fn take(&mut self, text: &str, most: u32) -> Option<u32> {
        let Self { held, index } = self;
        let hash = index.hash(text);
        if let Some(no) = index.find(hash, |no| held.get(*no).is_some_and(|held| held.text == text)).copied() {
            let users = &mut held.get_mut(no)?.users;
            *users = users.checked_add(1)?;
            return Some(no);
        }
        let no = held.insert(Text { text: Str::from(text), users: 1 }, most)?;
        index.insert(hash, no, |hasher, no| hasher.hash_one(held.get(*no).map_or("", |held| &held.text)));
        Some(no)
    }

    /// One user less.
    pub(super) fn give_up(&mut self, no: u32) {
        let Some(held) = self.held.get_mut(no) else { return };
        held.users -= 1;
        if held.users == 0 {
            let hash = self.index.hash(held.text.as_str());
            self.index.remove(hash, |known| *known == no);
            self.held.remove(no);
        }
    }

    #[cfg(test)]
    pub(super) fn held(&self) -> usize {
        self.held.held()
    }
}
