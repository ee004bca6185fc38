//! Blocks with as many attestations as they hold, without and with their signatures.

use std::time::Duration;

use anyhow::{Context, ensure};
use crypto::verify_signature_sets;
use synthetic::{Chain, Keys, Votes};
use transition::accessors::{
    get_beacon_proposer_index, get_block_root_at_slot, get_current_epoch, get_domain,
    get_indexed_attestation, sync_committee_validators,
};
use transition::block::process_block;
use transition::misc::compute_signing_root;
use transition::{Signatures, process_slots, verify_block_signature};
use types::constants::{
    DOMAIN_BEACON_ATTESTER, DOMAIN_BEACON_PROPOSER, DOMAIN_RANDAO, DOMAIN_SYNC_COMMITTEE,
};
use types::{
    BeaconState, BlsSignature, DomainType, Epoch, ForkName, SignedBeaconBlock, Slot, Ssz, ValidatorIndex,
};

use crate::clock::{least, least_of_both, one};
use crate::line::Line;
use crate::report::Report;
use crate::signature_lines::{SEED, plain_key};
use crate::subject::{Subject, fill_caches};
use crate::verify::{PlainSet, verify_multiple};

/// Slots after the state: far enough that the votes of the slots before the block are spread over its epoch.
const SLOTS_AHEAD: u64 = 17;

/// Measures blocks on a synthetic state; one of a file has keys that nobody knows.
pub fn measure(report: &mut Report, subject: &Subject, budget: Duration) -> anyhow::Result<()> {
    let Some(keys) = &subject.keys else { return Ok(()) };
    if !report.wants_any(&["block", "block-signed", "root-after-block"]) {
        return Ok(());
    }
    let base = subject.at_end_of_epoch()?;
    let slot = Slot(base.slot.0 + SLOTS_AHEAD);
    let mut chain = Chain::new(base.clone(), keys.clone()).with_votes(Votes::Spread);
    let block = chain.block_at(slot)?;
    let mut state = base;
    process_slots(&mut state, slot)?;
    state.state_root();
    fill_caches(&state)?;
    let attestations = block.message.body.attestations.len();
    let name = format!("{} ({attestations})", subject.name);
    // The first time reads the points of all keys that signed, which a running node has done long before.
    ensure!(verify(&mut state.clone(), &block)?, "{name}: a valid block is refused");

    if report.wants("block") {
        let process =
            |state: &mut BeaconState| process_block(state, &block.message, &mut Signatures::Skip).is_ok();
        report.add(Line::time("block", &name, least(budget, || state.clone(), process)));
    }
    if report.wants("block-signed") {
        let plain = plain_sets(&state, &block, keys)?;
        ensure!(verify_multiple(&plain), "{name}: blst refuses the signatures of a valid block");
        let (ours, blst) = least_of_both(
            2 * budget,
            || one(|| state.clone(), |state| verify(state, &block).is_ok_and(|valid| valid)),
            || one(|| (), |()| verify_multiple(&plain)),
        );
        let line = Line::time("block-signed", &name, ours).against("blst batch", blst);
        report.add(line.limited_by("one verified", report.machine.speed.verify_ns));
    }
    if report.wants("root-after-block") {
        let process = || {
            let mut state = state.clone();
            process_block(&mut state, &block.message, &mut Signatures::Skip).map(|()| state)
        };
        let cost = least(budget, process, |state| state.as_ref().map(BeaconState::state_root).ok());
        report.add(Line::time("root-after-block", &name, cost));
    }
    Ok(())
}

/// A block as it is imported: its signatures collected and verified as one batch.
fn verify(state: &mut BeaconState, block: &SignedBeaconBlock) -> anyhow::Result<bool> {
    let mut signatures = Signatures::Collect(Vec::new());
    let is_signed = verify_block_signature(state, block, &mut signatures);
    process_block(state, &block.message, &mut signatures).context("a synthetic block")?;
    Ok(is_signed && verify_signature_sets(&signatures.into_collected(), SEED))
}

/// The signatures of a block with the points of those who signed, as the specification names them.
fn plain_sets(state: &BeaconState, block: &SignedBeaconBlock, keys: &Keys) -> anyhow::Result<Vec<PlainSet>> {
    let (body, epoch) = (&block.message.body, get_current_epoch(state));
    let proposer = [get_beacon_proposer_index(state)?];
    let of = Signed { state, keys };
    let mut sets = vec![
        of.set(&block.message, DOMAIN_BEACON_PROPOSER, epoch, &proposer, block.signature),
        of.set(&epoch, DOMAIN_RANDAO, epoch, &proposer, body.randao_reveal),
    ];
    for attestation in &body.attestations {
        let indices = get_indexed_attestation(state, attestation)?.attesting_indices;
        let (data, signature) = (&attestation.data, attestation.signature);
        sets.push(of.set(data, DOMAIN_BEACON_ATTESTER, data.target.epoch, &indices, signature));
    }
    if state.fork_name() >= ForkName::Altair {
        let previous = Slot(state.slot.0 - 1);
        let root = get_block_root_at_slot(state, previous)?;
        let members = sync_committee_validators(state, &state.current_sync_committee)?;
        let (epoch, signature) = (previous.epoch(state.spec()), body.sync_aggregate.sync_committee_signature);
        sets.push(of.set(&root, DOMAIN_SYNC_COMMITTEE, epoch, &members, signature));
    }
    Ok(sets)
}

struct Signed<'a> {
    state: &'a BeaconState,
    keys: &'a Keys,
}

impl Signed<'_> {
    fn set<T: Ssz>(
        &self,
        object: &T,
        domain: DomainType,
        epoch: Epoch,
        signers: &[ValidatorIndex],
        signature: BlsSignature,
    ) -> PlainSet {
        let domain = get_domain(self.state, domain, epoch);
        let message = compute_signing_root(object, self.state.ctx(), domain).0;
        let key = |index: &ValidatorIndex| plain_key(&self.keys.secret(index.as_usize()).public_key());
        PlainSet { message, pubkeys: signers.iter().map(key).collect(), signature: signature.0 }
    }
}
