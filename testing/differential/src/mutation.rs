//! Changes of parts as data: drawn by chance, kept, left out one by one, and applied again.

use inspect::{Path, Step};
use rand::Rng;
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};
use ssz::Schema;

use crate::numbers::Numbers;
use crate::tree::{Node, zero};

/// What a mutation changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Part {
    /// The state before.
    State,
    /// The block of this number, or the operation.
    Input(usize),
}

/// One change of one part. Bytes are hexadecimal SSZ.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Change {
    /// Another value of a number, bytes or bits.
    Set(String),
    /// A new element of a list at a place; behind the end it goes to the end.
    Insert(u64, String),
    /// An element less.
    Remove(u64),
    /// Only so many elements.
    Truncate(u64),
}

/// A change and its place.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mutation {
    /// In which value.
    pub part: Part,
    /// Where in it.
    pub path: String,
    /// What.
    pub change: Change,
}

impl Mutation {
    /// A value set.
    pub fn set(part: Part, path: impl Into<String>, bytes: impl AsRef<[u8]>) -> Self {
        Self { part, path: path.into(), change: Change::Set(hex::encode(bytes)) }
    }

    /// An element put behind the others.
    pub fn push(part: Part, path: impl Into<String>, bytes: impl AsRef<[u8]>) -> Self {
        Self { part, path: path.into(), change: Change::Insert(u64::MAX, hex::encode(bytes)) }
    }

    /// Applies it; false, and nothing is changed, where there is no such place or the value does not fit it.
    pub fn apply(&self, tree: &mut Node<'_>) -> bool {
        let Some(node) = self.path.parse::<Path>().ok().and_then(|path| tree.at_mut(&path)) else {
            return false;
        };
        match &self.change {
            Change::Set(text) => hex::decode(text).is_ok_and(|bytes| {
                let fits = node.leaf().is_some_and(|leaf| {
                    leaf.len() == bytes.len()
                        || matches!(node.schema(), Schema::Bitlist(_) | Schema::ByteList(_))
                });
                fits && node.set_leaf(bytes)
            }),
            Change::Insert(place, text) => {
                let element = node.element_schema().zip(hex::decode(text).ok());
                let element = element.and_then(|(schema, bytes)| Node::read(schema, &bytes));
                let Some((elements, element)) = node.elements_mut().zip(element) else { return false };
                let place = usize::try_from(*place).unwrap_or(usize::MAX).min(elements.len());
                elements.insert(place, element);
                true
            }
            Change::Remove(place) => node.elements_mut().is_some_and(|elements| {
                let place = usize::try_from(*place).unwrap_or(usize::MAX);
                let is_there = place < elements.len();
                if is_there {
                    elements.remove(place);
                }
                is_there
            }),
            Change::Truncate(length) => node.elements_mut().is_some_and(|elements| {
                elements.truncate(usize::try_from(*length).unwrap_or(usize::MAX));
                true
            }),
        }
    }
}

/// Parts of a state that are left alone. A state with other values here comes from no chain whatever its blocks and votes
/// are, and implementations rightly rely on that: they keep indices beside a state, built when it is loaded.
const FIXED: [&str; 10] = [
    "slot",
    "fork",
    "genesis_validators_root",
    "validators.pubkey",
    "current_sync_committee",
    "next_sync_committee",
    "previous_epoch_attestations.data",
    "current_epoch_attestations.data",
    "previous_epoch_attestations.proposer_index",
    "current_epoch_attestations.proposer_index",
];
/// Lists of a state whose lengths are left alone: those with an element for every validator, and committees' votes.
const FIXED_LENGTHS: [&str; 8] = [
    "validators",
    "balances",
    "previous_epoch_participation",
    "current_epoch_participation",
    "inactivity_scores",
    "previous_epoch_attestations.aggregation_bits",
    "current_epoch_attestations.aggregation_bits",
    "proposer_lookahead",
];

/// True where a change leaves the state one that a chain could lead to, as far as others may rely on it.
fn is_allowed(mutation: &Mutation) -> bool {
    if mutation.part != Part::State {
        return true;
    }
    let path: Path = mutation.path.parse().unwrap_or_default();
    let names = path.steps().iter().filter_map(|step| match step {
        Step::Field(name) => Some(name.as_str()),
        _ => None,
    });
    let names = names.collect::<Vec<_>>().join(".");
    let is_below = |fixed: &&str| names == **fixed || names.starts_with(&format!("{fixed}."));
    if FIXED.iter().any(is_below) {
        return false;
    }
    let is_length = !matches!(mutation.change, Change::Set(_)) || names.ends_with("aggregation_bits");
    !(is_length && FIXED_LENGTHS.contains(&names.as_str()))
}

