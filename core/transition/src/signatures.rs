//! Who signed what: a signature set for each kind of message, and the ways to treat them.

use crypto::{KeySum, PublicKey, SignatureSet};
use types::constants::{
    DOMAIN_AGGREGATE_AND_PROOF, DOMAIN_BEACON_ATTESTER, DOMAIN_BEACON_PROPOSER,
    DOMAIN_BLS_TO_EXECUTION_CHANGE, DOMAIN_RANDAO, DOMAIN_SELECTION_PROOF, DOMAIN_SYNC_COMMITTEE,
    DOMAIN_VOLUNTARY_EXIT,
};
use types::{
    Attestation, BeaconState, BlsSignature, Ctx, Domain, ForkName, IndexedAttestation,
    SignedAggregateAndProof, SignedBLSToExecutionChange, SignedBeaconBlock, SignedBeaconBlockHeader,
    SignedVoluntaryExit, Ssz, ValidatorIndex,
};

use crate::accessors::{AccessError, get_block_root_at_slot, get_current_epoch, get_domain, public_key};
use crate::attesters::Attesters;
use crate::misc::{compute_domain, compute_signing_root};

/// What a transition does with the signatures that it meets (all but those of deposits, which may be wrong).
#[derive(Debug)]
pub enum Signatures {
    /// Verifies each at once.
    Verify,
    /// Collects them, to be verified as one batch.
    Collect(Vec<SignatureSet>),
    /// Trusts them: the block was verified before, or is being built.
    Skip,
}

impl Signatures {
    /// False where the signature is found wrong, or has no key to be verified with.
    pub fn take(&mut self, set: impl FnOnce() -> Result<SignatureSet, AccessError>) -> bool {
        match self {
            Self::Verify => set().is_ok_and(|set| set.verify()),
            Self::Collect(sets) => match set() {
                Ok(set) => {
                    sets.push(set);
                    true
                }
                Err(_) => false,
            },
            Self::Skip => true,
        }
    }

    /// The signatures that were collected.
    pub fn into_collected(self) -> Vec<SignatureSet> {
        match self {
            Self::Collect(sets) => sets,
            Self::Verify | Self::Skip => Vec::new(),
        }
    }
}

fn set<T: Ssz>(
    object: &T,
    ctx: Ctx,
    domain: Domain,
    signature: BlsSignature,
    pubkey: PublicKey,
) -> SignatureSet {
    let message = compute_signing_root(object, ctx, domain).0;
    SignatureSet { message, signature: signature.0, pubkey }
}

/// The sum of validators' keys.
fn key_sum(state: &BeaconState, indices: &[ValidatorIndex]) -> Result<PublicKey, AccessError> {
    let mut sum = KeySum::default();
    for index in indices {
        sum.add(&public_key(state, *index)?);
    }
    Ok(sum.finish())
}

/// The proposer's signature of a block.
pub fn block_set(state: &BeaconState, block: &SignedBeaconBlock) -> Result<SignatureSet, AccessError> {
    let spec = state.spec();
    let domain = get_domain(state, DOMAIN_BEACON_PROPOSER, block.message.slot.epoch(spec));
    let key = public_key(state, block.message.proposer_index)?;
    Ok(set(&block.message, spec.ctx_at_slot(block.message.slot), domain, block.signature, key))
}

/// The proposer's signature of a header.
pub fn header_set(
    state: &BeaconState,
    header: &SignedBeaconBlockHeader,
) -> Result<SignatureSet, AccessError> {
    let domain = get_domain(state, DOMAIN_BEACON_PROPOSER, header.message.slot.epoch(state.spec()));
    let key = public_key(state, header.message.proposer_index)?;
    Ok(set(&header.message, Ctx::PLAIN, domain, header.signature, key))
}

/// The proposer's reveal.
pub fn randao_set(
    state: &BeaconState,
    proposer: ValidatorIndex,
    reveal: BlsSignature,
) -> Result<SignatureSet, AccessError> {
    let epoch = get_current_epoch(state);
    let domain = get_domain(state, DOMAIN_RANDAO, epoch);
    Ok(set(&epoch, Ctx::PLAIN, domain, reveal, public_key(state, proposer)?))
}

