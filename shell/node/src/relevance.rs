//! Whether a peer's Status fits our chain.
//!
//! <https://github.com/ethereum/consensus-specs/blob/master/specs/phase0/p2p-interface.md#status-v1>

use chain::View;
use sync::Status;
use types::{ForkDigest, Root, Slot};

use crate::canonical;
use crate::loads::Loads;
use transition::misc::compute_fork_digest;

/// Slots by which a peer's clock may differ from ours.
const CLOCK_SLOTS: u64 = 1;

/// Why a peer is of no use to us, nor we to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Irrelevant {
    /// Another network, or a fork that we do not follow.
    #[error("its fork digest is another")]
    ForkDigest,
    /// Its chain reaches into the future: another clock or another genesis.
    #[error("its head is in the future")]
    FutureHead,
    /// It has finalized what has not happened yet, or what is above its head.
    #[error("its finalized checkpoint is impossible")]
    ImpossibleFinality,
    /// It has finalized another chain.
    #[error("it has finalized another chain")]
    OtherChain,
}

/// Judges a Status as of a slot of the clock. Where our own storage fails, the peer gets the benefit of the doubt.
pub fn judge(
    view: &View,
    loads: &Loads,
    now: Slot,
    digest: ForkDigest,
    status: &Status,
) -> Result<(), Irrelevant> {
    let spec = view.spec;
    // At a fork's boundary a peer's clock may be on the other side of it.
    let near = [now.saturating_sub(CLOCK_SLOTS), now, now + CLOCK_SLOTS];
    let is_ours =
        |slot: &Slot| digest == compute_fork_digest(spec, view.genesis.validators_root, slot.epoch(spec));
    if !near.iter().any(is_ours) {
        return Err(Irrelevant::ForkDigest);
    }
    if status.head_slot > now + CLOCK_SLOTS {
        return Err(Irrelevant::FutureHead);
    }
    let impossible = status.finalized_epoch > (now + CLOCK_SLOTS).epoch(spec)
        || status.finalized_epoch.start_slot(spec) > status.head_slot;
    if impossible {
        return Err(Irrelevant::ImpossibleFinality);
    }
    if is_on_other_chain(view, loads, status) { Err(Irrelevant::OtherChain) } else { Ok(()) }
}

/// True where both have finalized the peer's epoch, with different blocks.
fn is_on_other_chain(view: &View, loads: &Loads, status: &Status) -> bool {
    // Before the first finality a checkpoint has no root to compare.
    if status.finalized_epoch == 0 || status.finalized_epoch > view.finalized.epoch {
        return false;
    }
    if status.finalized_epoch == view.finalized.epoch {
        return status.finalized_root != view.finalized.root;
    }
    let slot = status.finalized_epoch.start_slot(view.spec);
    let ours: Option<Root> = match canonical::last_block_by(view, loads, slot) {
        Ok(found) => found.map(|(_, root)| root),
        Err(error) => {
            tracing::error!(error, "the canonical chain cannot be read");
            None
        }
    };
    ours.is_some_and(|root| root != status.finalized_root)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::World;
    use types::Epoch;

    fn status(finalized_epoch: u64, head_slot: u64) -> Status {
        Status {
            finalized_root: Root::ZERO,
            finalized_epoch: Epoch(finalized_epoch),
            head_root: Root::from([1; 32]),
            head_slot: Slot(head_slot),
            earliest_available_slot: Slot(0),
        }
    }

    #[test]
    fn peers_of_other_forks_clocks_and_chains_are_of_no_use() {
        let mut world = World::new();
        world.grow([1, 2]);
        let view = world.view();
        let digest = compute_fork_digest(world.spec, view.genesis.validators_root, Epoch(0));
        let now = Slot(20);
        let check = |digest, status: Status| judge(&view, &world.loads, now, digest, &status);
        assert_eq!(check(digest, status(0, 2)), Ok(()));
        assert_eq!(check(digest, status(2, 20)), Ok(()), "it may have finalized more than we");
        assert_eq!(check(ForkDigest::ZERO, status(0, 2)), Err(Irrelevant::ForkDigest));
        assert_eq!(check(digest, status(0, 21)), Ok(()), "clocks may differ by a slot");
        assert_eq!(check(digest, status(0, 22)), Err(Irrelevant::FutureHead));
        assert_eq!(check(digest, status(3, 20)), Err(Irrelevant::ImpossibleFinality));
        assert_eq!(check(digest, status(2, 15)), Err(Irrelevant::ImpossibleFinality));
    }

    #[test]
    fn a_peer_that_finalized_another_block_is_on_another_chain() {
        let mut world = World::new();
        let roots = world.grow([1, 7, 9, 17]);
        let mut view = (*world.view()).clone();
        view.finalized = types::Checkpoint { epoch: Epoch(2), root: roots[2] };
        let digest = compute_fork_digest(world.spec, view.genesis.validators_root, Epoch(0));
        let check = |epoch: u64, finalized_root: Root| {
            let status = Status { finalized_root, ..status(epoch, 20) };
            judge(&view, &world.loads, Slot(20), digest, &status)
        };
        assert_eq!(check(2, roots[2]), Ok(()));
        assert_eq!(check(2, roots[1]), Err(Irrelevant::OtherChain));
        // The first epoch's checkpoint is the last block at or before slot 8.
        assert_eq!(check(1, roots[1]), Ok(()));
        assert_eq!(check(1, roots[0]), Err(Irrelevant::OtherChain));
        assert_eq!(check(0, Root::from([5; 32])), Ok(()));
    }
}
