//! How many requests there were, for metrics.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::Response;

/// How many requests there were since the start.
#[derive(Debug, Default)]
pub struct Requests {
    all: AtomicU64,
    successes: AtomicU64,
}

impl Requests {
    /// All of them, and those that were answered without an error.
    pub fn counts(&self) -> (u64, u64) {
        // An answer is counted after its question, so the other order could give more successes than requests.
        let successes = self.successes.load(Ordering::Acquire);
        (self.all.load(Ordering::Acquire), successes)
    }
}

/// Counts a request, and its answer where that is none of an error.
pub async fn count(State(requests): State<Arc<Requests>>, request: Request, next: Next) -> Response {
    requests.all.fetch_add(1, Ordering::AcqRel);
    let response = next.run(request).await;
    if !response.status().is_client_error() && !response.status().is_server_error() {
        requests.successes.fetch_add(1, Ordering::AcqRel);
    }
    response
}
