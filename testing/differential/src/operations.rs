//! Operations that are valid on a state, each with the changes of the state that make it so; who they are about is drawn.

use rand::Rng;
use rand_chacha::ChaCha8Rng;
use synthetic::Keys;
use transition::accessors::{get_beacon_committee, get_current_epoch, get_domain};
use transition::misc::{compute_domain, compute_signing_root};
use transition::predicates::compute_merkle_branch_root;
use types::constants::{
    DOMAIN_BEACON_ATTESTER, DOMAIN_BEACON_PROPOSER, DOMAIN_BLS_TO_EXECUTION_CHANGE, DOMAIN_DEPOSIT,
    DOMAIN_VOLUNTARY_EXIT,
};
use types::{
    AttestationData, AttesterSlashing, BLSToExecutionChange, BeaconBlockHeader, BeaconState, BlsSignature,
    CommitteeIndex, ConsolidationRequest, Ctx, Deposit, DepositData, DepositMessage, DepositRequest, Domain,
    ExecutionAddress, ForkName, Gwei, IndexedAttestation, ProposerSlashing, Root, SignedBLSToExecutionChange,
    SignedBeaconBlockHeader, SignedVoluntaryExit, Ssz, SszExt, ValidatorIndex, VoluntaryExit,
    WithdrawalRequest,
};

use crate::mutation::{Mutation, Part};

/// Levels of the deposit contract's tree, its length included.
const DEPOSIT_BRANCH: usize = 33;

/// The maker of operations on one state.
pub struct Operations<'a> {
    /// The state that they are valid on, or nearly.
    pub state: &'a BeaconState,
    /// The validators' keys.
    pub keys: &'a Keys,
    /// Who, and how much.
    pub rng: &'a mut ChaCha8Rng,
}

/// An operation in SSZ, and how the state has to change for it.
pub type Made = (Vec<Mutation>, Vec<u8>);

