//! A production of the Limecraft pack: declared actions, rights, roles, teams.

use std::collections::BTreeSet;

use crate::directory::Directory;
use crate::engine::policy::Policy;
use crate::engine::{Resolved, decide, explain, resolve};
use crate::model::change::{Change, Dep};
use crate::model::decision::{Decision, Reason};
use crate::model::id::{Id, ObjectRef, Str};
use crate::model::query::{Query, Subject};
use crate::model::record::{Member, Record};
use crate::model::value::Value;

/// Ann is a member of production 1 with role 7 ("Editor") and of team 5; Bob is no member.
pub(in crate::engine) struct Platform {
    policy: Policy,
    directory: Directory,
    /// What was said about actions so far.
    pub(in crate::engine) notes: Vec<String>,
    order: f64,
}

impl Platform {
    pub(in crate::engine) fn with_rights(rights: &BTreeSet<&'static str>) -> Self {
        Self::under("rights: {}", rights)
    }

    fn under(overlay: &str, rights: &BTreeSet<&'static str>) -> Self {
        let overlay = format!("extends: limecraft\n{overlay}\n");
        let policy = Policy::load("limecraft", Some(("studio.yaml", &overlay)));
        let policy = policy.unwrap_or_else(|problems| panic!("{problems}"));
        let directory = Directory::new(policy.schema.clone());
        let mut platform = Self { policy, directory, notes: Vec::new(), order: 0.0 };
        let person = |id: &str| Change::Upsert(Record::new("person", id).named(id).with("active", true));
        let production = Record::new("production", "1").named("Harbour").with("status", Value::text("Active"));
        platform.apply([person("ann"), person("bob"), Change::Upsert(production)]);
        platform.role("Editor", rights);
        platform.team(&[], &["1"]);
        platform.join(&["7"], &[]);
        platform
    }

    /// What the change touched, as the authorizer is told it.
    fn apply(&mut self, changes: impl IntoIterator<Item = Change>) -> Vec<Dep> {
        let mut touched = self.directory.apply(changes).touched;
        let followed = self.policy.follow(self.directory.view(), &touched);
        self.notes.extend(followed.notes);
        touched.deps.extend(followed.touched);
        touched.deps
    }

    fn role(&mut self, name: &str, rights: &BTreeSet<&'static str>) -> Vec<Dep> {
        let role = Record::new("role", "7").named(name).in_project("1");
        self.apply([Change::Upsert(role.with("rights", Value::texts(rights.iter().copied())))])
    }

    fn team(&mut self, rights: &[&str], productions: &[&str]) -> Vec<Dep> {
        let team = Record::new("team", "5").with("users", Value::texts(["ann", "bob"]));
        let team = team.with("productions", Value::texts(productions.iter().copied()));
        self.apply([Change::Upsert(team.with("rights", Value::texts(rights.iter().copied())))])
    }

    fn join(&mut self, roles: &[&str], rights: &[&str]) -> Vec<Dep> {
        let member = Member {
            roles: roles.iter().map(|role| Id::from(*role)).collect(),
            rights: rights.iter().map(|right| Str::from(*right)).collect(),
            ..Member::new(Id::from("ann"), None)
        };
        self.apply([Change::Join { project: Id::from("1"), member }])
    }

    pub(in crate::engine) fn action(
        &mut self,
        of: &str,
        name: &str,
        rights: &Value,
        filters: &Value,
        roles: &Value,
    ) -> Vec<Dep> {
        self.order += 1.0;
        let record = Record::new("action", &format!("1/{of}/{name}")).in_project("1");
        let record = record.with("of", Value::text(of)).with("action", Value::text(name));
        let record = record.with("order", Value::Number(self.order)).with("required_rights", rights.clone());
        self.apply([Change::Upsert(record.with("filters", filters.clone()).with("required_roles", roles.clone()))])
    }

