//! The built-in packs compile; what is wrong in an overlay is told with its place.

use super::policy::Policy;

#[test]
fn the_packs_compile() {
    let policy = Policy::load("kitsu", None).unwrap_or_else(|problems| panic!("{problems}"));
    assert!(policy.vocabulary("task").iter().any(|(action, _)| action == "comment"));
}
