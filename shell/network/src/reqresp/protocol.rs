//! Methods, their versions and wire names, and the size bounds of their SSZ types.

use std::fmt;

use crate::config::RequestLimits;

/// Response codes (`result` bytes).
pub mod code {
    /// The request is malformed or semantically invalid.
    pub const INVALID_REQUEST: u8 = 1;
    /// The responder failed.
    pub const SERVER_ERROR: u8 = 2;
    /// The responder does not have, or cannot spare, what was asked.
    pub const RESOURCE_UNAVAILABLE: u8 = 3;
}

/// A request method, whatever its version.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Method {
    /// Chain handshake.
    Status,
    /// Parting word.
    Goodbye,
    /// Liveness and metadata sequence number.
    Ping,
    /// Subnet subscriptions.
    Metadata,
    /// Blocks of a slot range.
    BlocksByRange,
    /// Blocks by root.
    BlocksByRoot,
}

impl Method {
    /// How many there are: tables are indexed by `method as usize`.
    pub(crate) const COUNT: usize = 6;

    /// Versions that we speak, newest first: the order of negotiation.
    pub fn versions(self) -> &'static [Protocol] {
        const fn p(method: Method, version: u8) -> Protocol {
            Protocol { method, version }
        }
        match self {
            // Version 2 is reserved for Fulu, whose Status has one field more.
            Self::Status => const { &[p(Self::Status, 1)] },
            Self::Goodbye => const { &[p(Self::Goodbye, 1)] },
            Self::Ping => const { &[p(Self::Ping, 1)] },
            Self::Metadata => const { &[p(Self::Metadata, 2), p(Self::Metadata, 1)] },
            Self::BlocksByRange => const { &[p(Self::BlocksByRange, 2), p(Self::BlocksByRange, 1)] },
            Self::BlocksByRoot => const { &[p(Self::BlocksByRoot, 2), p(Self::BlocksByRoot, 1)] },
        }
    }

    /// Whether the answer is a list, each item in a chunk of its own.
    pub(crate) fn is_list(self) -> bool {
        matches!(self, Self::BlocksByRange | Self::BlocksByRoot)
    }

    /// How many items a well-formed request asks for, at least 1 and at most `MAX_REQUEST_BLOCKS`.
    pub(crate) fn items(self, ssz: &[u8], limits: &RequestLimits) -> u64 {
        let asked = match self {
            Self::BlocksByRange => {
                let count = ssz.get(8..16).and_then(|bytes| <[u8; 8]>::try_from(bytes).ok());
                count.map_or(0, u64::from_le_bytes)
            }
            Self::BlocksByRoot => ssz.len() as u64 / 32,
            _ => 1,
        };
        asked.clamp(1, limits.blocks_max.max(1))
    }
}

/// A method in one version.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Protocol {
    /// The method.
    pub method: Method,
    /// The version, from 1.
    pub version: u8,
}

/// Inclusive bounds of an SSZ length, and the step its items have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Bounds {
    pub(crate) min: usize,
    pub(crate) max: usize,
    pub(crate) step: usize,
}

impl Bounds {
    pub(crate) const fn exactly(len: usize) -> Self {
        Self { min: len, max: len, step: 1 }
    }

    pub(crate) const fn up_to(max: usize) -> Self {
        Self { min: 0, max, step: 1 }
    }

    pub(crate) fn allow(self, len: u64) -> bool {
        (self.min as u64..=self.max as u64).contains(&len) && len.is_multiple_of(self.step as u64)
    }
}

impl Protocol {
    /// Every protocol we answer.
    pub(crate) fn all() -> impl Iterator<Item = Self> + Clone {
        use Method::*;
        let methods = [Status, Goodbye, Ping, Metadata, BlocksByRange, BlocksByRoot];
        methods.into_iter().flat_map(|method| method.versions().iter().copied())
    }