    pub(in crate::engine) fn holds_eo(&mut self, id: &str, object: &Value) {
        self.apply([Change::Upsert(Record::new("eo", id).in_project("1").with("attributes", object.clone()))]);
    }

    fn ask(&self, query: &Query<'_>) -> (Decision, Vec<Dep>, bool) {
        let view = self.directory.view();
        match resolve(&self.policy, view, query) {
            Resolved::Case(case) => {
                let outcome = decide(view, &case);
                let explained = explain(&self.policy, view, &case);
                assert_eq!(explained.outcome.decision, outcome.decision);
                assert!(!self.policy.said(outcome.decision).text.is_empty());
                (outcome.decision, outcome.reads.to_vec(), outcome.cacheable)
            }
            Resolved::Decided { decision, reads } => (decision, reads.to_vec(), false),
            Resolved::Missing(object) => panic!("{object} is missing"),
        }
    }

    /// Ann asks about an editorial object that she describes.
    pub(in crate::engine) fn eo(&self, action: &str, id: &str, object: &Value, complete: bool) -> Reason {
        let query = Query::new(Subject::Person("ann"), action, "eo", id);
        let query = Query {
            project: Some(Id::from("1")),
            properties: Some(std::borrow::Cow::Borrowed(object)),
            complete,
            ..query
        };
        self.ask(&query).0.code
    }

    fn production(&self, person: &str, action: &str) -> (Reason, Vec<Dep>) {
        let (decision, reads, _) = self.ask(&Query::new(Subject::Person(person), action, "production", "1"));
        (decision.code, reads)
    }
}

/// JSON as a source gives it.
pub(in crate::engine) fn json(text: &str) -> Value {
    fn value(json: serde_json::Value) -> Value {
        match json {
            serde_json::Value::Null => Value::Null,
            serde_json::Value::Bool(value) => Value::Bool(value),
            serde_json::Value::Number(number) => Value::Number(number.as_f64().expect("is finite")),
            serde_json::Value::String(text) => Value::text(&text),
            serde_json::Value::Array(list) => Value::List(list.into_iter().map(value).collect()),
            serde_json::Value::Object(map) => {
                Value::Map(map.into_iter().map(|(name, inner)| (name.as_str().into(), value(inner))).collect())
            }
        }
    }
    value(serde_json::from_str(text).unwrap_or_else(|error| panic!("{text}: {error}")))
}

fn platform() -> Platform {
    Platform::with_rights(&BTreeSet::new())
}

fn shares(deps: &[Dep], reads: &[Dep]) -> bool {
    reads.iter().any(|read| deps.contains(read))
}

#[test]
fn a_grant_hides_what_is_for_those_without_it() {
    let mut platform = platform();
    platform.action("production", "request", &Value::text("!LIBRARY_SHARE"), &Value::Null, &Value::Null);
    let (code, reads) = platform.production("ann", "request");
    assert_eq!(code, Reason::Granted);
    let ways: [fn(&mut Platform) -> Vec<Dep>; 3] = [
        |platform| platform.role("Editor", &BTreeSet::from(["LIBRARY_SHARE"])),
        |platform| platform.join(&["7"], &["LIBRARY_SHARE"]),
        |platform| platform.team(&["LIBRARY_SHARE"], &["1"]),
    ];
    for grant in ways {
        let touched = grant(&mut platform);
        assert!(shares(&touched, &reads), "a cached decision is forgotten");
        assert_eq!(platform.production("ann", "request").0, Reason::NoGrant);
        platform.role("Editor", &BTreeSet::new());
        platform.join(&["7"], &[]);
        platform.team(&[], &["1"]);
        assert_eq!(platform.production("ann", "request").0, Reason::Granted);
    }
    platform.team(&["LIBRARY_SHARE"], &["2"]);
    assert_eq!(platform.production("ann", "request").0, Reason::Granted, "that team is linked elsewhere");
    assert_eq!(platform.production("bob", "request").0, Reason::NotMember, "a stranger lacks the right too");
}

