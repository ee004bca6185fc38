//! The wall clock, as the machines of `core` count time.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use types::{Slot, Spec, Time};

/// Milliseconds since the Unix epoch; zero before it.
pub fn now() -> Time {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Time(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
}

/// The slot at a time; the genesis slot before genesis.
pub fn slot_at(spec: &Spec, genesis: Time, time: Time) -> Slot {
    Slot(time.since(genesis) / spec.config.slot_duration_ms)
}

/// How long until a moment; nothing where it is over.
pub fn until(moment: Time) -> Duration {
    Duration::from_millis(moment.since(now()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_before_genesis_is_the_genesis_slot() {
        let spec = Spec::minimal();
        let at = |ms: u64| slot_at(spec, Time(100_000), Time(ms));
        assert_eq!([at(0), at(99_999), at(105_999), at(106_000)], [0, 0, 0, 1].map(Slot));
    }
}
