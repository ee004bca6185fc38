//! The persistent list that large states are made of.
//!
//! Elements lie in pages that clones share; a write copies one page (and, the first time after a clone, the page
//! table). Each page remembers the root of its subtree until it is written, so hashing after a change touches
//! only the pages that changed. Inside a page elements are contiguous: iteration runs at memory speed.
//!
//! One type serves lists and vectors: the declaration says which, and so only there is a length fixed.
//! The elements of a `List` must not change their own shape between forks, since a page's root is kept across
//! an upgrade of the state; no container of the specification does that.

use std::fmt;
use std::ops::{Index, IndexMut};
use std::sync::{Arc, OnceLock};

use serde_json::Value;

use crate::merkle::{depth_of, merkleize, merkleize_nodes, mix_in_length};
use crate::proof::descend_sequence;
use crate::{Bound, Ctx, DecodeError, Descent, JsonError, Root, Schema, Shape, Ssz, sequence};

/// Elements in a page of containers.
const PAGE_ITEMS: usize = 32;
/// Chunks in a page of numbers.
const PAGE_CHUNKS: usize = 128;

/// A persistent list: cheap to clone, cheap to hash again.
#[derive(Clone)]
pub struct List<T> {
    pages: Arc<Vec<Arc<Page<T>>>>,
    len: usize,
}

struct Page<T> {
    items: Vec<T>,
    root: OnceLock<Root>,
}

impl<T: Clone> Clone for Page<T> {
    /// A copy is made to be written, so it starts without a root.
    fn clone(&self) -> Self {
        let mut items = Vec::with_capacity(self.items.capacity());
        items.extend_from_slice(&self.items);
        Self { items, root: OnceLock::new() }
    }
}

impl<T: Ssz> List<T> {
    /// Elements in a page: a power of two, and a whole number of chunks.
    const PER_PAGE: usize = if T::BASIC { PAGE_CHUNKS * 32 / size_of::<T>() } else { PAGE_ITEMS };

    /// The count of elements.
    pub fn len(&self) -> usize {
        self.len
    }

    /// True where there are no elements.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The element at `index`, if there is one.
    pub fn get(&self, index: usize) -> Option<&T> {
        (index < self.len).then(|| &self.pages[index / Self::PER_PAGE].items[index % Self::PER_PAGE])
    }

    /// The element at `index` to be changed, if there is one. Its page is copied where it is shared, and will be
    /// hashed again: do not ask for what you may not change.
    pub fn get_mut(&mut self, index: usize) -> Option<&mut T> {
        if index >= self.len {
            return None;
        }
        let page = Self::writable(&mut Arc::make_mut(&mut self.pages)[index / Self::PER_PAGE]);
        Some(&mut page.items[index % Self::PER_PAGE])
    }

    /// Appends an element.
    pub fn push(&mut self, item: T) {
        let pages = Arc::make_mut(&mut self.pages);
        if self.len.is_multiple_of(Self::PER_PAGE) {
            pages.push(Arc::new(Page { items: Vec::new(), root: OnceLock::new() }));
        }
        let last = pages.last_mut().expect("a page was added where none had room");
        Self::writable(last).items.push(item);
        self.len += 1;
    }

