//! What is forgotten is exactly what was touched, and nothing stays behind.

use super::*;
use crate::model::decision::Reason;
use crate::model::id::Key;

fn node(n: u32) -> Dep {
    Dep::Node(Key(n))
}

fn granted() -> Decision {
    Decision::deny(Reason::Granted)
}

fn touched(deps: &[Dep]) -> Touched {
    Touched { everything: false, deps: deps.to_vec() }
}

#[test]
fn forgets_what_rests_on_the_touched_and_nothing_else() {
    let cache = Cache::new(1_000);
    for key in 0..100_u32 {
        cache.put(key, granted(), &[node(key), node(1_000 + key % 10), node(1_000 + key % 10)]);
    }
    assert_eq!(cache.forget(&touched(&[node(5)])), 1);
    assert!(cache.get(&5).is_none());
    assert_eq!(cache.forget(&touched(&[node(1_005), node(15)])), 9, "the other nine that end in 5");
    assert_eq!(cache.forget(&touched(&[node(77_777)])), 0);
    assert_eq!((0..100).filter(|key| cache.get(key).is_some()).count(), 90);
    assert_eq!(cache.resting.len(), 90 + 9, "nothing stays behind for what was forgotten");
}

#[test]
fn everything_means_everything_at_once() {
    let cache = Cache::new(1_000);
    cache.put(1, granted(), &[node(1)]);
    cache.forget(&Touched::everything());
    assert!(cache.get(&1).is_none());
    cache.put(1, granted(), &[node(1)]);
    assert!(cache.get(&1).is_some());
}

#[test]
fn what_gives_way_leaves_nothing_behind_and_what_stays_can_be_forgotten() {
    let cache = Cache::new(100);
    for key in 0..10_000_u32 {
        cache.put(key, granted(), &[node(key), node(1_000_000)]);
    }
    cache.decisions.run_pending_tasks();
    let kept = (0..10_000).filter(|key| cache.get(key).is_some()).count();
    assert!(kept <= 100);
    assert_eq!(cache.resting.len(), kept + 1);
    assert_eq!(cache.forget(&touched(&[node(1_000_000)])), kept);
    assert_eq!(cache.resting.len(), 0);
}

#[test]
fn a_decision_put_twice_is_still_forgotten() {
    let cache = Cache::new(100);
    cache.put(1, granted(), &[node(1)]);
    cache.put(1, granted(), &[node(1)]);
    assert_eq!(cache.forget(&touched(&[node(1)])), 1);
    assert!(cache.get(&1).is_none());
    assert_eq!(cache.resting.len(), 0);
}
