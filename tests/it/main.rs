//! Everything from outside: one binary, one file per behaviour.

mod cases;
mod studio_file;
