//! Stand-in until the engine lands.
pub mod policy;
