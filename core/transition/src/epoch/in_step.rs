//! Reading one list of a state in step with the pages of another.

use types::{List, Ssz};

/// A list that is read in pieces of sizes that another list's pages decide. Pieces that lie within a page of its own,
/// as those of numbers of one size do, are not copied.
pub(super) struct InStep<'a, T> {
    pages: Box<dyn Iterator<Item = &'a [T]> + 'a>,
    /// What is left of the last page.
    left: &'a [T],
    copy: Vec<T>,
}

impl<'a, T: Ssz + Clone> InStep<'a, T> {
    pub(super) fn new(list: &'a List<T>) -> Self {
        Self { pages: Box::new(list.slices()), left: &[], copy: Vec::new() }
    }

    /// The next so many elements, or as many as there are left.
    pub(super) fn next(&mut self, count: usize) -> &[T] {
        if self.left.is_empty() {
            self.left = self.pages.next().unwrap_or_default();
        }
        if self.left.len() >= count {
            let (piece, left) = self.left.split_at(count);
            self.left = left;
            return piece;
        }
        self.copy.clear();
        while self.copy.len() < count {
            if self.left.is_empty() {
                match self.pages.next() {
                    Some(page) => self.left = page,
                    None => break,
                }
            }
            let (piece, left) = self.left.split_at(self.left.len().min(count - self.copy.len()));
            self.copy.extend_from_slice(piece);
            self.left = left;
        }
        &self.copy
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_of_any_size_are_the_list_in_order() {
        let list: List<u64> = (0..3000).collect();
        for sizes in [vec![512], vec![1, 600, 7], vec![5000], vec![100, 412]] {
            let mut in_step = InStep::new(&list);
            let mut read = Vec::new();
            for size in sizes.iter().cycle() {
                let piece = in_step.next(*size);
                if piece.is_empty() {
                    break;
                }
                read.extend_from_slice(piece);
            }
            assert_eq!(read, list.to_vec());
        }
    }
}
