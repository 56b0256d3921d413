//! The supervisor against a source that does as it is told.

mod along;
mod fake;
mod lag;
mod parts;
mod told;

use std::time::{Duration, Instant, SystemTime};

use self::fake::{Call, Running, comment, task};
use super::{Moment, Options};
use crate::authorizer::{Reader as _, State};
use crate::model::id::ObjectRef;
use crate::tracker::seen::Seen;
use crate::tracker::{CatchUp, Scope, Signal};

fn options() -> Options {
    Options {
        reconcile: Duration::from_secs(600),
        probe: Duration::from_secs(600),
        settle: Duration::from_millis(20),
        retry: (Duration::from_millis(5), Duration::from_millis(20)),
        ..Options::default()
    }
}

#[tokio::test]
async fn subscribes_first_and_loads_second() {
    let running = Running::start(options()).await;
    assert_eq!(running.fake.calls(), [Call::Probe, Call::Events, Call::Load(Scope::All)]);
    assert_eq!(running.authorizer.status().tracker_version, "fake 1");
    running.stop().await;
}

#[tokio::test]
async fn a_hint_is_re_read_and_takes_effect() {
    let running = Running::start(options()).await;
    assert!(!running.may_comment().await);
    running.fake.assign(true);
    running.fake.changed(&[task()]);
    running.until("assigned", async |running| running.may_comment().await).await;
    running.fake.assign(false);
    running.fake.changed(&[task()]);
    running.until("unassigned", async |running| !running.may_comment().await).await;
    running.stop().await;
}

#[tokio::test]
async fn chatter_is_coalesced() {
    let running = Running::start(options()).await;
    running.fake.hold_rereads(true);
    running.fake.assign(true);
    for _ in 0..10_000 {
        running.fake.changed(&[task()]);
    }
    running.until("heard", async |running| running.stats.events.get() == 10_000).await;
    running.fake.hold_rereads(false);
    running.until("assigned", async |running| running.may_comment().await).await;
    running.idle().await;
    let rereads = running.fake.rereads(&task());
    assert!(rereads <= 2, "{rereads} re-reads for 10,000 events about one task");
    running.stop().await;
}

#[tokio::test]
async fn a_storm_over_many_objects_is_read_in_bulk() {
    let running = Running::start(options()).await;
    let objects: Vec<_> = (0..10_000).map(|number| ObjectRef::new("task", &format!("t{number}"))).collect();
    objects.chunks(7).for_each(|chunk| running.fake.changed(chunk));
    running.until("read", async |running| running.stats.rereads.get() >= 10_000).await;
    let calls = running.fake.calls().iter().filter(|call| matches!(call, Call::Reread(_))).count();
    assert!(calls < 1_500, "{calls} requests");
    assert!(running.fake.most_at_once() <= 8);
    assert_eq!(running.stats.loads.get(), 1);
    running.fresh().await;
    running.stop().await;
}

#[tokio::test]
async fn more_than_can_be_remembered_is_loaded() {
    let running = Running::start(Options { queue: 50, ..options() }).await;
    running.fake.hold_rereads(true);
    running.fake.assign(true);
    for number in 0..1_000 {
        running.fake.changed(&[ObjectRef::new("task", &format!("t{number}"))]);
    }
    running.fake.changed(&[task()]);
    running.until("loaded again", async |running| running.stats.loads.get() >= 2).await;
    running.fake.hold_rereads(false);
    running.until("assigned", async |running| running.may_comment().await).await;
    running.until("live", async |running| running.authorizer.state() == State::Live).await;
    assert!(running.stats.overflows.get() >= 1);
    running.fresh().await;
    running.stop().await;
}

#[tokio::test]
async fn a_hint_while_its_re_read_is_under_way_causes_another() {
    let running = Running::start(options()).await;
    running.fake.hold_rereads(true);
    running.fake.changed(&[task()]);
    running.until("begun", async |running| running.fake.rereads(&task()) == 1).await;
    // The read under way has seen the old state.
    running.fake.assign(true);
    running.fake.changed(&[task()]);
    running.fake.hold_rereads(false);
    running.until("assigned", async |running| running.may_comment().await).await;
    running.idle().await;
    assert_eq!(running.fake.rereads(&task()), 2);
    running.stop().await;
}

