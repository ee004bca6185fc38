//! Snappy block compression of gossip payloads, bounded on both sides.

use std::io::{Error, ErrorKind};

use libp2p::gossipsub::{DataTransform, Message, RawMessage, TopicHash};

use super::sizes::PayloadSizes;
use super::topic::Topic;
use crate::config::max_compressed_len;

/// Compresses what leaves and decompresses what arrives.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Snappy {
    max_payload_size: usize,
    sizes: PayloadSizes,
}

impl Snappy {
    pub(crate) fn new(max_payload_size: usize, sizes: PayloadSizes) -> Self {
        Self { max_payload_size, sizes }
    }

    /// The greatest payload of a topic.
    fn max(&self, topic: &TopicHash) -> usize {
        let of_type = Topic::parse(topic.as_str()).map_or(usize::MAX, |(_, topic)| self.sizes.max(topic));
        of_type.min(self.max_payload_size)
    }

    /// The payload of `compressed`, of at most `max` bytes; refuses before it allocates what the declared length says.
    fn decompress(compressed: &[u8], max: usize) -> Result<Vec<u8>, Error> {
        let invalid = |why: String| Error::new(ErrorKind::InvalidData, why);
        if compressed.len() > max_compressed_len(max) {
            return Err(invalid(format!("{} compressed bytes", compressed.len())));
        }
        let length = snap::raw::decompress_len(compressed).map_err(|error| invalid(error.to_string()))?;
        // The densest element of the format yields 64 bytes from 3, so a longer promise is a lie. Without
        // this rule ten bytes could make us reserve MAX_PAYLOAD_SIZE.
        if length > max || length > compressed.len().saturating_mul(64) / 3 + 64 {
            return Err(invalid(format!("{length} bytes declared")));
        }
        snap::raw::Decoder::new().decompress_vec(compressed).map_err(|error| invalid(error.to_string()))
    }

    /// The compressed form of a payload.
    fn compress(data: &[u8], max: usize) -> Result<Vec<u8>, Error> {
        if data.len() > max {
            return Err(Error::new(ErrorKind::InvalidInput, format!("{} bytes to publish", data.len())));
        }
        snap::raw::Encoder::new().compress_vec(data).map_err(Error::other)
    }
}

impl DataTransform for Snappy {
    fn inbound_transform(&self, raw: RawMessage) -> Result<Message, Error> {
        let data = Self::decompress(&raw.data, self.max(&raw.topic))?;
        Ok(Message { source: raw.source, data, sequence_number: raw.sequence_number, topic: raw.topic })
    }

    fn outbound_transform(&self, topic: &TopicHash, data: Vec<u8>) -> Result<Vec<u8>, Error> {
        Self::compress(&data, self.max(topic))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MAX: usize = 1 << 20;

    fn decompress(compressed: &[u8]) -> Result<Vec<u8>, Error> {
        Snappy::decompress(compressed, MAX)
    }

    fn compress(data: &[u8]) -> Result<Vec<u8>, Error> {
        Snappy::compress(data, MAX)
    }

    #[test]
    fn a_payload_is_bounded_by_the_type_of_its_topic() {
        let snappy = Snappy::new(1 << 20, PayloadSizes::of(types::Spec::mainnet()));
        let topic = |name: &str| TopicHash::from_raw(format!("/eth2/01020304/{name}/ssz_snappy"));
        for (name, max) in [("sync_committee_1", 144), ("beacon_block", MAX), ("blob_sidecar_0", 131_928)] {
            assert_eq!(snappy.max(&topic(name)), max);
            let raw = |len: usize| RawMessage {
                source: None,
                data: Snappy::compress(&vec![7; len], usize::MAX).unwrap(),
                sequence_number: None,
                topic: topic(name),
                signature: None,
                key: None,
                validated: false,
            };
            assert_eq!(snappy.inbound_transform(raw(max)).unwrap().data.len(), max);
            assert!(snappy.inbound_transform(raw(max + 1)).is_err(), "{name}");
            assert!(snappy.outbound_transform(&topic(name), vec![7; max + 1]).is_err());
        }
    }

    #[test]
    fn payloads_come_back_also_the_densest_ones() {
        for len in [0, 1, 100, 1 << 20] {
            let data = vec![0; len];
            assert_eq!(decompress(&compress(&data).unwrap()).unwrap(), data);
        }
    }

    #[test]
    fn bombs_and_garbage_are_refused() {
        let mut prefix = unsigned_varint::encode::u64_buffer();
        for declared in [(1 << 20) + 1, 1 << 20, 1000, u64::from(u32::MAX), u64::MAX] {
            let bomb = [unsigned_varint::encode::u64(declared, &mut prefix), &[0, 1]].concat();
            assert!(decompress(&bomb).is_err(), "{declared}");
        }
        let mut cut = compress(&[5; 5000]).unwrap();
        cut.pop();
        assert!(decompress(&cut).is_err());
        assert!(decompress(&[]).is_err());
        assert!(compress(&vec![0; (1 << 20) + 1]).is_err());
    }
}
