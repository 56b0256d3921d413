//! What is not asked for stays byte for byte; what cannot be edited is refused with its place.

mod random;

use super::*;

fn lead() -> Value {
    Value::Map(vec![
        ("clone".to_owned(), Value::Text("Project Manager".to_owned())),
        ("description".to_owned(), Value::Text("Leads: a department".to_owned())),
    ])
}

fn added(text: &str) -> String {
    append("p.yaml", text, &["roles"], "Lead", &lead()).unwrap_or_else(|problems| panic!("{problems}\n{text}"))
}

fn removed(text: &str, name: &str) -> String {
    remove("p.yaml", text, &["roles"], name).unwrap_or_else(|problems| panic!("{problems}\n{text}"))
}

const LEAD: &str = "  Lead:\n    clone: Project Manager\n    description: \"Leads: a department\"\n";

#[test]
fn an_entry_is_added_at_the_end_of_its_map() {
    for (before, after) in [
        ("", ""),
        ("# Roles of ours\nextends: ftrack\nroles:   # see the wiki\n  'A b': {clone: User}   # for A\n", ""),
        ("roles:\n  A:\n    clone: User\n    # deeper: of A\n  # of roles\n", "\n# of what follows\nextends: ftrack\n"),
        ("roles:\n  # none yet\n", "extends: ftrack\n"),
        ("roles:\n", "# about extends\nextends: ftrack\n"),
        ("extends: ftrack\nroles:\n  A: {clone: B}\n", "...\n# the end\n"),
        ("roles:\n  A:\n    grants:\n    - a\n    - b\n", "extends: ftrack"),
        ("roles:\n  A:\n    description: |\n      text\n      # no comment\n", "extends: ftrack\n"),
        ("\u{feff}extends: ftrack\nroles:\n  A: {clone: B}\n", ""),
        ("%YAML 1.2\n---\nroles:\n  A: {clone: B} # tab:\there\n", "\n"),
    ] {
        let begun = if before.is_empty() { "roles:\n" } else { "" };
        assert_eq!(added(&format!("{before}{after}")), format!("{before}{begun}{LEAD}{after}"));
    }
}

#[test]
fn a_section_that_is_not_there_is_begun() {
    assert_eq!(added("extends: ftrack"), format!("extends: ftrack\nroles:\n{LEAD}"));
    assert_eq!(added("# nothing yet\n"), format!("# nothing yet\nroles:\n{LEAD}"));
    let crlf = added("extends: ftrack\r\nrules:\r\n    a:\r\n        b: c\r\n");
    assert_eq!(
        crlf,
        "extends: ftrack\r\nrules:\r\n    a:\r\n        b: c\r\nroles:\r\n    Lead:\r\n        clone: Project Manager\r\n        \
         description: \"Leads: a department\"\r\n"
    );
}

#[test]
fn an_entry_goes_with_what_is_in_it_and_nothing_else() {
    for (before, entry, after) in [
        ("roles:\n", LEAD, ""),
        ("# a\nroles:\n\n  # of whoever is next\n", "  Lead: {clone: A}  # gone\n", "\n  # of B\n  B: {clone: C}\n"),
        ("roles:\n  A: {clone: C}\n", "  'Lead':\n    grants:\n    - a\n    # inside\n    - b\n", "# of d\nd: e\n"),
        ("roles:\n", "  Lead:\n    description: |\n      a\n\n      # text\n", "\n\nextends: ftrack\n"),
        ("roles:\n", "  Lead:\n    grants: [\n      a,\n      ]\n", "  B: {clone: C}\n"),
        ("roles:\n  A: {}\n", "  Lead: {clone: A}", ""),
        ("roles:\r\n", "  Lead: {clone: A}\r\n", "  # b\r\n  B: {clone: A}\r\n"),
    ] {
        assert_eq!(removed(&format!("{before}{entry}{after}"), "Lead"), format!("{before}{after}"));
    }
}

