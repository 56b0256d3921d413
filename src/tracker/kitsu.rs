//! The Kitsu connector: REST for reading, its event stream for what changed.
