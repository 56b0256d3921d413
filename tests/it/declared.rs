//! Actions that the tracker's settings declare: what one change does to decisions that are cached, and to no others.

use std::collections::BTreeMap;
use std::time::Instant;

use proptest::prelude::*;
use stagedoor::authorizer::{Authorizer, Clock, Feed, Options};
use stagedoor::engine::policy::Policy;
use stagedoor::model::change::{Batch, Change};
use stagedoor::model::id::{Id, ObjectRef, Str};
use stagedoor::model::query::{Query, Subject};
use stagedoor::model::record::{Member, Record};
use stagedoor::model::value::Value;

const PEOPLE: [&str; 4] = ["ann", "ben", "cat", "dan"];
const ACTIONS: [&str; 3] = ["share", "request", "edit"];

fn member(person: &str, roles: &[&str], rights: &[&str]) -> Member {
    Member {
        roles: roles.iter().map(|role| Id::from(*role)).collect(),
        rights: rights.iter().map(|right| Str::from(*right)).collect(),
        ..Member::new(Id::from(person), None)
    }
}

fn role(id: &str, production: &str, name: &str, rights: &[&str]) -> Change {
    let record = Record::new("role", id).named(name).in_project(production);
    Change::Upsert(record.with("rights", Value::texts(rights.iter().copied())))
}

fn team(rights: &[&str], productions: &[&str]) -> Change {
    let record = Record::new("team", "5").with("users", Value::texts(["dan"]));
    let record = record.with("productions", Value::texts(productions.iter().copied()));
    Change::Upsert(record.with("rights", Value::texts(rights.iter().copied())))
}

fn production(id: &str, status: &str) -> Change {
    Change::Upsert(Record::new("production", id).named(id).with("status", Value::text(status)))
}

fn action(production: &str, name: &str, rights: &str, roles: Value) -> Change {
    let record = Record::new("action", &format!("{production}/{name}")).in_project(production);
    let record = record.with("of", Value::text("production")).with("action", Value::text(name));
    let record = record.with("order", Value::Number(1.0)).with("required_rights", Value::text(rights));
    Change::Upsert(record.with("filters", Value::Null).with("required_roles", roles))
}

/// Two productions: Ann and Ben are editors of both, Cat has her rights alone, Dan by his team.
struct Platform {
    authorizer: std::sync::Arc<Authorizer>,
}

type Answers = BTreeMap<(String, &'static str, &'static str), (bool, bool)>;

impl Platform {
    fn new() -> Self {
        let policy = Policy::load("limecraft", None).unwrap();
        let authorizer = Authorizer::new(policy, Options::default(), Clock::system());
        let mut changes: Vec<_> =
            PEOPLE.iter().map(|id| Change::Upsert(Record::new("person", id).with("active", true))).collect();
        for (at, editor) in [("1", "11"), ("2", "12")] {
            changes.push(production(at, "Active"));
            changes.push(role(editor, at, "Editor", &["LIBRARY_SHARE"]));
            let members = vec![
                member("ann", &[editor], &[]),
                member("ben", &[editor], &[]),
                member("cat", &[], &["LIBRARY_SHARE"]),
                member("dan", &[], &[]),
            ];
            changes.push(Change::Team { project: Id::from(at), members });
            changes.push(action(at, "share", "LIBRARY_SHARE", Value::Null));
            changes.push(action(at, "request", "!LIBRARY_SHARE", Value::Null));
            changes.push(action(at, "edit", "LIBRARY_SHARE|!LIBRARY_SHARE", Value::text("name[Editor]")));
        }
        changes.push(team(&[], &["1", "2"]));
        authorizer.apply(Batch::Delta(changes));
        authorizer.feed(Feed::Live);
        authorizer.known_equal(Instant::now());
        Self { authorizer }
    }

    /// Each person about each action of each production: allowed, and whether that came from the cache.
    async fn answers(&self) -> Answers {
        let mut answers = BTreeMap::new();
        for person in PEOPLE {
            for at in ["1", "2"] {
                for action in ACTIONS {
                    let answer =
                        self.authorizer.check(&Query::new(Subject::Person(person), action, "production", at)).await;
                    answers.insert((person.to_owned(), at, action), (answer.decision.allowed(), answer.cached));
                }
            }
        }
        answers
    }

