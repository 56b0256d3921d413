//! Whatever a site of Flow answers when its log of events is read: hints, which name rows that can be asked for.
#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use stagedoor::engine::policy::Policy;
use stagedoor::tracker::flow::hinted_by;

static POLICY: LazyLock<Policy> = LazyLock::new(|| Policy::load("flow", None).expect("the built-in pack compiles"));

fuzz_target!(|data: &[u8]| {
    let Ok(answer) = std::str::from_utf8(data) else { return };
    for object in hinted_by(answer, &POLICY.schema) {
        let id = object.id.to_string();
        assert!(POLICY.schema.kind_no(&object.kind).is_some() && id.parse::<u64>().is_ok_and(|id| id > 0), "{answer}");
    }
});
