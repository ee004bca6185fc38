//! JSON in the form of the Beacon API, and YAML in the form of the official vectors, written without building a tree.

use std::io::{self, Write};

use serde::Deserialize;
use serde::de::{self, MapAccess, SeqAccess, Visitor};
use serde_json::Value as Json;

use crate::value::{Leaf, Value};

/// Writes a value as JSON in the form of the Beacon API: numbers as strings, bytes and bits as hex.
pub fn write_json(value: &Value<'_>, out: &mut dyn Write) -> io::Result<()> {
    if let Some(leaf) = value.leaf() {
        return match leaf {
            Leaf::Boolean(yes) => write!(out, "{yes}"),
            leaf => write!(out, "\"{}\"", LeafText(leaf)),
        };
    }
    use ssz::Schema::{Container, Union};
    match value.schema() {
        Union { .. } => {
            write!(out, "{{\"selector\":\"{}\",\"data\":", value.bytes()[0])?;
            write_json(&value.part(0), out)?;
            out.write_all(b"}")
        }
        schema => {
            let named = matches!(schema, Container { .. });
            out.write_all(if named { b"{" } else { b"[" })?;
            for (number, (step, part)) in value.parts().enumerate() {
                if number > 0 {
                    out.write_all(b",")?;
                }
                if let (true, crate::Step::Field(name)) = (named, step) {
                    write!(out, "\"{name}\":")?;
                }
                write_json(&part, out)?;
            }
            out.write_all(if named { b"}" } else { b"]" })
        }
    }
}

/// Writes a value as YAML in the form of the official vectors: plain numbers, bytes and bits as quoted hex.
pub fn write_yaml(value: &Value<'_>, out: &mut dyn Write) -> io::Result<()> {
    write_yaml_at(value, out, 0, false)?;
    if value.leaf().is_some() || value.count() == 0 {
        out.write_all(b"\n")?;
    }
    Ok(())
}

/// `inline` where something stands before it on the line.
fn write_yaml_at(value: &Value<'_>, out: &mut dyn Write, indent: usize, inline: bool) -> io::Result<()> {
    use ssz::Schema::{Container, Union};
    if let Some(leaf) = value.leaf() {
        let text = LeafText(leaf).to_string();
        // As the official vectors: numbers are plain where 64 bits hold them.
        let plain = match leaf {
            Leaf::Number(_) | Leaf::Large(_) => text.parse::<u64>().is_ok(),
            Leaf::Boolean(_) => true,
            Leaf::Bytes(_) | Leaf::Bits(..) => false,
        };
        return if plain { write!(out, "{text}") } else { write!(out, "'{text}'") };
    }
    if value.count() == 0 {
        return out.write_all(if matches!(value.schema(), Container { .. }) { b"{}" } else { b"[]" });
    }
    let mut first = !inline;
    let mut new_line = |out: &mut dyn Write| -> io::Result<()> {
        if std::mem::take(&mut first) { Ok(()) } else { write!(out, "{:indent$}", "") }
    };
    if let Union { .. } = value.schema() {
        new_line(out)?;
        writeln!(out, "selector: {}", value.bytes()[0])?;
        new_line(out)?;
        out.write_all(b"data: ")?;
        return yaml_part(&value.part(0), out, indent);
    }
    for (step, part) in value.parts() {
        new_line(out)?;
        match step {
            crate::Step::Field(name) => write!(out, "{name}: ")?,
            _ => out.write_all(b"- ")?,
        }
        yaml_part(&part, out, indent)?;
    }
    Ok(())
}

fn yaml_part(part: &Value<'_>, out: &mut dyn Write, indent: usize) -> io::Result<()> {
    let simple = part.leaf().is_some() || part.count() == 0;
    if simple {
        write_yaml_at(part, out, indent, true)?;
        return out.write_all(b"\n");
    }
    out.write_all(b"\n")?;
    write!(out, "{:width$}", "", width = indent + 2)?;
    write_yaml_at(part, out, indent + 2, false)
}

/// What a leaf says, without quotes.
pub(crate) struct LeafText<'a>(pub Leaf<'a>);

impl std::fmt::Display for LeafText<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.0 {
            Leaf::Number(number) => write!(f, "{number}"),
            Leaf::Large(bytes) => f.write_str(&decimal(bytes)),
            Leaf::Boolean(yes) => write!(f, "{yes}"),
            Leaf::Bytes(bytes) | Leaf::Bits(bytes, _) => write!(f, "0x{}", hex::encode(bytes)),
        }
    }
}