    /// Applies one change to a warm cache: how many decisions are made anew, and which answers flipped.
    async fn effect(&self, change: Change) -> (usize, Vec<String>) {
        self.answers().await;
        let before = self.answers().await;
        assert!(before.values().all(|(_, cached)| *cached), "all are cached");
        self.authorizer.apply(Batch::Delta(vec![change]));
        let after = self.answers().await;
        let anew = before.iter().filter(|(key, (_, cached))| *cached && !after[*key].1).count();
        let flipped = |(key, (was, _)): (&(String, &str, &str), &(bool, bool))| {
            let (is, _) = after[key];
            (*was != is).then(|| format!("{} {} {} {}", key.0, key.1, key.2, if is { "+" } else { "-" }))
        };
        (anew, before.iter().filter_map(flipped).collect())
    }
}

#[tokio::test]
async fn one_event_takes_effect_at_once_and_touches_only_what_it_must() {
    let platform = Platform::new();
    // A member's own rights: this person in this production, and a grant hides what is for those without it.
    let join = |member| Change::Join { project: Id::from("1"), member };
    let effect = platform.effect(join(member("dan", &[], &["LIBRARY_SHARE"]))).await;
    assert_eq!(effect, (3, vec!["dan 1 request -".to_owned(), "dan 1 share +".to_owned()]));
    let effect = platform.effect(join(member("dan", &[], &[]))).await;
    assert_eq!(effect, (3, vec!["dan 1 request +".to_owned(), "dan 1 share -".to_owned()]));
    // A role's rights and name: those who have it, in its production.
    let effect = platform.effect(role("11", "1", "Editor", &[])).await;
    let flipped = ["ann 1 request +", "ann 1 share -", "ben 1 request +", "ben 1 share -"];
    assert_eq!(effect, (6, flipped.map(str::to_owned).to_vec()));
    let effect = platform.effect(role("11", "1", "Cutter", &[])).await;
    assert_eq!(effect, (6, vec!["ann 1 edit -".to_owned(), "ben 1 edit -".to_owned()]));
    // A team: its members, wherever they are.
    let effect = platform.effect(team(&["LIBRARY_SHARE"], &["1", "2"])).await;
    let flipped = ["dan 1 request -", "dan 1 share +", "dan 2 request -", "dan 2 share +"];
    assert_eq!(effect, (6, flipped.map(str::to_owned).to_vec()));
    let effect = platform.effect(team(&["LIBRARY_SHARE"], &["2"])).await;
    assert_eq!(effect, (6, vec!["dan 1 request +".to_owned(), "dan 1 share -".to_owned()]));
    // An archived production: all of it, and nothing of the other.
    let effect = platform.effect(production("1", "Archived")).await;
    assert_eq!((effect.0, effect.1.len()), (12, 4), "{effect:?}");
    assert_eq!(platform.effect(production("1", "Active")).await.0, 12);
    // One action of the settings: those who were asked about it.
    let effect = platform.effect(action("2", "share", "LIBRARY_UPLOAD", Value::Null)).await;
    assert!(effect.0 <= 12 && effect.1.len() == 4, "{effect:?}");
    // A member leaves.
    let effect = platform.effect(Change::Leave { project: Id::from("2"), person: Id::from("ann") }).await;
    assert_eq!(effect, (3, vec!["ann 2 edit -".to_owned()]));
    // The same again touches nothing.
    assert_eq!(platform.effect(team(&["LIBRARY_SHARE"], &["2"])).await, (0, Vec::new()));
}

#[tokio::test]
async fn a_new_policy_keeps_the_settings_actions() {
    let platform = Platform::new();
    let before = platform.answers().await;
    let overlay = "extends: limecraft\nrights: {known: [SOMETHING]}\n";
    platform
        .authorizer
        .set_policy(Policy::load("limecraft", Some(("o.yaml", overlay))).unwrap())
        .expect("needs no other mirror");
    let allowed = |answers: &Answers| answers.values().map(|(allowed, _)| *allowed).collect::<Vec<_>>();
    assert_eq!(allowed(&platform.answers().await), allowed(&before));
    platform.authorizer.apply(Batch::Delta(vec![Change::Remove(ObjectRef::new("action", "1/share"))]));
    let answer = platform.authorizer.check(&Query::new(Subject::Person("ann"), "share", "production", "1")).await;
    assert_eq!(answer.decision.code.name(), "ACTION_UNKNOWN");
}

