//! What a node says about itself through the Beacon API.

use std::time::Duration;

use anyhow::bail;
use api::{Client, StateId};
use futures::try_join;
use types::{BeaconState, Checkpoint, Epoch, Root, Slot, Spec};

use crate::missed::slots_without_block;
use crate::{Participation, participation_of_previous_epoch};

/// Head, finality and peers of a node at one moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NodeStatus {
    /// The head block's slot.
    pub head_slot: Slot,
    /// The head block.
    pub head_root: Root,
    /// The justified checkpoint of the head's state.
    pub justified: Checkpoint,
    /// The finalized checkpoint of the head's state.
    pub finalized: Checkpoint,
    /// Connected peers.
    pub peers: usize,
    /// True where no execution engine has verified the head's payload yet.
    pub is_optimistic: bool,
    /// True where it needs an execution engine, and none answers.
    pub is_engine_offline: bool,
}

/// What an epoch that is over has brought, as a node's chain holds it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EpochReport {
    /// Who voted.
    pub participation: Participation,
    /// The slots without a block.
    pub missed: Vec<Slot>,
}

/// Asks one node; any client's will do.
#[derive(Clone, Debug)]
pub struct NodeProbe {
    name: String,
    client: Client,
    spec: &'static Spec,
    patience: Duration,
}

impl NodeProbe {
    /// A probe of the node with this Beacon API, for example `http://127.0.0.1:5052`.
    pub fn new(name: impl Into<String>, url: &str, spec: &'static Spec) -> Self {
        // Whoever takes longer than two slots to say where it stands is not following the chain.
        let patience = Duration::from_millis(spec.config.slot_duration_ms * 2).max(Duration::from_secs(3));
        Self { name: name.into(), client: Client::new(url), spec, patience }
    }

    /// The node's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The client that asks.
    pub fn client(&self) -> &Client {
        &self.client
    }

    /// Where the node stands.
    pub async fn status(&self) -> anyhow::Result<NodeStatus> {
        let answers = async {
            try_join!(
                self.client.header("head"),
                self.client.finality_checkpoints("head"),
                self.client.peers(),
                self.client.syncing()
            )
        };
        let Ok(answers) = tokio::time::timeout(self.patience, answers).await else {
            bail!("no answer within {} ms", self.patience.as_millis())
        };
        let ((head_root, head_slot), (justified, finalized), peers, syncing) = answers?;
        Ok(NodeStatus {
            head_slot,
            head_root,
            justified,
            finalized,
            peers: peers.len(),
            is_optimistic: syncing.is_optimistic,
            is_engine_offline: syncing.el_offline,
        })
    }

    /// What `epoch` has brought, from the last state that the next epoch has on the node's chain. All attestations
    /// that count are in it as soon as the next epoch is over.
    pub async fn epoch(&self, epoch: Epoch) -> anyhow::Result<EpochReport> {
        let next = (epoch + 1).start_slot(self.spec);
        for slot in (next.0..(epoch + 2).start_slot(self.spec).0).rev() {
            match self.client.state(self.spec, StateId::Slot(Slot(slot))).await {
                Ok(state) => return self.judge(&state, epoch),
                // A client may have no state of a slot without a block: the one before holds the same attestations.
                Err(error) if error.code() == Some(404) => {}
                Err(error) => return Err(error.into()),
            }
        }
        bail!("no state of epoch {}", epoch + 1)
    }

    fn judge(&self, state: &BeaconState, epoch: Epoch) -> anyhow::Result<EpochReport> {
        let participation = participation_of_previous_epoch(state)?;
        if participation.epoch != epoch {
            bail!("{} gave a state of slot {} for epoch {}", self.name, state.slot, epoch + 1);
        }
        Ok(EpochReport { participation, missed: slots_without_block(state, epoch)? })
    }
}
