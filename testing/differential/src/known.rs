//! Differences that are known and right as they are, each with its reason. They are counted, and not reported.
//!
//! What a foreign implementation does wrong in a way that would make every run stumble is worked around in its child
//! program instead, with a comment there that says why.

use inspect::{Leaf, Step, Value};
use types::{ForkName, Spec};

use crate::case::{Action, Case, Outcome, container_of};
use crate::peer::PeerName;
use crate::schedule::spec_of;

/// Above this a double does not hold every whole number.
const DOUBLE_MAX: u128 = 1 << 53;

/// Lodestar's numbers.
const DOUBLES: &str = "lodestar holds 64-bit numbers as doubles: a number above 2^53 is another one or none";
/// Signatures that Lodestar has no switch for.
const SIGNATURES: &str =
    "lodestar verifies signatures of credential changes also where signatures are not to be verified";
/// Attestations without attesters.
const NOBODY: &str =
    "lodestar asks whether anybody attested where it verifies the signature, and so not without signatures";
/// Votes that wait in a phase 0 state.
const VOTES: &str = "ours and lodestar read all pending attestations of a phase 0 state before the first step of an \
                     epoch, and refuse those that fit no committee; the specification reads them in the steps that reward";

/// Why an implementation may differ from ours in a case; none where it may not.
pub fn reason(case: &Case, ours: &Outcome, peer: PeerName, theirs: &Outcome) -> Option<&'static str> {
    match peer {
        PeerName::Lodestar if has_large_number(case) => Some(DOUBLES),
        PeerName::Lodestar if !case.signatures && is_refusal_by(theirs, "util/signatureSets.js") => {
            Some(SIGNATURES)
        }
        PeerName::Lodestar if !case.signatures && is_refusal_by(theirs, "processBlsToExecutionChange") => {
            Some(SIGNATURES)
        }
        PeerName::Lodestar if !case.signatures && is_refusal_by(ours, "nobody attested") => Some(NOBODY),
        PeerName::Lodestar
            if case.fork == ForkName::Phase0 && is_refusal_by(theirs, "Must not intersect") =>
        {
            Some(VOTES)
        }
        PeerName::Spec if case.fork == ForkName::Phase0 => {
            let is_step = matches!(case.action, Action::Epoch(_));
            (is_step && is_refusal_by(ours, "attestation of the state")).then_some(VOTES)
        }
        _ => None,
    }
}

fn is_refusal_by(outcome: &Outcome, text: &str) -> bool {
    matches!(outcome, Outcome::Refused(why) if why.contains(text))
}

/// True where the state or an input has a number that a double cannot hold.
fn has_large_number(case: &Case) -> bool {
    let Ok(spec) = spec_of(&case.preset, case.fork) else { return false };
    let input = match &case.action {
        Action::Operation(name) => container_of(name).unwrap_or_default(),
        _ => "SignedBeaconBlock",
    };
    is_large(spec, case.fork, "BeaconState", &case.pre)
        || case.inputs.iter().any(|bytes| is_large(spec, case.fork, input, bytes))
}

fn is_large(spec: &'static Spec, fork: ForkName, container: &str, bytes: &[u8]) -> bool {
    let Some(schema) = inspect::schema_by_name(container, spec.ctx(fork)) else { return false };
    Value::read(&schema, bytes).is_ok_and(|value| has_large(value, ""))
}

/// True where the part, of the field so named, has a number that a double cannot hold. The greatest of all is infinity to
/// Lodestar where it means the far future, or that nothing was set yet.
fn has_large(value: Value<'_>, field: &str) -> bool {
    match value.leaf() {
        Some(Leaf::Number(number)) if number == u128::from(u64::MAX) => {
            !field.ends_with("epoch") && field != "deposit_requests_start_index"
        }
        Some(Leaf::Number(number)) => number > DOUBLE_MAX,
        Some(_) => false,
        None => value.parts().any(|(step, part)| match &step {
            Step::Field(name) => has_large(part, name),
            _ => has_large(part, field),
        }),
    }
}

#[cfg(test)]
mod tests {
    use types::{BeaconState, Slot, Validator};

    use super::*;

    #[test]
    fn the_far_future_is_no_large_number_but_its_neighbours_are() {
        let spec = spec_of("minimal", ForkName::Electra).unwrap();
        let large = |change: &dyn Fn(&mut BeaconState)| {
            let mut state = BeaconState::empty(spec, ForkName::Electra);
            change(&mut state);
            is_large(spec, ForkName::Electra, "BeaconState", &state.encoded())
        };
        let validator = |exit: u64| Validator { exit_epoch: exit.into(), ..Validator::default() };
        assert!(!large(&|state| state.deposit_requests_start_index = u64::MAX));
        assert!(!large(&|state| state.validators = vec![validator(u64::MAX)].into()));
        assert!(large(&|state| state.validators = vec![validator(u64::MAX - 1)].into()));
        assert!(large(&|state| state.next_withdrawal_index = u64::MAX));
        assert!(large(&|state| state.slot = Slot((1 << 53) + 1)));
        assert!(!large(&|state| state.slot = Slot(1 << 53)));
    }
}
