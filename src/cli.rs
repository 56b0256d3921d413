//! The command line.

pub mod cases;
