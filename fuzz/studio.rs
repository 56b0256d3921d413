//! Whatever a studio file says: a mirror that has exactly what it lists, or complaints.
#![no_main]

mod mirror;

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use stagedoor::directory::Directory;
use stagedoor::engine::policy::Policy;
use stagedoor::tracker::file::studio::{self, Vocabulary};

static WORDS: LazyLock<Vocabulary> =
    LazyLock::new(|| mirror::vocabulary(&Policy::load("kitsu", None).expect("compiles")));

fuzz_target!(|data: &[u8]| {
    let Ok(text) = std::str::from_utf8(data) else { return };
    match studio::read("studio.yaml", text, &WORDS) {
        Err(problems) => assert!(!problems.to_string().is_empty()),
        Ok(snapshot) => {
            let mut directory = Directory::new(WORDS.schema.clone());
            let changes = directory.difference(snapshot.clone());
            directory.apply(changes);
            assert_eq!(directory.difference(snapshot), [], "once applied, nothing differs any more");
        }
    }
});