#[tokio::test]
async fn what_changes_during_the_first_load_is_re_read_after_it() {
    let running = Running::start_held(options());
    running.until("loading", async |running| running.fake.calls().contains(&Call::Load(Scope::All))).await;
    // The load has read the old state already.
    running.fake.assign(true);
    running.fake.changed(&[task()]);
    running.until("heard", async |running| running.stats.events.get() == 1).await;
    assert_eq!(running.fake.rereads(&task()), 0, "the load comes first");
    running.fake.hold_loads(false);
    running.until("assigned", async |running| running.may_comment().await).await;
    assert_eq!(running.fake.rereads(&task()), 1);
    running.fresh().await;
    running.stop().await;
}

#[tokio::test]
async fn a_reconcile_finds_and_counts_what_no_event_announced_and_leaves_what_is_newer() {
    let running = Running::start(Options { reconcile: Duration::from_millis(40), ..options() }).await;
    running.fake.rename("silently");
    running.until("found", async |running| running.stats.reconcile_found.get() == 1).await;

    // A full reconcile that has read the task before it was assigned must not take it back.
    running.fake.hold_loads(true);
    running.until("a full one", async |running| running.fake.calls().last() == Some(&Call::Load(Scope::All))).await;
    running.fake.assign(true);
    running.fake.changed(&[task()]);
    running.until("assigned", async |running| running.may_comment().await).await;
    let loads = running.stats.loads.get();
    running.fake.hold_loads(false);
    running.until("reconciled", async |running| running.stats.loads.get() > loads).await;
    assert!(running.may_comment().await);
    assert_eq!(running.stats.reconcile_found.get(), 1);
    running.stop().await;
}

#[tokio::test]
async fn an_event_that_names_nothing_causes_a_load_of_its_scope() {
    let running = Running::start(options()).await;
    running.fake.assign(true);
    for _ in 0..100 {
        running.fake.signal(Signal::Reload { scope: Scope::Large, objects: Vec::new() });
    }
    running.until("assigned", async |running| running.may_comment().await).await;
    let loads: Vec<_> = running.fake.calls().into_iter().filter(|call| matches!(call, Call::Load(_))).skip(1).collect();
    assert!((1..=3).contains(&loads.len()) && loads.iter().all(|call| *call == Call::Load(Scope::Large)), "{loads:?}");
    running.until("live", async |running| running.authorizer.state() == State::Live).await;
    running.stop().await;
}

#[tokio::test]
async fn what_is_read_on_first_use_is_dropped_by_its_event_and_costs_nothing_unless_held() {
    let running = Running::start(options()).await;
    running.fake.changed(&[comment()]);
    running.until("heard", async |running| running.stats.events.get() == 1).await;
    running.idle().await;
    assert_eq!(running.fake.rereads(&comment()), 0);
    for expected in 1..=2 {
        assert!(running.may_delete_comment().await, "read on first use");
        assert!(running.may_delete_comment().await, "held");
        assert_eq!(running.fake.rereads(&comment()), expected);
        running.fake.changed(&[comment()]);
        running.until("dropped", async |running| running.stats.forgotten.get() == expected as u64).await;
    }
    running.stop().await;
}

#[tokio::test]
async fn a_hint_during_a_first_use_read_is_not_lost() {
    let running = Running::start(options()).await;
    running.fake.hold_rereads(true);
    let asking = async { running.may_delete_comment().await };
    let changing = async {
        running.until("begun", async |running| running.fake.rereads(&comment()) == 1).await;
        running.fake.comment_by_another();
        running.fake.changed(&[comment()]);
        running.until("heard", async |running| running.stats.events.get() == 1).await;
        running.fake.hold_rereads(false);
    };
    let (_, ()) = futures_util::join!(asking, changing);
    running.until("another's", async |running| !running.may_delete_comment().await).await;
    running.stop().await;
}

