//! What the guard does, scenario by scenario, against a tracker that keeps count.

mod fake;

use std::time::{Duration, SystemTime};

use self::fake::{Fake, Running, id, options, task};
use super::Options;
use crate::ledger::{Entry, Ledger, Outcome, Place};
use crate::model::id::ObjectRef;

#[tokio::test]
async fn a_forbidden_status_is_put_back_exactly_once_and_its_author_told() {
    let running = Running::start(options());
    let t = task("sh010");
    running.fake.moved(&t, "ada", "wip");
    running.fake.moved(&t, "ada", "approved");
    // The event, the same again, and the one that our own write makes.
    for _ in 0..3 {
        running.seen(std::slice::from_ref(&t));
    }
    running.until("told", |running| !running.fake.messages().is_empty()).await;
    running.seen(std::slice::from_ref(&t));
    running.gap(SystemTime::UNIX_EPOCH);
    running.idle().await;
    assert_eq!(running.fake.writes(), [(t.clone(), id("wip"))]);
    assert_eq!(running.fake.messages(), [(id("ada"), "Not for you".to_owned(), vec![t.clone()])]);
    let entries = running.entries(Outcome::Reverted);
    assert_eq!(entries.len(), 1);
    let entry = &entries[0];
    assert_eq!((&entry.object, &entry.person), (&Some(t), &Some(id("ada"))));
    assert_eq!((&entry.from, &entry.to, entry.restriction.as_str()), (&Some(id("approved")), &Some(id("wip")), "lead"));
    assert_eq!(running.entries(Outcome::Told).len(), 1);
    running.stop().await;
}

#[tokio::test]
async fn who_may_may_and_what_is_not_restricted_is_not_even_read() {
    let running = Running::start(options());
    running.until("swept", |running| running.fake.sweeps().len() == 1).await;
    let (t, note) = (task("t"), ObjectRef::new("note", "n"));
    running.fake.moved(&t, "ada", "wip");
    running.fake.moved(&note, "ada", "approved");
    running.seen(&[t.clone(), note]);
    running.idle().await;
    assert_eq!(running.fake.reads(), 0);
    running.fake.moved(&t, "lead", "approved");
    running.seen(std::slice::from_ref(&t));
    running.until("looked", |running| running.fake.reads() == 1).await;
    // Out of a restricted status anybody may move it.
    running.fake.moved(&t, "ada", "wip");
    running.seen(&[t]);
    running.idle().await;
    assert_eq!((running.fake.reads(), running.fake.writes()), (1, Vec::new()));
    running.stop().await;
}

#[tokio::test]
async fn a_shot_in_the_same_event_is_put_back_too_and_one_message_names_both() {
    let running = Running::start(options());
    let both = [task("anim"), ObjectRef::new("shot", "sh010")];
    for object in &both {
        running.fake.moved(object, "ada", "wip");
        running.fake.moved(object, "ada", "final");
    }
    running.seen(&both);
    running.until("told", |running| !running.fake.messages().is_empty()).await;
    running.idle().await;
    assert_eq!(running.fake.writes().len(), 2);
    let messages = running.fake.messages();
    assert_eq!(messages.len(), 1, "one for the person and the incident: {messages:?}");
    assert_eq!(messages[0].2.len(), 2);
    running.stop().await;
}

#[tokio::test]
async fn two_people_are_told_each() {
    let running = Running::start(options());
    for (name, by) in [("one", "ada"), ("two", "bo")] {
        running.fake.moved(&task(name), by, "wip");
        running.fake.moved(&task(name), by, "approved");
    }
    running.seen(&[task("one"), task("two")]);
    running.until("told", |running| running.fake.messages().len() == 2).await;
    running.stop().await;
}

