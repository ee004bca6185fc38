//! The greatest payload of each topic, by the SSZ types: what is larger is refused before it is decompressed.

use types::Spec;

use super::topic::Topic;
use crate::reqresp::sizes::RequestSizes;

/// Greatest payloads, in bytes; `max_payload_size` bounds all of them, and alone those of blocks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PayloadSizes {
    /// An `Attestation` before Electra, which is longer than a `SingleAttestation`.
    pub attestation: usize,
    /// A `SignedAggregateAndProof` of Electra, which may hold a whole slot's votes.
    pub aggregate: usize,
    /// An `AttesterSlashing` of Electra.
    pub attester_slashing: usize,
    /// A `SignedContributionAndProof`.
    pub contribution: usize,
    /// A `BlobSidecar`.
    pub blob_sidecar: usize,
    /// A `DataColumnSidecar`.
    pub column_sidecar: usize,
    /// An update for light clients.
    pub light_client_update: usize,
}

fn size(value: u64) -> usize {
    usize::try_from(value).unwrap_or(usize::MAX)
}

impl PayloadSizes {
    /// Those of a network.
    pub fn of(spec: &Spec) -> Self {
        let preset = &spec.preset;
        let requests = RequestSizes::of(spec);
        let committees = preset.max_committees_per_slot;
        // Before Electra, those of one committee.
        let slot_members = preset.max_validators_per_committee.saturating_mul(committees);
        // Slot, root, subcommittee, bits, signature; then aggregator, selection proof, signature.
        let subcommittee = preset.sync_committee_size / types::constants::SYNC_COMMITTEE_SUBNET_COUNT;
        let contribution = 8 + 32 + 8 + subcommittee.div_ceil(8) + 96;
        Self {
            attestation: size(4 + 128 + 96 + preset.max_validators_per_committee / 8 + 1),
            // A signed message of an aggregator, a selection proof and an attestation of all committees.
            aggregate: size(100 + 108 + 228 + committees.div_ceil(8) + slot_members / 8 + 1),
            attester_slashing: size(slot_members.saturating_mul(16).saturating_add(8 + 2 * 228)),
            contribution: size(8 + contribution + 96 + 96),
            blob_sidecar: requests.blob_sidecar_len,
            column_sidecar: requests.column_sidecar_max(),
            light_client_update: requests.light_client_len_max,
        }
    }

    /// The greatest payload of a topic, unless `max_payload_size` is less.
    pub fn max(&self, topic: Topic) -> usize {
        match topic {
            Topic::BeaconBlock => usize::MAX,
            Topic::AggregateAndProof => self.aggregate,
            Topic::Attestation(_) => self.attestation,
            Topic::VoluntaryExit => 112,
            Topic::ProposerSlashing => 416,
            Topic::AttesterSlashing => self.attester_slashing,
            Topic::ContributionAndProof => self.contribution,
            Topic::SyncCommittee(_) => 144,
            Topic::BlsToExecutionChange => 172,
            Topic::BlobSidecar(_) => self.blob_sidecar,
            Topic::DataColumnSidecar(_) => self.column_sidecar,
            Topic::LightClientFinalityUpdate | Topic::LightClientOptimisticUpdate => self.light_client_update,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use types::{ForkName, Ssz, SszExt};

    fn length<T: Ssz>(spec: &'static Spec, fork: ForkName) -> usize {
        T::new_default(spec.ctx(fork)).to_ssz(spec.ctx(fork)).len()
    }

    #[test]
    fn payloads_of_a_fixed_length_have_the_length_of_their_type() {
        for spec in [Spec::mainnet(), Spec::minimal()] {
            let sizes = PayloadSizes::of(spec);
            let deneb = ForkName::Deneb;
            let expected = [
                (Topic::VoluntaryExit, length::<types::SignedVoluntaryExit>(spec, deneb)),
                (Topic::ProposerSlashing, length::<types::ProposerSlashing>(spec, deneb)),
                (Topic::ContributionAndProof, length::<types::SignedContributionAndProof>(spec, deneb)),
                (Topic::SyncCommittee(0), length::<types::SyncCommitteeMessage>(spec, deneb)),
                (Topic::BlsToExecutionChange, length::<types::SignedBLSToExecutionChange>(spec, deneb)),
                (Topic::BlobSidecar(0), length::<types::BlobSidecar>(spec, deneb)),
            ];
            for (topic, length) in expected {
                assert_eq!(sizes.max(topic), length, "{topic:?}");
            }
        }
    }

    #[test]
    fn the_largest_of_the_others_fit() {
        for spec in [Spec::mainnet(), Spec::minimal()] {
            let sizes = PayloadSizes::of(spec);
            let ctx = spec.ctx(ForkName::Phase0);
            let mut attestation = types::Attestation::new_default(ctx);
            let members = spec.preset.max_validators_per_committee as usize;
            attestation.aggregation_bits = types::Bits::zero(members);
            assert_eq!(attestation.to_ssz(ctx).len(), sizes.attestation);
            assert!(length::<types::SingleAttestation>(spec, ForkName::Electra) <= sizes.attestation);
            let aggregate = length::<types::SignedAggregateAndProof>(spec, ForkName::Electra);
            let most_bits = members * spec.preset.max_committees_per_slot as usize;
            assert_eq!(aggregate + most_bits / 8, sizes.aggregate);
            let named = &spec.preset;
            assert_eq!(sizes.aggregate as u64, named.max_signed_aggregate_and_proof_size);
            assert_eq!(sizes.attester_slashing as u64, named.max_attester_slashing_size);
            let slashing = length::<types::AttesterSlashing>(spec, ForkName::Electra);
            assert_eq!(slashing + 2 * 8 * most_bits, sizes.attester_slashing);
        }
    }
}
