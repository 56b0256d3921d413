//! Writes the expressions of queries. Only ids that could be ids become part of one; names never do.

use serde_json::{Value as Json, json};

use crate::model::id::Id;

/// As many rows as the vendor's own client asks for at once. A server may give fewer.
pub(super) const PAGE: u64 = 500;
/// How many ids one expression names.
pub(super) const IDS: usize = 500;

/// A query without its page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Query {
    expression: String,
    order: &'static str,
}

// === impl Query ===

impl Query {
    /// All rows of an entity type.
    pub(super) fn all(select: &str, entity: &str) -> Self {
        Self { expression: format!("select {select} from {entity}"), order: "id" }
    }

    /// The rows for which this holds.
    pub(super) fn filtered(select: &str, entity: &str, filter: &str) -> Self {
        Self { expression: format!("select {select} from {entity} where {filter}"), order: "id" }
    }

    /// The rows in another order.
    pub(super) fn ordered(mut self, order: &'static str) -> Self {
        self.order = order;
        self
    }

    /// The operation that asks for one page.
    pub(super) fn page(&self, offset: u64, limit: u64) -> Json {
        let Self { expression, order } = self;
        let page = format!("{expression} order by {order} offset {offset} limit {limit}");
        json!({"action": "query", "expression": page})
    }
}

/// `attribute in ("a", "b")`.
pub(super) fn within<'a>(attribute: &str, ids: impl IntoIterator<Item = &'a str>) -> String {
    let ids: Vec<String> = ids.into_iter().map(quoted).collect();
    format!("{attribute} in ({})", ids.join(", "))
}

/// A text as a literal of the query language.
pub(super) fn quoted(text: &str) -> String {
    let mut literal = String::with_capacity(text.len() + 2);
    literal.push('"');
    for character in text.chars().filter(|character| !character.is_control()) {
        if matches!(character, '"' | '\'' | '\\') {
            literal.push('\\');
        }
        literal.push(character);
    }
    literal.push('"');
    literal
}

/// Whether this may be an id. ftrack's own are UUIDs; some that come with it are words.
pub(super) fn is_id(text: &str) -> bool {
    (1..=64).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
}

/// The text of an id that may be one.
pub(super) fn text(id: &Id) -> Option<String> {
    Some(id.to_string()).filter(|text| is_id(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn expressions() {
        let query = Query::all("id, name", "Group");
        assert_eq!(
            query.page(500, PAGE),
            json!({"action": "query", "expression": "select id, name from Group order by id offset 500 limit 500"})
        );
        let query = Query::filtered("id", "StatusChange", &within("parent_id", ["a", "b"])).ordered("date desc");
        assert_eq!(
            query.page(0, 50)["expression"],
            r#"select id from StatusChange where parent_id in ("a", "b") order by date desc offset 0 limit 50"#
        );
    }

    #[test]
    fn nothing_breaks_out_of_a_literal() {
        assert_eq!(quoted("a\"b'c\\d\ne"), r#""a\"b\'c\\de""#);
        for strange in ["", "a b", "a\"", "a'", "a)", "ü", "a\n", "..", "a/b", &"a".repeat(65)] {
            assert!(!is_id(strange), "{strange}");
        }
        for id in ["t-1", "a24a6ea4-ce75-4665-a070-57453082c256", "81b98c47_5910", "7"] {
            assert!(is_id(id), "{id}");
        }
    }
}
