//! The 20-byte id of a gossip message.
//!
//! Only messages with valid snappy get an id here: gossipsub transforms before it identifies, and drops
//! and scores what cannot be transformed, so `MESSAGE_DOMAIN_INVALID_SNAPPY` is never needed.

use std::fmt;

use sha2::{Digest, Sha256};

/// Identifies a gossip message by topic and content.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct MessageId(pub [u8; 20]);

impl fmt::Display for MessageId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "0x{}", hex::encode(self.0))
    }
}

/// The id of a message with decompressed `data`. Topics of the phase 0 fork digest use the
/// [phase 0 rule](https://github.com/ethereum/consensus-specs/blob/master/specs/phase0/p2p-interface.md#topics-and-messages),
/// all others that of
/// [Altair](https://github.com/ethereum/consensus-specs/blob/master/specs/altair/p2p-interface.md#topics-and-messages),
/// which mixes in the topic. `domain` is `MESSAGE_DOMAIN_VALID_SNAPPY`.
pub fn message_id(domain: [u8; 4], phase0_digest: Option<[u8; 4]>, topic: &str, data: &[u8]) -> MessageId {
    let mut hasher = Sha256::new();
    hasher.update(domain);
    if phase0_digest.is_none() || phase0_digest != topic_digest(topic) {
        hasher.update((topic.len() as u64).to_le_bytes());
        hasher.update(topic.as_bytes());
    }
    hasher.update(data);
    let hash: [u8; 32] = hasher.finalize().into();
    let mut id = [0; 20];
    id.copy_from_slice(&hash[..20]);
    MessageId(id)
}

/// The fork digest of a topic `/eth2/{8 hex digits}/{name}/ssz_snappy`; `None` if it has another form.
pub(crate) fn topic_digest(topic: &str) -> Option<[u8; 4]> {
    let mut parts = topic.split('/');
    let head = (parts.next()?, parts.next()?);
    let digest = parts.next()?;
    let name = parts.next()?;
    let tail = (parts.next()?, parts.next());
    let canonical = digest.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte));
    if head != ("", "eth2") || tail != ("ssz_snappy", None) || name.is_empty() || !canonical {
        return None;
    }
    let mut bytes = [0; 4];
    hex::decode_to_slice(digest, &mut bytes).ok()?;
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TOPIC: &str = "/eth2/b5303f2a/beacon_block/ssz_snappy";
    const DIGEST: [u8; 4] = [0xb5, 0x30, 0x3f, 0x2a];

    fn sha(parts: &[&[u8]]) -> [u8; 20] {
        Sha256::digest(parts.concat())[..20].try_into().unwrap()
    }

    #[test]
    fn phase_0_topics_hash_the_data_alone() {
        let id = message_id([1, 0, 0, 0], Some(DIGEST), TOPIC, b"block");
        assert_eq!(id.0, sha(&[&[1, 0, 0, 0], b"block"]));
    }

    #[test]
    fn later_topics_hash_their_name_and_its_length_too() {
        let len = (TOPIC.len() as u64).to_le_bytes();
        let expected = sha(&[&[1, 0, 0, 0], &len, TOPIC.as_bytes(), b"block"]);
        assert_eq!(message_id([1, 0, 0, 0], Some([9; 4]), TOPIC, b"block").0, expected);
        assert_eq!(message_id([1, 0, 0, 0], None, TOPIC, b"block").0, expected);
    }

    #[test]
    fn ids_of_both_rules_are_those_of_an_independent_computation() {
        let topic = "/eth2/afcaaba0/sync_committee_2/ssz_snappy";
        let data: Vec<u8> = (0..144).collect();
        let id = |phase0| message_id([1, 0, 0, 0], phase0, topic, &data).to_string();
        assert_eq!(id(Some(DIGEST)), "0xc11e4110d689e2527d3a73e74c8dc1687417ed8a");
        assert_eq!(id(Some([0xaf, 0xca, 0xab, 0xa0])), "0x353cfa5ab751fbaf2caf6111a0a5e76d97b2efbd");
    }

    #[test]
    fn only_well_formed_topics_have_a_digest() {
        assert_eq!(topic_digest(TOPIC), Some(DIGEST));
        for bad in [
            "beacon_block",
            "/eth2/b5303f2/beacon_block/ssz_snappy",
            "/eth2/B5303F2A/beacon_block/ssz_snappy",
            "/eth2/b5303f2a/beacon_block/ssz",
            "/eth2/b5303f2a//ssz_snappy",
            "/eth2/b5303f2a/beacon_block/ssz_snappy/more",
        ] {
            assert_eq!(topic_digest(bad), None, "{bad}");
        }
    }
}
