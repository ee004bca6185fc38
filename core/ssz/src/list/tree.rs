//! The tree of pages below a [`List`](crate::List): shared between clones, copied along the path of a write.

use std::sync::{Arc, OnceLock};

use arrayvec::ArrayVec;

use crate::{Node, Ssz};

/// Children of a branch, as a power of two.
///
/// A narrow tree copies and hashes less after one change, a wide one has fewer branches to pass on the way to an
/// element: at 32, a million validators lie three branches deep.
pub(super) const FAN_BITS: usize = 5;
/// Children of a branch that is full.
pub(super) const FAN: usize = 1 << FAN_BITS;

/// Levels of the hash tree in a page of values of this type.
///
/// Small pages cost room and time for each, large pages copy and hash more after a change of one element. Half a
/// kilobyte of numbers is what 512 balances of a sync committee, scattered over a million, cost least with. A byte a
/// validator is participation: attesters of one slot touch every page whatever its size, so those are larger.
const fn page_depth<T: Ssz>() -> usize {
    if T::BASIC && size_of::<T>() >= 8 {
        4
    } else if T::BASIC {
        6
    } else {
        5
    }
}

/// A page of elements, with its root once it was computed.
pub(super) struct Page<T> {
    memo: OnceLock<Node>,
    items: Vec<T>,
}

/// A branch over pages or branches, of which only the last is not full; with its root once it was computed.
pub(super) struct Branch<T> {
    memo: OnceLock<Node>,
    children: Children<T>,
}

/// The children lie in the branch itself, so that each step on the way to an element is one load.
#[derive(Clone)]
pub(super) enum Children<T> {
    Pages(ArrayVec<Arc<Page<T>>, FAN>),
    Branches(ArrayVec<Arc<Branch<T>>, FAN>),
}

/// All elements of a list that has some.
#[derive(Clone)]
pub(super) enum Tree<T> {
    Page(Arc<Page<T>>),
    Branch(Arc<Branch<T>>),
}

/// What pages and branches have in common.
pub(super) trait Part<T> {
    /// The root, once it was computed.
    fn memo(&self) -> &OnceLock<Node>;

    /// Shows every page below in order, with the index of its first element; returns whether one was written.
    fn visit(
        self: &mut Arc<Self>,
        start: usize,
        height: usize,
        change: &mut impl FnMut(usize, PageMut<'_, T>),
    ) -> bool;

    /// Whether the other has the same elements; shared parts need no look inside.
    fn same(self: &Arc<Self>, other: &Arc<Self>) -> bool;
}

impl<T: Clone> Clone for Page<T> {
    /// A copy is made to be written, so it starts without a root, and keeps the room for further elements.
    fn clone(&self) -> Self {
        let mut items = Vec::with_capacity(self.items.capacity());
        items.extend_from_slice(&self.items);
        Self { memo: OnceLock::new(), items }
    }
}

impl<T> Clone for Branch<T> {
    /// A copy is made to be written, so it starts without a root.
    fn clone(&self) -> Self {
        let children = match &self.children {
            Children::Pages(pages) => Children::Pages(pages.clone()),
            Children::Branches(branches) => Children::Branches(branches.clone()),
        };
        Self { memo: OnceLock::new(), children }
    }
}

impl<T: Ssz> Page<T> {
    /// Levels of the hash tree in a page.
    pub const DEPTH: usize = page_depth::<T>();
    /// Elements in a full page, as a power of two.
    pub const BITS: usize =
        if T::BASIC { Self::DEPTH + (32 / size_of::<T>()).trailing_zeros() as usize } else { Self::DEPTH };
    /// Elements in a full page.
    pub const ROOM: usize = 1 << Self::BITS;

    pub fn new(items: Vec<T>) -> Arc<Self> {
        Arc::new(Self { memo: OnceLock::new(), items })
    }

    pub fn items(&self) -> &[T] {
        &self.items
    }

    /// The elements to be written: copied where they are shared, and the root is forgotten.
    fn writable(self: &mut Arc<Self>) -> &mut Vec<T> {
        let own = Arc::make_mut(self);
        own.memo.take();
        &mut own.items
    }
}

impl<T: Ssz> Part<T> for Page<T> {
    fn memo(&self) -> &OnceLock<Node> {
        &self.memo
    }