#[tokio::test]
async fn a_later_legitimate_change_is_left_alone() {
    let running = Running::start(options());
    let t = task("t");
    running.fake.moved(&t, "ada", "wip");
    running.fake.moved(&t, "ada", "approved");
    // Both came before we looked: the rows decide, whatever the event said.
    running.fake.moved(&t, "lead", "approved");
    running.seen(std::slice::from_ref(&t));
    running.until("looked", |running| running.fake.reads() >= 1).await;
    running.fake.moved(&t, "bo", "done");
    running.seen(&[t.clone(), t.clone()]);
    running.gap(SystemTime::UNIX_EPOCH);
    running.idle().await;
    assert_eq!((running.fake.writes(), running.fake.status(&t)), (Vec::new(), id("done")));
    running.stop().await;
}

#[tokio::test]
async fn a_refused_write_is_tried_a_few_times_then_reported_and_stops_no_other() {
    let running = Running::start(options());
    let (stuck, other) = (task("stuck"), task("other"));
    for object in [&stuck, &other] {
        running.fake.moved(object, "ada", "wip");
        running.fake.moved(object, "ada", "approved");
    }
    running.fake.refuse(&stuck);
    running.seen(&[stuck.clone(), other.clone()]);
    running.until("parked", |running| running.entries(Outcome::Parked).len() == 1).await;
    running.seen(std::slice::from_ref(&stuck));
    running.idle().await;
    assert_eq!(running.fake.status(&other), id("wip"));
    let tries = running.fake.writes().iter().filter(|(object, _)| *object == stuck).count();
    assert_eq!(tries, options().tries as usize, "and never again");
    assert_eq!(running.entries(Outcome::Failed).len(), tries - 1);
    assert!(running.fake.messages().iter().all(|(_, _, objects)| *objects == [other.clone()]));
    running.stop().await;
}

#[tokio::test]
async fn what_happens_during_an_outage_is_found_after_it() {
    let running = Running::start(options());
    running.until("swept", |running| running.fake.sweeps().len() == 1).await;
    let (early, missed) = (task("early"), task("missed"));
    running.fake.moved(&early, "ada", "wip");
    running.fake.moved(&early, "ada", "approved");
    running.fake.down(true);
    let before = SystemTime::now();
    running.seen(std::slice::from_ref(&early));
    running.fake.moved(&missed, "ada", "wip");
    running.fake.moved(&missed, "ada", "final");
    running.gap(before);
    running.idle().await;
    assert!(running.fake.writes().is_empty());
    running.fake.down(false);
    running.until("both", |running| running.fake.writes().len() == 2).await;
    running.idle().await;
    assert_eq!((running.fake.status(&early), running.fake.status(&missed)), (id("wip"), id("wip")));
    assert_eq!(running.fake.writes().len(), 2);
    assert_eq!(running.fake.sweeps()[1], before);
    running.stop().await;
}

#[tokio::test]
async fn who_came_into_the_group_without_a_word_is_not_put_back() {
    let running = Running::start(options());
    let t = task("t");
    running.fake.moved(&t, "ada", "wip");
    running.fake.joins("ada");
    running.fake.moved(&t, "ada", "approved");
    running.seen(std::slice::from_ref(&t));
    running.until("read again", |running| running.fake.reads() >= 2).await;
    running.idle().await;
    assert_eq!((running.fake.writes(), running.fake.status(&t)), (Vec::new(), id("approved")));
    running.stop().await;
}

#[tokio::test]
async fn who_left_the_group_without_a_word_is_put_back() {
    let running = Running::start(options());
    let t = task("t");
    running.fake.moved(&t, "ada", "wip");
    running.fake.is_in("ada");
    running.fake.leaves();
    running.fake.moved(&t, "ada", "approved");
    running.seen(std::slice::from_ref(&t));
    running.until("put back", |running| running.fake.status(&t) == id("wip")).await;
    running.stop().await;
}

#[tokio::test]
async fn what_was_right_when_it_was_done_stays_though_its_author_leaves_the_group() {
    let running = Running::start(options());
    let t = task("t");
    running.fake.moved(&t, "ada", "wip");
    running.fake.is_in("ada");
    running.fake.moved(&t, "ada", "approved");
    running.seen(std::slice::from_ref(&t));
    running.until("read", |running| running.fake.reads() >= 1).await;
    running.idle().await;
    running.fake.leaves();
    // Something else about the task changes.
    running.seen(std::slice::from_ref(&t));
    running.idle().await;
    assert_eq!((running.fake.writes(), running.fake.status(&t)), (Vec::new(), id("approved")));
    running.stop().await;
}

