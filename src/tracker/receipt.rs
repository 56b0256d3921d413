//! How a source learns that what it told is in the mirror.

use tokio_util::sync::CancellationToken;

/// Goes with a signal, and is acknowledged once the mirror has it. Clones are acknowledged together.
#[derive(Clone, Debug, Default)]
pub struct Receipt(CancellationToken);

// === impl Receipt ===

impl Receipt {
    /// The mirror has it.
    pub fn acknowledge(&self) {
        self.0.cancel();
    }

    /// Waits until the mirror has it; for ever where the feed is lost before.
    pub async fn acknowledged(&self) {
        self.0.cancelled().await;
    }
}

impl PartialEq for Receipt {
    /// Receipts differ in nothing but whether they were acknowledged.
    fn eq(&self, other: &Self) -> bool {
        self.0.is_cancelled() == other.0.is_cancelled()
    }
}
