//! As much of JSON Schema as the Engine API's schemas use.

use serde_json::Value;

/// The schemas and the methods, without titles, descriptions and examples.
pub fn engine_api() -> Value {
    serde_json::from_str(include_str!("engine_api.json")).unwrap()
}

/// Checks a value; an error says where it breaks which rule.
pub fn check(api: &Value, schema: &Value, value: &Value, at: &str) -> Result<(), String> {
    let fail = |what: &str| Err(format!("{at}: {what}: {:.100}", value.to_string()));
    for (key, rule) in schema.as_object().unwrap() {
        match key.as_str() {
            "$ref" => check_reference(api, rule.as_str().unwrap(), value, at)?,
            "type" => {
                let names = rule.as_array().cloned().unwrap_or_else(|| vec![rule.clone()]);
                if !names.iter().any(|name| is_of(name.as_str().unwrap(), value)) {
                    return fail(&format!("not of type {rule}"));
                }
            }
            "enum" if !rule.as_array().unwrap().contains(value) => return fail("not one of the values"),
            "enum" => {}
            "required" => {
                for name in rule.as_array().unwrap() {
                    if value[name.as_str().unwrap()].is_null() {
                        return fail(&format!("{name} is missing"));
                    }
                }
            }
            "properties" => {
                for (name, schema) in rule.as_object().unwrap() {
                    // The text of the API says null for what is not there, its schemas do not.
                    let Some(field) = value.get(name).filter(|field| !field.is_null()) else { continue };
                    check(api, schema, field, &format!("{at}.{name}"))?;
                }
            }
            "items" => {
                for (place, item) in value.as_array().into_iter().flatten().enumerate() {
                    // Likewise: null stands for a blob or body that is not known.
                    if !item.is_null() {
                        check(api, rule, item, &format!("{at}.{place}"))?;
                    }
                }
            }
            "oneOf" | "anyOf" => {
                let fits = rule
                    .as_array()
                    .unwrap()
                    .iter()
                    .filter(|rule| check(api, rule, value, at).is_ok())
                    .count();
                if fits == 0 {
                    return fail("fits none of several schemas");
                }
            }
            other => panic!("{at}: the rule {other} is not known here"),
        }
    }
    Ok(())
}

fn check_reference(api: &Value, name: &str, value: &Value, at: &str) -> Result<(), String> {
    let mut parts = name.split('/');
    let first = parts.next().unwrap();
    let mut schema = &api["schemas"][first];
    if schema.is_null() {
        return if is_base(first, value) {
            Ok(())
        } else {
            Err(format!("{at}: no {first}: {:.100}", value.to_string()))
        };
    }
    for part in parts {
        schema = &schema[part];
    }
    assert!(schema.is_object(), "{name}");
    check(api, schema, value, at)
}

fn is_of(kind: &str, value: &Value) -> bool {
    match kind {
        "object" => value.is_object(),
        "array" => value.is_array(),
        "string" => value.is_string(),
        "boolean" => value.is_boolean(),
        "null" => value.is_null(),
        other => panic!("the type {other} is not known here"),
    }
}

/// The base types of the Engine API, whose patterns are written out here.
fn is_base(name: &str, value: &Value) -> bool {
    let Some(digits) = value.as_str().and_then(|text| text.strip_prefix("0x")) else { return false };
    let is_hex = digits.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    let number = |most: usize| match digits.as_bytes() {
        b"0" => true,
        [] | [b'0', ..] => false,
        _ => digits.len() <= most,
    };
    let bytes = |count: usize| digits.len() == 2 * count;
    is_hex
        && match name {
            "uint64" => number(16),
            "uint256" => number(64),
            "bytes" => digits.len().is_multiple_of(2),
            "bytesMax32" => digits.len().is_multiple_of(2) && digits.len() <= 64,
            "bytes8" => bytes(8),
            "address" => bytes(20),
            "hash32" | "bytes32" => bytes(32),
            "bytes48" => bytes(48),
            "bytes256" => bytes(256),
            other => panic!("the base type {other} is not known here"),
        }
}
