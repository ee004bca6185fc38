//! The values that everything else is made of: QUANTITY, DATA, lists and objects.

use std::fmt;

use serde_json::{Map, Value};
use types::{Bytes, FixedBytes, Uint256};

/// What is wrong with a value, and where it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Malformed {
    /// The keys and places that lead to it, the outermost first; empty for the whole.
    path: Vec<String>,
    why: String,
}

impl Malformed {
    /// Something wrong with the value at hand.
    pub fn new(why: impl Into<String>) -> Self {
        Self { path: Vec::new(), why: why.into() }
    }

    /// The same, seen from the value that holds it.
    pub fn under(mut self, key: impl Into<String>) -> Self {
        self.path.insert(0, key.into());
        self
    }
}

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.path.is_empty() {
            write!(f, "{}: ", self.path.join("."))?;
        }
        f.write_str(&self.why)
    }
}

impl std::error::Error for Malformed {}

type Result<T> = std::result::Result<T, Malformed>;

/// The fields of an object.
#[derive(Clone, Copy, Debug)]
pub struct Object<'a>(&'a Map<String, Value>);

impl<'a> Object<'a> {
    /// The fields, where the value is an object.
    pub fn of(value: &'a Value) -> Result<Self> {
        value
            .as_object()
            .map(Self)
            .ok_or_else(|| Malformed::new(format!("expected an object, found {}", kind(value))))
    }