    /// The elements in order.
    pub fn iter(&self) -> Iter<'_, T> {
        Iter { pages: self.pages.iter(), page: [].iter(), left: self.len }
    }

    /// Changes every element in order; `change` returns true where it changed the element it was given.
    /// Pages without a change stay shared and keep their roots.
    pub fn update(&mut self, mut change: impl FnMut(usize, &T) -> Option<T>) {
        let pages = Arc::make_mut(&mut self.pages);
        for (number, page) in pages.iter_mut().enumerate() {
            for place in 0..page.items.len() {
                if let Some(item) = change(number * Self::PER_PAGE + place, &page.items[place]) {
                    Self::writable(page).items[place] = item;
                }
            }
        }
    }

    /// The elements in order, as slices of pages: what a pass over all of them should read.
    pub fn slices(&self) -> impl Iterator<Item = &[T]> {
        self.pages.iter().map(|page| page.items.as_slice())
    }

    /// Shows every page in order, with the index of its first element, to be changed in part or whole. Pages that are
    /// only read stay shared and keep their roots.
    pub fn for_each_page(&mut self, mut change: impl FnMut(usize, PageMut<'_, T>)) {
        let pages = Arc::make_mut(&mut self.pages);
        for (number, page) in pages.iter_mut().enumerate() {
            change(number * Self::PER_PAGE, PageMut { page });
        }
    }

    /// Removes all elements.
    pub fn clear(&mut self) {
        *self = Self::default();
    }

    /// The elements as one vector.
    pub fn to_vec(&self) -> Vec<T> {
        self.iter().cloned().collect()
    }

    fn writable(page: &mut Arc<Page<T>>) -> &mut Page<T> {
        let page = Arc::make_mut(page);
        page.root = OnceLock::new();
        page
    }

    /// The root of a list or vector with `limit` leaves, through the pages' remembered roots.
    fn paged_root(&self, limit: u64, shape: &Shape, ctx: &Ctx) -> Root {
        let depth = depth_of(limit);
        let page_depth = depth_of(sequence::leaf_limit::<T>(Self::PER_PAGE as u64, shape, ctx));
        if depth < page_depth {
            return merkleize(sequence::leaves(self.iter(), shape, ctx), limit);
        }
        let page_root = |page: &Arc<Page<T>>| {
            *page.root.get_or_init(|| {
                merkleize_nodes(sequence::leaves(page.items.iter(), shape, ctx), 0, page_depth)
            })
        };
        merkleize_nodes(self.pages.iter().map(page_root).collect(), page_depth, depth - page_depth)
    }
}

/// A page of a [`List`] that may be changed: it is copied where it is shared, and hashed again, once it is written.
pub struct PageMut<'a, T> {
    page: &'a mut Arc<Page<T>>,
}

impl<T: Ssz> PageMut<'_, T> {
    /// The elements as they are.
    pub fn items(&self) -> &[T] {
        &self.page.items
    }

    /// The elements to be written.
    pub fn write(&mut self) -> &mut [T] {
        &mut List::writable(self.page).items
    }
}

impl<T> Default for List<T> {
    fn default() -> Self {
        Self { pages: Arc::default(), len: 0 }
    }
}

impl<T: Ssz> FromIterator<T> for List<T> {
    fn from_iter<I: IntoIterator<Item = T>>(items: I) -> Self {
        let mut list = Self::default();
        items.into_iter().for_each(|item| list.push(item));
        list
    }
}

impl<T: Ssz> From<Vec<T>> for List<T> {
    fn from(items: Vec<T>) -> Self {
        items.into_iter().collect()
    }
}

impl<T: Ssz> Index<usize> for List<T> {
    type Output = T;

    fn index(&self, index: usize) -> &T {
        self.get(index).expect("index below the list's length")
    }
}

impl<T: Ssz> IndexMut<usize> for List<T> {
    fn index_mut(&mut self, index: usize) -> &mut T {
        self.get_mut(index).expect("index below the list's length")
    }
}

impl<T: PartialEq> PartialEq for List<T> {
    fn eq(&self, other: &Self) -> bool {
        // Pages have one size, so equal lists have equal pages; shared ones need no look inside.
        self.len == other.len
            && self.pages.iter().zip(other.pages.iter()).all(|(a, b)| Arc::ptr_eq(a, b) || a.items == b.items)
    }
}

impl<T: Eq> Eq for List<T> {}

impl<T: Ssz> fmt::Debug for List<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

/// The elements of a [`List`] in order.
#[derive(Clone)]
pub struct Iter<'a, T> {
    pages: std::slice::Iter<'a, Arc<Page<T>>>,
    page: std::slice::Iter<'a, T>,
    left: usize,
}

impl<'a, T> Iterator for Iter<'a, T> {
    type Item = &'a T;

    fn next(&mut self) -> Option<&'a T> {
        loop {
            if let Some(item) = self.page.next() {
                self.left -= 1;
                return Some(item);
            }
            self.page = self.pages.next()?.items.iter();
        }
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.left, Some(self.left))
    }
}

impl<T> ExactSizeIterator for Iter<'_, T> {}

impl<'a, T: Ssz> IntoIterator for &'a List<T> {
    type Item = &'a T;
    type IntoIter = Iter<'a, T>;

    fn into_iter(self) -> Iter<'a, T> {
        self.iter()
    }
}

impl<T: Ssz> Ssz for List<T> {
    fn fixed_len(shape: &Shape, ctx: &Ctx) -> Option<usize> {
        sequence::fixed_len::<T>(shape, ctx)
    }

