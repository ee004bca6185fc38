//! Values as vectors write them, compared with the JSON of the Beacon API.
//!
//! They say the same in the same structure. Only numbers differ: the API has them as text, vectors as numbers where
//! they fit 64 bits, and as text beyond.

use anyhow::{Context, bail};
use serde_json::Value;

/// Compares a value's JSON with what its vector wrote; an error names the place where they differ.
pub fn check(json: &Value, written: &Value) -> super::Result {
    match (json, written) {
        (Value::Object(json), Value::Object(written)) if json.keys().eq(written.keys()) => json
            .iter()
            .try_for_each(|(name, json)| check(json, &written[name]).with_context(|| format!(".{name}"))),
        (Value::Array(json), Value::Array(written)) if json.len() == written.len() => {
            let mut pairs = json.iter().zip(written).enumerate();
            pairs.try_for_each(|(place, (json, written))| {
                check(json, written).with_context(|| format!("[{place}]"))
            })
        }
        (Value::String(json), Value::Number(written)) if *json == written.to_string() => Ok(()),
        (Value::String(_) | Value::Bool(_) | Value::Null, _) if json == written => Ok(()),
        _ => bail!("JSON is {}, the vector writes {}", short(json), short(written)),
    }
}

fn short(value: &Value) -> String {
    value.to_string().chars().take(200).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn numbers_may_be_text_but_nothing_else_may_differ() {
        let value = json!({"a": ["1", "18446744073709551615"], "b": {"c": true, "d": "0x01"}});
        let same = json!({"b": {"d": "0x01", "c": true}, "a": [1, 18446744073709551615_u64]});
        check(&value, &same).unwrap();
        let refused = |written: Value, place: &str| {
            let error = format!("{:#}", check(&value, &written).unwrap_err());
            assert!(error.starts_with(place), "{error}");
        };
        refused(json!({"a": [1, 2], "b": {"c": true, "d": "0x01"}}), ".a: [1]: JSON is");
        refused(json!({"a": [1], "b": {"c": true, "d": "0x01"}}), ".a: JSON is");
        refused(json!({"a": [1, 18446744073709551615_u64], "b": {"c": "true", "d": "0x01"}}), ".b: .c: ");
        refused(json!({"a": [1, 18446744073709551615_u64]}), "JSON is");
    }
}
