//! Many threads ask while one applies: what was decided before a change is never served after it.
//!
//! Every answer carries the revision that it was read from, and of each revision it is known what is right in it.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use stagedoor::authorizer::{Answer, Authorizer, Clock, Feed, Options};
use stagedoor::cache::Cache;
use stagedoor::engine::policy::Policy;
use stagedoor::model::change::{Batch, Change, Dep, Snapshot, Touched};
use stagedoor::model::decision::{Decision, Reason};
use stagedoor::model::id::{Id, Key, ObjectRef};
use stagedoor::model::query::{Query, Subject};
use stagedoor::model::record::{Member, Record};
use stagedoor::model::value::Value;

const PEOPLE: usize = 8;
const READERS: u64 = 3;
const READS_BETWEEN: u64 = 16;
/// On a machine that has other things to do a race is shorter.
const FOR_AT_MOST: Duration = Duration::from_secs(4);

fn policy(overlay: Option<&str>) -> Policy {
    Policy::load("kitsu", overlay.map(|text| ("studio.yaml", text))).expect("compiles")
}

fn task(id: &str, assignee: usize) -> Record {
    let record = Record::new("task", id).in_project("P").with("entity_id", Value::text("S"));
    record.with("assignees", Value::texts([person(assignee).as_str()]))
}

fn other(n: usize) -> Record {
    let record = Record::new("task", &format!("other {n}")).in_project("P").with("entity_id", Value::text("S"));
    record.with("assignees", Value::texts([]))
}

fn person(n: usize) -> String {
    format!("person{n}")
}

/// A project with eight vendors and a task that the first of them is assigned to, at revision 1. Others of the same shot make
/// the list long that is looked through for whoever may read.
fn studio(cache_capacity: u64) -> Arc<Authorizer> {
    let options = Options { cache_capacity, ..Options::default() };
    let authorizer = Authorizer::new(policy(None), options, Clock::system());
    let people = (0..PEOPLE).map(|n| {
        let record = Record::new("person", &person(n)).with("active", true).with("role", Value::text("vendor"));
        Change::Upsert(record.with("departments", Value::texts([])))
    });
    let members = (0..PEOPLE).map(|n| Member::new(Id::from(person(n).as_str()), None)).collect();
    let others = (0..6).map(|n| Change::Upsert(other(n)));
    let rest = [
        Change::Team { project: Id::from("P"), members },
        Change::Upsert(Record::new("project", "P")),
        Change::Upsert(Record::new("shot", "S").in_project("P").with("created_by", Value::Null)),
        Change::Upsert(task("T", 0)),
    ];
    authorizer.apply(Batch::Delta(people.chain(rest).chain(others).collect()));
    authorizer.known_equal(Instant::now());
    authorizer.feed(Feed::Live);
    authorizer
}

/// Runs one writer and several readers; between two rounds of the writer the readers go round some times.
fn race(writes: u64, write: impl Fn(u64) + Sync, read: impl Fn(u64) + Sync) {
    /// Whoever ends, in peace or by a panic, ends the race.
    struct End<'a>(&'a AtomicBool);
    impl Drop for End<'_> {
        fn drop(&mut self) {
            self.0.store(true, Ordering::Relaxed);
        }
    }
    // One race at a time: on a small machine the writers would hardly come to write.
    static ONE: Mutex<()> = Mutex::new(());
    let _one = ONE.lock();
    let (end, reads, began) = (AtomicBool::new(false), AtomicU64::new(0), Instant::now());
    let ended = || end.load(Ordering::Relaxed);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let _end = End(&end);
            for round in 0..writes {
                if began.elapsed() > FOR_AT_MOST {
                    return;
                }
                write(round);
                let enough = reads.load(Ordering::Relaxed) + READS_BETWEEN;
                while reads.load(Ordering::Relaxed) < enough {
                    if ended() {
                        return;
                    }
                    std::thread::yield_now();
                }
            }
        });
        for reader in 0..READERS {
            let (end, reads, read, ended) = (&end, &reads, &read, &ended);
            scope.spawn(move || {
                let _end = End(end);
                for round in reader.. {
                    read(round);
                    reads.fetch_add(1, Ordering::Relaxed);
                    if ended() {
                        return;
                    }
                }
            });
        }
    });
}

/// The person that the task is assigned to at a revision.
fn assignee(revision: u64) -> usize {
    usize::try_from(revision - 1).expect("small") % PEOPLE
}

