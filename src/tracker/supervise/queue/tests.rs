//! The queue by example and against a model.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;

fn object(number: u8) -> ObjectRef {
    ObjectRef::new("task", &number.to_string())
}

#[test]
fn a_hint_during_a_read_makes_one_more_read() {
    let mut queue = Queue::new(10);
    let task = object(1);
    assert_eq!(queue.hint(&task), Hinted::Mark);
    assert_eq!(queue.hint(&task), Hinted::Known);
    assert_eq!(queue.take(10), std::slice::from_ref(&task));
    assert_eq!(queue.hint(&task), Hinted::Mark);
    assert_eq!(queue.hint(&task), Hinted::Known);
    assert!(queue.take(10).is_empty(), "never twice at once");
    assert_eq!(queue.done(&task).clear, 1);
    assert_eq!(queue.take(10), std::slice::from_ref(&task));
    assert_eq!(queue.done(&task).clear, 1);
    assert!(queue.is_empty());
}

#[test]
fn what_failed_goes_alone() {
    let mut queue = Queue::new(10);
    for number in 0..4 {
        queue.hint(&object(number));
    }
    let first = queue.take(2);
    first.iter().for_each(|object| drop(queue.failed(object, true)));
    first.into_iter().for_each(|object| queue.again(object));
    assert_eq!(queue.take(10), [object(2), object(3)]);
    assert_eq!(queue.take(10), [object(0)]);
    assert_eq!(queue.take(10), [object(1)]);
}

#[test]
fn neither_events_nor_first_uses_keep_the_other_waiting() {
    let mut queue = Queue::new(100);
    let mut waits = Vec::new();
    for number in 0..40 {
        let (waiter, wait) = oneshot::channel();
        assert!(queue.wait(&object(number), waiter).is_ok());
        waits.push(wait);
        queue.hint(&object(number + 40));
    }
    let taken = queue.take(10);
    let hinted = taken.iter().filter(|task| (40..80).any(|number| **task == object(number))).count();
    assert_eq!((taken.len(), hinted), (10, 5));
    while !queue.take(10).is_empty() {}
    assert!(queue.entries.values().all(|entry| entry.running.is_some()));
}

#[test]
fn there_is_a_bound() {
    let mut queue = Queue::new(2);
    assert_eq!(queue.hint(&object(0)), Hinted::Mark);
    assert_eq!(queue.hint(&object(1)), Hinted::Mark);
    assert_eq!(queue.hint(&object(2)), Hinted::Overflow);
    assert_eq!(queue.hint(&object(1)), Hinted::Known);
    let (waiter, _wait) = oneshot::channel();
    assert!(queue.wait(&object(2), waiter).is_err());
}

#[derive(Clone, Debug)]
enum Step {
    Hint(u8),
    Wait(u8),
    Take(usize),
    Done(usize),
    Failed(usize),
    Again,
    Cover(u8),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        3 => (0_u8..6).prop_map(Step::Hint),
        1 => (0_u8..6).prop_map(Step::Wait),
        3 => (1_usize..4).prop_map(Step::Take),
        2 => any::<usize>().prop_map(Step::Done),
        1 => any::<usize>().prop_map(Step::Failed),
        1 => Just(Step::Again),
        1 => (0_u8..6).prop_map(Step::Cover),
    ]
}

/// What is known from outside: marks, reads under way, who waits, and since which step each object owes a read.
#[derive(Default)]
struct Model {
    marks: BTreeMap<ObjectRef, i64>,
    running: Vec<ObjectRef>,
    waiting: Vec<oneshot::Receiver<Result<(), String>>>,
    failed: Vec<ObjectRef>,
    /// Hinted, and not read since by a read that began after the hint.
    owed: BTreeMap<ObjectRef, bool>,
}

impl Model {
    fn settle(&mut self, object: &ObjectRef, settled: Settled) {
        *self.marks.entry(object.clone()).or_default() -= i64::try_from(settled.clear).unwrap();
        for waiter in settled.waiters {
            let _ = waiter.send(Ok(()));
        }
    }

    fn take(&mut self, taken: Vec<ObjectRef>) -> Result<(), TestCaseError> {
        for object in taken {
            prop_assert!(!self.running.contains(&object), "{object} is read twice at once");
            self.owed.remove(&object);
            self.running.push(object);
        }
        Ok(())
    }
}

proptest! {
    #[test]
    fn every_hint_is_read_after_it_and_every_mark_cleared(steps in prop::collection::vec(step(), 0..120)) {
        let mut queue = Queue::new(100);
        let mut model = Model::default();
        for step in steps {
            match step {
                Step::Hint(number) => {
                    if queue.hint(&object(number)) == Hinted::Mark {
                        *model.marks.entry(object(number)).or_default() += 1;
                    }
                    model.owed.insert(object(number), true);
                }
                Step::Wait(number) => {
                    let (waiter, wait) = oneshot::channel();
                    prop_assert!(queue.wait(&object(number), waiter).is_ok());
                    model.waiting.push(wait);
                }
                Step::Take(most) => model.take(queue.take(most))?,
                Step::Done(at) if !model.running.is_empty() => {
                    let object = model.running.remove(at % model.running.len());
                    let settled = queue.done(&object);
                    model.settle(&object, settled);
                }
                Step::Failed(at) if !model.running.is_empty() => {
                    let object = model.running.remove(at % model.running.len());
                    let settled = queue.failed(&object, true);
                    model.settle(&object, settled);
                    if model.marks.get(&object).copied().unwrap_or(0) > 0 {
                        model.owed.insert(object.clone(), true);
                    }
                    model.failed.push(object);
                }
                Step::Again => model.failed.drain(..).for_each(|object| queue.again(object)),
                Step::Cover(spared) => {
                    for (object, settled) in queue.covered(&[Str::from("task")], |other| *other == object(spared)) {
                        model.owed.remove(&object);
                        model.settle(&object, settled);
                    }
                }
                Step::Done(_) | Step::Failed(_) => {}
            }
            for (object, marks) in &model.marks {
                prop_assert!((0..=2).contains(marks), "{object} has {marks} marks");
            }
        }
        // Let everything end well.
        for _ in 0..20 {
            model.failed.drain(..).for_each(|object| queue.again(object));
            for object in std::mem::take(&mut model.running) {
                let settled = queue.done(&object);
                model.settle(&object, settled);
            }
            model.take(queue.take(2))?;
        }
        prop_assert!(queue.is_empty() && model.running.is_empty(), "{queue:?}");
        prop_assert!(model.owed.is_empty(), "never read after a hint: {:?}", model.owed.keys());
        prop_assert!(model.marks.values().all(|marks| *marks == 0), "{:?}", model.marks);
        for mut wait in model.waiting {
            prop_assert!(wait.try_recv().is_ok(), "somebody still waits");
        }
    }
}
