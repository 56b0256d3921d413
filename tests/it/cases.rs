//! The decision tables in `tests/cases`, run as `stagedoor test` runs them.

use std::path::PathBuf;

/// Every table, as a studio would run it on its own policy.
#[test]
fn every_table_is_answered_as_written() {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/cases");
    let mut files: Vec<_> = std::fs::read_dir(&folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|ending| ending == "yaml"))
        .collect();
    files.sort();
    assert!(files.len() > 5, "{files:?}");
    let mut report = Vec::new();
    let good = stagedoor::cli::cases::run(&files, false, &mut report).unwrap();
    assert!(good, "{}", String::from_utf8_lossy(&report));
}
