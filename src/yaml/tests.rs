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
    assert!(complaint("a: !!str 1\n").contains("tags are not read"));
    assert!(complaint("a: 1\na: 2\n").contains("`a` stands twice; first in line 1"));
    assert!(complaint("a: 1\n---\nb: 2\n").contains("second document"));
    assert!(complaint("a: [1\n").contains("not YAML"));
    let deep = format!("{}{}", "[".repeat(MAX_DEPTH + 1), "]".repeat(MAX_DEPTH + 1));
    assert!(complaint(&deep).contains("nested deeper"));
    assert!(complaint(&"[".repeat(100_000)).starts_with("f.yaml:1:"));
}

#[test]
fn aliases_repeat_what_stands_at_their_anchor() {
    let written_out = parse("f.yaml", "a: {b: [x, 'no']}\nc: [{b: [x, 'no']}, x]\n").unwrap();
    let aliased = parse("f.yaml", "a: &a {b: [&x x, 'no']}\nc: [*a, *x]\n").unwrap();
    assert_eq!(plain(&aliased), plain(&written_out));
    assert!(complaint("a: &x [*x]\n").contains("f.yaml:1:8: this repeats the value that it stands in"));
    // Each line ten times the one before it.
    let mut laughs = String::from("a0: &a0 [ha, ha, ha, ha, ha, ha, ha, ha, ha, ha]\n");
    for at in 1..12 {
        let before = at - 1;
        laughs += &format!("a{at}: &a{at} [{}]\n", vec![format!("*a{before}"); 10].join(", "));
    }
    assert!(complaint(&laughs).contains("repeat more than 100000 values"));
    let mut deep = String::from("a0: &a0 [x]\n");
    for at in 1..MAX_DEPTH {
        deep += &format!("a{at}: &a{at} [*a{}]\n", at - 1);
    }
    assert!(complaint(&deep).contains("nested deeper"));
}

/// What stands there, without places.
fn plain(node: &Node) -> String {
    match &node.data {
        Data::Scalar { text, quoted } => format!("{text}{quoted}"),
        Data::List(nodes) => format!("[{}]", nodes.iter().map(plain).collect::<Vec<_>>().join(",")),
        Data::Map(entries) => {
            format!(
                "{{{}}}",
                entries.iter().map(|(key, node)| format!("{}:{}", key.text, plain(node))).collect::<String>()
            )
        }
    }
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