#[tokio::test]
async fn what_was_done_before_anybody_watched_is_left_alone() {
    let running = Running::start(options());
    let t = task("t");
    running.fake.moved(&t, "ada", "wip");
    running.fake.moved(&t, "ada", "approved");
    running.fake.aged(&t, Duration::from_secs(3600));
    running.seen(std::slice::from_ref(&t));
    running.until("read", |running| running.fake.reads() >= 1).await;
    running.idle().await;
    assert_eq!((running.fake.writes(), running.fake.status(&t)), (Vec::new(), id("approved")));
    running.stop().await;
}

#[tokio::test]
async fn it_does_not_go_back_to_a_status_that_is_no_longer_to_be_set() {
    let running = Running::start(options());
    let t = task("t");
    for (by, to) in [("bo", "wip"), ("bo", "retired"), ("ada", "approved")] {
        running.fake.moved(&t, by, to);
    }
    running.seen(std::slice::from_ref(&t));
    running.until("put back", |running| running.fake.status(&t) == id("wip")).await;
    running.stop().await;
}

#[tokio::test]
async fn it_never_goes_back_to_no_status() {
    let running = Running::start(options());
    let t = task("t");
    running.fake.moved(&t, "ada", "approved");
    running.seen(std::slice::from_ref(&t));
    running.until("parked", |running| running.entries(Outcome::Parked).len() == 1).await;
    running.seen(std::slice::from_ref(&t));
    running.idle().await;
    assert_eq!((running.fake.writes(), running.fake.messages()), (Vec::new(), Vec::new()));
    assert_eq!(running.entries(Outcome::Parked).len(), 1);
    running.stop().await;
}

#[tokio::test]
async fn two_restricted_statuses_go_back_to_the_last_one_that_was_allowed() {
    let running = Running::start(options());
    let (t, u) = (task("t"), task("u"));
    for (by, to) in [("bo", "wip"), ("ada", "approved"), ("ada", "final"), ("ada", "approved")] {
        running.fake.moved(&t, by, to);
    }
    for (by, to) in [("bo", "wip"), ("lead", "approved"), ("ada", "final")] {
        running.fake.moved(&u, by, to);
    }
    running.seen(&[t.clone(), u.clone()]);
    running.until("both", |running| running.fake.writes().len() == 2).await;
    running.idle().await;
    assert_eq!(running.fake.status(&t), id("wip"));
    assert_eq!(running.fake.status(&u), id("approved"), "the lead's");
    assert_eq!(running.fake.writes().len(), 2);
    running.stop().await;
}

#[tokio::test]
async fn a_status_that_no_move_of_the_history_led_to_counts_where_it_is_not_restricted() {
    let running = Running::start(options());
    let (t, u) = (task("t"), task("u"));
    running.fake.put(&t, "todo");
    running.fake.moved(&t, "ada", "final");
    running.fake.put(&u, "approved");
    running.fake.moved(&u, "ada", "final");
    running.seen(&[t.clone(), u.clone()]);
    running.until("parked", |running| running.entries(Outcome::Parked).len() == 1).await;
    running.until("put back", |running| running.fake.status(&t) == id("todo")).await;
    assert_eq!(running.fake.status(&u), id("final"), "who set what it was before is not known");
    running.stop().await;
}

