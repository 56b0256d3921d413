//! Filters against an evaluator written from the reference's sentences and `limecraft.md` 2, over random objects.

use std::collections::BTreeSet;

use proptest::prelude::*;

use crate::engine::tests::limecraft::{Platform, json};
use crate::model::decision::Reason;
use crate::model::value::Value;

/// What a filter makes of an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Naive {
    Matches,
    Not,
    Unknown,
}

use Naive::{Matches, Not, Unknown};

/// Who asks, and about what.
struct World<'a> {
    object: &'a Value,
    complete: bool,
    rights: &'a BTreeSet<&'static str>,
}

impl World<'_> {
    fn test(&self, filter: &Value) -> Naive {
        if let Some(Value::List(filters)) = filter.get("filters") {
            let results: Vec<_> = filters.iter().map(|filter| self.test(filter)).collect();
            let has = |wanted| results.contains(&wanted);
            return match filter.get("operator").and_then(Value::as_text) {
                Some("OR") if has(Matches) => Matches,
                Some("OR") if has(Unknown) => Unknown,
                Some("OR") => Not,
                _ if has(Not) => Not,
                _ if has(Unknown) => Unknown,
                _ => Matches,
            };
        }
        let modifiers = match filter.get("modifiers") {
            Some(Value::List(list)) => list.iter().filter_map(Value::as_text).collect(),
            _ => Vec::new(),
        };
        let Some(Value::List(values)) = filter.get("values") else { panic!("is generated with values") };
        let key = filter.get("key").and_then(Value::as_text).expect("is generated with a key");
        let plain = match key.strip_prefix("userRights.") {
            Some(right) => holds(values.contains(&Value::Bool(self.rights.contains(right)))),
            None => self.compare(key, values, &modifiers),
        };
        match (modifiers.contains(&"NOT"), plain) {
            (true, Matches) => Not,
            (true, Not) => Matches,
            _ => plain,
        }
    }

    fn compare(&self, key: &str, values: &[Value], modifiers: &[&str]) -> Naive {
        let mut actual = Some(self.object);
        for name in key.strip_prefix("eo.").unwrap_or(key).split('.') {
            actual = actual.and_then(|actual| actual.get(name));
        }
        let all = modifiers.contains(&"ARRAY_CONTAINS_ALL");
        match actual {
            None => {
                if self.complete {
                    Not
                } else {
                    Unknown
                }
            }
            Some(Value::Null) if all || modifiers.contains(&"ARRAY_CONTAINS_ANY") => Not,
            Some(Value::List(list)) if all => holds(values.iter().all(|value| list.contains(value))),
            Some(Value::List(list)) if modifiers.contains(&"ARRAY_CONTAINS_ANY") => {
                holds(values.iter().any(|value| list.contains(value)))
            }
            Some(_) if all || modifiers.contains(&"ARRAY_CONTAINS_ANY") => Unknown,
            Some(Value::List(_) | Value::Map(_)) => Unknown,
            Some(scalar) => holds(values.contains(scalar)),
        }
    }
}

fn holds(holds: bool) -> Naive {
    if holds { Matches } else { Not }
}

fn scalar() -> impl Strategy<Value = Value> {
    prop_oneof![
        3 => "[ab]".prop_map(|text| Value::text(&text)),
        1 => (0..2_u8).prop_map(|number| Value::Number(number.into())),
        1 => any::<bool>().prop_map(Value::Bool),
        1 => Just(Value::Null),
        1 => Just(Value::text("1")),
    ]
}

fn attribute() -> impl Strategy<Value = Value> {
    prop_oneof![
        3 => scalar(),
        2 => proptest::collection::vec(scalar(), 0..3).prop_map(Value::List),
        1 => scalar().prop_map(|inner| Value::Map(vec![("x".into(), inner)])),
    ]
}

fn object() -> impl Strategy<Value = Value> {
    proptest::collection::btree_map("[pqr]", attribute(), 0..4)
        .prop_map(|entries| Value::Map(entries.into_iter().map(|(name, value)| (name.into(), value)).collect()))
}

