//! Stand-in until the trackers land.
pub mod kitsu;
