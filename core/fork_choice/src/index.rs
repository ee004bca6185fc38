//! From block roots to indices.

use std::collections::BTreeMap;

use types::Root;

/// The first bytes of a root, so that keys compare as the roots do.
pub(crate) fn sort_key(root: &Root) -> u64 {
    let first = root.0.first_chunk().expect("a root has 32 bytes");
    u64::from_be_bytes(*first)
}

/// Finds blocks by their roots, of which the caller keeps the list.
///
/// Ordered, not hashed: the core draws no randomness, and a fixed hash could be ground against. Eight bytes of the root
/// suffice for all but roots that someone made to begin alike, which are kept whole. Half the memory and half the time
/// of a map of whole roots.
#[derive(Clone, Debug, Default)]
pub(crate) struct Index {
    by_key: BTreeMap<u64, u32>,
    /// Roots whose key another block had first.
    alike: BTreeMap<Root, u32>,
}

impl Index {
    /// The index of all blocks in `roots`, which are distinct.
    pub fn of_all(roots: impl Iterator<Item = (Root, u32)>) -> Self {
        let mut all: Vec<(u64, u32, Root)> =
            roots.map(|(root, index)| (sort_key(&root), index, root)).collect();
        all.sort_unstable_by_key(|(key, index, _)| (*key, *index));
        let mut alike = BTreeMap::new();
        all.dedup_by(|next, first| {
            let is_alike = next.0 == first.0;
            if is_alike {
                alike.insert(next.2, next.1);
            }
            is_alike
        });
        Self { by_key: all.into_iter().map(|(key, index, _)| (key, index)).collect(), alike }
    }

    /// The index of a root; `root_of` gives the root of an index.
    pub fn get(&self, root: &Root, root_of: impl Fn(u32) -> Root) -> Option<u32> {
        match self.by_key.get(&sort_key(root)) {
            Some(index) if root_of(*index) == *root => Some(*index),
            _ if self.alike.is_empty() => None,
            _ => self.alike.get(root).copied(),
        }
    }

    /// Adds a root that is not there.
    pub fn insert(&mut self, root: Root, index: u32) {
        match self.by_key.entry(sort_key(&root)) {
            std::collections::btree_map::Entry::Vacant(entry) => drop(entry.insert(index)),
            std::collections::btree_map::Entry::Occupied(_) => drop(self.alike.insert(root, index)),
        }
    }

    /// Removes a root that has this index.
    pub fn remove(&mut self, root: &Root, index: u32) {
        match self.by_key.get(&sort_key(root)) {
            Some(there) if *there == index => drop(self.by_key.remove(&sort_key(root))),
            _ => drop(self.alike.remove(root)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn roots_that_begin_alike_are_told_apart() {
        let roots: Vec<Root> = [[1, 0], [1, 1], [2, 2], [1, 3]]
            .map(|[first, last]| {
                let mut root = Root::ZERO;
                (root.0[0], root.0[31]) = (first, last);
                root
            })
            .to_vec();
        let root_of = |index: u32| roots[index as usize];
        let mut one_by_one = Index::default();
        for (root, index) in roots.iter().zip(0..) {
            assert_eq!(one_by_one.get(root, root_of), None);
            one_by_one.insert(*root, index);
        }
        for mut index in [one_by_one, Index::of_all(roots.iter().copied().zip(0..))] {
            let found = |index: &Index| roots.iter().map(|root| index.get(root, root_of)).collect::<Vec<_>>();
            assert_eq!(found(&index), [Some(0), Some(1), Some(2), Some(3)]);
            index.remove(&roots[0], 0);
            assert_eq!(found(&index), [None, Some(1), Some(2), Some(3)]);
            index.remove(&roots[3], 3);
            assert_eq!(found(&index), [None, Some(1), Some(2), None]);
            index.insert(roots[0], 0);
            assert_eq!(found(&index), [Some(0), Some(1), Some(2), None]);
        }
    }
}
