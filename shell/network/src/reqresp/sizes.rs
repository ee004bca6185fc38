//! Sizes of requests and responses: the bounds of their SSZ types, and how many items a request asks for.

use types::Spec;

use super::protocol::{Method, Protocol};
use crate::config::{Quota, RequestLimits};

/// SSZ `Status` of version 1; version 2 has a slot more.
pub(crate) const STATUS_LEN: usize = 84;
/// A `SignedBeaconBlockHeader`.
const SIGNED_HEADER_LEN: usize = 208;
/// A `SignedBeaconBlock` begins with an offset and a signature; the node knows the rest.
const BLOCK_MIN: usize = 100;
/// A slot range with a list of columns, and one identifier of `DataColumnSidecarsByRoot`, without the columns.
const COLUMN_RANGE_MIN: usize = 20;
const COLUMN_IDENTIFIER_MIN: usize = 36;
/// What an object for light clients has besides a sync committee and its bits: two headers with those of the
/// execution layer (a kilobyte at most), three branches, a signature, offsets.
const LIGHT_CLIENT_REST_MAX: usize = 4096;

/// What the sizes of requests and chunks follow from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RequestSizes {
    /// `MAX_REQUEST_BLOCKS_DENEB`: blocks by head, and blocks whose columns are asked for by root.
    pub blocks_deneb_max: u64,
    /// The most blobs of a block before Fulu; those of a range are counted by it.
    pub blobs_per_block_max: u64,
    /// `compute_max_request_blob_sidecars`.
    pub blob_sidecars_max: u64,
    /// `NUMBER_OF_COLUMNS`.
    pub columns: u64,
    /// `compute_max_request_data_column_sidecars`.
    pub column_sidecars_max: u64,
    /// `MAX_REQUEST_LIGHT_CLIENT_UPDATES`.
    pub light_client_updates_max: u64,
    /// SSZ length of a `BlobSidecar`, bytes.
    pub blob_sidecar_len: usize,
    /// SSZ length of a `DataColumnSidecar` of no blob, and what each blob adds to it, bytes.
    pub column_sidecar_len: (usize, usize),
    /// The most blobs that the network's schedule allows a block of Fulu in any epoch.
    pub column_blobs_max: usize,
    /// Upper bound of an object for light clients, bytes.
    pub light_client_len_max: usize,
}

fn size(value: u64) -> usize {
    usize::try_from(value).unwrap_or(usize::MAX)
}

impl RequestSizes {
    /// Those of a network.
    pub fn of(spec: &Spec) -> Self {
        let (config, preset) = (&spec.config, &spec.preset);
        // A request may name blocks of both Deneb and Electra, so the larger limit holds.
        let blobs_per_block_max = config.max_blobs_per_block.max(config.max_blobs_per_block_electra);
        let scheduled = config.blob_schedule.iter().map(|entry| entry.max_blobs_per_block);
        let scheduled = scheduled.fold(config.max_blobs_per_block_electra, u64::max);
        let blocks_deneb_max = config.max_request_blocks_deneb;
        let blob = size(preset.field_elements_per_blob.saturating_mul(32));
        let cell = size(preset.field_elements_per_cell.saturating_mul(32));
        let branch = |depth: u64| size(depth.saturating_mul(32));
        let committee = size(preset.sync_committee_size);
        Self {
            blocks_deneb_max,
            blobs_per_block_max,
            blob_sidecars_max: blocks_deneb_max.saturating_mul(blobs_per_block_max),
            columns: preset.number_of_columns,
            column_sidecars_max: blocks_deneb_max.saturating_mul(preset.number_of_columns),
            light_client_updates_max: 128,
            blob_sidecar_len: (8 + 48 + 48 + SIGNED_HEADER_LEN)
                .saturating_add(blob)
                .saturating_add(branch(preset.kzg_commitment_inclusion_proof_depth)),
            column_sidecar_len: (
                (8 + 12 + SIGNED_HEADER_LEN)
                    .saturating_add(branch(preset.kzg_commitments_inclusion_proof_depth)),
                cell.saturating_add(48 + 48),
            ),
            column_blobs_max: size(scheduled.min(preset.max_blob_commitments_per_block)),
            light_client_len_max: committee.saturating_mul(49).saturating_add(LIGHT_CLIENT_REST_MAX),
        }
    }

    /// SSZ length of the largest `DataColumnSidecar`, bytes.
    pub(crate) fn column_sidecar_max(&self) -> usize {
        let (base, blob) = self.column_sidecar_len;
        self.column_blobs_max.saturating_mul(blob).saturating_add(base)
    }
}

