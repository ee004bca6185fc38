//! The persistent list that large states are made of.
//!
//! ```text
//!                 List ── length, own root
//!                  │
//!               branch ── root of the subtree, once it was computed
//!            ┌─────┼─────┐
//!         branch   …   branch           32 children each
//!        ┌──┼──┐       ┌──┼──┐
//!      page … page   page … page        elements side by side, and the root of the page
//! ```
//!
//! Clones share the whole tree; a write copies one page and the branches above it, unless they are this list's own
//! already, and forgets their roots. So hashing after a change costs what changed, cloning costs nothing, and states
//! that differ little take little room. Inside a page elements are contiguous: iteration runs at memory speed.
//! Pages that are the same are one page where that is found cheaply: in [`List::filled`], and when bytes are read.
//!
//! One type serves lists and vectors: the declaration says which, and so only there is a length fixed.
//! The elements of a `List` must not change their own shape between forks, since a page's root is kept across
//! an upgrade of the state; no container of the specification does that.

mod hashing;
mod iter;
mod tree;

use std::fmt;
use std::ops::{Index, IndexMut};
use std::sync::{Arc, OnceLock};

use serde_json::Value;

use crate::proof::descend_sequence;
use crate::{Ctx, DecodeError, Descent, JsonError, Root, Schema, Shape, Ssz, sequence};
use hashing::Memo;
pub use iter::{Iter, Pages};
pub use tree::PageMut;
use tree::{Page, Tree};

/// A persistent list: cheap to clone, cheap to hash again.
#[derive(Clone)]
pub struct List<T> {
    tree: Option<Tree<T>>,
    /// Branches above each page.
    height: usize,
    len: usize,
    /// The root of the whole, dropped at every write.
    memo: OnceLock<Memo>,
}

impl<T: Ssz> List<T> {
    /// So many times the same value: pages and branches are shared, so that it takes and costs next to nothing.
    pub fn filled(value: T, len: usize) -> Self {
        let per_page = Page::<T>::ROOM;
        let page = Page::new(vec![value.clone(); per_page.min(len)]);
        let mut pages = vec![page; len / per_page];
        if !len.is_multiple_of(per_page) {
            pages.push(Page::new(vec![value; len % per_page]));
        }
        Self::over_pages(pages, len)
    }

    fn over_pages(pages: Vec<Arc<Page<T>>>, len: usize) -> Self {
        let (tree, height) = Tree::over_pages(pages);
        Self { tree, height, len, memo: OnceLock::new() }
    }

    /// The count of elements.
    #[inline]
    pub fn len(&self) -> usize {
        self.len
    }

    /// True where there are no elements.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The page with the element at `index`, if there is one.
    #[inline]
    fn page_at(&self, index: usize) -> Option<&[T]> {
        match &self.tree {
            Some(tree) if index < self.len => Some(tree.page_at(index, self.height)),
            _ => None,
        }
    }

    /// The index of the first element of the page that holds `index`.
    fn page_start(index: usize) -> usize {
        index - index % Page::<T>::ROOM
    }

    /// The element at `index`, if there is one.
    #[inline]
    pub fn get(&self, index: usize) -> Option<&T> {
        self.page_at(index).map(|page| &page[index % Page::<T>::ROOM])
    }

    /// The element at `index` to be changed, if there is one. Its page is copied where it is shared, and will be
    /// hashed again: do not ask for what you may not change.
    #[inline]
    pub fn get_mut(&mut self, index: usize) -> Option<&mut T> {
        if index >= self.len {
            return None;
        }
        self.memo.take();
        let page = self.tree.as_mut()?.page_at_mut(index, self.height);
        Some(&mut page[index % Page::<T>::ROOM])
    }

    /// Appends an element.
    pub fn push(&mut self, item: T) {
        self.memo.take();
        let index = self.len;
        self.len += 1;
        match &mut self.tree {
            None => self.tree = Some(Tree::Page(Page::new(vec![item]))),
            Some(tree) => self.height = tree.push(index, self.height, item),
        }
    }