/// The attesters' aggregate signature.
pub fn indexed_attestation_set(
    state: &BeaconState,
    attestation: &IndexedAttestation,
) -> Result<SignatureSet, AccessError> {
    let domain = get_domain(state, DOMAIN_BEACON_ATTESTER, attestation.data.target.epoch);
    let key = key_sum(state, &attestation.attesting_indices)?;
    Ok(set(&attestation.data, Ctx::PLAIN, domain, attestation.signature, key))
}

/// The attesters' aggregate signature: that of [`indexed_attestation_set`], from the sums of committees' keys.
pub fn attestation_set(state: &BeaconState, attestation: &Attestation) -> Result<SignatureSet, AccessError> {
    attesters_set(state, attestation, &Attesters::of(state, attestation)?)
}

pub(crate) fn attesters_set(
    state: &BeaconState,
    attestation: &Attestation,
    attesters: &Attesters<'_>,
) -> Result<SignatureSet, AccessError> {
    let domain = get_domain(state, DOMAIN_BEACON_ATTESTER, attestation.data.target.epoch);
    let key = attesters.key_sum(state)?;
    Ok(set(&attestation.data, Ctx::PLAIN, domain, attestation.signature, key))
}

/// The aggregate signature of members of the sync committee over the block before the state's slot.
pub fn sync_aggregate_set(
    state: &BeaconState,
    participants: &[ValidatorIndex],
    signature: BlsSignature,
) -> Result<SignatureSet, AccessError> {
    let previous_slot = state.slot.saturating_sub(1);
    let domain = get_domain(state, DOMAIN_SYNC_COMMITTEE, previous_slot.epoch(state.spec()));
    let root = get_block_root_at_slot(state, previous_slot)?;
    Ok(set(&root, Ctx::PLAIN, domain, signature, key_sum(state, participants)?))
}

/// The signature of an exit. Since Deneb (EIP-7044) exits are signed in the domain of Capella, for good.
pub fn voluntary_exit_set(
    state: &BeaconState,
    exit: &SignedVoluntaryExit,
) -> Result<SignatureSet, AccessError> {
    let domain = if state.fork_name() >= ForkName::Deneb {
        let version = state.spec().fork_version(ForkName::Capella);
        compute_domain(DOMAIN_VOLUNTARY_EXIT, version, state.genesis_validators_root)
    } else {
        get_domain(state, DOMAIN_VOLUNTARY_EXIT, exit.message.epoch)
    };
    let key = public_key(state, exit.message.validator_index)?;
    Ok(set(&exit.message, Ctx::PLAIN, domain, exit.signature, key))
}

/// The signature of the key that withdrawal credentials name, in the domain that all forks share.
pub fn bls_to_execution_change_set(
    state: &BeaconState,
    signed: &SignedBLSToExecutionChange,
) -> Result<SignatureSet, AccessError> {
    let version = state.spec().fork_version(ForkName::Phase0);
    let domain = compute_domain(DOMAIN_BLS_TO_EXECUTION_CHANGE, version, state.genesis_validators_root);
    let key = PublicKey::from_compressed(&signed.message.from_bls_pubkey.0);
    let key = key.map_err(|_| AccessError::BadKey(signed.message.from_bls_pubkey))?;
    Ok(set(&signed.message, Ctx::PLAIN, domain, signed.signature, key))
}

/// The proof that the aggregator was to aggregate.
pub fn selection_proof_set(
    state: &BeaconState,
    signed: &SignedAggregateAndProof,
) -> Result<SignatureSet, AccessError> {
    let slot = signed.message.aggregate.data.slot;
    let domain = get_domain(state, DOMAIN_SELECTION_PROOF, slot.epoch(state.spec()));
    let key = public_key(state, signed.message.aggregator_index)?;
    Ok(set(&slot, Ctx::PLAIN, domain, signed.message.selection_proof, key))
}

/// The aggregator's signature.
pub fn aggregate_and_proof_set(
    state: &BeaconState,
    signed: &SignedAggregateAndProof,
) -> Result<SignatureSet, AccessError> {
    let spec = state.spec();
    let slot = signed.message.aggregate.data.slot;
    let domain = get_domain(state, DOMAIN_AGGREGATE_AND_PROOF, slot.epoch(spec));
    let key = public_key(state, signed.message.aggregator_index)?;
    Ok(set(&signed.message, spec.ctx_at_slot(slot), domain, signed.signature, key))
}
