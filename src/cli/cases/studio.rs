//! The studio of a case file, mirrored as a running server would mirror it.

use std::future::Future;
use std::path::Path;
use std::pin::Pin;
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use super::format::{CaseFile, Question, Studio};
use super::load;
use super::report::Got;
use crate::authorizer::{Authorizer, Clock, Feed, Options, ReadError, Reader};
use crate::engine::policy::Policy;
use crate::model::change::{Batch, Change, Snapshot};
use crate::model::id::{Id, ObjectRef};
use crate::model::query::{Query, Subject};
use crate::tracker::file::{DEMO, DEMO_NAME, studio};
use crate::yaml::{Place, Problems};

/// Longer than any run: nothing that is asked here ages.
const LONG: Duration = Duration::from_secs(24 * 60 * 60);

/// A mirror of the studio that questions can be asked of.
#[derive(Debug)]
pub(super) struct Mirror {
    authorizer: Arc<Authorizer>,
}

/// What the studio does not name does not exist.
#[derive(Debug)]
struct Nothing(Weak<Authorizer>);