fn filter() -> impl Strategy<Value = Value> {
    let key = prop_oneof![4 => "(eo\\.)?[pqr]", 1 => "eo\\.[pqr]\\.x"];
    let modifiers = proptest::sample::subsequence(vec!["NOT", "ARRAY_CONTAINS_ALL", "ARRAY_CONTAINS_ANY"], 0..3)
        .prop_filter("two array modifiers are refused", |list| {
            !list.ends_with(&["ARRAY_CONTAINS_ALL", "ARRAY_CONTAINS_ANY"])
        });
    let basic = (key, proptest::collection::vec(scalar(), 1..3), modifiers);
    let basic = basic.prop_map(|(key, values, modifiers)| {
        let mut entries = vec![("key".into(), Value::text(&key)), ("values".into(), Value::List(values))];
        if !modifiers.is_empty() {
            entries.push(("modifiers".into(), Value::texts(modifiers)));
        }
        Value::Map(entries)
    });
    let right = (proptest::sample::select(vec!["LIBRARY_SHARE", "LIBRARY_UPLOAD"]), any::<bool>(), any::<bool>());
    let right = right.prop_map(|(right, wanted, not)| {
        let mut entries = vec![
            ("key".into(), Value::text(&format!("userRights.{right}"))),
            ("values".into(), Value::List(vec![Value::Bool(wanted)])),
        ];
        if not {
            entries.push(("modifiers".into(), Value::texts(["NOT"])));
        }
        Value::Map(entries)
    });
    prop_oneof![4 => basic, 1 => right].prop_recursive(14, 40, 3, |inner| {
        (proptest::collection::vec(inner, 0..4), proptest::option::of(any::<bool>())).prop_map(|(filters, or)| {
            let mut entries = vec![("filters".into(), Value::List(filters))];
            if let Some(or) = or {
                entries.push(("operator".into(), Value::text(if or { "OR" } else { "AND" })));
            }
            Value::Map(entries)
        })
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_500))]
    #[test]
    fn compiled_and_naive_agree(
        filters in proptest::collection::vec(filter(), 0..3),
        object in object(),
        complete in any::<bool>(),
        held in any::<bool>(),
        rights in proptest::sample::subsequence(vec!["LIBRARY_SHARE", "LIBRARY_UPLOAD"], 0..=2),
    ) {
        let rights: BTreeSet<_> = rights.into_iter().collect();
        let mut platform = Platform::with_rights(&rights);
        platform.action("annotation", "any", &Value::Null, &Value::List(filters.clone()), &Value::Null);
        platform.action("eo", "show", &Value::text("!NOBODY_HAS"), &Value::List(filters.clone()), &Value::Null);
        let world = World { object: &object, complete: complete || held, rights: &rights };
        let all = Value::Map(vec![("filters".into(), Value::List(filters.clone()))]);
        let expected = match world.test(&all) {
            Matches => Reason::Granted,
            Not => Reason::Restricted,
            Unknown => Reason::Indeterminate,
        };
        if held {
            platform.holds_eo("o", &object);
        }
        let got = platform.eo("show", "o", &object, complete);
        // Of what does not match and what is not known, either may be met first.
        prop_assert_eq!(got == Reason::Granted, expected == Reason::Granted, "{:?} {:?}", got, filters);
        if filters.len() < 2 {
            prop_assert_eq!(got, expected, "{:?}", filters);
        }
    }
}

