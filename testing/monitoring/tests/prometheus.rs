//! A real Prometheus that scrapes a running node and its validator client: the standard metrics are there with the values
//! that the Beacon API gives, and its own tools have nothing to complain of. Without the programs `prometheus` and
//! `promtool` (Debian's package `prometheus`) the test says so, and ends.
#![allow(clippy::unwrap_used)]

use std::io::Write;
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use monitoring::{Pair, VALIDATORS, free_address};
use serde_json::Value;

const CONFIG: &str = include_str!("../../../docs/grafana/prometheus.yml");
const DASHBOARD: &str = include_str!("../../../docs/grafana/interlock.json");
/// Longer than a few slots take on a busy machine.
const PATIENCE: Duration = Duration::from_secs(120);

/// The metrics that all clients are to have, <https://github.com/ethereum/beacon-metrics/blob/master/metrics.md>, with
/// their types; then those that clients of Prometheus have.
const STANDARD: [(&str, &str); 40] = [
    ("libp2p_peers", "gauge"),
    ("beacon_slot", "gauge"),
    ("beacon_head_slot", "gauge"),
    ("beacon_head_root", "gauge"),
    ("beacon_finalized_epoch", "gauge"),
    ("beacon_finalized_root", "gauge"),
    ("beacon_current_justified_epoch", "gauge"),
    ("beacon_current_justified_root", "gauge"),
    ("beacon_previous_justified_epoch", "gauge"),
    ("beacon_previous_justified_root", "gauge"),
    ("beacon_current_active_validators", "gauge"),
    ("beacon_reorgs_total", "counter"),
    ("beacon_processed_deposits_total", "counter"),
    ("beacon_current_validators", "gauge"),
    ("beacon_current_live_validators", "gauge"),
    ("beacon_previous_live_validators", "gauge"),
    ("beacon_pending_deposits", "gauge"),
    ("beacon_pending_partial_withdrawals", "gauge"),
    ("beacon_pending_consolidations", "gauge"),
    ("beacon_pending_exits", "gauge"),
    ("beacon_previous_epoch_orphaned_blocks", "gauge"),
    ("local_validator_count", "gauge"),
    ("beacon_head_state_root", "gauge"),
    ("beacon_head_state_finalized_root", "gauge"),
    ("beacon_attestations_received_total", "counter"),
    ("beacon_aggregates_received_total", "counter"),
    ("beacon_attestor_slashing_received_total", "counter"),
    ("beacon_block_proposed_total", "counter"),
    ("beacon_attestations_published_total", "counter"),
    ("beacon_processor_gossip_block_imported_total", "counter"),
    ("libp2p_pubsub_validation_failure_total", "counter"),
    ("beacon_http_api_requests_total", "counter"),
    ("beacon_http_api_successes_total", "counter"),
    ("beacon_sync_state", "gauge"),
    ("beacon_custody_groups", "gauge"),
    ("beacon_data_column_sidecar_processing_requests_total", "counter"),
    ("process_cpu_seconds_total", "counter"),
    ("process_resident_memory_bytes", "gauge"),
    ("process_open_fds", "gauge"),
    ("process_max_fds", "gauge"),
];

/// Kills Prometheus when the test ends, whichever way.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn is_installed(program: &str) -> bool {
    Command::new(program).arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok()
}

/// The configuration of the documentation, for these addresses and short slots.
fn configuration(beacon: SocketAddr, validator: SocketAddr) -> String {
    let replaced = CONFIG
        .replace("127.0.0.1:5054", &beacon.to_string())
        .replace("127.0.0.1:5064", &validator.to_string())
        .replace("scrape_interval: 12s", "scrape_interval: 1s\n  scrape_timeout: 1s");
    assert!(replaced.contains(&beacon.to_string()) && replaced.contains(&validator.to_string()));
    assert!(replaced.contains("scrape_interval: 1s"));
    replaced
}