fn right(answer: &Answer, who: usize, at_least: u64) {
    let revision = answer.freshness.revision;
    assert!(revision >= at_least, "asked after revision {at_least}, answered from {revision}");
    assert_eq!(
        answer.decision.allowed(),
        who == assignee(revision),
        "person {who} at revision {revision}, when the task is person {}'s: {answer:?}",
        assignee(revision)
    );
}

fn checks_while(authorizer: &Authorizer, apply: impl Fn(usize) -> Batch + Sync) {
    let applied = AtomicU64::new(1);
    let hits = AtomicU64::new(0);
    let write = |_| {
        let next = applied.load(Ordering::Relaxed) + 1;
        let done = authorizer.apply(apply(assignee(next)));
        assert_eq!(done.revision, next);
        applied.store(next, Ordering::Release);
    };
    let people: Vec<_> = (0..PEOPLE).map(person).collect();
    let read = |round: u64| {
        let who = usize::try_from(round).expect("small") % PEOPLE;
        let query = Query::new(Subject::Person(&people[who]), "read", "task", "T");
        let at_least = applied.load(Ordering::Acquire);
        let answer = authorizer.check_now(&query).expect("nothing is pending");
        right(&answer, who, at_least);
        if answer.cached {
            hits.fetch_add(1, Ordering::Relaxed);
        }
    };
    race(1_000, write, read);
    let hits = hits.into_inner();
    assert!(hits > 50, "{hits} answers from the cache prove nothing");
}

#[test]
fn no_answer_is_older_than_its_revision() {
    checks_while(&studio(100_000), |assignee| Batch::Delta(vec![Change::Upsert(task("T", assignee))]));
}

#[test]
fn no_answer_is_older_than_its_revision_when_the_cache_overflows() {
    checks_while(&studio(3), |assignee| Batch::Delta(vec![Change::Upsert(task("T", assignee))]));
}

#[test]
fn no_answer_is_older_than_its_revision_while_everything_is_reconciled() {
    checks_while(&studio(100_000), |assignee| {
        let mut changes = vec![Change::Upsert(task("T", assignee))];
        changes.extend((0..6).map(|n| Change::Upsert(other(n))));
        Batch::Snapshot(Snapshot { complete: vec!["task".into()], changes, ..Snapshot::default() })
    });
}

/// The end of a person's membership and his coming back; two kinds of input of one decision change in turn.
/// A batch that is too large for one write guard: whoever is asked meanwhile is told of all of it or of none.
#[test]
fn no_answer_is_given_halfway() {
    const TASKS: usize = 3_000;
    let authorizer = studio(1_000);
    let name = |at: usize| format!("T{at}");
    let all = |who: usize| Batch::Delta((0..TASKS).map(|at| Change::Upsert(task(&name(at), who))).collect());
    authorizer.apply(all(0));
    let over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            (1..40).for_each(|round| drop(authorizer.apply(all(round % 2))));
            over.store(true, Ordering::Relaxed);
        });
        for _ in 0..2 {
            scope.spawn(|| {
                let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
                let asked = [
                    (person(0), name(0)),
                    (person(0), name(TASKS - 1)),
                    (person(1), name(0)),
                    (person(1), name(TASKS - 1)),
                ];
                let queries: Vec<_> =
                    asked.iter().map(|(who, task)| Query::new(Subject::Person(who), "publish", "task", task)).collect();
                let mut rounds = 0_u32;
                while !over.load(Ordering::Relaxed) {
                    let answers = runtime.block_on(authorizer.check_batch(&queries));
                    let allowed: Vec<_> = answers.verdicts.iter().map(|verdict| verdict.decision.allowed()).collect();
                    let whole = [[true, true, false, false], [false, false, true, true]];
                    assert!(whole.iter().any(|whole| *whole == allowed[..]), "{allowed:?}");
                    rounds += 1;
                }
                assert!(rounds > 10, "{rounds}");
            });
        }
    });
}

