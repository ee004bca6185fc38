//! Every query of Grafana's dashboard, against what a running node and validator client expose.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use monitoring::{Exposed, Pair, Query, Selector};
use serde_json::Value;

const DASHBOARD: &str = include_str!("../../../docs/grafana/interlock.json");
/// Longer than the first slots take on a busy machine.
const PATIENCE: Duration = Duration::from_secs(90);

/// Labels that Prometheus adds.
const ADDED: [&str; 2] = ["instance", "job"];

/// A query of a panel, and the text that names its series.
struct Panel {
    name: String,
    expr: String,
    legend: String,
}

fn queries(dashboard: &Value) -> Vec<Panel> {
    let panels = dashboard["panels"].as_array().unwrap();
    let of_panel = |panel: &Value| {
        let name = panel["title"].as_str().unwrap().to_owned();
        let targets = panel["targets"].as_array().cloned().unwrap_or_default();
        targets.into_iter().map(move |target| Panel {
            name: name.clone(),
            expr: target["expr"].as_str().unwrap().replace("$__rate_interval", "1m"),
            legend: target["legendFormat"].as_str().unwrap_or_default().to_owned(),
        })
    };
    panels.iter().flat_map(of_panel).collect()
}

/// What is wrong with a query.
fn faults(query: &Panel, exposed: &Exposed) -> Vec<String> {
    let read = match Query::read(&query.expr) {
        Ok(read) => read,
        Err(error) => return vec![error],
    };
    let mut faults = Vec::new();
    let mut known: BTreeSet<String> = ADDED.iter().map(|label| (*label).to_owned()).collect();
    for Selector { metric, matchers } in &read.selectors {
        if !exposed.0.contains_key(metric) {
            faults.push(format!("there is no metric {metric}"));
            continue;
        }
        let labels: BTreeSet<String> = exposed.labels(metric).into_iter().map(str::to_owned).collect();
        for (label, operator, value) in matchers {
            if !labels.contains(label) && !ADDED.contains(&label.as_str()) {
                faults.push(format!("{metric} has no label {label}"));
            } else if operator == "=" && !exposed.has(metric, label, value) {
                faults.push(format!("{metric} has no {label}={value:?}"));
            }
        }
        known.extend(labels);
    }
    let shown = query.legend.split("{{").skip(1).filter_map(|part| Some(part.split_once("}}")?.0.to_owned()));
    let used: BTreeSet<String> = read.grouped.into_iter().chain(shown).collect();
    let unknown = used.difference(&known).map(|label| format!("no metric of it has the label {label}"));
    // Where a metric is missing, so are its labels, which need not be told.
    if faults.is_empty() {
        faults.extend(unknown);
    }
    faults
}

async fn scrape(address: std::net::SocketAddr) -> Result<Exposed, String> {
    let answer =
        reqwest::get(format!("http://{address}/metrics")).await.map_err(|error| error.to_string())?;
    Exposed::read(&answer.text().await.map_err(|error| error.to_string())?)
}

/// Both processes' metrics, once blocks were imported and duties done.
async fn scrape_both(pair: &Pair) -> Exposed {
    let begun = Instant::now();
    loop {
        if let (Ok(node), Ok(validator)) =
            (scrape(pair.node_metrics).await, scrape(pair.validator_metrics).await)
        {
            let both = node.with(validator);
            let done = both.0["validator_duties_done_total"].iter().map(|series| series.value).sum::<f64>();
            if both.value("beacon_head_slot") >= Some(2.0) && done >= 3.0 {
                return both;
            }
        }
        assert!(begun.elapsed() < PATIENCE, "no blocks and duties in time");
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_query_of_the_dashboard_finds_its_metrics_and_labels() {
    let folder = tempfile::tempdir().unwrap();
    let pair = Pair::start(folder.path()).await.unwrap();
    let exposed = scrape_both(&pair).await;
    let dashboard: Value = serde_json::from_str(DASHBOARD).unwrap();
    let queries = queries(&dashboard);
    assert!(queries.len() > 80, "only {} queries", queries.len());
    let wrong: Vec<String> = queries
        .iter()
        .flat_map(|query| {
            faults(query, &exposed)
                .into_iter()
                .map(move |fault| format!("{}: {}: {fault}", query.name, query.expr))
        })
        .collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));

    // The checker itself: what is misspelt is found.
    let fault = |expr: &str, legend: &str| {
        let query = Panel { name: String::new(), expr: expr.to_owned(), legend: legend.to_owned() };
        faults(&query, &exposed).join("; ")
    };
    assert_eq!(fault("beacon_head_slott", ""), "there is no metric beacon_head_slott");
    assert_eq!(
        fault("rate(beacon_reorgs_total{node=\"a\"}[1m])", ""),
        "beacon_reorgs_total has no label node"
    );
    assert!(fault("interlock_participation_ratio{vote=\"tarjet\"}", "").contains("no vote=\"tarjet\""));
    assert_eq!(
        fault("sum by (client, colour) (interlock_peers)", ""),
        "no metric of it has the label colour"
    );
    assert_eq!(fault("beacon_slot", "{{vote}}"), "no metric of it has the label vote");
    assert!(!fault("sum by (", "").is_empty());

    let variables = dashboard["templating"]["list"].as_array().unwrap();
    for variable in variables.iter().filter(|variable| variable["type"] == "query") {
        let query = variable["definition"].as_str().unwrap();
        let metric = query.strip_prefix("label_values(").unwrap().split(',').next().unwrap();
        assert!(exposed.0.contains_key(metric), "{query}");
    }
    pair.stop().await.unwrap();
}