#[test]
fn nested_to_the_bound_and_not_deeper() {
    let nested = |depth: usize| {
        let leaf = json(r#"{"key": "eo.title", "values": ["a"]}"#);
        (1..depth).fold(leaf, |inner, _| Value::Map(vec![("filters".into(), Value::List(vec![inner]))]))
    };
    let rights = BTreeSet::new();
    for (depth, expected) in [(1, Reason::Granted), (16, Reason::Granted), (17, Reason::InvalidPolicy)] {
        let mut platform = Platform::with_rights(&rights);
        platform.action("eo", "a", &Value::text("!X"), &Value::List(vec![nested(depth)]), &Value::Null);
        assert_eq!(platform.eo("a", "o", &json(r#"{"title": "a"}"#), true), expected, "{depth}");
    }
}

#[test]
fn what_is_malformed_makes_the_action_invalid_and_says_where() {
    for (filters, told) in [
        (r#""x""#, "filters: a list of filters is needed, not `x`"),
        (r#"["x"]"#, "filters[0]: a filter is an object, not `x`"),
        (r#"[{"values": ["a"]}]"#, "filters[0]: a filter has a `key` (and `values`), or `filters`"),
        (r#"[{"key": "a", "values": ["a"]}, {"key": "", "values": ["a"]}]"#, "filters[1].key: a name is needed"),
        (r#"[{"key": "eo.a"}]"#, "filters[0].values: a list with at least one value is needed"),
        (r#"[{"key": "eo.a", "values": []}]"#, "filters[0].values: a list with at least one value is needed"),
        (r#"[{"key": "eo.a", "values": [{}]}]"#, "filters[0].values: an object cannot be compared with"),
        (r#"[{"key": "eo.a", "values": [["a"]]}]"#, "filters[0].values: a list cannot be compared with"),
        (r#"[{"key": "eo..a", "values": [1]}]"#, "filters[0].key: `eo..a`: a name is missing beside a dot"),
        (r#"[{"key": "eo", "values": [1]}]"#, "filters[0].key: `eo`: an attribute is needed"),
        (r#"[{"key": "eo.a", "values": [1], "modifiers": ["not"]}]"#, "filters[0].modifiers: there are `NOT`"),
        (
            r#"[{"key": "eo.a", "values": [1], "modifiers": ["NOT", "NOT"]}]"#,
            "filters[0].modifiers: `NOT` stands twice",
        ),
        (r#"[{"key": "eo.a", "values": [1], "modifiers": "NOT"}]"#, "filters[0].modifiers: a list is needed"),
        (
            r#"[{"key": "eo.a", "values": [1], "modifiers": ["ARRAY_CONTAINS_ALL", "ARRAY_CONTAINS_ANY"]}]"#,
            "filters[0].modifiers: one of the array modifiers",
        ),
        (r#"[{"key": "eo.a", "values": [1], "operator": "OR"}]"#, "filters[0]: `operator` does not belong"),
        (r#"[{"filters": [], "key": "eo.a"}]"#, "filters[0]: `key` does not belong in this filter"),
        (r#"[{"filters": [], "modifiers": ["NOT"]}]"#, "filters[0]: `modifiers` does not belong"),
        (r#"[{"filters": [], "operator": "or"}]"#, "filters[0].operator: `AND` or `OR` is needed, not `or`"),
        (r#"[{"filters": {}}]"#, "filters[0].filters: a list of filters is needed"),
        (
            r#"[{"operator": "OR", "filters": [{"key": "eo.a", "values": [1]}, {"key": "userRights.NO_SUCH", "values": [true]}]}]"#,
            "filters[0].filters[1].key: nobody knows the right `NO_SUCH`",
        ),
        (r#"[{"key": "userRights.EO_BUILDER_EDIT", "values": [true]}]"#, "`EO_BUILDER_EDIT` cannot be used in filters"),
        (r#"[{"key": "userRights", "values": [true]}]"#, "filters[0].key: `userRights.` and one right is needed"),
        (r#"[{"key": "userRights.A.B", "values": [true]}]"#, "nobody knows the right `A.B`"),
        (
            r#"[{"key": "userRights.LIBRARY_SHARE", "values": [true], "modifiers": ["ARRAY_CONTAINS_ANY"]}]"#,
            "filters[0].modifiers: a right is true or false",
        ),
        (r#"[{"key": "productionRoles", "values": ["Freelancer"]}]"#, "filters[0]: a role is `name[...]` or `id[...]`"),
        (r#"[{"key": "productionRoles", "values": ["id[x]"]}]"#, "a role is `name[...]` or `id[...]` with a number"),
        (r#"[{"key": "productionRoles", "values": ["id[007]"]}]"#, "a role is `name[...]` or `id[...]` with a number"),
    ] {
        let mut platform = Platform::with_rights(&BTreeSet::from(["LIBRARY_SHARE"]));
        platform.action("eo", "a", &Value::text("LIBRARY_SHARE"), &json(filters), &Value::Null);
        assert_eq!(platform.eo("a", "o", &json("{}"), true), Reason::InvalidPolicy, "{filters}");
        let notes = platform.notes.join("\n");
        assert!(notes.contains(told), "{filters}: {notes}");
    }
}