impl Operations<'_> {
    /// An operation by its handler's name; none for those that only a block has.
    pub fn make(&mut self, name: &str) -> Option<Made> {
        match name {
            "voluntary_exit" => Some(self.voluntary_exit()),
            "proposer_slashing" => Some(self.proposer_slashing()),
            "attester_slashing" => self.attester_slashing(),
            "bls_to_execution_change" => Some(self.bls_to_execution_change()),
            "deposit" => Some(self.deposit()),
            "deposit_request" => Some(self.deposit_request()),
            "withdrawal_request" => Some(self.withdrawal_request()),
            "consolidation_request" => Some(self.consolidation_request()),
            _ => None,
        }
    }

    fn someone(&mut self) -> usize {
        self.rng.random_range(0..self.state.validators.len().max(1))
    }

    fn encode<T: Ssz>(&self, value: &T) -> Vec<u8> {
        value.to_ssz(self.state.ctx())
    }

    fn sign<T: Ssz>(&self, index: usize, value: &T, domain: Domain) -> BlsSignature {
        let root = compute_signing_root(value, self.state.ctx(), domain);
        BlsSignature::from(self.keys.secret(index).sign(&root.0).compress())
    }

    fn voluntary_exit(&mut self) -> Made {
        let (index, epoch) = (self.someone(), get_current_epoch(self.state));
        let message = VoluntaryExit { epoch, validator_index: ValidatorIndex(index as u64) };
        let state = self.state;
        let domain = if state.fork_name() >= ForkName::Deneb {
            let version = state.spec().fork_version(ForkName::Capella);
            compute_domain(DOMAIN_VOLUNTARY_EXIT, version, state.genesis_validators_root)
        } else {
            get_domain(state, DOMAIN_VOLUNTARY_EXIT, epoch)
        };
        let signature = self.sign(index, &message, domain);
        (Vec::new(), self.encode(&SignedVoluntaryExit { message, signature }))
    }

    fn proposer_slashing(&mut self) -> Made {
        let index = self.someone();
        let domain = get_domain(self.state, DOMAIN_BEACON_PROPOSER, get_current_epoch(self.state));
        let mut header = BeaconBlockHeader {
            slot: self.state.slot,
            proposer_index: ValidatorIndex(index as u64),
            parent_root: Root::from([1; 32]),
            ..BeaconBlockHeader::default()
        };
        let sign = |header: &BeaconBlockHeader| SignedBeaconBlockHeader {
            message: header.clone(),
            signature: self.sign(index, header, domain),
        };
        let signed_header_1 = sign(&header);
        header.body_root = Root::from([2; 32]);
        let signed_header_2 = sign(&header);
        (Vec::new(), self.encode(&ProposerSlashing { signed_header_1, signed_header_2 }))
    }

    /// Two votes of some members of a committee, with one target, or one around the other.
    fn attester_slashing(&mut self) -> Option<Made> {
        let state = self.state;
        let committee = get_beacon_committee(state, state.slot, CommitteeIndex(0)).ok()?;
        let mut indices: Vec<ValidatorIndex> = committee.to_vec();
        indices.truncate(self.rng.random_range(1..=indices.len().max(1)));
        indices.sort_unstable();
        let epoch = get_current_epoch(state);
        let mut data = AttestationData { slot: state.slot, ..AttestationData::default() };
        data.target.epoch = epoch;
        data.source.epoch = epoch.saturating_sub(3);
        let mut other = AttestationData { beacon_block_root: Root::from([3; 32]), ..data.clone() };
        if self.rng.random_bool(0.4) {
            other.source.epoch = epoch.saturating_sub(2);
            other.target.epoch = epoch.saturating_sub(1);
        }
        let sign = |data: AttestationData| -> Option<IndexedAttestation> {
            let key = self.keys.aggregate_secret(indices.iter().copied())?;
            let domain = get_domain(state, DOMAIN_BEACON_ATTESTER, data.target.epoch);
            let root = compute_signing_root(&data, state.ctx(), domain);
            let signature = BlsSignature::from(key.sign(&root.0).compress());
            Some(IndexedAttestation { attesting_indices: indices.clone(), data, signature })
        };
        let slashing = AttesterSlashing { attestation_1: sign(data)?, attestation_2: sign(other)? };
        Some((Vec::new(), self.encode(&slashing)))
    }

    fn bls_to_execution_change(&mut self) -> Made {
        let index = self.someone();
        let from_bls_pubkey = self.keys.pubkey(index);
        let mut credentials = crypto::hash(&from_bls_pubkey.0);
        credentials[0] = 0;
        let change =
            Mutation::set(Part::State, format!("validators[{index}].withdrawal_credentials"), credentials);
        let message = BLSToExecutionChange {
            validator_index: ValidatorIndex(index as u64),
            from_bls_pubkey,
            to_execution_address: ExecutionAddress::from([9; 20]),
        };
        let state = self.state;
        let version = state.spec().fork_version(ForkName::Phase0);
        let domain = compute_domain(DOMAIN_BLS_TO_EXECUTION_CHANGE, version, state.genesis_validators_root);
        let signature = self.sign(index, &message, domain);
        (vec![change], self.encode(&SignedBLSToExecutionChange { message, signature }))
    }

    /// Of a validator that is there, of a new one, or with a signature that is wrong: all are valid.
    fn deposit_data(&mut self) -> DepositData {
        let known = self.state.validators.len();
        let index =
            if self.rng.random_bool(0.5) { known + self.rng.random_range(0..4) } else { self.someone() };
        let amounts = [1, 1_000_000_000, 32_000_000_000, 31_999_999_999, 40_000_000_000, 2_048_000_000_000];
        let mut withdrawal_credentials = Root::from([5; 32]);
        withdrawal_credentials.0[0] = self.rng.random_range(0..3);
        let message = DepositMessage {
            pubkey: self.keys.pubkey(index),
            withdrawal_credentials,
            amount: Gwei(amounts[self.rng.random_range(0..amounts.len())]),
        };
        let version = self.state.spec().fork_version(ForkName::Phase0);
        let domain = compute_domain(DOMAIN_DEPOSIT, version, Root::ZERO);
        let signer = if self.rng.random_bool(0.2) { index + 1 } else { index };
        let signature = self.sign(signer, &message, domain);
        let DepositMessage { pubkey, withdrawal_credentials, amount } = message;
        DepositData { pubkey, withdrawal_credentials, amount, signature }
    }

    /// In a tree in which it is the only leaf: the state's eth1 data are made to name that tree.
    fn deposit(&mut self) -> Made {
        let data = self.deposit_data();
        let index = self.state.eth1_deposit_index;
        let mut proof = vec![Root::ZERO];
        for level in 1..DEPOSIT_BRANCH - 1 {
            let below = proof[level - 1].0;
            proof.push(Root::from(crypto::hash_concat(&below, &below)));
        }
        let mut length = Root::ZERO;
        length.0[..8].copy_from_slice(&(index.saturating_add(1)).to_le_bytes());
        proof.push(length);
        let leaf = data.hash_tree_root(Ctx::PLAIN);
        // The length is mixed in on the right of the tree's root, as its last level.
        let bits = index & (u64::from(u32::MAX));
        let root = compute_merkle_branch_root(leaf, &proof, bits);
        let changes = vec![
            Mutation::set(Part::State, "eth1_data.deposit_root", root.0),
            Mutation::set(Part::State, "eth1_data.deposit_count", index.saturating_add(1).to_le_bytes()),
        ];
        (changes, self.encode(&Deposit { proof, data }))
    }

    fn deposit_request(&mut self) -> Made {
        let DepositData { pubkey, withdrawal_credentials, amount, signature } = self.deposit_data();
        let index = self.rng.random_range(0..1 << 20);
        let request = DepositRequest { pubkey, withdrawal_credentials, amount, signature, index };
        (Vec::new(), self.encode(&request))
    }

    /// Makes a validator's credentials those of an address, and names the address.
    fn with_address(&mut self, index: usize, prefix: u8) -> (Mutation, ExecutionAddress) {
        let mut credentials = [0; 32];
        credentials[0] = prefix;
        credentials[12..].fill(index as u8);
        let path = format!("validators[{index}].withdrawal_credentials");
        (Mutation::set(Part::State, path, credentials), ExecutionAddress::from([index as u8; 20]))
    }

    fn withdrawal_request(&mut self) -> Made {
        let index = self.someone();
        let prefix = self.rng.random_range(1..=2);
        let (change, source_address) = self.with_address(index, prefix);
        let mut changes = vec![change];
        let amount = Gwei([0, 1, 1_000_000_000, 5_000_000_000][self.rng.random_range(0..4)]);
        if self.rng.random_bool(0.6) {
            let excess = 32_000_000_000u64 + self.rng.random_range(0..3) * 1_000_000_000;
            changes.push(Mutation::set(Part::State, format!("balances[{index}]"), excess.to_le_bytes()));
        }
        let request = WithdrawalRequest { source_address, validator_pubkey: self.keys.pubkey(index), amount };
        (changes, self.encode(&request))
    }

    fn consolidation_request(&mut self) -> Made {
        let (source, target) = (self.someone(), self.someone());
        let prefix = self.rng.random_range(1..=2);
        let (from, source_address) = self.with_address(source, prefix);
        let (to, _) = self.with_address(target, 2);
        let request = ConsolidationRequest {
            source_address,
            source_pubkey: self.keys.pubkey(source),
            target_pubkey: self.keys.pubkey(target),
        };
        (vec![from, to], self.encode(&request))
    }
}