    /// The protocol id for multistream-select.
    pub fn id(self) -> &'static str {
        match (self.method, self.version) {
            (Method::Status, _) => "/eth2/beacon_chain/req/status/1/ssz_snappy",
            (Method::Goodbye, _) => "/eth2/beacon_chain/req/goodbye/1/ssz_snappy",
            (Method::Ping, _) => "/eth2/beacon_chain/req/ping/1/ssz_snappy",
            (Method::Metadata, 1) => "/eth2/beacon_chain/req/metadata/1/ssz_snappy",
            (Method::Metadata, _) => "/eth2/beacon_chain/req/metadata/2/ssz_snappy",
            (Method::BlocksByRange, 1) => "/eth2/beacon_chain/req/beacon_blocks_by_range/1/ssz_snappy",
            (Method::BlocksByRange, _) => "/eth2/beacon_chain/req/beacon_blocks_by_range/2/ssz_snappy",
            (Method::BlocksByRoot, 1) => "/eth2/beacon_chain/req/beacon_blocks_by_root/1/ssz_snappy",
            (Method::BlocksByRoot, _) => "/eth2/beacon_chain/req/beacon_blocks_by_root/2/ssz_snappy",
        }
    }

    /// Whether successful chunks begin with a fork digest.
    pub fn has_context(self) -> bool {
        self.method.is_list() && self.version >= 2
    }

    /// Bounds of the request; `None` if the method has no request content.
    pub(crate) fn request_bounds(self, limits: &RequestLimits) -> Option<Bounds> {
        let roots_max = usize::try_from(limits.blocks_max).unwrap_or(1024).saturating_mul(32);
        match self.method {
            Method::Status => Some(Bounds::exactly(84)),
            Method::Goodbye | Method::Ping => Some(Bounds::exactly(8)),
            Method::Metadata => None,
            Method::BlocksByRange => Some(Bounds::exactly(24)),
            Method::BlocksByRoot => Some(Bounds { min: 0, max: roots_max, step: 32 }),
        }
    }

    /// Bounds of one successful chunk of the response.
    pub(crate) fn response_bounds(self, max_payload_size: usize) -> Bounds {
        match (self.method, self.version) {
            (Method::Status, _) => Bounds::exactly(84),
            (Method::Goodbye | Method::Ping, _) => Bounds::exactly(8),
            (Method::Metadata, 1) => Bounds::exactly(16),
            (Method::Metadata, _) => Bounds::exactly(17),
            // A SignedBeaconBlock begins with an offset and a signature; the node knows the rest.
            (Method::BlocksByRange | Method::BlocksByRoot, _) => {
                Bounds { min: 100, max: max_payload_size, step: 1 }
            }
        }
    }
}

impl AsRef<str> for Protocol {
    fn as_ref(&self) -> &str {
        self.id()
    }
}

impl fmt::Display for Protocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.id())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_protocol_has_its_own_id_and_status_2_is_not_offered() {
        let ids: std::collections::BTreeSet<_> = Protocol::all().map(Protocol::id).collect();
        assert_eq!(ids.len(), 9);
        assert!(!ids.iter().any(|id| id.contains("status/2")));
        for protocol in Protocol::all() {
            assert!(protocol.id().contains(&format!("/{}/ssz_snappy", protocol.version)));
        }
    }

    #[test]
    fn requests_are_counted_by_the_blocks_they_ask_for() {
        let limits = RequestLimits::default();
        let range = |count: u64| [7u64.to_le_bytes(), count.to_le_bytes(), 1u64.to_le_bytes()].concat();
        assert_eq!(Method::BlocksByRange.items(&range(64), &limits), 64);
        assert_eq!(Method::BlocksByRange.items(&range(u64::MAX), &limits), 1024);
        assert_eq!(Method::BlocksByRange.items(&range(0), &limits), 1);
        assert_eq!(Method::BlocksByRoot.items(&[0; 96], &limits), 3);
    }
}
