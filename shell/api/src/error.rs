//! Errors in the Beacon API's form: `{"code": 400, "message": "…", "failures": […]}`.

use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde_json::json;

/// One item of a list that could not be taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// Its place in the list that was sent.
    pub index: usize,
    /// Why.
    pub message: String,
}

/// An answer that is an error.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{code}: {message}")]
pub struct ApiError {
    /// The HTTP status.
    pub code: u16,
    /// Why, for people.
    pub message: String,
    /// Which items of a list failed.
    pub failures: Vec<Failure>,
}

impl ApiError {
    fn new(code: u16, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), failures: Vec::new() }
    }

    /// 400: the request is wrong.
    pub fn bad_request(message: impl Into<String>) -> Self {
        Self::new(400, message)
    }

    /// 404: there is no such thing.
    pub fn not_found(message: impl Into<String>) -> Self {
        Self::new(404, message)
    }

    /// 415: a body of another kind.
    pub fn unsupported_media_type(message: impl Into<String>) -> Self {
        Self::new(415, message)
    }

    /// 500: we are broken.
    pub fn internal(message: impl Into<String>) -> Self {
        Self::new(500, message)
    }

    /// 503: not now, because the node is syncing or overloaded.
    pub fn unavailable(message: impl Into<String>) -> Self {
        Self::new(503, message)
    }

    /// 400 with the items that failed; the others were taken.
    pub fn failures(failures: Vec<Failure>) -> Self {
        let message = match failures.as_slice() {
            [only] => format!("item {}: {}", only.index, only.message),
            all => format!("{} items failed", all.len()),
        };
        Self { code: 400, message, failures }
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let mut body = json!({ "code": self.code, "message": self.message });
        if !self.failures.is_empty() {
            let failures = self.failures.iter();
            body["failures"] = failures
                .map(|failure| json!({ "index": failure.index, "message": failure.message }))
                .collect();
        }
        let status = StatusCode::from_u16(self.code).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        (status, axum::Json(body)).into_response()
    }
}
