//! What carries signatures is run in the two ways that production uses: each signature verified at once, as gossip does,
//! and all of a block in one batch, as import does.

use anyhow::Context;
use crypto::verify_signature_sets;
use transition::Signatures;
use types::BeaconState;

use super::{Meta, check};
use crate::case::Case;

/// The batch's randomness; vectors do not try to foresee it.
const SEED: [u8; 32] = [42; 32];

/// Runs `change` on the state in both ways, or in one without signatures where the case says so, and checks what comes
/// of it.
pub fn run<E: std::fmt::Display>(
    case: &Case,
    state: &BeaconState,
    change: impl Fn(&mut BeaconState, &mut Signatures) -> Result<(), E>,
) -> super::super::Result {
    let change = |mut signatures: Signatures| {
        let mut state = state.clone();
        let outcome = change(&mut state, &mut signatures).map_err(|error| error.to_string());
        (outcome.map(|()| state), signatures)
    };
    if !Meta::of(case)?.verifies_signatures()? {
        return check(case, "post.ssz", change(Signatures::Skip).0);
    }
    let (at_once, _) = change(Signatures::Verify);
    let (mut in_batch, signatures) = change(Signatures::Collect(Vec::new()));
    if let Signatures::Collect(sets) = signatures
        && !verify_signature_sets(&sets, SEED)
    {
        in_batch = Err("the batch of signatures is invalid".into());
    }
    check(case, "post.ssz", at_once).context("each signature at once")?;
    check(case, "post.ssz", in_batch).context("all signatures in a batch")
}
