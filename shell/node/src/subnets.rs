//! Which attestation subnets the node hears: the long-lived ones that its id decides, and for a few slots those that
//! its aggregators need.
//!
//! Only the long-lived ones stand in the node record and the metadata, so that what peers remember stays true.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard, PoisonError};

use crypto::hash;
use transition::shuffle::compute_shuffled_index;
use types::constants::SYNC_COMMITTEE_SUBNET_COUNT;
use types::{Epoch, Slot, Spec};

/// Slots by which an aggregator's subnet is joined before its duty: a mesh forms within a few heartbeats.
const AHEAD_SLOTS: u64 = 2;
/// Who left a topic is in nobody's mesh for the backoff of a minute. So a subnet is heard for this long after a duty,
/// and kept where its next duty is less than this away, in milliseconds.
const KEEP_MS: u64 = 65_000;
/// Duties that are remembered: two epochs of 64 subnets, and those that are over for less than a minute. Further ones
/// are dropped; they come again next epoch.
const DUTIES_MAX: usize = 8192;

/// [`compute_subscribed_subnets`](https://github.com/ethereum/consensus-specs/blob/master/specs/phase0/p2p-interface.md#attestation-subnet-subscription)
pub fn compute_subscribed_subnets(spec: &Spec, node_id: &[u8; 32], epoch: Epoch) -> Vec<u64> {
    (0..spec.config.subnets_per_node)
        .map(|index| compute_subscribed_subnet(spec, node_id, epoch, index))
        .collect()
}

fn compute_subscribed_subnet(spec: &Spec, node_id: &[u8; 32], epoch: Epoch, index: u64) -> u64 {
    let config = &spec.config;
    let subnets = config.attestation_subnet_count;
    let prefix_bits = subnets.next_power_of_two().ilog2() as u64 + config.attestation_subnet_extra_bits;
    let high = u64::from_be_bytes(node_id[..8].try_into().expect("8 bytes"));
    let node_id_prefix = if prefix_bits == 0 { 0 } else { high >> (64 - prefix_bits) };
    let period = config.epochs_per_subnet_subscription;
    let node_offset = remainder(node_id, period);
    let seed = hash(&((epoch.0 + node_offset) / period).to_le_bytes());
    let rounds = spec.preset.shuffle_round_count;
    let permutated_prefix = compute_shuffled_index(node_id_prefix, 1 << prefix_bits, &seed, rounds);
    (permutated_prefix + index) % subnets
}

/// A big-endian number modulo a small one.
fn remainder(number: &[u8; 32], modulus: u64) -> u64 {
    let step = |rest: u128, byte: &u8| (rest * 256 + u128::from(*byte)) % u128::from(modulus);
    number.iter().fold(0, step) as u64
}

#[derive(Debug, Default)]
struct Wishes {
    /// Slots and subnets that aggregators need.
    duties: BTreeSet<(Slot, u64)>,
    /// Subnets that were last said to be wanted for a duty.
    heard: BTreeSet<u64>,
    /// Subnets of the sync committee, each with the first epoch in which no validator needs it any more.
    sync: BTreeMap<u64, Epoch>,
    seq: u64,
    attnets: [u8; 8],
    syncnets: u8,
}

/// The subnets of this node.
#[derive(Debug)]
pub struct Subnets {
    spec: &'static Spec,
    node_id: [u8; 32],
    all: bool,
    wishes: Mutex<Wishes>,
}

impl Subnets {
    /// Those of a node id; all of them where the operator says so.
    pub fn new(spec: &'static Spec, node_id: [u8; 32], all: bool, epoch: Epoch) -> Self {
        let subnets = Self { spec, node_id, all, wishes: Mutex::default() };
        let attnets = bitfield(&subnets.long_lived(epoch));
        // Peers ask for the metadata of a number that is new to them, so that of a new node is not zero.
        *subnets.lock() = Wishes { seq: 1, attnets, ..Wishes::default() };
        subnets
    }

    fn lock(&self) -> MutexGuard<'_, Wishes> {
        self.wishes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn long_lived(&self, epoch: Epoch) -> BTreeSet<u64> {
        match self.all {
            true => (0..self.spec.config.attestation_subnet_count).collect(),
            false => compute_subscribed_subnets(self.spec, &self.node_id, epoch).into_iter().collect(),
        }
    }

    /// Remembers that an aggregator needs a subnet in a slot.
    pub fn want(&self, slot: Slot, subnet: u64) {
        let mut wishes = self.lock();
        if wishes.duties.len() < DUTIES_MAX {
            wishes.duties.insert((slot, subnet));
        }
    }

    /// Remembers that a validator votes on a subnet of the sync committee until an epoch.
    pub fn want_sync(&self, until: Epoch, subnet: u64) {
        if subnet < SYNC_COMMITTEE_SUBNET_COUNT {
            let mut wishes = self.lock();
            let end = wishes.sync.entry(subnet).or_default();
            *end = until.max(*end);
        }
    }

    /// The subnets of the sync committee to hear in an epoch.
    pub fn sync(&self, epoch: Epoch) -> BTreeSet<u64> {
        if self.all {
            return (0..SYNC_COMMITTEE_SUBNET_COUNT).collect();
        }
        let mut wishes = self.lock();
        wishes.sync.retain(|_, until| epoch < *until);
        wishes.sync.keys().copied().collect()
    }