    fn visit(
        self: &mut Arc<Self>,
        start: usize,
        _: usize,
        change: &mut impl FnMut(usize, PageMut<'_, T>),
    ) -> bool {
        let mut written = false;
        change(start, PageMut { page: self, written: &mut written });
        written
    }

    fn same(self: &Arc<Self>, other: &Arc<Self>) -> bool {
        Arc::ptr_eq(self, other) || self.items == other.items
    }
}

impl<T: Ssz> Branch<T> {
    fn new(children: Children<T>) -> Arc<Self> {
        Arc::new(Self { memo: OnceLock::new(), children })
    }

    pub fn children(&self) -> &Children<T> {
        &self.children
    }

    /// The children to be written: copied where they are shared, and the root is forgotten.
    fn writable(self: &mut Arc<Self>) -> &mut Children<T> {
        let own = Arc::make_mut(self);
        own.memo.take();
        &mut own.children
    }

    /// Appends an element at `index`, which is the count of elements and below the capacity at this height.
    fn push(self: &mut Arc<Self>, index: usize, height: usize, item: T) {
        let place = (index >> bits::<T>(height - 1)) % FAN;
        match Self::writable(self) {
            Children::Pages(pages) => match pages.get_mut(place) {
                Some(page) => Page::writable(page).push(item),
                None => pages.push(Page::new(vec![item])),
            },
            Children::Branches(branches) => match branches.get_mut(place) {
                Some(branch) => branch.push(index, height - 1, item),
                None => branches.push(Self::over_one(item, height - 1)),
            },
        }
    }

    /// A branch of this height over one element.
    fn over_one(item: T, height: usize) -> Arc<Self> {
        let lowest = Self::new(Children::Pages(one(Page::new(vec![item]))));
        (1..height).fold(lowest, |below, _| Self::new(Children::Branches(one(below))))
    }
}

fn one<C>(child: C) -> ArrayVec<C, FAN> {
    [child].into_iter().collect()
}

impl<T: Ssz> Part<T> for Branch<T> {
    fn memo(&self) -> &OnceLock<Node> {
        &self.memo
    }

    fn visit(
        self: &mut Arc<Self>,
        start: usize,
        height: usize,
        change: &mut impl FnMut(usize, PageMut<'_, T>),
    ) -> bool {
        if let Some(own) = Arc::get_mut(self) {
            let any = own.children.visit(start, height, change);
            if any {
                own.memo.take();
            }
            return any;
        }
        // A branch that is shared is replaced only where a page below it was written.
        let mut children = self.children.clone();
        let any = children.visit(start, height, change);
        if any {
            *self = Self::new(children);
        }
        any
    }

    fn same(self: &Arc<Self>, other: &Arc<Self>) -> bool {
        Arc::ptr_eq(self, other)
            || match (&self.children, &other.children) {
                (Children::Pages(own), Children::Pages(others)) => all_same(own, others),
                (Children::Branches(own), Children::Branches(others)) => all_same(own, others),
                _ => false,
            }
    }
}

fn all_same<T, C: Part<T>>(own: &[Arc<C>], others: &[Arc<C>]) -> bool {
    own.len() == others.len() && own.iter().zip(others).all(|(own, other)| own.same(other))
}

impl<T: Ssz> Children<T> {
    fn visit(&mut self, start: usize, height: usize, change: &mut impl FnMut(usize, PageMut<'_, T>)) -> bool {
        let height = height - 1;
        let each = 1 << bits::<T>(height);
        let firsts = (start..).step_by(each);
        // No short cut: every page is shown, also after one was written.
        match self {
            Self::Pages(pages) => {
                firsts.zip(pages).fold(false, |any, (first, page)| page.visit(first, height, change) | any)
            }
            Self::Branches(branches) => firsts
                .zip(branches)
                .fold(false, |any, (first, branch)| branch.visit(first, height, change) | any),
        }
    }
}

/// Elements in a full tree with so many branches above each page, as a power of two.
pub(super) fn bits<T: Ssz>(height: usize) -> usize {
    Page::<T>::BITS + height * FAN_BITS
}

/// Levels of the hash tree in a full tree with so many branches above each page.
pub(super) fn depth<T: Ssz>(height: usize) -> usize {
    Page::<T>::DEPTH + height * FAN_BITS
}

/// Groups pages or branches below new branches. Runs of one child become runs of one branch.
fn group<T: Ssz, C>(
    children: Vec<Arc<C>>,
    wrap: impl Fn(ArrayVec<Arc<C>, FAN>) -> Children<T>,
) -> Vec<Arc<Branch<T>>> {
    let mut branches: Vec<Arc<Branch<T>>> = Vec::with_capacity(children.len().div_ceil(FAN));
    let mut before: Option<&[Arc<C>]> = None;
    for group in children.chunks(FAN) {
        let same = before.is_some_and(|before| {
            before.len() == group.len() && before.iter().zip(group).all(|(a, b)| Arc::ptr_eq(a, b))
        });
        match branches.last() {
            Some(last) if same => branches.push(last.clone()),
            _ => branches.push(Branch::new(wrap(group.iter().cloned().collect()))),
        }
        before = Some(group);
    }
    branches
}

impl<T: Ssz> Tree<T> {
    /// The tree over full pages and a last one that may not be full, and how many branches lie above each; none where
    /// there is no page.
    pub fn over_pages(mut pages: Vec<Arc<Page<T>>>) -> (Option<Self>, usize) {
        if pages.len() < 2 {
            return (pages.pop().map(Self::Page), 0);
        }
        let (mut branches, mut height) = (group(pages, Children::Pages), 1);
        while branches.len() > 1 {
            (branches, height) = (group(branches, Children::Branches), height + 1);
        }
        (branches.pop().map(Self::Branch), height)
    }

