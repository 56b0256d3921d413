//! What is wrong in an overlay is told with file, line, column and the mend; all of it at once.

use super::*;

fn problems(text: &str) -> String {
    match Policy::load("kitsu", Some(("studio.yaml", text))) {
        Ok(_) => "no problem".to_owned(),
        Err(problems) => problems.to_string(),
    }
}

/// Overlays, each with one mistake, and the complaint it gets.
const MISTAKES: &[(&str, &str)] = &[
    ("rules: {task.read: [access]}", "studio.yaml:1:1: `extends:` is missing"),
    ("extends: ftrack\nrules: {}", "studio.yaml:1:10: this extends `ftrack`, but the tracker's pack is `kitsu`"),
    ("extends: kitsu\nextends: kitsu", "studio.yaml:2:1: `extends` stands twice; first in line 1"),
    (
        "extends: kitsu\nrules: {task.read: [acess]}",
        "studio.yaml:2:21: there is no atom or term `acess`; did you mean `access`?",
    ),
    (
        "extends: kitsu\nrules: {task.read: ['team + role:managr']}",
        "studio.yaml:2:21: there is no role `managr`; did you mean `manager`?",
    ),
    (
        "extends: kitsu\nrules: {task.read: ['site_role:king']}",
        "studio.yaml:2:21: there is no role `king`; known here: admin, client, manager, supervisor, user, vendor",
    ),
    ("extends: kitsu\nrules: {tsk.read: [access]}", "studio.yaml:2:9: there is no kind `tsk`; did you mean `task`?"),
    ("extends: kitsu\nrules: {read: [access]}", "studio.yaml:2:9: `read`: a rule is named `kind.action`"),
    (
        "extends: kitsu\nrules: {task.read: ['team + ']}",
        "studio.yaml:2:21: a word is missing here: `+` stands between two words, `!` before one",
    ),
    (
        "extends: kitsu\nrules: {task.read: [team or admin]}",
        "studio.yaml:2:21: `team or admin`: words are joined by `+`, alternatives are items of the list",
    ),
    (
        "extends: kitsu\nrules:\n  task.coment: [team]",
        "studio.yaml:3:3: the pack has no `task.coment`; did you mean `comment`? An action of your own needs a name less like it",
    ),
    (
        "extends: kitsu\nrules:\n  task.delete:\n  task.update: {any: [team], fields: {priority: }}",
        "studio.yaml:3:3: `task.delete` has nothing behind its colon: write the alternatives that allow (`[]` for nobody)\n\
         studio.yaml:4:39: `priority` has nothing behind its colon: write the alternatives that allow (`[]` for nobody)",
    ),
    ("extends: kitsu\nrules: {task.read: [team, ~]}", "studio.yaml:2:27: a text is needed here, not nothing"),
    ("extends: kitsu\nrules: {task.read: [[team]]}", "studio.yaml:2:21: a text is needed here, not a list"),
    (
        "extends: kitsu\nrules: {task.read: ['!access']}",
        "studio.yaml:2:21: `!access`: a term cannot be negated, only an atom",
    ),
    (
        "extends: kitsu\nrules:\n  task.read: {all: [access]}",
        "studio.yaml:3:14: `any:` is missing: the alternatives that allow (`any: []` for nobody)",
    ),
    (
        "extends: kitsu\nrules:\n  task.read: {any: [access], al: [team]}",
        "studio.yaml:3:30: unknown key `al`; did you mean `all`?",
    ),
    (
        "extends: kitsu\nrules:\n  task.read: [access]\n  task.read: [team]",
        "studio.yaml:4:3: `task.read` stands twice; first in line 3",
    ),
    (
        "extends: kitsu\nrules:\n  task.read: [access]\n  'task, shot.read, delete': [team]",
        "studio.yaml:4:3: `task.read` has a rule already",
    ),
    (
        "extends: kitsu\nrules:\n  task.update:\n    any: [manage]\n    fields: {priority: [mange]}",
        "studio.yaml:5:25: there is no atom or term `mange`; did you mean `manage`?",
    ),
    (
        "extends: kitsu\nrules:\n  task.update:\n    any: [manage]\n    fields: {priority: {all: [manage]}}",
        "studio.yaml:5:24: `any:` is missing: the alternatives that allow (`any: []` for nobody)",
    ),
    (
        "extends: kitsu\nrules:\n  task.create: {scope: prject, any: [manage]}",
        "studio.yaml:3:24: `scope:` is `project`, `site` or `studio`, not `prject`; without it a resource is named",
    ),
    (
        "extends: kitsu\nrules:\n  task.assign: {value: persn, any: [manage]}",
        "studio.yaml:3:24: there is no kind `persn`; did you mean `person`?",
    ),
    (
        "extends: kitsu\nrules:\n  task.read: [value_is_self]",
        "studio.yaml:3:15: `value_is_self` cannot be used here: `value` is read, but the rule does not say what its `value:` is",
    ),
    (
        "extends: kitsu\nrules:\n  project.read: [assigned]",
        "studio.yaml:3:18: `assigned` cannot be used here: path `task` says nothing for kind `project`",
    ),
    (
        "extends: kitsu\nterms:\n  a: [b]\n  b: [a]\nrules: {task.read: [a]}",
        "studio.yaml:5:21: term `a` leads back to itself, or too deep",
    ),
    (
        "extends: kitsu\nterms:\n  lead: [team + leed]",
        "studio.yaml:3:10: there is no atom or term `leed`; did you mean `lead`?",
    ),
    (
        "extends: kitsu\nterms: {mange: [admin]}\natoms: {assignd: {says: x, when: subject is subject}}",
        "studio.yaml:2:9: no rule or term names `mange`; did you mean to replace the pack's `manage`?\n\
         studio.yaml:3:9: no rule or term names `assignd`; did you mean to replace the pack's `assigned`?",
    ),
    (
        "extends: kitsu\nterms: {team: [admin]}",
        "studio.yaml:2:9: `team` has a meaning of its own and cannot be defined",
    ),
    (
        "extends: kitsu\nterms: {'role:lead': [admin]}",
        "studio.yaml:2:9: `role:lead` has a meaning of its own and cannot be defined",
    ),
    (
        "extends: kitsu\natoms: {lead: {says: leads, when: subject is subject}}\nterms: {lead: [team]}",
        "studio.yaml:2:9: `lead` is both an atom and a term\nstudio.yaml:3:9: `lead` is both an atom and a term",
    ),
    (
        "extends: kitsu\natoms: {lead: {when: subject is subject}}\nrules: {task.read: [lead]}",
        "studio.yaml:2:9: atom `lead` needs `says:`, a few words for people",
    ),
    (
        "extends: kitsu\natoms: {lead: {says: leads}}\nrules: {task.read: [lead]}",
        "studio.yaml:2:15: `when:` is missing",
    ),
    (
        "extends: kitsu\natoms:\n  lead: {says: leads, when: subject likes resource}\nrules: {task.read: [lead]}",
        "studio.yaml:3:29: `subject likes resource` is no condition: write `PATH is VALUE`, `PATH in PATH`, `PATH within PATH` or `PATH is empty` (or `not`)",
    ),
    (
        "extends: kitsu\natoms:\n  lead: {says: leads, when: subjct is resource}\nrules: {task.read: [lead]}",
        "studio.yaml:3:29: `subjct`: no path begins with `subjct`; did you mean `subject`? (a text stands in quotes)",
    ),
    (
        "extends: kitsu\natoms:\n  lead: {says: leads, when: subject in task.asignees}\nrules: {task.read: [lead]}",
        "studio.yaml:3:29: `task.asignees`: kind `task` has no field `asignees`; did you mean `assignees`?",
    ),
    (
        "extends: kitsu\natoms:\n  lead: {says: leads, when: subject in resource.nom.x}\nrules: {task.read: [lead]}",
        "studio.yaml:3:29: `resource.nom.x`: kind `task` has no field `nom`; known here: assignees, entity_id, mentions, task_status_id, task_type_id",
    ),
    (
        "extends: kitsu\natoms:\n  lead: {says: leads, when: it is subject}\nrules: {task.read: [lead]}",
        "studio.yaml:3:29: `it` stands for an object of `some:`, and there is none here",
    ),
    (
        "extends: kitsu\natoms:\n  lead: {says: leads, when: {some: subject.teams}}\nrules: {task.read: [lead]}",
        "studio.yaml:3:29: `holds:` is missing",
    ),
    (
        "extends: kitsu\nkinds: {wheel: {}}",
        "studio.yaml:2:1: unknown key `kinds`; known here: actions, atoms, buttons, conditions, default_role, extends, extra_types, filters, paths, read_only, restrictions, rights, roles, rules, terms",
    ),
    ("extends: kitsu\nroles: {lead: Lead}", "studio.yaml:2:15: `name: value` lines are needed here, not `Lead`"),
    (
        "extends: kitsu\nroles: {lead: {grants: []}}",
        "studio.yaml:2:9: the roles of `kitsu` are the tracker's own and cannot be given rights here",
    ),
    ("extends: kitsu\nrules: {task.read: !a [team]}", "studio.yaml:2:20: tags are not read here; write the value out"),
    (
        "extends: kitsu\nrules: {task.read: !!seq [team]}",
        "studio.yaml:2:20: tags are not read here; write the value out",
    ),
    (
        "extends: kitsu\nrules: {task.read: [team}",
        "studio.yaml:2:25: not YAML: while parsing a flow sequence, expected ',' or ']'",
    ),
    (
        "extends: kitsu\nrules: {task.read: [team, [team]",
        "studio.yaml:3:1: not YAML: while parsing a flow sequence, expected ',' or ']'",
    ),
    (
        "extends: kitsu\natoms: {access: {says: leads, when: subject is subject}}",
        "studio.yaml:2:9: `access` is both an atom and a term",
    ),
    ("extends: kitsu\nterms: {mentioned: [team]}", "studio.yaml:2:9: `mentioned` is both an atom and a term"),
    (
        "extends: kitsu\nrules: {'asset, shot, edit.read': [acess]}",
        "studio.yaml:2:36: there is no atom or term `acess`; did you mean `access`?",
    ),
    ("- extends: kitsu", "studio.yaml:1:1: `name: value` lines are needed here, not a list"),
    ("", "studio.yaml:1:1: `extends:` is missing"),
];

