//! The Merkle tree of a value: roots, and any node by its generalized index.

use std::collections::BTreeMap;

use ssz::{Bound, Node, Root, Schema, hash_concat, merkleize, merkleize_progressive, zero_hash};

use crate::path::{Path, Step};
use crate::value::{Leaf, Value, fixed_len};

/// A value's tree. What was asked for once is kept, so that several proofs hash a large list once.
pub struct Tree<'a> {
    value: Value<'a>,
    data: Option<Data>,
    children: BTreeMap<usize, Self>,
}

/// The tree over a value's chunks, without what is mixed in above it.
enum Data {
    /// Layers from the chunks to the root, without the padding at their ends.
    Bounded(Vec<Vec<Root>>),
    /// Subtrees of 1, 4, 16, … leaves, each as layers; and the nodes that join the later ones.
    Progressive(Vec<Vec<Vec<Root>>>, Vec<Root>),
}

impl<'a> Tree<'a> {
    /// The tree of a value; nothing is hashed yet.
    pub fn new(value: Value<'a>) -> Self {
        Self { value, data: None, children: BTreeMap::new() }
    }

    /// The node at a generalized index; none where the tree has none.
    pub fn node(&mut self, generalized_index: u128) -> Option<Root> {
        let depth = generalized_index.checked_ilog2()?;
        let bits: Vec<bool> = (0..depth).rev().map(|bit| (generalized_index >> bit) & 1 == 1).collect();
        self.descend(&bits)
    }

    fn descend(&mut self, bits: &[bool]) -> Option<Root> {
        if bits.is_empty() {
            return Some(self.root());
        }
        let Some(mixed_in) = mixed_in(&self.value) else { return self.data_node(bits) };
        match bits {
            [true] => Some(mixed_in),
            [true, ..] => None,
            [false, rest @ ..] => self.data_node(rest),
            [] => unreachable!("handled above"),
        }
    }

    fn root(&mut self) -> Root {
        let data = match self.data() {
            Data::Bounded(layers) => top(layers),
            Data::Progressive(_, joints) => joints[0],
        };
        match mixed_in(&self.value) {
            Some(mixed_in) => hash_concat(&data, &mixed_in),
            None => data,
        }
    }

    fn data(&mut self) -> &Data {
        let value = self.value;
        self.data.get_or_insert_with(|| match chunk_limit(value.schema()) {
            Some(limit) => Data::Bounded(layers(chunks(&value), depth_of(limit))),
            None => progressive(&chunks(&value)),
        })
    }

    /// The node below the root of the chunks' tree.
    fn data_node(&mut self, bits: &[bool]) -> Option<Root> {
        let (place, rest) = match self.data() {
            Data::Bounded(layers) => match through(layers, bits)? {
                Met::Node(node) => return Some(node),
                Met::Chunk(place, rest) => (place, rest),
            },
            Data::Progressive(subtrees, joints) => {
                let right = bits.iter().take_while(|bit| **bit).count();
                if right == bits.len() {
                    return joints.get(right).copied();
                }
                let start: usize = (0..right).map(|level| 4usize.pow(level as u32)).sum();
                match through(subtrees.get(right)?, &bits[right + 1..])? {
                    Met::Node(node) => return Some(node),
                    Met::Chunk(place, rest) => (start + place, rest),
                }
            }
        };
        let place = match self.value.schema() {
            // An unused place of a progressive container has no field.
            Schema::Container { active_fields: Some(active), .. } => {
                active.get(place).filter(|active| **active)?;
                active[..place].iter().filter(|active| **active).count()
            }
            Schema::Container { .. } => place,
            Schema::Vector(element, _) | Schema::List(element, _) if !is_basic(element) => place,
            // A union's value has the whole of its tree.
            Schema::Union { .. } => 0,
            _ => return None,
        };
        if place >= self.value.count() {
            return None;
        }
        let part = self.value.part(place);
        self.children.entry(place).or_insert_with(|| Self::new(part)).descend(rest)
    }
}

/// The root of a value, hashed without keeping anything.
pub(crate) fn root_of(value: &Value<'_>) -> Root {
    let mut chunks: Vec<Node> = chunks(value).into_iter().map(|chunk| chunk.0).collect();
    let data = match chunk_limit(value.schema()) {
        Some(limit) => merkleize(&mut chunks, limit),
        None => merkleize_progressive(&mut chunks),
    };
    match mixed_in(value) {
        Some(mixed_in) => hash_concat(&data, &mixed_in),
        None => data,
    }
}

