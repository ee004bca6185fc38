//! [`validate_light_client_update`](https://github.com/ethereum/consensus-specs/blob/master/specs/altair/light-client/sync-protocol.md#validate_light_client_update),
//! rule by rule in the specification's order.

use crypto::{PublicKey, Signature, fast_aggregate_verify};
use ssz::{Ctx, SszExt};
use transition::misc::{compute_domain, compute_signing_root};
use types::constants::{DOMAIN_SYNC_COMMITTEE, GENESIS_SLOT};
use types::{LightClientUpdate, Root, Slot, SyncCommittee};

use crate::branches::{
    finalized_root_gindex_at_slot, is_valid_normalized_merkle_branch, next_sync_committee_gindex_at_slot,
};
use crate::header::{block_root, is_empty_header, is_valid_light_client_header};
use crate::invalid::Invalid;
use crate::store::{LightClientStore, is_empty_committee, is_next_sync_committee_known};
use crate::update::{compute_sync_committee_period_at_slot, is_finality_update, is_sync_committee_update};

/// [`validate_light_client_update`](https://github.com/ethereum/consensus-specs/blob/master/specs/altair/light-client/sync-protocol.md#validate_light_client_update).
/// `current_slot` is that of the local clock.
pub fn validate_light_client_update(
    store: &LightClientStore,
    update: &LightClientUpdate,
    current_slot: Slot,
    genesis_validators_root: Root,
) -> Result<(), Invalid> {
    let found = update.sync_aggregate.sync_committee_bits.count_ones() as u64;
    let least = store.spec.preset.min_sync_committee_participants;
    if found < least {
        return Err(Invalid::TooFewParticipants { found, least });
    }
    if !is_valid_light_client_header(store.spec, &update.attested_header) {
        return Err(Invalid::AttestedHeader);
    }
    check_order(update, current_slot)?;
    check_periods(store, update)?;
    check_finality(store, update)?;
    check_next_sync_committee(store, update)?;
    check_signature(store, update, genesis_validators_root)
}

fn check_order(update: &LightClientUpdate, current: Slot) -> Result<(), Invalid> {
    let signature = update.signature_slot;
    let (attested, finalized) = (update.attested_header.beacon.slot, update.finalized_header.beacon.slot);
    if current < signature {
        return Err(Invalid::FromTheFuture { signature, current });
    }
    if signature <= attested || attested < finalized {
        return Err(Invalid::SlotsOutOfOrder { signature, attested, finalized });
    }
    Ok(())
}

/// That the committee which signed is known, and that there is something new.
fn check_periods(store: &LightClientStore, update: &LightClientUpdate) -> Result<(), Invalid> {
    let period = |slot| compute_sync_committee_period_at_slot(store.spec, slot);
    let finalized = store.finalized_header.beacon.slot;
    let (store_period, signature_period) = (period(finalized), period(update.signature_slot));
    let is_next_known = is_next_sync_committee_known(store);
    let is_known = signature_period == store_period || is_next_known && signature_period == store_period + 1;
    if !is_known {
        return Err(Invalid::SkipsPeriod { signature: signature_period, store: store_period });
    }
    let attested = update.attested_header.beacon.slot;
    let has_next_sync_committee =
        !is_next_known && is_sync_committee_update(update) && period(attested) == store_period;
    if attested <= finalized && !has_next_sync_committee {
        return Err(Invalid::Irrelevant { attested, finalized });
    }
    Ok(())
}

/// That the finalized header, if there is one, is that of the checkpoint in the attested state. Genesis is finalized as
/// a root of zeros.
fn check_finality(store: &LightClientStore, update: &LightClientUpdate) -> Result<(), Invalid> {
    let header = &update.finalized_header;
    let has_branch = is_finality_update(update);
    if (!has_branch || header.beacon.slot == GENESIS_SLOT) && !is_empty_header(header) {
        return Err(Invalid::FinalizedHeaderUncalledFor);
    }
    if !has_branch {
        return Ok(());
    }
    let root = if header.beacon.slot == GENESIS_SLOT {
        Root::ZERO
    } else {
        if !is_valid_light_client_header(store.spec, header) {
            return Err(Invalid::FinalizedHeader);
        }
        block_root(header)
    };
    let attested = &update.attested_header.beacon;
    let gindex = finalized_root_gindex_at_slot(store.spec, attested.slot);
    if !is_valid_normalized_merkle_branch(&root, &update.finality_branch, gindex, &attested.state_root) {
        return Err(Invalid::FinalityBranch);
    }
    Ok(())
}

/// That the next committee, if there is one, is that of the attested state.
fn check_next_sync_committee(store: &LightClientStore, update: &LightClientUpdate) -> Result<(), Invalid> {
    let committee = &update.next_sync_committee;
    if !is_sync_committee_update(update) {
        let is_empty = is_empty_committee(committee);
        return if is_empty { Ok(()) } else { Err(Invalid::NextSyncCommitteeUncalledFor) };
    }
    let period = |slot| compute_sync_committee_period_at_slot(store.spec, slot);
    let attested = &update.attested_header.beacon;
    let is_of_store = period(attested.slot) == period(store.finalized_header.beacon.slot);
    if is_of_store && is_next_sync_committee_known(store) && *committee != store.next_sync_committee {
        return Err(Invalid::OtherNextSyncCommittee);
    }
    if !is_valid_normalized_merkle_branch(
        &committee.hash_tree_root(store.ctx()),
        &update.next_sync_committee_branch,
        next_sync_committee_gindex_at_slot(store.spec, attested.slot),
        &attested.state_root,
    ) {
        return Err(Invalid::NextSyncCommitteeBranch);
    }
    Ok(())
}

fn check_signature(
    store: &LightClientStore,
    update: &LightClientUpdate,
    genesis_validators_root: Root,
) -> Result<(), Invalid> {
    let spec = store.spec;
    let period = |slot| compute_sync_committee_period_at_slot(spec, slot);
    let is_of_store = period(update.signature_slot) == period(store.finalized_header.beacon.slot);
    let committee = if is_of_store { &store.current_sync_committee } else { &store.next_sync_committee };
    // Signed in the slot before, and with the fork version of that slot.
    let signed_at = update.signature_slot.saturating_sub(1u64).epoch(spec);
    let domain =
        compute_domain(DOMAIN_SYNC_COMMITTEE, spec.compute_fork_version(signed_at), genesis_validators_root);
    let message = compute_signing_root(&update.attested_header.beacon, Ctx::PLAIN, domain);
    let participants = participants(committee, update)?;
    let signature = Signature::from_compressed(&update.sync_aggregate.sync_committee_signature.0)
        .map_err(|_| Invalid::Signature)?;
    if !fast_aggregate_verify(&participants, &message.0, &signature) {
        return Err(Invalid::Signature);
    }
    Ok(())
}

/// The keys of the members who signed.
fn participants(committee: &SyncCommittee, update: &LightClientUpdate) -> Result<Vec<PublicKey>, Invalid> {
    let bits = &update.sync_aggregate.sync_committee_bits;
    if bits.len() != committee.pubkeys.len() {
        return Err(Invalid::CommitteeSize { bits: bits.len(), members: committee.pubkeys.len() });
    }
    let keys = bits.iter().zip(committee.pubkeys.iter()).filter(|(signed, _)| *signed);
    // The committee is proved, and its keys were checked when they were deposited; a bad one verifies nothing.
    keys.map(|(_, key)| PublicKey::from_compressed(&key.0).map_err(|_| Invalid::Signature)).collect()
}
