//! Ethereum Node Records with the fields of the consensus layer: `eth2`, `attnets`, `syncnets`, `cgc`, `nfd`.
//!
//! <https://github.com/ethereum/consensus-specs/blob/master/specs/phase0/p2p-interface.md#enr-structure>

use std::net::IpAddr;
use std::time::{SystemTime, UNIX_EPOCH};

use ::enr::{CombinedKey, CombinedPublicKey, EnrPublicKey, NodeId};
use discv5::Enr;
use libp2p::bytes::Bytes;
use libp2p::identity::{PublicKey, secp256k1};
use libp2p::multiaddr::Protocol as Part;
use libp2p::{Multiaddr, PeerId};

/// Where a record says its node is.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Address {
    pub(crate) ip: Option<IpAddr>,
    pub(crate) tcp: Option<u16>,
    pub(crate) udp: Option<u16>,
}

/// Forks, subnets and custody as a record states them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Fields {
    pub(crate) eth2: Option<[u8; 16]>,
    pub(crate) attnets: [u8; 8],
    pub(crate) syncnets: u8,
    /// `cgc`, the custody group count.
    pub(crate) custody_group_count: Option<u64>,
    /// `nfd`.
    pub(crate) next_fork_digest: Option<[u8; 4]>,
}

/// What a peer's ENR says, for display.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EnrSummary {
    /// The record's text form, `enr:…`.
    pub text: String,
    /// libp2p peer id of its key, if that is secp256k1.
    pub peer_id: Option<PeerId>,
    /// Addresses for TCP.
    pub tcp_addresses: Vec<Multiaddr>,
    /// The fork digest, if it has an `eth2` field.
    pub fork_digest: Option<[u8; 4]>,
    /// The digest of its next fork, if it has an `nfd` field; zeros where it knows of none.
    pub next_fork_digest: Option<[u8; 4]>,
    /// The custody group count, if it has a `cgc` field.
    pub custody_group_count: Option<u64>,
}

impl EnrSummary {
    /// Reads a record.
    pub fn of(enr: &Enr) -> Self {
        let fields = fields(enr);
        Self {
            text: enr.to_base64(),
            peer_id: peer_id(enr),
            tcp_addresses: tcp_multiaddrs(enr),
            fork_digest: fork_digest(enr),
            next_fork_digest: fields.next_fork_digest,
            custody_group_count: fields.custody_group_count,
        }
    }
}

/// A signed record. Its sequence number starts at the wall clock in seconds, so that a restarted node's
/// record is newer than the one its peers have cached without keeping the old one on disk.
pub(crate) fn build(key: &CombinedKey, address: Address, fields: Option<Fields>) -> Result<Enr, String> {
    let seconds = SystemTime::now().duration_since(UNIX_EPOCH).map_or(1, |age| age.as_secs());
    let mut builder = Enr::builder();
    builder.seq(seconds);
    if let Some(ip) = address.ip {
        builder.ip(ip);
    }
    let v6 = matches!(address.ip, Some(IpAddr::V6(_)));
    if let Some(port) = address.tcp {
        if v6 {
            builder.tcp6(port)
        } else {
            builder.tcp4(port)
        };
    }
    if let Some(port) = address.udp {
        if v6 {
            builder.udp6(port)
        } else {
            builder.udp4(port)
        };
    }
    if let Some(fields) = fields {
        if let Some(eth2) = fields.eth2 {
            builder.add_value("eth2", &eth2);
        }
        builder.add_value("attnets", &fields.attnets);
        builder.add_value("syncnets", &[fields.syncnets]);
        if let Some(count) = fields.custody_group_count {
            // A number of RLP: big-endian, no leading zeros, 0 as nothing.
            builder.add_value("cgc", &count);
        }
        if let Some(digest) = fields.next_fork_digest {
            builder.add_value("nfd", &digest);
        }
    }
    builder.build(key).map_err(|error| error.to_string())
}

fn field<const N: usize>(enr: &Enr, key: &str) -> Option<[u8; N]> {
    let bytes = enr.get_decodable::<Bytes>(key)?.ok()?;
    <[u8; N]>::try_from(bytes.as_ref()).ok()
}

/// The consensus fields of a record; bitfields that are missing or have a wrong length count as empty, other fields as
/// missing.
pub(crate) fn fields(enr: &Enr) -> Fields {
    Fields {
        eth2: field(enr, "eth2"),
        attnets: field(enr, "attnets").unwrap_or_default(),
        syncnets: field::<1>(enr, "syncnets").unwrap_or_default()[0],
        custody_group_count: enr.get_decodable::<u64>("cgc").and_then(Result::ok),
        next_fork_digest: field(enr, "nfd"),
    }
}

