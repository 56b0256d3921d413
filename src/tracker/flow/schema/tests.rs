//! What schemas of sites say.

use serde_json::json;

use super::*;

fn table(name: &str, fields: &[&str]) -> Table {
    let fields = fields.iter().map(|field| Str::from(*field)).collect();
    Table { kind: Str::from("x"), name: Str::from(name), fields, rows: true }
}

fn shape(table: &Table, types: &[(&str, &str)]) -> Shape {
    let fields: serde_json::Map<String, Json> = types
        .iter()
        .map(|(name, data_type)| ((*name).to_owned(), json!({"data_type": {"value": data_type, "editable": false}})))
        .collect();
    Shape::told(table, &json!({"data": fields})).unwrap()
}

#[test]
fn what_is_asked_is_what_both_the_policy_and_the_site_name() {
    let shape = shape(
        &table("Task", &["entity", "sg_gone", "id"]),
        &[("content", "text"), ("project", "entity"), ("entity", "entity"), ("due_date", "date")],
    );
    assert_eq!(shape.mirrored, ["entity", "id"]);
    assert_eq!(shape.asked().collect::<Vec<_>>(), ["entity", "id", "project", "content"]);
    assert!(shape.large && shape.fields.contains_key("id") && shape.fields.contains_key("due_date"));
    assert_eq!(shape.page(), MOST_ROWS);
}

#[test]
fn rows_of_projects_are_many_and_so_are_replies() {
    let of = |name: &str, types: &[(&str, &str)]| shape(&table(name, &[]), types).large;
    assert!(of("CustomEntity07", &[("code", "text"), ("project", "entity")]));
    assert!(of("Reply", &[("content", "text")]));
    assert!(!of("Project", &[("name", "text"), ("project", "entity")]));
    assert!(!of("HumanUser", &[("name", "text"), ("projects", "multi_entity")]));
}

#[test]
fn pages_with_lists_are_shorter_and_shrink_where_they_are_too_large() {
    let shape = shape(&table("Group", &["users"]), &[("code", "text"), ("users", "multi_entity")]);
    let mut size = shape.page();
    assert_eq!(size, WIDE);
    while shape.shrink(size) {
        assert!(shape.page() < size);
        size = shape.page();
    }
    assert_eq!(shape.page(), FEWEST);
}

#[test]
fn links_lead_to_the_types_that_the_schema_names() {
    let field = |data_type: &str, to: &[&str]| Field {
        data_type: Str::from(data_type),
        leads_to: to.iter().map(|to| Str::from(*to)).collect(),
    };
    assert!(field("entity", &["Shot"]).may_lead_to("Shot"));
    assert!(!field("entity", &["Shot"]).may_lead_to("Task"));
    assert!(field("multi_entity", &[]).may_lead_to("Task"), "where it does not say");
    assert!(!field("text", &[]).may_lead_to("Task"));
}

#[test]
fn what_is_no_schema_is_an_error() {
    for answer in [json!({}), json!({"data": []}), json!({"data": {}}), json!({"data": {"a": {"name": "b"}}})] {
        assert!(matches!(Shape::told(&table("Task", &[]), &answer), Err(Failure::Malformed(_))), "{answer}");
    }
}
