//! What is known of an engine, and when it is looked at again. Sans-I/O: time comes in.

use std::time::Duration;

use tokio::time::Instant;

use crate::EngineError;

/// What is known of an engine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum EngineState {
    /// It answers, and is at the head of its chain.
    Online,
    /// It answers, and is catching up.
    Syncing,
    /// It was not asked yet.
    Unchecked,
    /// It does not answer, or not with what it should.
    Offline,
    /// It does not accept our token.
    Unauthorized,
    /// It is of another chain.
    WrongChain,
}

impl EngineState {
    /// True where it makes sense to ask it.
    pub fn is_usable(self) -> bool {
        self <= Self::Unchecked
    }
}

/// When an engine that cannot be used is looked at again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Backoff {
    /// After the first failure; each further one doubles it.
    pub first: Duration,
    /// Never later than this.
    pub longest: Duration,
    /// When an engine that can be used is looked at again.
    pub healthy: Duration,
}

impl Default for Backoff {
    fn default() -> Self {
        Self {
            first: Duration::from_secs(1),
            longest: Duration::from_secs(30),
            healthy: Duration::from_secs(12),
        }
    }
}

/// The health of one engine.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Health {
    backoff: Backoff,
    state: EngineState,
    failures: u32,
    next_check: Instant,
}

impl Health {
    pub(crate) fn new(backoff: Backoff, now: Instant) -> Self {
        Self { backoff, state: EngineState::Unchecked, failures: 0, next_check: now }
    }

    pub(crate) fn state(&self) -> EngineState {
        self.state
    }

    /// When it is to be looked at again.
    pub(crate) fn next_check(&self) -> Instant {
        self.next_check
    }

    /// Takes in that a call was answered. True where that is news of an engine that was offline: it is to be looked at
    /// now, since it may have become another one.
    pub(crate) fn answered(&mut self, now: Instant) -> bool {
        let is_back = self.state == EngineState::Offline && self.next_check > now;
        if is_back {
            self.next_check = now;
        }
        is_back
    }

    /// Takes in what a look, or a call, has shown. The state before, where it was another: the one time to say so.
    pub(crate) fn note(&mut self, now: Instant, state: EngineState) -> Option<EngineState> {
        if state.is_usable() {
            self.failures = 0;
            self.next_check = now + self.backoff.healthy;
        } else {
            let wait = self.backoff.first.saturating_mul(1 << self.failures.min(16));
            self.failures = self.failures.saturating_add(1);
            self.next_check = now + wait.min(self.backoff.longest);
        }
        let before = std::mem::replace(&mut self.state, state);
        (before != state).then_some(before)
    }
}

/// What a failed call shows of the engine; none where it shows nothing, as an engine that refuses is there.
pub(crate) fn state_after(error: &EngineError) -> Option<EngineState> {
    match error {
        EngineError::Unauthorized { .. } => Some(EngineState::Unauthorized),
        EngineError::WrongChain { .. } => Some(EngineState::WrongChain),
        EngineError::Refused { .. } | EngineError::NoSuchMethod { .. } => None,
        // One answer that cannot be read does not take the engine away from all other methods.
        EngineError::Malformed { .. } | EngineError::TooLarge { .. } => None,
        EngineError::Unreachable(_)
        | EngineError::Timeout { .. }
        | EngineError::Http { .. }
        | EngineError::NotRpc { .. } => Some(EngineState::Offline),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failures_back_off_to_a_longest_wait_and_a_success_ends_that() {
        let now = Instant::now();
        let mut health = Health::new(Backoff::default(), now);
        assert_eq!(health.next_check(), now);
        let mut waits = Vec::new();
        for _ in 0..40 {
            health.note(now, EngineState::Offline);
            waits.push((health.next_check() - now).as_secs());
        }
        assert_eq!(waits[..7], [1, 2, 4, 8, 16, 30, 30]);
        assert_eq!(waits[39], 30);
        health.note(now, EngineState::Online);
        assert_eq!((health.next_check() - now).as_secs(), 12);
        health.note(now, EngineState::Offline);
        assert_eq!((health.next_check() - now).as_secs(), 1);
    }

    #[test]
    fn an_answer_of_an_offline_engine_has_it_looked_at_at_once() {
        let now = Instant::now();
        let mut health = Health::new(Backoff::default(), now);
        health.note(now, EngineState::Online);
        assert!(!health.answered(now));
        for _ in 0..9 {
            health.note(now, EngineState::Offline);
        }
        assert!(health.answered(now));
        assert_eq!((health.next_check(), health.state()), (now, EngineState::Offline));
        assert!(!health.answered(now), "it is due already");
    }

    #[test]
    fn only_a_change_of_state_is_told() {
        let now = Instant::now();
        let mut health = Health::new(Backoff::default(), now);
        assert_eq!(health.note(now, EngineState::Online), Some(EngineState::Unchecked));
        assert_eq!(health.note(now, EngineState::Online), None);
        assert_eq!(health.note(now, EngineState::Offline), Some(EngineState::Online));
        assert_eq!(health.note(now, EngineState::Offline), None);
        assert_eq!(health.note(now, EngineState::Unauthorized), Some(EngineState::Offline));
    }
}