fn start_prometheus(folder: &Path, pair: &Pair) -> (Running, String) {
    let config = folder.join("prometheus.yml");
    std::fs::write(&config, configuration(pair.node_metrics, pair.validator_metrics)).unwrap();
    let address = free_address().unwrap();
    let log = std::fs::File::create(folder.join("prometheus.log")).unwrap();
    let child = Command::new("prometheus")
        .arg(format!("--config.file={}", config.display()))
        .arg(format!("--storage.tsdb.path={}", folder.join("tsdb").display()))
        .arg(format!("--web.listen-address={address}"))
        .stdout(Stdio::null())
        .stderr(log)
        .spawn()
        .unwrap();
    (Running(child), format!("http://{address}"))
}

async fn get(url: &str) -> Result<Value, String> {
    let answer = reqwest::get(url).await.map_err(|error| error.to_string())?;
    let status = answer.status();
    let text = answer.text().await.map_err(|error| error.to_string())?;
    if !status.is_success() {
        return Err(format!("{status}: {text}"));
    }
    serde_json::from_str(&text).map_err(|error| error.to_string())
}

/// The series that a query finds now: labels and value.
async fn query(prometheus: &str, expr: &str) -> Result<Vec<(Value, f64)>, String> {
    let client = reqwest::Client::new();
    let url = format!("{prometheus}/api/v1/query");
    // The form is encoded by hand, since only a part of the client's features is built.
    let body: String = expr.bytes().map(|byte| format!("%{byte:02X}")).collect();
    let request = client.post(url).header("content-type", "application/x-www-form-urlencoded");
    let answer = request.body(format!("query={body}")).send().await.map_err(|error| error.to_string())?;
    let text = answer.text().await.map_err(|error| error.to_string())?;
    let value: Value = serde_json::from_str(&text).map_err(|error| format!("{error}: {text}"))?;
    if value["status"] != "success" || value.get("warnings").is_some() {
        return Err(format!("{expr}: {text}"));
    }
    let series = value["data"]["result"].as_array().ok_or_else(|| text.clone())?;
    let read = |found: &Value| {
        let number = found["value"][1].as_str().and_then(|number| number.parse().ok()).unwrap_or(f64::NAN);
        (found["metric"].clone(), number)
    };
    Ok(series.iter().map(read).collect())
}

/// The value of the only series.
async fn value(prometheus: &str, expr: &str) -> Result<f64, String> {
    match query(prometheus, expr).await?.as_slice() {
        [(_, value)] => Ok(*value),
        others => Err(format!("{expr}: {} series", others.len())),
    }
}

fn number(answer: &Value, name: &str) -> f64 {
    answer["data"][name].as_str().unwrap_or_else(|| panic!("{name} in {answer}")).parse().unwrap()
}

/// What Prometheus has, and what the API says at the same time: the API is asked before and after, and counts where it
/// did not change in between. Prometheus is behind by a scrape, so the comparison is tried again until it holds.
async fn agrees(pair: &Pair, prometheus: &str) -> Result<(), String> {
    let syncing = pair.client.get("/eth/v1/node/syncing").await.map_err(|error| error.to_string())?;
    let points = pair.client.get("/eth/v1/beacon/states/head/finality_checkpoints").await;
    let points = points.map_err(|error| error.to_string())?;
    let peers = pair.client.get("/eth/v1/node/peer_count").await.map_err(|error| error.to_string())?;
    let of_api = [
        ("beacon_head_slot", number(&syncing, "head_slot")),
        ("beacon_finalized_epoch", points["data"]["finalized"]["epoch"].as_str().unwrap().parse().unwrap()),
        ("libp2p_peers", number(&peers, "connected")),
        ("beacon_current_active_validators", VALIDATORS as f64),
        ("local_validator_count", VALIDATORS as f64),
        ("beacon_sync_state", 1.0),
        ("validator_active_keys", VALIDATORS as f64),
        ("validator_beacon_node_reachable", 1.0),
        ("beacon_slot - beacon_head_slot", number(&syncing, "sync_distance")),
    ];
    for (expr, expected) in of_api {
        let found = value(prometheus, expr).await?;
        if found != expected {
            return Err(format!("{expr} is {found}, the API says {expected}"));
        }
    }
    let head = pair.client.get("/eth/v1/beacon/headers/head").await.map_err(|error| error.to_string())?;
    let root = head["data"]["root"].as_str().unwrap();
    let bytes: Vec<u8> =
        (50..66).step_by(2).map(|at| u8::from_str_radix(&root[at..at + 2], 16).unwrap()).collect();
    let expected = i64::from_le_bytes(bytes.try_into().unwrap()) as f64;
    let found = value(prometheus, "beacon_head_root").await?;
    if found != expected {
        return Err(format!("beacon_head_root is {found}, the API says {root}, which is {expected}"));
    }
    Ok(())
}

