//! Changes that the source tells exactly.

use std::time::Duration;

use super::fake::{Call, Running, task_record};
use super::options;
use crate::authorizer::State;
use crate::model::change::Change;
use crate::tracker::receipt::Receipt;
use crate::tracker::supervise::Options;
use crate::tracker::{CatchUp, Scope, Signal};

/// Tells that somebody is assigned, or nobody.
fn told(assigned: bool, cursor: &str) -> (Signal, Receipt) {
    let receipt = Receipt::default();
    let changes = vec![Change::Upsert(task_record(assigned))];
    (Signal::Told { changes, cursor: Some(cursor.into()), receipt: Some(receipt.clone()) }, receipt)
}

async fn is_acknowledged(receipt: &Receipt) -> bool {
    tokio::time::timeout(Duration::from_millis(30), receipt.acknowledged()).await.is_ok()
}

fn loads(running: &Running) -> usize {
    running.fake.calls().iter().filter(|call| matches!(call, Call::Load(_))).count()
}

#[tokio::test]
async fn what_is_told_takes_effect_without_a_question() {
    let running = Running::start(options()).await;
    let asked = running.fake.calls().len();
    let (signal, receipt) = told(true, "17");
    running.fake.signal(signal);
    receipt.acknowledged().await;
    assert!(running.may_comment().await);
    assert_eq!(&*running.authorizer.status().cursor, "17");
    assert_eq!((running.stats.events.get(), running.stats.changed.get()), (1, 1));
    assert_eq!(running.fake.calls().len(), asked, "nothing is re-read");
    let before = running.authorizer.status().as_of;
    let nothing = Receipt::default();
    let heartbeat = Signal::Told { changes: Vec::new(), cursor: Some("17".into()), receipt: Some(nothing.clone()) };
    running.fake.signal(heartbeat);
    nothing.acknowledged().await;
    assert!(running.authorizer.status().as_of > before);
    assert_eq!(running.stats.events.get(), 1);
    running.stop().await;
}

#[tokio::test]
async fn what_is_told_during_a_load_is_applied_after_it_in_order() {
    let running = Running::start_held(options());
    running.until("loading", async |running| running.fake.calls().contains(&Call::Load(Scope::All))).await;
    let (first, first_receipt) = told(false, "1");
    let (second, second_receipt) = told(true, "2");
    running.fake.signal(first);
    running.fake.signal(second);
    assert!(!is_acknowledged(&second_receipt).await, "the load would overwrite it");
    running.fake.hold_loads(false);
    first_receipt.acknowledged().await;
    second_receipt.acknowledged().await;
    assert!(running.may_comment().await);
    assert_eq!(loads(&running), 1);
    running.stop().await;
}

#[tokio::test]
async fn what_was_told_before_a_load_does_not_put_back_what_is_old() {
    let running = Running::start(options()).await;
    running.fake.hold_loads(true);
    let reload = || Signal::Reload { scope: Scope::All, objects: Vec::new() };
    running.fake.signal(reload());
    running.until("loading", async |running| loads(running) == 2).await;
    let (signal, receipt) = told(true, "1");
    running.fake.signal(signal);
    // The source's next whole state has nobody assigned again.
    running.fake.set(task_record(false));
    running.fake.signal(reload());
    running.fake.hold_loads(false);
    running.until("loaded", async |running| running.stats.loads.get() == 3).await;
    receipt.acknowledged().await;
    assert!(!running.may_comment().await);
    running.stop().await;
}

#[tokio::test]
async fn more_told_than_is_remembered_is_loaded() {
    let running = Running::start(Options { queue: 50, ..options() }).await;
    running.fake.hold_loads(true);
    running.fake.signal(Signal::Reload { scope: Scope::All, objects: Vec::new() });
    running.until("loading", async |running| loads(running) == 2).await;
    running.fake.set(task_record(true));
    let mut receipts = Vec::new();
    for number in 0..60 {
        let (signal, receipt) = told(true, &number.to_string());
        running.fake.signal(signal);
        receipts.push(receipt);
    }
    running.until("overflowed", async |running| running.stats.overflows.get() == 1).await;
    assert!(!running.may_comment().await);
    running.fake.hold_loads(false);
    for receipt in &receipts {
        receipt.acknowledged().await;
    }
    assert!(running.may_comment().await);
    assert_eq!(loads(&running), 3);
    running.until("live", async |running| running.authorizer.state() == State::Live).await;
    running.stop().await;
}

#[tokio::test]
async fn what_is_told_before_the_feed_is_whole_again_proves_nothing() {
    let running = Running::start(options()).await;
    running.fresh().await;
    running.fake.hold_loads(true);
    running.fake.log(None::<CatchUp>);
    running.fake.signal(Signal::Lost("cut".into()));
    running.until("loading", async |running| loads(running) == 2).await;
    let before = running.authorizer.status().as_of;
    let (signal, receipt) = told(true, "9");
    running.fake.signal(signal);
    assert!(!is_acknowledged(&receipt).await);
    assert_eq!(running.authorizer.status().as_of, before);
    running.fake.hold_loads(false);
    receipt.acknowledged().await;
    assert!(running.may_comment().await);
    running.stop().await;
}

#[tokio::test]
async fn what_is_told_before_the_log_is_read_waits_for_the_load_that_may_follow() {
    let running = Running::start(options()).await;
    running.fake.hold_logs(true);
    running.fake.log(None::<CatchUp>);
    running.fake.signal(Signal::Lost("cut".into()));
    running.until("reconnected", async |running| running.stats.reconnects.get() == 1).await;
    let (signal, receipt) = told(true, "9");
    running.fake.signal(signal);
    assert!(!is_acknowledged(&receipt).await, "what was missed is not known yet");
    running.fake.hold_logs(false);
    receipt.acknowledged().await;
    assert_eq!(loads(&running), 2);
    assert!(!running.may_comment().await, "the load is newer than what was told before it");
    running.stop().await;
}
