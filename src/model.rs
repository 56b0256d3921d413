//! The words that every other room speaks: ids, values, records, changes, queries, decisions, the schema.
//!
//! Invariant: nothing here knows serde, tonic, tokio or any tracker.

pub mod change;
pub mod decision;
pub mod id;
pub mod query;
pub mod record;
pub mod schema;
pub mod value;