    /// The page with the element at `index` in a tree of this height, which reaches that far.
    #[inline]
    pub fn page_at(&self, index: usize, height: usize) -> &[T] {
        let mut branch = match self {
            Self::Page(page) => return &page.items,
            Self::Branch(branch) => branch,
        };
        let mut shift = bits::<T>(height);
        loop {
            shift -= FAN_BITS;
            let place = (index >> shift) % FAN;
            match &branch.children {
                Children::Pages(pages) => return &pages[place].items,
                Children::Branches(branches) => branch = &branches[place],
            }
        }
    }

    /// The same to be written: what is shared on the way is copied, and the roots on the way are forgotten.
    #[inline]
    pub fn page_at_mut(&mut self, index: usize, height: usize) -> &mut Vec<T> {
        let mut branch = match self {
            Self::Page(page) => return Page::writable(page),
            Self::Branch(branch) => branch,
        };
        let mut shift = bits::<T>(height);
        loop {
            shift -= FAN_BITS;
            let place = (index >> shift) % FAN;
            match Branch::writable(branch) {
                Children::Pages(pages) => return Page::writable(&mut pages[place]),
                Children::Branches(branches) => branch = &mut branches[place],
            }
        }
    }

    /// Appends an element at `index`, which is the count of elements; returns the height after it.
    pub fn push(&mut self, index: usize, height: usize, item: T) -> usize {
        if index < 1 << bits::<T>(height) {
            match self {
                Self::Page(page) => Page::writable(page).push(item),
                Self::Branch(branch) => branch.push(index, height, item),
            }
            return height;
        }
        let children = match self {
            Self::Page(page) => Children::Pages(one(page.clone())),
            Self::Branch(branch) => Children::Branches(one(branch.clone())),
        };
        let mut top = Branch::new(children);
        top.push(index, height + 1, item);
        *self = Self::Branch(top);
        height + 1
    }

    /// Shows every page in order, with the index of its first element; returns whether one was written.
    pub fn visit(&mut self, height: usize, change: &mut impl FnMut(usize, PageMut<'_, T>)) -> bool {
        match self {
            Self::Page(page) => page.visit(0, height, change),
            Self::Branch(branch) => branch.visit(0, height, change),
        }
    }

    /// Whether two trees of one height hold the same elements.
    pub fn same(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Page(own), Self::Page(other)) => own.same(other),
            (Self::Branch(own), Self::Branch(other)) => own.same(other),
            _ => false,
        }
    }
}

/// A page of a [`List`](crate::List) that may be changed: it is copied where it is shared, and hashed again, once it
/// is written.
pub struct PageMut<'a, T> {
    page: &'a mut Arc<Page<T>>,
    written: &'a mut bool,
}

impl<T: Ssz> PageMut<'_, T> {
    /// The elements as they are.
    pub fn items(&self) -> &[T] {
        &self.page.items
    }

    /// The elements to be written.
    pub fn write(&mut self) -> &mut [T] {
        *self.written = true;
        Page::writable(self.page)
    }

    /// Replaces all elements of the page by as many others. A page that has just these stays shared and keeps its
    /// root; a page that is shared is not copied first.
    pub fn set(&mut self, items: &[T]) {
        assert_eq!(items.len(), self.items().len(), "as many elements as the page has");
        if self.items() == items {
            return;
        }
        *self.written = true;
        match Arc::get_mut(self.page) {
            Some(own) => {
                own.memo.take();
                own.items.clone_from_slice(items);
            }
            None => *self.page = Page::new(items.to_vec()),
        }
    }
}