/// Inclusive bounds of an SSZ length, and the step by which it grows from the least.
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
        Self::between(0, max)
    }

    const fn between(min: usize, max: usize) -> Self {
        Self { min, max, step: 1 }
    }

    /// `min` bytes and up to `count` items of `step` bytes.
    fn items(min: usize, step: usize, count: u64) -> Self {
        Self { min, max: size(count).saturating_mul(step).saturating_add(min), step }
    }

    pub(crate) fn allow(self, len: u64) -> bool {
        let (min, max) = (self.min as u64, self.max as u64);
        (min..=max).contains(&len) && (len - min).is_multiple_of(self.step as u64)
    }
}

fn number(ssz: &[u8], at: usize) -> u64 {
    let bytes = ssz.get(at..at + 8).and_then(|bytes| <[u8; 8]>::try_from(bytes).ok());
    bytes.map_or(0, u64::from_le_bytes)
}

/// Columns in an SSZ list of `DataColumnsByRootIdentifier`, each 4 bytes of offset and 36 bytes besides its columns.
fn columns_by_root(ssz: &[u8]) -> u64 {
    let first = ssz.get(..4).and_then(|bytes| <[u8; 4]>::try_from(bytes).ok()).map_or(0, u32::from_le_bytes);
    let identifiers = u64::from(first) / 4;
    let rest = identifiers.saturating_mul(4 + COLUMN_IDENTIFIER_MIN as u64);
    (ssz.len() as u64).saturating_sub(rest) / 8
}

impl Method {
    /// How many items a well-formed request asks for, at least 1 and at most what a response may have.
    pub(crate) fn items(self, ssz: &[u8], limits: &RequestLimits) -> u64 {
        let sizes = &limits.sizes;
        let (asked, max) = match self {
            Self::BlocksByRange => (number(ssz, 8), limits.blocks_max),
            Self::BlocksByRoot => (ssz.len() as u64 / 32, limits.blocks_max),
            Self::BlocksByHead => (number(ssz, 32), sizes.blocks_deneb_max),
            Self::BlobsByRange => {
                (number(ssz, 8).saturating_mul(sizes.blobs_per_block_max), sizes.blob_sidecars_max)
            }
            Self::BlobsByRoot => (ssz.len() as u64 / 40, sizes.blob_sidecars_max),
            Self::ColumnsByRange => {
                let columns = ssz.len().saturating_sub(COLUMN_RANGE_MIN) as u64 / 8;
                (number(ssz, 8).saturating_mul(columns), sizes.column_sidecars_max)
            }
            Self::ColumnsByRoot => (columns_by_root(ssz), sizes.column_sidecars_max),
            Self::LightClientUpdates => (number(ssz, 8), sizes.light_client_updates_max),
            _ => (1, 1),
        };
        asked.clamp(1, max.max(1))
    }

    /// The quota that its items are counted against; each method has a bucket of its own.
    pub(crate) fn quota(self, limits: &RequestLimits) -> Quota {
        match self {
            Self::BlocksByRange | Self::BlocksByRoot | Self::BlocksByHead => limits.blocks,
            Self::BlobsByRange | Self::BlobsByRoot => limits.blobs,
            Self::ColumnsByRange | Self::ColumnsByRoot => limits.columns,
            Self::LightClientUpdates => limits.light_client_updates,
            _ => limits.small,
        }
    }

    /// Whether the request has no content at all, not even a zero length.
    pub(crate) fn is_asked_without_content(self) -> bool {
        matches!(self, Self::Metadata | Self::LightClientFinality | Self::LightClientOptimistic)
    }
}

impl Protocol {
    /// Bounds of the request; `None` if the method has no request content.
    pub(crate) fn request_bounds(self, limits: &RequestLimits) -> Option<Bounds> {
        let sizes = &limits.sizes;
        let bounds = match self.method {
            method if method.is_asked_without_content() => return None,
            Method::Status => Bounds::exactly(self.status_len()),
            Method::Goodbye | Method::Ping => Bounds::exactly(8),
            Method::BlocksByRange => Bounds::exactly(24),
            Method::BlocksByRoot => Bounds::items(0, 32, limits.blocks_max),
            Method::BlocksByHead => Bounds::exactly(40),
            Method::BlobsByRange | Method::LightClientUpdates => Bounds::exactly(16),
            Method::BlobsByRoot => Bounds::items(0, 40, sizes.blob_sidecars_max),
            Method::ColumnsByRange => Bounds::items(COLUMN_RANGE_MIN, 8, sizes.columns),
            Method::ColumnsByRoot => {
                let identifier =
                    size(sizes.columns).saturating_mul(8).saturating_add(4 + COLUMN_IDENTIFIER_MIN);
                Bounds { step: 4, ..Bounds::up_to(size(sizes.blocks_deneb_max).saturating_mul(identifier)) }
            }
            _ => Bounds::exactly(32),
        };
        Some(bounds)
    }

