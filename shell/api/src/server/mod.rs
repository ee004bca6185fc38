//! The HTTP server: routes, limits, and the common parts of handlers.

mod beacon;
mod blocks;
mod config;
mod data;
mod debug;
mod deposit_snapshot;
mod duties;
mod events;
mod headers;
mod node;
mod pages;
mod parse;
mod pool;
mod production;
mod publish;
mod publish_block;
mod requests;
mod states;
mod validators;

use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::http::Uri;
use axum::middleware;
use axum::routing::{get, post};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tower_http::cors::CorsLayer;

use crate::{ApiError, Backend};

pub use requests::Requests;

/// The largest body: a full block of any fork and tens of blobs as JSON, or thousands of attestations.
const BODY_BYTES_MAX: usize = 32 << 20;

/// What the handlers share.
pub(crate) type Shared = Arc<dyn Backend>;

/// How the server listens.
#[derive(Clone, Debug)]
pub struct ServerConfig {
    /// Address and port; port 0 takes any free one.
    pub address: SocketAddr,
    /// Allow pages from any origin to call the API.
    pub allow_any_origin: bool,
}

/// Why the server did not start.
#[derive(Debug, thiserror::Error)]
pub enum ServerError {
    /// The port is taken, or the address is not ours.
    #[error("cannot listen for the Beacon API on {address}: {error}")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// What the system says.
        error: std::io::Error,
    },
}

/// A server that is listening.
pub struct Server {
    listener: TcpListener,
    router: Router,
    requests: Arc<Requests>,
}

impl Server {
    /// Listens; requests wait until [`Server::run`].
    pub async fn bind(config: &ServerConfig, backend: Arc<dyn Backend>) -> Result<Self, ServerError> {
        let address = config.address;
        let listen = |error| ServerError::Listen { address, error };
        let listener = TcpListener::bind(address).await.map_err(listen)?;
        let requests = Arc::new(Requests::default());
        let count = middleware::from_fn_with_state(requests.clone(), requests::count);
        let mut router = router(backend).layer(count);
        if config.allow_any_origin {
            router = router.layer(CorsLayer::permissive());
        }
        Ok(Self { listener, router, requests })
    }

    /// Where it listens.
    pub fn address(&self) -> std::io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// The count of its requests.
    pub fn requests(&self) -> Arc<Requests> {
        self.requests.clone()
    }

    /// Serves until `shutdown` turns true.
    pub async fn run(self, mut shutdown: watch::Receiver<bool>) -> std::io::Result<()> {
        let stop = async move {
            // An error means that the sender is gone, which is a shutdown too.
            let _ = shutdown.wait_for(|stop| *stop).await;
        };
        axum::serve(self.listener, self.router).with_graceful_shutdown(stop).await
    }
}

/// The routes of a node, with the bound on bodies.
pub(crate) fn router(backend: Shared) -> Router {
    routes().with_state(backend).layer(DefaultBodyLimit::max(BODY_BYTES_MAX))
}

fn routes() -> Router<Shared> {
    Router::new()
        .merge(beacon_routes())
        .merge(state_routes())
        .merge(validator_routes())
        .route("/eth/v1/config/spec", get(config::spec))
        .route("/eth/v1/config/fork_schedule", get(config::fork_schedule))
        .route("/eth/v1/config/deposit_contract", get(config::deposit_contract))
        .route("/eth/v1/node/identity", get(node::identity))
        .route("/eth/v1/node/peers", get(node::peers))
        .route("/eth/v1/node/peers/{peer_id}", get(node::peer))
        .route("/eth/v1/node/peer_count", get(node::peer_count))
        .route("/eth/v1/node/version", get(node::version))
        .route("/eth/v1/node/syncing", get(node::syncing))
        .route("/eth/v1/node/health", get(node::health))
        .route("/eth/v1/debug/beacon/states/{state_id}", get(states::full))
        .route("/eth/v2/debug/beacon/states/{state_id}", get(states::full))
        .route("/eth/v1/debug/beacon/heads", get(debug::heads))
        .route("/eth/v2/debug/beacon/heads", get(debug::heads))
        .route("/eth/v1/debug/beacon/data_column_sidecars/{block_id}", get(data::data_column_sidecars))
        .route("/eth/v1/debug/fork_choice", get(debug::fork_choice))
        .route("/eth/v1/events", get(events::events))
        .route("/interlock/v1/status", get(pages::status))
        .route("/dashboard", get(pages::to_dashboard))
        .route("/dashboard/", get(pages::dashboard))
        .route("/dashboard/nodes.json", get(pages::nodes))
        .route("/dashboard/{name}", get(pages::dashboard_file))
        .route("/", get(pages::to_page))
        .route("/forkview", get(pages::to_page))
        .route("/forkview/", get(pages::page))
        .route("/forkview/nodes.json", get(pages::nodes))
        .route("/forkview/{name}", get(pages::file))
        .fallback(no_route)
}