#[tokio::test]
async fn our_own_put_backs_begin_no_loop_though_we_are_in_no_group() {
    let running = Running::start(options());
    let t = task("t");
    for (by, to) in [("bo", "wip"), ("lead", "approved"), ("ada", "final")] {
        running.fake.moved(&t, by, to);
    }
    running.seen(std::slice::from_ref(&t));
    running.until("put back", |running| running.fake.status(&t) == id("approved")).await;
    for _ in 0..5 {
        running.seen(std::slice::from_ref(&t));
        running.idle().await;
    }
    assert_eq!(running.fake.writes().len(), 1);
    // A person who shares our user is judged like anybody.
    running.fake.moved(&t, "us", "final");
    running.seen(std::slice::from_ref(&t));
    running.until("put back", |running| running.fake.writes().len() == 2).await;
    assert_eq!(running.fake.status(&t), id("approved"));
    running.fake.moved(&t, "bo", "wip");
    running.fake.moved(&t, "us", "approved");
    running.seen(std::slice::from_ref(&t));
    running.until("put back", |running| running.fake.writes().len() == 3).await;
    assert_eq!(running.fake.status(&t), id("wip"));
    running.stop().await;
}

/// A lead approves, ada moves it on to `final`, which is put back; then the process begins anew.
async fn put_back_and_begun_anew(log: Option<&std::path::Path>) -> (Running, ObjectRef) {
    let ledger = || Ledger::open(log.map(|path| Place::File(path.to_path_buf()))).unwrap();
    let running = Running::with(options(), ledger());
    let t = task("t");
    for (by, to) in [("bo", "wip"), ("lead", "approved"), ("ada", "final")] {
        running.fake.moved(&t, by, to);
    }
    running.seen(std::slice::from_ref(&t));
    running.until("noted", |running| running.entries(Outcome::Reverted).len() == 1).await;
    running.idle().await;
    let fake = running.fake.clone();
    running.stop().await;
    (Running::over(fake, options(), ledger()), t)
}

#[tokio::test]
async fn after_a_restart_our_put_back_stays_and_with_it_what_the_lead_approved() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("decisions.jsonl");
    for log in [Some(path.as_path()), None] {
        let (running, t) = put_back_and_begun_anew(log).await;
        // The tracker's clock may be ahead: for the guard it is a move of now.
        running.fake.ahead(&t, Duration::from_secs(3600));
        running.seen(std::slice::from_ref(&t));
        running.idle().await;
        assert_eq!((running.fake.writes().len(), running.fake.status(&t)), (1, id("approved")), "{log:?}");
        // And it is what a later violation goes back to.
        running.fake.moved(&t, "ada", "final");
        running.seen(std::slice::from_ref(&t));
        running.until("put back", |running| running.fake.writes().len() == 2).await;
        assert_eq!(running.fake.status(&t), id("approved"), "{log:?}");
        running.stop().await;
    }
}

#[tokio::test]
async fn where_the_record_leaves_open_who_was_last_it_is_a_violation_only_if_none_of_them_may() {
    let running = Running::start(options());
    let (open, none) = (task("open"), task("none"));
    for (t, rival) in [(&open, "lead"), (&none, "bo")] {
        running.fake.moved(t, "ada", "wip");
        running.fake.moved(t, "ada", "approved");
        running.fake.rival(t, rival);
    }
    running.seen(&[open.clone(), none.clone()]);
    running.until("unclear", |running| running.entries(Outcome::Unclear).len() == 1).await;
    running.until("put back", |running| running.fake.status(&none) == id("wip")).await;
    running.idle().await;
    assert_eq!(running.fake.status(&open), id("approved"));
    assert!(running.fake.messages().is_empty(), "whose it was is not known");
    running.stop().await;
}

#[tokio::test]
async fn whoever_does_not_exist_is_not_told() {
    let running = Running::start(options());
    let t = task("t");
    running.fake.stranger("ghost");
    running.fake.moved(&t, "ada", "wip");
    running.fake.moved(&t, "ghost", "approved");
    running.seen(std::slice::from_ref(&t));
    running.until("put back", |running| running.fake.status(&t) == id("wip")).await;
    running.idle().await;
    assert!(running.fake.messages().is_empty());
    assert_eq!(running.entries(Outcome::Reverted)[0].person, None);
    running.stop().await;
}

