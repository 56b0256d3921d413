//! The tables of `limecraft.md` 1, and a naive evaluator written from the reference's sentences.

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;

fn holds(rights: &Rights, have: &BTreeSet<String>) -> bool {
    rights.any.iter().any(|one| {
        one.must.iter().all(|right| have.contains(right.as_str()))
            && one.must_not.iter().all(|right| !have.contains(right.as_str()))
    })
}

/// The reference, sentence by sentence, on text alone; `None` where it says nothing that could be followed.
fn naive(text: &str, have: &BTreeSet<String>) -> Option<bool> {
    // "The parentheses are simply stripped from the string and not interpreted!"
    let text = text.replace(['(', ')'], "");
    // "| is a logical OR. It has lower precedence than AND."
    let mut shown = false;
    for alternative in text.split('|') {
        // "+ is a logical AND"
        let mut all = true;
        for word in alternative.split('+') {
            let word = word.trim();
            // "! before a right means the user can't have this right"
            let (right, wanted) = word.strip_prefix('!').map_or((word, true), |right| (right.trim(), false));
            if right.is_empty() || !right.chars().all(|c| c.is_ascii_alphanumeric() || c == '_') {
                return None;
            }
            all &= have.contains(right) == wanted;
        }
        shown |= all;
    }
    Some(shown)
}

#[test]
fn the_truth_table() {
    // Columns: none, A, B, C, AB, AC, BC, ABC.
    for (written, expected) in [
        ("A+B|C", "...TTTTT"),
        ("A|B+C", ".T..TTTT"),
        ("(A|B)+C", ".T..TTTT"),
        ("C+(A|B)", "..T.TTTT"),
        ("!(A+B)", "..T...T."),
        ("!(A|B)", "T.TTT.TT"),
        ("(!A+B)|(C)", "..TT.TTT"),
        ("A+(B|C)+A", "....TT.T"),
        ("A+!B", ".T...T.."),
        ("!A|!B", "TTTT.TT."),
        ("A+!A", "........"),
        ("A|!A", "TTTTTTTT"),
        ("A+A", ".T..TT.T"),
        (" A + ! B ", ".T...T.."),
    ] {
        let rights = parse(written).unwrap_or_else(|problem| panic!("{written}: {problem}"));
        let column = |have: &str| {
            let have = have.chars().map(String::from).collect();
            assert_eq!(Some(holds(&rights, &have)), naive(written, &have), "{written}");
            if holds(&rights, &have) { 'T' } else { '.' }
        };
        let row: String = ["", "A", "B", "C", "AB", "AC", "BC", "ABC"].into_iter().map(column).collect();
        assert_eq!(row, expected, "{written}");
    }
}

#[test]
fn what_is_malformed_is_refused_with_what_is_wrong() {
    for (written, part) in [
        ("", "empty"),
        ("  ", "empty"),
        ("()", "empty"),
        ("A++B", "missing"),
        ("A||B", "missing"),
        ("+A", "missing"),
        ("A|", "missing"),
        ("A+!", "missing"),
        ("!!A", "one `!`"),
        ("!(!A)", "one `!`"),
        ("A!B", "`A!B` is no right"),
        ("A B", "`A B` is no right"),
        ("A,B", "`A,B` is no right"),
        ("A&B", "`A&B` is no right"),
        ("A&&B", "is no right"),
        ("A(B)", "`A(B`"),
        ("(A)(B)", "`A)(B`"),
        ("ÄB", "is no right"),
    ] {
        let problem = parse(written).expect_err(written);
        assert!(problem.contains(part), "{written}: {problem}");
    }
    assert!(parse(&"A".repeat(4_097)).is_err());
    assert!(parse(&vec!["A"; 64].join("|")).is_ok());
    assert!(parse(&vec!["A"; 65].join("|")).is_err());
}

#[test]
fn what_a_reader_would_misread_is_spelled_out_both_ways() {
    for written in ["A+B|C", "(!A+B)|(C)", "(A+B)+C", "((A))|(B)", "!(A)", "A+!B"] {
        assert_eq!(misread(written), None, "{written}");
    }
    for (written, means, looks) in [
        ("(A|B)+C", "((B and C) or A)", "((A or B) and C)"),
        ("C+(A|B)", "((A and C) or B)", "((A or B) and C)"),
        ("!(A+B)", "(B and not A)", "not (A and B)"),
        ("!(A|B)", "(B or not A)", "not (A or B)"),
        ("A+(B|C)+A", "((A and B) or (A and C))", "((B or C) and A)"),
    ] {
        let said = misread(written).unwrap_or_else(|| panic!("{written} is not told"));
        assert!(said.contains(&format!("`{means}`")) && said.contains(&format!("`{looks}`")), "{written}: {said}");
    }
    assert!(misread("(A+B").is_some_and(|said| said.contains("do not pair")));
}

fn expression() -> impl Strategy<Value = String> {
    let token = prop_oneof![
        8 => "[ABC]",
        1 => "AB",
        4 => Just("+".to_owned()),
        4 => Just("|".to_owned()),
        3 => Just("!".to_owned()),
        2 => Just("(".to_owned()),
        2 => Just(")".to_owned()),
        1 => Just(" ".to_owned()),
    ];
    let noise = proptest::collection::vec(token, 0..14).prop_map(|tokens| tokens.concat());
    let literal = (0..3_u8, any::<bool>(), any::<bool>(), any::<bool>()).prop_map(|(right, not, open, close)| {
        let right = char::from(b'A' + right);
        format!(
            "{}{}{right}{}",
            if open { "( " } else { "" },
            if not { "!" } else { "" },
            if close { ")" } else { " " }
        )
    });
    let orderly = proptest::collection::vec((literal, any::<bool>()), 1..8).prop_map(|list| {
        let mut text = String::new();
        for (at, (literal, or)) in list.into_iter().enumerate() {
            if at > 0 {
                text.push(if or { '|' } else { '+' });
            }
            text.push_str(&literal);
        }
        text
    });
    prop_oneof![noise, orderly]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4_000))]
    #[test]
    fn compiled_and_naive_agree(text in expression(), have in proptest::collection::btree_set("A|B|C|AB", 0..4)) {
        match parse(&text) {
            Ok(rights) => prop_assert_eq!(Some(holds(&rights, &have)), naive(&text, &have)),
            // Names that stripping alone would glue are refused besides.
            Err(_) => prop_assert!(naive(&text, &have).is_none() || glued(&text).is_some()),
        }
        let _told = misread(&text);
    }

    #[test]
    fn no_text_panics(text in "\\PC{0,60}") {
        let _ = (parse(&text), misread(&text));
    }
}
