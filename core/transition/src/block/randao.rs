//! The proposer's contribution to the randomness.

use crypto::hash;
use types::{BeaconBlockBody, BeaconState, Root};

use super::BlockInvalid;
use crate::accessors::{get_beacon_proposer_index, get_current_epoch, get_randao_mix};
use crate::math::xor;
use crate::signatures::{Signatures, randao_set};

/// [`process_randao`](https://github.com/ethereum/consensus-specs/blob/master/specs/phase0/beacon-chain.md#randao).
pub fn process_randao(
    state: &mut BeaconState,
    body: &BeaconBlockBody,
    signatures: &mut Signatures,
) -> Result<(), BlockInvalid> {
    let proposer = get_beacon_proposer_index(state)?;
    if !signatures.take(|| randao_set(state, proposer, body.randao_reveal)) {
        return Err(BlockInvalid::Randao);
    }
    let epoch = get_current_epoch(state);
    let mix = xor(&get_randao_mix(state, epoch).0, &hash(&body.randao_reveal.0));
    let place = (epoch % state.spec().preset.epochs_per_historical_vector).as_usize();
    state.randao_mixes[place] = Root::from(mix);
    Ok(())
}
