//! Where two states differ first, in words.

use serde_json::Value;
use ssz::{Schema, Shape, Ssz};
use types::{BeaconState, SszExt};

/// The first field, in the order of the container, that differs.
pub fn first_difference(found: &BeaconState, expected: &BeaconState) -> String {
    let ctx = expected.ctx();
    let schema = BeaconState::schema(&Shape::Plain, &ctx);
    difference("state", &schema, &found.to_json(found.ctx()), &expected.to_json(ctx))
        .unwrap_or_else(|| "states differ, but their JSON does not".into())
}

fn difference(path: &str, schema: &Schema, found: &Value, expected: &Value) -> Option<String> {
    match (schema, found, expected) {
        (Schema::Container { fields, .. }, _, _) => fields.iter().find_map(|(name, schema)| {
            difference(&format!("{path}.{name}"), schema, found.get(*name)?, expected.get(*name)?)
        }),
        (Schema::List(..) | Schema::Vector(..), Value::Array(found), Value::Array(expected))
            if found.len() != expected.len() =>
        {
            Some(format!("{path} has {} elements, expected {}", found.len(), expected.len()))
        }
        (
            Schema::List(element, _) | Schema::Vector(element, _),
            Value::Array(found),
            Value::Array(expected),
        ) => found.iter().zip(expected).enumerate().find_map(|(index, (found, expected))| {
            difference(&format!("{path}[{index}]"), element, found, expected)
        }),
        _ => (found != expected).then(|| format!("{path} is {found}, expected {expected}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use types::{ForkName, Gwei, Slot, Spec, Validator};

    fn check(change: impl FnOnce(&mut BeaconState), expected: &str) {
        let mut before = BeaconState::empty(Spec::minimal(), ForkName::Phase0);
        (0..3).for_each(|_| before.validators.push(Validator::default()));
        let mut after = before.clone();
        change(&mut after);
        assert_eq!(first_difference(&after, &before), expected);
    }

    #[test]
    fn the_differing_field_of_the_differing_element_is_named() {
        check(
            |state| state.validators[2].slashed = true,
            "state.validators[2].slashed is true, expected false",
        );
        check(
            |state| state.validators.push(Validator::default()),
            "state.validators has 4 elements, expected 3",
        );
    }

    #[test]
    fn of_several_fields_the_first_of_the_container_is_named() {
        let change = |state: &mut BeaconState| {
            state.balances.push(Gwei(1));
            state.slot = Slot(4);
        };
        check(change, "state.slot is \"4\", expected \"0\"");
    }
}
