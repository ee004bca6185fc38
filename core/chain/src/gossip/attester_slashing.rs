//! `attester_slashing`.

use std::collections::BTreeSet;

use transition::block::slashable_indices;
use transition::predicates::{has_valid_indices, is_slashable_attestation_data};
use transition::signatures::indexed_attestation_set;
use types::{AttesterSlashing, BeaconState, ValidatorIndex};

use super::{Checked, Seen};
use crate::{Verdict, Why};

/// An attester slashing that passed all rules but its signatures.
#[derive(Clone, Debug)]
pub struct CheckedAttesterSlashing {
    /// Who made both attestations, in ascending order.
    pub indices: Vec<ValidatorIndex>,
}

/// [`validate_attester_slashing_gossip`](https://github.com/ethereum/consensus-specs/blob/master/specs/phase0/p2p-interface.md#attester_slashing)
/// on the head's state.
pub fn validate_attester_slashing_gossip(
    seen: &Seen,
    state: &BeaconState,
    slashing: &AttesterSlashing,
) -> Result<Checked<CheckedAttesterSlashing>, Verdict> {
    let attestations = [&slashing.attestation_1, &slashing.attestation_2];
    let sets = attestations
        .map(|attestation| attestation.attesting_indices.iter().copied().collect::<BTreeSet<_>>());
    let facts = CheckedAttesterSlashing { indices: sets[0].intersection(&sets[1]).copied().collect() };
    if facts.is_seen(seen) {
        return Err(Verdict::ignore("all attester slashing indices already seen"));
    }
    if !is_slashable_attestation_data(&attestations[0].data, &attestations[1].data) {
        return Err(Verdict::reject("attestation data is not slashable"));
    }
    const REASONS: [(&str, &str); 2] = [
        ("validator index out of range in indexed attestation 1", "invalid indexed attestation 1"),
        ("validator index out of range in indexed attestation 2", "invalid indexed attestation 2"),
    ];
    let mut signatures = Vec::new();
    for (attestation, (out_of_range, invalid)) in attestations.into_iter().zip(REASONS) {
        let count = state.validators.len();
        if attestation.attesting_indices.iter().any(|index| index.as_usize() >= count) {
            return Err(Verdict::reject(out_of_range));
        }
        if !has_valid_indices(state, attestation) {
            return Err(Verdict::reject(invalid));
        }
        let set = indexed_attestation_set(state, attestation).map_err(|_| Verdict::reject(invalid))?;
        signatures.push((set, Why(invalid)));
    }
    if slashable_indices(state, slashing).is_empty() {
        return Err(Verdict::reject("no slashable validators in intersection"));
    }
    Ok(Checked { signatures, facts })
}

impl CheckedAttesterSlashing {
    /// True where slashings of all of them were seen.
    pub fn is_seen(&self, seen: &Seen) -> bool {
        self.indices.iter().all(|index| seen.attester_slashing_indices.contains(index))
    }

    /// Remembers whom it slashes; its signatures are verified.
    pub fn mark_seen(&self, seen: &mut Seen) {
        seen.attester_slashing_indices.extend(self.indices.iter().copied());
    }
}
