//! A value that can be changed anywhere: the tree of its parts, which knows its schema and nothing of Rust types.
//!
//! Lists may grow beyond their limits and bit lists lose their delimiters: what comes out need not be valid.

use inspect::{Path, Step, Value};
use ssz::Schema;

/// A part, with those below it.
#[derive(Clone, Debug)]
pub struct Node<'a> {
    schema: &'a Schema,
    content: Content<'a>,
}

#[derive(Clone, Debug)]
enum Content<'a> {
    Leaf(Vec<u8>),
    Parts(Vec<Node<'a>>),
}

impl<'a> Node<'a> {
    /// The tree of a value; none where the bytes do not fit the schema.
    pub fn read(schema: &'a Schema, bytes: &[u8]) -> Option<Self> {
        Value::read(schema, bytes).ok().map(|value| Self::of(schema, value))
    }

    fn of(schema: &'a Schema, value: Value<'_>) -> Self {
        let child = |index: usize| match schema {
            Schema::Container { fields, .. } => &fields[index].1,
            Schema::Vector(element, _) | Schema::List(element, _) => element,
            _ => panic!("only these have parts here"),
        };
        let has_parts = matches!(schema, Schema::Container { .. } | Schema::Vector(..) | Schema::List(..));
        let content = if has_parts {
            let parts = (0..value.count()).map(|index| Self::of(child(index), value.part(index)));
            Content::Parts(parts.collect())
        } else {
            Content::Leaf(value.bytes().to_vec())
        };
        Self { schema, content }
    }

    /// The schema.
    pub fn schema(&self) -> &'a Schema {
        self.schema
    }

    /// The encoding of a part without parts.
    pub fn leaf(&self) -> Option<&[u8]> {
        match &self.content {
            Content::Leaf(bytes) => Some(bytes),
            Content::Parts(_) => None,
        }
    }

    /// Writes the encoding of a part without parts; false where it has parts.
    pub fn set_leaf(&mut self, to: Vec<u8>) -> bool {
        match &mut self.content {
            Content::Leaf(bytes) => {
                *bytes = to;
                true
            }
            Content::Parts(_) => false,
        }
    }

    /// The parts; none for a leaf.
    pub fn parts(&self) -> &[Node<'a>] {
        match &self.content {
            Content::Parts(parts) => parts,
            Content::Leaf(_) => &[],
        }
    }

    /// The elements, where it is a list: they may be added and removed.
    pub fn elements_mut(&mut self) -> Option<&mut Vec<Node<'a>>> {
        match (&self.schema, &mut self.content) {
            (Schema::List(..), Content::Parts(parts)) => Some(parts),
            _ => None,
        }
    }

    /// The schema of the elements, where it is a list.
    pub fn element_schema(&self) -> Option<&'a Schema> {
        match self.schema {
            Schema::List(element, _) => Some(element),
            _ => None,
        }
    }

    /// The part that a path leads to.
    pub fn at_mut(&mut self, path: &Path) -> Option<&mut Self> {
        path.steps().iter().try_fold(self, |node, step| node.child_mut(step))
    }

    fn child_mut(&mut self, step: &Step) -> Option<&mut Self> {
        let place = self.place(step)?;
        match &mut self.content {
            Content::Parts(parts) => parts.get_mut(place),
            Content::Leaf(_) => None,
        }
    }

    fn place(&self, step: &Step) -> Option<usize> {
        match (self.schema, step) {
            (Schema::Container { fields, .. }, Step::Field(name)) => {
                fields.iter().position(|(field, _)| field == name)
            }
            (Schema::Vector(..) | Schema::List(..), Step::Index(index)) => usize::try_from(*index).ok(),
            _ => None,
        }
    }

    /// The step to a part.
    pub fn step(&self, place: usize) -> Step {
        match self.schema {
            Schema::Container { fields, .. } => Step::Field(fields[place].0.to_owned()),
            _ => Step::Index(place as u64),
        }
    }

    /// The encoding.
    pub fn encode(&self) -> Vec<u8> {
        let parts = match &self.content {
            Content::Leaf(bytes) => return bytes.clone(),
            Content::Parts(parts) => parts,
        };
        let encoded: Vec<Vec<u8>> = parts.iter().map(Self::encode).collect();
        let is_fixed = |part: &Node<'_>| is_fixed(part.schema);
        let sizes = parts.iter().zip(&encoded);
        let mut offset: usize = sizes.map(|(part, bytes)| if is_fixed(part) { bytes.len() } else { 4 }).sum();
        let (mut head, mut tail) = (Vec::new(), Vec::new());
        for (part, bytes) in parts.iter().zip(&encoded) {
            if is_fixed(part) {
                head.extend_from_slice(bytes);
            } else {
                let written = u32::try_from(offset).expect("no value here is of 4 GiB");
                head.extend_from_slice(&written.to_le_bytes());
                offset += bytes.len();
                tail.extend_from_slice(bytes);
            }
        }
        head.append(&mut tail);
        head
    }
}

