//! `bls_to_execution_change`.

use transition::Signatures;
use transition::block::{BlsToExecutionChangeInvalid, check_bls_to_execution_change};
use types::{BeaconState, ForkName, SignedBLSToExecutionChange, Time, ValidatorIndex};

use super::{Checked, Seen, compute_time_at_slot_ms};
use crate::{Verdict, Why};

/// A change of credentials that passed all rules but its signature.
#[derive(Clone, Copy, Debug)]
pub struct CheckedBlsChange(ValidatorIndex);

/// [`validate_bls_to_execution_change_gossip`](https://github.com/ethereum/consensus-specs/blob/master/specs/capella/p2p-interface.md#bls_to_execution_change)
/// on the head's state.
pub fn validate_bls_to_execution_change_gossip(
    seen: &Seen,
    state: &BeaconState,
    change: &SignedBLSToExecutionChange,
    now: Time,
) -> Result<Checked<CheckedBlsChange>, Verdict> {
    let spec = state.spec();
    let capella = spec.fork_epoch(ForkName::Capella).start_slot(spec);
    if now < compute_time_at_slot_ms(state, capella) {
        return Err(Verdict::ignore("current epoch is pre-capella"));
    }
    let facts = CheckedBlsChange(change.message.validator_index);
    if facts.is_seen(seen) {
        return Err(Verdict::ignore("already seen BLS to execution change for this validator"));
    }
    const INVALID: &str = "invalid BLS to execution change signature";
    let mut signatures = Signatures::Collect(Vec::new());
    check_bls_to_execution_change(state, change, &mut signatures).map_err(|invalid| match invalid {
        BlsToExecutionChangeInvalid::NoValidator(_) => Verdict::reject("validator index out of range"),
        BlsToExecutionChangeInvalid::NoKey => {
            Verdict::reject("validator does not have BLS withdrawal credentials")
        }
        BlsToExecutionChangeInvalid::OtherKey => {
            Verdict::reject("pubkey does not match validator withdrawal credentials")
        }
        BlsToExecutionChangeInvalid::Signature => Verdict::reject(INVALID),
    })?;
    let sets = signatures.into_collected().into_iter();
    Ok(Checked { signatures: sets.map(|set| (set, Why(INVALID))).collect(), facts })
}

impl CheckedBlsChange {
    /// True where a valid change of this validator was seen.
    pub fn is_seen(&self, seen: &Seen) -> bool {
        seen.bls_to_execution_change_indices.contains(&self.0)
    }

    /// Remembers the change; its signature is verified.
    pub fn mark_seen(&self, seen: &mut Seen) {
        seen.bls_to_execution_change_indices.insert(self.0);
    }
}
