//! The HTTP server of metrics, apart from that of the Beacon API: who may read figures may not always use the API.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use axum::http::HeaderMap;
use axum::http::header::{ACCEPT, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use prometheus_client::registry::Registry;
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tower_http::cors::CorsLayer;

use crate::{open_metrics, plain_text};

const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";
const PLAIN_TEXT: &str = "text/plain; version=0.0.4; charset=utf-8";

/// How the server listens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ExporterConfig {
    /// Address and port; port 0 takes any free one.
    pub address: SocketAddr,
    /// Allow pages from any origin to read.
    pub allow_any_origin: bool,
}

/// Why the server did not start.
#[derive(Debug, thiserror::Error)]
pub enum ExporterError {
    /// The port is taken, or the address is not ours.
    #[error("cannot listen for metrics on {address}: {error}")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// What the system says.
        error: std::io::Error,
    },
}

/// What the dashboard reads, where the process has no other server to give it.
pub type StatusPage = Arc<dyn Fn() -> Value + Send + Sync>;

/// A server that is listening.
#[derive(Debug)]
pub struct Exporter {
    listener: TcpListener,
    router: Router,
}

impl Exporter {
    /// Listens; requests wait until [`Exporter::run`]. `/metrics` gives the registry, and `/interlock/v1/status` what
    /// `status` says, where there is one.
    ///
    /// # Errors
    /// [`ExporterError`] where the address cannot be listened on.
    pub async fn bind(
        config: &ExporterConfig,
        registry: Arc<Registry>,
        status: Option<StatusPage>,
    ) -> Result<Self, ExporterError> {
        let address = config.address;
        let listen = |error| ExporterError::Listen { address, error };
        let listener = TcpListener::bind(address).await.map_err(listen)?;
        let metrics = move |headers: HeaderMap| async move { metrics(&registry, &headers) };
        let mut router = Router::new().route("/metrics", get(metrics));
        if let Some(status) = status {
            router = router.route("/interlock/v1/status", get(async move || axum::Json(status())));
        }
        if config.allow_any_origin {
            router = router.layer(CorsLayer::permissive());
        }
        Ok(Self { listener, router })
    }

    /// Where it listens.
    pub fn address(&self) -> std::io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// Serves until `shutdown` turns true or its sender is gone.
    pub async fn run(self, mut shutdown: watch::Receiver<bool>) -> std::io::Result<()> {
        let stop = async move {
            let _ = shutdown.wait_for(|stop| *stop).await;
        };
        axum::serve(self.listener, self.router).with_graceful_shutdown(stop).await
    }
}

fn metrics(registry: &Registry, headers: &HeaderMap) -> Response {
    let accepted = headers.get_all(ACCEPT).iter().filter_map(|value| value.to_str().ok());
    let wants_open = accepted.into_iter().any(|value| value.contains("application/openmetrics-text"));
    match wants_open {
        true => ([(CONTENT_TYPE, OPEN_METRICS)], open_metrics(registry)).into_response(),
        false => ([(CONTENT_TYPE, PLAIN_TEXT)], plain_text(registry)).into_response(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::HeaderValue;
    use prometheus_client::metrics::gauge::Gauge;

    #[tokio::test]
    async fn the_text_is_the_one_that_was_asked_for() {
        let mut registry = Registry::default();
        registry.register("peers", "Peers", Gauge::<i64>::default());
        let kind = |headers: &HeaderMap| metrics(&registry, headers).headers()[CONTENT_TYPE].clone();
        assert_eq!(kind(&HeaderMap::new()), PLAIN_TEXT);
        let mut headers = HeaderMap::new();
        let accept =
            "application/openmetrics-text;version=1.0.0;q=0.75,text/plain;version=0.0.4;q=0.5,*/*;q=0.1";
        headers.insert(ACCEPT, HeaderValue::from_static(accept));
        assert_eq!(kind(&headers), OPEN_METRICS);
    }

    #[tokio::test]
    async fn a_port_that_is_taken_is_an_error_that_names_it() {
        let config =
            ExporterConfig { address: SocketAddr::from(([127, 0, 0, 1], 0)), allow_any_origin: false };
        let first = Exporter::bind(&config, Arc::default(), None).await.unwrap();
        let config = ExporterConfig { address: first.address().unwrap(), ..config };
        let error = Exporter::bind(&config, Arc::default(), None).await.unwrap_err().to_string();
        assert!(error.contains(&config.address.to_string()), "{error}");
    }
}
