//! What is going to happen, in the order of time, and of scheduling among things of one moment.

use std::collections::BTreeMap;

use types::Time;

/// Events by time and sequence number. Bounded by what the nodes and links have under way.
#[derive(Debug)]
pub struct Queue<E> {
    map: BTreeMap<(Time, u64), E>,
    next: u64,
}

impl<E> Default for Queue<E> {
    fn default() -> Self {
        Self { map: BTreeMap::new(), next: 0 }
    }
}

impl<E> Queue<E> {
    /// Schedules an event.
    pub fn push(&mut self, at: Time, event: E) {
        self.map.insert((at, self.next), event);
        self.next += 1;
    }

    /// The earliest event.
    pub fn pop(&mut self) -> Option<(Time, E)> {
        self.map.pop_first().map(|((at, _), event)| (at, event))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_of_one_moment_come_in_the_order_of_scheduling() {
        let mut queue = Queue::default();
        for (at, name) in [(5, "c"), (3, "a"), (5, "d"), (3, "b")] {
            queue.push(Time(at), name);
        }
        let order: Vec<_> = std::iter::from_fn(|| queue.pop()).map(|(_, name)| name).collect();
        assert_eq!(order, ["a", "b", "c", "d"]);
    }
}
