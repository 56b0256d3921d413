//! Records that are read on first use, and records that a caller wants read again.

use std::future::Future;
use std::pin::Pin;
use std::sync::Weak;

use parking_lot::Mutex;

use super::super::{ReadError, Reader};
use super::*;

/// A tracker that holds some records, may be down, and may answer without having anything to say.
#[derive(Debug)]
struct Tracker {
    authorizer: Weak<Authorizer>,
    records: Mutex<Vec<Record>>,
    mood: Mutex<Mood>,
    asked: Mutex<Vec<Vec<ObjectRef>>>,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Mood {
    Well,
    Down,
    Mute,
}

impl Tracker {
    fn of(authorizer: &Arc<Authorizer>, records: Vec<Record>) -> Arc<Self> {
        let tracker = Arc::new(Self {
            authorizer: Arc::downgrade(authorizer),
            records: Mutex::new(records),
            mood: Mutex::new(Mood::Well),
            asked: Mutex::default(),
        });
        authorizer.set_reader(tracker.clone());
        tracker
    }

    fn asked(&self) -> Vec<Vec<String>> {
        let asked = std::mem::take(&mut *self.asked.lock());
        asked.iter().map(|objects| objects.iter().map(ToString::to_string).collect()).collect()
    }
}

impl Reader for Tracker {
    fn read(&self, objects: Vec<ObjectRef>) -> Pin<Box<dyn Future<Output = Result<(), ReadError>> + Send + '_>> {
        Box::pin(async move {
            self.asked.lock().push(objects.clone());
            tokio::task::yield_now().await;
            let mood = *self.mood.lock();
            if mood == Mood::Down {
                return Err(ReadError("down".to_owned()));
            }
            if mood == Mood::Well {
                let records = self.records.lock().clone();
                let changes = objects.into_iter().map(|object| {
                    let found = records.iter().find(|record| record.object() == object);
                    found.cloned().map_or(Change::Remove(object), Change::Upsert)
                });
                self.authorizer.upgrade().expect("is there").delta(changes.collect::<Vec<_>>());
            }
            Ok(())
        })
    }
}

fn comment(id: &str, author: &str) -> Record {
    let record = Record::new("comment", id).with("object_id", Value::text("T")).with("person_id", Value::text(author));
    record.with("for_client", false).with("task_status_id", Value::text("wip"))
}

#[tokio::test]
async fn a_record_is_read_once_and_kept() {
    let authorizer = live();
    let tracker = Tracker::of(&authorizer, vec![comment("C", "art")]);
    let query = ask("art", "delete", "comment", "C");
    assert!(authorizer.check_now(&query).is_none());
    let answer = authorizer.check(&query).await;
    assert_eq!((answer.decision.code, answer.cached), (Reason::Granted, false));
    assert_eq!(tracker.asked(), [["comment C"]]);
    assert!(authorizer.now(&query).cached);
    let held = authorizer.loaded_lazily(&[ObjectRef::new("comment", "C"), ObjectRef::new("comment", "D")]);
    assert_eq!(held, [ObjectRef::new("comment", "C")]);

    authorizer.delta([Change::Forget(ObjectRef::new("comment", "C"))]);
    *tracker.records.lock() = vec![comment("C", "ven")];
    let answer = authorizer.check(&query).await;
    assert_eq!((answer.decision.code, answer.cached), (Reason::NoGrant, false), "what was decided before is forgotten");
    assert_eq!(tracker.asked(), [["comment C"]]);

    let gone = ask("art", "delete", "comment", "gone");
    assert_eq!(authorizer.check(&gone).await.decision.code, Reason::ResourceUnknown);
    assert_eq!(authorizer.check(&gone).await.decision.code, Reason::ResourceUnknown);
    assert_eq!(tracker.asked(), [["comment gone"]], "that it does not exist is known now");
}

#[tokio::test]
async fn a_batch_reads_what_it_needs_at_once() {
    let authorizer = live();
    let tracker = Tracker::of(&authorizer, vec![comment("C1", "art"), comment("C2", "ven")]);
    let ids = ["C2", "C1", "C2", "C3"];
    let queries = ids.map(|id| ask("art", "delete", "comment", id));
    let codes: Vec<_> =
        authorizer.check_batch(&queries).await.verdicts.iter().map(|verdict| verdict.decision.code).collect();
    assert_eq!(codes, [Reason::NoGrant, Reason::Granted, Reason::NoGrant, Reason::ResourceUnknown]);
    assert_eq!(tracker.asked(), [["comment C1", "comment C2", "comment C3"]]);
}