#[tokio::test]
async fn what_may_have_been_sent_is_not_sent_again() {
    let running = Running::start(options());
    let t = task("t");
    running.fake.silent();
    running.fake.moved(&t, "ada", "wip");
    running.fake.moved(&t, "ada", "approved");
    running.seen(std::slice::from_ref(&t));
    running.until("told", |running| running.entries(Outcome::Told).len() == 1).await;
    running.idle().await;
    assert_eq!(running.fake.messages().len(), 1);
    assert_eq!(running.entries(Outcome::Told)[0].detail, "not acknowledged");
    running.stop().await;
}

#[tokio::test]
async fn a_message_waits_for_the_rest_of_the_same_action_but_not_for_ever() {
    for (hold, messages) in [(Duration::from_secs(10), 1), (Duration::ZERO, 2)] {
        let gather = Duration::from_millis(10);
        let running =
            Running::start(Options { gather, hold, breaker: 3, window: Duration::from_millis(150), ..options() });
        let tasks: Vec<_> = (0..5).map(|number| task(&number.to_string())).collect();
        for t in &tasks {
            running.fake.moved(t, "ada", "wip");
            running.fake.moved(t, "ada", "approved");
        }
        running.seen(&tasks);
        running.until("all", |running| running.fake.writes().len() == 5).await;
        running.idle().await;
        let told = running.fake.messages();
        assert!(told.len() >= messages && (messages > 1 || told.len() == 1), "{told:?}");
        running.stop().await;
    }
}

#[tokio::test]
async fn writes_that_fail_do_not_count_as_put_back() {
    let running = Running::start(Options { budget: 1, tries: 9, window: Duration::from_secs(60), ..options() });
    let t = task("t");
    running.fake.moved(&t, "ada", "wip");
    running.fake.moved(&t, "ada", "approved");
    running.fake.unwritable(5);
    running.seen(std::slice::from_ref(&t));
    running.until("put back", |running| running.fake.status(&t) == id("wip")).await;
    assert!(running.entries(Outcome::Held).is_empty());
    assert_eq!(running.entries(Outcome::Failed).len(), 5);
    running.stop().await;
}

#[tokio::test]
async fn who_decides_where_it_goes_back_to_is_read_again_too() {
    let running = Running::start(options());
    let t = task("t");
    for (by, to) in [("bo", "wip"), ("lead", "approved"), ("ada", "final")] {
        running.fake.moved(&t, by, to);
    }
    running.seen(std::slice::from_ref(&t));
    running.until("put back", |running| running.fake.status(&t) == id("approved")).await;
    let refreshed = running.fake.refreshed();
    assert!(refreshed.contains(&Some(id("lead"))) && refreshed.contains(&Some(id("ada"))), "{refreshed:?}");
    assert!(!refreshed.contains(&Some(id("bo"))), "anybody may set that: {refreshed:?}");
    running.stop().await;
}

#[tokio::test]
async fn a_first_start_where_the_trackers_clock_does_not_tell_puts_nothing_back_of_what_was() {
    let fake = Fake::default();
    let (t, u) = (task("t"), task("u"));
    fake.zoned();
    for object in [&t, &u] {
        fake.moved(object, "ada", "wip");
        fake.moved(object, "ada", "approved");
    }
    let running = Running::over(fake, options(), Ledger::open(None).unwrap());
    running.seen(std::slice::from_ref(&t));
    running.until("looked", |running| running.fake.reads() >= 2).await;
    running.idle().await;
    assert!(running.fake.writes().is_empty());
    running.fake.moved(&u, "ada", "final");
    running.seen(&[u.clone(), t.clone()]);
    running.until("put back", |running| running.fake.status(&u) == id("wip")).await;
    running.idle().await;
    assert_eq!(running.fake.writes().len(), 1, "what came later is watched");
    running.stop().await;
}

#[tokio::test]
async fn what_cannot_be_read_at_all_is_said_once_the_waits_are_used_up() {
    let quick = (Duration::from_micros(10), Duration::from_micros(20));
    let running = Running::start(Options { retry: quick, ..options() });
    let t = task("t");
    running.fake.moved(&t, "ada", "approved");
    running.until("swept", |running| running.fake.sweeps().len() == 1).await;
    running.fake.down(true);
    running.seen(std::slice::from_ref(&t));
    running.until("said", |running| running.entries(Outcome::Unclear).len() == 1).await;
    running.stop().await;
}

