//! The form of attestations in blocks since Electra.

use types::{Attestation, AttestationData, Bits, CommitteeIndex, Spec};

use crate::attestations::Combination;
use crate::held::sum;

/// [`compute_on_chain_aggregate`](https://github.com/ethereum/consensus-specs/blob/master/specs/electra/validator.md#attestations)
/// of what committees voted for the same data, at most one combination for each; none where there are no signatures.
///
/// The specification joins aggregates. Here their signatures are still apart, so that each point is read once.
pub(crate) fn compute_on_chain_aggregate(
    spec: &Spec,
    data: &AttestationData,
    mut committees: Vec<(CommitteeIndex, &Combination)>,
) -> Option<Attestation> {
    committees.sort_by_key(|(index, _)| *index);
    let mut aggregation_bits = Bits::zero(committees.iter().map(|(_, part)| part.bits.len()).sum());
    let mut committee_bits = Bits::zero(spec.preset.max_committees_per_slot as usize);
    let (mut offset, mut signatures) = (0, Vec::new());
    for (index, part) in committees {
        part.bits.ones().for_each(|place| aggregation_bits.set(offset + place, true));
        offset += part.bits.len();
        committee_bits.set(index.as_usize(), true);
        signatures.extend_from_slice(&part.signatures);
    }
    let signature = sum(&signatures)?;
    Some(Attestation { aggregation_bits, data: data.clone(), signature, committee_bits })
}