/// The decimal digits of a little-endian number of any size.
fn decimal(bytes: &[u8]) -> String {
    let mut limbs: Vec<u8> = bytes.iter().rev().copied().collect();
    let mut digits = Vec::new();
    while limbs.iter().any(|limb| *limb != 0) {
        let mut rest = 0u32;
        for limb in &mut limbs {
            let now = rest << 8 | u32::from(*limb);
            (*limb, rest) = ((now / 10) as u8, now % 10);
        }
        digits.push(char::from(b'0' + rest as u8));
    }
    if digits.is_empty() { "0".to_owned() } else { digits.into_iter().rev().collect() }
}

/// Reads YAML in the form of the official vectors as the JSON of the Beacon API: plain numbers become strings.
///
/// The text was read from a file as a whole; what is made of it is bounded by its length, since nothing in it may be
/// repeated by a name. A state of mainnet has millions of nodes.
pub fn yaml_to_json(text: &str) -> Result<Json, String> {
    let size = text.len() + 16;
    let options = serde_saphyr::options! {
        budget: serde_saphyr::budget! {
            max_events: 4 * size,
            max_nodes: size,
            max_total_scalar_bytes: size,
            max_aliases: 0,
            max_anchors: 0,
        },
        with_snippet: false,
    };
    let read = serde_saphyr::from_str_with_options::<Quoted>(text, options);
    read.map(|Quoted(json)| json).map_err(|error| error.to_string().lines().collect::<Vec<_>>().join(" "))
}

/// A JSON value whose numbers became strings.
struct Quoted(Json);

impl<'de> Deserialize<'de> for Quoted {
    fn deserialize<D: de::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Reader;
        impl<'de> Visitor<'de> for Reader {
            type Value = Json;
            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("numbers, texts, booleans, lists and maps")
            }
            fn visit_bool<E: de::Error>(self, value: bool) -> Result<Json, E> {
                Ok(Json::Bool(value))
            }
            fn visit_u64<E: de::Error>(self, value: u64) -> Result<Json, E> {
                Ok(Json::String(value.to_string()))
            }
            fn visit_i64<E: de::Error>(self, value: i64) -> Result<Json, E> {
                Ok(Json::String(value.to_string()))
            }
            fn visit_f64<E: de::Error>(self, value: f64) -> Result<Json, E> {
                Err(E::custom(format!("{value} is no whole number below 2^64; larger ones stand in quotes")))
            }
            fn visit_str<E: de::Error>(self, value: &str) -> Result<Json, E> {
                Ok(Json::String(value.to_owned()))
            }
            fn visit_unit<E: de::Error>(self) -> Result<Json, E> {
                Ok(Json::Null)
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Json, A::Error> {
                let mut list = Vec::new();
                while let Some(Quoted(item)) = items.next_element()? {
                    list.push(item);
                }
                Ok(Json::Array(list))
            }
            fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Json, A::Error> {
                let mut map = serde_json::Map::new();
                while let Some((name, Quoted(value))) = entries.next_entry::<String, Quoted>()? {
                    map.insert(name, value);
                }
                Ok(Json::Object(map))
            }
        }
        deserializer.deserialize_any(Reader).map(Self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn large_numbers_are_written_in_decimal() {
        assert_eq!(decimal(&[0; 32]), "0");
        assert_eq!(
            decimal(&[0xff; 32]),
            "115792089237316195423570985008687907853269984665640564039457584007913129639935"
        );
        let mut million = [0; 32];
        million[..4].copy_from_slice(&1_000_000u32.to_le_bytes());
        assert_eq!(decimal(&million), "1000000");
    }

    #[test]
    fn numbers_of_yaml_become_strings() {
        let json = yaml_to_json(
            "a: 18446744073709551615\nb: ['0x12', true]\nc: {d: '340282366920938463463374607431768211455'}\n",
        );
        assert_eq!(
            json.unwrap().to_string(),
            r#"{"a":"18446744073709551615","b":["0x12",true],"c":{"d":"340282366920938463463374607431768211455"}}"#
        );
        assert!(yaml_to_json("a: 1.5").is_err());
    }

    #[test]
    fn yaml_of_any_length_is_read_and_a_fault_in_it_is_one_line() {
        let long = "- {pubkey: '0xab', slashed: false, effective_balance: 32000000000}\n".repeat(60_000);
        assert_eq!(yaml_to_json(&long).unwrap().as_array().map(Vec::len), Some(60_000));
        let fault = yaml_to_json(&format!("{long}- {{pubkey: 1.5}}\n- [")).unwrap_err();
        assert!(!fault.contains('\n') && fault.contains("60001"), "{fault}");
        // Nothing becomes more by being named.
        assert!(yaml_to_json("a: &x [1, 2]\nb: [*x, *x]").is_err());
    }
}