#[test]
fn every_mistake_is_told_with_its_place() {
    for (text, expected) in MISTAKES {
        assert_eq!(problems(text), *expected, "\n{text}");
    }
}

#[test]
fn what_breaks_the_packs_own_rules_is_told_of_the_overlay() {
    let told = |text: &str| {
        let problems = problems(&format!("extends: kitsu\n{text}"));
        let first = problems.lines().next().expect("has a line");
        let (before, after) = first.split_once(" policy/kitsu.yaml:").expect("names the pack's line");
        format!("{before} ...{}", after.split_once(' ').expect("goes on").1)
    };
    assert_eq!(
        told("atoms: {assigned: {says: is on it, when: subject in resource.assignees}}"),
        "studio.yaml:1:10: under this overlay ...does not compile: `assigned` cannot be used here: \
         `resource.assignees`: kind `comment` has no field `assignees`; \
         known here: for_client, object_id, person_id, task_status_id"
    );
    assert_eq!(
        told("paths: {task: {task: resource}}"),
        "studio.yaml:1:10: under this overlay ...does not compile: path `task` says nothing for kind `comment`"
    );
}

#[test]
fn all_mistakes_are_told_at_once_in_the_order_of_the_file() {
    let text = "extends: kitsu
terms:
  lead: [team + role:supervisr]
atoms:
  busy: {says: busy, when: task.status is 'wip'}
rules:
  task.publish: [led, team + busy]
  task.reed: {any: [access], scope: here}
  tsk.read: [access]
";
    let expected = "studio.yaml:3:10: there is no role `supervisr`; did you mean `supervisor`?
studio.yaml:5:28: `task.status`: kind `task` has no field `status`; known here: assignees, entity_id, mentions, task_status_id, task_type_id
studio.yaml:7:18: there is no atom or term `led`; did you mean `lead`?
studio.yaml:8:3: the pack has no `task.reed`; did you mean `read`? An action of your own needs a name less like it
studio.yaml:8:37: `scope:` is `project`, `site` or `studio`, not `here`; without it a resource is named
studio.yaml:9:3: there is no kind `tsk`; did you mean `task`?";
    assert_eq!(problems(text), expected);
}

