//! Neither a decision nor an answer from the cache asks the allocator for anything; a whole call does for what the
//! transport needs.

use std::sync::Arc;
use std::time::Instant;

use stagedoor::authorizer::{Authorizer, Clock, Feed, Options};
use stagedoor::directory::Directory;
use stagedoor::engine::policy::Policy;
use stagedoor::engine::{Resolved, decide, resolve};
use stagedoor::model::change::{Batch, Change, Snapshot};
use stagedoor::model::id::Id;
use stagedoor::model::query::{Query, Subject};
use stagedoor::model::record::{Member, Record};
use stagedoor::model::value::Value;
use stagedoor::tracker::file::DEMO;
use stagedoor::tracker::file::studio::{self, Vocabulary};

fn policy() -> Policy {
    Policy::load("kitsu", None).expect("compiles")
}

fn demo() -> Snapshot {
    let policy = policy();
    let roles = policy.roles().map(Into::into).collect();
    let words = Vocabulary { pack: policy.tracker.clone(), schema: Arc::clone(&policy.schema), roles };
    studio::read("demo.yaml", DEMO, &words).expect("is right")
}

/// Everybody in the demo studio asks everything about a task, a shot, a project and a person.
fn every_query<'q>(policy: &Policy, people: &'q [String]) -> Vec<Query<'q>> {
    let mut queries = Vec::new();
    let resources = [("task", "sh010-animation"), ("shot", "sh010"), ("project", "atlas"), ("person", "bo")];
    for (kind, id) in resources {
        for (action, _) in policy.vocabulary(kind) {
            let action: &'static str = Box::leak(action.into_boxed_str());
            queries.extend(people.iter().map(|who| Query::new(Subject::Person(who), action, kind, id)));
        }
    }
    queries
}

fn people(demo: &Snapshot) -> Vec<String> {
    let person = |change: &Change| match change {
        Change::Upsert(record) if record.kind == "person" => Some(record.id.to_string()),
        _ => None,
    };
    demo.changes.iter().filter_map(person).collect()
}

#[test]
fn a_decision_allocates_nothing() {
    let (policy, demo) = (policy(), demo());
    let people = people(&demo);
    let mut directory = Directory::new(policy.schema.clone());
    let changes = directory.difference(demo);
    directory.apply(changes);
    let view = directory.view();
    let mut counted = 0;
    for query in every_query(&policy, &people) {
        let mut known = false;
        let allocated = allocation_counter::measure(|| {
            if let Resolved::Case(case) = resolve(&policy, view, &query) {
                known = decide(view, &case).missing.is_empty();
            }
        });
        // Who shares a project with whom is found by walking through whole teams.
        if known && (query.kind, query.action) != ("person", "read") {
            counted += 1;
            assert_eq!(allocated.count_total, 0, "{query:?}");
        }
    }
    assert!(counted > 500, "{counted}");
}

#[test]
fn nor_does_one_by_roles_and_restrictions() {
    let overlay = include_str!("../cases/policies/ftrack.yaml");
    let policy = Policy::load("ftrack", Some(("overlay", overlay))).expect("compiles");
    let workspace = include_str!("../cases/studios/ftrack.yaml");
    let workspace = studio::read("ftrack.yaml", workspace, &Vocabulary::of(&policy)).expect("is right");
    let mut directory = Directory::new(policy.schema.clone());
    let changes = directory.difference(workspace);
    directory.apply(changes);
    let view = directory.view();
    let mut counted = 0;
    for who in ["restricted", "user", "pm", "admin", "nobody", "lighter", "user-harbour", "restricted-pm"] {
        for (action, value) in
            [("read", None), ("update", None), ("set_status", None), ("set_status", Some("Approved")), ("delete", None)]
        {
            for (kind, id) in [("task", "comp"), ("task", "isle-comp"), ("shot", "sh010"), ("project", "harbour")] {
                let mut query = Query::new(Subject::Person(who), action, kind, id);
                query.value = value.map(|value| std::borrow::Cow::Owned(Value::text(value)));
                let allocated = allocation_counter::measure(|| {
                    if let Resolved::Case(case) = resolve(&policy, view, &query) {
                        counted += usize::from(decide(view, &case).missing.is_empty());
                    }
                });
                assert_eq!(allocated.count_total, 0, "{query:?}");
            }
        }
    }
    assert!(counted > 100, "{counted}");
}

