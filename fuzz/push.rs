//! Whatever is pushed: a state that can be loaded, or complaints and the state as it was.
#![no_main]

use std::sync::{Arc, LazyLock};

use libfuzzer_sys::fuzz_target;
use stagedoor::authorizer::{Authorizer, Clock, Options};
use stagedoor::engine::policy::Policy;
use stagedoor::model::change::{Batch, Change};
use stagedoor::model::schema::Schema;
use stagedoor::tracker::ingest::feed::{Feed, Push, Refused};
use stagedoor::tracker::limecraft::{apply_snapshot, events, parse_snapshot};

const STUDIO: &str = include_str!("seeds/push/snapshot");

static SCHEMA: LazyLock<Arc<Schema>> = LazyLock::new(|| Arc::clone(&policy().schema));

fn policy() -> Policy {
    Policy::load("limecraft", None).expect("compiles")
}

/// What is held, in an order of its own.
fn held(feed: &Feed) -> Option<Vec<String>> {
    let mut lines: Vec<String> = feed.snapshot()?.changes.into_iter().map(line).collect();
    lines.sort();
    Some(lines)
}

fn line(change: Change) -> String {
    match change {
        Change::Team { project, mut members } => {
            members.sort_by(|a, b| a.person.cmp(&b.person));
            format!("{:?}", Change::Team { project, members })
        }
        other => format!("{other:?}"),
    }
}

fn pushed(feed: &Feed, apply: impl FnOnce(&mut Push<'_>) -> Result<(), Refused>) {
    let (before, revision) = (held(feed), feed.revision());
    match feed.apply((), None, |push, ()| apply(push)) {
        Ok((accepted, _)) => assert_eq!(feed.revision().unwrap_or_default(), accepted.revision),
        Err(refused) => {
            assert!(!refused.to_string().is_empty());
            assert_eq!(feed.revision(), revision, "{refused}");
            // What is known to lack something is not read; else it is as it was.
            let after = held(feed);
            assert!(after == before || after.is_none() && matches!(refused, Refused::Gap { .. }), "{refused}");
        }
    }
}

fuzz_target!(|data: &[u8]| {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let feed = Feed::new(Arc::clone(&SCHEMA));
    if let Ok(whole) = parse_snapshot(text) {
        pushed(&feed, |push| apply_snapshot(push, &whole));
    }
    pushed(&feed, |push| push.restart(1718, &parse_snapshot(STUDIO)?.changes));
    pushed(&feed, |push| events::apply(push, text));
    let Some(snapshot) = feed.snapshot() else { return };
    let authorizer = Authorizer::new(policy(), Options { cache_capacity: 10, ..Options::default() }, Clock::system());
    authorizer.apply(Batch::Snapshot(snapshot.clone()));
    assert_eq!(authorizer.apply(Batch::Snapshot(snapshot)).changed, 0, "the same again is no change");
});
