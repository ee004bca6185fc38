//! Lists of containers that stand alone, as bodies do: their encoding, and the way back.

use types::{Ctx, Shape, Ssz, SszExt};

/// Bytes of an offset.
const OFFSET: usize = 4;

/// The SSZ of a list.
pub fn encode_list<T: Ssz>(items: &[T], ctx: Ctx) -> Vec<u8> {
    let parts = items.iter().map(|item| item.to_ssz(ctx));
    if T::fixed_len(&Shape::Plain, &ctx).is_some() {
        return parts.flatten().collect();
    }
    let (mut bytes, mut rest) = (Vec::new(), Vec::new());
    for part in parts {
        let offset = u32::try_from(items.len() * OFFSET + rest.len()).expect("bodies are smaller than 4 GiB");
        bytes.extend(offset.to_le_bytes());
        rest.extend(part);
    }
    bytes.extend(rest);
    bytes
}

/// Reads such a list, of at most so many items.
///
/// # Errors
/// In plain words, where the bytes are no such list.
pub fn decode_list<T: Ssz>(bytes: &[u8], max: usize, ctx: Ctx) -> Result<Vec<T>, String> {
    let too_many = |count: usize| format!("a list of {count} items, at most {max} are taken");
    let read = |(index, part): (usize, &[u8])| {
        T::from_ssz(part, ctx).map_err(|error| format!("item {index}: {error}"))
    };
    if bytes.is_empty() {
        return Ok(Vec::new());
    }
    if let Some(len) = T::fixed_len(&Shape::Plain, &ctx) {
        if !bytes.len().is_multiple_of(len) {
            return Err(format!("{} bytes are no list of items of {len} bytes", bytes.len()));
        }
        return match bytes.len() / len {
            count if count > max => Err(too_many(count)),
            _ => bytes.chunks(len).enumerate().map(read).collect(),
        };
    }
    let offset = |at: usize| -> Option<usize> {
        let offset = bytes.get(at..at + OFFSET)?;
        usize::try_from(u32::from_le_bytes(offset.try_into().expect("4 bytes"))).ok()
    };
    let first = offset(0).ok_or("the list ends within its first offset")?;
    if first == 0 || !first.is_multiple_of(OFFSET) || first > bytes.len() {
        return Err(format!("the list begins with the wrong offset {first}"));
    }
    let count = first / OFFSET;
    if count > max {
        return Err(too_many(count));
    }
    let mut ends = (1..count).map(|place| offset(place * OFFSET)).chain([Some(bytes.len())]);
    let (mut start, mut items) = (first, Vec::with_capacity(count));
    for index in 0..count {
        let end = ends.next().flatten().ok_or("an offset lies outside of the list")?;
        let part = bytes.get(start..end).ok_or_else(|| format!("item {index} has the wrong offset {end}"))?;
        items.push(read((index, part))?);
        start = end;
    }
    Ok(items)
}

/// The JSON of a list.
pub fn json_list<T: Ssz>(items: &[T], ctx: Ctx) -> String {
    let items: Vec<String> = items.iter().map(|item| item.to_json_string(ctx)).collect();
    format!("[{}]", items.join(","))
}

#[cfg(test)]
mod tests {
    use types::{Attestation, Bits, ForkName, SingleAttestation, Spec};

    use super::*;

    fn attestations() -> Vec<Attestation> {
        let attestation = |length| Attestation {
            aggregation_bits: Bits::zero(length),
            ..Attestation::new_default(Spec::minimal().ctx(ForkName::Electra))
        };
        [3, 40, 0, 9].map(attestation).to_vec()
    }

    #[test]
    fn lists_come_back_as_they_were() {
        let ctx = Spec::minimal().ctx(ForkName::Electra);
        let list = attestations();
        assert_eq!(decode_list::<Attestation>(&encode_list(&list, ctx), 4, ctx).unwrap(), list);
        let single = vec![SingleAttestation { attester_index: 7.into(), ..SingleAttestation::default() }; 3];
        let bytes = encode_list(&single, ctx);
        assert_eq!(bytes.len(), 3 * (8 + 8 + 128 + 96));
        assert_eq!(decode_list::<SingleAttestation>(&bytes, 3, ctx).unwrap(), single);
        assert!(decode_list::<SingleAttestation>(&[], 3, ctx).unwrap().is_empty());
        assert_eq!(json_list::<SingleAttestation>(&[], ctx), "[]");
    }

    #[test]
    fn a_list_is_as_the_body_of_a_container_has_it() {
        let ctx = Spec::minimal().ctx(ForkName::Electra);
        let body = types::BeaconBlockBody {
            attestations: attestations(),
            ..types::BeaconBlockBody::new_default(ctx)
        };
        let (list, body) = (encode_list(&body.attestations, ctx), body.to_ssz(ctx));
        assert!(body.windows(list.len()).any(|window| window == list));
    }

    #[test]
    fn what_is_no_list_or_too_long_is_an_error_and_no_panic() {
        let ctx = Spec::minimal().ctx(ForkName::Electra);
        let bytes = encode_list(&attestations(), ctx);
        assert!(decode_list::<Attestation>(&bytes, 3, ctx).unwrap_err().contains("at most 3"));
        for at in 0..bytes.len() {
            assert!(decode_list::<Attestation>(&bytes[..at], 9, ctx).is_err() || at == 0, "cut at {at}");
            for bit in 0..8 {
                let mut other = bytes.clone();
                other[at] ^= 1 << bit;
                // Wrong offsets must not be followed; a flipped bit of a signature is another signature.
                let _ = decode_list::<Attestation>(&other, 9, ctx);
            }
        }
        let single = encode_list(&[SingleAttestation::default()], ctx);
        assert!(decode_list::<SingleAttestation>(&single[1..], 9, ctx).is_err());
    }
}
