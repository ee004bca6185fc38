//! Sidecars that this node makes itself: of blocks that are published here, of blobs that the execution engine has, and
//! of columns that make the others.

use std::sync::Arc;

use data_availability::blobs::compute_subnet_for_blob_sidecar;
use data_availability::columns::compute_subnet_for_data_column_sidecar;
use data_availability::kzg::CELLS_PER_EXT_BLOB;
use data_availability::{Progress, Sidecar};
use engine::{BlobAndProofs, EngineReply, EngineRequest};
use transition::block::kzg_commitment_to_versioned_hash;
use types::{ForkName, Root, SignedBeaconBlock};

use crate::chain::Chain;
use crate::data_jobs::{MakeSidecars, Template, Trust};
use crate::engine_calls::EngineCall;
use crate::incoming::{Incoming, Origin};
use crate::publishing::OpenCommand;
use crate::work::Purpose;
use crate::{CommandId, GossipMessage, Job, Output, Priority, PublishOutcome, PublishedBlock, Reply};

impl Chain {
    /// Makes the sidecars of a block of the API, and puts the block to the rules after that.
    /// With `held` nothing is published before the block was executed.
    pub(crate) fn publish_block(
        &mut self,
        id: CommandId,
        published: PublishedBlock,
        held: Option<Vec<GossipMessage>>,
        refusal: Option<&str>,
    ) {
        let checked = refusal.map_or_else(|| self.own_blobs(&published), |why| Err(why.to_owned()));
        let blobs = match checked {
            Ok(blobs) => blobs,
            Err(why) => {
                let outcome = PublishOutcome::Invalid(why);
                return self.outputs.push_back(Output::Reply(id, Reply::Block(outcome)));
            }
        };
        self.commands.insert(id, OpenCommand::Block { held });
        if blobs.is_empty() {
            return self.take_own_block(id, published.block);
        }
        let template = Template::Block(published.block.clone());
        let job = MakeSidecars { spec: self.spec, template, blobs, trust: Trust::Nobody };
        let purpose = Purpose::OwnSidecars(id, published.block);
        self.start(purpose, Priority::Production, Job::MakeSidecars(job));
    }

    /// The blobs of a block of the API with their proofs, as far as numbers tell.
    fn own_blobs(&self, published: &PublishedBlock) -> Result<Vec<Option<BlobAndProofs>>, String> {
        let PublishedBlock { block, blobs, kzg_proofs } = published;
        let fork = self.spec.fork_name_at_slot(block.message.slot);
        let commitments = match fork >= ForkName::Deneb {
            true => block.message.body.blob_kzg_commitments.len(),
            false => 0,
        };
        let proofs_of_blob = if fork >= ForkName::Fulu { CELLS_PER_EXT_BLOB } else { 1 };
        if blobs.len() != commitments {
            return Err(format!("{} blobs for {commitments} commitments", blobs.len()));
        }
        if kzg_proofs.len() != commitments * proofs_of_blob {
            let (found, needed) = (kzg_proofs.len(), commitments * proofs_of_blob);
            return Err(format!("{found} proofs, {needed} are needed for {commitments} blobs"));
        }
        let with_proofs = blobs.iter().zip(kzg_proofs.chunks(proofs_of_blob));
        let blob = |(blob, proofs): (&types::Bytes, &[types::KzgProof])| {
            Some(BlobAndProofs { blob: blob.clone(), proofs: proofs.to_vec() })
        };
        Ok(with_proofs.map(blob).collect())
    }

    fn take_own_block(&mut self, id: CommandId, block: Arc<SignedBeaconBlock>) {
        let message = GossipMessage::Block(block);
        self.take(Incoming { origin: Origin::Command(id, 0), message, arrived: self.now });
    }

    /// The sidecars of a block of the API are made, or they cannot be.
    pub(crate) fn own_sidecars_made(
        &mut self,
        id: CommandId,
        block: Arc<SignedBeaconBlock>,
        made: Result<Vec<Sidecar>, String>,
    ) {
        let sidecars = match made {
            Ok(sidecars) => sidecars,
            Err(why) => return self.block_reply(id, PublishOutcome::Invalid(why)),
        };
        let root = sidecars.first().map(Sidecar::block_root).unwrap_or_default();
        let waiting = self.data.expected.get(&root).and_then(|expected| expected.block.as_ref());
        if waiting.is_some_and(|waiting| waiting.signature == block.signature) {
            // The block itself came by gossip, and waits for nothing but this.
            self.spread(root, sidecars);
            let why = "the block came by gossip, and is being imported".to_owned();
            return self.block_reply(id, PublishOutcome::BroadcastOnly(why));
        }
        self.data.own.insert(id, sidecars);
        self.take_own_block(id, block);
    }

    /// Publishes the sidecars of a block of the API, which is published just now.
    pub(crate) fn publish_own_sidecars(&mut self, id: CommandId) {
        for sidecar in self.data.own.remove(&id).unwrap_or_default() {
            self.data.seen.insert(&sidecar);
            let message = self.sidecar_message(&sidecar);
            self.broadcast(id, message);
            if self.keeps(&sidecar) {
                // Where there is no room, peers are asked for it later.
                let _ = self.data.store.insert_verified(sidecar);
            }
        }
    }