/// What stands to the right of the data below the root: a length, a selector, or the places that are taken.
fn mixed_in(value: &Value<'_>) -> Option<Root> {
    let number = |number: usize| {
        let mut chunk = Root::ZERO;
        chunk.0[..8].copy_from_slice(&(number as u64).to_le_bytes());
        chunk
    };
    match value.schema() {
        Schema::ByteList(_) => Some(number(value.bytes().len())),
        Schema::Bitlist(_) => match value.leaf() {
            Some(Leaf::Bits(_, length)) => Some(number(length)),
            _ => None,
        },
        Schema::List(..) => Some(number(value.count())),
        Schema::Union { .. } => Some(number(usize::from(value.bytes()[0]))),
        Schema::Container { active_fields: Some(active), .. } => {
            let mut bits = Root::ZERO;
            for (place, taken) in active.iter().enumerate() {
                bits.0[place / 8] |= u8::from(*taken) << (place % 8);
            }
            Some(bits)
        }
        _ => None,
    }
}

/// The leaves of the data's tree.
fn chunks(value: &Value<'_>) -> Vec<Root> {
    match value.schema() {
        Schema::Container { active_fields: Some(active), .. } => {
            let mut parts = value.parts();
            let root = |taken: &bool| match taken {
                true => parts.next().map_or(Root::ZERO, |(_, part)| root_of(&part)),
                false => Root::ZERO,
            };
            active.iter().map(root).collect()
        }
        Schema::Vector(element, _) | Schema::List(element, _) if is_basic(element) => packed(value.bytes()),
        Schema::Container { .. } | Schema::Vector(..) | Schema::List(..) | Schema::Union { .. } => {
            value.parts().map(|(_, part)| root_of(&part)).collect()
        }
        Schema::Bitlist(_) => match value.leaf() {
            Some(Leaf::Bits(bytes, length)) => {
                let mut bytes = bytes.to_vec();
                bytes[length / 8] ^= 1 << (length % 8);
                bytes.truncate(length.div_ceil(8));
                packed(&bytes)
            }
            _ => Vec::new(),
        },
        _ => packed(value.bytes()),
    }
}

fn packed(bytes: &[u8]) -> Vec<Root> {
    let chunk = |part: &[u8]| {
        let mut chunk = Root::ZERO;
        chunk.0[..part.len()].copy_from_slice(part);
        chunk
    };
    bytes.chunks(32).map(chunk).collect()
}

/// Leaves of the data's tree at most; none where it is progressive.
fn chunk_limit(schema: &Schema) -> Option<u64> {
    let finite = |bound: &Bound| match bound {
        Bound::Limit(limit) => Some(*limit),
        Bound::Progressive => None,
    };
    Some(match schema {
        Schema::Uint(_) | Schema::Boolean | Schema::Union { .. } => 1,
        Schema::ByteVector(length) => length.div_ceil(32) as u64,
        Schema::ByteList(bound) => finite(bound)?.div_ceil(32),
        Schema::Bitvector(length) => length.div_ceil(256) as u64,
        Schema::Bitlist(bound) => finite(bound)?.div_ceil(256),
        Schema::Vector(element, length) => (*length as u64).div_ceil(per_chunk(element)),
        Schema::List(element, bound) => finite(bound)?.div_ceil(per_chunk(element)),
        Schema::Container { active_fields: Some(_), .. } => return None,
        Schema::Container { fields, .. } => fields.len() as u64,
    })
}

fn is_basic(schema: &Schema) -> bool {
    matches!(schema, Schema::Uint(_) | Schema::Boolean)
}

/// How many elements share a chunk.
fn per_chunk(element: &Schema) -> u64 {
    match fixed_len(element) {
        Some(len) if is_basic(element) => 32 / len as u64,
        _ => 1,
    }
}

fn depth_of(leaves: u64) -> usize {
    leaves.max(1).next_power_of_two().trailing_zeros() as usize
}

fn layers(chunks: Vec<Root>, depth: usize) -> Vec<Vec<Root>> {
    let mut layers = vec![chunks];
    for level in 0..depth {
        let below = &layers[level];
        let pair = |pair: &[Root]| hash_concat(&pair[0], pair.get(1).unwrap_or(&zero_hash(level)));
        let above = below.chunks(2).map(pair).collect();
        layers.push(above);
    }
    layers
}

fn top(layers: &[Vec<Root>]) -> Root {
    let depth = layers.len() - 1;
    layers[depth].first().copied().unwrap_or_else(|| zero_hash(depth))
}

