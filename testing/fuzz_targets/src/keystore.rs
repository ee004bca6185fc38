//! Files that users hand over: keystores and signing histories.

use keys::{Interchange, Keystore};

/// First byte 0: a keystore (EIP-2335). 1: a signing history (EIP-3076). The rest is the text. What is read is read again
/// from what it is written as. Keys are not decrypted: how much work that may be is bounded elsewhere, and is much.
pub fn keystore(data: &[u8]) {
    let [first, bytes @ ..] = data else { return };
    let text = String::from_utf8_lossy(bytes);
    if first % 2 == 0 {
        if let Ok(store) = Keystore::from_json(&text) {
            let again = Keystore::from_json(&store.to_json());
            let again = again.map(|again| again.to_json());
            assert_eq!(again.ok(), Some(store.to_json()), "another keystore after JSON");
        }
        return;
    }
    if let Ok(history) = Interchange::from_json(&text) {
        assert_eq!(Interchange::from_json(&history.to_json()).ok(), Some(history.clone()), "another history");
        let minified = history.minified();
        assert_eq!(minified.minified(), minified, "minifying twice changes the history");
        assert_eq!(Interchange::from_json(&minified.to_json()).ok(), Some(minified), "another short history");
    }
}
