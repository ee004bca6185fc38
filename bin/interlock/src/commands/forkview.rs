//! `interlock forkview`: the page with block trees, for nodes that are anywhere or for a recorded trace.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, ensure};
use axum::body::Body;
use axum::extract::{Path, RawQuery, State};
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::get;
use axum::{Json, Router};
use clap::Args;
use serde_json::{Value, json};

use crate::shutdown;

/// More nodes than this are no picture any more.
const NODES_MAX: usize = 64;
/// The longest trace that is read.
const TRACE_BYTES_MAX: u64 = 256 << 20;
/// How long a node may take to answer; streams of events have no end.
const TIMEOUT: Duration = Duration::from_secs(10);

/// Show the block trees of any nodes, live, or play a recorded trace, on a page of its own.
///
/// Every node and every devnet serves this page too. Here it is for nodes of other clients alone, which it asks over the
/// standard Beacon API: it carries the page's questions to the nodes, so that they need not allow pages of other origins.
/// Prints the page's address, and ends with Ctrl-C.
#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub struct Forkview {
    /// A node by the URL of its Beacon API (http), with a name before it where there are several, as in
    /// lodestar@http://127.0.0.1:9596. May be given several times.
    #[arg(long = "node", value_name = "[NAME@]URL", required_unless_present = "trace", value_parser = node)]
    nodes: Vec<Node>,
    /// A trace to play instead, as `interlock simulate --trace` writes it.
    #[arg(long, value_name = "FILE", conflicts_with = "nodes")]
    trace: Option<PathBuf>,
    /// The address to serve the page on.
    #[arg(long, value_name = "ADDRESS", default_value_t = IpAddr::V4(Ipv4Addr::LOCALHOST))]
    http_address: IpAddr,
    /// The port to serve the page on; 0 takes any free one.
    #[arg(long, value_name = "PORT", default_value_t = 0)]
    http_port: u16,
}

const EXAMPLES: &str = "\
Examples:
  Two clients side by side:
    interlock forkview --node ours@http://127.0.0.1:5052 --node lodestar@http://127.0.0.1:9596

  A simulated network that forks and heals:
    interlock simulate --nodes 6 --epochs 7 --partition 2..4 --trace split.jsonl
    interlock forkview --trace split.jsonl";

/// A node that is shown.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Node {
    name: String,
    url: String,
}

/// `NAME@URL` or a URL alone, which is then the name.
fn node(text: &str) -> anyhow::Result<Node> {
    let (name, url) = match text.split_once('@') {
        Some((name, url)) if !name.contains('/') => (name, url),
        _ => ("", text),
    };
    let url = url.trim_end_matches('/');
    let host = url.strip_prefix("http://").with_context(|| format!("{url:?} does not begin with http://"))?;
    ensure!(!host.is_empty() && !host.starts_with('/'), "{url:?} names no host");
    Ok(Node { name: if name.is_empty() { host } else { name }.to_owned(), url: url.to_owned() })
}

/// What the routes share.
#[derive(Debug)]
struct Shown {
    nodes: Vec<Node>,
    trace: Option<PathBuf>,
    client: reqwest::Client,
}

impl Forkview {
    /// Serves until it is asked to end.
    pub fn run(self) -> anyhow::Result<()> {
        ensure!(self.nodes.len() <= NODES_MAX, "{} nodes are more than {NODES_MAX}", self.nodes.len());
        for (place, node) in self.nodes.iter().enumerate() {
            let is_twin = |other: &Node| other.name == node.name;
            ensure!(!self.nodes[..place].iter().any(is_twin), "two nodes are called {}", node.name);
        }
        if let Some(path) = &self.trace {
            check_trace(path).with_context(|| path.display().to_string())?;
        }
        let address = SocketAddr::new(self.http_address, self.http_port);
        let client = reqwest::Client::builder().connect_timeout(TIMEOUT).build()?;
        let shown = Arc::new(Shown { nodes: self.nodes, trace: self.trace, client });
        tokio::runtime::Runtime::new()?.block_on(serve(address, shown))
    }
}

/// Refuses what the page could not play, before anybody opens it.
fn check_trace(path: &std::path::Path) -> anyhow::Result<()> {
    use std::io::{BufRead, BufReader, Read};
    let file = std::fs::File::open(path)?;
    let bytes = file.metadata()?.len();
    ensure!(bytes <= TRACE_BYTES_MAX, "{bytes} bytes are more than the {TRACE_BYTES_MAX} of a trace");
    let mut line = Vec::new();
    BufReader::new(file.take(1 << 20)).read_until(b'\n', &mut line)?;
    let header: Value = serde_json::from_slice(&line).context("line 1 is no JSON")?;
    ensure!(header["format"] == "interlock-trace-1", "line 1 does not say \"format\": \"interlock-trace-1\"");
    Ok(())
}

async fn serve(address: SocketAddr, shown: Arc<Shown>) -> anyhow::Result<()> {
    let listener = tokio::net::TcpListener::bind(address).await.with_context(|| address.to_string())?;
    println!("fork view      http://{}/forkview/", listener.local_addr()?);
    let mut shutdown = shutdown::on_signal()?;
    let stop = async move {
        // An error means that the sender is gone, which is a shutdown too.
        let _ = shutdown.wait_for(|stop| *stop).await;
    };
    // Open streams of events are not waited for.
    tokio::select! {
        served = axum::serve(listener, routes(shown)).into_future() => served.context("serving the page"),
        () = stop => Ok(()),
    }
}