#[tokio::test]
async fn a_lost_feed_is_caught_up_with() {
    let running = Running::start(options()).await;
    let before = SystemTime::now();
    running.fake.refuse_events(true);
    running.fake.signal(Signal::Lost("cut".into()));
    running.until("degraded", async |running| running.authorizer.state() == State::Degraded).await;
    running.fake.assign(true);
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert!(!running.may_comment().await, "nobody has told");
    let old = running.authorizer.status().as_of;
    running.fake.log(Some(CatchUp { objects: vec![task()], ..CatchUp::default() }));
    running.fake.refuse_events(false);
    running.until("live", async |running| running.authorizer.state() == State::Live).await;
    assert!(running.may_comment().await, "live only once all is re-read");
    assert!(running.authorizer.status().as_of > old);
    let since =
        running.fake.calls().iter().find_map(|call| if let Call::CatchUp(since) = call { Some(*since) } else { None });
    assert!(since.is_some_and(|since| since <= before + Duration::from_millis(50)), "from before the loss");
    assert_eq!((running.stats.lost.get(), running.stats.reconnects.get(), running.stats.loads.get()), (1, 1, 1));
    running.stop().await;
}

#[tokio::test]
async fn what_the_log_does_not_name_is_not_there_before_it_is_loaded() {
    let running = Running::start(options()).await;
    running.fresh().await;
    let before = running.authorizer.status().as_of;
    running.fake.hold_loads(true);
    let log = CatchUp { objects: Vec::new(), reload: Some(Scope::Large), cursor: Some("7".into()) };
    running.fake.log(Some(log));
    running.fake.assign(true);
    running.fake.signal(Signal::Lost("cut".into()));
    running.until("loading", async |running| running.fake.calls().contains(&Call::Load(Scope::Large))).await;
    tokio::time::sleep(Duration::from_millis(20)).await;
    let status = running.authorizer.status();
    assert_eq!((status.as_of, &*status.cursor), (before, ""), "a load is owed, so the mirror is not equal");
    running.fake.hold_loads(false);
    running.until("assigned", async |running| running.may_comment().await).await;
    running.stop().await;
}

#[tokio::test]
async fn an_announced_load_that_outlasts_an_outage_is_still_owed() {
    let running = Running::start(options()).await;
    running.fresh().await;
    running.fake.hold_loads(true);
    running.fake.assign(true);
    running.fake.signal(Signal::Reload { scope: Scope::Large, objects: Vec::new() });
    running.until("loading", async |running| running.fake.calls().contains(&Call::Load(Scope::Large))).await;
    let before = running.authorizer.status().as_of;
    running.fake.signal(Signal::Lost("cut".into()));
    running.until("degraded", async |running| running.authorizer.state() == State::Degraded).await;
    running.until("live", async |running| running.authorizer.state() == State::Live).await;
    assert!(!running.may_comment().await);
    assert_eq!(running.authorizer.status().as_of, before, "what was announced is not in the mirror yet");
    running.fake.hold_loads(false);
    running.until("assigned", async |running| running.may_comment().await).await;
    running.stop().await;
}

#[tokio::test]
async fn more_reads_than_the_queue_takes_wait_for_room() {
    let (asks, mut requests) = super::reader::channel();
    let objects: Vec<_> = (0..10_000).map(|n| ObjectRef::new("comment", &n.to_string())).collect();
    let answered = async {
        for _ in 0..objects.len() {
            let request = requests.recv().await.expect("asked");
            let outcome = if request.object.id.is("7") { Err("500".to_owned()) } else { Ok(()) };
            request.waiter.send(outcome).expect("waited for, whatever became of the others");
        }
    };
    let (read, ()) = tokio::join!(asks.read(objects.clone()), answered);
    assert_eq!(read.expect_err("one failed").0, "500");
}

#[tokio::test]
async fn a_gap_that_the_log_does_not_tell_is_loaded() {
    let running = Running::start(options()).await;
    running.fake.log(None);
    running.fake.assign(true);
    running.fake.signal(Signal::Lost("cut".into()));
    running.until("loaded again", async |running| running.stats.loads.get() == 2).await;
    running.until("live", async |running| running.authorizer.state() == State::Live).await;
    assert!(running.may_comment().await);
    running.stop().await;
}

