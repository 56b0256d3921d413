//! Whatever a studio writes into its policy: a policy that decides, or complaints that name their places.
#![no_main]

mod mirror;

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use stagedoor::engine::policy::Policy;
use stagedoor::model::change::Snapshot;
use stagedoor::model::id::Id;
use stagedoor::model::query::{Query, Subject};

static DEMO: LazyLock<Snapshot> = LazyLock::new(mirror::demo);

fuzz_target!(|data: &[u8]| {
    let Ok(text) = std::str::from_utf8(data) else { return };
    match Policy::load("kitsu", Some(("studio.yaml", text))) {
        Err(problems) => assert!(!problems.to_string().is_empty()),
        Ok(policy) => {
            let asked: Vec<_> = ["task", "shot", "project", "person"]
                .into_iter()
                .flat_map(|kind| policy.vocabulary(kind).into_iter().map(move |(action, fields)| (kind, action, fields)))
                .collect();
            let mut small = DEMO.clone();
            small.changes.truncate(60);
            let authorizer = mirror::live(policy, small);
            for (kind, action, fields) in &asked {
                let mut query = Query::new(Subject::Login("sam"), action, kind, "1");
                query.project = Some(Id::from("1"));
                query.field = fields.first().map_or("", String::as_str);
                mirror::ask(&authorizer, &query);
            }
        }
    }
});
