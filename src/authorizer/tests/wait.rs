//! What is under way is waited for, as long as it is worth it and no longer.

use super::*;

const TASK: &str = "T";

fn objects(objects: &[(&str, &str)]) -> Vec<ObjectRef> {
    objects.iter().map(|(kind, id)| ObjectRef::new(kind, id)).collect()
}

/// Asks while a change is under way that is applied after 15 ms; says what was answered, and how long it took.
async fn while_pending(
    authorizer: &Authorizer,
    query: &Query<'_>,
    pending: &[(&str, &str)],
    changes: Vec<Change>,
) -> (Reason, Duration) {
    let pending = objects(pending);
    authorizer.mark_pending(&pending);
    assert!(authorizer.check_now(query).is_none(), "has to wait: {query:?}");
    let began = Instant::now();
    let apply = async {
        tokio::time::sleep(Duration::from_millis(15)).await;
        authorizer.delta(changes);
        authorizer.clear_pending(&pending);
    };
    let (answer, ()) = tokio::join!(authorizer.check(query), apply);
    (answer.decision.code, began.elapsed())
}

#[tokio::test]
async fn a_decision_waits_for_what_it_rests_on() {
    let patient = || live_with(Options { pending_wait: Duration::from_secs(5), ..Options::default() }).0;
    let read = ask("art", "publish", "task", TASK);
    let upsert = |record| vec![Change::Upsert(record)];
    let cases = [
        ("the task", read.clone(), vec![("task", TASK)], upsert(task(TASK, &[])), Reason::NoGrant),
        ("the person", read.clone(), vec![("person", "art")], upsert(person("art", "admin")), Reason::Granted),
        (
            "the person's end",
            ask("art", "read", "department", "D"),
            vec![("person", "art")],
            upsert(Record::new("person", "art").with("active", false)),
            Reason::SubjectInactive,
        ),
        ("the team", read.clone(), vec![("project", "P")], vec![team("P", &[])], Reason::NotMember),
        (
            "the shot's creator",
            ask("ven", "publish", "task", TASK),
            vec![("shot", "S")],
            upsert(Record::new("shot", "S").in_project("P").with("created_by", Value::text("ven"))),
            Reason::Granted,
        ),
        (
            "a task of the shot",
            ask("ven", "read", "shot", "S"),
            vec![("task", TASK)],
            upsert(task(TASK, &["ven"])),
            Reason::Granted,
        ),
        (
            "a new task",
            ask("man", "read", "task", "new"),
            vec![("task", "new")],
            upsert(task("new", &[])),
            Reason::Granted,
        ),
        (
            "a new person",
            ask("new", "read", "task", TASK),
            vec![("person", "new")],
            upsert(person("new", "admin")),
            Reason::Granted,
        ),
        (
            "a task that ends",
            read,
            vec![("task", TASK)],
            vec![Change::Remove(ObjectRef::new("task", TASK))],
            Reason::ResourceUnknown,
        ),
    ];
    for (what, query, pending, changes, expected) in cases {
        let authorizer = patient();
        let (code, took) = while_pending(&authorizer, &query, &pending, changes).await;
        assert_eq!(code, expected, "{what}");
        assert!(took >= Duration::from_millis(14) && took < Duration::from_secs(2), "{what}: {took:?}");
    }
}

#[tokio::test]
async fn what_a_question_names_is_waited_for_before_it_is_known() {
    let (authorizer, _) = live_with(Options { pending_wait: Duration::from_secs(5), ..Options::default() });
    let mut create = ask("man", "create", "shot", "");
    create.project = Some(Id::from("Q"));
    let changes = vec![
        Change::Upsert(Record::new("project", "Q").with("project_status_id", Value::text("open"))),
        team("Q", &[("man", None)]),
    ];
    let (code, _) = while_pending(&authorizer, &create, &[("project", "Q")], changes).await;
    assert_eq!(code, Reason::Granted, "a new project");

    let mut comment = ask("art", "comment", "task", TASK);
    comment.value = Some(std::borrow::Cow::Owned(Value::text("new")));
    let status = Record::new("task_status", "new").with("is_artist_allowed", true);
    let (code, _) = while_pending(&authorizer, &comment, &[("task_status", "new")], vec![Change::Upsert(status)]).await;
    assert_eq!(code, Reason::Granted, "a new status");

    let mut assign = ask("man", "assign", "task", TASK);
    assign.value = Some(std::borrow::Cow::Owned(Value::text("new")));
    let (code, _) =
        while_pending(&authorizer, &assign, &[("person", "new")], vec![Change::Upsert(person("new", "user"))]).await;
    assert_eq!(code, Reason::Granted, "a new assignee");
}

#[tokio::test]
async fn what_it_does_not_rest_on_is_not_waited_for() {
    let authorizer = live();
    authorizer.upsert(task("T2", &["art"]));
    authorizer.mark_pending(&objects(&[("task", "T2"), ("person", "ven"), ("project", "Q"), ("no such kind", "x")]));
    assert_eq!(authorizer.code(&ask("art", "publish", "task", TASK)), Reason::Granted);
    assert_eq!(authorizer.code(&ask("art", "publish", "task", TASK)), Reason::Granted, "nor from the cache");
}

