//! Compiles `proto/` with a protobuf compiler written in Rust, so that a build needs no installed protoc.

use std::path::PathBuf;

use prost::Message as _;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    println!("cargo:rerun-if-changed=proto");
    let files = ["stagedoor/v1/stagedoor.proto", "stagedoor/v1/guard.proto", "stagedoor/ingest/v1/ingest.proto"];
    let descriptors = protox::compile(files, ["proto"])?;
    let out = PathBuf::from(std::env::var("OUT_DIR")?);
    std::fs::write(out.join("stagedoor.bin"), descriptors.encode_to_vec())?;
    tonic_prost_build::configure().codec_path("crate::proto::codec::Codec").compile_fds(descriptors)?;
    Ok(())
}
