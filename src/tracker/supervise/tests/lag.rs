//! Events that come before what they announce can be read.

use std::time::{Duration, Instant, SystemTime};

use super::fake::{Running, task};
use super::options;
use crate::tracker::Signal;

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
