//! The root of a Merkle Patricia trie whose keys are the places of a list: what a header says of its transactions and
//! withdrawals.
//!
//! Nothing is stored: the trie is built, hashed and forgotten. The keys (RLP of the place) are sorted once, then each
//! node takes a run of them, so that the work is one pass and one hash a node.

use types::Root;

use crate::keccak::keccak256;
use crate::rlp;

/// The root of a trie without entries: the hash of the empty string's RLP.
pub const EMPTY_TRIE_ROOT: Root = types::FixedBytes([
    0x56, 0xe8, 0x1f, 0x17, 0x1b, 0xcc, 0x55, 0xa6, 0xff, 0x83, 0x45, 0xe6, 0x92, 0xc0, 0xf8, 0x6e, 0x5b,
    0x48, 0xe0, 0x1b, 0x99, 0x6c, 0xad, 0xc0, 0x01, 0x62, 0x2f, 0xb5, 0xe3, 0x63, 0xb4, 0x21,
]);

/// The root of the trie that holds `values`, each under the RLP of its place.
pub fn ordered_trie_root(values: &[&[u8]]) -> Root {
    if values.is_empty() {
        return EMPTY_TRIE_ROOT;
    }
    let mut entries: Vec<Entry<'_>> =
        values.iter().enumerate().map(|(index, value)| Entry { path: path(index), value }).collect();
    entries.sort_unstable_by(|a, b| a.path.cmp(&b.path));
    keccak256(&node(&entries, 0))
}

struct Entry<'a> {
    /// The key, four bits an element.
    path: Vec<u8>,
    value: &'a [u8],
}

fn path(index: usize) -> Vec<u8> {
    let mut key = Vec::with_capacity(9);
    rlp::number(&mut key, index as u64);
    key.iter().flat_map(|byte| [byte >> 4, byte & 15]).collect()
}

/// The RLP of the node for a run of entries that agree in the first `depth` nibbles.
///
/// No key of a list is the beginning of another, so that every branch's own value is empty.
fn node(entries: &[Entry<'_>], depth: usize) -> Vec<u8> {
    let mut items = Vec::new();
    let first = &entries[0].path;
    if let [entry] = entries {
        rlp::bytes(&mut items, &compact(&first[depth..], Kind::Leaf));
        rlp::bytes(&mut items, entry.value);
        return in_list(&items);
    }
    // Sorted, so that what the first and the last share all share.
    let last = &entries[entries.len() - 1].path;
    let shared = first[depth..].iter().zip(&last[depth..]).take_while(|(a, b)| a == b).count();
    if shared > 0 {
        rlp::bytes(&mut items, &compact(&first[depth..depth + shared], Kind::Extension));
        reference(&mut items, &node(entries, depth + shared));
        return in_list(&items);
    }
    let mut rest = entries;
    for nibble in 0..16 {
        let (run, after) = rest.split_at(rest.partition_point(|entry| entry.path[depth] == nibble));
        if run.is_empty() {
            rlp::bytes(&mut items, &[]);
        } else {
            reference(&mut items, &node(run, depth + 1));
        }
        rest = after;
    }
    rlp::bytes(&mut items, &[]);
    in_list(&items)
}

fn in_list(items: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(items.len() + 3);
    rlp::list(&mut out, items);
    out
}

/// Appends how a parent names a child: by its hash, or by itself where it is shorter than one.
fn reference(out: &mut Vec<u8>, child: &[u8]) {
    if child.len() < 32 {
        out.extend_from_slice(child);
    } else {
        rlp::bytes(out, &keccak256(child).0);
    }
}

#[derive(Clone, Copy)]
enum Kind {
    Extension = 0,
    Leaf = 2,
}

/// Nibbles as bytes ("hex prefix"): the first nibble tells the kind of node and whether their number is odd.
fn compact(nibbles: &[u8], kind: Kind) -> Vec<u8> {
    let (odd, pairs) =
        if nibbles.len() % 2 == 1 { (Some(nibbles[0]), &nibbles[1..]) } else { (None, nibbles) };
    let flag = kind as u8 + u8::from(odd.is_some());
    let mut out = vec![flag << 4 | odd.unwrap_or(0)];
    out.extend(pairs.chunks_exact(2).map(|pair| pair[0] << 4 | pair[1]));
    out
}
