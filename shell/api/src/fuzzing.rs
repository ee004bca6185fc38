//! The server without a socket, for tests that throw requests at it.

use std::sync::Arc;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::Request;
use tower::ServiceExt;

use crate::Backend;

/// The most bytes of an answer that are read.
const ANSWER_BYTES_MAX: usize = 64 << 20;

/// A node's routes.
pub struct Routes(Router);

impl Routes {
    /// The routes of the node that is behind them. Making them takes longer than most answers do.
    pub fn new(backend: Arc<dyn Backend>) -> Self {
        Self(crate::server::router(backend))
    }

    /// The status and the body of the answer to a request; none where the request is none that HTTP allows. An answer
    /// that never ends, as that of events, is not read.
    pub async fn answer(
        &self,
        method: &str,
        target: &str,
        headers: &[(&str, &str)],
        body: Vec<u8>,
    ) -> Option<(u16, Vec<u8>)> {
        let mut request = Request::builder().method(method).uri(target);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(Body::from(body)).ok()?;
        let is_endless = request.uri().path().starts_with("/eth/v1/events");
        let response = self.0.clone().oneshot(request).await.ok()?;
        let status = response.status().as_u16();
        if is_endless {
            return Some((status, Vec::new()));
        }
        let body = to_bytes(response.into_body(), ANSWER_BYTES_MAX).await.ok()?;
        Some((status, body.to_vec()))
    }
}
