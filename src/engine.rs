//! Decides. Pure and total: no lock, clock, I/O or panic inside.
//!
//! ```text
//! YAML --parse--> source --compile--> Policy
//! Query + View + Policy --resolve--> Case --decide--> Outcome { decision, what it read, what was missing }
//!                                          \-explain-> the same walk with a recorder
//! ```
//!
//! Invariant: unknown never allows, nor does the negation of an unknown.
//! Invariant: every record, list and membership that a decision looked at is in `Outcome::reads`.

mod compile;
mod condition;
mod decide;
mod declared;
mod explain;
mod filter;
mod list;
mod parse;
mod path;
mod permissions;
pub mod policy;
mod relation;
mod resolve;
mod restricted;
mod rights;
pub mod roles;
mod said;
#[cfg(test)]
mod tests;
mod unknown;
pub mod value;
mod walk;

pub use decide::{Outcome, decide};
pub use declared::Followed;
pub use explain::{Explained, Step, StepOutcome, explain};
pub use list::Listed;
pub use resolve::{Case, CaseKey, Resolved, named, resolve, resolve_told};
pub use restricted::Ruling;
pub use said::Said;
pub use unknown::unknown;
