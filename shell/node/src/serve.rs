//! Answers to peers that ask for blocks.
//!
//! Answers are read and encoded on blocking threads, each waiting for its own peer. Overflow rule: above
//! [`ANSWERS_MAX`] at once, a request is answered with `ResourceUnavailable`.

use std::sync::Arc;

use chain::View;
use network::{InboundId, Method, NetworkHandle, Protocol, code};
use ssz::SszExt;
use tokio::sync::Semaphore;
use types::{ForkName, Root, SignedBeaconBlock, Slot};

use crate::canonical;
use crate::loads::Loads;
use crate::published::Published;
use transition::misc::compute_fork_digest;

/// Requests that are answered at once.
const ANSWERS_MAX: usize = 32;

/// Why a request gets an error for an answer: code and text of the error chunk.
type Refusal = (u8, &'static str);

/// Answers to peers that ask for blocks.
#[derive(Clone)]
pub struct Serve {
    loads: Arc<Loads>,
    published: Arc<Published>,
    network: NetworkHandle,
    permits: Arc<Semaphore>,
}

impl Serve {
    /// Answers from these blocks.
    pub fn new(loads: Arc<Loads>, published: Arc<Published>, network: NetworkHandle) -> Self {
        Self { loads, published, network, permits: Arc::new(Semaphore::new(ANSWERS_MAX)) }
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
        let ended = match wanted(&view, &self.loads, protocol, request) {
            Ok(wanted) => self.send(&view, id, protocol, &wanted),
            Err((code, text)) => self.network.respond_error_blocking(id, code, text),
        };
        if let Err(error) = ended {
            tracing::debug!(%error, "a peer did not wait for its blocks");
        }
    }

    fn send(
        &self,
        view: &View,
        id: InboundId,
        protocol: Protocol,
        wanted: &[Root],
    ) -> Result<(), network::RespondError> {
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
            if protocol.version < 2 && fork != ForkName::Phase0 {
                break;
            }
            let epoch = block.message.slot.epoch(view.spec);
            let digest = compute_fork_digest(view.spec, view.genesis.validators_root, epoch);
            let context = (protocol.version >= 2).then_some(digest.0);
            self.network.respond_chunk_blocking(id, context, &block.to_ssz(view.spec.ctx(fork)))?;
        }
        self.network.respond_end_blocking(id)
    }
}

/// A block in memory or in storage.
pub fn find(view: &View, loads: &Loads, root: &Root) -> Result<Option<Arc<SignedBeaconBlock>>, String> {
    match view.blocks.get(root) {
        Some(block) => Ok(Some(block.clone())),
        None => loads.block(root),
    }
}

/// The blocks that a request asks for and may have, in order. The genesis block, which nobody signed, is not served.
fn wanted(view: &View, loads: &Loads, protocol: Protocol, request: &[u8]) -> Result<Vec<Root>, Refusal> {
    let limit = view.spec.config.max_request_blocks;
    match protocol.method {
        Method::BlocksByRange => by_range(view, loads, request, limit),
        Method::BlocksByRoot => by_root(loads, request, limit),
        _ => Err((code::INVALID_REQUEST, "not a request for blocks")),
    }
}

/// [`BeaconBlocksByRange`](https://github.com/ethereum/consensus-specs/blob/master/specs/phase0/p2p-interface.md#beaconblocksbyrange-v1)
fn by_range(view: &View, loads: &Loads, request: &[u8], limit: u64) -> Result<Vec<Root>, Refusal> {
    let number = |at: usize| request.get(at..at + 8).and_then(|bytes| <[u8; 8]>::try_from(bytes).ok());
    let (Some(start), Some(count), Some(step), 24) = (number(0), number(8), number(16), request.len()) else {
        return Err((code::INVALID_REQUEST, "a request has 24 bytes"));
    };
    let [start, count, step] = [start, count, step].map(u64::from_le_bytes);
    if count == 0 || step == 0 {
        return Err((code::INVALID_REQUEST, "count and step must not be 0"));
    }
    // Steps are deprecated: a single block is the answer then.
    let blocks_max = if step > 1 { 1 } else { limit };
    let end = Slot(start.saturating_add(count.min(limit)));
    let found = canonical::blocks_between(view, loads, Slot(start.max(1)), end).map_err(|error| {
        tracing::error!(error, "the canonical chain cannot be read");
        (code::SERVER_ERROR, "storage failed")
    })?;
    Ok(found.into_iter().map(|(_, root)| root).take(blocks_max as usize).collect())
}

/// [`BeaconBlocksByRoot`](https://github.com/ethereum/consensus-specs/blob/master/specs/phase0/p2p-interface.md#beaconblocksbyroot-v1)
fn by_root(loads: &Loads, request: &[u8], limit: u64) -> Result<Vec<Root>, Refusal> {
    if !request.len().is_multiple_of(32) || request.len() as u64 / 32 > limit {
        return Err((code::INVALID_REQUEST, "not a list of roots, or too many"));
    }
    let roots = request.chunks_exact(32).map(|bytes| Root::try_from(bytes).expect("32 bytes"));
    Ok(roots.filter(|root| *root != loads.genesis_root).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::World;

    const RANGE: Protocol = Protocol { method: Method::BlocksByRange, version: 2 };

    fn range(world: &World, start: u64, count: u64, step: u64) -> Result<Vec<Root>, Refusal> {
        let request = [start, count, step].map(u64::to_le_bytes).concat();
        wanted(&world.view(), &world.loads, RANGE, &request)
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
            assert_eq!(range(&world, 1, count, step).unwrap_err().0, code::INVALID_REQUEST);
        }
        let short = wanted(&world.view(), &world.loads, RANGE, &[0; 23]);
        assert_eq!(short.unwrap_err().0, code::INVALID_REQUEST);
    }

    #[test]
    fn blocks_by_root_are_bounded_and_leave_out_genesis() {
        let mut world = World::new();
        let root = world.grow([1])[0];
        let by_root = |bytes: &[u8]| {
            let protocol = Protocol { method: Method::BlocksByRoot, version: 2 };
            wanted(&world.view(), &world.loads, protocol, bytes)
        };
        let other = Root::from([9; 32]);
        let request = [world.loads.genesis_root.0, root.0, other.0].concat();
        assert_eq!(by_root(&request), Ok(vec![root, other]));
        assert_eq!(find(&world.view(), &world.loads, &root).unwrap().unwrap().message.slot, 1);
        assert!(find(&world.view(), &world.loads, &other).unwrap().is_none());
        assert_eq!(by_root(&[0; 33]).unwrap_err().0, code::INVALID_REQUEST);
        assert_eq!(by_root(&[0; 32 * 1025]).unwrap_err().0, code::INVALID_REQUEST);
    }
}