    fn encoded_len(&self, shape: &Shape, ctx: &Ctx) -> usize {
        sequence::encoded_len(self.iter(), shape, ctx)
    }

    fn encode(&self, out: &mut Vec<u8>, shape: &Shape, ctx: &Ctx) {
        sequence::encode(self.iter(), out, shape, ctx);
    }

    fn decode(bytes: &[u8], shape: &Shape, ctx: &Ctx) -> Result<Self, DecodeError> {
        let mut list = Self::default();
        sequence::decode(bytes, shape, ctx, |item| list.push(item))?;
        Ok(list)
    }

    fn root(&self, shape: &Shape, ctx: &Ctx) -> Root {
        let root = match shape.bound(ctx) {
            Bound::Limit(limit) => self.paged_root(sequence::leaf_limit::<T>(limit, shape, ctx), shape, ctx),
            // Subtrees of 1, 4, 16 … leaves do not meet page borders, so a progressive list is hashed whole.
            Bound::Progressive => {
                return sequence::root_of_leaves::<T>(
                    sequence::leaves(self.iter(), shape, ctx),
                    self.len,
                    shape,
                    ctx,
                );
            }
        };
        if shape.is_vector() { root } else { mix_in_length(&root, self.len) }
    }

    fn descend(&self, descent: &mut Descent, shape: &Shape, ctx: &Ctx) -> Option<Root> {
        // At the root the pages' own memos serve.
        if descent.is_over() {
            return Some(self.root(shape, ctx));
        }
        descend_sequence(self.iter(), descent, shape, ctx)
    }

    fn default_in(shape: &Shape, ctx: &Ctx) -> Self {
        Vec::<T>::default_in(shape, ctx).into()
    }

    fn write_json(&self, out: &mut String, shape: &Shape, ctx: &Ctx) {
        sequence::write_json(self.iter(), out, shape, ctx);
    }

    fn read_json(value: &Value, shape: &Shape, ctx: &Ctx) -> Result<Self, JsonError> {
        sequence::read_json(value, shape, ctx).map(Vec::into)
    }

    fn schema(shape: &Shape, ctx: &Ctx) -> Schema {
        sequence::schema::<T>(shape, ctx)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::BoundRef;

    const SHAPE: Shape = Shape::List(BoundRef::Const(1 << 40), &Shape::Plain);

    #[test]
    fn the_root_after_changes_equals_the_root_from_nothing() {
        let mut seed = 7u64;
        let mut random = move || {
            seed = seed.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
            (seed >> 33) as usize
        };
        let mut list = List::<u64>::default();
        for round in 0..60 {
            (0..random() % 300).for_each(|n| list.push(n as u64));
            let kept = list.clone();
            let before = kept.root(&SHAPE, &Ctx::PLAIN);
            for _ in 0..random() % 20 {
                if !list.is_empty() {
                    let place = random() % list.len();
                    list[place] = round;
                }
            }
            let naive = list.to_vec();
            assert_eq!(list.root(&SHAPE, &Ctx::PLAIN), naive.root(&SHAPE, &Ctx::PLAIN));
            assert_eq!(kept.root(&SHAPE, &Ctx::PLAIN), before);
            assert_eq!(kept.to_vec().root(&SHAPE, &Ctx::PLAIN), before);
        }
    }

    #[test]
    fn update_leaves_untouched_pages_shared() {
        let original: List<u64> = (0..5000).collect();
        let mut list = original.clone();
        list.update(|index, _| (index == 4000).then_some(1));
        let shared = list.pages.iter().zip(original.pages.iter()).filter(|(a, b)| Arc::ptr_eq(a, b)).count();
        assert_eq!(shared, list.pages.len() - 1);
        assert_eq!(list[4000], 1);
        assert_eq!(list.iter().len(), 5000);
        let before = list.clone();
        list.for_each_page(|start, mut page| {
            if (start..start + page.items().len()).contains(&4000) {
                assert_eq!(page.items()[4000 - start], 1);
                page.write()[4000 - start] = 2;
            }
        });
        let shared = list.pages.iter().zip(before.pages.iter()).filter(|(a, b)| Arc::ptr_eq(a, b)).count();
        assert_eq!((shared, list[4000], before[4000]), (list.pages.len() - 1, 2, 1));
        assert_eq!(list.slices().map(<[u64]>::len).sum::<usize>(), 5000);
    }
}
