//! Answers to peers that ask for blocks and their data.
//!
//! Answers are read and encoded on blocking threads, each waiting for its own peer. Overflow rule: above
//! [`ANSWERS_MAX`] at once, a request is answered with `ResourceUnavailable`.

use std::sync::Arc;

use chain::View;
use network::{InboundId, Method, NetworkHandle, Protocol, RespondError, code};
use ssz::SszExt;
use tokio::sync::Semaphore;
use types::{ForkName, Root, SignedBeaconBlock, Slot};

use crate::asked::{self, Asked, Refusal};
use crate::canonical;
use crate::custody::OwnCustody;
use crate::loads::Loads;
use crate::misbehaviour::Withholding;
use crate::published::Published;
use crate::serve_data::{self, Place};
use transition::misc::compute_fork_digest;

/// Requests that are answered at once.
const ANSWERS_MAX: usize = 32;

/// Answers to peers that ask for blocks and their data.
#[derive(Clone)]
pub struct Serve {
    loads: Arc<Loads>,
    published: Arc<Published>,
    network: NetworkHandle,
    custody: Arc<OwnCustody>,
    withholding: Option<Arc<Withholding>>,
    permits: Arc<Semaphore>,
}

/// What is to be sent.
#[derive(Debug, PartialEq, Eq)]
enum Wanted {
    Blocks(Vec<Root>),
    Data(Vec<Place>),
}

impl Serve {
    /// Answers from these blocks; columns as far back as the custody has them. A node that misbehaves leaves some out.
    pub fn new(
        loads: Arc<Loads>,
        published: Arc<Published>,
        network: NetworkHandle,
        custody: Arc<OwnCustody>,
        withholding: Option<Arc<Withholding>>,
    ) -> Self {
        let permits = Arc::new(Semaphore::new(ANSWERS_MAX));
        Self { loads, published, network, custody, withholding, permits }
    }

    /// Answers a request on a thread of the runtime that this is called in.
    pub fn answer(&self, id: InboundId, protocol: Protocol, request: Vec<u8>) {
        let Ok(permit) = self.permits.clone().try_acquire_owned() else {
            self.refuse(id, (code::RESOURCE_UNAVAILABLE, "too many requests"));
            return;
        };
        let serve = self.clone();
        tokio::task::spawn_blocking(move || {
            serve.answer_blocking(id, protocol, &request);
            drop(permit);
        });
    }

    fn refuse(&self, id: InboundId, (code, text): Refusal) {
        let network = self.network.clone();
        tokio::spawn(async move {
            // The peer may have gone; there is nobody to tell then.
            let _ = network.respond_error(id, code, text).await;
        });
    }

    fn answer_blocking(&self, id: InboundId, protocol: Protocol, request: &[u8]) {
        let view = self.published.view();
        let since = self.custody.current().since;
        let ended = match wanted(&view, &self.loads, since, (protocol.method, request)) {
            Ok(Wanted::Blocks(blocks)) => self.send_blocks(&view, id, protocol, &blocks),
            Ok(Wanted::Data(places)) => self.send_data(&view, id, &places),
            Err((code, text)) => self.network.respond_error_blocking(id, code, text),
        };
        if let Err(error) = ended {
            tracing::debug!(%error, "a peer did not wait for its answer");
        }
    }

    fn send_blocks(
        &self,
        view: &View,
        id: InboundId,
        protocol: Protocol,
        wanted: &[Root],
    ) -> Result<(), RespondError> {
        let mut last = None;
        for root in wanted {
            let block = match find(view, &self.loads, root) {
                Ok(Some(block)) => block,
                // By root, peers may ask for what we lack.
                Ok(None) if protocol.method == Method::BlocksByRoot => continue,
                Ok(None) => break,
                Err(error) => {
                    tracing::error!(error, "a stored block cannot be read");
                    return self.network.respond_error_blocking(id, code::SERVER_ERROR, "storage failed");
                }
            };
            // A gap between fork choice and finalized history, as while a batch is being stored, ends the answer.
            let follows = last.is_none_or(|last| block.message.parent_root == last);
            if protocol.method == Method::BlocksByRange && !follows {
                break;
            }
            last = Some(*root);
            let fork = view.spec.fork_name_at_slot(block.message.slot);
            // The first version cannot tell what fork a block is of.
            let has_context = protocol.version >= 2 || protocol.method == Method::BlocksByHead;
            if !has_context && fork != ForkName::Phase0 {
                break;
            }
            let context = has_context.then(|| digest(view, block.message.slot));
            self.network.respond_chunk_blocking(id, context, &block.to_ssz(view.spec.ctx(fork)))?;
        }
        self.network.respond_end_blocking(id)
    }

    fn send_data(&self, view: &View, id: InboundId, places: &[Place]) -> Result<(), RespondError> {
        let serves = |place: &&Place| {
            self.withholding.as_ref().is_none_or(|withholding| withholding.serves(&place.root, place.index))
        };
        for place in places.iter().filter(serves) {
            match serve_data::read(view, &self.loads, place) {
                Ok(Some(ssz)) => {
                    self.network.respond_chunk_blocking(id, Some(digest(view, place.slot)), &ssz)?;
                }
                Ok(None) => {}
                Err(error) => {
                    tracing::error!(error, "a stored sidecar cannot be read");
                    return self.network.respond_error_blocking(id, code::SERVER_ERROR, "storage failed");
                }
            }
        }
        self.network.respond_end_blocking(id)
    }
}

/// The fork digest of a slot's chunks.
fn digest(view: &View, slot: Slot) -> [u8; 4] {
    compute_fork_digest(view.spec, view.genesis.validators_root, slot.epoch(view.spec)).0
}

