//! `events`: server-sent events.

use std::convert::Infallible;
use std::time::Duration;

use axum::extract::{RawQuery, State};
use axum::response::sse::{self, KeepAlive, Sse};
use futures::{Stream, StreamExt};
use tokio_stream::wrappers::BroadcastStream;

use super::Shared;
use super::parse::Query;
use crate::{ApiError, Topic};

/// Proxies close connections that are silent for a minute.
const KEEP_ALIVE: Duration = Duration::from_secs(15);

pub async fn events(
    State(backend): State<Shared>,
    RawQuery(query): RawQuery,
) -> Result<Sse<impl Stream<Item = Result<sse::Event, Infallible>>>, ApiError> {
    let query = Query::parse(query.as_deref());
    let mut topics = Vec::new();
    for name in query.all("topics") {
        match Topic::ALL.into_iter().find(|topic| topic.as_str() == name) {
            Some(topic) => topics.push(topic),
            None if Topic::SILENT.contains(&name) => {}
            None => return Err(ApiError::bad_request(format!("unknown topic {name:?}"))),
        }
    }
    if query.get("topics").is_none() {
        return Err(ApiError::bad_request("topics is missing"));
    }
    let spec = backend.spec();
    let stream = BroadcastStream::new(backend.events()).filter_map(move |event| {
        // A subscriber that was too slow has lost events; the next one tells it where the chain is.
        let wanted = event.ok().filter(|event| topics.contains(&event.topic()));
        let sent = wanted.map(|event| {
            Ok(sse::Event::default().event(event.topic().as_str()).data(event.data(spec).to_string()))
        });
        std::future::ready(sent)
    });
    Ok(Sse::new(stream).keep_alive(KeepAlive::new().interval(KEEP_ALIVE)))
}
