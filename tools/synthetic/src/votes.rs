//! Votes: what committees said, in blocks and in the state.

use transition::accessors::{
    committee_cache, get_beacon_committee, get_block_root, get_block_root_at_slot,
    get_committee_count_per_slot, get_current_epoch, get_previous_epoch,
};
use types::{
    AttestationData, BeaconState, Bits, Checkpoint, CommitteeIndex, Epoch, ForkName, List,
    PendingAttestation, Slot, ValidatorIndex,
};

use crate::{Participation, noise};

/// When votes come into blocks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Votes {
    /// All votes of a slot in the block of the next one, as few attestations as that takes.
    Prompt,
    /// As many attestations as a block can hold, each of the votes of another slot or committee: the votes of a slot come in
    /// parts, spread over the slots that follow it.
    Spread,
}

/// In how many parts the votes of a committee come, so that a block is full of them where a part of each committee of so
/// many slots comes into it; the last part may find no room.
pub fn parts(state: &BeaconState, slot: Slot, votes: Votes) -> u64 {
    if votes == Votes::Prompt {
        return 1;
    }
    let of_slot = attestations_of_slot(state, slot);
    most_attestations(state).div_ceil(of_slot).clamp(1, state.spec().preset.slots_per_epoch)
}

/// How many attestations a block may hold.
pub fn most_attestations(state: &BeaconState) -> u64 {
    let preset = &state.spec().preset;
    let since_electra = state.fork_name() >= ForkName::Electra;
    if since_electra { preset.max_attestations_electra } else { preset.max_attestations }
}

/// How many attestations all votes of a slot take.
fn attestations_of_slot(state: &BeaconState, slot: Slot) -> u64 {
    let since_electra = state.fork_name() >= ForkName::Electra;
    if since_electra { 1 } else { get_committee_count_per_slot(state, slot.epoch(state.spec())) }
}

/// What a committee of a slot before the state's votes for.
pub fn data(state: &BeaconState, slot: Slot, index: CommitteeIndex) -> anyhow::Result<AttestationData> {
    let epoch = slot.epoch(state.spec());
    let source = if epoch == get_current_epoch(state) {
        &state.current_justified_checkpoint
    } else {
        &state.previous_justified_checkpoint
    };
    Ok(AttestationData {
        slot,
        index,
        beacon_block_root: get_block_root_at_slot(state, slot)?,
        source: source.clone(),
        target: Checkpoint { epoch, root: get_block_root(state, epoch)? },
    })
}

/// The members of a committee that vote in one of several parts: bits, and who they are.
pub fn voters(
    committee: &[ValidatorIndex],
    part: u64,
    parts: u64,
    participation: Participation,
) -> (Bits, Vec<ValidatorIndex>) {
    let mut bits = Bits::zero(committee.len());
    let mut voters = Vec::new();
    for (place, member) in committee.iter().enumerate() {
        if place as u64 % parts == part && participation.votes(*member) {
            bits.set(place, true);
            voters.push(*member);
        }
    }
    (bits, voters)
}

/// Writes the votes of the state's previous and current epoch into it.
pub fn fill(state: &mut BeaconState, participation: Participation) -> anyhow::Result<()> {
    if state.fork_name() == ForkName::Phase0 {
        state.previous_epoch_attestations = pending(state, get_previous_epoch(state), participation)?;
        state.current_epoch_attestations = pending(state, get_current_epoch(state), participation)?;
        return Ok(());
    }
    let all_flags = 0b111;
    let flags = |epoch: Epoch| -> List<u8> {
        let active = |validator: &types::Validator| {
            validator.activation_epoch <= epoch && epoch < validator.exit_epoch
        };
        let voted = state
            .validators
            .iter()
            .zip(0..)
            .map(|(validator, index)| active(validator) && participation.votes(ValidatorIndex(index)));
        voted.map(|voted| if voted { all_flags } else { 0 }).collect()
    };
    let (previous, current) = (flags(get_previous_epoch(state)), flags(get_current_epoch(state)));
    (state.previous_epoch_participation, state.current_epoch_participation) = (previous, current);
    Ok(())
}

/// The attestations of an epoch as far as blocks up to the state's slot had them: each committee's in as many parts as
/// make blocks full, one half of them in the next block and the other in the one after it.
fn pending(
    state: &BeaconState,
    epoch: Epoch,
    participation: Participation,
) -> anyhow::Result<List<PendingAttestation>> {
    let spec = state.spec();
    let shuffling = &committee_cache(state, epoch)?.shuffling;
    let first = epoch.start_slot(spec);
    let mut list = List::default();
    for slot in (first.0..first.0 + spec.preset.slots_per_epoch).map(Slot) {
        // As many as surely fit into the list.
        let parts = most_attestations(state) / attestations_of_slot(state, slot);
        let parts = parts.clamp(1, spec.preset.slots_per_epoch);
        for part in (0..parts).filter(|part| slot.0 + delay_of(*part) <= state.slot.0) {
            let included_by = noise::bits(4, slot.0 + delay_of(part)) as usize % shuffling.len();
            for index in (0..get_committee_count_per_slot(state, epoch)).map(CommitteeIndex) {
                let committee = get_beacon_committee(state, slot, index)?;
                let (aggregation_bits, voters) = voters(&committee, part, parts, participation);
                if voters.is_empty() {
                    continue;
                }
                list.push(PendingAttestation {
                    aggregation_bits,
                    data: data(state, slot, index)?,
                    inclusion_delay: Slot(delay_of(part)),
                    proposer_index: shuffling[included_by],
                });
            }
        }
    }
    Ok(list)
}

fn delay_of(part: u64) -> u64 {
    1 + part % 2
}