#[test]
fn no_answer_outlives_a_membership() {
    let authorizer = studio(100_000);
    let applied = AtomicU64::new(1);
    let write = |_| {
        let next = applied.load(Ordering::Relaxed) + 1;
        let present = (0..PEOPLE).filter(|n| next % 2 == 1 || n % 2 == 1);
        let members = present.map(|n| Member::new(Id::from(person(n).as_str()), None)).collect();
        authorizer.apply(Batch::Delta(vec![Change::Team { project: Id::from("P"), members }]));
        applied.store(next, Ordering::Release);
    };
    let people: Vec<_> = (0..PEOPLE).map(person).collect();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_time().build().expect("builds");
    let read = |_| {
        let queries: Vec<_> = people.iter().map(|id| Query::new(Subject::Person(id), "read", "project", "P")).collect();
        let at_least = applied.load(Ordering::Acquire);
        let answers = runtime.block_on(authorizer.check_batch(&queries));
        let revision = answers.freshness.revision;
        assert!(revision >= at_least);
        for (who, verdict) in answers.verdicts.iter().enumerate() {
            let expected = revision % 2 == 1 || who % 2 == 1;
            assert_eq!(verdict.decision.allowed(), expected, "person {who} at revision {revision}");
        }
    };
    race(200, write, read);
}

/// A policy has no revision: where none was put in force between the looks before and after, the answer must be its own.
#[test]
fn no_answer_outlives_its_policy() {
    let authorizer = studio(100_000);
    let (begun, done) = (AtomicU64::new(0), AtomicU64::new(0));
    let wide = "extends: kitsu\nrules: {task.read: [team]}";
    let write = |_| {
        let next = begun.fetch_add(1, Ordering::SeqCst) + 1;
        authorizer.set_policy(policy((next % 2 == 1).then_some(wide))).expect("needs no other mirror");
        done.store(next, Ordering::SeqCst);
    };
    let sure = AtomicU64::new(0);
    let stranger = person(1);
    let read = |_| {
        let before = done.load(Ordering::SeqCst);
        let query = Query::new(Subject::Person(&stranger), "read", "task", "T");
        let answer = authorizer.check_now(&query).expect("nothing is pending");
        if begun.load(Ordering::SeqCst) == before {
            assert_eq!(answer.decision.allowed(), before % 2 == 1, "policy {before}: {answer:?}");
            sure.fetch_add(1, Ordering::Relaxed);
        }
    };
    race(40, write, read);
    let sure = sure.into_inner();
    assert!(sure > 10, "{sure} answers prove nothing");
}

/// Records that are read on first use come and go, and their handles are used again by others.
#[test]
fn no_answer_is_given_for_another_object() {
    let authorizer = studio(100_000);
    let comment = |id: &str, author: usize| {
        let record = Record::new("comment", id).with("object_id", Value::text("T"));
        Change::Upsert(record.with("person_id", Value::text(&person(author))).with("for_client", false))
    };
    // Comment A is person 0's, comment B person 1's; one of them is held at a time, by the same handle.
    let write = |round: u64| {
        let (goes, comes, author) = if round.is_multiple_of(2) { ("B", "A", 0) } else { ("A", "B", 1) };
        let forget = Change::Forget(ObjectRef::new("comment", goes));
        authorizer.apply(Batch::Delta(vec![forget, comment(comes, author)]));
    };
    let answered = AtomicU64::new(0);
    let people: Vec<_> = (0..2).map(person).collect();
    let read = |round: u64| {
        let who = usize::try_from(round).expect("small") % 2;
        for (comment, author) in [("A", 0), ("B", 1)] {
            let query = Query::new(Subject::Person(&people[who]), "delete", "comment", comment);
            if let Some(answer) = authorizer.check_now(&query) {
                assert_eq!(answer.decision.allowed(), who == author, "person {who}, comment {comment}: {answer:?}");
                answered.fetch_add(1, Ordering::Relaxed);
            }
        }
    };
    race(1_000, write, read);
    let answered = answered.into_inner();
    assert!(answered > 100, "{answered} answers prove nothing");
}

