//! Differences of two values, part by part.
//!
//! Equal bytes are skipped whole, so that two states of 150 MB that differ in three places are compared at the speed
//! of memory.

use ssz::Schema;

use crate::path::{Path, Step};
use crate::value::{Leaf, Value, fixed_len};

/// What happened to a part.
#[derive(Clone, Copy, Debug)]
pub enum Change<'a> {
    /// Another value.
    Changed(Value<'a>, Value<'a>),
    /// Only the second has it: an element behind the first's end, or a field of another fork.
    Added(Value<'a>),
    /// Only the first has it.
    Removed(Value<'a>),
}

/// A part that differs.
#[derive(Clone, Debug)]
pub struct Difference<'a> {
    /// The part.
    pub path: Path,
    /// What happened to it.
    pub change: Change<'a>,
}

/// Hands every difference to `found`, in the order of the encoding, until it returns false. The values may be of
/// different forks: fields are compared by name.
pub fn diff<'a>(a: Value<'a>, b: Value<'a>, mut found: impl FnMut(Difference<'a>) -> bool) {
    compare(a, b, &Path::default(), &mut found);
}

/// False where the caller has had enough.
fn compare<'a>(
    a: Value<'a>,
    b: Value<'a>,
    path: &Path,
    found: &mut dyn FnMut(Difference<'a>) -> bool,
) -> bool {
    if a.schema() == b.schema() && a.bytes() == b.bytes() {
        return true;
    }
    match (a.schema(), b.schema()) {
        (Schema::Container { .. }, Schema::Container { .. }) => compare_fields(a, b, path, found),
        (Schema::Vector(x, _), Schema::Vector(y, _)) | (Schema::List(x, _), Schema::List(y, _)) => {
            match (fixed_len(x), x == y) {
                (Some(len), true) => compare_runs(a, b, len, path, found),
                _ => compare_elements(a, b, 0..a.count().max(b.count()), path, found),
            }
        }
        (Schema::Union { .. }, Schema::Union { .. }) if a.bytes().first() == b.bytes().first() => {
            compare(a.part(0), b.part(0), &path.then(Step::Index(0)), found)
        }
        _ if same_text(&a, &b) => true,
        _ => found(Difference { path: path.clone(), change: Change::Changed(a, b) }),
    }
}

/// True for leaves that say the same in schemas that differ only in their bounds.
fn same_text(a: &Value<'_>, b: &Value<'_>) -> bool {
    match (a.leaf(), b.leaf()) {
        (Some(Leaf::Bits(x, n)), Some(Leaf::Bits(y, m))) => n == m && x == y,
        (Some(x), Some(y)) => x == y,
        _ => false,
    }
}

fn compare_fields<'a>(
    a: Value<'a>,
    b: Value<'a>,
    path: &Path,
    found: &mut dyn FnMut(Difference<'a>) -> bool,
) -> bool {
    for (step, mine) in a.parts() {
        let there = path.then(step.clone());
        let go_on = match b.child(&step) {
            Some(theirs) => compare(mine, theirs, &there, found),
            None => found(Difference { path: there, change: Change::Removed(mine) }),
        };
        if !go_on {
            return false;
        }
    }
    b.parts()
        .filter(|(step, _)| a.child(step).is_none())
        .all(|(step, theirs)| found(Difference { path: path.then(step), change: Change::Added(theirs) }))
}

/// Elements of one fixed size: long runs of equal bytes are passed over at once.
fn compare_runs<'a>(
    a: Value<'a>,
    b: Value<'a>,
    len: usize,
    path: &Path,
    found: &mut dyn FnMut(Difference<'a>) -> bool,
) -> bool {
    const RUN: usize = 4096;
    let common = a.count().min(b.count());
    let mut start = 0;
    while start < common {
        let end = (start + RUN).min(common);
        if a.bytes()[start * len..end * len] != b.bytes()[start * len..end * len]
            && !compare_elements(a, b, start..end, path, found)
        {
            return false;
        }
        start = end;
    }
    compare_elements(a, b, common..a.count().max(b.count()), path, found)
}

fn compare_elements<'a>(
    a: Value<'a>,
    b: Value<'a>,
    range: std::ops::Range<usize>,
    path: &Path,
    found: &mut dyn FnMut(Difference<'a>) -> bool,
) -> bool {
    for index in range {
        let there = || path.then(Step::Index(index as u64));
        let go_on = match (index < a.count(), index < b.count()) {
            (true, true) => {
                let (mine, theirs) = (a.part(index), b.part(index));
                mine.bytes() == theirs.bytes() && mine.schema() == theirs.schema()
                    || compare(mine, theirs, &there(), found)
            }
            (true, false) => found(Difference { path: there(), change: Change::Removed(a.part(index)) }),
            _ => found(Difference { path: there(), change: Change::Added(b.part(index)) }),
        };
        if !go_on {
            return false;
        }
    }
    true
}
