//! Looking for the bad ones of a batch that failed.
//!
//! Halves of halves are asked, first of pieces, then of the messages of a bad piece, then of the sets of a bad message.
//! The Miller loops are done once for a piece and once for a message, the points were decompressed before, and so a
//! question costs one final exponentiation and a sum of signatures. Who is found is verified alone before being
//! called bad.
//!
//! That is quick where few are bad. Where many are, asking would cost more than to verify each. So there are half as
//! many questions as sets, and when they are used up all who are left are verified alone.

use std::cell::Cell;

use blst::blst_fp12;
use blst::min_pk::Signature;

use crate::batch::{Batch, is_equal};
use crate::factor::{Factor, Signatures, weighted_sum};

/// Sets with the product of their Miller loops.
struct Share {
    /// None where keys times factors add up to infinity. Such a share is taken for bad.
    product: Option<blst_fp12>,
    places: Vec<usize>,
}

/// A batch, and the points of its signatures, all of the subgroup.
struct Search<'a> {
    batch: &'a Batch,
    points: &'a [Option<Signature>],
    /// Questions that are left.
    questions: Cell<usize>,
}

/// The places of the sets that are invalid, of those that have a point. The products are those of the batch's pieces of
/// pairings.
pub(crate) fn find(
    batch: &Batch,
    points: &[Option<Signature>],
    products: &[Option<blst_fp12>],
) -> Vec<usize> {
    let mut invalid = Vec::new();
    let search = Search { batch, points, questions: Cell::new(points.len() / 2) };
    let pieces = products.iter().enumerate().map(|(number, product)| {
        let places = batch.piece_of_messages(number).flat_map(|message| search.members(message));
        Share { product: *product, places: places.collect() }
    });
    let pieces: Vec<Share> = pieces.collect();
    for piece in bad_ones(&pieces, &|shares| search.are_valid(shares)) {
        let messages = batch.piece_of_messages(piece).map(|message| search.share(search.members(message)));
        let messages: Vec<Share> = messages.collect();
        for message in bad_ones(&messages, &|shares| search.are_valid(shares)) {
            let places = &messages[message].places;
            let found = bad_ones(places, &|places| search.are_signed(places));
            let found = found.into_iter().map(|at| places[at]);
            invalid.extend(found.filter(|place| !search.is_signed(*place)));
        }
    }
    invalid
}

impl Search<'_> {
    fn members(&self, message: usize) -> Vec<usize> {
        let members = self.batch.members(message).iter().copied();
        members.filter(|place| self.points[*place].is_some()).collect()
    }

    fn share(&self, places: Vec<usize>) -> Share {
        let is_spent = self.questions.get() == 0;
        let product = if is_spent { None } else { self.batch.product_of([places.clone()].into_iter(), None) };
        Share { product, places }
    }

    /// False too where there are no questions left.
    fn are_valid(&self, shares: &[Share]) -> bool {
        let Some(left) = self.questions.get().checked_sub(1) else { return false };
        self.questions.set(left);
        let products = shares.iter().map(|share| share.product);
        let product = products.reduce(|all, one| Some(all? * one?)).flatten();
        let places = shares.iter().flat_map(|share| share.places.iter().copied());
        let weighed = places.filter_map(|place| Some((self.points[place]?, self.batch.factor(place))));
        let (points, factors): (Vec<Signature>, Vec<Factor>) = weighed.unzip();
        product.is_some_and(|product| is_equal(&product, &weighted_sum::<Signatures>(&points, &factors)))
    }

    /// Whether sets of one message are valid; false too where there are no questions left.
    fn are_signed(&self, places: &[usize]) -> bool {
        self.are_valid(&[self.share(places.to_vec())])
    }

    /// Whether a set is valid by itself.
    fn is_signed(&self, place: usize) -> bool {
        self.points[place].is_some_and(|point| self.batch.set(place).is_signed_with(&point))
    }
}

/// The places of the bad ones of some that are together known to be bad.
fn bad_ones<T>(items: &[T], are_valid: &impl Fn(&[T]) -> bool) -> Vec<usize> {
    if items.len() < 2 {
        return (0..items.len()).collect();
    }
    let (left, right) = items.split_at(items.len() / 2);
    let left_is_valid = are_valid(left);
    let mut bad = if left_is_valid { Vec::new() } else { bad_ones(left, are_valid) };
    // Where the left half is valid the fault is in the right one, so asking again would be for nothing.
    if left_is_valid || !are_valid(right) {
        bad.extend(bad_ones(right, are_valid).into_iter().map(|place| place + left.len()));
    }
    bad
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_bad_ones_are_found_and_none_besides() {
        for count in 1..9usize {
            for bad in 1..1usize << count {
                let items: Vec<usize> = (0..count).collect();
                let is_bad = |item: &usize| bad >> item & 1 == 1;
                let found = bad_ones(&items, &|items| !items.iter().any(is_bad));
                assert_eq!(found, items.iter().copied().filter(is_bad).collect::<Vec<_>>());
            }
        }
    }

    #[test]
    fn one_bad_one_of_many_takes_two_questions_for_each_halving() {
        for bad in [0, 500, 1023] {
            let asked = Cell::new(0);
            let items: Vec<usize> = (0..1024).collect();
            let found = bad_ones(&items, &|items| {
                asked.set(asked.get() + 1);
                !items.contains(&bad)
            });
            assert_eq!(found, [bad]);
            assert!(asked.get() <= 20, "{} questions", asked.get());
        }
    }
}
