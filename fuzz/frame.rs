//! Whatever ftrack's event hub sends: hints, which name objects that can be asked for, or nothing.
#![no_main]

use libfuzzer_sys::fuzz_target;
use stagedoor::tracker::ftrack::hinted_by;

fuzz_target!(|data: &[u8]| {
    let Ok(frame) = std::str::from_utf8(data) else { return };
    for object in hinted_by(frame) {
        let id = object.id.to_string();
        let sane = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
        // Without an id all that is held of a table is meant, which must be one that is read on first use.
        let whole = ["assetversion", "note", "timelog", "list", "review_session"].contains(&object.kind.as_str());
        assert!(!object.kind.is_empty() && (whole || !id.is_empty()) && id.bytes().all(sane), "{frame}");
    }
});