#[test]
fn adding_and_removing_leaves_the_file_as_it_was() {
    for text in [
        "roles:\n  A: {clone: B}\n\n# end\n",
        "extends: ftrack # x\nroles:\n    # one\n    A: {clone: B}\n    # two\n\n\nrules: {}\n",
        "roles:\r\n  A:\r\n    clone: B\r\n",
    ] {
        assert_eq!(removed(&added(text), "Lead"), text);
    }
}

#[test]
fn long_lists_stand_one_to_a_line() {
    let grants: Vec<String> = (0..12).map(|number| format!("a_right_{number}")).collect();
    let value = Value::Map(vec![("grants".to_owned(), Value::List(grants))]);
    let text = append("p.yaml", "roles:\n", &["roles"], "A", &value).unwrap();
    assert!(text.starts_with("roles:\n  A:\n    grants:\n      - a_right_0\n      - a_right_1\n"), "{text}");
    let value = Value::Map(vec![("grants".to_owned(), Value::List(Vec::new()))]);
    let text = append("p.yaml", "roles:\n", &["roles"], "yes", &value).unwrap();
    assert_eq!(text, "roles:\n  \"yes\":\n    grants: []\n");
}

#[test]
fn texts_are_read_back_as_they_were_given() {
    for name in [
        "null",
        "~",
        "1.5",
        "a: b",
        "# x",
        "-",
        "- a",
        "{a}",
        "it's \"x\" \\",
        " a ",
        "é à",
        "a\nb\u{7}\u{2028}",
        "",
        "日本",
    ] {
        let text = append("p.yaml", "a: b\n", &[], name, &Value::Text(name.to_owned())).unwrap();
        assert_eq!(remove("p.yaml", &text, &[], name).unwrap(), "a: b\n", "{text}");
    }
}

#[test]
fn what_is_not_one_entry_to_a_line_is_refused_with_its_place() {
    let told = |text: &str| append("p.yaml", text, &["roles"], "Lead", &lead()).unwrap_err().to_string();
    for (text, expected) in [
        (
            "extends: ftrack\nroles: {A: {clone: B}}\n",
            "p.yaml:2:8: only maps written one entry to a line are edited, and this is one in braces; write",
        ),
        ("{extends: ftrack}\n", "p.yaml:1:1: only maps"),
        ("roles: {}\n", "p.yaml:1:8: only maps"),
        (
            "roles: ~\n",
            "p.yaml:1:8: only maps written one entry to a line are edited, and this is a written-out `null`",
        ),
        ("roles: [a]\n", "p.yaml:1:8: only maps written one entry to a line are edited, and this is a list"),
        ("roles: x\n", "p.yaml:1:8: only maps written one entry to a line are edited, and this is `x`"),
        ("? roles\n: A: {clone: B}\n", "p.yaml:1:3: only maps"),
        ("roles:\n  Lead: {clone: A}\n", "p.yaml:2:3: `Lead` stands here already"),
        ("roles:\n\tA: {clone: B}\n", "p.yaml:2:"),
        ("a: 1\n---\nroles:\n", "p.yaml:2:1: a second document begins"),
        ("roles:\n  A: |+\n    x\n\n\n", "p.yaml:4:1: no edit is possible here"),
    ] {
        assert!(told(text).starts_with(expected), "{text:?}: {}", told(text));
    }
    let told = |text: &str| remove("p.yaml", text, &["roles"], "Lead").unwrap_err().to_string();
    for (text, expected) in [
        ("roles:\n  Lead: &x {clone: A}\n  B: *x\n", "p.yaml:2:1: no edit is possible here"),
        ("roles:\n  Laed: {clone: A}\n", "p.yaml:1:1: there is no `Lead` here"),
        ("extends: ftrack\n", "p.yaml:1:1: there is no `roles` here"),
        ("roles:\n", "p.yaml:1:1: there is no `Lead` here"),
        ("roles:\n  A: |+\n    x\n  Lead: {clone: B}\n\n", "p.yaml:4:1: no edit is possible here"),
    ] {
        assert!(told(text).starts_with(expected), "{text:?}: {}", told(text));
    }
}
