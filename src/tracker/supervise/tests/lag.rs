//! Events that come before what they announce can be read, and those that do not name what is read on first use.

use std::time::{Duration, Instant, SystemTime};

use super::fake::{Running, comment, task};
use super::options;
use crate::model::id::ObjectRef;
use crate::tracker::{Scope, Signal};

#[tokio::test]
async fn the_mirror_is_no_younger_than_what_can_be_read_of_what_was_announced() {
    let running = Running::start(options()).await;
    running.fresh().await;
    running.fake.sure(Some(Instant::now()));
    let announced = SystemTime::now();
    tokio::time::sleep(Duration::from_millis(50)).await;
    running.fake.changed(&[task()]);
    running.until("read", async |running| running.stats.rereads.get() == 1).await;
    running.fake.signal(Signal::Heartbeat);
    running.idle().await;
    let slack = Duration::from_millis(10);
    assert!(running.authorizer.status().as_of <= announced + slack);
    running.fake.sure(None);
    running.fresh().await;
    running.stop().await;
}

#[tokio::test]
async fn a_stream_that_tells_late_is_followed_as_far_as_it_is_sure() {
    let running = Running::start(options()).await;
    running.fresh().await;
    tokio::time::sleep(Duration::from_millis(50)).await;
    let (sure, wall) = (Instant::now(), SystemTime::now());
    running.fake.sure(Some(sure));
    tokio::time::sleep(Duration::from_millis(50)).await;
    let slack = Duration::from_millis(10);
    running.fake.hold_rereads(true);
    running.fake.changed(&[task()]);
    running.fake.signal(Signal::Heartbeat);
    tokio::time::sleep(Duration::from_millis(50)).await;
    assert!(running.authorizer.status().as_of < wall - slack, "something is pending");
    running.fake.hold_rereads(false);
    running.until("read", async |running| running.authorizer.status().as_of >= wall - slack).await;
    running.fake.signal(Signal::Heartbeat);
    running.idle().await;
    assert!(running.authorizer.status().as_of <= wall + slack);
    running.stop().await;
}

#[tokio::test]
async fn changed_rules_of_a_role_are_counted_until_the_policy_is_put_in_force_anew() {
    let running = Running::start(options()).await;
    let counted = || running.authorizer.status().counts.get("role_rules_changed").copied();
    assert_eq!(counted(), None);
    for _ in 0..2 {
        running.fake.signal(Signal::RulesChanged { objects: vec![task()], said: "Artist by Jane".into() });
    }
    running.until("counted", async |_| counted() == Some(2)).await;
    running.until("read", async |running| running.fake.rereads(&task()) > 0).await;
    running.authorizer.set_policy(super::fake::policy()).expect("a policy over the same kinds");
    assert_eq!(counted(), None);
    running.stop().await;
}

#[tokio::test]
async fn all_that_was_read_on_first_use_of_a_table_is_forgotten_at_once() {
    let running = Running::start(options()).await;
    let reload = || Signal::Reload { scope: Scope::All, objects: Vec::new() };
    let whole = || Signal::Changed { objects: vec![ObjectRef::new("comment", "")], cursor: None };
    assert!(running.may_delete_comment().await);
    running.fake.comment_by_another();
    assert!(running.may_delete_comment().await, "held");
    running.fake.signal(whole());
    running.until("another's", async |running| !running.may_delete_comment().await).await;
    let read = running.fake.rereads(&comment());
    running.fake.signal(reload());
    let again = async |running: &Running| {
        running.may_delete_comment().await;
        running.fake.rereads(&comment()) > read
    };
    running.until("read again", again).await;
    assert_eq!(running.fake.rereads(&ObjectRef::new("comment", "")), 0);
    running.stop().await;
}

#[tokio::test]
async fn a_first_use_read_that_began_before_its_table_was_to_be_forgotten_is_done_again() {
    let running = Running::start(options()).await;
    running.fake.hold_rereads(true);
    let asking = async { running.may_delete_comment().await };
    let changing = async {
        running.until("begun", async |running| running.fake.rereads(&comment()) == 1).await;
        running.fake.comment_by_another();
        running.fake.changed(&[ObjectRef::new("comment", "")]);
        running.until("heard", async |running| running.stats.events.get() == 1).await;
        running.fake.hold_rereads(false);
    };
    let (_, ()) = futures_util::join!(asking, changing);
    running.until("another's", async |running| !running.may_delete_comment().await).await;
    running.stop().await;
}

fn the_task_in(fake: &super::fake::Fake, asset: &str) {
    let mut record = super::fake::task_record(true);
    record.fields.retain(|(name, _)| *name != "entity_id");
    fake.set(record.with("entity_id", crate::model::value::Value::text(asset)));
}

fn taken_along(running: &Running, by: &str) {
    running.fake.signal(Signal::Hanging { on: vec![ObjectRef::new("asset", by)], field: "entity_id".into() });
}

#[tokio::test]
async fn what_hangs_on_another_by_what_is_being_read_is_read_once_more() {
    let running = Running::start(options()).await;
    // Read as one that leads there, and not known to yet when that takes it along.
    the_task_in(&running.fake, "new");
    running.fake.hold_rereads(true);
    running.fake.changed(&[task()]);
    running.until("asked", async |running| running.fake.rereads(&task()) == 1).await;
    taken_along(&running, "new");
    running.fake.remove(&task());
    tokio::time::sleep(Duration::from_millis(50)).await;
    running.fake.hold_rereads(false);
    running.until("read again", async |running| running.fake.rereads(&task()) == 2).await;
    running.idle().await;
    assert_eq!(running.fake.rereads(&task()), 2, "what is read later is new enough");
    assert!(!running.may_comment().await);
    running.stop().await;
}

#[tokio::test]
async fn what_hangs_on_another_by_what_a_load_reads_is_read_once_more() {
    for parts in [None, Some(1)] {
        let running = Running::start_with(options(), |fake| {
            the_task_in(fake, "new");
            if let Some(of) = parts {
                fake.in_parts(of);
            }
            fake.hold_loads(true);
        });
        let begun = async |running: &Running| running.fake.calls().contains(&super::fake::Call::Load(Scope::All));
        running.until("begun", begun).await;
        taken_along(&running, "new");
        running.fake.remove(&task());
        tokio::time::sleep(Duration::from_millis(50)).await;
        assert_eq!(running.fake.rereads(&task()), 0);
        running.fake.hold_loads(false);
        running.until("read again", async |running| running.fake.rereads(&task()) == 1).await;
        running.idle().await;
        assert!(!running.may_comment().await && running.fake.rereads(&task()) == 1);
        running.stop().await;
    }
}
