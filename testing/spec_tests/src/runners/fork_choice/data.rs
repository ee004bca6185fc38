//! Blobs and columns: whether the data of a block is there.

use std::sync::Arc;

use anyhow::{Context, ensure};
use data_availability::blobs::{self, get_blob_sidecars};
use data_availability::{
    Availability, Limits, Needed, Progress, Sidecar, SidecarError, Verification, columns, needed,
};
use types::constants::BYTES_PER_FIELD_ELEMENT;
use types::{Bytes, DataColumnSidecar, Epoch, KzgProof, Root, SignedBeaconBlock, Spec};

/// All that there is to be retrieved of a block's data.
#[derive(Default)]
pub struct Data {
    /// One after the other.
    pub blobs: Vec<u8>,
    pub proofs: Vec<KzgProof>,
    pub columns: Vec<Arc<DataColumnSidecar>>,
}

impl Data {
    /// `is_data_available`, by the specification's function and by the store that waits for sidecars; they must agree.
    pub fn is_available(
        &self,
        spec: &'static Spec,
        block: &SignedBeaconBlock,
        root: Root,
        current_epoch: Epoch,
    ) -> anyhow::Result<bool> {
        let commitments = &block.message.body.blob_kzg_commitments;
        let slot = block.message.slot;
        let (by_function, sidecars) = match needed(spec, slot, current_epoch) {
            Needed::Nothing => return Ok(true),
            Needed::Blobs => {
                let blobs = self.split_blobs(spec)?;
                let answer = blobs::is_data_available(commitments, &blobs, &self.proofs);
                (answer, self.blob_sidecars(spec, block, &blobs)?)
            }
            Needed::Columns => {
                let borrowed: Vec<&DataColumnSidecar> = self.columns.iter().map(Arc::as_ref).collect();
                // Where nothing can be retrieved, the function is not even reached.
                let is_retrieved = commitments.is_empty() || !borrowed.is_empty();
                let answer = is_retrieved && columns::is_data_available(spec, &borrowed);
                (answer, self.columns.iter().cloned().map(Sidecar::Column).collect())
            }
        };
        let by_store = store_completes(spec, block, root, sidecars)?;
        ensure!(by_function == by_store, "data is there: {by_function}, by the store: {by_store}");
        Ok(by_store)
    }

    fn split_blobs(&self, spec: &Spec) -> anyhow::Result<Vec<&[u8]>> {
        let size = usize::try_from(spec.preset.field_elements_per_blob * BYTES_PER_FIELD_ELEMENT)?;
        ensure!(self.blobs.len().is_multiple_of(size), "{} bytes are no blobs", self.blobs.len());
        Ok(self.blobs.chunks(size).collect())
    }

    /// None where blobs and proofs are not as many as the commitments.
    fn blob_sidecars(
        &self,
        spec: &'static Spec,
        block: &SignedBeaconBlock,
        blobs: &[&[u8]],
    ) -> anyhow::Result<Vec<Sidecar>> {
        let blobs = blobs.iter().map(|blob| Bytes(blob.to_vec())).collect();
        match get_blob_sidecars(spec, block, blobs, &self.proofs) {
            Ok(sidecars) => Ok(sidecars.into_iter().map(Arc::new).map(Sidecar::Blob).collect()),
            Err(SidecarError::Counts { .. }) => Ok(Vec::new()),
            Err(error) => Err(error.into()),
        }
    }
}

/// True where a block is complete for a node that samples all columns, once these sidecars have come from peers.
fn store_completes(
    spec: &'static Spec,
    block: &SignedBeaconBlock,
    root: Root,
    sidecars: Vec<Sidecar>,
) -> anyhow::Result<bool> {
    let message = &block.message;
    let all = (0..spec.preset.number_of_columns).collect();
    let mut store = Availability::new(spec, all, Limits::default());
    let progress = store.block_arrived(root, message.slot, &message.body.blob_kzg_commitments)?;
    if progress == Progress::Complete {
        return Ok(true);
    }
    let mut verification = Verification::default();
    for sidecar in sidecars {
        let is_of_block = sidecar.block_root() == root && sidecar.verify_inclusion(spec);
        if is_of_block && let Ok(ticket) = store.receive(sidecar.clone()) {
            verification.waiting.push((ticket, sidecar));
        }
    }
    let verified = verification.run();
    verified.invalid.iter().for_each(|ticket| store.failed(ticket));
    for ticket in &verified.valid {
        store.verified(ticket).context("the store lost a sidecar")?;
    }
    Ok(store.progress(&root) == Progress::Complete)
}
