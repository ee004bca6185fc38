//! Per-peer limits on what it asks of us. They outlive its connections for a while, so that dialling
//! again does not refill a bucket.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::protocol::Method;
use crate::config::{Quota, RequestLimits};

/// A token bucket as one instant: when it would be full again (generic cell rate algorithm).
#[derive(Debug, Clone, Copy, Default)]
struct Bucket(Option<Instant>);

impl Bucket {
    /// Takes `cost` tokens (never more than the whole bucket) and says how long the taker must wait.
    fn reserve(&mut self, quota: Quota, cost: u64, now: Instant) -> Duration {
        let period = Duration::from_millis(quota.per_ms);
        let tokens = quota.tokens.max(1);
        let cost = u32::try_from(cost).unwrap_or(u32::MAX).min(tokens);
        let full_again = self.0.map_or(now, |at| at.max(now)) + period / tokens * cost;
        self.0 = Some(full_again);
        full_again.duration_since(now).saturating_sub(period)
    }
}

#[derive(Debug, Default)]
struct Usage {
    buckets: [Bucket; Method::COUNT],
    open: [u32; Method::COUNT],
}

/// The limits of one peer, shared by its connections.
#[derive(Debug, Clone, Default)]
pub(crate) struct PeerLimits(Arc<Mutex<Usage>>);

/// An inbound request in progress; dropping it frees its place.
#[derive(Debug)]
pub(crate) struct Slot {
    limits: PeerLimits,
    method: Method,
}

impl PeerLimits {
    fn with<T>(&self, change: impl FnOnce(&mut Usage) -> T) -> T {
        // Counters cannot be left half-changed, so a poisoned lock is as good as a sound one.
        change(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// A place for one more concurrent request of `method`, or `None` if the peer has too many open.
    pub(crate) fn open(&self, method: Method, limits: &RequestLimits) -> Option<Slot> {
        self.with(|usage| {
            let open = &mut usage.open[method as usize];
            if *open >= limits.inbound_concurrent_max {
                return None;
            }
            *open += 1;
            Some(Slot { limits: self.clone(), method })
        })
    }

    /// How long a request must wait before it is served.
    pub(crate) fn reserve(&self, method: Method, ssz: &[u8], limits: &RequestLimits) -> Duration {
        let (quota, cost) = (method.quota(limits), method.items(ssz, limits));
        self.with(|usage| usage.buckets[method as usize].reserve(quota, cost, Instant::now()))
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        self.limits.with(|usage| usage.open[self.method as usize] -= 1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bucket_serves_its_burst_at_once_and_then_at_its_rate() {
        let quota = Quota { tokens: 10, per_ms: 1000 };
        let start = Instant::now();
        let mut bucket = Bucket::default();
        assert_eq!(bucket.reserve(quota, 10, start), Duration::ZERO);
        assert_eq!(bucket.reserve(quota, 1, start), Duration::from_millis(100));
        assert_eq!(bucket.reserve(quota, 2, start), Duration::from_millis(300));
        let later = start + Duration::from_millis(1300);
        assert_eq!(bucket.reserve(quota, 10, later), Duration::ZERO);
        // A request above the whole bucket costs the whole bucket, or it could never be served.
        assert_eq!(Bucket::default().reserve(quota, 1_000_000, start), Duration::ZERO);
    }

    #[test]
    fn open_requests_are_counted_until_they_are_dropped() {
        let limits = RequestLimits { inbound_concurrent_max: 2, ..RequestLimits::default() };
        let peer = PeerLimits::default();
        let first = peer.open(Method::Ping, &limits).unwrap();
        let _second = peer.open(Method::Ping, &limits).unwrap();
        assert!(peer.open(Method::Ping, &limits).is_none());
        assert!(peer.open(Method::Status, &limits).is_some());
        drop(first);
        assert!(peer.open(Method::Ping, &limits).is_some());
    }

    #[test]
    fn blobs_and_columns_have_quotas_of_their_own_by_the_sidecars_asked_for() {
        let limits = RequestLimits {
            blobs: Quota { tokens: 90, per_ms: 10_000 },
            columns: Quota { tokens: 1000, per_ms: 10_000 },
            ..RequestLimits::default()
        };
        let peer = PeerLimits::default();
        let range = |count: u64| [9u64.to_le_bytes(), count.to_le_bytes()].concat();
        let columns = |count| [&range(count)[..], &20u32.to_le_bytes(), &[0; 8 * 50]].concat();
        // Ten blocks of nine blobs, and twenty slots of fifty columns, are what each bucket holds.
        assert_eq!(peer.reserve(Method::BlobsByRange, &range(10), &limits), Duration::ZERO);
        assert_eq!(peer.reserve(Method::ColumnsByRange, &columns(20), &limits), Duration::ZERO);
        let wait = peer.reserve(Method::BlobsByRange, &range(1), &limits);
        assert!((900..=1000).contains(&wait.as_millis()), "{wait:?}");
        let wait = peer.reserve(Method::ColumnsByRange, &columns(10), &limits);
        assert!((4_900..=5_000).contains(&wait.as_millis()), "{wait:?}");
        // By root, and blocks, have other buckets.
        assert_eq!(peer.reserve(Method::BlobsByRoot, &[0; 40 * 9], &limits), Duration::ZERO);
        assert_eq!(peer.reserve(Method::BlocksByRoot, &[0; 32 * 128], &limits), Duration::ZERO);
    }
}