#[tokio::test]
async fn what_cannot_be_read_cannot_be_decided_and_is_not_remembered() {
    let authorizer = live();
    let query = ask("art", "delete", "comment", "C");
    assert_eq!(authorizer.check(&query).await.decision.code, Reason::Indeterminate, "nobody reads");
    let tracker = Tracker::of(&authorizer, vec![comment("C", "art")]);
    *tracker.mood.lock() = Mood::Down;
    let answer = authorizer.check(&query).await;
    assert_eq!((answer.decision.code, answer.cached), (Reason::Indeterminate, false));
    assert_eq!(tracker.asked().len(), 1);
    *tracker.mood.lock() = Mood::Mute;
    assert_eq!(authorizer.check(&query).await.decision.code, Reason::Indeterminate);
    let asked = tracker.asked().len();
    assert!(asked <= 6, "asked {asked} times in vain");
    *tracker.mood.lock() = Mood::Well;
    let answer = authorizer.check(&query).await;
    assert_eq!((answer.decision.code, answer.cached), (Reason::Granted, false));
}

#[tokio::test]
async fn what_a_caller_tells_counts_only_where_the_tracker_cannot_be_read() {
    let authorizer = live();
    let tracker = Tracker::of(&authorizer, vec![comment("C", "man")]);
    let told = |author: &str| {
        let properties = [("object_id", "T"), ("person_id", author)].map(|(name, id)| (name.into(), Value::text(id)));
        let mut query = ask("art", "delete", "comment", "C");
        query.properties = Some(std::borrow::Cow::Owned(Value::Map(properties.to_vec())));
        query
    };
    assert_eq!(authorizer.check(&told("art")).await.decision.code, Reason::NoGrant, "the tracker knows who wrote it");
    authorizer.delta([Change::Forget(ObjectRef::new("comment", "C"))]);
    assert_eq!(authorizer.check(&told("art")).await.decision.code, Reason::NoGrant, "held or not");
    authorizer.delta([Change::Forget(ObjectRef::new("comment", "C"))]);
    *tracker.mood.lock() = Mood::Down;
    for (author, code) in [("art", Reason::Granted), ("man", Reason::NoGrant)] {
        let answer = authorizer.check(&told(author)).await;
        assert_eq!((answer.decision.code, answer.cached), (code, false));
    }
}

/// Reads `C1`, and stumbles over everything else.
#[derive(Debug)]
struct Stumbling(Weak<Authorizer>);

impl Reader for Stumbling {
    fn read(&self, objects: Vec<ObjectRef>) -> Pin<Box<dyn Future<Output = Result<(), ReadError>> + Send + '_>> {
        Box::pin(async move {
            if objects.contains(&ObjectRef::new("comment", "C1")) {
                self.0.upgrade().expect("is there").upsert(comment("C1", "art"));
            }
            Err(ReadError("500".to_owned()))
        })
    }
}

#[tokio::test]
async fn an_item_that_cannot_be_read_fails_alone() {
    let authorizer = live();
    authorizer.set_reader(Arc::new(Stumbling(Arc::downgrade(&authorizer))));
    let queries = ["C1", "C2"].map(|id| ask("art", "delete", "comment", id));
    let codes: Vec<_> =
        authorizer.check_batch(&queries).await.verdicts.iter().map(|verdict| verdict.decision.code).collect();
    assert_eq!(codes, [Reason::Granted, Reason::Indeterminate]);
}

#[tokio::test]
async fn an_alternative_that_needs_no_reading_is_not_held_up() {
    let authorizer = live();
    let tracker = Tracker::of(&authorizer, Vec::new());
    *tracker.mood.lock() = Mood::Down;
    assert_eq!(authorizer.code(&ask("art", "comment", "task", "T")), Reason::Granted);
    assert_eq!(
        authorizer.code(&ask("ven", "comment", "task", "T")),
        Reason::NoGrant,
        "a vendor is never asked about mentions"
    );
    assert_eq!(tracker.asked(), [[""; 0]; 0]);
    authorizer.upsert(task("T", &[]));
    assert_eq!(authorizer.check(&ask("art", "comment", "task", "T")).await.decision.code, Reason::Indeterminate);
    let explanation = authorizer.explain(&ask("man", "comment", "task", "T")).await;
    assert_eq!(explanation.answer.decision.code, Reason::Granted, "explained as far as it goes");
    assert!(!explanation.steps.is_empty());
}

