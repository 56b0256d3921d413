//! The wire: code generated from `proto/stagedoor/v1/stagedoor.proto`, and the codec that reads it.
//!
//! Invariant: only `serve` and `cli` know these types.

pub mod codec;

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

/// The compiled `.proto` files, for reflection.
pub const FILE_DESCRIPTOR_SET: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/stagedoor.bin"));
