//! What the node says of its chain: Status messages.

use chain::View;
use sync::Status;
use transition::misc::compute_fork_digest;
use types::{Epoch, ForkDigest, ForkName, Root, Slot};

use crate::serve_data::window;

/// Bytes of a Status message.
const STATUS_LEN: usize = 84;

/// Our Status message.
pub fn local_status(view: &View) -> Vec<u8> {
    let epoch = view.current_slot.epoch(view.spec);
    // The checkpoint of genesis is named by no root.
    let finalized_root = if view.finalized.epoch == 0 { Root::ZERO } else { view.finalized.root };
    let mut bytes = Vec::with_capacity(STATUS_LEN);
    bytes.extend_from_slice(&compute_fork_digest(view.spec, view.genesis.validators_root, epoch).0);
    bytes.extend_from_slice(&finalized_root.0);
    bytes.extend_from_slice(&view.finalized.epoch.0.to_le_bytes());
    bytes.extend_from_slice(&view.head.root.0);
    bytes.extend_from_slice(&view.head.slot.0.to_le_bytes());
    bytes
}

/// The earliest slot from which we serve blocks and all of their data, given the first slot whose columns we have
/// whole. All blocks are kept, so that it is the first slot of all unless columns are missing that peers may ask for.
pub fn earliest_available_slot(view: &View, columns_since: Slot) -> Slot {
    let (_, columns_from) = window(view, view.current_slot.epoch(view.spec));
    let first = view.spec.fork_epoch(ForkName::Fulu).start_slot(view.spec).max(columns_from);
    if columns_since <= first { Slot(0) } else { columns_since }
}

/// A peer's Status message: its fork digest, and the rest. The earliest slot that it serves comes with the second
/// version of the message only.
pub fn read_status(bytes: &[u8], earliest_available_slot: Option<u64>) -> Option<(ForkDigest, Status)> {
    let bytes: &[u8; STATUS_LEN] = bytes.try_into().ok()?;
    let number = |at: usize| u64::from_le_bytes(bytes[at..at + 8].try_into().expect("8 bytes"));
    let root = |at: usize| Root::try_from(&bytes[at..at + 32]).expect("32 bytes");
    let digest = ForkDigest::try_from(&bytes[..4]).expect("4 bytes");
    let status = Status {
        finalized_root: root(4),
        finalized_epoch: Epoch(number(36)),
        head_root: root(44),
        head_slot: Slot(number(76)),
        earliest_available_slot: Slot(earliest_available_slot.unwrap_or_default()),
    };
    Some((digest, status))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_status_of_another_length_is_no_status() {
        assert!(read_status(&[0; 83], None).is_none());
        let mut bytes = vec![0; 84];
        bytes[36] = 7;
        bytes[76] = 9;
        let (_, status) = read_status(&bytes, Some(4)).unwrap();
        assert_eq!((status.finalized_epoch, status.head_slot), (Epoch(7), Slot(9)));
        assert_eq!(status.earliest_available_slot, Slot(4));
        assert_eq!(read_status(&bytes, None).unwrap().1.earliest_available_slot, Slot(0));
    }
}
