//! Whatever bytes a client sends: a decision or an error, never a panic, and the same decision in every way of asking.
#![no_main]

mod mirror;

use std::sync::{Arc, LazyLock};

use libfuzzer_sys::fuzz_target;
use prost::Message as _;
use stagedoor::authorizer::Authorizer;
use stagedoor::engine::policy::Policy;
use stagedoor::proto::v1;
use stagedoor::serve::convert::{self, Defaults};

static AUTHORIZER: LazyLock<Arc<Authorizer>> =
    LazyLock::new(|| mirror::live(Policy::load("kitsu", None).expect("compiles"), mirror::demo()));

fuzz_target!(|data: &[u8]| {
    let Some((kind, wire)) = data.split_first() else { return };
    if kind % 2 == 0 {
        if let Ok(request) = v1::CheckRequest::decode(wire)
            && let Ok(query) = convert::query(&request)
        {
            mirror::ask(&AUTHORIZER, &query);
        }
        return;
    }
    let Ok(batch) = v1::BatchCheckRequest::decode(wire) else { return };
    let Ok(defaults) = Defaults::read(&batch) else { return };
    for query in batch.items.iter().take(20).filter_map(|item| defaults.query(item).ok()) {
        mirror::ask(&AUTHORIZER, &query);
    }
});