#[tokio::test]
async fn what_the_log_names_and_the_stream_does_not_is_re_read_and_counted() {
    let (audit, reach) = (Duration::from_millis(50), Duration::from_millis(800));
    let running = Running::start(Options { audit, audit_reach: reach, ..options() }).await;
    // Before that the stream cannot have named everything.
    tokio::time::sleep(reach).await;
    let other = ObjectRef::new("task", "other");
    running.fake.assign(true);
    running.fake.changed(std::slice::from_ref(&other));
    running.until("read", async |running| running.fake.rereads(&other) == 1).await;
    running.fake.log(Some(CatchUp { objects: vec![task(), other.clone()], ..CatchUp::default() }));
    running.until("assigned", async |running| running.may_comment().await).await;
    assert_eq!(running.stats.missed.get(), 1, "the other was delivered");
    running.fake.log(Some(CatchUp { reload: Some(Scope::Core), ..CatchUp::default() }));
    running.until("loaded", async |running| running.stats.loads.get() == 2).await;
    running.stop().await;
}

#[tokio::test]
async fn while_re_reads_fail_nothing_passes_for_fresh() {
    let running = Running::start(options()).await;
    running.fake.fail_rereads_of(Some(task()));
    running.fake.assign(true);
    running.fake.changed(&[task()]);
    running.until("failing", async |running| running.stats.reread_failures.get() >= 1).await;
    let old = running.authorizer.status().as_of;
    running.fake.signal(Signal::Heartbeat);
    running.until("failing on", async |running| running.stats.reread_failures.get() >= 3).await;
    assert_eq!(running.authorizer.status().as_of, old);
    running.fake.fail_rereads_of(None);
    running.until("assigned", async |running| running.may_comment().await).await;
    running.fresh().await;
    running.stop().await;
}

#[tokio::test]
async fn an_object_that_cannot_be_read_is_put_aside_alone_and_comes_back() {
    let running = Running::start(options()).await;
    let other = ObjectRef::new("task", "other");
    running.fake.fail_rereads_of(Some(task()));
    running.fake.changed(&[task(), other.clone()]);
    running.until("put aside", async |running| running.stats.quarantined.get() == 1).await;
    assert_eq!(running.reason().await, crate::model::decision::Reason::Quarantined);
    running.fresh().await;
    running.fake.assign(true);
    running.fake.fail_rereads_of(None);
    running.until("back", async |running| running.may_comment().await).await;
    running.stop().await;
}

#[tokio::test]
async fn an_object_that_alone_is_refused_for_ever_keeps_nothing_else_from_being_fresh() {
    let running = Running::start(options()).await;
    running.fake.refuse_rereads_of(Some(task()));
    running.fake.changed(&[task()]);
    running.until("put aside", async |running| running.stats.quarantined.get() == 1).await;
    assert_eq!(running.reason().await, crate::model::decision::Reason::Quarantined);
    assert_eq!(running.authorizer.state(), State::Live);
    running.fresh().await;
    running.fake.refuse_rereads_of(None);
    running.until("back", async |running| running.reason().await != crate::model::decision::Reason::Quarantined).await;
    running.stop().await;
}

#[tokio::test]
async fn nobody_waits_for_a_tracker_that_does_not_answer() {
    let running = Running::start(Options { probe: Duration::from_millis(10), ..options() }).await;
    running.fake.refuse_probes(true);
    running.until("degraded", async |running| running.authorizer.state() == State::Degraded).await;
    running.fake.hold_rereads(true);
    let denied = tokio::time::timeout(Duration::from_secs(1), running.may_delete_comment()).await;
    assert_eq!(denied, Ok(false));
    assert_eq!(running.fake.rereads(&comment()), 0);
    running.stop().await;
}

