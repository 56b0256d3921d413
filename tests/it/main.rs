//! Everything from outside: one binary, one file per behaviour.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a test that panics says what is wrong"
)]

mod cases;
mod differential;
mod floors;
mod kitsu_events;
mod studio_file;
