//! How much the store keeps.

/// How much [`Availability`](crate::Availability) keeps.
///
/// Where a block or its bytes would be too many, the store drops whole blocks: first those of which only sidecars came,
/// then those that came themselves, of each the lowest slot first. Where the newcomer would be the first to go, it is
/// refused instead. A block that was dropped can be asked of peers again; nothing that is there is ever found wrong
/// for the lack of room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Blocks of which something is kept.
    pub blocks_max: usize,
    /// Bytes of all sidecars.
    pub bytes_max: usize,
    /// Sidecars of one block and index that wait for their verification; a further one is refused.
    pub candidates_max: usize,
}

impl Default for Limits {
    /// For a node of mainnet: a node with all columns and 21 blobs a block has room for some 90 blocks, any other for
    /// all of them.
    fn default() -> Self {
        Self { blocks_max: 256, bytes_max: 512 << 20, candidates_max: 4 }
    }
}
