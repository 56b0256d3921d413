//! How the server is told to end, and how long what it accepted may still take.

use std::time::Duration;

use tokio_util::sync::CancellationToken;

/// Tells listeners and streams to end. Clones tell and are told together.
#[derive(Clone, Debug)]
pub struct Drain {
    token: CancellationToken,
    deadline: Duration,
}

impl Drain {
    /// Nothing ends yet; once told, everything has to within `deadline`.
    pub fn new(deadline: Duration) -> Self {
        Self { token: CancellationToken::new(), deadline }
    }

    /// Tells everything to end. Telling twice is telling once.
    pub fn begin(&self) {
        self.token.cancel();
    }

    /// Whether the end was told.
    pub fn begun(&self) -> bool {
        self.token.is_cancelled()
    }

    /// Waits until the end is told.
    pub fn wait(&self) -> impl Future<Output = ()> + Send + use<> {
        self.token.clone().cancelled_owned()
    }

    /// The longest that the end may take.
    pub fn deadline(&self) -> Duration {
        self.deadline
    }
}