/// The fork digest that a record announces.
pub(crate) fn fork_digest(enr: &Enr) -> Option<[u8; 4]> {
    fields(enr).eth2.map(|eth2| [eth2[0], eth2[1], eth2[2], eth2[3]])
}

/// The libp2p identity of a record; `None` if its key is not secp256k1.
pub(crate) fn peer_id(enr: &Enr) -> Option<PeerId> {
    match enr.public_key() {
        CombinedPublicKey::Secp256k1(key) => {
            let encoded = key.encode();
            let key = secp256k1::PublicKey::try_from_bytes(encoded.as_ref()).ok()?;
            Some(PublicKey::from(key).to_peer_id())
        }
        _ => None,
    }
}

/// The id under which discovery knows a peer, big endian; `None` if its key is not secp256k1, or not in its peer id.
pub fn node_id_of(peer: &PeerId) -> Option<[u8; 32]> {
    // A key as short as these is itself the "hash" of a peer id: the code of that, the length, then the key.
    let bytes = peer.to_bytes();
    let key = PublicKey::try_decode_protobuf(bytes.strip_prefix(&[0, 37])?).ok()?;
    let key = key.try_into_secp256k1().ok()?;
    let key = ::enr::k256::ecdsa::VerifyingKey::from_sec1_bytes(&key.to_bytes()).ok()?;
    Some(NodeId::from(CombinedPublicKey::Secp256k1(key)).raw())
}

/// TCP addresses of a record, without a `/p2p` part.
pub(crate) fn tcp_multiaddrs(enr: &Enr) -> Vec<Multiaddr> {
    let v4 = enr.tcp4_socket().map(|socket| (IpAddr::V4(*socket.ip()), socket.port()));
    let v6 = enr.tcp6_socket().map(|socket| (IpAddr::V6(*socket.ip()), socket.port()));
    let usable = v4.into_iter().chain(v6).filter(|(_, port)| *port != 0);
    usable.map(|(ip, port)| Multiaddr::from(ip).with(Part::Tcp(port))).collect()
}

/// Whether bit `index` of a bitfield is set; false outside it.
pub(crate) fn bit(field: &[u8], index: u8) -> bool {
    field.get(usize::from(index / 8)).is_some_and(|byte| byte >> (index % 8) & 1 == 1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::key::SecretKey;

    #[test]
    fn a_record_gives_back_what_it_was_built_from() {
        let key = SecretKey::generate();
        let address = Address { ip: Some([127, 0, 0, 1].into()), tcp: Some(9000), udp: Some(9001) };
        let fields_in = Fields {
            eth2: Some([7; 16]),
            attnets: [1, 0, 0, 0, 0, 0, 0, 128],
            syncnets: 5,
            custody_group_count: Some(128),
            next_fork_digest: Some([1, 2, 3, 4]),
        };
        let enr = build(&key.enr_key(), address, Some(fields_in)).unwrap();
        let again: Enr = enr.to_base64().parse().unwrap();
        assert_eq!(fields(&again), fields_in);
        assert_eq!(fork_digest(&again), Some([7; 4]));
        assert_eq!(tcp_multiaddrs(&again), vec!["/ip4/127.0.0.1/tcp/9000".parse::<Multiaddr>().unwrap()]);
        assert_eq!(peer_id(&again), Some(key.peer_id()));
        assert_eq!(node_id_of(&key.peer_id()), Some(again.node_id().raw()));
        assert_eq!((key.node_id(), node_id_of(&PeerId::random())), (again.node_id().raw(), None));
        // SSZ bitvectors travel as RLP strings: one byte of length, then the bytes.
        assert_eq!(again.get_raw_rlp("attnets").unwrap(), [0x88, 1, 0, 0, 0, 0, 0, 0, 128]);
        assert_eq!(again.get_raw_rlp("cgc").unwrap(), [0x81, 128]);
        assert_eq!(again.get_raw_rlp("nfd").unwrap(), [0x84, 1, 2, 3, 4]);
        let count = |count| {
            let fields = Fields { custody_group_count: Some(count), ..fields_in };
            let enr = build(&key.enr_key(), address, Some(fields)).unwrap();
            (enr.get_raw_rlp("cgc").unwrap().to_vec(), super::fields(&enr).custody_group_count)
        };
        assert_eq!(count(0), (vec![0x80], Some(0)));
        assert_eq!(count(4), (vec![4], Some(4)));
        assert_eq!(count(0x1234), (vec![0x82, 0x12, 0x34], Some(0x1234)));
        let bare = build(&key.enr_key(), address, Some(Fields { eth2: Some([7; 16]), ..Fields::default() }));
        let bare = fields(&bare.unwrap());
        assert_eq!((bare.custody_group_count, bare.next_fork_digest), (None, None));
        assert!(bit(&fields_in.attnets, 63) && !bit(&fields_in.attnets, 62) && !bit(&fields_in.attnets, 64));
    }
}
