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
        let (mut blobs, mut blob_tickets) = (Vec::<&BlobSidecar>::new(), Vec::new());
        let (mut columns, mut column_tickets) = (Vec::<&DataColumnSidecar>::new(), Vec::new());
        for (ticket, sidecar) in &self.waiting {
            match sidecar {
                Sidecar::Blob(sidecar) => {
                    blobs.push(sidecar);
                    blob_tickets.push(*ticket);
                }
                Sidecar::Column(sidecar) => {
                    columns.push(sidecar);
                    column_tickets.push(*ticket);
                }
            }
        }
        let mut verified = Verified::default();
        verified.add(blob_tickets, &find_invalid_blob_sidecars(&blobs));
        verified.add(column_tickets, &find_invalid_data_column_sidecars(&columns));
        verified
    }
}

impl Verified {
    fn add(&mut self, tickets: Vec<Ticket>, invalid: &[usize]) {
        for (place, ticket) in tickets.into_iter().enumerate() {
            if invalid.contains(&place) { self.invalid.push(ticket) } else { self.valid.push(ticket) }
        }
    }
}
