//! `voluntary_exit`.

use transition::Signatures;
use transition::block::{VoluntaryExitInvalid, check_voluntary_exit};
use types::{BeaconState, SignedVoluntaryExit, ValidatorIndex};

use super::{Checked, STATE_CANNOT_TELL, Seen};
use crate::{Verdict, Why};

/// An exit that passed all rules but its signature.
#[derive(Clone, Copy, Debug)]
pub struct CheckedVoluntaryExit(ValidatorIndex);

/// [`validate_voluntary_exit_gossip`](https://github.com/ethereum/consensus-specs/blob/master/specs/phase0/p2p-interface.md#voluntary_exit)
/// on the head's state.
pub fn validate_voluntary_exit_gossip(
    seen: &Seen,
    state: &BeaconState,
    exit: &SignedVoluntaryExit,
) -> Result<Checked<CheckedVoluntaryExit>, Verdict> {
    let facts = CheckedVoluntaryExit(exit.message.validator_index);
    if facts.is_seen(seen) {
        return Err(Verdict::ignore("already seen voluntary exit for this validator"));
    }
    let mut signatures = Signatures::Collect(Vec::new());
    check_voluntary_exit(state, exit, &mut signatures).map_err(|invalid| {
        Verdict::reject(match invalid {
            VoluntaryExitInvalid::NoValidator(_) => "validator index out of range",
            VoluntaryExitInvalid::NotActive => "validator is not active",
            VoluntaryExitInvalid::AlreadyLeaving => "validator has already initiated exit",
            VoluntaryExitInvalid::NotYet(_) => "voluntary exit epoch is in the future",
            VoluntaryExitInvalid::TooYoung(_) => "validator has not been active long enough",
            VoluntaryExitInvalid::Signature => "invalid voluntary exit signature",
            // The rules of gossip do not ask for it, but no block could include the exit now.
            VoluntaryExitInvalid::PendingWithdrawals => {
                return Verdict::ignore("validator has withdrawals that are due");
            }
            // The fault is on this side, so nobody is to blame.
            VoluntaryExitInvalid::Access(_) => return Verdict::Ignore(STATE_CANNOT_TELL),
        })
    })?;
    let sets = signatures.into_collected().into_iter();
    Ok(Checked {
        signatures: sets.map(|set| (set, Why("invalid voluntary exit signature"))).collect(),
        facts,
    })
}

impl CheckedVoluntaryExit {
    /// True where a valid exit of this validator was seen.
    pub fn is_seen(&self, seen: &Seen) -> bool {
        seen.voluntary_exit_indices.contains(&self.0)
    }

    /// Remembers the exit; its signature is verified.
    pub fn mark_seen(&self, seen: &mut Seen) {
        seen.voluntary_exit_indices.insert(self.0);
    }
}
