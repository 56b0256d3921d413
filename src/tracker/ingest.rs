//! What sources that are fed by pushes share: their state, the rules for revisions and replays, the normalised stream.
//!
//! ```text
//! a tracker's own door ─┐
//!                       ├─► Feed ─► Source::events, Source::load
//! stagedoor.ingest.v1 ──┘
//! ```

mod convert;
pub mod feed;
pub mod guard;
mod recent;
pub mod store;
pub mod stream;
#[cfg(test)]
mod tests;
