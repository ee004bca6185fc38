//! What the rules of all sidecars ask of the header that comes with them.

use crypto::SignatureSet;
use transition::signatures::header_set;
use types::{BeaconState, SignedBeaconBlockHeader, Slot, Time};

use super::{HeaderStore, KnownParent, Verdict, Why};

/// The reasons, in the words of one kind of message.
pub struct Reasons {
    pub future_slot: Why,
    pub not_after_finalized: Why,
    pub signature: Why,
    pub parent_not_seen: Why,
    pub parent_invalid: Why,
    pub not_after_parent: Why,
    pub not_of_finalized: Why,
    pub other_proposer: Why,
}

/// The reason for ignoring a column whose block's parent is not known; it may be kept until that comes.
pub const PARENT_NOT_SEEN: Why = Why("sidecar's parent has not been seen");

/// The reason for ignoring what is of a proposer that cannot be told from the states at hand.
pub const SHUFFLING_NOT_KNOWN: Why = Why("the shuffling of the sidecar's slot is not available");

/// The checks up to the parent's; the signature is returned to be verified.
pub fn check_header(
    store: &dyn HeaderStore,
    state: &BeaconState,
    header: &SignedBeaconBlockHeader,
    now: Time,
    reasons: &Reasons,
) -> Result<(SignatureSet, Why), Verdict> {
    check_slot(store, state, header.message.slot, now, reasons)?;
    if header.message.proposer_index.as_usize() >= state.validators.len() {
        return Err(Verdict::reject("proposer index out of range"));
    }
    let signature = header_set(state, header).map_err(|_| Verdict::Reject(reasons.signature))?;
    match store.parent(&header.message.parent_root) {
        KnownParent::Unseen => return Err(Verdict::Ignore(reasons.parent_not_seen)),
        KnownParent::Invalid => return Err(Verdict::Reject(reasons.parent_invalid)),
        KnownParent::Valid { slot } if header.message.slot <= slot => {
            return Err(Verdict::Reject(reasons.not_after_parent));
        }
        KnownParent::Valid { .. } => {}
    }
    let finalized = store.finalized_checkpoint();
    if store.get_checkpoint_block(&header.message.parent_root, finalized.epoch) != Some(finalized.root) {
        return Err(Verdict::Reject(reasons.not_of_finalized));
    }
    Ok((signature, reasons.signature))
}

/// The slot has begun, and is after the finalized one.
pub fn check_slot(
    store: &dyn HeaderStore,
    state: &BeaconState,
    slot: Slot,
    now: Time,
    reasons: &Reasons,
) -> Result<(), Verdict> {
    if !is_not_from_future_slot(state, slot, now) {
        return Err(Verdict::Ignore(reasons.future_slot));
    }
    if slot <= store.finalized_checkpoint().epoch.start_slot(state.spec()) {
        return Err(Verdict::Ignore(reasons.not_after_finalized));
    }
    Ok(())
}

/// The proposer is the one of its slot on top of the parent.
pub fn check_proposer(
    store: &dyn HeaderStore,
    header: &SignedBeaconBlockHeader,
    reasons: &Reasons,
) -> Result<(), Verdict> {
    match store.expected_proposer(&header.message.parent_root, header.message.slot) {
        Some(expected) if expected == header.message.proposer_index => Ok(()),
        Some(_) => Err(Verdict::Reject(reasons.other_proposer)),
        None => Err(Verdict::Ignore(SHUFFLING_NOT_KNOWN)),
    }
}

/// [`is_not_from_future_slot`](https://github.com/ethereum/consensus-specs/blob/master/specs/phase0/p2p-interface.md).
fn is_not_from_future_slot(state: &BeaconState, slot: Slot, now: Time) -> bool {
    let config = &state.spec().config;
    let since_genesis = slot.0.saturating_mul(config.slot_duration_ms);
    let begin = Time(state.genesis_time.saturating_mul(1000)).after_ms(since_genesis);
    now.after_ms(config.maximum_gossip_clock_disparity) >= begin
}