    /// The subnets to hear in a slot. Forgets the duties that are over.
    pub fn wanted(&self, slot: Slot) -> BTreeSet<u64> {
        let mut subnets = self.long_lived(slot.epoch(self.spec));
        let mut wishes = self.lock();
        let keep_slots = KEEP_MS.div_ceil(self.spec.config.slot_duration_ms);
        wishes.duties = wishes.duties.split_off(&(Slot(slot.0.saturating_sub(1 + keep_slots)), 0));
        let is_near = |(due, subnet): &&(Slot, u64)| {
            *due <= slot + AHEAD_SLOTS
                || wishes.heard.contains(subnet) && *due <= slot + AHEAD_SLOTS + keep_slots
        };
        let near: BTreeSet<u64> = wishes.duties.iter().filter(is_near).map(|(_, subnet)| *subnet).collect();
        wishes.heard.clone_from(&near);
        subnets.extend(near);
        subnets
    }

    /// Brings the metadata up to date; the new one where it changed: sequence number, attestation subnets and those of
    /// the sync committee.
    pub fn refresh(&self, epoch: Epoch) -> Option<(u64, [u8; 8], u8)> {
        let attnets = bitfield(&self.long_lived(epoch));
        let syncnets = bitfield(&self.sync(epoch))[0];
        let mut wishes = self.lock();
        if (wishes.attnets, wishes.syncnets) == (attnets, syncnets) {
            return None;
        }
        (wishes.attnets, wishes.syncnets) = (attnets, syncnets);
        wishes.seq += 1;
        Some((wishes.seq, attnets, syncnets))
    }

    /// The metadata has changed in something that is not of subnets.
    pub fn changed(&self) {
        self.lock().seq += 1;
    }

    /// Sequence number and subnets of the metadata.
    pub fn metadata(&self) -> (u64, [u8; 8], u8) {
        let wishes = self.lock();
        (wishes.seq, wishes.attnets, wishes.syncnets)
    }
}

fn bitfield(subnets: &BTreeSet<u64>) -> [u8; 8] {
    let bits = subnets.iter().filter(|subnet| **subnet < 64).fold(0u64, |bits, subnet| bits | 1 << subnet);
    bits.to_le_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_long_lived_subnets_follow_from_the_node_id() {
        let spec = Spec::mainnet();
        let id = |last: u8| std::array::from_fn(|at| if at == 31 { last } else { 0x11 });
        let subnets = compute_subscribed_subnets(spec, &id(0), Epoch(1000));
        assert_eq!(subnets.len(), 2);
        assert_eq!(subnets[1], (subnets[0] + 1) % 64);
        // The period of 256 epochs is shifted by the id modulo 256.
        let switch = |last: u8| {
            (0..256).find(|epoch| {
                compute_subscribed_subnets(spec, &id(last), Epoch(*epoch))
                    != compute_subscribed_subnets(spec, &id(last), Epoch(*epoch + 1))
            })
        };
        assert_eq!(switch(0), Some(255));
        assert_eq!(switch(6), Some(249));
    }

    #[test]
    fn a_number_of_32_bytes_is_reduced_like_an_integer() {
        let mut number = [0; 32];
        number[30] = 3;
        number[31] = 5;
        assert_eq!(remainder(&number, 256), 5);
        assert_eq!(remainder(&number, 100), (3 * 256 + 5) % 100);
        assert_eq!(remainder(&[0xff; 32], 3), 0);
    }

    #[test]
    fn an_aggregators_subnet_is_heard_until_a_minute_after_its_duty_and_not_announced() {
        let subnets = Subnets::new(Spec::minimal(), [7; 32], false, Epoch(0));
        let long_lived = subnets.wanted(Slot(1));
        let other = (0..64).find(|subnet| !long_lived.contains(subnet)).unwrap();
        let before = subnets.metadata();
        subnets.want(Slot(10), other);
        let heard = |slots: std::ops::Range<u64>| -> Vec<u64> {
            slots.filter(|slot| subnets.wanted(Slot(*slot)).contains(&other)).collect()
        };
        // Slots of 6 seconds: a minute is 11 of them.
        assert_eq!(heard(5..30), (8..=22).collect::<Vec<_>>());
        // A minute after slot 40 is slot 52, which is too near to slot 60 to leave the subnet between them.
        for slot in [40, 60, 100] {
            subnets.want(Slot(slot), other);
        }
        assert_eq!(heard(30..100), (38..=72).chain(98..100).collect::<Vec<_>>());
        assert_eq!(subnets.refresh(Epoch(0)), None);
        assert_eq!(subnets.metadata(), before);
    }

    #[test]
    fn all_subnets_are_announced_where_the_operator_says_so() {
        let subnets = Subnets::new(Spec::minimal(), [7; 32], true, Epoch(0));
        assert_eq!(subnets.metadata(), (1, [0xff; 8], 0));
        assert_eq!(subnets.refresh(Epoch(0)), Some((2, [0xff; 8], 0x0f)));
        assert_eq!(subnets.wanted(Slot(0)).len(), 64);
    }

    #[test]
    fn a_subnet_of_the_sync_committee_is_heard_until_its_last_wish_ends() {
        let subnets = Subnets::new(Spec::minimal(), [7; 32], false, Epoch(0));
        subnets.want_sync(Epoch(5), 2);
        subnets.want_sync(Epoch(3), 2);
        subnets.want_sync(Epoch(9), 17);
        assert_eq!(subnets.sync(Epoch(4)), [2].into());
        assert_eq!(subnets.refresh(Epoch(4)).map(|(seq, _, syncnets)| (seq, syncnets)), Some((2, 0b100)));
        assert_eq!(subnets.sync(Epoch(5)), [].into());
    }
}
