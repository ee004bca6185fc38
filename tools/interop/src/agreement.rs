//! Whether all nodes tell the same history.

use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use api::{BlockId, Client as Api};
use types::{Epoch, Root, Slot};

use crate::cluster::Cluster;
use crate::participation::Tally;

/// Nodes hear of a block within a slot; several slots give room for one that is late, or for a short fork.
const HEADS_SLOTS: u64 = 12;
const POLL: Duration = Duration::from_millis(250);

/// The root of the canonical block of a slot; none where the slot is empty.
async fn root_at(api: &Api, slot: Slot) -> anyhow::Result<Option<Root>> {
    match api.get(&format!("/eth/v1/beacon/blocks/{slot}/root")).await {
        Ok(answer) => {
            let text = answer["data"]["root"].as_str().context("no root in the answer")?;
            Ok(Some(text.parse().ok().with_context(|| format!("{text:?} is no root"))?))
        }
        Err(error) if error.code() == Some(404) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// Asks every node for the block of every slot up to an epoch's start, and counts what stands in the blocks of the
/// first node. The number of blocks, or where two nodes differ. A node that fetched the range late must serve it too.
pub async fn one_history(cluster: &Cluster, until: Epoch, tally: &mut Tally) -> anyhow::Result<u64> {
    let spec = cluster.network().spec;
    let mut blocks = 0;
    for slot in (1..=until.start_slot(spec).0).map(Slot) {
        let (first, others) = cluster.nodes.split_first().context("no node runs")?;
        let root = root_at(&first.api, slot).await?;
        for node in others {
            let theirs = root_at(&node.api, slot).await?;
            if theirs != root {
                let text = |root: Option<Root>| root.map_or("no block".to_owned(), |root| root.to_string());
                bail!("at slot {slot} {} has {}, {} has {}", first.name, text(root), node.name, text(theirs));
            }
        }
        if root.is_some() {
            let (_, block) = first.api.block(spec, BlockId::Slot(slot)).await?;
            tally.add(spec, &block);
            blocks += 1;
        }
    }
    Ok(blocks)
}

/// Waits until all nodes have the same head, beyond the genesis block.
pub async fn one_head(cluster: &Cluster) -> anyhow::Result<Slot> {
    let patience = Duration::from_millis(HEADS_SLOTS * cluster.network().spec.config.slot_duration_ms);
    let started = Instant::now();
    loop {
        let mut heads = Vec::new();
        for node in &cluster.nodes {
            heads.push(node.api.header("head").await?);
        }
        if heads[0].1 > Slot(0) && heads.iter().all(|head| *head == heads[0]) {
            return Ok(heads[0].1);
        }
        if started.elapsed() > patience {
            let words = cluster.nodes.iter().zip(&heads);
            let words: Vec<String> =
                words.map(|(node, (root, slot))| format!("{} {slot} {root}", node.name)).collect();
            bail!("the heads stay different: {}", words.join(", "));
        }
        tokio::time::sleep(POLL).await;
    }
}
