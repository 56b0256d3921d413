//! What was touched is never served again, whatever shares a place or a stamp with it, and the rest mostly stays.

use std::collections::HashMap;

use super::*;
use crate::model::decision::{Reason, RuleId, RuleRef};
use crate::model::id::Key;

fn node(n: u32) -> Dep {
    Dep::Node(Key(n))
}

/// A decision that can be told from others.
fn numbered(n: u32) -> Decision {
    Decision { code: Reason::Granted, rule: Some(RuleRef { rule: RuleId::Policy(n), alternative: 1 }) }
}

fn touched(deps: &[Dep]) -> Touched {
    Touched { everything: false, deps: deps.to_vec() }
}

/// An input that shares its stamp with another.
fn shares_stamp(with: Dep) -> Dep {
    let same = |dep: &Dep| *dep != with && Stamps::of(*dep) == Stamps::of(with);
    (0..10_000_000).map(node).find(same).expect("there are fewer stamps than inputs")
}

impl<K> Cache<K> {
    fn room(&self) -> usize {
        self.pages.len() * self.sets * self.ways
    }

    fn pages_used(&self) -> usize {
        self.pages.iter().filter(|page| page.lock().is_used()).count()
    }
}

#[test]
fn forgets_what_rests_on_the_touched_and_nothing_else() {
    let cache = Cache::new(100_000);
    for key in 0..100_u32 {
        cache.put(key, numbered(key), &[node(key), node(1_000 + key % 10), node(1_000 + key % 10)]);
    }
    let known = |cache: &Cache<u32>| (0..100).filter(|key| cache.get(key).is_some()).count();
    assert_eq!(known(&cache), 100);
    cache.forget(&touched(&[node(5)]));
    assert!(cache.get(&5).is_none());
    assert_eq!(known(&cache), 99);
    cache.forget(&touched(&[node(1_005), node(15)]));
    assert_eq!(known(&cache), 90, "the other nine that end in 5");
    cache.forget(&touched(&[node(77_777)]));
    cache.forget(&Touched::default());
    assert_eq!(known(&cache), 90);
    assert_eq!(cache.get(&7), Some(numbered(7)));
}

#[test]
fn everything_means_everything_at_once_and_nothing_later() {
    let cache = Cache::new(1_000);
    cache.put(1, numbered(1), &[node(1)]);
    cache.put(2, numbered(2), &[]);
    cache.forget(&Touched::everything());
    assert!(cache.get(&1).is_none() && cache.get(&2).is_none());
    cache.put(1, numbered(1), &[node(1)]);
    assert!(cache.get(&1).is_some());
    // Looked at again after other changes, it is still of that time.
    cache.forget(&touched(&[node(2)]));
    assert!(cache.get(&1).is_some());
    cache.forget(&touched(&[node(1)]));
    assert!(cache.get(&1).is_none());
}

#[test]
fn inputs_that_share_a_stamp_forget_too_much_never_too_little() {
    let (one, other) = (node(7), shares_stamp(node(7)));
    let cache = Cache::new(1_000);
    cache.put(1, numbered(1), &[one]);
    cache.put(2, numbered(2), &[other]);
    cache.put(3, numbered(3), &[one, other]);
    cache.forget(&touched(&[other]));
    assert!([1, 2, 3].iter().all(|key| cache.get(key).is_none()));
}

#[test]
fn an_entry_that_was_found_right_is_looked_at_again_after_each_change() {
    let cache = Cache::new(1_000);
    cache.put(1, numbered(1), &[node(1), node(2)]);
    for other in 100..200 {
        cache.forget(&touched(&[node(other)]));
        assert!(cache.get(&1).is_some() || Stamps::of(node(other)) == Stamps::of(node(1)));
    }
    cache.forget(&touched(&[node(2)]));
    assert!(cache.get(&1).is_none());
    assert!(cache.get(&1).is_none(), "nor is it found when it is asked for once more");
    cache.put(1, numbered(9), &[node(2)]);
    assert_eq!(cache.get(&1), Some(numbered(9)));
}

/// Keys that all fall into one set.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Crowded(u32);

impl Hash for Crowded {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        state.write_u8(0);
    }
}

#[test]
fn keys_with_one_hash_are_told_apart_and_a_full_set_gives_way() {
    let cache = Cache::new(1_000);
    for n in 0..4 {
        cache.put(Crowded(n), numbered(n), &[node(n)]);
    }
    for n in 0..4 {
        assert_eq!(cache.get(&Crowded(n)), Some(numbered(n)));
    }
    for n in 4..100 {
        cache.put(Crowded(n), numbered(n), &[node(n)]);
        assert_eq!(cache.get(&Crowded(n)), Some(numbered(n)), "the newest is there");
        let kept: Vec<_> = (0..=n).filter_map(|n| cache.get(&Crowded(n)).map(|decision| (n, decision))).collect();
        assert_eq!(kept.len(), 4);
        assert!(kept.iter().all(|(n, decision)| *decision == numbered(*n)));
    }
}

