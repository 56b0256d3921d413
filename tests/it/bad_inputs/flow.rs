//! Roles files of Flow: what is wrong in them is told with its place, before anything is decided by them.

use stagedoor::engine::policy::Policy;

use super::Table;

/// A condition that stands for itself.
const ME: &str = "{path: user, relation: is, values: [{type: HumanUser, id: 0, valid: logged_in_user_token}]}";

const FILES: [(&str, &str, &str); 82] = [
    ("a misspelt key", "rols: {r: {}}", "roles.yaml:2:1: unknown key `rols`; did you mean `roles`?"),
    (
        "a key of another pack",
        "default_role: r",
        "roles.yaml:2:15: `default_role:` has no place in a file of roles; what they may do stands in `roles:`",
    ),
    (
        "a misspelt key of a type",
        "roles: {r: {types: {Task: {seen: yes}}}}",
        "roles.yaml:2:28: unknown key `seen`; did you mean `see`?",
    ),
    (
        "a misspelt key of a field",
        "roles: {r: {types: {Task: {fields: {content: {edits: yes}}}}}}",
        "roles.yaml:2:47: unknown key `edits`; did you mean `edit`?",
    ),
    (
        "an operation that fields do not have",
        "roles: {r: {types: {Task: {fields: {content: {retire: yes}}}}}}",
        "roles.yaml:2:47: unknown key `retire`; known here: edit, see, values",
    ),
    ("a role as a list", "roles: [r]", "roles.yaml:2:8: `name: value` lines are needed here, not a list"),
    (
        "types as a list",
        "roles: {r: {types: [Task]}}",
        "roles.yaml:2:20: `name: value` lines are needed here, not a list",
    ),
    (
        "a type as a word",
        "roles: {r: {types: {Task: yes}}}",
        "roles.yaml:2:27: `name: value` lines are needed here, not `yes`",
    ),
    (
        "a rule as a list",
        "roles: {r: {types: {Task: {see: [yes]}}}}",
        "roles.yaml:2:33: a rule is `yes`, `no`, the name of a condition, or a condition; not a list",
    ),
    (
        "a rule that is empty",
        "roles: {r: {types: {Task: {see: }}}}",
        "roles.yaml:2:28: `see:` has nothing behind its colon; write it out or leave it out",
    ),
    (
        "a type in snake case",
        "roles: {r: {types: {human_user: {see: yes}}}}",
        "roles.yaml:2:21: there is no entity type `human_user`; did you mean `HumanUser`?",
    ),
    (
        "a misspelt type",
        "roles: {r: {types: {Tsk: {see: yes}}}}",
        "roles.yaml:2:21: there is no entity type `Tsk`; did you mean `Task`?",
    ),
    (
        "a type that is not served",
        "roles: {r: {types: {CustomEntity07: {see: yes}}}}",
        "roles.yaml:2:21: there is no entity type `CustomEntity07`; types of your own site stand in `extra_types:`",
    ),
    (
        "the type of all questions that are about none",
        "roles: {r: {types: {site: {see: yes}}}}",
        "roles.yaml:2:21: there is no entity type `site`; did you mean `Note`?",
    ),
    (
        "an extra type that is known",
        "extra_types: [Task]",
        "roles.yaml:2:15: `Task` is served already, or its name in questions is taken; take it out here",
    ),
    (
        "an extra type twice",
        "extra_types: [CustomEntity07, CustomEntity07]",
        "roles.yaml:2:31: `CustomEntity07` is served already, or its name in questions is taken; take it out here",
    ),
    (
        "an extra type that is no name",
        "extra_types: [custom entity]",
        "roles.yaml:2:15: `custom entity` is no name of an entity type; write it as in `CustomEntity07`",
    ),
    (
        "an extra type in snake case",
        "extra_types: [custom_entity07]",
        "roles.yaml:2:15: `custom_entity07` is no name of an entity type; write it as in `CustomEntity07`",
    ),
    (
        "an extra type that is spelt like another in snake case",
        "extra_types: [Human_User]",
        "roles.yaml:2:15: `Human_User` is no name of an entity type; write it as in `CustomEntity07`",
    ),
    (
        "the log as a type to serve",
        "extra_types: [EventLogEntry]",
        "roles.yaml:2:15: `EventLogEntry` is served already, or its name in questions is taken; take it out here",
    ),
    (
        "a name that is none",
        "roles: {r: {types: {Task: {see: assignd}}}}",
        "roles.yaml:2:33: there is no condition `assignd`",
    ),
    (
        "a misspelt name",
        "conditions: {assigned: ME}\nroles: {r: {types: {Task: {see: asigned}}}}",
        "roles.yaml:3:33: there is no condition `asigned`; did you mean `assigned`?",
    ),
    (
        "a name of the pack's own",
        "roles: {r: {types: {Task: {see: assigned_or_reviewing}}}}",
        "roles.yaml:2:33: there is no condition `assigned_or_reviewing`",
    ),
    (
        "a name that YAML reads as a number",
        "conditions: {007: ME}\nroles: {r: {types: {Task: {see: 007}}}}",
        "roles.yaml:2:14: `007` is a number in YAML: put it in quotes to mean the name\nroles.yaml:3:33: `007`: write `yes` or `no`, or put the name of a condition in quotes",
    ),
    (
        "a name that YAML reads as true",
        "conditions: {on: ME}\nroles: {r: {types: {Task: {see: on}}}}",
        "roles.yaml:2:14: `on` is a boolean in YAML: put it in quotes to mean the name\nroles.yaml:3:33: `on`: write `yes` or `no`, or put the name of a condition in quotes",
    ),
    (
        "a name twice",
        "conditions: {a: ME, a: ME}\nroles: {r: {types: {Task: {see: a}}}}",
        "roles.yaml:2:110: `a` stands twice; first in line 2",
    ),
    (
        "a status that YAML reads as false",
        "roles: {r: {types: {Task: {fields: {sg_status_list: {values: {off: no}}}}}}}",
        "roles.yaml:2:63: `off` is a boolean in YAML: put it in quotes to mean the name",
    ),
    (
        "a status that YAML reads as a number",
        "roles: {r: {types: {Task: {fields: {sg_status_list: {values: {007: no}}}}}}}",
        "roles.yaml:2:63: `007` is a number in YAML: put it in quotes to mean the name",
    ),
    (
        "on for yes",
        "roles: {r: {types: {Task: {see: on}}}}",
        "roles.yaml:2:33: `on`: write `yes` or `no`, or put the name of a condition in quotes",
    ),
    (
        "Yes for yes",
        "roles: {r: {types: {Task: {see: Yes}}}}",
        "roles.yaml:2:33: `Yes`: write `yes` or `no`, or put the name of a condition in quotes",
    ),
    (
        "a number for yes",
        "roles: {r: {types: {Task: {see: 1}}}}",
        "roles.yaml:2:33: `1`: write `yes` or `no`, or put the name of a condition in quotes",
    ),
    (
        "create with a condition",
        "roles: {r: {types: {Task: {create: ME}}}}",
        "roles.yaml:2:36: `create` is `yes` or `no`: there is no object yet that a condition could look at",
    ),
    (
        "create with a name",
        "conditions: {own: ME}\nroles: {r: {types: {Task: {create: own}}}}",
        "roles.yaml:3:36: `create` is `yes` or `no`: there is no object yet that a condition could look at",
    ),
    (
        "values where they mean nothing",
        "roles: {r: {types: {Task: {values: {fin: no}}}}}",
        "roles.yaml:2:28: unknown key `values`; known here: create, edit, fields, retire, see",
    ),
    (
        "values as a list",
        "roles: {r: {types: {Task: {fields: {sg_status_list: {values: [fin]}}}}}}",
        "roles.yaml:2:62: `name: value` lines are needed here, not a list",
    ),
    (
        "a misspelt advanced permission",
        "roles: {r: {advanced: [see_all_project]}}",
        "roles.yaml:2:24: there is no advanced permission `see_all_project`; did you mean `see_all_projects`?",
    ),
    (
        "advanced permissions as a map",
        "roles: {r: {advanced: {show_webhooks: yes}}}",
        "roles.yaml:2:23: a text is needed here, not a map",
    ),
    (
        "a clone of nobody",
        "roles: {r: {clone: artst}}",
        "roles.yaml:2:20: there is no role `artst`; did you mean `artist`?",
    ),
    (
        "a clone of itself",
        "roles: {r: {clone: r}}",
        "roles.yaml:2:20: there is no role `r`; known here: admin, api_admin, artist, manager, vendor",
    ),
    (
        "clones in a ring",
        "roles: {a: {clone: b}, b: {clone: c}, c: {clone: b}}",
        "roles.yaml:2:35: role `b` is a clone without an end\nroles.yaml:2:50: role `c` is a clone without an end",
    ),
    (
        "a role twice",
        "roles: {r: {advanced: []}, r: {advanced: []}}",
        "roles.yaml:2:28: `r` stands twice; first in line 2",
    ),
    (
        "a field to read only of an unknown type",
        "read_only: {Tsk: [pinned]}",
        "roles.yaml:2:13: there is no entity type `Tsk`; did you mean `Task`?",
    ),
    (
        "fields to read only as a word",
        "read_only: {Task: {pinned: yes}}",
        "roles.yaml:2:19: a text is needed here, not a map",
    ),
    (
        "a condition without a path",
        "roles: {r: {types: {Task: {edit: {relation: is, values: [x]}}}}}",
        "roles.yaml:2:34: `path:` is missing",
    ),
    (
        "a condition without a relation",
        "roles: {r: {types: {Task: {edit: {path: content, values: [x]}}}}}",
        "roles.yaml:2:34: `relation:` is missing",
    ),
    (
        "a condition without values",
        "roles: {r: {types: {Task: {edit: {path: content, relation: is}}}}}",
        "roles.yaml:2:34: `values:` is missing",
    ),
    (
        "a condition that is two",
        "roles: {r: {types: {Task: {edit: {path: content, relation: is, values: [x], logical_operator: and, conditions: [ME]}}}}}",
        "roles.yaml:2:35: unknown key `path`; known here: conditions, logical_operator\nroles.yaml:2:50: unknown key `relation`; known here: conditions, logical_operator\nroles.yaml:2:64: unknown key `values`; known here: conditions, logical_operator",
    ),
    (
        "a misspelt relation",
        "roles: {r: {types: {Task: {edit: {path: content, relation: equals, values: [x]}}}}}",
        "roles.yaml:2:60: there is no relation `equals`; known here: between, contains, ends_with, greater_than, in, is, is_not, less_than, not_contains, not_in, starts_with, type_is, type_is_not",
    ),
    (
        "a relation of Flow's that is not served",
        "roles: {r: {types: {Task: {edit: {path: due_date, relation: in_last, values: [1, DAY]}}}}}",
        "roles.yaml:2:61: there is no relation `in_last`; known here: between, contains, ends_with, greater_than, in, is, is_not, less_than, not_contains, not_in, starts_with, type_is, type_is_not",
    ),
    (
        "no value",
        "roles: {r: {types: {Task: {edit: {path: content, relation: is, values: []}}}}}",
        "roles.yaml:2:72: `is` takes one value",
    ),
    (
        "two values for one",
        "roles: {r: {types: {Task: {edit: {path: content, relation: is, values: [x, z]}}}}}",
        "roles.yaml:2:72: `is` takes one value",
    ),
    (
        "one value for two",
        "roles: {r: {types: {Task: {edit: {path: est_in_mins, relation: between, values: [1]}}}}}",
        "roles.yaml:2:81: `between` takes two numbers, dates (\"2026-03-01\") or date_times (\"2026-03-01T12:00:00Z\")",
    ),
    (
        "three values for two",
        "roles: {r: {types: {Task: {edit: {path: est_in_mins, relation: between, values: [1, 2, 3]}}}}}",
        "roles.yaml:2:81: `between` takes two numbers, dates (\"2026-03-01\") or date_times (\"2026-03-01T12:00:00Z\")",
    ),
    (
        "none of some",
        "roles: {r: {types: {Task: {edit: {path: content, relation: in, values: []}}}}}",
        "roles.yaml:2:72: `in` takes one value or more",
    ),
    (
        "values as a word",
        "roles: {r: {types: {Task: {edit: {path: content, relation: is, values: x}}}}}",
        "roles.yaml:2:72: `values:` is a list, not `x`",
    ),
    (
        "a number to look for in a text",
        "roles: {r: {types: {Task: {edit: {path: content, relation: contains, values: [5]}}}}}",
        "roles.yaml:2:78: `contains` takes one text",
    ),
    (
        "a text to be greater than",
        "roles: {r: {types: {Task: {edit: {path: est_in_mins, relation: greater_than, values: [x]}}}}}",
        "roles.yaml:2:86: `greater_than` takes one number, date (\"2026-03-01\") or date_time (\"2026-03-01T12:00:00Z\")",
    ),
    (
        "true to be less than",
        "roles: {r: {types: {Task: {edit: {path: est_in_mins, relation: less_than, values: [true]}}}}}",
        "roles.yaml:2:83: `less_than` takes one number, date (\"2026-03-01\") or date_time (\"2026-03-01T12:00:00Z\")",
    ),
    (
        "nothing to be greater than",
        "roles: {r: {types: {Task: {edit: {path: est_in_mins, relation: greater_than, values: [null]}}}}}",
        "roles.yaml:2:86: `greater_than` takes one number, date (\"2026-03-01\") or date_time (\"2026-03-01T12:00:00Z\")",
    ),
    (
        "a number and a date to be between",
        "roles: {r: {types: {Task: {edit: {path: est_in_mins, relation: between, values: [1, \"2026-01-01\"]}}}}}",
        "roles.yaml:2:81: `between` takes two numbers, dates (\"2026-03-01\") or date_times (\"2026-03-01T12:00:00Z\")",
    ),
    (
        "a time in another form",
        "roles: {r: {types: {Task: {edit: {path: created_at, relation: less_than, values: [\"2026-01-16 12:00:00 UTC\"]}}}}}",
        "roles.yaml:2:82: `less_than` takes one number, date (\"2026-03-01\") or date_time (\"2026-03-01T12:00:00Z\")",
    ),
    (
        "a type that there is not",
        "roles: {r: {types: {Task: {edit: {path: entity, relation: type_is, values: [Shott]}}}}}",
        "roles.yaml:2:34: there is no entity type `Shott`; did you mean `Shot`?",
    ),
    (
        "a type that is no text",
        "roles: {r: {types: {Task: {edit: {path: entity, relation: type_is, values: [5]}}}}}",
        "roles.yaml:2:34: there is no entity type `5`; types of your own site stand in `extra_types:`",
    ),
    (
        "a link to a type that there is not",
        "roles: {r: {types: {Task: {edit: {path: entity, relation: is, values: [{type: Shott, id: 5}]}}}}}",
        "roles.yaml:2:34: there is no entity type `Shott`; did you mean `Shot`?",
    ),
    (
        "a link without an id",
        "roles: {r: {types: {Task: {edit: {path: entity, relation: is, values: [{type: Shot}]}}}}}",
        "roles.yaml:2:72: `id:` is missing",
    ),
    (
        "a link to a name",
        "roles: {r: {types: {Task: {edit: {path: entity, relation: is, values: [{type: Shot, id: sh010}]}}}}}",
        "roles.yaml:2:89: an id is a whole number, not `sh010`",
    ),
    (
        "a token that there is not",
        "roles: {r: {types: {Task: {edit: {path: project, relation: is, values: [{type: Project, id: 0, valid: project_token}]}}}}}",
        "roles.yaml:2:103: `valid:` can be `logged_in_user_token`, which stands for whoever asks; not `project_token`\nroles.yaml:2:103: whoever asks is written with `type: HumanUser`, not `Project`",
    ),
    (
        "the token as another type",
        "roles: {r: {types: {Task: {edit: {path: user, relation: is, values: [{type: Group, id: 0, valid: logged_in_user_token}]}}}}}",
        "roles.yaml:2:98: whoever asks is written with `type: HumanUser`, not `Group`",
    ),
    (
        "a link with more keys",
        "roles: {r: {types: {Task: {edit: {path: entity, relation: is, values: [{type: Shot, id: 5, code: sh010}]}}}}}",
        "roles.yaml:2:92: unknown key `code`; known here: id, name, type, valid",
    ),
    (
        "half a step",
        "roles: {r: {types: {Task: {edit: {path: entity.Shot, relation: is, values: [x]}}}}}",
        "roles.yaml:2:41: `entity.Shot`: a path is `field`, or `field.Type.field` and so on",
    ),
    (
        "an empty step",
        "roles: {r: {types: {Task: {edit: {path: entity..code, relation: is, values: [x]}}}}}",
        "roles.yaml:2:41: `entity..code`: a path is `field`, or `field.Type.field` and so on",
    ),
    (
        "an empty path",
        "roles: {r: {types: {Task: {edit: {path: '', relation: is, values: [x]}}}}}",
        "roles.yaml:2:41: ``: a path is `field`, or `field.Type.field` and so on",
    ),
    (
        "a path through a type that there is not",
        "roles: {r: {types: {Task: {edit: {path: entity.Shott.code, relation: is, values: [x]}}}}}",
        "roles.yaml:2:41: `entity.Shott.code`: there is no entity type `Shott`; did you mean `Shot`?",
    ),
    (
        "a path with a type in snake case",
        "roles: {r: {types: {Task: {edit: {path: entity.human_user.login, relation: is, values: [x]}}}}}",
        "roles.yaml:2:41: `entity.human_user.login`: there is no entity type `human_user`; did you mean `HumanUser`?",
    ),
    (
        "a group of none",
        "roles: {r: {types: {Task: {edit: {logical_operator: and, conditions: []}}}}}",
        "roles.yaml:2:34: `conditions:` is a list of one or more",
    ),
    (
        "a group without an operator",
        "roles: {r: {types: {Task: {edit: {conditions: [ME]}}}}}",
        "roles.yaml:2:34: `logical_operator:` is missing",
    ),
    (
        "a group with another operator",
        "roles: {r: {types: {Task: {edit: {logical_operator: not, conditions: [ME]}}}}}",
        "roles.yaml:2:53: `logical_operator:` is `and` or `or`, not `not`",
    ),
    (
        "a group as a map",
        "roles: {r: {types: {Task: {edit: {logical_operator: and, conditions: ME}}}}}",
        "roles.yaml:2:34: `conditions:` is a list of one or more",
    ),
    (
        "a name in a group",
        "conditions: {own: ME}\nroles: {r: {types: {Task: {edit: {logical_operator: and, conditions: [own]}}}}}",
        "roles.yaml:3:71: `{path, relation, values}` or `{logical_operator, conditions}` is needed here, not `own`",
    ),
    (
        "a list for a condition",
        "roles: {r: {types: {Task: {edit: [ME]}}}}",
        "roles.yaml:2:34: a rule is `yes`, `no`, the name of a condition, or a condition; not a list",
    ),
    (
        "an alias to nothing",
        "roles: {r: {types: {Task: {edit: *nobody}}}}",
        "roles.yaml:2:34: not YAML: while parsing node, found unknown anchor",
    ),
    (
        "a tag",
        "roles: {r: {types: {Task: {edit: !yes yes}}}}",
        "roles.yaml:2:34: tags are not read here; write the value out",
    ),
];

#[test]
fn roles_files() {
    let mut table = Table::default();
    for (what, text, told) in FILES {
        let text = format!("extends: flow\n{}\n", text.replace("ME", ME));
        let got = Policy::load("flow", Some(("roles.yaml", &text))).err().map(|problems| problems.to_string());
        table.row(what, told, got.as_deref().unwrap_or("nothing"));
    }
    table.end(FILES.len());
}
