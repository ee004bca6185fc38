//! Gossip messages under the numbers that the chain knows them by.

use std::collections::{HashMap, VecDeque};
use std::time::Instant;

use chain::{GossipId, WantReason};
use network::{MessageId, PeerId};

/// Messages whose senders are remembered after their verdict. The chain may want a block that a message named a
/// little later; who named the block is then asked first, and anyone else if that is forgotten.
const SENDERS_MAX: usize = 8192;

/// Messages without a verdict, and the senders of the last ones. The former are bounded by the chain, which owes
/// each a verdict and bounds what it keeps.
#[derive(Debug, Default)]
pub struct GossipIds {
    open: HashMap<GossipId, Open>,
    next: u64,
    /// Senders of the messages up to the last one.
    senders: VecDeque<Option<sync::PeerId>>,
}

/// A message without a verdict.
#[derive(Clone, Copy, Debug)]
pub struct Open {
    /// Its id on the network.
    pub message: MessageId,
    /// Who it came from.
    pub source: PeerId,
    /// Its topic, without a subnet.
    pub topic: &'static str,
    /// When the core took it.
    pub since: Instant,
}

impl GossipIds {
    /// Numbers a message.
    pub fn open(&mut self, message: Open, sender: Option<sync::PeerId>) -> GossipId {
        let id = GossipId(self.next);
        self.next += 1;
        self.open.insert(id, message);
        if self.senders.len() == SENDERS_MAX {
            self.senders.pop_front();
        }
        self.senders.push_back(sender);
        id
    }

    /// The message that a verdict is about; none where it had one already.
    pub fn close(&mut self, id: GossipId) -> Option<Open> {
        self.open.remove(&id)
    }

    /// Who sent the message that a block is wanted for, where that is known.
    pub fn source(&self, reason: WantReason) -> Option<sync::PeerId> {
        let (WantReason::Parent { from } | WantReason::Attested { from }) = reason;
        self.sender(from)
    }

    /// Who sent a message, where that is known.
    pub fn sender(&self, from: Option<GossipId>) -> Option<sync::PeerId> {
        let back = self.next.checked_sub(from?.0 + 1)?;
        let place = self.senders.len().checked_sub(usize::try_from(back).ok()? + 1)?;
        self.senders.get(place).copied().flatten()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn senders_are_known_after_the_verdict_until_many_others_came() {
        let mut ids = GossipIds::default();
        let open = Open {
            message: MessageId([0; 20]),
            source: PeerId::random(),
            topic: "beacon_block",
            since: Instant::now(),
        };
        let mut send = |number: u64| ids.open(open, Some(sync::PeerId(number)));
        let (first, second) = (send(5), send(6));
        let from = |id| WantReason::Parent { from: Some(id) };
        assert!(ids.close(first).is_some() && ids.close(first).is_none());
        assert_eq!(ids.source(from(first)), Some(sync::PeerId(5)));
        assert_eq!(ids.source(from(second)), Some(sync::PeerId(6)));
        assert_eq!(ids.source(from(GossipId(2))), None);
        for number in 0..SENDERS_MAX as u64 - 1 {
            ids.open(open, Some(sync::PeerId(number)));
        }
        assert_eq!(ids.source(from(first)), None);
        assert_eq!(ids.source(from(second)), Some(sync::PeerId(6)));
    }
}
