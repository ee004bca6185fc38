//! The jobs that are about blobs and columns: verifying them, making them from blobs, and recovering them.

use std::sync::Arc;

use data_availability::blobs::{get_blob_sidecars, is_data_available};
use data_availability::columns::{
    get_data_column_sidecars_from_block, get_data_column_sidecars_from_column_sidecar,
};
use data_availability::gossip::{INVALID_BLOB_KZG_PROOF, INVALID_SIDECAR_KZG_PROOFS};
use data_availability::kzg::CELLS_PER_EXT_BLOB;
use data_availability::matrix::compute_rows;
use data_availability::{Sidecar, find_invalid_sidecars};
use engine::BlobAndProofs;
use types::{Bytes, DataColumnSidecar, ForkName, KzgProof, SignedBeaconBlock, Spec};

use crate::chain::Chain;
use crate::work::Purpose;
use crate::{JobResult, Why};

const NOT_INCLUDED: Why = Why("the commitments are not those of the header's body, or the lengths are wrong");

/// Sidecars whose inclusion proofs and KZG proofs are to be verified, the latter as one batch.
#[derive(Debug)]
pub struct VerifySidecars {
    pub(crate) spec: &'static Spec,
    pub(crate) sidecars: Vec<Sidecar>,
}

/// The sidecars of a block that are to be made from its blobs.
#[derive(Debug)]
pub struct MakeSidecars {
    pub(crate) spec: &'static Spec,
    pub(crate) template: Template,
    /// As many as the block has commitments; before Fulu some may be missing.
    pub(crate) blobs: Vec<Option<BlobAndProofs>>,
    pub(crate) trust: Trust,
}

/// What tells all of a sidecar but the data.
#[derive(Debug)]
pub(crate) enum Template {
    Block(Arc<SignedBeaconBlock>),
    /// A column of the block, verified.
    Column(Arc<DataColumnSidecar>),
}

/// Whether the proofs that come with blobs are to be verified.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Trust {
    /// They are of our own execution engine.
    Engine,
    /// They are of whoever uses the API.
    Nobody,
}

impl VerifySidecars {
    /// The places of the invalid ones, in ascending order, each with the rule that it broke.
    pub(crate) fn run(&self) -> Vec<(usize, Why)> {
        let (mut invalid, mut places, mut included) = (Vec::new(), Vec::new(), Vec::new());
        for (place, sidecar) in self.sidecars.iter().enumerate() {
            if sidecar.verify_inclusion(self.spec) {
                places.push(place);
                included.push(sidecar);
            } else {
                invalid.push((place, NOT_INCLUDED));
            }
        }
        let wrong = |at: usize| match included[at] {
            Sidecar::Blob(_) => (places[at], INVALID_BLOB_KZG_PROOF),
            Sidecar::Column(_) => (places[at], INVALID_SIDECAR_KZG_PROOFS),
        };
        invalid.extend(find_invalid_sidecars(&included).into_iter().map(wrong));
        invalid.sort_unstable();
        invalid
    }
}

impl MakeSidecars {
    pub(crate) fn run(self) -> Result<Vec<Sidecar>, String> {
        let fork = match &self.template {
            Template::Block(block) => self.spec.fork_name_at_slot(block.message.slot),
            Template::Column(_) => ForkName::Fulu,
        };
        if fork >= ForkName::Fulu { self.columns() } else { self.blobs() }
    }

    fn blobs(self) -> Result<Vec<Sidecar>, String> {
        let Template::Block(block) = &self.template else {
            return Err("blobs are not made of columns".into());
        };
        let missing: Vec<bool> = self.blobs.iter().map(Option::is_none).collect();
        let (mut blobs, mut proofs) = (Vec::new(), Vec::new());
        for BlobAndProofs { blob, proofs: of_blob } in self.blobs.into_iter().map(Option::unwrap_or_default) {
            blobs.push(blob);
            proofs.push(of_blob.first().copied().unwrap_or_default());
        }
        if self.trust == Trust::Nobody {
            let bytes: Vec<&[u8]> = blobs.iter().map(|blob| blob.0.as_slice()).collect();
            if !is_data_available(&block.message.body.blob_kzg_commitments, &bytes, &proofs) {
                return Err("the blobs and their proofs are not those of the block's commitments".into());
            }
        }
        let sidecars =
            get_blob_sidecars(self.spec, block, blobs, &proofs).map_err(|error| error.to_string())?;
        let there = sidecars.into_iter().zip(missing).filter(|(_, is_missing)| !is_missing);
        Ok(there.map(|(sidecar, _)| Sidecar::Blob(Arc::new(sidecar))).collect())
    }

    fn columns(self) -> Result<Vec<Sidecar>, String> {
        let whole: Option<Vec<BlobAndProofs>> = self.blobs.into_iter().collect();
        let whole = whole.ok_or("columns are made of all blobs or of none")?;
        let (blobs, proofs): (Vec<Bytes>, Vec<Vec<KzgProof>>) =
            whole.into_iter().map(|blob| (blob.blob, blob.proofs)).unzip();
        if let Some(proofs) = proofs.iter().find(|proofs| proofs.len() != CELLS_PER_EXT_BLOB) {
            return Err(format!("{} proofs for the {CELLS_PER_EXT_BLOB} cells of a blob", proofs.len()));
        }
        let rows = compute_rows(&blobs, &proofs.concat()).map_err(|error| error.to_string())?;
        let made = match &self.template {
            Template::Block(block) => get_data_column_sidecars_from_block(self.spec, block, &rows),
            Template::Column(column) => {
                get_data_column_sidecars_from_column_sidecar(self.spec, column, &rows)
            }
        };
        let made: Vec<Sidecar> =
            made.map_err(|error| error.to_string())?.into_iter().map(Arc::new).map(Sidecar::Column).collect();
        if self.trust == Trust::Nobody && !find_invalid_sidecars(&made.iter().collect::<Vec<_>>()).is_empty()
        {
            return Err("the blobs and their proofs are not those of the block's commitments".into());
        }
        Ok(made)
    }
}

impl Chain {
    /// Takes in what a job about data found.
    pub(crate) fn data_job_done(&mut self, purpose: Purpose, result: JobResult) {
        let failed = || Err("the job failed".to_owned());
        match (purpose, result) {
            (Purpose::Sidecars(checking), JobResult::InvalidSidecars(invalid)) => {
                self.sidecars_checked(checking, &invalid);
            }
            (Purpose::Sidecars(checking), _) => self.sidecars_unchecked(checking),
            (Purpose::SegmentSidecars(check), JobResult::InvalidSidecars(invalid)) => {
                self.segment_data_checked(*check, &invalid);
            }
            (Purpose::SegmentSidecars(check), _) => {
                self.import_failed(check.import, "the verification of the blocks' data failed".to_owned());
            }
            (Purpose::SegmentRecovery(check), JobResult::Sidecars(made)) => {
                self.segment_recovered(*check, made);
            }
            (Purpose::SegmentRecovery(check), _) => self.segment_recovered(*check, failed()),
            (Purpose::OwnSidecars(id, block), JobResult::Sidecars(made)) => {
                self.own_sidecars_made(id, block, made)
            }
            (Purpose::OwnSidecars(id, block), _) => self.own_sidecars_made(id, block, failed()),
            (Purpose::MadeSidecars(root), JobResult::Sidecars(made)) => self.sidecars_made(root, made),
            (Purpose::MadeSidecars(root), _) => self.sidecars_made(root, failed()),
            (purpose, _) => self.fault(format!("a job ended that is about no data: {purpose:?}")),
        }
    }
}
