//! Snappy block compression of gossip payloads, bounded on both sides.

use std::io::{Error, ErrorKind};

use libp2p::gossipsub::{DataTransform, Message, RawMessage, TopicHash};

use crate::config::max_compressed_len;

/// Compresses what leaves and decompresses what arrives.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Snappy {
    max_payload_size: usize,
}

impl Snappy {
    pub(crate) fn new(max_payload_size: usize) -> Self {
        Self { max_payload_size }
    }

    /// The payload of `compressed`; refuses before it allocates what the declared length says.
    pub(crate) fn decompress(&self, compressed: &[u8]) -> Result<Vec<u8>, Error> {
        let invalid = |why: String| Error::new(ErrorKind::InvalidData, why);
        if compressed.len() > max_compressed_len(self.max_payload_size) {
            return Err(invalid(format!("{} compressed bytes", compressed.len())));
        }
        let length = snap::raw::decompress_len(compressed).map_err(|error| invalid(error.to_string()))?;
        // The densest element of the format yields 64 bytes from 3, so a longer promise is a lie. Without
        // this rule ten bytes could make us reserve MAX_PAYLOAD_SIZE.
        if length > self.max_payload_size || length > compressed.len().saturating_mul(64) / 3 + 64 {
            return Err(invalid(format!("{length} bytes declared")));
        }
        snap::raw::Decoder::new().decompress_vec(compressed).map_err(|error| invalid(error.to_string()))
    }

    /// The compressed form of a payload.
    pub(crate) fn compress(&self, data: &[u8]) -> Result<Vec<u8>, Error> {
        if data.len() > self.max_payload_size {
            return Err(Error::new(ErrorKind::InvalidInput, format!("{} bytes to publish", data.len())));
        }
        snap::raw::Encoder::new().compress_vec(data).map_err(Error::other)
    }
}

impl DataTransform for Snappy {
    fn inbound_transform(&self, raw: RawMessage) -> Result<Message, Error> {
        let data = self.decompress(&raw.data)?;
        Ok(Message { source: raw.source, data, sequence_number: raw.sequence_number, topic: raw.topic })
    }

    fn outbound_transform(&self, _: &TopicHash, data: Vec<u8>) -> Result<Vec<u8>, Error> {
        self.compress(&data)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SNAPPY: Snappy = Snappy { max_payload_size: 1 << 20 };

    #[test]
    fn payloads_come_back_also_the_densest_ones() {
        for len in [0, 1, 100, 1 << 20] {
            let data = vec![0; len];
            assert_eq!(SNAPPY.decompress(&SNAPPY.compress(&data).unwrap()).unwrap(), data);
        }
    }

    #[test]
    fn bombs_and_garbage_are_refused() {
        let mut prefix = unsigned_varint::encode::u64_buffer();
        for declared in [(1 << 20) + 1, 1 << 20, 1000, u64::from(u32::MAX), u64::MAX] {
            let bomb = [unsigned_varint::encode::u64(declared, &mut prefix), &[0, 1]].concat();
            assert!(SNAPPY.decompress(&bomb).is_err(), "{declared}");
        }
        let mut cut = SNAPPY.compress(&[5; 5000]).unwrap();
        cut.pop();
        assert!(SNAPPY.decompress(&cut).is_err());
        assert!(SNAPPY.decompress(&[]).is_err());
        assert!(SNAPPY.compress(&vec![0; (1 << 20) + 1]).is_err());
    }
}