#[test]
fn roles_by_name_and_id_and_what_happens_when_they_change() {
    let mut platform = platform();
    let by =
        |roles: &str| Value::Map(vec![("key".into(), Value::text("productionRoles")), ("values".into(), json(roles))]);
    let show = Value::text("!NOBODY_HAS");
    platform.action("production", "named", &show, &by(r#"["name[Editor]", "name[Freelancer]"]"#), &Value::Null);
    platform.action("production", "numbered", &show, &by(r#"["id[7]"]"#), &Value::Null);
    platform.action("production", "required", &show, &Value::Null, &Value::text("name[A|B]|name[Editor]|id[3202]"));
    platform.action("production", "other", &show, &Value::Null, &Value::text("name[editor]"));
    let codes = |platform: &Platform| {
        ["named", "numbered", "required", "other"].map(|action| platform.production("ann", action).0)
    };
    use Reason::{Granted, Restricted};
    assert_eq!(codes(&platform), [Granted, Granted, Granted, Restricted]);
    let reads = platform.production("ann", "named").1;
    let touched = platform.role("Cutter", &BTreeSet::new());
    assert!(shares(&touched, &reads));
    assert_eq!(codes(&platform), [Restricted, Granted, Restricted, Restricted], "ids survive a new name");
    platform.role("A|B", &BTreeSet::new());
    assert_eq!(codes(&platform), [Restricted, Granted, Granted, Restricted]);
    platform.join(&[], &[]);
    assert_eq!(codes(&platform), [Restricted; 4]);
    // A role that nobody has told of yet, or not any more: neither has nor has not.
    platform.join(&["8"], &[]);
    assert_eq!(platform.production("ann", "named").0, Reason::Indeterminate);
    platform.join(&["7"], &[]);
    let reads = platform.production("ann", "numbered").1;
    let touched = platform.apply([Change::Remove(ObjectRef::new("role", "7"))]);
    assert!(shares(&touched, &reads));
    assert_eq!(platform.production("ann", "numbered").0, Reason::Indeterminate);
    for bad in ["", "Editor", "!name[Editor]", "name[Editor]|", "id[]"] {
        platform.action("production", "bad", &show, &Value::Null, &Value::text(bad));
        assert_eq!(platform.production("ann", "bad").0, Reason::InvalidPolicy, "{bad}");
    }
}

#[test]
fn the_builders_right_depends_on_the_object() {
    let mut platform = Platform::with_rights(&BTreeSet::from(["STORY_BUILDER_EDIT"]));
    platform.action("eo", "default", &Value::Null, &Value::Null, &Value::Null);
    platform.action("eo", "without", &Value::text("!EO_BUILDER_EDIT"), &Value::Null, &Value::Null);
    platform.action("annotation", "default", &Value::Null, &Value::Null, &Value::Null);
    platform.action("annotation", "asks", &Value::text("EO_BUILDER_EDIT"), &Value::Null, &Value::Null);
    platform.action("annotation", "asks not", &Value::text("!EO_BUILDER_EDIT"), &Value::Null, &Value::Null);
    platform.action("production", "default", &Value::Null, &Value::Null, &Value::Null);
    use Reason::{Granted, Indeterminate, NoGrant};
    for (kind, default, without) in [
        ("Notebook", NoGrant, Granted),
        ("Draft", NoGrant, Granted),
        ("Story", Granted, NoGrant),
        ("StoryPart", Granted, NoGrant),
        ("Episode", NoGrant, Granted),
        ("Scene", NoGrant, Granted),
        ("Card", Indeterminate, Indeterminate),
    ] {
        let object = Value::Map(vec![("objectType".into(), Value::text(kind))]);
        let got = ["default", "without"].map(|action| platform.eo(action, "o", &object, true));
        assert_eq!(got, [default, without], "{kind}");
    }
    assert_eq!(platform.eo("without", "o", &json("{}"), true), Indeterminate, "no type is no type of its own");
    let annotation = |action: &str| {
        let query = Query::new(Subject::Person("ann"), action, "annotation", "a");
        platform.ask(&Query { project: Some(Id::from("1")), ..query }).0.code
    };
    assert_eq!(["default", "asks", "asks not"].map(annotation), [Granted, Indeterminate, Indeterminate]);
    assert_eq!(platform.production("ann", "default").0, NoGrant);
}

#[test]
fn what_contradicts_itself_is_not_told_as_a_way() {
    let mut platform = platform();
    platform.action("production", "a", &Value::text("X|A+!A"), &Value::Null, &Value::Null);
    platform.action("production", "b", &Value::text("A+!A"), &Value::Null, &Value::Null);
    for (action, told) in [("a", "this takes: in the project's team and has the right X"), ("b", "nobody may do this")]
    {
        let decision = platform.ask(&Query::new(Subject::Person("ann"), action, "production", "1")).0;
        assert_eq!(platform.policy.said(decision).text, told);
    }
}

#[test]
fn a_record_that_does_not_say_what_restricts_it_opens_nothing() {
    let mut platform = platform();
    for left_out in ["required_rights", "filters", "required_roles"] {
        let mut record = Record::new("action", "a").in_project("1").with("of", Value::text("annotation"));
        record = record.with("action", Value::text("a")).with("order", Value::Number(0.0));
        for field in ["required_rights", "filters", "required_roles"].into_iter().filter(|field| *field != left_out) {
            record = record.with(field, Value::Null);
        }
        platform.apply([Change::Upsert(record)]);
        let query = Query::new(Subject::Person("ann"), "a", "annotation", "x");
        let code = platform.ask(&Query { project: Some(Id::from("1")), ..query }).0.code;
        assert_eq!(code, Reason::InvalidPolicy, "{left_out}");
    }
}

#[test]
fn settings_come_change_and_go() {
    let mut platform = Platform::with_rights(&BTreeSet::from(["LIBRARY_SHARE"]));
    assert_eq!(platform.production("ann", "share").0, Reason::ActionUnknown);
    platform.action("production", "share", &Value::text("LIBRARY_SHARE"), &Value::Null, &Value::Null);
    let (code, reads) = platform.production("ann", "share");
    assert_eq!(code, Reason::Granted);
    let touched = platform.action("production", "share", &Value::text("LIBRARY_UPLOAD"), &Value::Null, &Value::Null);
    assert!(shares(&touched, &reads));
    assert_eq!(platform.production("ann", "share").0, Reason::NoGrant);
    let touched = platform.action("production", "another", &Value::text("!!A"), &Value::Null, &Value::Null);
    assert!(shares(&touched, &platform.production("ann", "share").1), "the list has changed");
    assert!(platform.notes.iter().any(|note| note.contains("production 1, production.another is never allowed")));
    platform.apply([Change::Remove(ObjectRef::new("action", "1/production/share"))]);
    assert_eq!(platform.production("ann", "share").0, Reason::ActionUnknown);
    let archived = Record::new("production", "1").named("Harbour").with("status", Value::text("Archived"));
    platform.action("production", "share", &Value::text("LIBRARY_SHARE"), &Value::Null, &Value::Null);
    let reads = platform.production("ann", "share").1;
    let touched = platform.apply([Change::Upsert(archived)]);
    assert!(shares(&touched, &reads));
    assert_eq!(platform.production("ann", "share").0, Reason::Restricted);
    platform.apply([Change::Leave { project: Id::from("1"), person: Id::from("ann") }]);
    assert_eq!(platform.production("ann", "share").0, Reason::NotMember);
}

#[test]
fn rights_that_nobody_knows() {
    let strange = Value::text("!STRANGE");
    let mut doc = platform();
    doc.action("production", "a", &strange, &Value::Null, &Value::Null);
    assert_eq!(doc.production("ann", "a").0, Reason::Granted, "as the reference says");
    assert!(doc.notes.iter().any(|note| note.contains("nobody knows the right STRANGE")), "{:?}", doc.notes);
    let mut deny = Platform::under("rights: {unknown: deny}", &BTreeSet::new());
    deny.action("production", "a", &strange, &Value::Null, &Value::Null);
    let (code, reads) = deny.production("ann", "a");
    assert_eq!(code, Reason::NoGrant);
    // The source tells of the right: all actions are compiled anew, and what was decided is forgotten.
    let touched = deny.apply([Change::Upsert(Record::new("right", "STRANGE"))]);
    assert!(shares(&touched, &reads));
    assert_eq!(deny.production("ann", "a").0, Reason::Granted);
    let mut known = Platform::under("rights: {known: [STRANGE], unknown: deny}", &BTreeSet::new());
    known.action("production", "a", &strange, &Value::Null, &Value::Null);
    assert_eq!(known.production("ann", "a").0, Reason::Granted);
}

#[test]
fn the_mirror_goes_before_what_callers_say() {
    let mut platform = platform();
    let draft = json(r#"[{"key": "objectType", "values": ["Draft"]}]"#);
    platform.action("eo", "a", &Value::text("!X"), &draft, &Value::Null);
    let told = json(r#"{"objectType": "Draft"}"#);
    assert_eq!(platform.eo("a", "o", &told, false), Reason::Granted);
    platform.holds_eo("o", &json(r#"{"objectType": "Scene"}"#));
    assert_eq!(platform.eo("a", "o", &told, true), Reason::Restricted);
    platform.apply([Change::Remove(ObjectRef::new("eo", "o"))]);
    assert_eq!(platform.eo("a", "o", &told, true), Reason::ResourceUnknown, "it is gone");
    let query = Query::new(Subject::Person("ann"), "a", "eo", "p");
    assert_eq!(platform.ask(&query).0.code, Reason::ResourceUnknown, "no production is named");
    // What is held of an object and is no object at all tells nothing.
    for odd in [json("[]"), json(r#""x""#), json("true")] {
        platform.holds_eo("odd", &odd);
        assert_eq!(platform.eo("a", "odd", &told, true), Reason::Indeterminate, "{odd:?}");
    }
    let not_one = json(r#"[{"key": "eo.id", "values": [1], "modifiers": ["NOT"]}]"#);
    platform.action("eo", "c", &Value::text("!X"), &not_one, &Value::Null);
    assert_eq!(platform.eo("c", "1", &told, true), Reason::Indeterminate, "the question names it 1");
    // Without a filter that looks at the object, the answer is the same for every object and can be kept.
    platform.action("annotation", "b", &Value::Null, &Value::Null, &Value::Null);
    let query = Query::new(Subject::Person("ann"), "b", "annotation", "p");
    assert!(platform.ask(&Query { project: Some(Id::from("1")), ..query }).2);
}

#[test]
fn the_list_is_in_the_order_of_the_settings_and_agrees_with_each_question() {
    let mut platform = Platform::with_rights(&BTreeSet::from(["LIBRARY_SHARE"]));
    for (name, rights) in [("z", "LIBRARY_SHARE"), ("a", "!LIBRARY_SHARE"), ("m", "!!")] {
        platform.action("production", name, &Value::text(rights), &Value::Null, &Value::Null);
        platform.action("eo", &format!("eo {name}"), &Value::text(rights), &Value::Null, &Value::Null);
    }
    let query = Query::new(Subject::Person("ann"), "", "production", "1");
    let listed = platform.policy.list(platform.directory.view(), &query).unwrap();
    let names: Vec<_> = listed.iter().map(|listed| listed.action.as_str()).collect();
    assert_eq!(names, ["z", "a", "m"]);
    let query = Query { kind: "no such", ..query };
    assert_eq!(platform.policy.list(platform.directory.view(), &query), None);
}
