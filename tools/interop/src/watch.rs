//! Follows a cluster until every node has finalized what is asked.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::bail;
use devnet::Finality;
use types::{Epoch, ValidatorIndex};

use crate::cluster::Cluster;
use crate::participation::Duties;

/// Between two rounds of questions.
const POLL: Duration = Duration::from_millis(700);

/// What has been seen of a cluster.
#[derive(Default)]
pub struct Watch {
    /// Who was to attest where.
    pub duties: Duties,
    finality: Finality,
    /// The last epoch whose duties are known.
    asked: Option<Epoch>,
}

impl Watch {
    /// Follows until every node has finalized `goal`; fails at `deadline` (Unix seconds), at the first conflict, and
    /// as soon as a process ends.
    pub async fn until_finalized(
        &mut self,
        cluster: &mut Cluster,
        goal: Epoch,
        deadline: u64,
        tell: &mut dyn FnMut(&str),
    ) -> anyhow::Result<()> {
        let mut told = Epoch(0);
        loop {
            cluster.all_alive()?;
            self.look(cluster).await?;
            let all = self.finalized(cluster);
            if all > told {
                tell(&format!("all {} nodes finalized epoch {all}", cluster.nodes.len()));
                told = all;
            }
            if all >= goal {
                return Ok(());
            }
            if unix_now() > deadline {
                let said = self.words(cluster).await;
                bail!("not every node has finalized epoch {goal} in time: {said}\n{}", cluster.tails(""));
            }
            tokio::time::sleep(POLL).await;
        }
    }

    /// The epoch that all nodes have finalized.
    pub fn finalized(&self, cluster: &Cluster) -> Epoch {
        cluster.nodes.iter().map(|node| self.finality.of(&node.name)).min().unwrap_or_default()
    }

    /// One round. A node that does not answer is asked again in the next round.
    async fn look(&mut self, cluster: &Cluster) -> anyhow::Result<()> {
        for node in &cluster.nodes {
            if let Ok((_, finalized)) = node.api.finality_checkpoints("head").await {
                self.finality.observe(&node.name, finalized)?;
            }
        }
        self.ask_duties(cluster).await;
        Ok(())
    }

    /// Keeps who attests where, while nodes still answer for that epoch.
    async fn ask_duties(&mut self, cluster: &Cluster) {
        let network = cluster.network();
        let Some(slot) = network.slot_at(unix_now()) else { return };
        let epoch = slot.epoch(network.spec);
        if self.asked.is_some_and(|asked| asked >= epoch) {
            return;
        }
        let indices: Vec<ValidatorIndex> = (0..network.validators).map(ValidatorIndex).collect();
        if let Ok(duties) = cluster.nodes[0].api.attester_duties(epoch, &indices).await {
            self.duties.add(epoch, &duties.duties);
            self.asked = Some(epoch);
        }
    }

    /// What each node says of itself, for people.
    async fn words(&self, cluster: &Cluster) -> String {
        let mut words = Vec::new();
        for node in &cluster.nodes {
            let finalized = self.finality.of(&node.name);
            let head = match node.api.header("head").await {
                Ok((root, slot)) => format!("head {slot} {root}"),
                Err(error) => error.to_string(),
            };
            let peers = match node.api.peers().await {
                Ok(peers) => peers.len().to_string(),
                Err(error) => error.to_string(),
            };
            words.push(format!("{} finalized epoch {finalized}, {head}, peers {peers}", node.name));
        }
        words.join("; ")
    }
}

/// Unix seconds.
pub fn unix_now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}
