//! A studio file as the tracker of a running mirror: changes take effect, mistakes do not, mending is enough.

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use stagedoor::authorizer::{Authorizer, Clock, Options, State};
use stagedoor::engine::policy::Policy;
use stagedoor::model::decision::Reason;
use stagedoor::model::query::{Query, Subject};
use stagedoor::tracker::file::File;
use stagedoor::tracker::file::studio::Vocabulary;
use stagedoor::tracker::supervise::{self, Supervisor};
use tokio_util::sync::CancellationToken;

const STUDIO: &str = "\
person:
  - {id: ada, role: admin}
  - {id: bo, role: user}
project: [{id: atlas, team: [bo]}]
shot: [{id: sh010, project: atlas}]
task_type: [animation]
task_status: [{id: wip, is_artist_allowed: true}]
task:
  - {id: t1, entity_id: sh010, task_type_id: animation, task_status_id: wip, assignees: []}
";

fn authorizer() -> (Arc<Authorizer>, Vocabulary) {
    let policy = Policy::load("kitsu", None).unwrap();
    let roles = policy.roles().map(Into::into).collect();
    let words = Vocabulary { pack: policy.tracker.clone(), schema: Arc::clone(&policy.schema), roles };
    (Authorizer::new(policy, Options::default(), Clock::system()), words)
}

/// Runs the script beside a supervisor of the file.
async fn beside(file: File, authorizer: &Arc<Authorizer>, script: impl Future<Output = ()>) {
    let supervisor = Supervisor::new(file, Arc::clone(authorizer), supervise::Options::default());
    tokio::select! {
        () = supervisor.run(CancellationToken::new()) => panic!("the supervisor ended"),
        () = script => {}
    }
}

async fn comment(authorizer: &Authorizer, who: &str) -> Reason {
    authorizer.check(&Query::new(Subject::Person(who), "comment", "task", "t1")).await.decision.code
}

async fn until(what: &str, mut holds: impl AsyncFnMut() -> bool) {
    let wait = async {
        while !holds().await {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(10), wait)
        .await
        .unwrap_or_else(|_| panic!("not within ten seconds: {what}"));
}

fn replace(path: &Path, text: &str) {
    let next = path.with_extension("next");
    fs::write(&next, text).unwrap();
    fs::rename(next, path).unwrap();
}

#[tokio::test]
async fn a_change_takes_effect_and_a_mistake_does_not() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("studio.yaml");
    fs::write(&path, STUDIO).unwrap();
    let (authorizer, words) = authorizer();
    beside(File::at(path.clone(), words), &authorizer, async {
        until("live", async || authorizer.state() == State::Live).await;
        assert_eq!(comment(&authorizer, "bo").await, Reason::NoGrant, "not mentioned is known, not unknown");

        replace(&path, &STUDIO.replace("assignees: []", "assignees: [bo]"));
        until("assigned", async || comment(&authorizer, "bo").await == Reason::Granted).await;

        replace(&path, &STUDIO.replace("assignees: []", "assignees: [boo]"));
        until("degraded", async || authorizer.state() == State::Degraded).await;
        assert_eq!(comment(&authorizer, "bo").await, Reason::Granted, "the last good content stays in force");

        replace(&path, STUDIO);
        until("mended", async || authorizer.state() == State::Live).await;
        assert_eq!(comment(&authorizer, "bo").await, Reason::NoGrant);

        // In place, in two steps with a pause, as a careless tool would: half a file is not taken for a whole one.
        let (first, rest) = STUDIO.split_at(STUDIO.find("task_status:").unwrap());
        fs::write(&path, first).unwrap();
        tokio::time::sleep(Duration::from_millis(5)).await;
        fs::write(&path, format!("{first}{}", rest.replace("assignees: []", "assignees: [bo]"))).unwrap();
        until("assigned", async || {
            assert_ne!(comment(&authorizer, "bo").await, Reason::ResourceUnknown);
            comment(&authorizer, "bo").await == Reason::Granted
        })
        .await;
    })
    .await;
}

#[tokio::test]
async fn a_file_that_is_broken_at_the_start_is_waited_for() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("studio.yaml");
    let (authorizer, words) = authorizer();
    beside(File::at(path.clone(), words), &authorizer, async {
        tokio::time::sleep(Duration::from_millis(300)).await;
        assert_eq!(authorizer.state(), State::Loading);
        fs::write(&path, STUDIO).unwrap();
        until("live", async || authorizer.state() == State::Live).await;
        assert_eq!(comment(&authorizer, "ada").await, Reason::Granted);
    })
    .await;
}

#[tokio::test]
async fn the_demo_is_live_at_once() {
    let (authorizer, words) = authorizer();
    beside(File::demo(words), &authorizer, async {
        until("live", async || authorizer.state() == State::Live).await;
        let query = Query::new(Subject::Person("bo"), "comment", "task", "sh010-animation");
        assert_eq!(authorizer.check(&query).await.decision.code, Reason::Granted);
    })
    .await;
}
