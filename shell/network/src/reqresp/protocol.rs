//! Methods, their versions and their names on the wire.

use std::collections::BTreeSet;
use std::fmt;

use types::ForkName;

use crate::forks::ForkSchedule;

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
    /// A block and its ancestors (Fulu).
    BlocksByHead,
    /// Blob sidecars of a slot range (Deneb).
    BlobsByRange,
    /// Blob sidecars by block root and index (Deneb).
    BlobsByRoot,
    /// Data column sidecars of a slot range (Fulu).
    ColumnsByRange,
    /// Data column sidecars by block root and index (Fulu).
    ColumnsByRoot,
    /// `LightClientBootstrap` of a block (Altair).
    LightClientBootstrap,
    /// `LightClientUpdate`s of a range of sync committee periods (Altair).
    LightClientUpdates,
    /// The latest `LightClientFinalityUpdate` (Altair).
    LightClientFinality,
    /// The latest `LightClientOptimisticUpdate` (Altair).
    LightClientOptimistic,
}

impl Method {
    /// Every method, in the order of their numbers.
    pub const ALL: [Self; 15] = [
        Self::Status,
        Self::Goodbye,
        Self::Ping,
        Self::Metadata,
        Self::BlocksByRange,
        Self::BlocksByRoot,
        Self::BlocksByHead,
        Self::BlobsByRange,
        Self::BlobsByRoot,
        Self::ColumnsByRange,
        Self::ColumnsByRoot,
        Self::LightClientBootstrap,
        Self::LightClientUpdates,
        Self::LightClientFinality,
        Self::LightClientOptimistic,
    ];

    /// How many there are: tables are indexed by `method as usize`.
    pub(crate) const COUNT: usize = Self::ALL.len();

