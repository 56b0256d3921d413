//! Everything from outside: one binary, one file per behaviour.
#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stderr,
    clippy::print_stdout,
    clippy::string_slice,
    clippy::unwrap_used,
    reason = "a test that panics says what is wrong"
)]

mod allocations;
mod app;
mod audit;
mod bad_inputs;
mod cases;
mod command;
mod declared;
mod differential;
mod floors;
mod flow_events;
mod flow_load;
mod flow_property;
mod ftrack_events;
mod ftrack_property;
mod grpc;
mod guard_ftrack;
mod guard_kitsu;
mod health;
mod kitsu_events;
mod limecraft_push;
mod limits;
mod list_actions;
mod model;
mod policy;
mod property;
mod race;
mod roles;
mod shutdown;
mod snapshot;
mod stranger;
mod stream;
mod studio_file;
mod tls;
mod waiting;
