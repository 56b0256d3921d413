//! Every complaint has a place and a mend.

use super::*;

fn complaint(text: &str) -> String {
    parse("f.yaml", text).expect_err("must be refused").to_string()
}

#[test]
fn places_are_lines_and_columns_from_one() {
    let node = parse("f.yaml", "a:\n  b: [1, 'x']\n").unwrap();
    let Data::Map(entries) = &node.data else { panic!("{node:?}") };
    assert_eq!(entries[0].0.place, Place { line: 1, column: 1 });
    let Data::Map(inner) = &entries[0].1.data else { panic!() };
    assert_eq!(inner[0].1.place, Place { line: 2, column: 6 });
    assert_eq!(inner[0].1.list()[1].place, Place { line: 2, column: 10 });
}

#[test]
fn what_a_reader_cannot_see_is_refused() {
    assert!(complaint("a: &x 1\nb: *x\n").starts_with("f.yaml:1:"), "{}", complaint("a: &x 1\nb: *x\n"));
    assert!(complaint("a: !!str 1\n").contains("tags are not read"));
    assert!(complaint("a: 1\na: 2\n").contains("`a` stands twice; first in line 1"));
    assert!(complaint("a: 1\n---\nb: 2\n").contains("second document"));
    assert!(complaint("a: [1\n").contains("not YAML"));
    let deep = format!("{}{}", "[".repeat(MAX_DEPTH + 1), "]".repeat(MAX_DEPTH + 1));
    assert!(complaint(&deep).contains("nested deeper"));
    assert!(complaint(&"[".repeat(100_000)).starts_with("f.yaml:1:"));
}

#[test]
fn unknown_keys_are_told_with_a_suggestion() {
    let node = parse("f.yaml", "listn: 1\nzzz: 2\n").unwrap();
    let mut problems = Problems::new("f.yaml");
    let mut fields = node.map(&mut problems).unwrap();
    fields.take("listen");
    fields.take("policy");
    fields.finish(&mut problems);
    assert_eq!(
        problems.to_string(),
        "f.yaml:1:1: unknown key `listn`; did you mean `listen`?\n\
         f.yaml:2:1: unknown key `zzz`; known here: listen, policy"
    );
}
