//! Who is let in, and what reaches whoever listens.

use std::sync::Arc;

use futures_util::{FutureExt as _, StreamExt as _};
use http::HeaderMap;

use super::feed::{Feed, Refused, Step};
use super::guard::{Guard, NotLetIn, Token};
use crate::engine::policy::Policy;
use crate::model::change::Change;
use crate::model::id::{Id, ObjectRef};
use crate::model::record::{Member, Record};
use crate::tracker::{Scope, Signal};

fn feed() -> Arc<Feed> {
    Feed::new(Arc::clone(&Policy::load("kitsu", None).unwrap().schema))
}

fn person(id: &str) -> Change {
    Change::Upsert(Record::new("person", id))
}

fn put(feed: &Feed, revision: u64, changes: &[Change]) -> Result<(), Refused> {
    feed.apply((), None, |push, ()| push.replace(revision, changes)).map(drop)
}

fn step(feed: &Feed, id: &str, revision: u64, changes: &[Change]) -> Result<(), Refused> {
    let apply = |push: &mut super::feed::Push<'_>, ()| {
        if push.step(id, revision)? == Step::Next {
            changes.iter().for_each(|change| push.change(change.clone()));
        }
        Ok(())
    };
    feed.apply((), None, apply).map(drop)
}

#[tokio::test]
async fn who_listens_hears_exactly_what_changed() {
    let feed = feed();
    assert!(feed.listen().is_none(), "there is nothing to follow yet");
    put(&feed, 7, &[person("a")]).unwrap();
    feed.ready().await;
    let mut heard = feed.listen().unwrap();
    // One for whoever listens, one for the push that waited for that.
    for _ in 0..2 {
        let Some(Signal::Told { changes, cursor, .. }) = heard.next().await else { panic!("not told") };
        assert_eq!((changes, cursor.as_deref()), (Vec::new(), Some("7")));
    }
    step(&feed, "e", 8, &[person("b")]).unwrap();
    step(&feed, "e", 8, &[person("b")]).unwrap();
    step(&feed, "f", 9, &[person("c")]).unwrap();
    for (id, revision) in [("b", "8"), ("c", "9")] {
        let Some(Signal::Told { changes, cursor, .. }) = heard.next().await else { panic!("not told") };
        assert_eq!((changes, cursor.as_deref()), (vec![person(id)], Some(revision)));
    }
    put(&feed, 9, &[person("d")]).unwrap();
    assert_eq!(heard.next().await, Some(Signal::Reload { scope: Scope::All, objects: Vec::new() }));
    assert!(matches!(heard.next().await, Some(Signal::Told { .. })));
    assert_eq!(step(&feed, "g", 11, &[]), Err(Refused::Gap { have: 9, got: 11 }));
    assert!(matches!(heard.next().await, Some(Signal::Lost(_))));
    assert!(feed.listen().is_none() && feed.ready().now_or_never().is_none());
    put(&feed, 11, &[]).unwrap();
    assert!(feed.listen().is_some());
}

#[test]
fn what_is_refused_is_put_back() {
    let feed = feed();
    let project = Id::from("p");
    let team = |people: &[&str]| Change::Team {
        project: Id::from("p"),
        members: people.iter().map(|id| Member::new(Id::from(*id), None)).collect(),
    };
    let shot = |project: &str| Change::Upsert(Record::new("shot", "s").in_project(project));
    let all = [Change::Upsert(Record::new("project", "p")), person("a"), person("b"), team(&["a", "b"]), shot("p")];
    put(&feed, 1, &all).unwrap();
    let state = |feed: &Feed| {
        let mut lines: Vec<String> =
            feed.snapshot().unwrap().changes.iter().map(|change| format!("{change:?}")).collect();
        lines.sort();
        lines
    };
    // Members come in no order.
    let sorted = |lines: Vec<String>| lines.into_iter().map(|line| line.len()).collect::<Vec<_>>();
    let before = sorted(state(&feed));
    let outcome = feed.apply((), None, |push, ()| {
        push.step("e", 2)?;
        push.change(person("c"));
        push.change(shot("q"));
        push.change(Change::Leave { project: project.clone(), person: Id::from("a") });
        push.change(Change::Join { project: project.clone(), member: Member::new(Id::from("c"), Some("x".into())) });
        push.change(Change::Remove(ObjectRef::new("project", "p")));
        push.change(team(&["c"]));
        assert!(push.store().in_project(&project).next().is_none());
        Err::<(), _>(Refused::Busy)
    });
    assert_eq!(outcome.map(drop), Err(Refused::Busy));
    assert_eq!((sorted(state(&feed)), feed.revision()), (before, Some(1)));
    feed.apply((), None, |push, ()| {
        assert_eq!(push.store().in_project(&project).count(), 1);
        push.heartbeat()
    })
    .unwrap();
    let failed = feed.apply((), None, |push, ()| {
        push.replace(5, &[])?;
        Err::<(), _>(Refused::Busy)
    });
    assert_eq!((failed.map(drop), feed.revision()), (Err(Refused::Busy), Some(1)));
    assert_eq!(feed.objects(&[ObjectRef::new("entity", "s")]).len(), 1);
}

fn headers(value: Option<&str>) -> HeaderMap {
    value.into_iter().map(|value| (http::header::AUTHORIZATION, value.parse().unwrap())).collect()
}

#[tokio::test]
async fn only_the_token_lets_in() {
    let guard = Guard::new(Some(Token::Value("abc\n".into())));
    for value in ["Bearer abc", "bearer abc", "BEARER  abc"] {
        assert_eq!(guard.lets_in(&headers(Some(value))).await, Ok(()), "{value}");
    }
    for value in ["Bearer abd", "Bearer ab", "Bearer abcd", "Bearer "] {
        assert_eq!(guard.lets_in(&headers(Some(value))).await, Err(NotLetIn::Wrong), "{value}");
    }
    for value in [None, Some("Basic abc"), Some("abc"), Some("")] {
        assert_eq!(guard.lets_in(&headers(value)).await, Err(NotLetIn::Missing), "{value:?}");
    }
    assert_eq!(Guard::new(None).lets_in(&headers(None)).await, Ok(()), "the listener has asked for a certificate");
}

#[tokio::test]
async fn a_token_file_may_change() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("token");
    let guard = Guard::new(Some(Token::File(path.clone())));
    let asked = async |token: &str| guard.lets_in(&headers(Some(&format!("Bearer {token}")))).await;
    assert_eq!(asked("one").await, Err(NotLetIn::Unreadable));
    std::fs::write(&path, "one\n").unwrap();
    assert_eq!(asked("one").await, Ok(()));
    std::fs::write(&path, "two\n").unwrap();
    assert_eq!((asked("one").await, asked("two").await), (Err(NotLetIn::Wrong), Ok(())));
    std::fs::write(&path, "\n").unwrap();
    assert_eq!(asked("").await, Err(NotLetIn::Wrong), "an emptied file lets nobody in");
}
