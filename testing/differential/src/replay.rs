//! Runs vectors that were written again, with ours alone.

use std::path::Path;

use types::{BeaconState, Root};

use crate::case::{Action, Outcome};
use crate::ours;
use crate::report::differences;
use crate::schedule::spec_of;
use crate::vector::{Vector, read_all};

/// Runs every vector below a folder and prints what differs; how many do.
pub fn replay(folder: &Path) -> anyhow::Result<usize> {
    let mut failed = 0;
    for (path, vector) in read_all(folder)? {
        match fault_of(&vector)? {
            None => println!("as the vector says: {}", path.display()),
            Some(fault) => {
                failed += 1;
                println!("NOT as the vector says: {}\n{}", path.display(), fault.trim_end());
            }
        }
    }
    Ok(failed)
}

/// What is wrong, in words; none where it is as the vector says.
fn fault_of(vector: &Vector) -> anyhow::Result<Option<String>> {
    let outcome = ours::run(&vector.case);
    Ok(match (&outcome, &vector.post) {
        (Outcome::Accepted { post: Some(ours), .. }, Some(post)) if ours == post => None,
        (Outcome::Accepted { post: Some(ours), .. }, Some(post)) => {
            let parts = differences(&vector.case, ours, post)?;
            let expected = root_of(vector, post)?;
            Some(format!("{outcome}, expected {expected}; ours and expected:\n{parts}"))
        }
        (Outcome::Accepted { root, .. }, None)
            if vector.case.action == Action::Blocks && vector.named_root != Some(*root) =>
        {
            None
        }
        (Outcome::Refused(_), None) => None,
        (_, None) => Some(format!("{outcome}; it has to be refused")),
        (_, Some(post)) => Some(format!("{outcome}; expected the state root {}", root_of(vector, post)?)),
    })
}

fn root_of(vector: &Vector, post: &[u8]) -> anyhow::Result<Root> {
    let spec = spec_of(&vector.case.preset, vector.case.fork)?;
    let state = BeaconState::decode_at(spec, vector.case.fork, post)?;
    Ok(state.state_root())
}
