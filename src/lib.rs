//! stagedoor answers "may this person do this to that, according to our production tracker?" from memory.
//!
//! Floors: a room imports only lower ones (`tests/it/floors.rs` checks it).
//!
//! ```text
//! 5 wiring     main  cli  config  app
//! 4 edges      serve (gRPC)    guard    snapshot     tracker (kitsu, ftrack, file, supervise)
//! 3 spine               authorizer: check down, apply down
//! 2 decision            engine: policy, decide, explain
//! 1 state      directory: the mirror       cache: decisions       ledger
//! 0 words               model   yaml
//! ```

pub mod app;
pub mod authorizer;
pub mod cache;
pub mod cli;
pub mod config;
pub mod directory;
pub mod engine;
pub mod guard;
pub mod ledger;
pub mod model;
pub mod proto;
pub mod serve;
pub mod snapshot;
pub mod tracker;
pub mod yaml;
