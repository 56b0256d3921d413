//! Takes the site's webhooks: hints that make the next look at the log come sooner.

use axum::Router;

use super::Flow;
use crate::tracker::ingest::guard::Token;

/// What the site calls.
pub fn router(_flow: Flow, _token: Token) -> Router {
    Router::new()
}