    /// Bounds of one successful chunk of the response.
    pub(crate) fn response_bounds(self, limits: &RequestLimits, max_payload_size: usize) -> Bounds {
        let sizes = &limits.sizes;
        let (column_base, column_blob) = sizes.column_sidecar_len;
        let mut bounds = match (self.method, self.version) {
            (Method::Status, _) => Bounds::exactly(self.status_len()),
            (Method::Goodbye | Method::Ping, _) => Bounds::exactly(8),
            (Method::Metadata, 1) => Bounds::exactly(16),
            (Method::Metadata, 2) => Bounds::exactly(17),
            (Method::Metadata, _) => Bounds::exactly(25),
            (Method::BlocksByRange | Method::BlocksByRoot | Method::BlocksByHead, _) => {
                Bounds::between(BLOCK_MIN, max_payload_size)
            }
            (Method::BlobsByRange | Method::BlobsByRoot, _) => Bounds::exactly(sizes.blob_sidecar_len),
            (Method::ColumnsByRange | Method::ColumnsByRoot, _) => {
                Bounds::items(column_base, column_blob, sizes.column_blobs_max as u64)
            }
            (
                Method::LightClientBootstrap
                | Method::LightClientUpdates
                | Method::LightClientFinality
                | Method::LightClientOptimistic,
                _,
            ) => Bounds::between(BLOCK_MIN, sizes.light_client_len_max),
        };
        bounds.max = bounds.max.min(max_payload_size);
        bounds
    }

    fn status_len(self) -> usize {
        if self.version >= 2 { STATUS_LEN + 8 } else { STATUS_LEN }
    }

