//! Everything from outside: one binary, one file per behaviour.

mod cases;
mod kitsu_events;
mod studio_file;
