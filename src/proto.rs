//! The wire: code generated from the files under `proto/`, and the codec that reads it.
//!
//! Invariant: only `serve`, `cli` and `tracker/ingest` know these types.

pub mod codec;
pub mod view;

/// Messages, client and server of the package `stagedoor.v1`.
#[allow(
    missing_docs,
    missing_debug_implementations,
    unreachable_pub,
    clippy::all,
    clippy::allow_attributes_without_reason,
    reason = "generated; documented in the .proto file"
)]
pub mod v1 {
    tonic::include_proto!("stagedoor.v1");
}

/// Messages, client and server of the package `stagedoor.ingest.v1`.
#[allow(
    missing_docs,
    missing_debug_implementations,
    unreachable_pub,
    clippy::all,
    clippy::allow_attributes_without_reason,
    reason = "generated; documented in the .proto file"
)]
pub mod ingest_v1 {
    tonic::include_proto!("stagedoor.ingest.v1");
}

/// The compiled `.proto` files, for reflection.
pub const FILE_DESCRIPTOR_SET: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/stagedoor.bin"));