    /// What of a request goes out under this version: a `Status` without the field that version 1 lacks.
    pub(crate) fn cut(self, ssz: &[u8]) -> &[u8] {
        match self.method {
            Method::Status => &ssz[..ssz.len().min(self.status_len())],
            _ => ssz,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use types::{BlobSidecar, DataColumnSidecar, DataColumnsByRootIdentifier, ForkName, Root, SszExt};

    fn range(count: u64) -> Vec<u8> {
        [7u64.to_le_bytes(), count.to_le_bytes(), 1u64.to_le_bytes()].concat()
    }

    #[test]
    fn requests_are_counted_by_the_items_they_ask_for() {
        let limits = RequestLimits::default();
        let items = |method: Method, ssz: &[u8]| method.items(ssz, &limits);
        assert_eq!(items(Method::BlocksByRange, &range(64)), 64);
        assert_eq!(items(Method::BlocksByRange, &range(u64::MAX)), 1024);
        assert_eq!(items(Method::BlocksByRange, &range(0)), 1);
        assert_eq!(items(Method::BlocksByRoot, &[0; 96]), 3);
        assert_eq!(items(Method::BlocksByHead, &[&[1; 32][..], &200u64.to_le_bytes()].concat()), 128);
        assert_eq!(items(Method::BlobsByRange, &range(10)[..16]), 90);
        assert_eq!(items(Method::BlobsByRange, &range(u64::MAX)[..16]), 1152);
        assert_eq!(items(Method::BlobsByRoot, &[0; 120]), 3);
        assert_eq!(items(Method::LightClientUpdates, &range(1000)[..16]), 128);
        assert_eq!(items(Method::LightClientFinality, &[]), 1);
        let columns = |count| [&range(count)[..16], &20u32.to_le_bytes(), &[0; 8 * 5]].concat();
        assert_eq!(items(Method::ColumnsByRange, &columns(12)), 60);
        assert_eq!(items(Method::ColumnsByRange, &columns(u64::MAX)), 128 * 128);
    }

    #[test]
    fn columns_asked_for_by_root_are_counted_over_all_roots() {
        let ctx = Spec::mainnet().ctx(ForkName::Fulu);
        let limits = RequestLimits::default();
        let identifier = |columns: u64| DataColumnsByRootIdentifier {
            block_root: Root::from([3; 32]),
            columns: (0..columns).collect(),
        };
        for columns in [vec![4], vec![0, 128, 7], vec![128; 128], vec![0]] {
            let list: Vec<Vec<u8>> = columns.iter().map(|count| identifier(*count).to_ssz(ctx)).collect();
            let mut offset = 4 * list.len();
            let mut ssz = Vec::new();
            for item in &list {
                ssz.extend((offset as u32).to_le_bytes());
                offset += item.len();
            }
            ssz.extend(list.concat());
            let expected: u64 = columns.iter().sum();
            assert_eq!(Method::ColumnsByRoot.items(&ssz, &limits), expected.max(1));
            let protocol = Protocol { method: Method::ColumnsByRoot, version: 1 };
            assert!(protocol.request_bounds(&limits).unwrap().allow(ssz.len() as u64));
        }
        for bad in [&[][..], &[1], &[0xff; 4], &[0xff; 40]] {
            assert!((1..=5).contains(&Method::ColumnsByRoot.items(bad, &limits)));
        }
    }

    #[test]
    fn the_sizes_of_sidecars_are_those_of_their_types() {
        for spec in [Spec::mainnet(), Spec::minimal()] {
            let limits = RequestLimits { sizes: RequestSizes::of(spec), ..RequestLimits::default() };
            let allows = |method, ssz: Vec<u8>| {
                let bounds = Protocol { method, version: 1 }.response_bounds(&limits, 10 << 20);
                assert!(!bounds.allow(ssz.len() as u64 + 1) && !bounds.allow(ssz.len() as u64 - 1));
                assert!(bounds.allow(ssz.len() as u64), "{bounds:?} {}", ssz.len());
            };
            allows(
                Method::BlobsByRange,
                BlobSidecar::new_default(spec.ctx(ForkName::Deneb)).to_ssz(spec.ctx(ForkName::Deneb)),
            );
            let ctx = spec.ctx(ForkName::Fulu);
            let mut column = DataColumnSidecar::new_default(ctx);
            allows(Method::ColumnsByRoot, column.to_ssz(ctx));
            let cell = types::Bytes(vec![0; spec.preset.field_elements_per_cell as usize * 32]);
            column.column = vec![cell; 2];
            column.kzg_commitments = vec![types::KzgCommitment::ZERO; 2];
            column.kzg_proofs = vec![types::KzgProof::ZERO; 2];
            allows(Method::ColumnsByRoot, column.to_ssz(ctx));
        }
    }

    #[test]
    fn light_client_objects_of_every_fork_fit_their_bound() {
        let sizes = RequestSizes::of(Spec::mainnet());
        for fork in [ForkName::Altair, ForkName::Capella, ForkName::Deneb, ForkName::Electra, ForkName::Fulu]
        {
            let ctx = Spec::mainnet().ctx(fork);
            let lengths = [
                types::LightClientBootstrap::new_default(ctx).to_ssz(ctx).len(),
                types::LightClientUpdate::new_default(ctx).to_ssz(ctx).len(),
                types::LightClientFinalityUpdate::new_default(ctx).to_ssz(ctx).len(),
                types::LightClientOptimisticUpdate::new_default(ctx).to_ssz(ctx).len(),
            ];
            for len in lengths {
                assert!((BLOCK_MIN..=sizes.light_client_len_max - 64).contains(&len), "{len} at {fork}");
            }
        }
    }

    #[test]
    fn a_request_of_the_wrong_length_is_out_of_bounds() {
        let limits = RequestLimits::default();
        let allows =
            |method, version, len| Protocol { method, version }.request_bounds(&limits).unwrap().allow(len);
        assert!(allows(Method::Status, 1, 84) && !allows(Method::Status, 1, 92));
        assert!(allows(Method::Status, 2, 92) && !allows(Method::Status, 2, 84));
        assert!(allows(Method::ColumnsByRange, 1, 20) && allows(Method::ColumnsByRange, 1, 20 + 128 * 8));
        assert!(!allows(Method::ColumnsByRange, 1, 24) && !allows(Method::ColumnsByRange, 1, 20 + 129 * 8));
        assert!(allows(Method::BlobsByRoot, 1, 40 * 1152) && !allows(Method::BlobsByRoot, 1, 40 * 1153));
        assert!(!allows(Method::LightClientBootstrap, 1, 31));
        for method in [Method::Metadata, Method::LightClientFinality, Method::LightClientOptimistic] {
            assert_eq!(Protocol { method, version: 1 }.request_bounds(&limits), None);
        }
    }
}
