//! The client against nodes that lack the newest forms.

#![allow(clippy::unwrap_used)]

use std::sync::{Arc, Mutex};

use api::Client;
use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderMap, Method, StatusCode, Uri};
use types::{BlockContents, BlsSignature, ForkName, SignedBlockContents, Spec, SszExt};

#[derive(Default)]
struct Log {
    requests: Mutex<Vec<String>>,
    bodies: Mutex<Vec<Bytes>>,
}

/// A node that reads no SSZ, and has the second version of nothing where it is told so.
async fn old_node(has_v2: bool) -> (Client, Arc<Log>) {
    let log = Arc::new(Log::default());
    let take = move |State(log): State<Arc<Log>>,
                     method: Method,
                     uri: Uri,
                     headers: HeaderMap,
                     body: Bytes| async move {
        let kind = headers.get(CONTENT_TYPE).map_or("", |kind| kind.to_str().unwrap()).to_owned();
        log.requests.lock().unwrap().push(format!("{method} {} {kind}", uri.path()));
        if uri.path().starts_with("/eth/v2") && !has_v2 {
            return StatusCode::NOT_FOUND;
        }
        if kind == "application/octet-stream" {
            return StatusCode::UNSUPPORTED_MEDIA_TYPE;
        }
        log.bodies.lock().unwrap().push(body);
        StatusCode::OK
    };
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let router = Router::new().fallback(take).with_state(log.clone());
    tokio::spawn(async move { axum::serve(listener, router).await });
    (Client::new(&url), log)
}

fn signed(spec: &'static Spec, fork: ForkName) -> SignedBlockContents {
    BlockContents::new_default(spec.ctx(fork)).signed(BlsSignature::ZERO)
}

#[tokio::test]
async fn a_node_that_reads_no_ssz_gets_json_and_is_remembered() {
    let spec = Spec::from_yaml("PRESET_BASE: 'minimal'\nALTAIR_FORK_EPOCH: 0\n", None).unwrap();
    let contents = signed(spec, ForkName::Altair);
    let (client, log) = old_node(true).await;
    client.publish_block(spec, &contents).await.unwrap();
    client.publish_block(spec, &contents).await.unwrap();
    let expected = [
        "POST /eth/v2/beacon/blocks application/octet-stream",
        "POST /eth/v2/beacon/blocks application/json",
        "POST /eth/v2/beacon/blocks application/json",
    ];
    assert_eq!(*log.requests.lock().unwrap(), expected);
    let json: serde_json::Value = serde_json::from_slice(&log.bodies.lock().unwrap()[0]).unwrap();
    assert_eq!(json, contents.signed_block.to_json(spec.ctx(ForkName::Altair)));
}

#[tokio::test]
async fn a_node_with_first_versions_only_gets_them_before_electra_and_an_error_since() {
    let yaml = "PRESET_BASE: 'minimal'\nALTAIR_FORK_EPOCH: 0\nBELLATRIX_FORK_EPOCH: 0\nCAPELLA_FORK_EPOCH: 0\n\
                DENEB_FORK_EPOCH: 0\nELECTRA_FORK_EPOCH: 1\n";
    let spec = Spec::from_yaml(yaml, None).unwrap();
    let (client, log) = old_node(false).await;
    let before = types::Attestation::default();
    client.submit_attestations(spec, std::slice::from_ref(&before)).await.unwrap();
    assert_eq!(
        log.requests.lock().unwrap().last().unwrap(),
        "POST /eth/v1/beacon/pool/attestations application/json"
    );
    let mut since = types::SingleAttestation::default();
    since.data.slot = types::Slot(8);
    let error = client.submit_single_attestations(spec, &[since]).await.unwrap_err();
    assert_eq!(error.code(), Some(404));
    // What another fork taught of the node's versions does not lead outside of the list.
    let mut aggregate = types::SignedAggregateAndProof::default();
    client.submit_aggregates(spec, std::slice::from_ref(&aggregate)).await.unwrap();
    aggregate.message.aggregate.data.slot = types::Slot(8);
    aggregate.message.aggregate.committee_bits = types::Bits::zero(4);
    assert_eq!(client.submit_aggregates(spec, &[aggregate]).await.unwrap_err().code(), Some(404));
}
