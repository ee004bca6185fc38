//! Shapes: what a container's declaration and the network's preset say about a field beyond its Rust type.
//!
//! A Rust type says *list of validators*; its limit belongs to the preset and may change with a fork. So limits
//! are data: a declaration names a bound, and a [`Ctx`] resolves the name for one preset and one fork. No type
//! parameter is needed, and one binary serves every preset.

/// How many elements a sequence may (list) or must (vector) hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bound {
    /// Merkleized as a tree padded to this many elements.
    Limit(u64),
    /// No limit: a progressive tree (EIP-7916).
    Progressive,
}

/// A bound as written in a declaration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BoundRef {
    /// The same for every preset and fork.
    Const(u64),
    /// Looked up in [`Ctx::bounds`].
    Named(u16),
    /// A progressive tree in every fork.
    Progressive,
}

/// What a field's declaration says of its shape.
#[derive(Clone, Copy, Debug)]
pub enum Shape {
    /// The Rust type says it all: numbers, fixed bytes, containers.
    Plain,
    /// A list, bit list or byte list.
    List(BoundRef, &'static Shape),
    /// A vector, bit vector or byte vector.
    Vector(BoundRef, &'static Shape),
}

/// The preset's bounds at one fork, and that fork's number.
#[derive(Clone, Copy, Debug)]
pub struct Ctx {
    /// The fork's place in the schedule of all forks, from 0.
    pub fork: u8,
    /// Values of the named bounds.
    pub bounds: &'static [Bound],
}

impl Ctx {
    /// A context for types with constant shapes only, at fork 0.
    pub const PLAIN: Self = Self { fork: 0, bounds: &[] };

    /// The value of a bound.
    pub fn bound(&self, bound: BoundRef) -> Bound {
        match bound {
            BoundRef::Const(limit) => Bound::Limit(limit),
            BoundRef::Named(name) => self.bounds[name as usize],
            BoundRef::Progressive => Bound::Progressive,
        }
    }

    /// The value of a bound that must be finite, as a vector's length is.
    pub fn length(&self, bound: BoundRef) -> usize {
        match self.bound(bound) {
            Bound::Limit(length) => length as usize,
            Bound::Progressive => panic!("a vector cannot be progressive: {bound:?}"),
        }
    }
}

impl Shape {
    /// The shape of the elements of a sequence.
    pub fn element(&self) -> &'static Shape {
        match self {
            Self::Plain => &Self::Plain,
            Self::List(_, element) | Self::Vector(_, element) => element,
        }
    }

    /// True for vectors.
    pub fn is_vector(&self) -> bool {
        matches!(self, Self::Vector(..))
    }

    /// The bound of a sequence.
    pub fn bound(&self, ctx: &Ctx) -> Bound {
        match self {
            Self::List(bound, _) | Self::Vector(bound, _) => ctx.bound(*bound),
            Self::Plain => panic!("a sequence was declared without list(…) or vector(…)"),
        }
    }

    /// The exact length of a vector, none for a list.
    pub fn vector_length(&self, ctx: &Ctx) -> Option<usize> {
        match self {
            Self::Vector(bound, _) => Some(ctx.length(*bound)),
            _ => None,
        }
    }
}