#[test]
fn nor_does_one_by_a_permission_page() {
    let roles = include_str!("../cases/policies/flow-studio.yaml");
    let mut policy = Policy::load("flow", Some(("roles.yaml", roles))).expect("compiles");
    let site = include_str!("../cases/studios/flow.yaml");
    let site = studio::read("flow.yaml", site, &Vocabulary::of(&policy)).expect("is right");
    let mut directory = Directory::new(policy.schema.clone());
    let changes = directory.difference(site);
    directory.apply(changes);
    let view = directory.view();
    policy.follow_all(view);
    let mut counted = 0;
    for who in ["101", "102", "103", "104", "105", "106", "107", "108", "112", "113"] {
        for (action, field, value) in [
            ("read", "", None),
            ("read", "created_by", None),
            ("update", "", None),
            ("update", "sg_status_list", None),
            ("update", "sg_status_list", Some("fin")),
            ("update", "created_by", None),
            ("delete", "", None),
        ] {
            for (kind, id) in
                [("task", "1001"), ("task", "1002"), ("shot", "801"), ("note", "1303"), ("version", "1101")]
            {
                let mut query = Query::new(Subject::Person(who), action, kind, id);
                query.field = field;
                query.value = value.map(|value| std::borrow::Cow::Owned(Value::text(value)));
                let allocated = allocation_counter::measure(|| {
                    if let Resolved::Case(case) = resolve(&policy, view, &query) {
                        counted += usize::from(decide(view, &case).missing.is_empty());
                    }
                });
                assert_eq!(allocated.count_total, 0, "{query:?}");
            }
        }
    }
    assert!(counted > 200, "{counted}");
}

