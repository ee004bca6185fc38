//! Messages that wait for the node's verdict, as long as gossipsub can still act upon it.
//!
//! Gossipsub forgets a message after `mcache_len` heartbeats. A verdict may take longer: a vote waits for its block, and a
//! block for its parent. Then there is nothing left to forward, which is no fault of anybody.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use super::message_id::MessageId;
use crate::config::GossipParams;

/// Messages that wait. Overflow rule: a further one is given up at once, as one that finds the node too busy.
const UNJUDGED_MAX: usize = 65_536;

/// The messages without a verdict, by the time they came.
#[derive(Debug)]
pub(crate) struct Unjudged {
    since: HashMap<MessageId, Instant>,
    lifetime: Duration,
}

impl Unjudged {
    pub(crate) fn new(params: &GossipParams) -> Self {
        // Heartbeats are not counted from the message's coming: it may come right before the first of them.
        let beats = u64::try_from(params.history_length.saturating_sub(1)).unwrap_or(u64::MAX);
        let lifetime = Duration::from_millis(params.heartbeat_ms.saturating_mul(beats));
        Self { since: HashMap::new(), lifetime }
    }

    /// Notes a message that came; false where there is no room.
    pub(crate) fn note(&mut self, id: MessageId, now: Instant) -> bool {
        let has_room = self.since.len() < UNJUDGED_MAX;
        if has_room {
            self.since.insert(id, now);
        }
        has_room
    }

    /// Takes out a message whose verdict has come; false where that is too late, or the second.
    pub(crate) fn judge(&mut self, id: &MessageId, now: Instant) -> bool {
        let since = self.since.remove(id);
        since.is_some_and(|since| now.saturating_duration_since(since) < self.lifetime)
    }

    /// Forgets those whose verdict would come too late.
    pub(crate) fn expire(&mut self, now: Instant) {
        let lifetime = self.lifetime;
        self.since.retain(|_, since| now.saturating_duration_since(*since) < lifetime);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_verdict_counts_once_and_while_gossipsub_knows_the_message() {
        let (now, mut unjudged) = (Instant::now(), Unjudged::new(&GossipParams::default()));
        let id = |byte| MessageId([byte; 20]);
        assert!((1..=3).all(|byte| unjudged.note(id(byte), now)));
        assert!(unjudged.judge(&id(1), now + Duration::from_millis(3499)));
        assert!(!unjudged.judge(&id(1), now), "its second verdict");
        assert!(!unjudged.judge(&id(2), now + Duration::from_millis(3500)));
        unjudged.expire(now + Duration::from_millis(3500));
        assert!(unjudged.since.is_empty());
    }

    #[test]
    fn messages_without_a_verdict_are_bounded() {
        let (now, mut unjudged) = (Instant::now(), Unjudged::new(&GossipParams::default()));
        let id = |number: usize| {
            let mut id = [0; 20];
            id[..8].copy_from_slice(&number.to_le_bytes());
            MessageId(id)
        };
        assert!((0..UNJUDGED_MAX).all(|number| unjudged.note(id(number), now)));
        assert!(!unjudged.note(id(UNJUDGED_MAX), now));
        assert_eq!(unjudged.since.len(), UNJUDGED_MAX);
    }
}