    /// Versions that there are, newest first: the order of negotiation. Which of them are spoken stands in
    /// [`crate::RequestLimits::protocols`].
    pub fn versions(self) -> &'static [Protocol] {
        macro_rules! versions {
            ($($name:ident: $($version:literal)+;)*) => {
                match self {
                    $(Self::$name => const { &[$(Protocol { method: Self::$name, version: $version }),+] },)*
                }
            };
        }
        versions! {
            Status: 2 1;
            Goodbye: 1;
            Ping: 1;
            Metadata: 3 2 1;
            BlocksByRange: 2 1;
            BlocksByRoot: 2 1;
            BlocksByHead: 1;
            BlobsByRange: 1;
            BlobsByRoot: 1;
            ColumnsByRange: 1;
            ColumnsByRoot: 1;
            LightClientBootstrap: 1;
            LightClientUpdates: 1;
            LightClientFinality: 1;
            LightClientOptimistic: 1;
        }
    }

    /// The specification's name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Status => "status",
            Self::Goodbye => "goodbye",
            Self::Ping => "ping",
            Self::Metadata => "metadata",
            Self::BlocksByRange => "beacon_blocks_by_range",
            Self::BlocksByRoot => "beacon_blocks_by_root",
            Self::BlocksByHead => "beacon_blocks_by_head",
            Self::BlobsByRange => "blob_sidecars_by_range",
            Self::BlobsByRoot => "blob_sidecars_by_root",
            Self::ColumnsByRange => "data_column_sidecars_by_range",
            Self::ColumnsByRoot => "data_column_sidecars_by_root",
            Self::LightClientBootstrap => "light_client_bootstrap",
            Self::LightClientUpdates => "light_client_updates_by_range",
            Self::LightClientFinality => "light_client_finality_update",
            Self::LightClientOptimistic => "light_client_optimistic_update",
        }
    }

    /// The first fork with objects of the kind that the method asks for.
    pub fn first_fork(self) -> ForkName {
        match self {
            Self::Status | Self::Goodbye | Self::Ping | Self::Metadata => ForkName::Phase0,
            Self::BlocksByRange | Self::BlocksByRoot | Self::BlocksByHead => ForkName::Phase0,
            Self::LightClientBootstrap
            | Self::LightClientUpdates
            | Self::LightClientFinality
            | Self::LightClientOptimistic => ForkName::Altair,
            Self::BlobsByRange | Self::BlobsByRoot => ForkName::Deneb,
            Self::ColumnsByRange | Self::ColumnsByRoot => ForkName::Fulu,
        }
    }

    /// Whether the node answers it; the others the shell answers by itself.
    pub(crate) fn is_for_node(self) -> bool {
        !matches!(self, Self::Status | Self::Goodbye | Self::Ping | Self::Metadata)
    }

    /// Whether the method serves light clients.
    pub fn is_for_light_clients(self) -> bool {
        self.first_fork() == ForkName::Altair
    }

    /// Whether the answer is a list, each item in a chunk of its own.
    pub(crate) fn is_list(self) -> bool {
        use Method::*;
        self.is_for_node()
            && !matches!(self, LightClientBootstrap | LightClientFinality | LightClientOptimistic)
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

/// The text of a protocol id.
macro_rules! id {
    ($name:literal, $version:literal) => {
        concat!("/eth2/beacon_chain/req/", $name, "/", $version, "/ssz_snappy")
    };
}

impl Protocol {
    /// Every protocol that there is.
    pub fn all() -> impl Iterator<Item = Self> + Clone {
        Method::ALL.into_iter().flat_map(|method| method.versions().iter().copied())
    }

    /// What a node speaks that serves blocks alone, up to Altair.
    pub fn basic() -> BTreeSet<Self> {
        let basic = |protocol: &Self| {
            let newer =
                matches!((protocol.method, protocol.version), (Method::Status, 2) | (Method::Metadata, 3));
            protocol.method <= Method::BlocksByRoot && !newer
        };
        Self::all().filter(basic).collect()
    }

    /// What a full node of a network speaks, by the forks that are scheduled: blobs from Deneb on; columns, blocks
    /// by head, `Status` 2 and `MetaData` 3 from Fulu on. Methods for light clients are for a node to add.
    pub fn scheduled(schedule: &ForkSchedule) -> BTreeSet<Self> {
        let mut protocols = Self::basic();
        let full = Self::all().filter(|protocol| !protocol.method.is_for_light_clients());
        protocols.extend(full.filter(|protocol| schedule.is_scheduled(protocol.since())));
        protocols
    }

    /// The fork that brought the protocol.
    pub fn since(self) -> ForkName {
        match (self.method, self.version) {
            (Method::Status, 2) | (Method::Metadata, 3) | (Method::BlocksByHead, _) => ForkName::Fulu,
            (Method::Metadata | Method::BlocksByRange | Method::BlocksByRoot, 2) => ForkName::Altair,
            _ => self.method.first_fork(),
        }
    }

    /// The protocol id for multistream-select.
    pub fn id(self) -> &'static str {
        match (self.method, self.version) {
            (Method::Status, 1) => id!("status", 1),
            (Method::Status, _) => id!("status", 2),
            (Method::Goodbye, _) => id!("goodbye", 1),
            (Method::Ping, _) => id!("ping", 1),
            (Method::Metadata, 1) => id!("metadata", 1),
            (Method::Metadata, 2) => id!("metadata", 2),
            (Method::Metadata, _) => id!("metadata", 3),
            (Method::BlocksByRange, 1) => id!("beacon_blocks_by_range", 1),
            (Method::BlocksByRange, _) => id!("beacon_blocks_by_range", 2),
            (Method::BlocksByRoot, 1) => id!("beacon_blocks_by_root", 1),
            (Method::BlocksByRoot, _) => id!("beacon_blocks_by_root", 2),
            (Method::BlocksByHead, _) => id!("beacon_blocks_by_head", 1),
            (Method::BlobsByRange, _) => id!("blob_sidecars_by_range", 1),
            (Method::BlobsByRoot, _) => id!("blob_sidecars_by_root", 1),
            (Method::ColumnsByRange, _) => id!("data_column_sidecars_by_range", 1),
            (Method::ColumnsByRoot, _) => id!("data_column_sidecars_by_root", 1),
            (Method::LightClientBootstrap, _) => id!("light_client_bootstrap", 1),
            (Method::LightClientUpdates, _) => id!("light_client_updates_by_range", 1),
            (Method::LightClientFinality, _) => id!("light_client_finality_update", 1),
            (Method::LightClientOptimistic, _) => id!("light_client_optimistic_update", 1),
        }
    }

    /// Whether successful chunks begin with a fork digest.
    pub fn has_context(self) -> bool {
        match self.method {
            Method::BlocksByRange | Method::BlocksByRoot => self.version >= 2,
            method => method.is_for_node(),
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
    use types::{Root, Spec};

    #[test]
    fn every_protocol_has_its_own_id_with_its_name_and_version() {
        let ids: BTreeSet<_> = Protocol::all().map(Protocol::id).collect();
        assert_eq!((ids.len(), Protocol::all().count()), (20, 20));
        for protocol in Protocol::all() {
            let (name, version) = (protocol.method.name(), protocol.version);
            assert_eq!(protocol.id(), format!("/eth2/beacon_chain/req/{name}/{version}/ssz_snappy"));
        }
        for (number, method) in Method::ALL.into_iter().enumerate() {
            assert_eq!(method as usize, number);
        }
    }

    #[test]
    fn what_is_spoken_follows_from_the_forks_that_are_scheduled() {
        let speaks = |forks: &str| {
            let text = format!("PRESET_BASE: 'minimal'\n{forks}");
            Protocol::scheduled(&ForkSchedule::new(Spec::from_yaml(&text, None).unwrap(), Root::ZERO))
        };
        assert_eq!(speaks(""), Protocol::basic());
        assert_eq!(Protocol::basic().len(), 9);
        let to_deneb =
            "ALTAIR_FORK_EPOCH: 1\nBELLATRIX_FORK_EPOCH: 1\nCAPELLA_FORK_EPOCH: 1\nDENEB_FORK_EPOCH: 1\n";
        let deneb = speaks(to_deneb);
        assert!(deneb.contains(&Protocol { method: Method::BlobsByRange, version: 1 }));
        assert!(!deneb.contains(&Protocol { method: Method::Status, version: 2 }));
        assert_eq!(deneb.len(), 11);
        let fulu = speaks(&format!("{to_deneb}ELECTRA_FORK_EPOCH: 2\nFULU_FORK_EPOCH: 3\n"));
        assert!(fulu.contains(&Protocol { method: Method::Metadata, version: 3 }));
        assert_eq!(fulu.len(), 16);
        assert!(!fulu.iter().any(|protocol| protocol.method.is_for_light_clients()));
    }

    #[test]
    fn chunks_have_a_context_where_their_type_depends_on_the_fork() {
        let with: Vec<_> = Protocol::all().filter(|protocol| protocol.has_context()).collect();
        assert_eq!(with.len(), 11);
        assert!(with.iter().all(|protocol| protocol.method.is_for_node()));
        assert!(!Protocol { method: Method::BlocksByRange, version: 1 }.has_context());
        assert!(Protocol { method: Method::BlocksByHead, version: 1 }.has_context());
    }
}
