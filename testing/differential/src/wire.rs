//! Messages between this program and a child: the length of a JSON header (4 bytes, little endian), the header, and the
//! blobs whose lengths the header names.
//!
//! ```text
//!   request  {"action": "hello" | "blocks" | "slots" | "operation" | "epoch", "name": …, "slots": …, "fork": …,
//!             "preset": …, "signatures": bool, "post": bool, "blobs": [length, …]}      state, blocks or operation
//!   reply    {"accepted": true, "root": "0x…", "blobs": [] or [length]}                 the state after, if asked for
//!            {"accepted": false, "why": …, "blobs": []},  {"peer": "name version", "blobs": []} to "hello"
//! ```

use std::io::{self, Read, Write};

use serde_json::{Value, json};

/// The most bytes of a header or a blob; a message with more is nonsense.
const LENGTH_MAX: usize = 1 << 28;
/// The most blobs of a message.
const BLOBS_MAX: usize = 64;

/// A header and its blobs.
pub type Message = (Value, Vec<Vec<u8>>);

/// Writes a message; the header's `blobs` is set here.
pub fn write(to: &mut impl Write, mut header: Value, blobs: &[&[u8]]) -> io::Result<()> {
    header["blobs"] = json!(blobs.iter().map(|blob| blob.len()).collect::<Vec<_>>());
    let text = header.to_string();
    to.write_all(&(text.len() as u32).to_le_bytes())?;
    to.write_all(text.as_bytes())?;
    blobs.iter().try_for_each(|blob| to.write_all(blob))?;
    to.flush()
}

/// Reads a message. What is none, or too large, is an error of the kind `InvalidData`.
pub fn read(from: &mut impl Read) -> io::Result<Message> {
    let nonsense = |what: String| io::Error::new(io::ErrorKind::InvalidData, what);
    let mut length = [0; 4];
    from.read_exact(&mut length)?;
    let text = read_bytes(from, u32::from_le_bytes(length) as usize)?;
    let header: Value = serde_json::from_slice(&text)
        .map_err(|error| nonsense(format!("a header that is no JSON: {error}")))?;
    let lengths = header["blobs"].as_array().ok_or_else(|| nonsense("a header without blobs".into()))?;
    if lengths.len() > BLOBS_MAX {
        return Err(nonsense(format!("{} blobs", lengths.len())));
    }
    let mut blobs = Vec::new();
    for length in lengths {
        let length = length.as_u64().ok_or_else(|| nonsense(format!("a blob of length {length}")))?;
        blobs.push(read_bytes(from, usize::try_from(length).unwrap_or(usize::MAX))?);
    }
    Ok((header, blobs))
}

/// As many bytes as were announced; the memory grows with what really comes.
fn read_bytes(from: &mut impl Read, length: usize) -> io::Result<Vec<u8>> {
    if length > LENGTH_MAX {
        return Err(io::Error::new(io::ErrorKind::InvalidData, format!("{length} bytes are announced")));
    }
    let mut bytes = Vec::new();
    from.take(length as u64).read_to_end(&mut bytes)?;
    if bytes.len() < length {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_read_as_it_was_written() {
        let mut bytes = Vec::new();
        write(&mut bytes, json!({"action": "hello"}), &[b"one", b""]).unwrap();
        let (header, blobs) = read(&mut bytes.as_slice()).unwrap();
        assert_eq!((header["action"].as_str(), blobs), (Some("hello"), vec![b"one".to_vec(), Vec::new()]));
    }

    #[test]
    fn nonsense_is_refused_before_memory_is_taken_for_it() {
        for bytes in [
            b"\xff\xff\xff\xff".to_vec(),
            b"\x02\x00\x00\x00{}".to_vec(),
            b"\x02\x00\x00\x00ab".to_vec(),
            [b"\x1c\x00\x00\x00".as_slice(), br#"{"blobs":[9999999999999999]}"#].concat(),
        ] {
            let error = read(&mut bytes.as_slice()).unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::InvalidData, "{error}");
        }
        let error = read(&mut b"\x05\x00\x00\x00{}".as_slice()).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof);
    }
}