fn progressive(chunks: &[Root]) -> Data {
    let (mut subtrees, mut rest, mut depth) = (Vec::new(), chunks, 0);
    while !rest.is_empty() {
        let (now, later) = rest.split_at(rest.len().min(1 << depth));
        subtrees.push(layers(now.to_vec(), depth));
        (rest, depth) = (later, depth + 2);
    }
    let mut joints = vec![Root::ZERO];
    for subtree in subtrees.iter().rev() {
        let below = joints.last().copied().unwrap_or(Root::ZERO);
        joints.push(hash_concat(&top(subtree), &below));
    }
    joints.reverse();
    Data::Progressive(subtrees, joints)
}

/// Where a way through layers leads.
enum Met<'b> {
    Node(Root),
    /// To a chunk, and further below it.
    Chunk(usize, &'b [bool]),
}

fn through<'b>(layers: &[Vec<Root>], bits: &'b [bool]) -> Option<Met<'b>> {
    let depth = layers.len() - 1;
    let way = &bits[..bits.len().min(depth)];
    let place =
        way.iter().try_fold(0usize, |place, bit| place.checked_mul(2)?.checked_add(usize::from(*bit)))?;
    if bits.len() > depth {
        return Some(Met::Chunk(place, &bits[depth..]));
    }
    let level = depth - bits.len();
    Some(Met::Node(layers[level].get(place).copied().unwrap_or_else(|| zero_hash(level))))
}

/// [`get_generalized_index`](https://github.com/ethereum/consensus-specs/blob/master/ssz/merkle-proofs.md#ssz-object-to-index)
/// of the part that a path leads to; of a number, byte or bit the chunk that holds it. None where the type has no such
/// part, or it lies deeper than 127 levels.
pub fn generalized_index(schema: &Schema, path: &Path) -> Option<u128> {
    let mut index = Some(1u128);
    let mut schema = Some(schema);
    for step in path.steps() {
        let (place, below) = step_down(schema?, step)?;
        index = concatenated(index?, place);
        schema = below;
    }
    index
}

/// The generalized index of the node that lies at `below` in the subtree at `index`.
fn concatenated(index: u128, below: u128) -> Option<u128> {
    let depth = below.ilog2();
    if index.leading_zeros() < depth {
        return None;
    }
    Some((index << depth) + (below - (1 << depth)))
}

/// The generalized index of a part below its whole, and its schema where it can have parts itself.
fn step_down<'s>(schema: &'s Schema, step: &Step) -> Option<(u128, Option<&'s Schema>)> {
    match (schema, step) {
        (Schema::Container { fields, active_fields, .. }, Step::Field(name)) => {
            let field = fields.iter().position(|(field, _)| field == name)?;
            let place = match active_fields {
                None => field,
                Some(active) => (0..active.len()).filter(|place| active[*place]).nth(field)?,
            };
            Some((chunk_index(schema, place as u64)?, Some(&fields[field].1)))
        }
        (Schema::List(..) | Schema::ByteList(_) | Schema::Bitlist(_), Step::Length) => Some((3, None)),
        (Schema::List(element, _) | Schema::Vector(element, _), Step::Index(index)) => {
            Some((chunk_index(schema, index / per_chunk(element))?, Some(element)))
        }
        (Schema::ByteVector(_) | Schema::ByteList(_), Step::Index(index)) => {
            Some((chunk_index(schema, index / 32)?, None))
        }
        (Schema::Bitvector(_) | Schema::Bitlist(_), Step::Index(index)) => {
            Some((chunk_index(schema, index / 256)?, None))
        }
        _ => None,
    }
}

/// The generalized index of a chunk below the root of its value; none where there is no room for it.
fn chunk_index(schema: &Schema, chunk: u64) -> Option<u128> {
    let index = match chunk_limit(schema) {
        Some(limit) if chunk < limit => (1u128 << depth_of(limit)) + u128::from(chunk),
        Some(_) => return None,
        None => progressive_index(chunk)?,
    };
    let mixes_in = match schema {
        Schema::ByteList(_) | Schema::Bitlist(_) | Schema::List(..) => true,
        Schema::Container { active_fields, .. } => active_fields.is_some(),
        _ => false,
    };
    if mixes_in { concatenated(2, index) } else { Some(index) }
}

/// The generalized index of a chunk below the root of a progressive tree: past all subtrees before its own, to the
/// right each time, then to the left into its own.
fn progressive_index(chunk: u64) -> Option<u128> {
    let (mut start, mut depth) = (0u128, 0);
    while u128::from(chunk) >= start + (1 << depth) {
        start += 1 << depth;
        depth += 2;
    }
    let subtree = 2 * ((2u128 << (depth / 2)) - 1);
    concatenated(subtree, (1u128 << depth) + u128::from(chunk) - start)
}