/// Draws a change somewhere in a value. Fields of states are drawn by how much depends on them.
pub fn draw(rng: &mut ChaCha8Rng, part: Part, tree: &Node<'_>, numbers: &Numbers) -> Option<Mutation> {
    (0..20).filter_map(|_| draw_any(rng, part, tree, numbers)).find(is_allowed)
}

fn draw_any(rng: &mut ChaCha8Rng, part: Part, tree: &Node<'_>, numbers: &Numbers) -> Option<Mutation> {
    let (mut node, mut path) = (tree, Path::default());
    loop {
        let change = match node.schema() {
            Schema::List(element, _) if node.parts().is_empty() => {
                Some(Change::Insert(0, hex::encode(zero(element))))
            }
            Schema::List(..) if rng.random_bool(0.12) => Some(change_list(rng, node)),
            Schema::Container { .. } | Schema::Vector(..) | Schema::List(..) if node.parts().is_empty() => {
                return None;
            }
            Schema::Container { .. } | Schema::Vector(..) | Schema::List(..) => None,
            _ => Some(Change::Set(hex::encode(other_leaf(rng, node, numbers)))),
        };
        if let Some(mut change) = change {
            if let (Part::State, Change::Set(text)) = (part, &mut change)
                && matches!(path.steps().last(), Some(Step::Field(name)) if name == "effective_balance")
            {
                *text = numbers.in_increments(text);
            }
            return Some(Mutation { part, path: path.to_string(), change });
        }
        let place = draw_place(rng, node);
        path = path.then(node.step(place));
        node = &node.parts()[place];
    }
}

fn draw_place(rng: &mut ChaCha8Rng, node: &Node<'_>) -> usize {
    if let Schema::Container { name: "BeaconState", fields, .. } = node.schema() {
        let weighty = ["validators", "balances"][usize::from(rng.random_bool(0.4))];
        if rng.random_bool(0.4) {
            return fields.iter().position(|(name, _)| *name == weighty).expect("every state has these");
        }
    }
    rng.random_range(0..node.parts().len())
}

fn change_list(rng: &mut ChaCha8Rng, list: &Node<'_>) -> Change {
    let elements = list.parts();
    let place = rng.random_range(0..elements.len());
    match rng.random_range(0..4) {
        0 => Change::Remove(place as u64),
        1 => Change::Truncate(place as u64),
        _ => {
            let copied = elements[place].encode();
            Change::Insert(rng.random_range(0..=elements.len()) as u64, hex::encode(copied))
        }
    }
}

/// Another encoding for a leaf.
fn other_leaf(rng: &mut ChaCha8Rng, node: &Node<'_>, numbers: &Numbers) -> Vec<u8> {
    let mut bytes = node.leaf().unwrap_or_default().to_vec();
    match node.schema() {
        Schema::Uint(64) => {
            let present = u64::from_le_bytes(bytes.as_slice().try_into().expect("eight bytes"));
            numbers.draw(rng, present).to_le_bytes().to_vec()
        }
        Schema::Boolean => vec![1 - bytes[0].min(1)],
        Schema::Bitlist(_) => other_bits(rng, &bytes),
        Schema::ByteList(_) => {
            bytes.push(rng.random());
            bytes
        }
        _ => {
            match rng.random_range(0..4) {
                0 => bytes.fill(0),
                // The first byte of withdrawal credentials says what kind they are.
                1 => bytes[0] = rng.random_range(0..3),
                2 if bytes.len() >= 32 => rng.fill(bytes.as_mut_slice()),
                _ => {
                    let place = rng.random_range(0..bytes.len());
                    bytes[place] ^= 1 << rng.random_range(0..8);
                }
            }
            bytes
        }
    }
}

/// A bit list with another bit, other bits, or another length.
fn other_bits(rng: &mut ChaCha8Rng, bytes: &[u8]) -> Vec<u8> {
    let last = bytes.last().copied().unwrap_or(1).max(1);
    let length = (bytes.len().max(1) - 1) * 8 + last.ilog2() as usize;
    let mut bits: Vec<bool> = (0..length).map(|bit| bytes[bit / 8] >> (bit % 8) & 1 == 1).collect();
    match rng.random_range(0..8) {
        0 => bits.push(rng.random()),
        1 => {
            bits.pop();
        }
        2 => bits.fill(false),
        3 => bits.fill(true),
        _ if bits.is_empty() => bits.push(true),
        _ => {
            let place = rng.random_range(0..bits.len());
            bits[place] = !bits[place];
        }
    }
    bits.push(true);
    let mut bytes = vec![0; bits.len().div_ceil(8)];
    for place in (0..bits.len()).filter(|place| bits[*place]) {
        bytes[place / 8] |= 1 << (place % 8);
    }
    bytes
}
