//! The mirror as bytes and back: the same in everything that can be asked, and nothing else is read.

use super::*;
use crate::model::schema::Schema;

fn bytes(directory: &Directory) -> Vec<u8> {
    let mut bytes = Vec::new();
    directory.encode(&mut bytes);
    bytes
}

fn read(bytes: &[u8], schema: &Arc<Schema>) -> Result<Directory, Damaged> {
    Directory::decode(Arc::clone(schema), 7, bytes)
}

/// What is there: not what only is known not to be; and nothing that tells of handles, which are given anew.
fn present(directory: &Directory) -> Vec<String> {
    told(directory).into_iter().filter(|line| !line.ends_with("gone") && !line.contains("Key(")).collect()
}

fn all_forgotten() -> Vec<Change> {
    (0..4).map(|n| Change::Forget(ObjectRef::new("comment", &format!("c{n}")))).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_mirror_comes_back_and_goes_on_as_it_was(
        changes in proptest::collection::vec(any_change(), 0..60),
        more in proptest::collection::vec(any_change(), 0..30),
    ) {
        let mut original = with(changes);
        let written = bytes(&original);
        original.apply(all_forgotten());
        let mut back = read(&written, &original.schema).unwrap();
        prop_assert_eq!(back.revision(), 7);
        prop_assert_eq!(present(&back), present(&original));
        prop_assert_eq!(present(&read(&bytes(&back), &original.schema).unwrap()), present(&original));
        for change in more {
            original.apply([change.clone()]);
            back.apply([change]);
            prop_assert_eq!(present(&back), present(&original));
        }
    }

    #[test]
    fn what_is_damaged_is_refused_or_some_other_mirror(
        changes in proptest::collection::vec(any_change(), 1..20),
        at in any::<proptest::sample::Index>(),
        flipped in 1..=255_u8,
        cut in any::<proptest::sample::Index>(),
    ) {
        let original = with(changes);
        let whole = bytes(&original);
        prop_assert!(read(&whole[..cut.index(whole.len())], &original.schema).is_err());
        let mut other = whole.clone();
        let at = at.index(other.len());
        other[at] ^= flipped;
        if let Ok(mut other) = read(&other, &original.schema) {
            other.apply(all_forgotten());
            let again = read(&bytes(&other), &original.schema).unwrap();
            prop_assert_eq!(present(&again), present(&other));
        }
    }

    #[test]
    fn no_bytes_at_all_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let _refused = read(&bytes, &schema());
    }
}

/// Every kind of cell, id, membership and list that there is.
fn everything() -> Directory {
    let mut schema = Schema::clone(&schema());
    let task = &mut schema.kinds[usize::from(TASK)];
    task.named = true;
    let field = |name: &str| FieldDef { name: name.into(), ..FieldDef::default() };
    task.fields.extend(["flag", "number", "text", "texts", "missing"].map(field));
    task.fields.push(FieldDef { any: true, ..field("any") });
    let listed = u16::try_from(task.fields.len()).unwrap();
    task.fields.push(FieldDef { link: true, listed: true, ..field("links") });
    for (kind, type_name) in [(PERSON, "Person"), (SHOT, "Shot"), (ENTITY, "Entity")] {
        schema.kinds[usize::from(kind)].type_name = type_name.into();
    }
    let list = |name: &str, field, by_project| BackDef { name: name.into(), from: TASK, field, by_project };
    schema.kinds[usize::from(PERSON)].backs = vec![list("tasks", Some(1), true), list("linked", Some(listed), false)];
    let mut directory = Directory::new(Arc::new(schema));
    let any = Value::Map(vec![("a".into(), Value::List(vec![Value::Null, true.into(), Value::Number(-0.0)]))]);
    let full = task_of("a24a6ea4-ce75-4665-a070-57453082c256")
        .named("Änimation")
        .with("flag", true)
        .with("number", Value::Number(f64::MIN_POSITIVE))
        .with("text", Value::text(&"long ".repeat(100)))
        .with("texts", Value::texts(["", "a", "Änimation"]))
        .with("any", any)
        .with("links", Value::List(vec![Value::link("Person", "ada"), Value::link("Shot", "s")]));
    let empty = task_of("2").named("Änimation").with("flag", false).with("text", Value::Null).in_trash();
    let mut deep = Value::Null;
    for _ in 0..300 {
        deep = Value::List(vec![deep]);
    }
    let rights = Member {
        roles: vec![Id::from("k2"), Id::from("k1")],
        rights: vec!["x".into(), "y".into()],
        ..Member::new(Id::from("bo"), None)
    };
    let members = vec![Member::new(Id::from("ada"), Some("lead".into())), rights];
    directory.apply([
        upsert(&full),
        upsert(&empty),
        upsert(&task_of("3").with("any", deep)),
        upsert(&person("ada", "ada")),
        upsert(&Record::new("shot", "s")),
        upsert(&comment("c1", "2")),
        Change::Team { project: Id::from("P"), members },
        quarantine("task", "2"),
        quarantine("task", "4"),
        quarantine("person", "odd"),
        remove("task", "3"),
        upsert(&task_of("5").with("links", Value::List(vec![Value::link("Entity", "lost")]))),
        upsert(&Record::new("shot", "lost")),
        remove("shot", "lost"),
    ]);
    directory
}

