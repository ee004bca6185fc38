//! Going through a [`List`] in order.

use super::List;
use crate::Ssz;

/// The pages of a [`List`] in order, as slices.
#[derive(Clone)]
pub struct Pages<'a, T> {
    list: &'a List<T>,
    /// The index of the next page's first element.
    next: usize,
}

impl<'a, T: Ssz> Pages<'a, T> {
    pub(super) fn new(list: &'a List<T>) -> Self {
        Self { list, next: 0 }
    }
}

impl<'a, T: Ssz> Iterator for Pages<'a, T> {
    type Item = &'a [T];

    fn next(&mut self) -> Option<&'a [T]> {
        // The way down again for each page costs a few loads for the many elements of a page.
        let page = self.list.page_at(self.next)?;
        self.next += page.len();
        Some(page)
    }
}

/// The elements of a [`List`] in order.
#[derive(Clone)]
pub struct Iter<'a, T> {
    pages: Pages<'a, T>,
    page: std::slice::Iter<'a, T>,
}

impl<'a, T: Ssz> Iter<'a, T> {
    pub(super) fn new(list: &'a List<T>) -> Self {
        Self { pages: Pages::new(list), page: [].iter() }
    }
}

impl<'a, T: Ssz> Iterator for Iter<'a, T> {
    type Item = &'a T;

    #[inline]
    fn next(&mut self) -> Option<&'a T> {
        if let Some(item) = self.page.next() {
            return Some(item);
        }
        self.page = self.pages.next()?.iter();
        self.page.next()
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let left = self.page.len() + self.pages.list.len() - self.pages.next;
        (left, Some(left))
    }

    /// Passes over pages without a look inside.
    fn nth(&mut self, count: usize) -> Option<&'a T> {
        if count < self.page.len() {
            return self.page.nth(count);
        }
        let index = self.pages.next + (count - self.page.len());
        let page = self.pages.list.page_at(index);
        let Some(page) = page else {
            (self.pages.next, self.page) = (self.pages.list.len(), [].iter());
            return None;
        };
        let start = List::<T>::page_start(index);
        self.pages.next = start + page.len();
        self.page = page[index - start..].iter();
        self.page.next()
    }

    /// Goes through whole pages, which sums and collections of all elements are faster with.
    fn fold<A, F: FnMut(A, &'a T) -> A>(self, first: A, mut fold: F) -> A {
        let sum = self.page.fold(first, &mut fold);
        self.pages.fold(sum, |sum, page| page.iter().fold(sum, &mut fold))
    }
}

impl<T: Ssz> ExactSizeIterator for Iter<'_, T> {}

impl<'a, T: Ssz> IntoIterator for &'a List<T> {
    type Item = &'a T;
    type IntoIter = Iter<'a, T>;

    fn into_iter(self) -> Iter<'a, T> {
        self.iter()
    }
}
