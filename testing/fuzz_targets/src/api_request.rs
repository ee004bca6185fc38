//! Requests to the Beacon API.

use std::sync::{Arc, OnceLock};

use api::fuzzing::Routes;
use tokio::runtime::Runtime;

use crate::stub::Stub;

/// A request as text: `METHOD TARGET`, then headers as `name: value`, an empty line, the body. Whatever it is, the server
/// answers, and never with a fault of its own.
pub fn api_request(data: &[u8]) {
    if let Some((status, body)) = status_of(data) {
        let text = String::from_utf8_lossy(&body);
        assert!(status < 500 || status == 501 || status == 503, "{status} {text}");
    }
}

/// The status and the body of the answer; none where the bytes are no request.
pub(crate) fn status_of(data: &[u8]) -> Option<(u16, Vec<u8>)> {
    let end = data.windows(2).position(|pair| pair == b"\n\n");
    let (head, body) = match end {
        Some(end) => (&data[..end], &data[end + 2..]),
        None => (data, &[][..]),
    };
    let mut lines = std::str::from_utf8(head).ok()?.lines();
    let (method, target) = lines.next().and_then(|line| line.split_once(' '))?;
    let headers: Vec<(&str, &str)> = lines.filter_map(|line| line.split_once(": ")).take(16).collect();
    runtime().block_on(routes().answer(method, target, &headers, body.to_vec()))
}

fn routes() -> &'static Routes {
    static ROUTES: OnceLock<Routes> = OnceLock::new();
    ROUTES.get_or_init(|| Routes::new(Arc::new(Stub::new())))
}

fn runtime() -> &'static Runtime {
    static RUNTIME: OnceLock<Runtime> = OnceLock::new();
    let make = || tokio::runtime::Builder::new_current_thread().max_blocking_threads(1).enable_time().build();
    RUNTIME.get_or_init(|| make().expect("a runtime of one thread"))
}