fn task_of(id: &str) -> Record {
    task(id, "s", &["ada", "bo"])
}

#[test]
fn everything_there_is_comes_back() {
    let mut original = everything();
    let written = bytes(&original);
    assert_eq!(written.windows(4).filter(|window| *window == b"long").count(), 100, "each text once");
    let back = read(&written, &original.schema).unwrap();
    original.apply([Change::Forget(ObjectRef::new("comment", "c1"))]);
    assert_eq!(present(&back), present(&original));
    let same = |kind: &str, id: &str| {
        let (here, there) = (key(&original, kind, id), key(&back, kind, id));
        let row = |state| match state {
            State::Record(row) => (false, Some(row)),
            State::Quarantined(row) => (true, row),
            State::Unknown | State::Gone => panic!("{id} has no record"),
        };
        let (here, there) = (row(original.view().state(here)), row(back.view().state(there)));
        assert_eq!(here.0, there.0);
        let (Some(here), Some(there)) = (here.1, there.1) else { return };
        assert_eq!((here.name(), here.trashed(), here.kind()), (there.name(), there.trashed(), there.kind()));
        assert_eq!(here.cells().len(), there.cells().len());
        for (here, there) in here.cells().zip(there.cells()) {
            match here {
                Cell::Ref(_) | Cell::Refs(_) => {
                    assert_eq!(ids(&original, &here.refs()), ids(&back, &there.refs()));
                }
                _ => assert_eq!(here, there),
            }
        }
    };
    [("task", "a24a6ea4-ce75-4665-a070-57453082c256"), ("task", "2"), ("task", "4"), ("task", "5"), ("person", "ada")]
        .into_iter()
        .for_each(|(kind, id)| same(kind, id));
    for directory in [&original, &back] {
        let view = directory.view();
        let (ada, project) = (key(directory, "person", "ada"), key(directory, "project", "P"));
        assert_eq!(view.by_name(TASK, "Änimation").len(), 2, "the one that is not understood too");
        assert_eq!(view.back_in(ada, 0, project).len(), 3);
        assert_eq!(view.back(ada, 1).len(), 1);
        assert!(view.never_understood(TASK).is_some() && view.never_understood(PERSON).is_some());
        assert_eq!(view.by_login("ada"), Ok(Some(ada)));
        assert_eq!(view.state(key(directory, "entity", "lost")), State::Gone, "a link to it leads nowhere, for sure");
        let bo = view.member(key(directory, "person", "bo"), project).unwrap();
        let grants = bo.grants.as_ref().unwrap();
        assert_eq!((ids(directory, &grants.roles), grants.rights.len()), (vec!["k1".into(), "k2".into()], 2));
    }
    assert!(back.view().find(COMMENT, &Id::from("c1")).is_none(), "read again on first use");
    assert!(back.view().find(TASK, &Id::from("3")).is_none(), "nothing refers to it, and it is not there");
}

#[test]
fn what_is_nested_too_deeply_is_not_known() {
    let mut original = everything();
    let mut deep = Value::Null;
    for _ in 0..300 {
        deep = Value::List(vec![deep]);
    }
    original.apply([upsert(&task_of("6").with("any", deep))]);
    let back = read(&bytes(&original), &original.schema).unwrap();
    let row = back.view().row(key(&back, "task", "6")).unwrap();
    assert_eq!(row.cells().filter(|cell| matches!(cell, Cell::Any(_))).count(), 0);
}

#[test]
fn a_length_is_never_believed() {
    // Objects, then texts: each says that there are 2^60 of them.
    let endless = [0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x10];
    let objects = [&9_u64.to_le_bytes()[..], &1_u64.to_le_bytes(), &endless, &[0], &[0]].concat();
    assert_eq!(read(&objects, &schema()).unwrap_err().to_string(), "a length is too large");
    let values = [&1_u64.to_le_bytes()[..], &9_u64.to_le_bytes(), &[0], &endless, &[0]].concat();
    assert_eq!(read(&values, &schema()).unwrap_err().to_string(), "a length is too large");
    let texts = [&0_u64.to_le_bytes()[..], &0_u64.to_le_bytes(), &endless].concat();
    assert_eq!(read(&texts, &schema()).unwrap_err().to_string(), "a length is too large");
}