/// True where every value of the schema has one size.
fn is_fixed(schema: &Schema) -> bool {
    match schema {
        Schema::Uint(_) | Schema::Boolean | Schema::ByteVector(_) | Schema::Bitvector(_) => true,
        Schema::Vector(element, _) => is_fixed(element),
        Schema::Container { fields, .. } => fields.iter().all(|(_, schema)| is_fixed(schema)),
        Schema::ByteList(_) | Schema::Bitlist(_) | Schema::List(..) | Schema::Union { .. } => false,
    }
}

/// The encoding of the value that is zero and empty everywhere.
pub fn zero(schema: &Schema) -> Vec<u8> {
    match schema {
        Schema::Uint(bits) => vec![0; usize::from(*bits) / 8],
        Schema::Boolean => vec![0],
        Schema::ByteVector(length) => vec![0; *length],
        Schema::Bitvector(length) => vec![0; length.div_ceil(8)],
        Schema::Bitlist(_) => vec![1],
        Schema::ByteList(_) | Schema::List(..) => Vec::new(),
        Schema::Vector(element, length) => {
            let parts = (0..*length).map(|_| zero_node(element)).collect();
            Node { schema, content: Content::Parts(parts) }.encode()
        }
        Schema::Container { fields, .. } => {
            let parts = fields.iter().map(|(_, field)| zero_node(field)).collect();
            Node { schema, content: Content::Parts(parts) }.encode()
        }
        Schema::Union { .. } => vec![0],
    }
}

fn zero_node(schema: &Schema) -> Node<'_> {
    Node::read(schema, &zero(schema)).expect("the zero value is a value")
}

#[cfg(test)]
mod tests {
    use types::{Attestation, BeaconState, ForkName, SignedBeaconBlock, Spec, SszExt};

    use super::*;

    #[test]
    fn a_tree_is_written_as_it_was_read() {
        let spec = Spec::minimal();
        for fork in ForkName::ALL {
            let ctx = spec.ctx(fork);
            for (name, bytes) in [
                ("BeaconState", BeaconState::empty(spec, fork).encoded()),
                ("SignedBeaconBlock", SignedBeaconBlock::new_default(ctx).to_ssz(ctx)),
                ("Attestation", Attestation::new_default(ctx).to_ssz(ctx)),
            ] {
                let schema = inspect::schema_by_name(name, ctx).unwrap();
                assert_eq!(Node::read(&schema, &bytes).unwrap().encode(), bytes, "{fork} {name}");
                if name != "BeaconState" {
                    assert_eq!(zero(&schema), bytes, "{fork} {name}");
                }
            }
        }
    }

    #[test]
    fn a_part_is_changed_where_its_path_leads() {
        let ctx = Spec::minimal().ctx(ForkName::Capella);
        let block = SignedBeaconBlock::new_default(ctx);
        let schema = inspect::schema_by_name("SignedBeaconBlock", ctx).unwrap();
        let mut tree = Node::read(&schema, &block.to_ssz(ctx)).unwrap();
        let exits = tree.at_mut(&"message.body.voluntary_exits".parse().unwrap()).unwrap();
        let exit = zero(exits.element_schema().unwrap());
        let exit = Node::read(exits.element_schema().unwrap(), &exit).unwrap();
        exits.elements_mut().unwrap().push(exit);
        let index = "message.body.voluntary_exits[0].message.validator_index".parse().unwrap();
        assert!(tree.at_mut(&index).unwrap().set_leaf(7u64.to_le_bytes().to_vec()));
        let changed = SignedBeaconBlock::from_ssz(&tree.encode(), ctx).unwrap();
        assert_eq!(changed.message.body.voluntary_exits[0].message.validator_index.0, 7);
        assert!(tree.at_mut(&"message.body.deposits[0]".parse().unwrap()).is_none());
    }
}
