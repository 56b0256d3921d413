//! Bytes as a mirror from the disk: it is refused, or it is a mirror that answers and can be written again. What is fuzzed
//! is what lies under the checksum, which nothing random gets past; the file around it is read too.
#![no_main]

mod mirror;

use std::sync::{Arc, LazyLock};
use std::time::SystemTime;

use libfuzzer_sys::fuzz_target;
use stagedoor::authorizer::{Authorizer, Clock, Options};
use stagedoor::directory::Directory;
use stagedoor::engine::policy::Policy;
use stagedoor::model::query::{Query, Subject};
use stagedoor::model::schema::Schema;
use stagedoor::snapshot::format;

const ASKED: [(&str, &str, &str); 3] =
    [("comment", "task", "sh010-animation"), ("update", "shot", "sh010"), ("read", "project", "atlas")];

static SCHEMA: LazyLock<Arc<Schema>> = LazyLock::new(|| Arc::clone(&policy().schema));

fn policy() -> Policy {
    Policy::load("kitsu", None).expect("compiles")
}

fn again(directory: &Directory) -> Directory {
    let mut bytes = Vec::new();
    directory.encode(&mut bytes);
    Directory::decode(Arc::clone(&SCHEMA), 1, &bytes).expect("what was written can be read")
}

fuzz_target!(|data: &[u8]| {
    let _refused = format::open(data);
    let Ok(directory) = Directory::decode(Arc::clone(&SCHEMA), 1, data) else { return };
    let once = again(&directory);
    assert_eq!(once.view().counts(), again(&once).view().counts());
    let options = Options { cache_capacity: 100, ..Options::default() };
    let authorizer = Authorizer::new(policy(), options, Clock::system());
    authorizer.restore(once, SystemTime::now());
    for person in ["ada", "bo", "kai"] {
        for (action, kind, id) in ASKED {
            mirror::ask(&authorizer, &Query::new(Subject::Person(person), action, kind, id));
        }
    }
});
