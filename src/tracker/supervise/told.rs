//! Changes that a source tells exactly: applied as they come, or in their order once the load under way has ended.

use super::{Source, Supervisor};
use crate::authorizer::Feed;
use crate::model::change::{Batch, Change};
use crate::model::id::Str;
use crate::tracker::receipt::Receipt;

/// What was told while the mirror waited for a load.
#[derive(Debug, Default)]
pub(super) struct Kept {
    changes: Vec<Change>,
    cursor: Option<Str>,
    receipts: Vec<Receipt>,
    /// Something was told: perhaps only that nothing changed.
    any: bool,
}

// === impl Kept ===

impl Kept {
    pub(super) fn is_empty(&self) -> bool {
        !self.any
    }

    /// A load begins: what was told before is in what it will read. Applied after it, it would put back what is old.
    pub(super) fn covered(&mut self) {
        self.changes.clear();
    }
}

impl<S: Source> Supervisor<S> {
    /// These changes, and up to here no others.
    pub(super) fn told(&mut self, changes: Vec<Change>, cursor: Option<Str>, receipt: Option<Receipt>) {
        if !changes.is_empty() {
            self.stats.events.add(1);
        }
        if self.kept.changes.len().saturating_add(changes.len()) > self.options.queue {
            self.kept.changes.clear();
            self.overflow();
        } else {
            self.kept.changes.extend(changes);
        }
        self.kept.any = true;
        self.kept.receipts.extend(receipt);
        if cursor.is_some() {
            self.kept.cursor = cursor;
        }
    }

    /// Applies what was told, unless a load is under way, owed or may turn out to be; returns the receipts to
    /// acknowledge.
    pub(super) fn apply_kept(&mut self) -> Vec<Receipt> {
        let behind = !self.loaded || self.stream.is_none() || self.catching_up > 0;
        if self.kept.is_empty() || behind || self.loading.is_some() || self.is_load_owed() {
            return Vec::new();
        }
        self.kept.any = false;
        let changes = std::mem::take(&mut self.kept.changes);
        if !changes.is_empty() {
            let changed = self.apply(Batch::Delta(changes));
            self.stats.changed.add(changed);
        }
        if self.state == Feed::Live {
            let cursor = self.take_cursor();
            self.equal(cursor.as_deref());
        }
        std::mem::take(&mut self.kept.receipts)
    }

    /// How far the source has told, where that was not said yet.
    pub(super) fn take_cursor(&mut self) -> Option<Str> {
        self.kept.cursor.take()
    }
}
