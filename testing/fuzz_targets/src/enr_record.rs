//! Node records, as text and as RLP, with a signature of their own or one that is made for them.

use enr::{CombinedKey, Enr};
use network::fuzzing::{record_of_rlp, record_of_text};

/// First byte 0: the text of a record. 1: its RLP. 2: keys and values, each behind its length, of a record that is signed
/// here, so that what no signature keeps out is seen too.
pub fn enr_record(data: &[u8]) {
    let [first, bytes @ ..] = data else { return };
    let found = match first % 3 {
        0 => record_of_text(&String::from_utf8_lossy(bytes)),
        1 => record_of_rlp(bytes),
        _ => signed(bytes).and_then(|text| record_of_text(&text)),
    };
    if let Some((record, summary)) = found {
        let (again, same) = record_of_text(&summary.text).expect("a record's own text is read");
        assert!(again == record, "another record after its text");
        assert!(same == summary, "another summary after its text");
    }
}

/// The text of a record with these values, in RLP as they stand.
fn signed(mut bytes: &[u8]) -> Option<String> {
    let mut key = [1; 32];
    let key = CombinedKey::secp256k1_from_bytes(&mut key).ok()?;
    let mut builder = Enr::<CombinedKey>::builder();
    while let [length, rest @ ..] = bytes {
        let (name_length, value_length) = (usize::from(length >> 5), usize::from(length & 31));
        let name = rest.get(..name_length)?;
        let value = rest.get(name_length..name_length + value_length)?;
        bytes = &rest[name_length + value_length..];
        builder.add_value(name, &value);
    }
    builder.build(&key).ok().map(|record| record.to_base64())
}
