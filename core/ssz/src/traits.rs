//! The trait that every SSZ value implements, and the calls that users make.

use crate::{Ctx, DecodeError, Descent, JsonError, MerkleProof, Node, Root, Schema, Shape};

/// A value that has an SSZ encoding, a root, a JSON form and a schema.
///
/// The `shape` is what the declaration of the field says; containers and numbers ignore it.
/// Users call [`SszExt`]; this trait is what types implement.
pub trait Ssz: Sized + Clone + Default + PartialEq + std::fmt::Debug + Send + Sync + 'static {
    /// True for numbers and booleans, which share chunks in a sequence.
    const BASIC: bool = false;

    /// The size in bytes where the Rust type alone decides it, whatever shape, preset and fork. Such values are read
    /// and written many at a time.
    const FIXED_LEN: Option<usize> = None;

    /// The size in bytes where every value has the same, else none.
    fn fixed_len(shape: &Shape, ctx: &Ctx) -> Option<usize>;

    /// The size in bytes of this value's encoding.
    fn encoded_len(&self, shape: &Shape, ctx: &Ctx) -> usize;

    /// Appends the encoding.
    fn encode(&self, out: &mut Vec<u8>, shape: &Shape, ctx: &Ctx);

    /// Reads the encoding that fills `bytes` exactly.
    fn decode(bytes: &[u8], shape: &Shape, ctx: &Ctx) -> Result<Self, DecodeError>;

    /// Writes the encoding over `out`, which has the size of [`Ssz::FIXED_LEN`]; only types that have one are asked.
    fn write_fixed(&self, out: &mut [u8]) {
        let mut bytes = Vec::with_capacity(out.len());
        self.encode(&mut bytes, &Shape::Plain, &Ctx::PLAIN);
        out.copy_from_slice(&bytes);
    }

    /// Reads `bytes`, which have the size of [`Ssz::FIXED_LEN`]; only types that have one are asked.
    fn read_fixed(bytes: &[u8]) -> Result<Self, DecodeError> {
        Self::decode(bytes, &Shape::Plain, &Ctx::PLAIN)
    }

    /// [`Ssz::write_fixed`] of values one behind the other; `out` has just the room for all.
    fn write_slice(items: &[Self], out: &mut [u8]) {
        let len = Self::FIXED_LEN.expect("only values of one size are written in slices");
        items.iter().zip(out.chunks_exact_mut(len)).for_each(|(item, part)| item.write_fixed(part));
    }

    /// [`Ssz::read_fixed`] of values one behind the other, appended to `out`. After an error those before the bad
    /// value are there.
    fn read_slice(bytes: &[u8], out: &mut Vec<Self>) -> Result<(), DecodeError> {
        let len = Self::FIXED_LEN.expect("only values of one size are read in slices");
        out.reserve(bytes.len() / len);
        bytes.chunks_exact(len).try_for_each(|part| {
            out.push(Self::read_fixed(part)?);
            Ok(())
        })
    }

    /// The roots of many values: that of `items[i]` goes to `out[i * stride]`. Types whose roots are hashes of parts
    /// hash the parts of all items in common layers.
    fn write_roots(items: &[&Self], out: &mut [Node], stride: usize, shape: &Shape, ctx: &Ctx) {
        for (item, out) in items.iter().zip(out.iter_mut().step_by(stride)) {
            *out = item.root(shape, ctx).0;
        }
    }

    /// The hash tree root.
    fn root(&self, shape: &Shape, ctx: &Ctx) -> Root;

    /// Goes down from the value's root along the descent and returns the node there; none where there is no such node.
    /// What is not said to be made of parts is a leaf.
    fn descend(&self, descent: &mut Descent, shape: &Shape, ctx: &Ctx) -> Option<Root> {
        descent.is_over().then(|| self.root(shape, ctx))
    }

    /// The default value of the shape: vectors at full length, all else empty or zero.
    fn default_in(shape: &Shape, ctx: &Ctx) -> Self;

    /// Appends the JSON that the Beacon API uses.
    fn write_json(&self, out: &mut String, shape: &Shape, ctx: &Ctx);

    /// Reads that JSON.
    fn read_json(value: &serde_json::Value, shape: &Shape, ctx: &Ctx) -> Result<Self, JsonError>;

    /// The schema at this preset and fork.
    fn schema(shape: &Shape, ctx: &Ctx) -> Schema;
}

/// SSZ for values whose type says all of their shape: what users call.
pub trait SszExt: Ssz {
    /// The encoding.
    fn to_ssz(&self, ctx: Ctx) -> Vec<u8> {
        let mut out = Vec::with_capacity(self.encoded_len(&Shape::Plain, &ctx));
        self.encode(&mut out, &Shape::Plain, &ctx);
        out
    }

    /// Reads an encoding that fills `bytes` exactly.
    fn from_ssz(bytes: &[u8], ctx: Ctx) -> Result<Self, DecodeError> {
        Self::decode(bytes, &Shape::Plain, &ctx)
    }

    /// [`hash_tree_root`](https://github.com/ethereum/consensus-specs/blob/master/ssz/simple-serialize.md#merkleization).
    fn hash_tree_root(&self, ctx: Ctx) -> Root {
        self.root(&Shape::Plain, &ctx)
    }

    /// The proof of the node at a generalized index
    /// ([`get_generalized_index`](crate::get_generalized_index) tells it for a path); none where the value's tree has
    /// no such node, or it lies in a string of bytes or in a progressive tree.
    fn compute_merkle_proof(&self, generalized_index: u64, ctx: Ctx) -> Option<MerkleProof> {
        crate::proof::prove(self, generalized_index, &ctx)
    }

    /// The default value, its vectors at the lengths of the preset.
    fn new_default(ctx: Ctx) -> Self {
        Self::default_in(&Shape::Plain, &ctx)
    }

    /// The JSON text that the Beacon API uses.
    fn to_json_string(&self, ctx: Ctx) -> String {
        let mut out = String::new();
        self.write_json(&mut out, &Shape::Plain, &ctx);
        out
    }

    /// The JSON that the Beacon API uses; for large values [`SszExt::to_json_string`] needs far less memory.
    fn to_json(&self, ctx: Ctx) -> serde_json::Value {
        serde_json::from_str(&self.to_json_string(ctx)).expect("write_json writes valid JSON")
    }

    /// Reads the JSON that the Beacon API uses; unknown fields are ignored, missing ones are errors.
    fn from_json(value: &serde_json::Value, ctx: Ctx) -> Result<Self, JsonError> {
        Self::read_json(value, &Shape::Plain, &ctx)
    }

    /// The schema at this preset and fork.
    fn schema_of(ctx: Ctx) -> Schema {
        Self::schema(&Shape::Plain, &ctx)
    }
}

impl<T: Ssz> SszExt for T {}