    fn sidecar_message(&self, sidecar: &Sidecar) -> GossipMessage {
        match sidecar {
            Sidecar::Blob(blob) => {
                let fork = self.spec.fork_name_at_slot(sidecar.slot());
                let subnet = compute_subnet_for_blob_sidecar(self.spec, fork, blob.index);
                GossipMessage::BlobSidecar { subnet, sidecar: blob.clone() }
            }
            Sidecar::Column(column) => {
                let subnet = compute_subnet_for_data_column_sidecar(self.spec, column.index);
                GossipMessage::DataColumnSidecar { subnet, sidecar: column.clone() }
            }
        }
    }

    /// Asks the engine for the blobs of a block once, be it the block that came first or one of its columns: the
    /// transactions may have come before both.
    pub(crate) fn ask_engine_for_blobs(&mut self, root: Root) {
        let Some(expected) = self.data.expected.get_mut(&root).filter(|expected| !expected.is_engine_asked)
        else {
            return;
        };
        let commitments = match (&expected.block, self.data.store.any(&root)) {
            (Some(block), _) => &block.message.body.blob_kzg_commitments,
            (None, Some(Sidecar::Column(column))) => &column.kzg_commitments,
            (None, _) => return,
        };
        let versioned_hashes = commitments.iter().map(kzg_commitment_to_versioned_hash).collect();
        expected.is_engine_asked = true;
        let fork = self.spec.fork_name_at_slot(expected.slot);
        self.ask_engine(EngineCall::Blobs { root }, EngineRequest::GetBlobs { fork, versioned_hashes });
    }

    /// Takes the blobs that the engine had of a block.
    pub(crate) fn engine_blobs_came(&mut self, root: Root, reply: EngineReply) {
        // An engine that does not answer leaves the data to the network.
        let EngineReply::Blobs(blobs) = reply else { return };
        if self.data_progress(&root) == Progress::Complete {
            return;
        }
        let Some(expected) = self.data.expected.get(&root) else { return };
        let is_whole = blobs.iter().all(Option::is_some);
        let is_enough = match self.spec.fork_name_at_slot(expected.slot) >= ForkName::Fulu {
            true => is_whole && !blobs.is_empty(),
            false => blobs.iter().any(Option::is_some),
        };
        let template = match (&expected.block, self.data.store.any(&root)) {
            (Some(block), _) => Template::Block(block.clone()),
            (None, Some(Sidecar::Column(column))) => Template::Column(column.clone()),
            (None, _) => return,
        };
        if is_enough {
            let job = MakeSidecars { spec: self.spec, template, blobs, trust: Trust::Engine };
            self.start(Purpose::MadeSidecars(root), Priority::Block, Job::MakeSidecars(job));
        }
    }

    /// Makes the columns that are missing from those that are there, after a while, where this node keeps at least half
    /// of all: others may need it to.
    pub(crate) fn plan_recovery(&mut self, root: Root) {
        let half = self.spec.preset.number_of_columns.div_ceil(2) as usize;
        let count = self.data.store.verified_count(&root);
        if self.config.custody.len() < half || count < half {
            return;
        }
        let slot_ms = self.spec.config.slot_duration_ms;
        // Nodes do not all do the same work at the same time.
        let draw = crypto::hash_concat(&self.config.seed, &root.0)[0];
        let delay = slot_ms / 24 + slot_ms * u64::from(draw) / (24 * 256);
        let at = self.now.after_ms(delay);
        let Some(expected) = self.data.expected.get_mut(&root) else { return };
        if self.spec.fork_name_at_slot(expected.slot) >= ForkName::Fulu && expected.recover_at.is_none() {
            expected.recover_at = Some(at);
        }
    }

    pub(crate) fn recover(&mut self, root: Root) {
        if let Some(expected) = self.data.expected.get_mut(&root) {
            expected.recover_at = None;
        }
        if let Some(recovery) = self.data.store.recovery(&root) {
            // It takes long, and blocks that need no recovery go first.
            self.start(Purpose::MadeSidecars(root), Priority::State, Job::RecoverColumns(recovery));
        }
    }

    /// Takes in sidecars that were made here, as if they had come by gossip, and passes them on.
    pub(crate) fn sidecars_made(&mut self, root: Root, made: Result<Vec<Sidecar>, String>) {
        let made = match made {
            Ok(made) => made,
            Err(why) => {
                self.data.store.abandon_recovery(&root);
                return self.fault(format!("the sidecars of block {root} cannot be made: {why}"));
            }
        };
        let kept = made.into_iter().filter(|sidecar| self.keeps(sidecar)).collect();
        self.spread(root, kept);
    }

    /// Publishes those of a block's verified sidecars that were not seen, and takes in those that this node keeps.
    fn spread(&mut self, root: Root, sidecars: Vec<Sidecar>) {
        let mut came = Vec::new();
        for sidecar in sidecars {
            if self.data.seen.insert(&sidecar) {
                let message = self.sidecar_message(&sidecar);
                self.outputs.push_back(Output::Publish(message));
            }
            let is_wanted = self.keeps(&sidecar) && !self.fork_choice.contains(&root);
            if is_wanted && self.data.store.insert_verified(sidecar.clone()).is_ok() {
                came.push(sidecar);
            }
        }
        self.data_came(root, &came);
    }
}
