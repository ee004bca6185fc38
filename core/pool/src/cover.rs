//! Maximum coverage, greedily: choose few sets that cover much weight.
//!
//! Greedy choice reaches at least 63 % of the optimum. A set's gain only shrinks while others are chosen, so the gains
//! in the heap are upper bounds, and a set is counted again only when it comes to the top.

use std::cmp::Reverse;
use std::collections::{BTreeSet, BinaryHeap};

/// The places of at most `limit` sets, best first, that together cover as much weight as greedy choice finds. Items
/// are `(item, weight)`; an item has the same weight in every set. Sets that would add nothing are not chosen.
pub fn maximum_cover<K: Ord + Copy>(sets: &[Vec<(K, u64)>], limit: usize) -> Vec<usize> {
    let gain = |set: &[(K, u64)], covered: &BTreeSet<K>| -> u64 {
        set.iter().filter(|(item, _)| !covered.contains(item)).map(|(_, weight)| weight).sum()
    };
    let mut covered = BTreeSet::new();
    // Among equal gains the first set wins, so that the result does not depend on the heap.
    let mut heap: BinaryHeap<(u64, Reverse<usize>)> =
        sets.iter().enumerate().map(|(place, set)| (gain(set, &covered), Reverse(place))).collect();
    let mut chosen = Vec::new();
    while chosen.len() < limit {
        let Some((bound, Reverse(place))) = heap.pop() else { break };
        let actual = gain(&sets[place], &covered);
        if actual == 0 {
            continue;
        }
        if actual < bound {
            heap.push((actual, Reverse(place)));
            continue;
        }
        covered.extend(sets[place].iter().map(|(item, _)| *item));
        chosen.push(place);
    }
    chosen
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(sets: &[&[u32]], limit: usize, expected: &[usize]) {
        let weighted: Vec<Vec<(u32, u64)>> =
            sets.iter().map(|set| set.iter().map(|item| (*item, u64::from(*item % 10))).collect()).collect();
        assert_eq!(maximum_cover(&weighted, limit), expected);
    }

    #[test]
    fn the_heaviest_set_comes_first() {
        check(&[&[1, 11], &[9], &[2, 3]], 2, &[1, 2]);
    }

    #[test]
    fn what_is_covered_counts_no_more() {
        check(&[&[9, 8], &[9, 18], &[4]], 2, &[0, 1]);
        check(&[&[9, 8], &[9, 2], &[4]], 2, &[0, 2]);
    }

    #[test]
    fn sets_that_add_nothing_are_left_out() {
        check(&[&[5, 6], &[5], &[6], &[]], 4, &[0]);
    }
}