fn change() -> impl Strategy<Value = Change> {
    let person = proptest::sample::select(PEOPLE.to_vec());
    let at = || proptest::sample::select(vec!["1", "2"]);
    let right = || proptest::sample::subsequence(vec!["LIBRARY_SHARE", "LIBRARY_UPLOAD", "NEW"], 0..=2);
    let expression = proptest::sample::select(vec![
        "LIBRARY_SHARE",
        "!LIBRARY_SHARE",
        "LIBRARY_UPLOAD+!LIBRARY_SHARE",
        "!NEW|LIBRARY_UPLOAD",
        "!!",
        "",
    ]);
    let roles = proptest::sample::select(vec!["", "name[Editor]", "id[11]", "name[Cutter]|id[12]", "Editor"]);
    let filters = proptest::sample::select(vec![Value::Null, by_right("NEW", false), by_right("LIBRARY_SHARE", true)]);
    prop_oneof![
        3 => (at(), person.clone(), proptest::sample::subsequence(vec!["11", "12"], 0..=2), right())
            .prop_map(|(at, person, roles, rights)| Change::Join { project: Id::from(at), member: member(person, &roles, &rights) }),
        1 => (at(), person).prop_map(|(at, person)| Change::Leave { project: Id::from(at), person: Id::from(person) }),
        2 => (at(), any::<bool>(), right())
            .prop_map(|(at, cut, rights)| role(if at == "1" { "11" } else { "12" }, at, if cut { "Cutter" } else { "Editor" }, &rights)),
        1 => at().prop_map(|at| Change::Remove(ObjectRef::new("role", if at == "1" { "11" } else { "12" }))),
        2 => (right(), proptest::sample::subsequence(vec!["1", "2"], 0..=2)).prop_map(|(rights, at)| team(&rights, &at)),
        1 => (at(), any::<bool>()).prop_map(|(at, active)| production(at, if active { "Active" } else { "Archived" })),
        3 => (at(), proptest::sample::select(ACTIONS.to_vec()), expression, roles, filters).prop_map(
            |(at, name, rights, roles, filters)| {
                let roles = if roles.is_empty() { Value::Null } else { Value::text(roles) };
                let Change::Upsert(mut record) = action(at, name, rights, roles) else { panic!("is a record") };
                record.fields.retain(|(field, _)| field != "filters");
                Change::Upsert(record.with("filters", filters))
            }
        ),
        1 => (at(), proptest::sample::select(ACTIONS.to_vec()))
            .prop_map(|(at, name)| Change::Remove(ObjectRef::new("action", &format!("{at}/{name}")))),
        1 => any::<bool>().prop_map(|there| match there {
            true => Change::Upsert(Record::new("right", "NEW")),
            false => Change::Remove(ObjectRef::new("right", "NEW")),
        }),
    ]
}

fn by_right(right: &str, wanted: bool) -> Value {
    let key = ("key".into(), Value::text(&format!("userRights.{right}")));
    Value::List(vec![Value::Map(vec![key, ("values".into(), Value::List(vec![Value::Bool(wanted)]))])])
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(150))]
    #[test]
    fn cached_and_decided_anew_agree_whatever_changes(changes in proptest::collection::vec(change(), 1..40)) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let cached = Platform::new();
        let mut history = Vec::new();
        for change in changes {
            runtime.block_on(cached.answers());
            cached.authorizer.apply(Batch::Delta(vec![change.clone()]));
            history.push(change);
            // All of it at once, in a mirror that has kept nothing.
            let anew = Platform::new();
            anew.authorizer.apply(Batch::Delta(history.clone()));
            for person in PEOPLE {
                for at in ["1", "2"] {
                    for action in ACTIONS {
                        let query = Query::new(Subject::Person(person), action, "production", at);
                        let [kept, fresh] = [&cached, &anew].map(|platform| runtime.block_on(platform.authorizer.check(&query)));
                        prop_assert_eq!(kept.decision.code, fresh.decision.code, "{} {} {}", person, at, action);
                        prop_assert_eq!(&kept.said.text, &fresh.said.text);
                    }
                }
            }
        }
    }
}