#[tokio::test]
async fn a_mark_of_long_ago_is_not_gone_on_from() {
    let dir = tempfile::tempdir().unwrap();
    let ledger = || Ledger::open(Some(Place::File(dir.path().join("decisions.jsonl")))).unwrap();
    let long_ago = SystemTime::now() - Duration::from_secs(8 * 86_400);
    ledger().record(Entry { at: long_ago, ..Entry::new(Outcome::Watched) });
    assert!(ledger().watched().is_some());
    let started = SystemTime::now();
    let running = Running::with(options(), ledger());
    running.until("swept", |running| !running.fake.sweeps().is_empty()).await;
    assert!(running.fake.sweeps()[0] >= started);
    running.stop().await;
}

#[tokio::test]
async fn nothing_is_marked_as_watched_while_a_message_is_gathered() {
    let dir = tempfile::tempdir().unwrap();
    let ledger = || Ledger::open(Some(Place::File(dir.path().join("decisions.jsonl")))).unwrap();
    let running = Running::with(Options { gather: Duration::from_secs(60), ..options() }, ledger());
    let t = task("t");
    running.fake.moved(&t, "ada", "wip");
    running.fake.moved(&t, "ada", "approved");
    running.seen(std::slice::from_ref(&t));
    running.until("put back", |running| running.entries(Outcome::Reverted).len() == 1).await;
    let noted = running.entries(Outcome::Reverted)[0].at;
    running.stop().await;
    let watched = ledger().watched().expect("the oldest entry");
    assert!(watched.duration_since(noted).unwrap_or_default() < Duration::from_millis(1), "no mark");
}

#[tokio::test]
async fn a_dry_run_writes_nothing_and_tells_nobody() {
    let running = Running::start(Options { dry_run: true, ..options() });
    let t = task("t");
    running.fake.moved(&t, "ada", "wip");
    running.fake.moved(&t, "ada", "approved");
    running.seen(std::slice::from_ref(&t));
    running.until("noted", |running| running.entries(Outcome::DryRun).len() == 1).await;
    running.seen(std::slice::from_ref(&t));
    running.idle().await;
    assert_eq!((running.fake.writes(), running.fake.messages()), (Vec::new(), Vec::new()));
    let entries = running.entries(Outcome::DryRun);
    assert_eq!(entries.len(), 1, "once a move");
    assert_eq!(entries[0].to, Some(id("wip")));
    running.fake.moved(&t, "ada", "final");
    running.seen(&[t]);
    running.until("noted", |running| running.entries(Outcome::DryRun).len() == 2).await;
    running.stop().await;
}

#[tokio::test]
async fn nobody_is_told_what_nobody_did() {
    let running = Running::start(options());
    let t = task("t");
    running.fake.moved(&t, "ada", "wip");
    running.fake.moved_by_nobody(&t, "approved");
    running.seen(std::slice::from_ref(&t));
    running.until("put back", |running| running.fake.status(&t) == id("wip")).await;
    running.idle().await;
    assert!(running.fake.messages().is_empty());
    running.stop().await;
}

#[tokio::test]
async fn a_status_whose_author_is_not_told_is_left_and_reported_once() {
    let running = Running::start(options());
    let t = task("t");
    running.fake.put(&t, "approved");
    for _ in 0..3 {
        running.seen(std::slice::from_ref(&t));
    }
    running.until("noted", |running| running.entries(Outcome::Unclear).len() == 1).await;
    running.seen(std::slice::from_ref(&t));
    running.idle().await;
    assert_eq!((running.entries(Outcome::Unclear).len(), running.fake.writes()), (1, Vec::new()));
    running.stop().await;
}