#[tokio::test]
async fn one_item_that_cannot_be_read_does_not_keep_the_others_from_waiting() {
    let authorizer = live();
    let tracker = Tracker::of(&authorizer, Vec::new());
    *tracker.mood.lock() = Mood::Down;
    let pending = [ObjectRef::new("task", "T")];
    authorizer.mark_pending(&pending);
    let queries = [ask("art", "delete", "comment", "C"), ask("art", "publish", "task", "T")];
    let apply = async {
        tokio::time::sleep(Duration::from_millis(10)).await;
        authorizer.upsert(task("T", &[]));
        authorizer.clear_pending(&pending);
    };
    let (answers, ()) = tokio::join!(authorizer.check_batch(&queries), apply);
    let codes: Vec<_> = answers.verdicts.iter().map(|verdict| verdict.decision.code).collect();
    assert_eq!(codes, [Reason::Indeterminate, Reason::NoGrant]);
    assert_eq!(tracker.asked().len(), 1, "nor is it asked for again");
}

#[tokio::test]
async fn a_refresh_reads_what_the_decision_rests_on() {
    let authorizer = live();
    let query = ask("art", "publish", "task", "T");
    assert_eq!(authorizer.code(&query), Reason::Granted);
    let records = studio().into_iter().filter_map(|change| match change {
        Change::Upsert(record) if record.object() == ObjectRef::new("task", "T") => Some(task("T", &[])),
        Change::Upsert(record) => Some(record),
        _ => None,
    });
    let tracker = Tracker::of(&authorizer, records.collect());
    let mut fresh = query.clone();
    fresh.consistency.refresh = true;
    assert!(authorizer.check_now(&fresh).is_none());
    assert_eq!(authorizer.check(&fresh).await.decision.code, Reason::NoGrant);
    let asked = tracker.asked();
    let [objects] = &asked[..] else { panic!("read once: {asked:?}") };
    for needed in ["person art", "task T", "project P"] {
        assert!(objects.iter().any(|object| object == needed), "{needed} of {objects:?}");
    }
    assert!(!objects.iter().any(|object| object == "person man"), "{objects:?}");

    *tracker.mood.lock() = Mood::Down;
    let answer = authorizer.check(&fresh).await;
    assert_eq!(answer.decision.code, Reason::NoGrant, "as old as it is, and it says so");
}

/// Handles of dropped records are used again: what was decided about one object is not another's.
#[tokio::test]
async fn an_answer_by_the_id_alone_is_not_the_next_objects() {
    let overlay = "extends: kitsu\nfilters: {the_one: [{key: id, values: [PL1]}]}\n\
                   rules: {playlist.read: ['team + filter:the_one']}";
    let authorizer = Authorizer::new(
        Policy::load("kitsu", Some(("studio.yaml", overlay))).unwrap(),
        Options::default(),
        Clock::system(),
    );
    authorizer.apply(Batch::Delta(studio()));
    authorizer.known_equal(Instant::now());
    authorizer.feed(Feed::Live);
    let playlist = |id: &str| {
        let record = Record::new("playlist", id).in_project("P").with("for_client", false);
        record.with("created_by", Value::Null)
    };
    let _tracker = Tracker::of(&authorizer, vec![playlist("PL1"), playlist("PL2")]);
    for _ in 0..3 {
        assert_eq!(authorizer.check(&ask("art", "read", "playlist", "PL1")).await.decision.code, Reason::Granted);
        authorizer.delta([Change::Forget(ObjectRef::new("playlist", "PL1"))]);
        assert_eq!(authorizer.check(&ask("art", "read", "playlist", "PL2")).await.decision.code, Reason::NoGrant);
        authorizer.delta([Change::Forget(ObjectRef::new("playlist", "PL2"))]);
    }
}
