//! What an edit prints, and how a file is replaced.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};

use super::change::changed_lines;
use super::diff::Difference;
use super::store::Opened;
use crate::model::id::Str;

const OLD: &str = "extends: ftrack\n# ours\n";
const NEW: &str = "extends: ftrack\n# ours\nroles:\n";

#[test]
fn the_lines_that_differ_have_numbers() {
    assert_eq!(changed_lines("a\nb\nc\n", "a\nc\n"), ["    2 - b"]);
    assert_eq!(changed_lines("a\nc\n", "a\nb\nb\nc\n"), ["    2 + b", "    3 + b"]);
    assert_eq!(changed_lines("a\na\n", "a\na\na\n"), ["    3 + a"]);
    assert_eq!(changed_lines("", "a\n"), ["    1 + a"]);
    assert_eq!(changed_lines("a", "a\n"), [""; 0]);
}

#[test]
fn more_and_less() {
    let slugs = |text: &str| text.split_whitespace().map(Str::from).collect::<Vec<_>>();
    let (role, other) = (slugs("a b"), slugs("b c d"));
    let Difference { more, less } = Difference::of(&role, &other);
    assert_eq!((more, less), (vec![&role[0]], vec![&other[1], &other[2]]));
    assert!(Difference::of(&role, &role).is_empty());
}

#[test]
fn a_file_is_replaced_through_links_and_keeps_its_mode() {
    let directory = tempfile::tempdir().unwrap();
    let (file, link) = (directory.path().join("real.yaml"), directory.path().join("policy.yaml"));
    fs::write(&file, OLD).unwrap();
    fs::set_permissions(&file, fs::Permissions::from_mode(0o640)).unwrap();
    symlink("real.yaml", &link).unwrap();
    Opened::at(&link).unwrap().write(NEW).unwrap();
    assert_eq!(fs::read_to_string(&file).unwrap(), NEW);
    assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o640);
    assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
    assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 2, "nothing is left beside it");
}

#[test]
fn what_is_no_policy_or_was_changed_meanwhile_is_not_written_over() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("policy.yaml");
    fs::write(&file, OLD).unwrap();
    let opened = Opened::at(&file).unwrap();
    let told = opened.write("extends: ftrack\nrolls:\n").unwrap_err();
    assert!(told.contains("policy.yaml:2:1: unknown key `rolls`") && told.ends_with("is left as it was"), "{told}");
    assert_eq!(fs::read_to_string(&file).unwrap(), OLD);
    fs::write(&file, "extends: ftrack\n").unwrap();
    let told = opened.write(NEW).unwrap_err();
    assert!(told.contains("was changed by somebody else meanwhile"), "{told}");
    assert_eq!(fs::read_to_string(&file).unwrap(), "extends: ftrack\n");
    assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 1, "nothing is left beside it");
}
