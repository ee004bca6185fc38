//! `proposer_slashing`.

use transition::Signatures;
use transition::block::{ProposerSlashingInvalid, check_proposer_slashing};
use types::{BeaconState, ProposerSlashing, ValidatorIndex};

use super::{Checked, STATE_CANNOT_TELL, Seen};
use crate::{Verdict, Why};

/// A proposer slashing that passed all rules but its signatures.
#[derive(Clone, Copy, Debug)]
pub struct CheckedProposerSlashing(ValidatorIndex);

/// [`validate_proposer_slashing_gossip`](https://github.com/ethereum/consensus-specs/blob/master/specs/phase0/p2p-interface.md#proposer_slashing)
/// on the head's state.
pub fn validate_proposer_slashing_gossip(
    seen: &Seen,
    state: &BeaconState,
    slashing: &ProposerSlashing,
) -> Result<Checked<CheckedProposerSlashing>, Verdict> {
    let facts = CheckedProposerSlashing(slashing.signed_header_1.message.proposer_index);
    if facts.is_seen(seen) {
        return Err(Verdict::ignore("already seen proposer slashing for this proposer"));
    }
    const INVALID: &str = "invalid proposer slashing signature";
    let mut signatures = Signatures::Collect(Vec::new());
    check_proposer_slashing(state, slashing, &mut signatures).map_err(|invalid| {
        Verdict::reject(match invalid {
            ProposerSlashingInvalid::SlotsDiffer => "header slots do not match",
            ProposerSlashingInvalid::ProposersDiffer => "header proposer indices do not match",
            ProposerSlashingInvalid::HeadersSame => "headers are not different",
            ProposerSlashingInvalid::NoValidator(_) => "proposer index out of range",
            ProposerSlashingInvalid::NotSlashable => "proposer is not slashable",
            ProposerSlashingInvalid::Signature => INVALID,
            // The fault is on this side, so nobody is to blame.
            ProposerSlashingInvalid::Access(_) => return Verdict::Ignore(STATE_CANNOT_TELL),
        })
    })?;
    let sets = signatures.into_collected().into_iter();
    Ok(Checked { signatures: sets.map(|set| (set, Why(INVALID))).collect(), facts })
}

impl CheckedProposerSlashing {
    /// True where a valid slashing of this proposer was seen.
    pub fn is_seen(&self, seen: &Seen) -> bool {
        seen.proposer_slashing_indices.contains(&self.0)
    }

    /// Remembers the slashing; its signatures are verified.
    pub fn mark_seen(&self, seen: &mut Seen) {
        seen.proposer_slashing_indices.insert(self.0);
    }
}
