//! [RLP](https://ethereum.org/developers/docs/data-structures-and-encoding/rlp/), as far as block headers, withdrawals
//! and the versioned hashes of blob transactions need it. Small enough that a crate would be more to read than this.

/// Appends a string of bytes.
pub fn bytes(out: &mut Vec<u8>, value: &[u8]) {
    match value {
        [byte] if *byte < 0x80 => out.push(*byte),
        _ => {
            prefix(out, 0x80, value.len());
            out.extend_from_slice(value);
        }
    }
}

/// Appends a number: its big-endian bytes without leading zeros, so that zero is the empty string.
pub fn number(out: &mut Vec<u8>, value: u64) {
    big_number(out, &value.to_be_bytes());
}

/// Appends a number of big-endian bytes.
pub fn big_number(out: &mut Vec<u8>, big_endian: &[u8]) {
    let zeros = big_endian.iter().take_while(|byte| **byte == 0).count();
    bytes(out, &big_endian[zeros..]);
}

/// Appends a list of items that are encoded already, one behind the other.
pub fn list(out: &mut Vec<u8>, items: &[u8]) {
    prefix(out, 0xc0, items.len());
    out.extend_from_slice(items);
}

fn prefix(out: &mut Vec<u8>, base: u8, length: usize) {
    if length <= 55 {
        out.push(base + length as u8);
    } else {
        let digits = length.to_be_bytes();
        let zeros = digits.iter().take_while(|byte| **byte == 0).count();
        out.push(base + 55 + (digits.len() - zeros) as u8);
        out.extend_from_slice(&digits[zeros..]);
    }
}

/// An item, its prefix taken off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Item<'a> {
    /// A string of bytes.
    Bytes(&'a [u8]),
    /// A list: its items, still encoded, one behind the other.
    List(&'a [u8]),
}

/// Takes the first item off encoded items; none where what is there is no canonical RLP.
pub fn split(input: &[u8]) -> Option<(Item<'_>, &[u8])> {
    let first = *input.first()?;
    if first < 0x80 {
        return Some((Item::Bytes(&input[..1]), &input[1..]));
    }
    let is_list = first >= 0xc0;
    let short = usize::from(first - if is_list { 0xc0 } else { 0x80 });
    let (start, length) = if short <= 55 { (1, short) } else { long_length(input, short - 55)? };
    let content = input.get(start..start.checked_add(length)?)?;
    let rest = &input[start + length..];
    if is_list {
        return Some((Item::List(content), rest));
    }
    // A byte below 0x80 is its own encoding, and may have no other.
    let longer_than_needed = matches!(content, [byte] if *byte < 0x80);
    (!longer_than_needed).then_some((Item::Bytes(content), rest))
}

/// Where the content begins and how long it is, after a prefix that announces `digits` bytes of length.
fn long_length(input: &[u8], digits: usize) -> Option<(usize, usize)> {
    let digits = input.get(1..1 + digits)?;
    if digits[0] == 0 || digits.len() > size_of::<usize>() {
        return None;
    }
    let length = digits.iter().fold(0usize, |sum, digit| sum << 8 | usize::from(*digit));
    (length > 55).then_some((1 + digits.len(), length))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn encoded(write: impl Fn(&mut Vec<u8>)) -> Vec<u8> {
        let mut out = Vec::new();
        write(&mut out);
        out
    }

    #[test]
    fn the_known_encodings_come_out() {
        assert_eq!(encoded(|out| bytes(out, b"dog")), b"\x83dog");
        assert_eq!(encoded(|out| bytes(out, b"")), b"\x80");
        assert_eq!(encoded(|out| bytes(out, &[0])), [0]);
        assert_eq!(encoded(|out| bytes(out, &[0x80])), [0x81, 0x80]);
        assert_eq!(encoded(|out| number(out, 0)), [0x80]);
        assert_eq!(encoded(|out| number(out, 15)), [0x0f]);
        assert_eq!(encoded(|out| number(out, 1024)), [0x82, 0x04, 0x00]);
        assert_eq!(encoded(|out| list(out, b"\x83cat\x83dog")), b"\xc8\x83cat\x83dog");
        let long = encoded(|out| bytes(out, &[7; 56]));
        assert_eq!((long[0], long[1], long.len()), (0xb8, 56, 58));
        let longer = encoded(|out| list(out, &[7; 1024]));
        assert_eq!((&longer[..3], longer.len()), ([0xf9, 4, 0].as_slice(), 1027));
    }

    #[test]
    fn what_was_written_is_read() {
        for length in [0, 1, 2, 55, 56, 255, 256, 70_000] {
            let value = vec![0x9a; length];
            let mut input = encoded(|out| bytes(out, &value));
            input.push(1);
            assert_eq!(split(&input), Some((Item::Bytes(&value), [1].as_slice())));
            let input = encoded(|out| list(out, &value));
            assert_eq!(split(&input), Some((Item::List(&value), [].as_slice())));
        }
    }

    #[test]
    fn what_is_cut_off_or_longer_than_needed_is_refused() {
        for input in [
            &[][..],
            &[0x81, 0x05],
            &[0x83, 1, 2],
            &[0xb8],
            &[0xb8, 55, 0],
            &[0xb9, 0, 60],
            &[0xbf, 255, 255, 255, 255, 255, 255, 255, 255, 1],
        ] {
            assert_eq!(split(input), None, "{input:x?}");
        }
    }
}
