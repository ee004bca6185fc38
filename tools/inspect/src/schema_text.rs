//! Schemas for people to read, in the notation of the specification.

use std::io::{self, Write};

use ssz::{Bound, Schema};

use crate::value::fixed_len;

/// The type in the notation of the specification: `List[Validator, 1099511627776]`.
pub fn type_name(schema: &Schema) -> String {
    let limited = |kind: &str, bound: &Bound| match bound {
        Bound::Limit(limit) => format!("{kind}[{limit}]"),
        Bound::Progressive => format!("Progressive{kind}"),
    };
    match schema {
        Schema::Uint(bits) => format!("uint{bits}"),
        Schema::Boolean => "boolean".to_owned(),
        Schema::ByteVector(length) => format!("Bytes{length}"),
        Schema::ByteList(bound) => limited("ByteList", bound),
        Schema::Bitvector(length) => format!("Bitvector[{length}]"),
        Schema::Bitlist(bound) => limited("Bitlist", bound),
        Schema::Vector(element, length) => format!("Vector[{}, {length}]", type_name(element)),
        Schema::List(element, Bound::Limit(limit)) => format!("List[{}, {limit}]", type_name(element)),
        Schema::List(element, Bound::Progressive) => format!("ProgressiveList[{}]", type_name(element)),
        Schema::Container { name, .. } | Schema::Union { name, .. } => (*name).to_owned(),
    }
}

/// Prints the containers that a type is made of, itself first, each once: fields, their types, sizes in bytes and
/// generalized indices within the container.
pub fn write_schema(schema: &Schema, out: &mut dyn Write) -> io::Result<()> {
    let mut waiting = vec![schema];
    let mut printed: Vec<&str> = Vec::new();
    while let Some(schema) = waiting.pop() {
        match schema {
            Schema::Container { name, fields, active_fields } => {
                if printed.contains(name) {
                    continue;
                }
                if !printed.is_empty() {
                    writeln!(out)?;
                }
                printed.push(name);
                let kind = if active_fields.is_some() { "ProgressiveContainer" } else { "Container" };
                writeln!(out, "{name}({kind}), {}", size_text(schema))?;
                let width = fields.iter().map(|(field, _)| field.len()).max().unwrap_or(0);
                for (field, inner) in fields {
                    let path = crate::Path::new(vec![crate::Step::Field((*field).to_owned())]);
                    let place = crate::generalized_index(schema, &path).unwrap_or_default();
                    writeln!(
                        out,
                        "  {field:width$}  {place:>4}  {}, {}",
                        type_name(inner),
                        size_text(inner)
                    )?;
                }
                waiting.extend(fields.iter().rev().map(|(_, inner)| inner));
            }
            Schema::Union { options, .. } => waiting.extend(options.iter().rev().map(|(_, inner)| inner)),
            Schema::Vector(element, _) | Schema::List(element, _) => waiting.push(element),
            _ if printed.is_empty() => writeln!(out, "{}, {}", type_name(schema), size_text(schema))?,
            _ => {}
        }
    }
    Ok(())
}

fn size_text(schema: &Schema) -> String {
    match fixed_len(schema) {
        Some(1) => "1 byte".to_owned(),
        Some(len) => format!("{len} bytes"),
        None => "variable size".to_owned(),
    }
}
