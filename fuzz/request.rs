//! Whatever bytes a client sends: a decision or an error, never a panic, and the same decision in every way of asking.
#![no_main]

mod mirror;

use std::sync::{Arc, LazyLock};

use libfuzzer_sys::fuzz_target;
use prost::Message as _;
use stagedoor::authorizer::Authorizer;
use stagedoor::engine::policy::Policy;
use stagedoor::proto::v1;
use stagedoor::proto::view::{BatchCheckRequest, CheckRequest, ListActionsRequest, View as _};
use stagedoor::serve::convert::{self, Defaults};

static AUTHORIZER: LazyLock<Arc<Authorizer>> =
    LazyLock::new(|| mirror::live(Policy::load("kitsu", None).expect("compiles"), mirror::demo()));

/// What is borrowed from the bytes is what prost reads from them, and what it refuses is refused with the same words.
macro_rules! same {
    ($message:ident, $wire:expr) => {
        match (v1::$message::decode($wire), $message::read($wire)) {
            (Ok(message), Ok(view)) => {
                // As prost writes it, each field stands once and in its place.
                let plain = message.encode_to_vec();
                let again = $message::read(&plain).expect("was written by prost");
                assert_eq!(format!("{view:?}"), format!("{again:?}"));
            }
            (Err(refused), Err(told)) => assert_eq!(refused.to_string(), told.to_string()),
            (message, view) => panic!("prost: {message:?}, here: {view:?}"),
        }
    };
}

fuzz_target!(|data: &[u8]| {
    let Some((kind, wire)) = data.split_first() else { return };
    match kind % 3 {
        0 => {
            same!(CheckRequest, wire);
            if let Ok(request) = CheckRequest::read(wire)
                && let Ok(query) = convert::query(&request)
            {
                mirror::ask(&AUTHORIZER, &query);
            }
        }
        1 => {
            same!(BatchCheckRequest, wire);
            let Ok(batch) = BatchCheckRequest::read(wire) else { return };
            let Ok(defaults) = Defaults::read(&batch) else { return };
            for query in batch.items.iter().take(20).filter_map(|item| defaults.query(item).ok()) {
                mirror::ask(&AUTHORIZER, &query);
            }
        }
        _ => same!(ListActionsRequest, wire),
    }
});