/// Two writers, each with a shot of its own, and readers that keep what they decide about both: what a writer has applied
/// is what it is told by the next check, and by those after it.
#[test]
fn what_was_applied_is_seen_by_the_next_check() {
    const WRITERS: usize = 2;
    const ROUNDS: usize = 5_000;
    let authorizer = studio(100_000);
    let shot = |writer: usize| format!("shot {writer}");
    let task = |writer: usize, n: usize, assigned: bool| {
        let record = Record::new("task", &format!("task {writer} {n}")).in_project("P");
        let assignees = Some(person(writer)).filter(|_| assigned);
        let record = record.with("entity_id", Value::text(&shot(writer)));
        Change::Upsert(record.with("assignees", Value::texts(assignees.iter().map(String::as_str))))
    };
    let who: Vec<_> = (0..WRITERS).map(person).collect();
    let shots: Vec<_> = (0..WRITERS).map(shot).collect();
    let queries: Vec<_> =
        who.iter().zip(&shots).map(|(who, shot)| Query::new(Subject::Person(who), "read", "shot", shot)).collect();
    for (writer, shot) in shots.iter().enumerate() {
        let record = Record::new("shot", shot).in_project("P").with("created_by", Value::Null);
        let tasks = (0..6).map(|n| task(writer, n, false));
        authorizer.apply(Batch::Delta([Change::Upsert(record)].into_iter().chain(tasks).collect()));
    }
    let (rounds, hits, writing) = (AtomicU64::new(0), AtomicU64::new(0), AtomicU64::new(WRITERS as u64));
    let ask = |query: &Query<'_>| {
        let answer = authorizer.check_now(query).expect("nothing is pending");
        hits.fetch_add(u64::from(answer.cached), Ordering::Relaxed);
        answer.decision.allowed()
    };
    let began = Instant::now();
    std::thread::scope(|scope| {
        for (writer, query) in queries.iter().enumerate() {
            let (ask, writing, rounds, authorizer) = (&ask, &writing, &rounds, &authorizer);
            let task = &task;
            scope.spawn(move || {
                for round in 0..ROUNDS {
                    if began.elapsed() > FOR_AT_MOST {
                        break;
                    }
                    let assigned = round % 2 == 0;
                    authorizer.apply(Batch::Delta(vec![task(writer, 5, assigned)]));
                    assert_eq!([ask(query), ask(query)], [assigned; 2], "round {round}");
                    rounds.fetch_add(1, Ordering::Relaxed);
                }
                writing.fetch_sub(1, Ordering::Release);
            });
        }
        for _ in 0..2 {
            scope.spawn(|| {
                while writing.load(Ordering::Acquire) > 0 {
                    queries.iter().for_each(|query| {
                        ask(query);
                    });
                }
            });
        }
    });
    let (rounds, hits) = (rounds.into_inner(), hits.into_inner());
    assert!(rounds > 1_000 && hits > 1_000, "{rounds} rounds and {hits} answers from the cache prove nothing");
}

/// Every order in which the steps of two readers and a writer can follow each other, given that a reader decides and puts
/// under the read guard, and the writer changes and forgets under the write guard.
#[test]
fn every_order_of_put_and_forget() {
    #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
    enum Act {
        Decide(usize),
        Put(usize),
        ChangeAndForget,
    }
    let mut orders = HashSet::new();
    let acts = [Act::Decide(0), Act::Put(0), Act::Decide(1), Act::Put(1), Act::ChangeAndForget];
    permute(&mut acts.to_vec(), 0, &mut |order| {
        let at = |act| order.iter().position(|other| *other == act).expect("is in it");
        let guarded = (0..2).all(|reader| {
            let (decide, put, change) = (at(Act::Decide(reader)), at(Act::Put(reader)), at(Act::ChangeAndForget));
            decide < put && !(decide < change && change < put)
        });
        if guarded {
            orders.insert(order.to_vec());
        }
    });
    assert_eq!(orders.len(), 14);
    let touched = Touched { everything: false, deps: vec![Dep::Node(Key(7))] };
    let decided = |world: u64| Decision::deny(if world == 0 { Reason::Granted } else { Reason::NoGrant });
    for order in orders {
        for everything in [false, true] {
            let cache = Cache::new(100);
            let mut world = 0;
            let mut held = [None, None];
            for act in &order {
                match act {
                    Act::Decide(reader) => held[*reader] = Some(decided(world)),
                    Act::Put(reader) => cache.put("key", held[*reader].expect("decided before"), &[Dep::Node(Key(7))]),
                    Act::ChangeAndForget => {
                        world = 1;
                        cache.forget(&if everything { Touched::everything() } else { touched.clone() });
                    }
                }
                if let Some(decision) = cache.get(&"key") {
                    assert_eq!(decision, decided(world), "{order:?} up to {act:?}");
                }
            }
        }
    }
}

fn permute<T: Copy>(list: &mut Vec<T>, from: usize, each: &mut impl FnMut(&[T])) {
    if from == list.len() {
        each(list);
    }
    for at in from..list.len() {
        list.swap(from, at);
        permute(list, from + 1, each);
        list.swap(from, at);
    }
}