/// Asks again until it holds.
async fn until<T, F: Future<Output = Result<T, String>>>(what: &str, ask: impl Fn() -> F) -> T {
    let begun = Instant::now();
    loop {
        match ask().await {
            Ok(found) => return found,
            Err(why) if begun.elapsed() > PATIENCE => panic!("{what}: {why}"),
            Err(_) => tokio::time::sleep(Duration::from_millis(150)).await,
        }
    }
}

/// What promtool says of a name that the standard gives.
const STANDARD_NAME: &str =
    "local_validator_count non-histogram and non-summary metrics should not have \"_count\" suffix";

/// `promtool check metrics`, which reads from its input and complains of names, types and help. Nothing but the one name of
/// the standard that it does not like may be complained of.
fn check_metrics(text: &str) {
    let mut tool = Command::new("promtool")
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    tool.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
    let output = tool.wait_with_output().unwrap();
    let said = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
    let complaints: Vec<&str> = said.lines().filter(|line| *line != STANDARD_NAME).collect();
    assert!(complaints.is_empty(), "promtool: {complaints:#?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn prometheus_scrapes_a_node_and_finds_the_standard_metrics_with_right_values() {
    if !is_installed("prometheus") || !is_installed("promtool") {
        println!("SKIPPED: prometheus and promtool are not installed (Debian: apt-get install prometheus)");
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let pair = Pair::start(folder.path()).await.unwrap();
    let (_running, prometheus) = start_prometheus(folder.path(), &pair);
    let prometheus = prometheus.as_str();

    until("both targets are up", || async {
        let up = query(prometheus, "up == 1").await?;
        let jobs: Vec<&str> = up.iter().filter_map(|(labels, _)| labels["job"].as_str()).collect();
        if jobs.len() == 2 { Ok(()) } else { Err(format!("up: {jobs:?}")) }
    })
    .await;
    until("an epoch passes", || async {
        let slot = value(prometheus, "beacon_head_slot").await?;
        if slot >= 9.0 { Ok(()) } else { Err(format!("the head is at {slot}")) }
    })
    .await;
    until("Prometheus and the API agree", || agrees(&pair, prometheus)).await;
    until("votes are included", || async {
        let included = value(prometheus, "interlock_local_inclusion_ratio{vote=\"target\"}").await?;
        if included > 0.9 { Ok(()) } else { Err(format!("inclusion {included}")) }
    })
    .await;

    let metadata = get(&format!("{prometheus}/api/v1/metadata")).await.unwrap();
    for (name, kind) in STANDARD {
        let found = query(prometheus, &format!("{name}{{job=\"beacon\"}}")).await.unwrap();
        assert!(!found.is_empty() && found.iter().all(|(_, value)| value.is_finite()), "{name}: {found:?}");
        // OpenMetrics names a counter's family without its suffix.
        let family =
            if metadata["data"].get(name).is_some() { name } else { name.trim_end_matches("_total") };
        assert_eq!(metadata["data"][family][0]["type"], kind, "{name}");
    }
    assert!(value(prometheus, "process_resident_memory_bytes{job=\"validator\"}").await.unwrap() > 1e6);
    let dashboard: Value = serde_json::from_str(DASHBOARD).unwrap();
    for panel in dashboard["panels"].as_array().unwrap() {
        for target in panel["targets"].as_array().into_iter().flatten() {
            let expr = target["expr"].as_str().unwrap().replace("$__rate_interval", "30s");
            let expr =
                expr.replace("$node|$validator", ".*").replace("$node", ".*").replace("$validator", ".*");
            query(prometheus, &expr).await.unwrap();
        }
    }
    for address in [pair.node_metrics, pair.validator_metrics] {
        check_metrics(
            &reqwest::get(format!("http://{address}/metrics")).await.unwrap().text().await.unwrap(),
        );
    }
    pair.stop().await.unwrap();
}
