//! Everything from outside: one binary, one file per behaviour.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that cannot go on has failed"
)]

mod app;
mod cases;
mod command;
mod grpc;
mod health;
mod kitsu_events;
mod limits;
mod shutdown;
mod stream;
mod studio_file;
mod waiting;
