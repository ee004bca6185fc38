//! Chains for tests: blocks with post-states that no transition has made, but that prove and sign what they say.

use std::sync::OnceLock;

use crypto::{SecretKey, aggregate, eth_aggregate_pubkeys};
use ssz::{Ctx, SszExt};
use transition::misc::{compute_domain, compute_signing_root};
use types::constants::{DOMAIN_SYNC_COMMITTEE, G2_POINT_AT_INFINITY};
use types::{
    BeaconBlock, BeaconBlockBody, BeaconBlockHeader, BeaconState, Bits, BlsSignature, Checkpoint, Config,
    FixedBytes, ForkName, Root, Settings, SignedBeaconBlock, Slot, Spec, SyncAggregate, SyncCommittee,
};

use crate::collection::{Fresh, LightClientData, Limits};
use crate::update::compute_sync_committee_period_at_slot;

/// What all chains begin from.
pub const GENESIS_VALIDATORS_ROOT: Root = FixedBytes([9; 32]);
/// The members of a committee of the minimal preset.
pub const MEMBERS: usize = 32;

/// The minimal preset, with a fork each three epochs.
pub fn spec() -> &'static Spec {
    static SPEC: OnceLock<&'static Spec> = OnceLock::new();
    SPEC.get_or_init(|| {
        let mut settings = Settings::parse(Config::MINIMAL_YAML).unwrap();
        for (number, fork) in ForkName::ALL.into_iter().skip(1).enumerate() {
            settings.set(&format!("{}_FORK_EPOCH", fork.as_str().to_uppercase()), 3 * number as u64);
        }
        Spec::from_settings(settings, None).unwrap()
    })
}

/// A state with something in it, at the fork's first slot.
pub fn state(fork: ForkName) -> BeaconState {
    let spec = spec();
    let mut state = BeaconState::empty(spec, fork);
    state.slot = spec.fork_epoch(fork).start_slot(spec);
    state.finalized_checkpoint.root = FixedBytes([5; 32]);
    state.current_sync_committee = committee(0);
    state.next_sync_committee = committee(1);
    state
}

fn key(period: u64, member: usize) -> SecretKey {
    let mut bytes = [0; 32];
    bytes[31] = member as u8 + 1;
    bytes[30] = period as u8 + 1;
    SecretKey::from_bytes(&bytes).unwrap()
}

/// The committee of a period.
pub fn committee(period: u64) -> SyncCommittee {
    static COMMITTEES: [OnceLock<SyncCommittee>; 8] = [const { OnceLock::new() }; 8];
    let make = || {
        let keys: Vec<_> = (0..MEMBERS).map(|member| key(period, member).public_key()).collect();
        SyncCommittee {
            pubkeys: keys.iter().map(|key| FixedBytes(key.compress())).collect(),
            aggregate_pubkey: FixedBytes(eth_aggregate_pubkeys(&keys).unwrap().compress()),
        }
    };
    COMMITTEES[period as usize].get_or_init(make).clone()
}

/// The first so many members of the committee of `slot` sign a header.
pub fn sign(header: &BeaconBlockHeader, slot: Slot, participants: usize) -> SyncAggregate {
    let spec = spec();
    let version = spec.compute_fork_version((slot - 1).epoch(spec));
    let domain = compute_domain(DOMAIN_SYNC_COMMITTEE, version, GENESIS_VALIDATORS_ROOT);
    let message = compute_signing_root(header, Ctx::PLAIN, domain);
    let period = compute_sync_committee_period_at_slot(spec, slot);
    let mut sync_committee_bits = Bits::zero(MEMBERS);
    let signatures: Vec<_> = (0..participants)
        .map(|member| {
            sync_committee_bits.set(member, true);
            key(period, member).sign(&message.0)
        })
        .collect();
    let sync_committee_signature: BlsSignature =
        aggregate(&signatures).map_or(G2_POINT_AT_INFINITY, |sum| FixedBytes(sum.compress()));
    SyncAggregate { sync_committee_bits, sync_committee_signature }
}

/// A block and the state after it.
#[derive(Clone)]
pub struct Made {
    pub block: SignedBeaconBlock,
    pub state: BeaconState,
    pub root: Root,
}

impl Made {
    pub fn slot(&self) -> u64 {
        self.block.message.slot.0
    }

    pub fn header(&self) -> BeaconBlockHeader {
        BeaconBlockHeader {
            state_root: self.block.message.state_root,
            ..self.state.latest_block_header.clone()
        }
    }
}

/// Genesis.
pub fn genesis() -> Made {
    make(Root::ZERO, Slot(0), SyncAggregate::new_default(spec().ctx(ForkName::Altair)), Checkpoint::default())
}

/// A block on top of another, whose state says that `finalized` is final; none for genesis.
pub fn child(parent: &Made, slot: u64, participants: usize, finalized: Option<&Made>) -> Made {
    let spec = spec();
    let finalized =
        finalized.map(|made| Checkpoint { epoch: Slot(made.slot() + 7).epoch(spec), root: made.root });
    let sync_aggregate = sign(&parent.header(), Slot(slot), participants);
    make(parent.root, Slot(slot), sync_aggregate, finalized.unwrap_or_default())
}

fn make(parent_root: Root, slot: Slot, sync_aggregate: SyncAggregate, finalized: Checkpoint) -> Made {
    let spec = spec();
    let fork = spec.fork_name_at_slot(slot);
    let ctx = spec.ctx(fork);
    let mut body = BeaconBlockBody { sync_aggregate, ..BeaconBlockBody::new_default(ctx) };
    body.execution_payload.block_number = slot.0;
    body.execution_payload.block_hash = FixedBytes([slot.0 as u8; 32]);
    let mut block = BeaconBlock { slot, parent_root, body, ..BeaconBlock::default() };
    let period = compute_sync_committee_period_at_slot(spec, slot);
    let mut state = BeaconState::empty(spec, fork);
    state.slot = slot;
    state.genesis_validators_root = GENESIS_VALIDATORS_ROOT;
    state.current_sync_committee = committee(period);
    state.next_sync_committee = committee(period + 1);
    state.finalized_checkpoint = finalized;
    state.latest_block_header = BeaconBlockHeader {
        slot,
        parent_root,
        body_root: block.body.hash_tree_root(ctx),
        ..Default::default()
    };
    block.state_root = state.state_root();
    let root = block.hash_tree_root(ctx);
    Made { block: SignedBeaconBlock { message: block, ..Default::default() }, state, root }
}

/// A chain with a block each four slots up to `end`, whose states finalize the block of three epochs before.
pub fn chain(end: u64, participants: impl Fn(u64) -> usize) -> Vec<Made> {
    let mut chain = vec![genesis()];
    for slot in (4..=end).step_by(4) {
        let finalized =
            slot.checked_sub(24).map(|slot| (slot / 8 * 8 / 4) as usize).filter(|place| *place > 0);
        let made =
            child(chain.last().unwrap(), slot, participants(slot), finalized.map(|place| &chain[place]));
        chain.push(made);
    }
    chain
}

/// What a node has after genesis alone.
pub fn data(genesis: &Made, limits: Limits) -> LightClientData {
    LightClientData::new(&genesis.state, &genesis.block, limits).unwrap()
}

/// Imports a block and makes it the head.
pub fn extend(data: &mut LightClientData, made: &Made) -> Fresh {
    data.add_block(&made.state, &made.block).unwrap();
    data.update_head(made.root, made.state.finalized_checkpoint.root)
}