    /// A field that must be there; null is not.
    pub fn get<T>(&self, key: &str, read: impl FnOnce(&'a Value) -> Result<T>) -> Result<T> {
        self.optional(key, read)?.ok_or_else(|| Malformed::new("is missing").under(key))
    }

    /// A field that may be missing or null.
    pub fn optional<T>(&self, key: &str, read: impl FnOnce(&'a Value) -> Result<T>) -> Result<Option<T>> {
        match self.0.get(key).filter(|value| !value.is_null()) {
            Some(value) => read(value).map(Some).map_err(|error| error.under(key)),
            None => Ok(None),
        }
    }
}

/// A text.
pub fn text(value: &Value) -> Result<&str> {
    value.as_str().ok_or_else(|| Malformed::new(format!("expected a text, found {}", kind(value))))
}

/// True or false.
pub fn flag(value: &Value) -> Result<bool> {
    value.as_bool().ok_or_else(|| Malformed::new(format!("expected true or false, found {}", kind(value))))
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a text",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}

/// The digits of a QUANTITY.
fn digits(value: &Value) -> Result<&str> {
    let text = text(value)?;
    let wrong = |why: &str| Malformed::new(format!("{why}: {:?}", text.chars().take(80).collect::<String>()));
    let digits = text.strip_prefix("0x").ok_or_else(|| wrong("a quantity begins with 0x"))?;
    match digits.as_bytes() {
        [] => Err(wrong("a quantity has a digit")),
        [b'0', _, ..] => Err(wrong("a quantity has no leading zeros")),
        all if all.iter().all(u8::is_ascii_hexdigit) => Ok(digits),
        _ => Err(wrong("a quantity is hexadecimal")),
    }
}

/// A QUANTITY of 64 bits.
pub fn quantity(value: &Value) -> Result<u64> {
    let digits = digits(value)?;
    u64::from_str_radix(digits, 16).map_err(|_| Malformed::new(format!("more than 64 bits: {:.80}", digits)))
}

/// A QUANTITY of 256 bits.
pub fn quantity256(value: &Value) -> Result<Uint256> {
    let digits = digits(value)?;
    if digits.len() > 64 {
        return Err(Malformed::new("more than 256 bits"));
    }
    let mut bytes =
        hex::decode(format!("{digits:0>64}")).map_err(|error| Malformed::new(error.to_string()))?;
    bytes.reverse();
    Ok(Uint256(bytes.try_into().expect("64 digits are 32 bytes")))
}

/// DATA of a fixed length.
pub fn fixed<const N: usize>(value: &Value) -> Result<FixedBytes<N>> {
    text(value)?.parse().map_err(|error| Malformed::new(format!("{error}")))
}

/// DATA of any length.
pub fn data(value: &Value) -> Result<Bytes> {
    types_bytes(text(value)?)
}

fn types_bytes(text: &str) -> Result<Bytes> {
    let digits = text.strip_prefix("0x").ok_or_else(|| Malformed::new("bytes begin with 0x"))?;
    hex::decode(digits).map(Bytes).map_err(|error| Malformed::new(error.to_string()))
}

/// The elements of a list.
pub fn each<'a, T>(value: &'a Value, read: impl Fn(&'a Value) -> Result<T>) -> Result<Vec<T>> {
    let list =
        value.as_array().ok_or_else(|| Malformed::new(format!("expected a list, found {}", kind(value))))?;
    let element = |(at, value)| read(value).map_err(|error: Malformed| error.under(format!("{at}")));
    list.iter().enumerate().map(element).collect()
}

/// A QUANTITY.
pub fn quantity_to_json(value: u64) -> Value {
    Value::String(format!("{value:#x}"))
}

/// A QUANTITY.
pub fn quantity256_to_json(value: &Uint256) -> Value {
    let mut bytes = value.0;
    bytes.reverse();
    let digits = hex::encode(bytes);
    let digits = digits.trim_start_matches('0');
    Value::String(format!("0x{}", if digits.is_empty() { "0" } else { digits }))
}

/// DATA.
pub fn data_to_json(bytes: &[u8]) -> Value {
    let mut text = String::with_capacity(2 + 2 * bytes.len());
    text.push_str("0x");
    text.push_str(&hex::encode(bytes));
    Value::String(text)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn quantities_round_trip_and_other_forms_are_refused() {
        for value in [0, 1, 15, 16, 1024, u64::MAX] {
            assert_eq!(quantity(&quantity_to_json(value)), Ok(value));
            assert_eq!(quantity256(&quantity_to_json(value)), Ok(Uint256::from(value)));
            assert_eq!(quantity256_to_json(&Uint256::from(value)), quantity_to_json(value));
        }
        assert_eq!(quantity_to_json(0), json!("0x0"));
        assert_eq!(quantity_to_json(1024), json!("0x400"));
        assert_eq!(quantity256(&quantity256_to_json(&Uint256([255; 32]))), Ok(Uint256([255; 32])));
        for wrong in
            ["0x", "", "1", "0x00", "0x01", "0xg", "0x+1", "0x-1", "0x 1", "0X1", "0x10000000000000000"]
        {
            assert!(quantity(&json!(wrong)).is_err(), "{wrong}");
        }
        assert!(quantity(&json!(1)).is_err() && quantity(&Value::Null).is_err());
        assert!(quantity256(&json!(format!("0x1{}", "0".repeat(64)))).is_err());
    }

    #[test]
    fn bytes_round_trip_and_other_forms_are_refused() {
        for bytes in [&[][..], &[0], &[0, 1, 255]] {
            assert_eq!(data(&data_to_json(bytes)), Ok(Bytes(bytes.to_vec())));
        }
        assert_eq!(data_to_json(&[]), json!("0x"));
        for wrong in ["", "00", "0x0", "0x0g", "0X00"] {
            assert!(data(&json!(wrong)).is_err(), "{wrong}");
        }
        assert!(fixed::<2>(&json!("0x0001")).is_ok());
        assert!(fixed::<2>(&json!("0x01")).is_err() && fixed::<2>(&json!("0x000102")).is_err());
    }

    #[test]
    fn an_error_says_where() {
        let value = json!({ "a": [{ "b": "0x1" }, { "b": "0x01" }] });
        let inner = |value| Object::of(value)?.get("b", quantity);
        let read = Object::of(&value).unwrap().get("a", |value| each(value, inner));
        assert_eq!(read.unwrap_err().to_string(), "a.1.b: a quantity has no leading zeros: \"0x01\"");
        let missing = Object::of(&value).unwrap().get("c", quantity);
        assert_eq!(missing.unwrap_err().to_string(), "c: is missing");
    }
}