#[test]
fn what_is_asked_for_outlives_what_is_not() {
    let cache = Cache::new(1_000);
    cache.put(Crowded(0), numbered(0), &[]);
    for n in 1..1_000 {
        assert!(cache.get(&Crowded(0)).is_some(), "{n}");
        cache.put(Crowded(n), numbered(n), &[]);
    }
}

#[test]
fn a_decision_put_twice_is_there_once_and_is_forgotten() {
    let cache = Cache::new(100);
    cache.put(1, numbered(1), &[node(1)]);
    cache.put(1, numbered(2), &[node(2)]);
    assert_eq!(cache.get(&1), Some(numbered(2)));
    cache.forget(&touched(&[node(1)]));
    assert_eq!(cache.get(&1), Some(numbered(2)), "it no longer rests on that");
    cache.forget(&touched(&[node(2)]));
    assert!(cache.get(&1).is_none());
}

#[test]
fn capacity_is_a_bound_and_room_is_made_when_it_is_needed() {
    for capacity in [0, 1, 2, 3, 4, 7, 8, 63, 64, 100, 1_000, 65_536] {
        let cache = Cache::new(capacity);
        let capacity = usize::try_from(capacity).unwrap();
        assert!(cache.room() <= capacity && cache.room() * 2 >= capacity, "{capacity}: {}", cache.room());
        assert_eq!(cache.pages_used(), 0);
        for key in 0..5_000_u32 {
            cache.put(key, numbered(key), &[node(key)]);
        }
        let kept = (0..5_000).filter(|key| cache.get(key).is_some()).count();
        assert!(kept <= capacity, "{kept} of {capacity}");
        assert!(kept >= cache.room().min(1_000) / 2, "{kept} of {capacity}");
    }
}

#[test]
fn long_lists_of_inputs_are_kept_up_to_a_bound() {
    let cache = Cache::new(1_000);
    let many = |count: u32| (0..count).map(node).collect::<Vec<_>>();
    cache.put(1, numbered(1), &many(500));
    assert!(cache.get(&1).is_some());
    assert!(cache.apart.load(Ordering::Relaxed) >= 500);
    cache.forget(&touched(&[node(499)]));
    assert!(cache.get(&1).is_none(), "the last of them counts");
    cache.put(1, numbered(1), &many(5));
    assert_eq!(cache.apart.load(Ordering::Relaxed), 0, "what is held apart goes with its entry");
    cache.put(2, numbered(2), &many(2_000));
    assert!(cache.get(&2).is_none());
    cache.apart.store(MOST_APART + 1, Ordering::Relaxed);
    cache.put(3, numbered(3), &many(500));
    cache.put(4, numbered(4), &many(5));
    assert!(cache.get(&3).is_none() && cache.get(&4).is_some());
}

#[test]
fn a_full_cache_is_small() {
    /// As large as what decisions are found by.
    type CaseKey = [u64; 12];
    let entry = size_of::<Option<Entry<CaseKey>>>() + size_of::<u32>();
    let stamps = Stamps::MANY * size_of::<AtomicUsize>();
    let all = 65_536 * entry + stamps + (MOST_APART + MOST_INPUTS) * size_of::<stamps::Stamp>();
    assert!(all <= 32 << 20, "{all} bytes, {entry} an entry");
}

/// Random puts, changes and questions beside a model that knows every input: nothing stale is ever found, and little is
/// lost.
#[test]
fn beside_a_model() {
    let mut state = 1_u64;
    let mut random = |below: u64| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        u32::try_from((state >> 33) % below).unwrap()
    };
    for capacity in [3, 64, 100_000] {
        let cache = Cache::new(capacity);
        let mut model: HashMap<u32, (Decision, Vec<Dep>)> = HashMap::new();
        let (mut right, mut lost) = (0, 0);
        for round in 0..200_000 {
            match random(10) {
                0 => {
                    let deps: Vec<_> = (0..random(4)).map(|_| node(random(300))).collect();
                    cache.forget(&touched(&deps));
                    model.retain(|_, (_, rests)| !rests.iter().any(|dep| deps.contains(dep)));
                }
                1 if random(2_000) == 0 => {
                    cache.forget(&Touched::everything());
                    model.clear();
                }
                2..5 => {
                    let key = random(200);
                    let deps: Vec<_> = (0..random(40)).map(|_| node(random(300))).collect();
                    cache.put(key, numbered(round), &deps);
                    model.insert(key, (numbered(round), deps));
                }
                _ => {
                    let key = random(200);
                    match (cache.get(&key), model.get(&key)) {
                        (Some(found), Some((expected, _))) => {
                            assert_eq!(found, *expected);
                            right += 1;
                        }
                        (Some(found), None) => panic!("{key}: {found:?} was to be forgotten"),
                        (None, Some(_)) => lost += 1,
                        (None, None) => {}
                    }
                }
            }
        }
        assert!(right > 1_000, "{right}");
        assert!(capacity < 1_000 || lost * 100 < right, "{lost} lost, {right} right");
    }
}
