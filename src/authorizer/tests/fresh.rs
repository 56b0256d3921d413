//! How old an answer is, and from when on it is refused.

use super::super::State;
use super::*;

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn age(authorizer: &Authorizer) -> u64 {
    authorizer.now(&ask("art", "read", "task", "T")).freshness.age.as_secs()
}

fn bounded(bound: u64) -> Query<'static> {
    let mut query = ask("art", "read", "task", "T");
    query.consistency.max_staleness = Some(seconds(bound));
    query
}

#[test]
fn nothing_is_answered_before_the_first_load() {
    let authorizer = Authorizer::new(policy(), Options::default(), Clock::system());
    assert_eq!(authorizer.state(), State::Loading);
    assert_eq!(authorizer.code(&ask("adm", "read", "project", "P")), Reason::Stale);
    authorizer.feed(Feed::Live);
    authorizer.heard(Some("1"));
    authorizer.apply(Batch::Delta(studio()));
    authorizer.heard(None);
    assert_eq!(
        authorizer.state(),
        State::Loading,
        "a heartbeat before the load says nothing about what was not loaded"
    );
    let answer = authorizer.now(&ask("adm", "read", "project", "P"));
    assert_eq!(answer.decision.code, Reason::Stale);
    assert_eq!(answer.freshness.as_of, std::time::SystemTime::UNIX_EPOCH);
    authorizer.known_equal(Instant::now());
    assert_eq!(authorizer.state(), State::Live);
    assert_eq!(authorizer.code(&ask("adm", "read", "project", "P")), Reason::Granted);
}

#[test]
fn the_mirror_is_live_degraded_stale_and_live_again() {
    let (authorizer, clock) = live_with(Options { max_staleness: seconds(600), ..Options::default() });
    let query = ask("art", "read", "task", "T");
    assert_eq!((authorizer.state(), age(&authorizer)), (State::Live, 0));
    clock.advance(seconds(500));
    assert_eq!((authorizer.state(), age(&authorizer)), (State::Live, 500));
    authorizer.heard(None);
    assert_eq!((authorizer.state(), age(&authorizer)), (State::Live, 0));

    authorizer.feed(Feed::Degraded);
    clock.advance(seconds(599));
    assert_eq!((authorizer.state(), age(&authorizer)), (State::Degraded, 599));
    assert_eq!(authorizer.code(&query), Reason::Granted);
    clock.advance(seconds(2));
    assert_eq!(authorizer.state(), State::Stale);
    let answer = authorizer.now(&query);
    assert_eq!(answer.decision.code, Reason::Stale);
    assert!(!answer.cached && !answer.decision.allowed());
    assert_eq!(answer.said.text, "what is known of the tracker is older than the bound in force");
    assert_eq!(authorizer.code(&ask("nobody", "read", "task", "T")), Reason::Stale, "who is known is not known either");

    authorizer.feed(Feed::Live);
    assert_eq!(authorizer.state(), State::Stale, "hearing again is not knowing");
    authorizer.known_equal(Instant::now());
    assert_eq!(authorizer.state(), State::Live);
    assert_eq!(authorizer.code(&query), Reason::Granted);
    authorizer.feed(Feed::Loading);
    assert_eq!(authorizer.state(), State::Loading);
}

#[test]
fn a_caller_can_ask_for_a_tighter_bound_and_no_looser_one() {
    let (authorizer, clock) = live_with(Options { max_staleness: seconds(100), ..Options::default() });
    clock.advance(seconds(10));
    assert_eq!(authorizer.code(&bounded(5)), Reason::Stale);
    assert_eq!(authorizer.code(&bounded(0)), Reason::Stale);
    assert_eq!(authorizer.code(&bounded(11)), Reason::Granted);
    assert_eq!(authorizer.code(&ask("art", "read", "task", "T")), Reason::Granted);
    assert!(authorizer.now(&bounded(11)).cached, "the bound is no part of the decision");
    clock.advance(seconds(100));
    assert_eq!(authorizer.code(&bounded(10_000)), Reason::Stale);
}

#[test]
fn the_mirror_is_not_equal_while_something_is_pending() {
    let (authorizer, clock) = live_with(Options::default());
    let elsewhere = [ObjectRef::new("task", "elsewhere")];
    clock.advance(seconds(10));
    authorizer.mark_pending(&elsewhere);
    authorizer.heard(None);
    assert_eq!(age(&authorizer), 10);
    authorizer.mark_pending(&elsewhere);
    authorizer.clear_pending(&elsewhere);
    authorizer.heard(None);
    assert_eq!(age(&authorizer), 10, "marked twice, cleared once");
    authorizer.clear_pending(&elsewhere);
    assert_eq!(age(&authorizer), 10, "what was applied is as old as what was heard");
    authorizer.heard(None);
    assert_eq!(age(&authorizer), 0);
    authorizer.clear_pending(&elsewhere);
    authorizer.mark_pending(&elsewhere);
    clock.advance(seconds(3));
    authorizer.heard(None);
    assert_eq!(age(&authorizer), 3, "cleared once too often is no credit");
    authorizer.known_equal(Instant::now());
    assert_eq!(age(&authorizer), 0, "a load that began now has read it");
}

#[test]
fn what_was_known_later_is_not_made_older() {
    let (authorizer, clock) = live_with(Options::default());
    let before = Instant::now();
    clock.advance(seconds(10));
    authorizer.heard(Some("7"));
    let as_of = authorizer.status().as_of;
    authorizer.known_equal(before.checked_sub(seconds(5)).unwrap_or(before));
    assert!(authorizer.status().as_of >= as_of);
    assert_eq!(authorizer.status().cursor.as_ref(), "7");
    authorizer.heard(None);
    assert_eq!(authorizer.status().cursor.as_ref(), "7", "a heartbeat has no place of its own");
}

#[test]
fn the_status_tells_what_there_is() {
    let authorizer = live();
    authorizer.set_tracker_version("1.0.97");
    let status = authorizer.status();
    assert_eq!(status.revision, 1);
    assert_eq!(status.counts["person"], 4);
    assert_eq!(status.counts["shot"], 1);
    assert!(!status.counts.contains_key("asset"));
    assert_eq!((status.tracker.as_str(), status.tracker_version.as_str()), ("kitsu", "1.0.97"));
    assert_eq!(status.policy_digest, policy().digest);
    assert_eq!(status.state, State::Live);
}
