//! Re-reads that bring more than they were asked for.

use std::time::Duration;

use super::fake::{Call, Running, task};
use super::options;
use crate::model::id::ObjectRef;
use crate::tracker::{Scope, Signal};

fn other() -> ObjectRef {
    ObjectRef::new("task", "other")
}

async fn begun(running: &Running, object: ObjectRef, times: usize) {
    running.until("begun", async |running| running.fake.rereads(&object) == times).await;
}

#[tokio::test]
async fn a_load_under_way_does_not_put_back_what_came_along() {
    for parts in [None, Some(1)] {
        let running = Running::start(options()).await;
        if let Some(of) = parts {
            running.fake.in_parts(of);
        }
        running.fake.bring_along(other(), task());
        running.fake.hold_loads(true);
        running.fake.signal(Signal::Reload { scope: Scope::Large, objects: Vec::new() });
        running.until("loading", async |running| running.fake.calls().last() == Some(&Call::Load(Scope::Large))).await;
        // The load has read the old state already, and no event names the task.
        running.fake.assign(true);
        running.fake.changed(&[other()]);
        running.until("assigned", async |running| running.may_comment().await).await;
        let loads = running.stats.loads.get();
        running.fake.hold_loads(false);
        running.until("loaded", async |running| running.stats.loads.get() > loads).await;
        assert!(running.may_comment().await, "{parts:?}");
        running.stop().await;
    }
}

#[tokio::test]
async fn what_came_along_does_not_put_back_what_was_hinted_and_read_since() {
    let running = Running::start(options()).await;
    running.fake.bring_along(other(), task());
    running.fake.hold_rereads(true);
    running.fake.changed(&[other()]);
    begun(&running, other(), 1).await;
    // What is under way has the old state; the task's own read is over before.
    running.fake.assign(true);
    running.fake.hold_only(other());
    running.fake.changed(&[task()]);
    running.until("assigned", async |running| running.may_comment().await).await;
    running.fake.hold_rereads(false);
    running.idle().await;
    assert!(running.may_comment().await);
    running.fresh().await;
    running.stop().await;
}

#[tokio::test]
async fn an_older_read_does_not_put_back_what_came_along() {
    let running = Running::start(options()).await;
    running.fake.bring_along(other(), task());
    running.fake.hold_rereads(true);
    running.fake.hold_only(task());
    running.fake.changed(&[task()]);
    begun(&running, task(), 1).await;
    // The task's own read has the old state and ends last.
    running.fake.assign(true);
    running.fake.changed(&[other()]);
    begun(&running, other(), 1).await;
    tokio::time::sleep(Duration::from_millis(20)).await;
    running.fake.hold_rereads(false);
    running.until("assigned", async |running| running.may_comment().await).await;
    running.idle().await;
    assert!(running.may_comment().await);
    assert_eq!(running.fake.rereads(&task()), 2);
    running.fresh().await;
    running.stop().await;
}