/// Asks each question twice; an answer from the cache may not allocate. How many were.
fn hits(policy: Policy, changes: Vec<Change>, queries: &[Query<'_>]) -> usize {
    let authorizer = Authorizer::new(policy, Options::default(), Clock::system());
    authorizer.apply(Batch::Delta(changes));
    authorizer.known_equal(Instant::now());
    authorizer.feed(Feed::Live);
    let mut hits = 0;
    for query in queries {
        authorizer.check_now(query);
        let mut answer = None;
        let allocated = allocation_counter::measure(|| answer = authorizer.check_now(query));
        if answer.is_some_and(|answer| answer.cached) {
            assert_eq!(allocated.count_total, 0, "{query:?}");
            hits += 1;
        }
    }
    hits
}

#[test]
fn nor_does_an_answer_from_the_cache() {
    let snapshot = demo();
    let people = people(&snapshot);
    let hits_of_demo = hits(policy(), snapshot.changes, &every_query(&policy(), &people));

    let overlay = include_str!("../cases/policies/ftrack.yaml");
    let ftrack = Policy::load("ftrack", Some(("overlay", overlay))).expect("compiles");
    let workspace = include_str!("../cases/studios/ftrack.yaml");
    let workspace = studio::read("ftrack.yaml", workspace, &Vocabulary::of(&ftrack)).expect("is right");
    let queries = ["read", "update", "delete"].into_iter().flat_map(|action| {
        ["restricted", "user", "pm", "admin", "lighter"]
            .map(|who| Query::new(Subject::Person(who), action, "task", "comp"))
    });
    let hits_of_ftrack = hits(ftrack, workspace.changes, &queries.collect::<Vec<_>>());

    let (limecraft, changes) = platform();
    let queries = ["share", "open.the.production.in.another.window"]
        .into_iter()
        .flat_map(|action| ["ann", "ben"].map(|who| Query::new(Subject::Person(who), action, "production", "1")));
    let hits_of_limecraft = hits(limecraft, changes, &queries.collect::<Vec<_>>());
    let hits = (hits_of_demo, hits_of_ftrack, hits_of_limecraft);
    assert!(hits.0 > 500 && hits.1 > 5 && hits.2 == 4, "{hits:?}");
}

/// A production with declared actions, one of them with a long name; one has the right for them from a role, one from a
/// team.
fn platform() -> (Policy, Vec<Change>) {
    let action = |name: &str| {
        let record = Record::new("action", name).in_project("1").with("of", Value::text("production"));
        let record = record.with("action", Value::text(name)).with("order", Value::Number(1.0));
        let record = record.with("required_rights", Value::text("LIBRARY_SHARE+!LIBRARY_DELETE|LIBRARY_UPLOAD"));
        Change::Upsert(record.with("filters", Value::Null).with("required_roles", Value::Null))
    };
    let rights = |record: Record| Change::Upsert(record.with("rights", Value::texts(["LIBRARY_SHARE"])));
    let editor = Member { roles: vec![Id::from("11")], ..Member::new(Id::from("ann"), None) };
    let team = Record::new("team", "5").with("users", Value::texts(["ben"]));
    let changes = vec![
        Change::Upsert(Record::new("person", "ann").with("active", true)),
        Change::Upsert(Record::new("person", "ben").with("active", true)),
        Change::Upsert(Record::new("production", "1").with("status", Value::text("Active"))),
        rights(Record::new("role", "11").named("Editor").in_project("1")),
        rights(team.with("productions", Value::texts(["1"]))),
        Change::Team { project: Id::from("1"), members: vec![editor, Member::new(Id::from("ben"), None)] },
        action("share"),
        action("open.the.production.in.another.window"),
    ];
    (Policy::load("limecraft", None).expect("compiles"), changes)
}

#[test]
fn nor_does_one_by_declared_actions() {
    let (mut policy, changes) = platform();
    let mut directory = Directory::new(policy.schema.clone());
    directory.apply(changes);
    let view = directory.view();
    policy.follow_all(view);
    for who in ["ann", "ben", "nobody"] {
        for action in ["share", "open.the.production.in.another.window", "no.such.action.in.the.settings.of.it"] {
            let query = Query::new(Subject::Person(who), action, "production", "1");
            let allocated = allocation_counter::measure(|| match resolve(&policy, view, &query) {
                Resolved::Case(case) => assert!(decide(view, &case).decision.allowed()),
                Resolved::Decided { decision, .. } => assert!(!decision.allowed()),
                Resolved::Missing(object) => panic!("{object:?}"),
            });
            assert_eq!(allocated.count_total, 0, "{query:?}");
        }
    }
}

/// A call as it comes over the wire, and what it needs of the allocator until its answer is written.
mod calls {
    use std::convert::Infallible;
    use std::time::Duration;

    use bytes::{BufMut as _, Bytes, BytesMut};
    use http::{Request, Response};
    use prost::Message;
    use stagedoor::proto::v1;
    use stagedoor::serve::door::Door;
    use stagedoor::serve::drain::Drain;
    use tonic::body::Body;
    use tower::Service as _;

    use super::*;

    fn question() -> v1::CheckRequest {
        v1::CheckRequest {
            subject: Some(v1::Subject { r#type: String::new(), id: "bo".into() }),
            action: Some(v1::Action { name: "comment".into(), ..Default::default() }),
            resource: Some(v1::Resource { r#type: "task".into(), id: "sh010-animation".into(), ..Default::default() }),
            ..Default::default()
        }
    }

    fn request(method: &str, message: &impl Message) -> Request<Body> {
        let mut bytes = BytesMut::new();
        bytes.put_u8(0);
        bytes.put_u32(u32::try_from(message.encoded_len()).expect("is small"));
        message.encode(&mut bytes).expect("fits");
        Request::post(format!("/stagedoor.v1.Authorization/{method}"))
            .header("content-type", "application/grpc")
            .body(Body::new(axum::body::Body::from(bytes.freeze())))
            .expect("is a request")
    }

    async fn answered(called: impl Future<Output = Result<Response<Body>, Infallible>>) -> Bytes {
        let Ok(response) = called.await;
        let bytes = axum::body::to_bytes(axum::body::Body::new(response.into_body()), usize::MAX).await;
        bytes.expect("is answered").slice(5..)
    }

    fn door() -> Door {
        let authorizer = Authorizer::new(policy(), Options::default(), Clock::system());
        authorizer.apply(Batch::Snapshot(demo()));
        authorizer.known_equal(Instant::now());
        authorizer.feed(Feed::Live);
        Door::new(authorizer, Drain::new(Duration::from_secs(1)))
    }

    /// The allocations of one call that is answered from the cache; the fewest, since the cache sorts its books now and then.
    fn fewest(door: &mut Door, method: &str, message: &impl Message) -> u64 {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().expect("builds");
        let counts = (0..20).map(|_| {
            let request = request(method, message);
            let counted = allocation_counter::measure(|| drop(runtime.block_on(answered(door.call(request)))));
            counted.count_total
        });
        counts.min().expect("was called")
    }

    #[test]
    fn a_whole_check_allocates_for_the_transport_only() {
        let mut door = door();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().expect("builds");
        let answer = runtime.block_on(answered(door.call(request("Check", &question()))));
        let answer = v1::CheckResponse::decode(answer).expect("is an answer");
        assert_eq!(answer.decision(), v1::Decision::Allow);
        let check = fewest(&mut door, "Check", &question());
        println!("{check} allocations a Check");
        assert!(check <= 18, "{check} allocations");
    }

    #[test]
    fn nor_does_a_batch_allocate_for_its_items() {
        let mut door = door();
        let batch = |items| v1::BatchCheckRequest { items: vec![question(); items], ..Default::default() };
        let (few, many) = (batch(10), batch(200));
        let (few, many) = (fewest(&mut door, "BatchCheck", &few), fewest(&mut door, "BatchCheck", &many));
        println!("{few} allocations a batch of 10, {many} a batch of 200");
        // Lists that grow do so now and then.
        assert!(many <= few + 20, "{few} allocations for 10 items, {many} for 200");
    }
}