/// A block in memory or in storage.
pub fn find(view: &View, loads: &Loads, root: &Root) -> Result<Option<Arc<SignedBeaconBlock>>, String> {
    match view.blocks.get(root) {
        Some(block) => Ok(Some(block.clone())),
        None => loads.block(root),
    }
}

/// Why a request cannot be answered though it is in order.
pub(crate) fn storage_failed(error: &str) -> Refusal {
    tracing::error!(error, "the canonical chain cannot be read");
    (code::SERVER_ERROR, "storage failed")
}

/// What a request asks for and may have, in order. The genesis block, which nobody signed, is not served.
fn wanted(
    view: &View,
    loads: &Loads,
    columns_since: Slot,
    (method, request): (Method, &[u8]),
) -> Result<Wanted, Refusal> {
    let epoch = view.current_slot.epoch(view.spec);
    Ok(match asked::read(view.spec, epoch, method, request)? {
        // https://github.com/ethereum/consensus-specs/blob/master/specs/phase0/p2p-interface.md#beaconblocksbyrange-v1
        Asked::BlocksByRange(start, end, blocks_max) => {
            let found = canonical::blocks_between(view, loads, start.max(Slot(1)), end)
                .map_err(|error| storage_failed(&error))?;
            Wanted::Blocks(found.into_iter().map(|(_, root)| root).take(blocks_max as usize).collect())
        }
        Asked::BlocksByRoot(roots) => {
            Wanted::Blocks(roots.into_iter().filter(|root| *root != loads.genesis_root).collect())
        }
        Asked::BlocksByHead(root, count) => Wanted::Blocks(ancestors(view, loads, root, count)?),
        data => Wanted::Data(serve_data::places(view, loads, columns_since, data)?),
    })
}

/// [`BeaconBlocksByHead`](https://github.com/ethereum/consensus-specs/blob/master/specs/fulu/p2p-interface.md#beaconblocksbyhead-v1)
fn ancestors(view: &View, loads: &Loads, head: Root, count: u64) -> Result<Vec<Root>, Refusal> {
    let (mut roots, mut root) = (Vec::new(), head);
    while (roots.len() as u64) < count && root != loads.genesis_root {
        let Some(block) = find(view, loads, &root).map_err(|error| storage_failed(&error))? else { break };
        roots.push(root);
        root = block.message.parent_root;
    }
    Ok(roots)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::World;

    fn blocks(world: &World, method: Method, request: &[u8]) -> Result<Vec<Root>, u8> {
        match wanted(&world.view(), &world.loads, Slot(0), (method, request)) {
            Ok(Wanted::Blocks(blocks)) => Ok(blocks),
            Ok(other) => panic!("{other:?}"),
            Err((code, _)) => Err(code),
        }
    }

    fn range(world: &World, start: u64, count: u64, step: u64) -> Result<Vec<Root>, u8> {
        let request = [start, count, step].map(u64::to_le_bytes).concat();
        blocks(world, Method::BlocksByRange, &request)
    }

    #[test]
    fn a_range_holds_the_canonical_blocks_of_its_slots_without_genesis() {
        let mut world = World::new();
        let roots = world.grow([1, 2, 4, 7]);
        assert_eq!(range(&world, 0, 100, 1), Ok(roots.clone()));
        assert_eq!(range(&world, 2, 3, 1), Ok(roots[1..3].to_vec()));
        assert_eq!(range(&world, 3, 1, 1), Ok(vec![]));
        assert_eq!(range(&world, 8, u64::MAX, 1), Ok(vec![]));
        assert_eq!(range(&world, 1, 100, 2), Ok(vec![roots[0]]));
        for (count, step) in [(0, 1), (1, 0)] {
            assert_eq!(range(&world, 1, count, step), Err(code::INVALID_REQUEST));
        }
        assert_eq!(blocks(&world, Method::BlocksByRange, &[0; 23]), Err(code::INVALID_REQUEST));
    }

    #[test]
    fn blocks_by_root_are_bounded_and_leave_out_genesis() {
        let mut world = World::new();
        let root = world.grow([1])[0];
        let by_root = |bytes: &[u8]| blocks(&world, Method::BlocksByRoot, bytes);
        let other = Root::from([9; 32]);
        let request = [world.loads.genesis_root.0, root.0, other.0].concat();
        assert_eq!(by_root(&request), Ok(vec![root, other]));
        assert_eq!(find(&world.view(), &world.loads, &root).unwrap().unwrap().message.slot, 1);
        assert!(find(&world.view(), &world.loads, &other).unwrap().is_none());
        assert_eq!(by_root(&[0; 33]), Err(code::INVALID_REQUEST));
        assert_eq!(by_root(&[0; 32 * 1025]), Err(code::INVALID_REQUEST));
    }

    #[test]
    fn blocks_by_head_go_back_from_a_block_to_the_first_after_genesis() {
        let mut world = World::new();
        let mut roots = world.grow([1, 2, 4, 7]);
        roots.reverse();
        let by_head = |root: Root, count: u64| {
            blocks(&world, Method::BlocksByHead, &[&root.0[..], &count.to_le_bytes()].concat())
        };
        assert_eq!(by_head(roots[0], u64::MAX), Ok(roots.clone()));
        assert_eq!(by_head(roots[1], 2), Ok(roots[1..3].to_vec()));
        assert_eq!(by_head(Root::from([9; 32]), 2), Ok(vec![]));
        assert_eq!(by_head(roots[0], 0), Err(code::INVALID_REQUEST));
    }
}