#[test]
fn however_much_is_under_way_an_answer_costs_the_same() {
    let authorizer = live();
    let flood: Vec<_> = (0..50_000).map(|n| ObjectRef::new("task", &format!("of an import {n}"))).collect();
    authorizer.mark_pending(&flood);
    let began = Instant::now();
    for _ in 0..2_000 {
        assert_eq!(authorizer.code(&ask("art", "publish", "task", TASK)), Reason::Granted);
    }
    assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
}

#[tokio::test]
async fn past_the_wait_the_old_mirror_answers_and_says_its_age() {
    let (authorizer, clock) = live_with(Options::default());
    let query = ask("art", "publish", "task", TASK);
    authorizer.now(&query);
    authorizer.mark_pending(&objects(&[("task", TASK)]));
    clock.advance(Duration::from_secs(30));
    authorizer.heard(None);
    let began = Instant::now();
    let answer = authorizer.check(&query).await;
    let took = began.elapsed();
    assert!(took >= Duration::from_millis(50) && took < Duration::from_millis(500), "{took:?}");
    assert_eq!((answer.decision.code, answer.cached), (Reason::Granted, false));
    assert!(answer.freshness.age >= Duration::from_secs(30));
    let mut bounded = query.clone();
    bounded.consistency.max_staleness = Some(Duration::from_secs(20));
    assert_eq!(authorizer.check(&bounded).await.decision.code, Reason::Stale);
    assert_eq!(authorizer.explain(&query).await.answer.decision.code, Reason::Granted);
}

#[tokio::test]
async fn other_changes_do_not_prolong_the_wait() {
    let authorizer = live();
    authorizer.mark_pending(&objects(&[("task", TASK)]));
    let done = std::sync::atomic::AtomicBool::new(false);
    let busy = async {
        let mut n = 0;
        while !done.load(std::sync::atomic::Ordering::Relaxed) {
            n += 1;
            authorizer.upsert(task("T2", if n % 2 == 0 { &["art"] } else { &[] }));
            tokio::task::yield_now().await;
        }
    };
    let query = ask("art", "publish", "task", TASK);
    let check = async {
        let began = Instant::now();
        authorizer.check(&query).await;
        done.store(true, std::sync::atomic::Ordering::Relaxed);
        began.elapsed()
    };
    let (took, ()) = tokio::join!(check, busy);
    assert!(took >= Duration::from_millis(50) && took < Duration::from_millis(500), "{took:?}");
}

#[tokio::test]
async fn a_batch_waits_for_any_of_its_items_and_answers_from_one_revision() {
    let authorizer = live();
    let queries =
        [ask("man", "delete", "task", TASK), ask("art", "publish", "task", TASK), ask("nobody", "x", "y", "z")];
    let pending = objects(&[("task", TASK)]);
    authorizer.mark_pending(&pending);
    let apply = async {
        tokio::time::sleep(Duration::from_millis(10)).await;
        authorizer.upsert(task(TASK, &[]));
        authorizer.clear_pending(&pending);
    };
    let (answers, ()) = tokio::join!(authorizer.check_batch(&queries), apply);
    let codes: Vec<_> = answers.verdicts.iter().map(|verdict| verdict.decision.code).collect();
    assert_eq!(codes, [Reason::Granted, Reason::NoGrant, Reason::SubjectUnknown]);
    assert_eq!(answers.freshness.revision, 2);
    assert!(authorizer.check_batch(&[]).await.verdicts.is_empty());
}

#[tokio::test]
async fn a_revision_that_is_asked_for_is_waited_for() {
    let authorizer = live();
    let mut query = ask("art", "publish", "task", TASK);
    query.consistency.at_least_revision = 1;
    assert_eq!(authorizer.now(&query).freshness.revision, 1);
    query.consistency.at_least_revision = 3;
    assert!(authorizer.check_now(&query).is_none());
    let apply = async {
        tokio::time::sleep(Duration::from_millis(5)).await;
        authorizer.upsert(task(TASK, &["art", "ven"]));
        authorizer.upsert(task(TASK, &["art", "ven"]));
        tokio::time::sleep(Duration::from_millis(5)).await;
        authorizer.upsert(task(TASK, &[]));
    };
    let (answer, ()) = tokio::join!(authorizer.check(&query), apply);
    assert_eq!((answer.decision.code, answer.freshness.revision), (Reason::NoGrant, 3));
    query.consistency.at_least_revision = 4;
    let never = tokio::time::timeout(Duration::from_millis(20), authorizer.check(&query)).await;
    assert!(never.is_err(), "the caller's deadline ends it");
    assert_eq!(authorizer.code(&ask("art", "publish", "task", TASK)), Reason::NoGrant, "and nothing is stuck");
}

#[test]
fn a_batch_sees_one_revision_while_changes_go_on() {
    let authorizer = live();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().expect("builds");
    let stop = std::sync::atomic::AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            // The task is always assigned to exactly one of the two.
            for n in 0.. {
                authorizer.upsert(task(TASK, if n % 2 == 0 { &["ven"] } else { &["art"] }));
                if stop.load(std::sync::atomic::Ordering::Relaxed) {
                    return;
                }
            }
        });
        let queries = [ask("art", "publish", "task", TASK), ask("ven", "publish", "task", TASK)];
        for round in 0..3_000 {
            let answers = runtime.block_on(authorizer.check_batch(&queries));
            let [art, ven] = &answers.verdicts[..] else { panic!("two answers") };
            assert_ne!(art.decision.allowed(), ven.decision.allowed(), "round {round}");
        }
        stop.store(true, std::sync::atomic::Ordering::Relaxed);
    });
}