#[test]
fn a_rule_has_room_for_64_atoms() {
    let overlay = |count: usize| {
        let lines = |line: &dyn Fn(usize) -> String| (0..count).map(line).collect::<Vec<_>>().join("\n");
        let atoms = lines(&|n| format!("  a{n}: {{says: a{n}, when: subject is subject}}"));
        let words = lines(&|n| format!("    - a{n} + team"));
        format!("extends: kitsu\natoms:\n{atoms}\nrules:\n  task.read:\n{words}\n")
    };
    assert_eq!(problems(&overlay(63)), "no problem");
    assert_eq!(
        problems(&overlay(64)),
        format!("studio.yaml:68:3: `task.read` names 65 atoms; at most 64 are possible")
    );
}

#[test]
fn terms_that_multiply_are_refused_before_they_do() {
    let nested = |terms: usize| {
        let doubling = (0..terms).map(|n| format!("  t{n}: [t{}, t{} + team]\n", n + 1, n + 1)).collect::<String>();
        problems(&format!("extends: kitsu\nrules: {{task.read: [t0]}}\nterms:\n{doubling}  t{terms}: [team, admin]\n"))
    };
    assert_eq!(nested(9), "no problem");
    assert_eq!(nested(10), "studio.yaml:2:21: `t0` unfolds to more than 1024 conjunctions");
    assert_eq!(nested(16), "studio.yaml:2:21: term `t16` leads back to itself, or too deep");
    let wide = ["x"; 200].map(|_| "w").join(", ");
    let text = format!("extends: kitsu\nterms: {{w: [{wide}]}}\nrules: {{task.read: [w]}}\n");
    assert_eq!(problems(&text), "studio.yaml:3:21: term `w` leads back to itself, or too deep");
}

