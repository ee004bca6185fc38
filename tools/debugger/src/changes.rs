//! What differs between two states, in lines for people.

use std::collections::BTreeMap;
use std::fmt;

use inspect::{Difference, Malformed, Path, Step, Value, diff};
use ssz::{Schema, SszExt};
use types::{BeaconState, ForkName, Slot, Spec};

/// Larger parts are told by their size alone.
const TEXT_MAX: usize = 160;

/// The encoding of a state, checked against the schema of its fork.
#[derive(Clone, Debug)]
pub struct Encoded {
    /// The state's fork.
    pub fork: ForkName,
    schema: Schema,
    bytes: Vec<u8>,
}

impl Encoded {
    /// That of a state of ours.
    pub fn of(state: &BeaconState) -> Self {
        let schema = BeaconState::schema_of(state.ctx());
        Self { fork: state.fork_name(), schema, bytes: state.encoded() }
    }

    /// Bytes from elsewhere; an error names the part and the byte that is wrong.
    pub fn read(spec: &'static Spec, fork: ForkName, bytes: Vec<u8>) -> Result<Self, Malformed> {
        let schema = BeaconState::schema_of(spec.ctx(fork));
        Value::read(&schema, &bytes)?;
        Ok(Self { fork, schema, bytes })
    }

    /// The value.
    pub fn value(&self) -> Value<'_> {
        Value::trusted(&self.schema, &self.bytes)
    }

    /// The bytes.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The state's slot.
    pub fn slot(&self) -> Slot {
        // genesis_time (8 bytes) and genesis_validators_root (32) stand before the slot in every fork.
        let bytes = self.bytes[40..48].try_into().expect("the bytes are those of a state");
        Slot(u64::from_le_bytes(bytes))
    }
}

/// A part that differs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// The part.
    pub path: Path,
    /// What it was.
    pub before: String,
    /// What it is.
    pub after: String,
}

/// The first differences of two states, and how many there are in all.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Changes {
    /// The first ones, in the order of the encoding.
    pub first: Vec<Change>,
    /// All of them, by field.
    pub by_field: BTreeMap<String, usize>,
}

impl Changes {
    /// How many there are.
    pub fn count(&self) -> usize {
        self.by_field.values().sum()
    }
}

/// `balances[3]: 5 → 6, and 7 more (balances 6, slot 1)`.
impl fmt::Display for Changes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let lines: Vec<String> = self.first.iter().map(Change::to_string).collect();
        f.write_str(&lines.join("; "))?;
        self.rest().map_or(Ok(()), |rest| write!(f, "; {rest}"))
    }
}

impl Changes {
    /// What is said of those that are not among the first.
    pub fn rest(&self) -> Option<String> {
        let more = self.count() - self.first.len();
        let fields: Vec<String> =
            self.by_field.iter().map(|(name, count)| format!("{name} {count}")).collect();
        (more > 0).then(|| format!("… {more} more; in all {}", fields.join(", ")))
    }
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {} → {}", self.path, self.before, self.after)
    }
}

/// The differences, of which at most `most` are kept.
pub fn changes(before: &Encoded, after: &Encoded, most: usize) -> Changes {
    let mut found = Changes::default();
    diff(before.value(), after.value(), |difference| {
        match found.by_field.get_mut(field(&difference)) {
            Some(count) => *count += 1,
            None => drop(found.by_field.insert(field(&difference).to_owned(), 1)),
        }
        if found.first.len() < most {
            found.first.push(change(&difference));
        }
        true
    });
    found
}

fn field<'d>(difference: &'d Difference<'_>) -> &'d str {
    match difference.path.steps().first() {
        Some(Step::Field(name)) => name,
        _ => "the state",
    }
}

fn change(difference: &Difference<'_>) -> Change {
    let (before, after) = match &difference.change {
        inspect::Change::Changed(before, after) => (text(before), text(after)),
        inspect::Change::Added(value) => ("nothing".to_owned(), text(value)),
        inspect::Change::Removed(value) => (text(value), "nothing".to_owned()),
    };
    Change { path: difference.path.clone(), before, after }
}

fn text(value: &Value<'_>) -> String {
    let size = value.bytes().len();
    if size > TEXT_MAX {
        return format!("{} of {size} bytes", inspect::type_name(value.schema()));
    }
    let mut text = Vec::new();
    inspect::write_json(value, &mut text).expect("memory takes what is written");
    String::from_utf8_lossy(&text).replace('"', "")
}
