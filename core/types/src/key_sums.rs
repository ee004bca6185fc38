//! The sums of the keys of committees.
//!
//! Most aggregates are signed by nearly all of a committee, and each committee is met some twenty times: in the
//! aggregates of gossip and in blocks. So the sum of all its keys is kept, 104 bytes a committee, and the few that did
//! not sign are taken off.

use std::fmt;
use std::sync::OnceLock;

use crypto::PublicKey;

/// A memo for each committee of an epoch, made when the first is asked for. Of no account in comparisons.
#[derive(Default)]
pub struct KeySums(OnceLock<Box<[OnceLock<PublicKey>]>>);

impl KeySums {
    /// The memo of committee `number` of the epoch's `count`; none where there are fewer.
    pub fn of(&self, number: usize, count: usize) -> Option<&OnceLock<PublicKey>> {
        self.0.get_or_init(|| std::iter::repeat_with(OnceLock::new).take(count).collect()).get(number)
    }
}

impl PartialEq for KeySums {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Eq for KeySums {}

impl fmt::Debug for KeySums {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let known = self.0.get().map_or(0, |sums| sums.iter().filter(|sum| sum.get().is_some()).count());
        write!(f, "KeySums({known} known)")
    }
}
