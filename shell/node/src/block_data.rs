//! Blobs and columns of blocks, as requests of the API name them.

use std::sync::Arc;

use api::{ApiError, BlockId, Found, FoundData};
use data_availability::{Recovery, Sidecar};
use transition::block::kzg_commitment_to_versioned_hash;
use types::{BlobSidecar, Bytes, DataColumnSidecar, ForkName, Root, SignedBeaconBlock};

use crate::lookup::Lookup;

/// A block's fork, itself, and its sidecars.
type WithSidecars = Found<(ForkName, Arc<SignedBeaconBlock>, Vec<Sidecar>)>;

impl Lookup {
    /// The blob sidecars of a block of Deneb or Electra, by index.
    pub fn blob_sidecars(&self, id: BlockId) -> Result<FoundData<Vec<Arc<BlobSidecar>>>, ApiError> {
        let found = self.with_sidecars(id)?;
        let (fork, block, sidecars) = &found.value;
        if *fork >= ForkName::Fulu {
            return Err(ApiError::bad_request(format!(
                "blocks of {fork} have columns instead of blob sidecars: ask /eth/v1/beacon/blobs for their blobs"
            )));
        }
        let blobs = blobs_of(sidecars);
        check_count(blobs.len(), block)?;
        Ok(with(&found, blobs))
    }

    /// The columns of a block since Fulu that are kept here, by index.
    pub fn data_column_sidecars(
        &self,
        id: BlockId,
    ) -> Result<FoundData<Vec<Arc<DataColumnSidecar>>>, ApiError> {
        let found = self.with_sidecars(id)?;
        let (fork, _, sidecars) = &found.value;
        if *fork < ForkName::Fulu {
            return Err(ApiError::bad_request(format!("blocks of {fork} have no data columns")));
        }
        Ok(with(&found, columns_of(sidecars)))
    }

    /// The blobs of a block in the order of its commitments, of all of them or of those with these versioned hashes.
    /// Since Fulu they are put together from half of the columns, which takes a while.
    pub fn blobs(&self, id: BlockId, hashes: Option<&[Root]>) -> Result<FoundData<Vec<Bytes>>, ApiError> {
        let found = self.with_sidecars(id)?;
        let (fork, block, sidecars) = &found.value;
        let commitments = &block.message.body.blob_kzg_commitments;
        let blobs: Vec<Bytes> = if commitments.is_empty() {
            Vec::new()
        } else if *fork >= ForkName::Fulu {
            let recovery = Recovery::new(self.view.spec, columns_of(sidecars)).map_err(|why| {
                ApiError::not_found(format!("this node has too few columns to tell the blobs: {why}"))
            })?;
            recovery.blobs().map_err(|why| ApiError::internal(format!("recovery failed: {why}")))?
        } else {
            blobs_of(sidecars).iter().map(|sidecar| sidecar.blob.clone()).collect()
        };
        check_count(blobs.len(), block)?;
        let is_wanted = |place: usize| {
            hashes
                .is_none_or(|hashes| hashes.contains(&kzg_commitment_to_versioned_hash(&commitments[place])))
        };
        let wanted = blobs.into_iter().enumerate().filter(|(place, _)| is_wanted(*place));
        let wanted = wanted.map(|(_, blob)| blob).collect();
        Ok(with(&found, wanted))
    }

    fn with_sidecars(&self, id: BlockId) -> Result<WithSidecars, ApiError> {
        let Found { value: (place, block), finalized, execution_optimistic } = self.block(id)?;
        let sidecars = match self.view.sidecars.get(&place.root) {
            Some(sidecars) => sidecars.clone(),
            None => self.loads.sidecars(&place.root, block.message.slot).map_err(ApiError::internal)?,
        };
        Ok(Found { value: (place.fork, block, sidecars), finalized, execution_optimistic })
    }
}

/// Other data of the same block.
fn with<T>(found: &WithSidecars, data: T) -> FoundData<T> {
    let Found { value: (fork, ..), finalized, execution_optimistic } = found;
    Found { value: (*fork, data), finalized: *finalized, execution_optimistic: *execution_optimistic }
}

/// All blobs are there or the answer would mislead: they are kept for some weeks only.
fn check_count(found: usize, block: &SignedBeaconBlock) -> Result<(), ApiError> {
    let committed = block.message.body.blob_kzg_commitments.len();
    match found == committed {
        true => Ok(()),
        false => Err(ApiError::not_found(format!("of {committed} blobs of the block {found} are kept"))),
    }
}

fn blobs_of(sidecars: &[Sidecar]) -> Vec<Arc<BlobSidecar>> {
    let blob = |sidecar: &Sidecar| match sidecar {
        Sidecar::Blob(sidecar) => Some(sidecar.clone()),
        Sidecar::Column(_) => None,
    };
    sidecars.iter().filter_map(blob).collect()
}

fn columns_of(sidecars: &[Sidecar]) -> Vec<Arc<DataColumnSidecar>> {
    let column = |sidecar: &Sidecar| match sidecar {
        Sidecar::Column(sidecar) => Some(sidecar.clone()),
        Sidecar::Blob(_) => None,
    };
    sidecars.iter().filter_map(column).collect()
}
