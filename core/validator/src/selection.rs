//! Who aggregates, and on which subnet a committee speaks.

use crypto::hash;
use types::constants::{
    SYNC_COMMITTEE_SUBNET_COUNT, TARGET_AGGREGATORS_PER_COMMITTEE, TARGET_AGGREGATORS_PER_SYNC_SUBCOMMITTEE,
};
use types::{BlsSignature, CommitteeIndex, Slot, Spec};

/// [`is_aggregator`](https://github.com/ethereum/consensus-specs/blob/master/specs/phase0/validator.md#aggregation-selection),
/// for a committee of `committee_length` members.
pub fn is_aggregator(committee_length: u64, slot_signature: &BlsSignature) -> bool {
    is_drawn(committee_length / TARGET_AGGREGATORS_PER_COMMITTEE, slot_signature)
}

/// [`is_sync_committee_aggregator`](https://github.com/ethereum/consensus-specs/blob/master/specs/altair/validator.md#aggregation-selection).
pub fn is_sync_committee_aggregator(spec: &Spec, signature: &BlsSignature) -> bool {
    is_drawn(sync_subcommittee_size(spec) / TARGET_AGGREGATORS_PER_SYNC_SUBCOMMITTEE, signature)
}

/// Members of a subcommittee of the sync committee.
pub(crate) fn sync_subcommittee_size(spec: &Spec) -> u64 {
    spec.preset.sync_committee_size / SYNC_COMMITTEE_SUBNET_COUNT
}

/// One signature in so many; at least one in one.
fn is_drawn(modulo: u64, signature: &BlsSignature) -> bool {
    let digest = hash(&signature.0);
    let number = u64::from_le_bytes(digest[..8].try_into().expect("8 of 32 bytes"));
    number % modulo.max(1) == 0
}

/// [`compute_subnet_for_attestation`](https://github.com/ethereum/consensus-specs/blob/master/specs/phase0/validator.md#broadcast-attestation).
pub fn compute_subnet_for_attestation(
    spec: &Spec,
    committees_per_slot: u64,
    slot: Slot,
    committee_index: CommitteeIndex,
) -> u64 {
    let slots_since_epoch_start = slot.0 % spec.preset.slots_per_epoch;
    let committees_since_epoch_start = committees_per_slot * slots_since_epoch_start;
    (committees_since_epoch_start + committee_index.0) % spec.config.attestation_subnet_count
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_committees_have_only_aggregators_and_large_ones_one_in_so_many() {
        let signatures: Vec<BlsSignature> = (0..=255u8).map(|byte| ssz::FixedBytes([byte; 96])).collect();
        let count = |length| signatures.iter().filter(|signature| is_aggregator(length, signature)).count();
        assert_eq!(count(0), 256);
        assert_eq!(count(31), 256, "31 / 16 = 1: everyone");
        // About one in 8 and one in 128 of 256.
        assert!((16..64).contains(&count(128)), "{}", count(128));
        assert!(count(2048) < 12, "{}", count(2048));
        // sha256(96 zero bytes) starts with 2ea9ab91…, a number with remainder 0x2e % 2 = 0.
        assert!(is_aggregator(32, &BlsSignature::ZERO));
    }

    #[test]
    fn one_member_of_the_sync_committee_in_eight_aggregates_and_of_a_small_one_each() {
        let signatures: Vec<BlsSignature> = (0..=255u8).map(|byte| ssz::FixedBytes([byte; 96])).collect();
        let count = |spec| signatures.iter().filter(|of| is_sync_committee_aggregator(spec, of)).count();
        assert_eq!(count(Spec::minimal()), 256, "8 / 16 = 0: everyone");
        assert!((16..64).contains(&count(Spec::mainnet())), "128 / 16 = 8");
    }

    #[test]
    fn committees_of_an_epoch_go_round_the_subnets() {
        let spec = Spec::mainnet();
        let subnet = |slot, index| compute_subnet_for_attestation(spec, 4, Slot(slot), CommitteeIndex(index));
        assert_eq!(subnet(64, 0), 0);
        assert_eq!(subnet(65, 3), 7);
        assert_eq!(subnet(64 + 16, 1), 1, "16 slots of 4 committees go once round the 64 subnets");
    }
}