#[tokio::test]
async fn a_tracker_that_refuses_us_degrades_until_it_does_not() {
    let running = Running::start(Options { probe: Duration::from_millis(10), ..options() }).await;
    running.fake.refuse_probes(true);
    running.until("degraded", async |running| running.authorizer.state() == State::Degraded).await;
    let old = running.authorizer.status().as_of;
    running.fake.signal(Signal::Heartbeat);
    tokio::time::sleep(Duration::from_millis(30)).await;
    assert_eq!(running.authorizer.status().as_of, old);
    running.fake.refuse_probes(false);
    running.until("live", async |running| running.authorizer.state() == State::Live).await;
    assert!(running.fake.calls().iter().any(|call| matches!(call, Call::CatchUp(_))));
    running.stop().await;
}

#[tokio::test]
async fn a_tracker_that_hangs_holds_nothing_up() {
    let (probe, patience) = (Duration::from_millis(20), Duration::from_millis(30));
    let running = Running::start(Options { probe, patience, ..options() }).await;
    running.fake.hold_probes(true);
    running.fake.hold_rereads(true);
    running.fake.assign(true);
    running.fake.changed(&[task()]);
    running.until("degraded", async |running| running.authorizer.state() == State::Degraded).await;
    running.until("given up", async |running| running.stats.reread_failures.get() >= 1).await;
    running.fake.hold_probes(false);
    running.fake.hold_rereads(false);
    running.until("live", async |running| running.authorizer.state() == State::Live).await;
    running.until("assigned", async |running| running.may_comment().await).await;
    running.stop().await;
}

#[tokio::test]
async fn without_events_there_is_a_mirror_that_ages() {
    let running = Running::start_with(options(), |fake| fake.refuse_events(true));
    running.until("degraded", async |running| running.authorizer.state() == State::Degraded).await;
    assert!(!running.may_comment().await);
    running.fake.refuse_events(false);
    running.until("live", async |running| running.authorizer.state() == State::Live).await;
    running.stop().await;
}

#[tokio::test]
async fn it_tells_what_it_re_read_and_where_something_may_be_missing() {
    let started = SystemTime::now();
    let running = Running::start(options()).await;
    let since = |seen: Vec<Seen>| match seen.as_slice() {
        [Seen::Gap { since }] => *since,
        other => panic!("{other:?}"),
    };
    let first = since(running.seen());
    assert!(first >= started && first <= SystemTime::now(), "from its start");
    running.fake.changed(&[task(), comment()]);
    running.until("read", async |running| running.fake.rereads(&task()) == 1).await;
    running.idle().await;
    assert_eq!(
        running.seen(),
        [Seen::Objects(vec![comment()]), Seen::Objects(vec![task()])],
        "though it is as it was; what is read on first use is told though it is not read"
    );
    let before = SystemTime::now();
    running.fake.signal(Signal::Lost("cut".into()));
    running.until("live again", async |running| running.stats.reconnects.get() == 1).await;
    running.idle().await;
    assert!(since(running.seen()) <= before);
    running.fake.rename("silently");
    running.fake.signal(Signal::Reload { scope: Scope::Core, objects: Vec::new() });
    running.until("loaded", async |running| running.stats.loads.get() == 2).await;
    running.idle().await;
    assert!(since(running.seen()) <= before, "a load found what no event named");
    running.fake.signal(Signal::Reload { scope: Scope::Core, objects: Vec::new() });
    running.until("loaded", async |running| running.stats.loads.get() == 3).await;
    running.idle().await;
    assert_eq!(running.seen(), [], "and this one nothing");
    running.stop().await;
}

#[tokio::test]
async fn it_ends_when_told_to() {
    let running = Running::start(options()).await;
    running.fake.hold_rereads(true);
    running.fake.changed(&[task()]);
    let started = Instant::now();
    running.stop().await;
    assert!(started.elapsed() < Duration::from_secs(1));
}

#[test]
fn a_clock_that_is_put_back_hides_nothing_that_was_missed() {
    let hour = Duration::from_secs(3600);
    let ahead = Moment { wall: SystemTime::now() + hour, ..Moment::now() };
    assert!(ahead.since() <= SystemTime::now());
    let asleep = Moment { wall: SystemTime::now() - hour, ..Moment::now() };
    assert_eq!(asleep.since(), asleep.wall);
}
