//! Blocks with blobs for the tests of this crate: small numbers in the blobs, real commitments and proofs.

use std::sync::{Arc, OnceLock};

use types::{
    BeaconBlock, BlobSidecar, Bytes, DataColumnSidecar, ForkName, KzgCommitment, KzgProof, Root, Settings,
    SignedBeaconBlock, Slot, Spec, SszExt,
};

use crate::blobs::get_blob_sidecars;
use crate::columns::get_data_column_sidecars_from_block;
use crate::kzg::{
    BYTES_PER_BLOB, CellsAndKzgProofs, blob_to_kzg_commitment, compute_blob_kzg_proof,
    compute_cells_and_kzg_proofs,
};

/// The blobs of every block here.
pub const BLOBS: usize = 2;

/// The minimal preset, in which all forks up to this one begin at genesis.
pub fn spec(fork: ForkName) -> &'static Spec {
    let mut settings = Settings::parse(types::Config::MINIMAL_YAML).unwrap();
    for other in ForkName::ALL.into_iter().skip(1) {
        let epoch = if other <= fork { 0 } else { u64::MAX };
        settings.set(&format!("{}_FORK_EPOCH", other.as_str().to_uppercase()), epoch);
    }
    Spec::from_settings(settings, None).unwrap()
}

/// A blob of small numbers.
pub fn blob(seed: u8) -> Bytes {
    let element = |number: usize| {
        let mut bytes = [0; 32];
        bytes[31] = seed.wrapping_add(number as u8);
        bytes
    };
    Bytes((0..BYTES_PER_BLOB / 32).flat_map(element).collect())
}

/// The blobs with their commitments, proofs and cells; computed once, for it takes seconds.
#[derive(Debug)]
pub struct Data {
    pub blobs: Vec<Bytes>,
    pub commitments: Vec<KzgCommitment>,
    pub proofs: Vec<KzgProof>,
    pub cells: Vec<CellsAndKzgProofs>,
}

pub fn data() -> &'static Data {
    static DATA: OnceLock<Data> = OnceLock::new();
    DATA.get_or_init(|| {
        let blobs: Vec<Bytes> = (0..BLOBS as u8).map(blob).collect();
        let commitments: Vec<KzgCommitment> =
            blobs.iter().map(|blob| blob_to_kzg_commitment(&blob.0).unwrap()).collect();
        let proofs = blobs.iter().zip(&commitments);
        let proofs = proofs.map(|(blob, commitment)| compute_blob_kzg_proof(&blob.0, commitment).unwrap());
        let cells = blobs.iter().map(|blob| compute_cells_and_kzg_proofs(&blob.0).unwrap());
        Data { proofs: proofs.collect(), cells: cells.collect(), commitments, blobs }
    })
}

/// A block with those blobs; its parent's root tells blocks of one slot apart.
pub fn block(slot: u64, parent: u8) -> SignedBeaconBlock {
    let mut message = BeaconBlock { slot: Slot(slot), ..BeaconBlock::default() };
    message.parent_root = Root::from([parent; 32]);
    message.body.blob_kzg_commitments = data().commitments.clone();
    SignedBeaconBlock { message, ..SignedBeaconBlock::default() }
}

/// The root of a block.
pub fn root(spec: &'static Spec, block: &SignedBeaconBlock) -> Root {
    block.message.hash_tree_root(spec.ctx_at_slot(block.message.slot))
}

pub fn blob_sidecars(spec: &'static Spec, block: &SignedBeaconBlock) -> Vec<Arc<BlobSidecar>> {
    let sidecars = get_blob_sidecars(spec, block, data().blobs.clone(), &data().proofs).unwrap();
    sidecars.into_iter().map(Arc::new).collect()
}

pub fn column_sidecars(spec: &'static Spec, block: &SignedBeaconBlock) -> Vec<Arc<DataColumnSidecar>> {
    let sidecars = get_data_column_sidecars_from_block(spec, block, &data().cells).unwrap();
    sidecars.into_iter().map(Arc::new).collect()
}
