//! Loads that hand over what they read before they are done.

use std::time::Duration;

use super::fake::{Call, Fake, Running, task, task_record};
use super::options;
use crate::authorizer::State;
use crate::directory::{Directory, Listed};
use crate::engine::policy::Policy;
use crate::model::change::Change;
use crate::model::id::{Id, Key, ObjectRef};
use crate::model::record::Record;
use crate::tracker::supervise::Options;
use crate::tracker::{Scope, Signal};

fn numbered(number: usize) -> (ObjectRef, Record) {
    let record = Record { id: Id::from(format!("t{number:05}").as_str()), ..task_record(true) };
    (record.object(), record)
}

fn with_tasks(count: usize) -> impl Fn(&Fake) {
    move |fake| {
        fake.in_parts(100);
        (0..count).for_each(|number| fake.set(numbered(number).1));
    }
}

fn tasks(running: &Running) -> u64 {
    running.authorizer.status().counts.iter().find(|(kind, _)| *kind == "task").map_or(0, |(_, count)| *count)
}

fn reload(running: &Running) {
    running.fake.signal(Signal::Reload { scope: Scope::Large, objects: Vec::new() });
}

async fn loads(running: &Running, count: u64) {
    running.until("loaded", async |running| running.stats.loads.get() == count).await;
    running.fresh().await;
}

#[tokio::test]
async fn parts_are_applied_while_the_first_load_goes_on_and_nothing_is_answered_from_them() {
    let running = Running::start_with(options(), |fake| {
        with_tasks(1_000)(fake);
        fake.hold_loads(true);
    });
    running.until("a part", async |running| tasks(running) > 0).await;
    assert!(tasks(&running) < 1_000);
    assert_eq!(running.authorizer.state(), State::Loading);
    running.fake.hold_loads(false);
    running.until("live", async |running| running.authorizer.state() == State::Live).await;
    assert_eq!(tasks(&running), 1_001);
    running.idle().await;
    assert!(!running.fake.calls().iter().any(|call| matches!(call, Call::Reread(_))), "nothing is doubtful");
    running.stop().await;
}

#[tokio::test]
async fn what_the_pages_missed_is_re_read_and_stays_unless_it_is_gone() {
    let running = Running::start_with(options(), with_tasks(2_000));
    running.until("live", async |running| running.authorizer.state() == State::Live).await;
    let (there, gone): (Vec<_>, Vec<_>) =
        (0..1_200).map(|number| numbered(number).0).partition(|object| object.id.to_string().ends_with('1'));
    gone.iter().for_each(|object| running.fake.remove(object));
    running.fake.miss(&there);
    running.fake.hold_rereads(true);
    let before = running.authorizer.status().as_of;
    reload(&running);
    running.until("doubted", async |running| running.fake.rereads(&numbered(0).0) == 1).await;
    running.fake.signal(Signal::Heartbeat);
    tokio::time::sleep(Duration::from_millis(20)).await;
    assert_eq!(tasks(&running), 2_001, "only what a re-read says is gone is dropped");
    assert!(running.authorizer.status().as_of <= before + Duration::from_secs(1));
    let held = running.authorizer.status().as_of;
    running.fake.signal(Signal::Heartbeat);
    tokio::time::sleep(Duration::from_millis(20)).await;
    assert_eq!(running.authorizer.status().as_of, held, "while it is doubted, the mirror is not known to be equal");
    running.fake.hold_rereads(false);
    running.until("dropped", async |running| tasks(running) == 2_001 - 1_080).await;
    loads(&running, 2).await;
    for object in there.iter().chain(&gone) {
        assert_eq!(running.fake.rereads(object), 1, "{object}");
    }
    assert_eq!(running.fake.rereads(&task()), 0);
    running.stop().await;
}

#[tokio::test]
async fn more_doubts_than_the_queue_holds_are_settled_a_few_at_a_time() {
    let running = Running::start_with(Options { queue: 50, ..options() }, with_tasks(1_000));
    running.until("live", async |running| running.authorizer.state() == State::Live).await;
    (0..900).for_each(|number| running.fake.remove(&numbered(number).0));
    reload(&running);
    running.until("dropped", async |running| tasks(running) == 101).await;
    loads(&running, 2).await;
    assert_eq!(running.stats.overflows.get(), 0);
    running.stop().await;
}

#[tokio::test]
async fn a_load_that_fails_after_some_parts_drops_nothing() {
    let running = Running::start_with(options(), with_tasks(1_000));
    running.until("live", async |running| running.authorizer.state() == State::Live).await;
    let (object, record) = numbered(7);
    running.fake.remove(&numbered(3).0);
    running.fake.set(record.named("renamed"));
    running.fake.fail_loads(true);
    reload(&running);
    let tried = async |running: &Running| {
        running.fake.calls().iter().filter(|call| **call == Call::Load(Scope::Large)).count() >= 3
    };
    running.until("tried", tried).await;
    assert_eq!((tasks(&running), running.fake.rereads(&numbered(3).0)), (1_001, 0));
    assert_eq!(running.stats.loads.get(), 1);
    running.fake.fail_loads(false);
    running.until("dropped", async |running| tasks(running) == 1_000).await;
    assert_eq!(running.fake.rereads(&object), 0);
    loads(&running, 2).await;
    running.stop().await;
}

#[tokio::test]
async fn a_part_does_not_put_back_what_an_event_has_changed_since() {
    let running = Running::start_with(options(), |fake| {
        fake.in_parts(1);
        (0..10).for_each(|number| fake.set(numbered(number).1));
    });
    running.until("live", async |running| running.authorizer.state() == State::Live).await;
    running.fake.hold_loads(true);
    reload(&running);
    running.until("loading", async |running| running.fake.calls().last() == Some(&Call::Load(Scope::Large))).await;
    // Its parts have the old state: the task is not assigned.
    assert!(!running.may_comment().await);
    running.fake.assign(true);
    running.fake.changed(&[task()]);
    running.until("assigned", async |running| running.may_comment().await).await;
    let (created, record) = numbered(99);
    running.fake.set(record);
    running.fake.changed(std::slice::from_ref(&created));
    running.until("created", async |running| tasks(running) == 12).await;
    running.fake.hold_loads(false);
    loads(&running, 2).await;
    assert!(running.may_comment().await);
    assert_eq!(tasks(&running), 12, "what was created meanwhile stays");
    running.stop().await;
}

#[test]
fn what_was_listed_is_remembered_in_a_bit_for_each_object() {
    let policy = Policy::load("kitsu", None).expect("the built-in pack compiles");
    let mut directory = Directory::new(policy.schema.clone());
    let changes: Vec<_> = (0..100_000).map(|number| Change::Upsert(numbered(number).1)).collect();
    let mut listed = Listed::default();
    for part in changes.chunks(1_000) {
        directory.apply(part.to_vec());
        directory.list(&directory.named(part), &mut listed);
    }
    assert!(listed.size() <= 32 * 1024, "{} bytes", listed.size());
    let (unlisted, next) = directory.unlisted(&listed, Key(0), 10);
    assert_eq!((unlisted, next), (Vec::new(), None));
    directory.apply([Change::Upsert(Record { id: Id::from("new"), ..task_record(true) })]);
    let (unlisted, _) = directory.unlisted(&listed, Key(0), 10);
    assert_eq!(unlisted, [ObjectRef::new("task", "new")]);
}
