//! The run: start, a block a slot, stop, and perhaps a second start.

use std::path::PathBuf;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use anyhow::{Context, ensure};
use api::Client;
use devnet::{Ports, ProcessPlan, Processes};
use types::Slot;

use crate::log;
use crate::network::{Network, Plan};
use crate::process::Usage;
use crate::report::{Report, Start};

/// The node's name among the processes.
const NODE: &str = "node/beacon";
/// How long a start may take.
const START_TIME: Duration = Duration::from_secs(180);
/// How long an orderly stop may take.
const STOP_TIME: Duration = Duration::from_secs(40);
/// How often the node is asked whether it is there.
const POLL: Duration = Duration::from_millis(50);
/// The part of a slot after which its block comes, as on a network: signed, sent and passed on.
const BLOCK_AFTER: u64 = 12;

struct Node {
    processes: Processes,
    client: Client,
    log: PathBuf,
}

/// Makes the network and runs a node on it.
pub async fn run(plan: &Plan, restart: bool) -> anyhow::Result<Report> {
    let network = plan.network()?;
    let left = plan.genesis_time.saturating_sub(unix_ms() / 1000);
    ensure!(left >= 15, "making the blocks took too long for this genesis: ask for a longer --lead");
    let (mut node, start) = Node::start(plan, &network).await?;
    println!("the node answers after {:.1} s", start.seconds);
    let mut report = Report { blocks: network.blocks.len() as u64, start, ..Report::default() };
    sleep_until(plan.genesis_time * 1000).await;
    report.at_rest = node.usage()?;
    for block in &network.blocks {
        let slot = block.message.slot;
        sleep_until(plan.genesis_time * 1000 + slot.0 * plan.slot_ms).await;
        if slot.0.is_multiple_of(network.spec.preset.slots_per_epoch) {
            report.first_votes_ms.push(node.ask_for_vote(&network, slot).await?);
        }
        sleep_until(plan.genesis_time * 1000 + slot.0 * plan.slot_ms + plan.slot_ms / BLOCK_AFTER).await;
        let contents = types::SignedBlockContents::from(block.clone());
        let published = node.client.publish_block(network.spec, &contents).await;
        published.with_context(|| format!("the block of slot {slot}"))?;
        node.refuse_death()?;
    }
    // What the last block set off, the work for the next slot and the writing, belongs to it.
    tokio::time::sleep(Duration::from_millis(plan.slot_ms)).await;
    report.end = node.usage()?;
    node.processes.stop(NODE, STOP_TIME)?;
    (report.imports, report.errors) = log::read(&node.log)?;
    if restart {
        let begun = Instant::now();
        node.processes.restart(NODE)?;
        report.restart = Some(node.wait(begun).await?);
        let head = node.client.header("head").await?;
        let last = network.blocks.last().map(|block| block.message.slot).unwrap_or_default();
        ensure!(head.1 == last, "after the second start the head is at slot {}, not {last}", head.1);
        node.processes.stop(NODE, STOP_TIME)?;
    }
    Ok(report)
}

impl Node {
    async fn start(plan: &Plan, network: &Network) -> anyhow::Result<(Self, Start)> {
        let ports = Ports::anywhere()?.node()?;
        let log = plan.dir.join("beacon.log");
        let process = ProcessPlan::new(NODE, &plan.program, &log)
            .arg("beacon")
            .path("--network-dir", network.folder.path())
            .path("--data-dir", &plan.dir.join("node"))
            .option("--http-port", ports.http)
            .option("--tcp-port", ports.tcp)
            .option("--udp-port", ports.udp)
            .option("--listen-address", "127.0.0.1")
            .option("--enr-address", "127.0.0.1")
            .option("--execution", "mock");
        let client = Client::new(&format!("http://127.0.0.1:{}", ports.http));
        let mut processes = Processes::new();
        let begun = Instant::now();
        processes.start(process)?;
        let mut node = Self { processes, client, log };
        let start = node.wait(begun).await?;
        Ok((node, start))
    }

    /// Waits until the node answers.
    async fn wait(&mut self, begun: Instant) -> anyhow::Result<Start> {
        while self.client.version().await.is_err() {
            self.refuse_death()?;
            ensure!(
                begun.elapsed() < START_TIME,
                "the node does not answer; its log: {}",
                self.log.display()
            );
            tokio::time::sleep(POLL).await;
        }
        Ok(Start { seconds: begun.elapsed().as_secs_f64(), usage: self.usage()? })
    }

    /// How long the node takes to say what to vote for, in milliseconds.
    async fn ask_for_vote(&self, network: &Network, slot: Slot) -> anyhow::Result<f64> {
        let begun = Instant::now();
        self.client.attestation_data(network.spec, slot, 0).await?;
        Ok(begun.elapsed().as_secs_f64() * 1000.0)
    }

    fn usage(&self) -> anyhow::Result<Usage> {
        Usage::of(self.processes.pid(NODE).context("the node is not running")?)
    }

    fn refuse_death(&mut self) -> anyhow::Result<()> {
        self.processes.died().map_or(Ok(()), |death| Err(anyhow::anyhow!("{death}")))
    }
}

fn unix_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

async fn sleep_until(unix: u64) {
    tokio::time::sleep(Duration::from_millis(unix.saturating_sub(unix_ms()))).await;
}