#[test]
fn an_overlay_replaces_what_it_names_and_nothing_else() {
    let studio = Studio::under(
        "terms: {supervise: [team + role:supervisor]}
atoms: {assigned: {says: is on it, when: subject in task.assignees}}
rules:
  task.delete: []
  task.update: [team + assigned]
  task.praise: [access]
  'shot, asset.read': {any: [access], all: ['!role:vendor']}",
    );
    assert_eq!(studio.code("adm", "delete", "task", "T"), Reason::NoGrant, "nobody");
    assert_eq!(studio.code("man", "update", "task", "T"), Reason::NoGrant);
    let mut query = Query::new(Subject::Person("sup"), "update", "task", "T");
    query.field = "priority";
    assert_eq!(studio.decision(&query).code, Reason::NoGrant, "the pack's rules for fields went with its rule");
    assert_eq!(studio.code("art", "update", "task", "T"), Reason::Granted);
    assert_eq!(studio.code("art", "praise", "task", "T"), Reason::Granted, "an action of its own");
    assert_eq!(studio.code("ven", "read", "shot", "S"), Reason::Restricted);
    assert_eq!(studio.code("art", "read", "shot", "S"), Reason::Granted);
    assert_eq!(studio.code("art", "delete", "shot", "S"), Reason::NoGrant, "as in the pack");
    assert_eq!(studio.code("man", "delete", "shot", "S"), Reason::Granted);
}

#[test]
fn the_digest_tells_policies_apart() {
    let digest = |overlay: Option<&str>| {
        let overlay = overlay.map(|text| ("any name", text));
        Policy::load("kitsu", overlay).expect("compiles").digest
    };
    let plain = digest(None);
    assert_eq!(plain.len(), 64);
    assert_eq!(plain, digest(None));
    assert_ne!(plain, digest(Some("extends: kitsu")));
    assert_ne!(digest(Some("extends: kitsu")), digest(Some("extends: kitsu\n")));
}

#[test]
fn there_are_only_the_packs_there_are() {
    let problems = Policy::load("kitsus", None).expect_err("is no pack").to_string();
    assert_eq!(problems, "policy: there is no built-in pack `kitsus`; did you mean `kitsu`?");
    let extended = |text: &str| Policy::extended_pack("p.yaml", text).map_err(|problems| problems.to_string());
    assert_eq!(extended("extends: kitsu\nrules: {task.read: [nobody]}"), Ok("kitsu"));
    for (text, told) in [
        (
            "rules: {}\nextends: shotgrid",
            "p.yaml:2:10: there is no built-in pack `shotgrid`; known here: flow, ftrack, kitsu, limecraft",
        ),
        ("extends: [kitsu]", "p.yaml:1:10: a text is needed here, not a list"),
        ("rules: {}", "p.yaml:1:1: `extends:` is missing"),
        ("- kitsu", "p.yaml:1:1: `name: value` lines are needed here, not a list"),
    ] {
        assert_eq!(extended(text), Err(told.to_owned()), "{text}");
    }
}