    /// The elements in order.
    pub fn iter(&self) -> Iter<'_, T> {
        Iter::new(self)
    }

    /// Changes elements in order; `change` returns the new value where there is one.
    /// Pages without a change stay shared and keep their roots.
    pub fn update(&mut self, mut change: impl FnMut(usize, &T) -> Option<T>) {
        self.for_each_page(|start, mut page| {
            for place in 0..page.items().len() {
                if let Some(item) = change(start + place, &page.items()[place]) {
                    page.write()[place] = item;
                }
            }
        });
    }

    /// The elements in order, as slices of pages: what a pass over all of them should read.
    pub fn slices(&self) -> Pages<'_, T> {
        Pages::new(self)
    }

    /// Shows every page in order, with the index of its first element, to be changed in part or whole. Pages that are
    /// only read stay shared and keep their roots.
    pub fn for_each_page(&mut self, mut change: impl FnMut(usize, PageMut<'_, T>)) {
        let Some(tree) = &mut self.tree else { return };
        if tree.visit(self.height, &mut change) {
            self.memo.take();
        }
    }

    /// Makes these the elements. Pages that have just these already stay shared and keep their roots.
    pub fn assign(&mut self, items: &[T]) {
        if items.len() != self.len {
            *self = Self::from_slice(items);
            return;
        }
        self.for_each_page(|start, mut page| {
            let end = start + page.items().len();
            page.set(&items[start..end]);
        });
    }

    /// A list of copies of these elements.
    pub fn from_slice(items: &[T]) -> Self {
        let pages = items.chunks(Page::<T>::ROOM).map(|page| Page::new(page.to_vec())).collect();
        Self::over_pages(pages, items.len())
    }

    /// Removes all elements.
    pub fn clear(&mut self) {
        *self = Self::default();
    }

    /// The elements as one vector.
    pub fn to_vec(&self) -> Vec<T> {
        let mut items = Vec::with_capacity(self.len);
        self.slices().for_each(|page| items.extend_from_slice(page));
        items
    }

    /// Reads elements of one size. Pages with the bytes of the page before are that page.
    fn decode_fixed(bytes: &[u8], len: usize) -> Result<Self, DecodeError> {
        let per_page = Page::<T>::ROOM;
        let mut pages: Vec<Arc<Page<T>>> = Vec::with_capacity((bytes.len() / len).div_ceil(per_page));
        let mut before: &[u8] = &[];
        for part in bytes.chunks(len * per_page) {
            match pages.last() {
                Some(last) if before == part => pages.push(last.clone()),
                _ => {
                    let mut items = Vec::new();
                    T::read_slice(part, &mut items).map_err(|error| {
                        error.within(format!("[{}]", pages.len() * per_page + items.len()))
                    })?;
                    pages.push(Page::new(items));
                }
            }
            before = part;
        }
        Ok(Self::over_pages(pages, bytes.len() / len))
    }
}

impl<T> Default for List<T> {
    fn default() -> Self {
        Self { tree: None, height: 0, len: 0, memo: OnceLock::new() }
    }
}

impl<T: Ssz> FromIterator<T> for List<T> {
    fn from_iter<I: IntoIterator<Item = T>>(items: I) -> Self {
        let mut items = items.into_iter();
        let (mut pages, mut len) = (Vec::new(), 0);
        loop {
            let page: Vec<T> = items.by_ref().take(Page::<T>::ROOM).collect();
            if page.is_empty() {
                return Self::over_pages(pages, len);
            }
            len += page.len();
            pages.push(Page::new(page));
        }
    }
}

impl<T: Ssz> From<Vec<T>> for List<T> {
    fn from(items: Vec<T>) -> Self {
        items.into_iter().collect()
    }
}

impl<T: Ssz> Index<usize> for List<T> {
    type Output = T;

    #[inline]
    fn index(&self, index: usize) -> &T {
        self.get(index).expect("index below the list's length")
    }
}

impl<T: Ssz> IndexMut<usize> for List<T> {
    #[inline]
    fn index_mut(&mut self, index: usize) -> &mut T {
        self.get_mut(index).expect("index below the list's length")
    }
}

impl<T: Ssz> PartialEq for List<T> {
    fn eq(&self, other: &Self) -> bool {
        // Lists of one length have trees of one form.
        self.len == other.len
            && match (&self.tree, &other.tree) {
                (Some(own), Some(other)) => own.same(other),
                _ => true,
            }
    }
}

impl<T: Ssz + Eq> Eq for List<T> {}

impl<T: Ssz> fmt::Debug for List<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
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
        match T::FIXED_LEN {
            Some(len) => self.slices().for_each(|page| sequence::encode_slice(page, out, len)),
            None => sequence::encode(self.iter(), out, shape, ctx),
        }
    }

    fn decode(bytes: &[u8], shape: &Shape, ctx: &Ctx) -> Result<Self, DecodeError> {
        if let Some(len) = T::FIXED_LEN {
            sequence::check_fixed(bytes, len, shape, ctx)?;
            return Self::decode_fixed(bytes, len);
        }
        let mut list = Self::default();
        sequence::decode(bytes, shape, ctx, |item| list.push(item))?;
        Ok(list)
    }

    fn root(&self, shape: &Shape, ctx: &Ctx) -> Root {
        self.remembered_root(shape, ctx)
    }

    fn descend(&self, descent: &mut Descent, shape: &Shape, ctx: &Ctx) -> Option<Root> {
        // At the root the memos serve.
        if descent.is_over() {
            return Some(self.root(shape, ctx));
        }
        descend_sequence(self.leaves(shape, ctx), self, self.len, descent, (shape, ctx))
    }

    fn default_in(shape: &Shape, ctx: &Ctx) -> Self {
        Self::filled(T::default_in(shape.element(), ctx), shape.vector_length(ctx).unwrap_or(0))
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
mod tests;