fn routes(shown: Arc<Shown>) -> Router {
    Router::new()
        .route("/", get(|| async { Redirect::temporary("/forkview/") }))
        .route("/forkview", get(|| async { Redirect::temporary("/forkview/") }))
        .route("/forkview/", get(|| file(Path(String::new()))))
        .route("/forkview/nodes.json", get(nodes))
        .route("/forkview/trace.jsonl", get(trace))
        .route("/forkview/{name}", get(file))
        .route("/node/{place}/{*path}", get(relay))
        .with_state(shown)
}

async fn file(Path(name): Path<String>) -> Response {
    match forkview::asset(&name) {
        Some(asset) => {
            ([(CONTENT_TYPE, asset.media_type), (CACHE_CONTROL, "no-cache")], asset.text).into_response()
        }
        None => StatusCode::NOT_FOUND.into_response(),
    }
}

/// What the page shows: the trace, or the nodes by addresses of this server.
async fn nodes(State(shown): State<Arc<Shown>>) -> Json<Value> {
    if shown.trace.is_some() {
        return Json(json!({ "trace": "trace.jsonl" }));
    }
    let entry = |(place, node): (usize, &Node)| json!({ "id": node.name, "name": node.name, "url": format!("/node/{place}") });
    Json(json!({ "nodes": shown.nodes.iter().enumerate().map(entry).collect::<Vec<_>>() }))
}

async fn trace(State(shown): State<Arc<Shown>>) -> Response {
    let Some(path) = &shown.trace else { return StatusCode::NOT_FOUND.into_response() };
    match tokio::fs::read(path).await {
        Ok(bytes) => {
            ([(CONTENT_TYPE, "application/jsonl"), (CACHE_CONTROL, "no-cache")], bytes).into_response()
        }
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, error.to_string()).into_response(),
    }
}

/// Carries a question to a node. Only nodes that were named at the start are asked, and only by GET.
async fn relay(
    State(shown): State<Arc<Shown>>,
    Path((place, path)): Path<(usize, String)>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Response {
    let Some(node) = shown.nodes.get(place) else { return StatusCode::NOT_FOUND.into_response() };
    let query = query.map(|query| format!("?{query}")).unwrap_or_default();
    let mut request = shown.client.get(format!("{}/{path}{query}", node.url));
    if let Some(accept) = headers.get("accept") {
        request = request.header("accept", accept);
    }
    if path != "eth/v1/events" {
        request = request.timeout(TIMEOUT);
    }
    match request.send().await {
        Ok(answer) => {
            let status = answer.status();
            let kind = answer.headers().get(CONTENT_TYPE).cloned();
            let mut response = Response::new(Body::from_stream(answer.bytes_stream()));
            *response.status_mut() = status;
            response.headers_mut().extend(kind.map(|kind| (CONTENT_TYPE, kind)));
            response
        }
        Err(error) => {
            let why = if error.is_timeout() { "does not answer in time" } else { "cannot be reached" };
            (StatusCode::BAD_GATEWAY, format!("{} {why}", node.url)).into_response()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nodes_are_named_or_called_by_their_host() {
        let url = "http://127.0.0.1:5052";
        assert_eq!(node("a@http://127.0.0.1:5052/").unwrap(), Node { name: "a".into(), url: url.into() });
        assert_eq!(node(url).unwrap(), Node { name: "127.0.0.1:5052".into(), url: url.into() });
        for wrong in ["https://a", "a@", "127.0.0.1:5052", "http://", "http:///x"] {
            assert!(node(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_file_that_is_no_trace_is_refused_before_it_is_served() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("t");
        let refusal = |text: &str| {
            std::fs::write(&path, text).unwrap();
            check_trace(&path).map_or_else(|error| error.to_string(), |()| String::new())
        };
        assert_eq!(refusal("{\"format\":\"interlock-trace-1\"}\n{}"), "");
        assert_eq!(refusal("what"), "line 1 is no JSON");
        assert!(refusal("{}\n").contains("does not say"));
        assert!(refusal("").contains("no JSON"));
    }

    #[tokio::test]
    async fn a_question_is_carried_to_the_node_that_was_named_and_to_no_other() {
        let node = Router::new()
            .route("/eth/{*path}", get(|RawQuery(query): RawQuery| async { query.unwrap_or_default() }));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(axum::serve(listener, node).into_future());
        let nodes = vec![
            Node { name: "one".into(), url },
            Node { name: "gone".into(), url: "http://127.0.0.1:1".into() },
        ];
        let shown = Arc::new(Shown { nodes, trace: None, client: reqwest::Client::new() });
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let page = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(axum::serve(listener, routes(shown)).into_future());
        let ask = async |path: &str| {
            let answer = reqwest::get(format!("{page}{path}")).await.unwrap();
            (answer.status().as_u16(), answer.text().await.unwrap())
        };
        assert_eq!(ask("/node/0/eth/v1/events?topics=head").await, (200, "topics=head".into()));
        assert_eq!(ask("/node/1/eth/v1/x").await, (502, "http://127.0.0.1:1 cannot be reached".into()));
        assert_eq!(ask("/node/2/eth/v1/x").await.0, 404);
        assert!(ask("/forkview/nodes.json").await.1.contains("\"url\":\"/node/0\""));
        assert!(ask("/").await.1.contains("<title>"));
    }
}