fn beacon_routes() -> Router<Shared> {
    Router::new()
        .route("/eth/v1/beacon/genesis", get(beacon::genesis))
        .route("/eth/v1/beacon/deposit_snapshot", get(deposit_snapshot::deposit_snapshot))
        .route("/eth/v1/beacon/headers", get(headers::list))
        .route("/eth/v1/beacon/headers/{block_id}", get(headers::one))
        .route("/eth/v1/beacon/blocks", post(publish_block::block_v1))
        .route("/eth/v2/beacon/blocks", post(publish_block::block))
        .route("/eth/v1/beacon/blocks/{block_id}", get(blocks::block_v1))
        .route("/eth/v2/beacon/blocks/{block_id}", get(blocks::block))
        .route("/eth/v1/beacon/blocks/{block_id}/root", get(blocks::root))
        .route("/eth/v1/beacon/blocks/{block_id}/attestations", get(blocks::attestations_v1))
        .route("/eth/v2/beacon/blocks/{block_id}/attestations", get(blocks::attestations))
        .route("/eth/v1/beacon/blob_sidecars/{block_id}", get(data::blob_sidecars))
        .route("/eth/v1/beacon/blobs/{block_id}", get(data::blobs))
        .route("/eth/v1/beacon/pool/attestations", get(pool::attestations_v1).post(publish::attestations_v1))
        .route("/eth/v2/beacon/pool/attestations", get(pool::attestations).post(publish::attestations))
        .route("/eth/v1/beacon/pool/sync_committees", post(publish::sync_messages))
        .route(
            "/eth/v1/beacon/pool/bls_to_execution_changes",
            get(pool::bls_changes).post(publish::bls_changes),
        )
        .route(
            "/eth/v1/beacon/pool/voluntary_exits",
            get(pool::voluntary_exits).post(publish::voluntary_exit),
        )
        .route(
            "/eth/v1/beacon/pool/proposer_slashings",
            get(pool::proposer_slashings).post(publish::proposer_slashing),
        )
        .route(
            "/eth/v1/beacon/pool/attester_slashings",
            get(pool::attester_slashings).post(publish::attester_slashing),
        )
        .route(
            "/eth/v2/beacon/pool/attester_slashings",
            get(pool::attester_slashings).post(publish::attester_slashing),
        )
}

fn state_routes() -> Router<Shared> {
    Router::new()
        .route("/eth/v1/beacon/states/{state_id}/root", get(states::root))
        .route("/eth/v1/beacon/states/{state_id}/fork", get(states::fork))
        .route("/eth/v1/beacon/states/{state_id}/finality_checkpoints", get(states::finality_checkpoints))
        .route("/eth/v1/beacon/states/{state_id}/randao", get(states::randao))
        .route("/eth/v1/beacon/states/{state_id}/committees", get(states::committees))
        .route("/eth/v1/beacon/states/{state_id}/sync_committees", get(states::sync_committees))
        .route(
            "/eth/v1/beacon/states/{state_id}/validators",
            get(validators::list).post(validators::list_of_body),
        )
        .route("/eth/v1/beacon/states/{state_id}/validators/{validator_id}", get(validators::one))
        .route(
            "/eth/v1/beacon/states/{state_id}/validator_balances",
            get(validators::balances).post(validators::balances_of_body),
        )
}

fn validator_routes() -> Router<Shared> {
    Router::new()
        .route("/eth/v1/validator/duties/proposer/{epoch}", get(duties::proposer))
        .route("/eth/v1/validator/duties/attester/{epoch}", post(duties::attester))
        .route("/eth/v1/validator/duties/sync/{epoch}", post(duties::sync))
        .route("/eth/v1/validator/blocks/{slot}", get(production::produce_v1))
        .route("/eth/v2/validator/blocks/{slot}", get(production::produce_v2))
        .route("/eth/v3/validator/blocks/{slot}", get(production::produce_v3))
        .route("/eth/v1/validator/attestation_data", get(duties::attestation_data))
        .route("/eth/v1/validator/aggregate_attestation", get(duties::aggregate_attestation_v1))
        .route("/eth/v2/validator/aggregate_attestation", get(duties::aggregate_attestation))
        .route("/eth/v1/validator/aggregate_and_proofs", post(publish::aggregates_v1))
        .route("/eth/v2/validator/aggregate_and_proofs", post(publish::aggregates))
        .route("/eth/v1/validator/beacon_committee_subscriptions", post(duties::committee_subscriptions))
        .route("/eth/v1/validator/sync_committee_subscriptions", post(duties::sync_subscriptions))
        .route("/eth/v1/validator/sync_committee_contribution", get(duties::sync_contribution))
        .route("/eth/v1/validator/contribution_and_proofs", post(publish::contributions))
        .route("/eth/v1/validator/prepare_beacon_proposer", post(duties::prepare_proposer))
        .route("/eth/v1/validator/liveness/{epoch}", post(duties::liveness))
}

async fn no_route(uri: Uri) -> ApiError {
    ApiError::not_found(format!("no such endpoint: {}", uri.path()))
}
