//! The life of one stream, on either side, as a plain async function.

use std::sync::Arc;
use std::time::Duration;

use futures::channel::mpsc;
use futures::{AsyncWriteExt, SinkExt};
use libp2p::Stream;
use tokio::time::timeout;

use super::codec::{self, Chunk, CodecError};
use super::limits::{PeerLimits, Slot};
use super::peer_streams::{FromStreams, OutboundId};
use super::protocol::{Protocol, code};
use super::replies::{REPLY_QUEUE, Reply};
use crate::config::RequestLimits;
use crate::event::ResponseFailure;

/// What every stream needs to know.
#[derive(Debug)]
pub(crate) struct Rules {
    pub(crate) limits: RequestLimits,
    pub(crate) max_payload_size: usize,
}

impl Rules {
    pub(crate) fn deadline(&self) -> Duration {
        Duration::from_millis(self.limits.timeout_ms)
    }
}

/// Where a stream reports to: the handler of its connection.
pub(crate) type Events = mpsc::Sender<FromStreams>;

/// Answers a peer's request: read, wait for its quota, hand to the node, write what comes back.
pub(crate) async fn serve(
    mut stream: Stream,
    protocol: Protocol,
    peer: (PeerLimits, Slot),
    rules: Arc<Rules>,
    mut events: Events,
) {
    let (limits, _slot) = peer;
    let deadline = rules.deadline();
    let ssz = match timeout(deadline, codec::read_request(&mut stream, protocol, &rules.limits)).await {
        Ok(Ok(ssz)) => ssz,
        Ok(Err(CodecError::Io(_))) => return,
        Ok(Err(error)) => {
            refuse(stream, code::INVALID_REQUEST, &error.to_string(), deadline).await;
            let _ = events.send(FromStreams::Fault(format!("malformed {protocol}: {error}"))).await;
            return;
        }
        // A stream that never speaks is dropped, which resets it.
        Err(_) => return,
    };
    tokio::time::sleep(limits.reserve(protocol.method, &ssz, &rules.limits)).await;
    let (replies, mut answers) = tokio::sync::mpsc::channel(REPLY_QUEUE);
    if events.send(FromStreams::Request { protocol, ssz, replies }).await.is_err() {
        return;
    }
    loop {
        let (bytes, last) = match timeout(deadline, answers.recv()).await {
            Ok(Some(Reply::Chunk(bytes))) => (bytes, false),
            Ok(Some(Reply::Error(bytes))) => (bytes, true),
            Ok(Some(Reply::End)) => break,
            Ok(None) => (codec::encode_error(code::SERVER_ERROR, "the request was dropped"), true),
            Err(_) => (codec::encode_error(code::SERVER_ERROR, "no answer in time"), true),
        };
        // From here on nothing more is taken from the node after the last chunk.
        if last {
            answers.close();
        }
        if !matches!(timeout(deadline, stream.write_all(&bytes)).await, Ok(Ok(()))) {
            return;
        }
        if last {
            break;
        }
        let _ = timeout(deadline, stream.flush()).await;
    }
    let _ = timeout(deadline, stream.close()).await;
}

/// Answers with an error alone.
pub(crate) async fn refuse(mut stream: Stream, code: u8, message: &str, deadline: Duration) {
    let write = async {
        stream.write_all(&codec::encode_error(code, message)).await?;
        stream.close().await
    };
    let _ = timeout(deadline, write).await;
}

/// Asks a peer and reports each chunk, then how it ended.
pub(crate) async fn ask(
    stream: Stream,
    protocol: Protocol,
    request: (OutboundId, Vec<u8>),
    rules: Arc<Rules>,
    mut events: Events,
) {
    let (id, ssz) = request;
    let end = match exchange(stream, protocol, (id, &ssz), &rules, &mut events).await {
        Ok(()) => FromStreams::End { id },
        Err(failure) => FromStreams::Failed { id, failure },
    };
    let _ = events.send(end).await;
}

async fn exchange(
    mut stream: Stream,
    protocol: Protocol,
    (id, ssz): (OutboundId, &[u8]),
    rules: &Rules,
    events: &mut Events,
) -> Result<(), ResponseFailure> {
    let deadline = rules.deadline();
    timeout(deadline, codec::write_request(&mut stream, protocol, ssz))
        .await
        .map_err(|_| ResponseFailure::Timeout)?
        .map_err(|_| ResponseFailure::Disconnected)?;
    let chunks_max = protocol.method.items(ssz, &rules.limits);
    let bounds = protocol.response_bounds(&rules.limits, rules.max_payload_size);
    for index in 0..chunks_max {
        let read = codec::read_chunk(&mut stream, protocol, bounds);
        match timeout(deadline, read).await.map_err(|_| ResponseFailure::Timeout)? {
            Ok(Some(Chunk::Success { context, ssz })) => {
                let chunk = FromStreams::Chunk { id, protocol, context, ssz };
                events.send(chunk).await.map_err(|_| ResponseFailure::Disconnected)?;
            }
            Ok(Some(Chunk::Error { code, message })) => {
                return Err(ResponseFailure::Refused { code, message });
            }
            Ok(None) if index == 0 && !protocol.method.is_list() => {
                return Err(ResponseFailure::InvalidData("the response is empty".to_owned()));
            }
            Ok(None) => return Ok(()),
            Err(CodecError::Io(_)) => return Err(ResponseFailure::Disconnected),
            Err(error) => return Err(ResponseFailure::InvalidData(error.to_string())),
        }
    }
    let _ = timeout(Duration::from_secs(1), stream.close()).await;
    Ok(())
}