#[tokio::test]
async fn what_the_mirror_does_not_know_is_not_acted_upon() {
    let running = Running::start(options());
    let t = task("t");
    running.fake.unknown(true);
    running.fake.moved(&t, "ada", "wip");
    running.fake.moved(&t, "ada", "approved");
    running.seen(std::slice::from_ref(&t));
    running.idle().await;
    assert!(running.fake.reads() >= 2 && running.fake.writes().is_empty());
    running.fake.unknown(false);
    running.until("put back", |running| running.fake.status(&t) == id("wip")).await;
    running.stop().await;
}

#[tokio::test]
async fn a_stubborn_automation_is_answered_a_few_times_a_minute_only() {
    let running = Running::start(options());
    let t = task("t");
    running.fake.stubborn("robot", "approved");
    running.fake.moved(&t, "robot", "wip");
    running.fake.moved(&t, "robot", "approved");
    for _ in 0..100 {
        running.seen(std::slice::from_ref(&t));
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    assert_eq!(running.fake.writes().len(), options().budget);
    assert_eq!(running.entries(Outcome::Held).len(), 1);
    running.until("again", |running| running.fake.writes().len() > options().budget).await;
    running.stop().await;
}

#[tokio::test]
async fn too_many_at_once_open_the_breaker_and_nothing_is_forgotten() {
    let running = Running::start(Options { breaker: 5, window: Duration::from_millis(200), ..options() });
    let tasks: Vec<_> = (0..12).map(|number| task(&number.to_string())).collect();
    for t in &tasks {
        running.fake.moved(t, "ada", "wip");
        running.fake.moved(t, "ada", "approved");
    }
    running.seen(&tasks);
    running.until("held", |running| running.entries(Outcome::Held).len() == 7).await;
    assert_eq!(running.fake.writes().len(), 5);
    running.until("all", |running| running.fake.writes().len() == 12).await;
    running.idle().await;
    assert_eq!(running.fake.writes().len(), 12);
    running.stop().await;
}

#[tokio::test]
async fn a_write_that_only_seemed_to_fail_is_noted_and_told_once() {
    let running = Running::start(options());
    let t = task("t");
    running.fake.moved(&t, "ada", "wip");
    running.fake.moved(&t, "ada", "approved");
    running.fake.deaf(true);
    running.seen(std::slice::from_ref(&t));
    running.until("told", |running| running.fake.messages().len() == 1).await;
    running.idle().await;
    assert_eq!((running.fake.writes().len(), running.entries(Outcome::Reverted).len()), (1, 1));
    running.stop().await;
}

#[tokio::test]
async fn after_a_restart_it_sweeps_from_where_it_stood() {
    let dir = tempfile::tempdir().unwrap();
    let place = || Some(Place::File(dir.path().join("decisions.jsonl")));
    let options = Options { mark: Duration::from_millis(20), ..options() };
    let running = Running::with(options, Ledger::open(place()).unwrap());
    running.idle().await;
    running.stop().await;
    let stood = Ledger::open(place()).unwrap().watched().expect("marked");
    assert!(stood <= SystemTime::now());
    tokio::time::sleep(Duration::from_millis(20)).await;
    let running = Running::with(options, Ledger::open(place()).unwrap());
    running.until("swept", |running| !running.fake.sweeps().is_empty()).await;
    let lag = stood.duration_since(running.fake.sweeps()[0]).unwrap_or_default();
    assert!(running.fake.sweeps()[0] <= stood && lag < Duration::from_millis(2), "the log has milliseconds: {lag:?}");
    running.stop().await;
}

#[tokio::test]
async fn nothing_is_marked_as_watched_while_something_waits() {
    let dir = tempfile::tempdir().unwrap();
    let place = || Some(Place::File(dir.path().join("decisions.jsonl")));
    let running = Running::with(options(), Ledger::open(place()).unwrap());
    running.until("swept", |running| running.fake.sweeps().len() == 1).await;
    let t = task("t");
    running.fake.moved(&t, "ada", "wip");
    running.fake.moved(&t, "ada", "approved");
    running.fake.down(true);
    running.seen(std::slice::from_ref(&t));
    running.idle().await;
    running.stop().await;
    assert_eq!(Ledger::open(place()).unwrap().watched(), None);
}
