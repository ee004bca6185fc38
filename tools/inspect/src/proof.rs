//! [Merkle multiproofs](https://github.com/ethereum/consensus-specs/blob/master/ssz/merkle-proofs.md#merkle-multiproofs):
//! that some nodes lie at their places below one root. A proof of one node is the special case.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value as Json, json};
use ssz::{Root, hash_concat};

use crate::tree::Tree;

/// Nodes, their places, and what is needed to compute the root from them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proof {
    /// The root.
    pub root: Root,
    /// Places and nodes that are proven.
    pub leaves: Vec<(u128, Root)>,
    /// The nodes at [`get_helper_indices`](https://github.com/ethereum/consensus-specs/blob/master/ssz/merkle-proofs.md#merkle-multiproofs),
    /// highest index first; for one leaf its siblings from the bottom up.
    pub proof: Vec<Root>,
}

/// Why there is no proof, or it does not hold.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ProofError {
    /// The tree has no such node.
    #[error("the value has no node at generalized index {0}")]
    NoNode(u128),
    /// 0 is no place; one place twice, or one below another.
    #[error("generalized indices {0} and {1} lie on one way to the root")]
    Overlap(u128, u128),
    /// Nothing to prove.
    #[error("a proof needs at least one generalized index, all above 0")]
    Empty,
    /// More or fewer nodes than the places need.
    #[error("the proof has {found} nodes, its places need {expected}")]
    Length {
        /// Nodes needed.
        expected: usize,
        /// Nodes given.
        found: usize,
    },
    /// The nodes lead to another root.
    #[error("the proof leads to root {computed} instead of {claimed}")]
    Root {
        /// What the proof says.
        claimed: Root,
        /// What its nodes lead to.
        computed: Root,
    },
    /// A JSON that is no proof.
    #[error("no proof: {0}")]
    Json(String),
}

/// The proof of the nodes at these places.
pub fn prove(tree: &mut Tree<'_>, indices: &[u128]) -> Result<Proof, ProofError> {
    let beside = indices_beside(indices)?;
    let mut node = |index: u128| tree.node(index).ok_or(ProofError::NoNode(index));
    Ok(Proof {
        root: node(1)?,
        leaves: indices.iter().map(|index| Ok((*index, node(*index)?))).collect::<Result<_, _>>()?,
        proof: beside.into_iter().map(node).collect::<Result<_, _>>()?,
    })
}

/// Checks that the proof's nodes lead to its root
/// ([`calculate_multi_merkle_root`](https://github.com/ethereum/consensus-specs/blob/master/ssz/merkle-proofs.md#merkle-multiproofs)).
pub fn verify(proof: &Proof) -> Result<(), ProofError> {
    let indices: Vec<u128> = proof.leaves.iter().map(|(index, _)| *index).collect();
    let beside = indices_beside(&indices)?;
    if beside.len() != proof.proof.len() {
        return Err(ProofError::Length { expected: beside.len(), found: proof.proof.len() });
    }
    let mut nodes: BTreeMap<u128, Root> = proof.leaves.iter().copied().collect();
    nodes.extend(beside.into_iter().zip(proof.proof.iter().copied()));
    // Indices grow downwards, so the highest one is always among the deepest that are left.
    while let Some((index, node)) = nodes.pop_last() {
        if index == 1 {
            let (claimed, computed) = (proof.root, node);
            return if claimed == computed { Ok(()) } else { Err(ProofError::Root { claimed, computed }) };
        }
        let sibling = nodes.remove(&(index ^ 1)).ok_or(ProofError::NoNode(index ^ 1))?;
        let (left, right) = if index % 2 == 1 { (sibling, node) } else { (node, sibling) };
        nodes.insert(index / 2, hash_concat(&left, &right));
    }
    Err(ProofError::Empty)
}

/// What the specification calls `get_helper_indices`: the siblings along all ways to the root, but those that lie on such a way themselves.
fn indices_beside(indices: &[u128]) -> Result<Vec<u128>, ProofError> {
    if indices.is_empty() || indices.contains(&0) {
        return Err(ProofError::Empty);
    }
    let leaves: BTreeSet<u128> = indices.iter().copied().collect();
    if leaves.len() < indices.len() {
        let mut seen = BTreeSet::new();
        let twice = indices.iter().find(|index| !seen.insert(**index)).copied().unwrap_or_default();
        return Err(ProofError::Overlap(twice, twice));
    }
    let mut ways = BTreeSet::new();
    for index in &leaves {
        let mut above = index / 2;
        while above > 0 {
            if leaves.contains(&above) {
                return Err(ProofError::Overlap(above, *index));
            }
            ways.insert(above);
            above /= 2;
        }
    }
    let on_a_way = |index: &u128| ways.contains(index) || leaves.contains(index);
    let siblings = leaves.iter().chain(&ways).filter(|index| **index > 1).map(|index| index ^ 1);
    let beside: BTreeSet<u128> = siblings.filter(|sibling| !on_a_way(sibling)).collect();
    Ok(beside.into_iter().rev().collect())
}

impl Proof {
    /// The proof as JSON: root, gindices as decimal strings, leaves and proof as hex strings.
    pub fn to_json(&self) -> Json {
        let hex = |root: &Root| root.to_string();
        json!({
            "root": hex(&self.root),
            "gindices": self.leaves.iter().map(|(index, _)| index.to_string()).collect::<Vec<_>>(),
            "leaves": self.leaves.iter().map(|(_, leaf)| hex(leaf)).collect::<Vec<_>>(),
            "proof": self.proof.iter().map(hex).collect::<Vec<_>>(),
        })
    }

    /// Reads what [`Proof::to_json`] writes; other fields are ignored.
    pub fn from_json(json: &Json) -> Result<Self, ProofError> {
        let fault = |what: &str| ProofError::Json(what.to_owned());
        let list = |name: &str| -> Result<Vec<String>, ProofError> {
            let items = json.get(name).and_then(Json::as_array);
            let items = items.ok_or_else(|| fault(&format!("{name} must be a list of strings")))?;
            let text = |item: &Json| item.as_str().map(str::to_owned);
            items
                .iter()
                .map(|item| text(item).ok_or_else(|| fault(&format!("{name} must be a list of strings"))))
                .collect()
        };
        let root = |text: &str| text.parse::<Root>().map_err(|error| fault(&format!("{text:?}: {error}")));
        let roots = |name: &str| list(name)?.iter().map(|text| root(text)).collect::<Result<Vec<_>, _>>();
        let index =
            |text: &String| text.parse::<u128>().map_err(|_| fault(&format!("gindex {text:?} is no number")));
        let indices = list("gindices")?.iter().map(index).collect::<Result<Vec<_>, _>>()?;
        let leaves = roots("leaves")?;
        if leaves.len() != indices.len() {
            return Err(fault("there must be as many leaves as gindices"));
        }
        let claimed = json.get("root").and_then(Json::as_str).ok_or_else(|| fault("root is missing"))?;
        Ok(Self {
            root: root(claimed)?,
            leaves: indices.into_iter().zip(leaves).collect(),
            proof: roots("proof")?,
        })
    }
}
