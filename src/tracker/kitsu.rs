//! Stand-in until the trackers land.
use std::path::PathBuf;
#[derive(Clone, Debug)]
pub struct Config {
    pub url: String,
    pub events_url: String,
    pub token: TokenSource,
}
#[derive(Clone, Debug)]
pub enum TokenSource {
    Value(String),
    File(PathBuf),
}
