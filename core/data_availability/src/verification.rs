//! The job that verifies what waits in the store.

use types::{BlobSidecar, DataColumnSidecar};

use crate::blobs::find_invalid_blob_sidecars;
use crate::columns::find_invalid_data_column_sidecars;
use crate::{Sidecar, Ticket};

/// Sidecars whose KZG proofs are verified as one batch of each kind: eight columns take little longer than two alone.
#[derive(Clone, Debug, Default)]
pub struct Verification {
    /// What waits in the store.
    pub waiting: Vec<(Ticket, Sidecar)>,
}

/// What a [`Verification`] found, to be told the store.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Verified {
    /// The proofs are right.
    pub valid: Vec<Ticket>,
    /// The proofs are wrong: whoever sent it is to blame.
    pub invalid: Vec<Ticket>,
}

impl Verification {
    /// Verifies all of them.
    pub fn run(&self) -> Verified {
        let sidecars: Vec<&Sidecar> = self.waiting.iter().map(|(_, sidecar)| sidecar).collect();
        let invalid = find_invalid_sidecars(&sidecars);
        let mut verified = Verified::default();
        for (place, (ticket, _)) in self.waiting.iter().enumerate() {
            let list = if invalid.contains(&place) { &mut verified.invalid } else { &mut verified.valid };
            list.push(*ticket);
        }
        verified
    }
}

/// The places of the sidecars whose KZG proofs are wrong, in ascending order. They are verified as one batch of each
/// kind, and by halves where that fails.
pub fn find_invalid_sidecars(sidecars: &[&Sidecar]) -> Vec<usize> {
    let (mut blobs, mut blob_places) = (Vec::<&BlobSidecar>::new(), Vec::new());
    let (mut columns, mut column_places) = (Vec::<&DataColumnSidecar>::new(), Vec::new());
    for (place, sidecar) in sidecars.iter().enumerate() {
        match sidecar {
            Sidecar::Blob(sidecar) => {
                blobs.push(sidecar);
                blob_places.push(place);
            }
            Sidecar::Column(sidecar) => {
                columns.push(sidecar);
                column_places.push(place);
            }
        }
    }
    let blobs = find_invalid_blob_sidecars(&blobs).into_iter().map(|at| blob_places[at]);
    let columns = find_invalid_data_column_sidecars(&columns).into_iter().map(|at| column_places[at]);
    let mut invalid: Vec<usize> = blobs.chain(columns).collect();
    invalid.sort_unstable();
    invalid
}
